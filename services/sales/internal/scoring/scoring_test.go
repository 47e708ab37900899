package scoring

import (
	"fmt"
	"slices"
	"testing"
)

// learnt makes a model of rows of counts: team, field, value, won, lost.
func learnt(fields []string, rows ...[]any) *model {
	m := &model{fields: fields, teams: map[string]*table{}, all: newTable()}
	for _, r := range rows {
		team, v, c := r[0].(string), value{r[1].(string), r[2].(string)}, count{int64(r[3].(int)), int64(r[4].(int)), 1}
		if m.teams[team] == nil {
			m.teams[team] = newTable()
		}
		m.teams[team].add(v, c)
		m.all.add(v, c)
	}
	return m
}

func TestReckoning(t *testing.T) {
	t.Parallel()
	one := Case{Team: "one", Pipeline: "p", Stage: "a", Stages: []string{"a", "b"}, Fields: map[string]string{"source": "web"}, Tags: []string{"hot", "hot"}}
	with := func(change func(c *Case)) Case {
		c := one
		change(&c)
		return c
	}
	row := func(r ...any) []any { return r }
	stages := row("one", "stage", "p/a", 1, 3)
	for name, c := range map[string]struct {
		rows [][]any
		of   Case
		want string // learnt, probability, factors
	}{
		"nothing was learnt":                                        {nil, one, " 0 []"},
		"only in another pipeline":                                  {[][]any{row("one", "stage", "q/a", 1, 3)}, one, " 0 []"},
		"only the share of what was won":                            {[][]any{stages}, with(func(c *Case) { c.Fields, c.Stage = nil, "b" }), "one 2619 []"},
		"the first stage says nothing":                              {[][]any{stages}, with(func(c *Case) { c.Fields = nil }), "one 2619 [stage]"},
		"a value that was not seen makes no factor":                 {[][]any{stages, row("one", "source", "fair", 1, 3)}, one, "one 2619 [stage]"},
		"a value that was seen and taken back is one of 0.1":        {[][]any{stages, row("one", "source", "web", 0, 0), row("one", "source", "fair", 1, 3)}, one, "one 4862 [source stage]"},
		"a value that is not set makes none":                        {[][]any{stages, row("one", "source", "", 9, 1)}, with(func(c *Case) { c.Fields = map[string]string{"source": ""} }), "one 2619 [stage]"},
		"another team's counts are not taken":                       {[][]any{stages, row("two", "stage", "p/a", 9, 1)}, one, "one 2619 [stage]"},
		"a team without counts has those of all":                    {[][]any{stages, row("two", "stage", "p/a", 9, 1)}, with(func(c *Case) { c.Team = "three" }), " 7083 [stage]"},
		"no team has those of all, of no team as well":              {[][]any{stages, row("", "stage", "p/a", 2, 0)}, with(func(c *Case) { c.Team = "" }), " 5000 [stage]"},
		"a team that closed none in this pipeline has those of all": {[][]any{row("one", "stage", "q/a", 9, 1), row("two", "stage", "p/a", 1, 3)}, one, " 2619 [stage]"},
		"49 outcomes of a tag are too few":                          {[][]any{stages, row("one", "tags", "hot", 40, 9)}, one, "one 2619 [stage]"},
		"50 are enough, and a tag counts once":                      {[][]any{stages, row("one", "tags", "hot", 40, 10), row("one", "tags", "cold", 10, 40)}, one, "one 5849 [tags stage]"},
		"too few are too few in each team":                          {[][]any{stages, row("two", "stage", "p/a", 9, 1), row("one", "tags", "hot", 30, 10), row("two", "tags", "hot", 30, 10)}, with(func(c *Case) { c.Team = "" }), " 7083 [stage]"},
		"of one team only":                                          {[][]any{stages, row("two", "stage", "p/a", 9, 1), row("one", "tags", "hot", 30, 10), row("two", "tags", "hot", 40, 10)}, with(func(c *Case) { c.Team = "" }), " 7083 [tags stage]"},
		"hardly anything is certain":                                {[][]any{row("one", "stage", "p/a", 10_000_000, 1)}, one, "one 9999 [stage]"},
		"nor out of the question":                                   {[][]any{row("one", "stage", "p/a", 1, 10_000_000)}, one, "one 1 [stage]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := learnt([]string{"source", FieldTags, FieldStage}, c.rows...).reckon(c.of)
			var fields []string
			for _, f := range r.Factors {
				fields = append(fields, f.Field)
			}
			if got := fmt.Sprintf("%s %d %v", r.Learnt, r.Probability, fields); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestWhatACaseCounts(t *testing.T) {
	t.Parallel()
	c := Case{Pipeline: "p", Stage: "b", Stages: []string{"a", "b", "c"}, Fields: map[string]string{"source": "web", "country": ""}, Tags: []string{"x", "x"}}
	for _, one := range []struct {
		won   bool
		stage string
		want  []value
	}{
		{true, "b", []value{{"source", "web"}, {"stage", "p/a"}, {"stage", "p/b"}, {"stage", "p/c"}, {"tags", "x"}}},
		{false, "b", []value{{"source", "web"}, {"stage", "p/a"}, {"stage", "p/b"}, {"tags", "x"}}},
		{false, "a", []value{{"source", "web"}, {"stage", "p/a"}, {"tags", "x"}}},
		{false, "gone", []value{{"source", "web"}, {"stage", "p/a"}, {"stage", "p/gone"}, {"tags", "x"}}}, // the pipeline has the stage no more
	} {
		c.Stage = one.stage
		if got := c.counts(one.won); !slices.Equal(got, one.want) {
			t.Errorf("won: %v, in %s: %v, want %v", one.won, one.stage, got, one.want)
		}
	}
}
