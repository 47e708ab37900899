package grade_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/grade"
)

func TestCutsAreTheCumulativeSharesRoundedUp(t *testing.T) {
	t.Parallel()
	zeithaml := grade.Scheme{Grades: []grade.Grade{{"platinum", 333}, {"gold", 1000}, {"iron", 4000}, {"lead", 4667}}}
	for _, c := range []struct {
		name   string
		scheme grade.Scheme
		n      int64
		want   []int64
	}{
		{"Curry's thousand", grade.House(), 1000, []int64{10, 50, 200}},
		{"a hundred", grade.House(), 100, []int64{1, 5, 20}},
		{"one more than a hundred: each rounds up", grade.House(), 101, []int64{2, 6, 21}},
		{"one alone is the top", grade.House(), 1, []int64{1, 1, 1}},
		{"nobody", grade.House(), 0, []int64{0, 0, 0}},
		{"names and shares of one's own", zeithaml, 300, []int64{10, 40, 160}},
	} {
		if got := c.scheme.Cuts(c.n); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestWhoContributesAsMuchAsTheLastOfAGradeStandsInItAsWell(t *testing.T) {
	t.Parallel()
	least := []int64{900, 500, 500}
	for contribution, want := range map[int64]int{1000: 0, 900: 0, 899: 1, 500: 1, 499: 3, -7: 3} {
		if got := grade.Place(least, contribution); got != want {
			t.Errorf("%d stands in grade %d, want %d", contribution, got, want)
		}
	}
	if got := grade.Place(nil, 5); got != 0 {
		t.Errorf("without cuts %d", got)
	}
}

func TestCutsNeverFallAndLeaveNobodyOut(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var s grade.Scheme
		left := grade.Whole
		for i := range rapid.IntRange(1, 8).Draw(t, "grades") {
			share := rapid.IntRange(1, left-10+i).Draw(t, "share")
			s.Grades = append(s.Grades, grade.Grade{Code: string(rune('a' + i)), Share: share})
			if left -= share; left < 20 {
				break
			}
		}
		s.Grades = append(s.Grades, grade.Grade{Code: "z"})
		s.WindowDays = 1
		require.NoError(t, s.Check())
		n := rapid.Int64Range(1, 100000).Draw(t, "n")
		before := int64(1)
		for i, cut := range s.Cuts(n) {
			if cut < before || cut > n {
				t.Fatalf("cut %d is %d of %d after %d", i, cut, n, before)
			}
			before = cut
		}
	})
}

func TestSchemesThatBreakRulesAreRefusedAtTheirPlace(t *testing.T) {
	t.Parallel()
	g := func(code string, share int) grade.Grade { return grade.Grade{Code: code, Share: share} }
	for _, c := range []struct {
		name     string
		grades   []grade.Grade
		channels map[string]int
		location string // empty: fine
	}{
		{"the rest is left out", []grade.Grade{g("top", 100), g("rest", 0)}, nil, ""},
		{"the rest is said", []grade.Grade{g("top", 100), g("rest", 9900)}, nil, ""},
		{"the rest is said wrongly", []grade.Grade{g("top", 100), g("rest", 9800)}, nil, "body.grades[1].share_percent"},
		{"one grade", []grade.Grade{g("top", 100)}, nil, "body.grades"},
		{"no share", []grade.Grade{g("top", 0), g("rest", 0)}, nil, "body.grades[0].share_percent"},
		{"nothing is left", []grade.Grade{g("top", 100), g("next", 9900), g("rest", 0)}, nil, "body.grades[1].share_percent"},
		{"more than all", []grade.Grade{g("top", 10100), g("rest", 0)}, nil, "body.grades[0].share_percent"},
		{"a code twice", []grade.Grade{g("top", 100), g("top", 0)}, nil, "body.grades[1].code"},
		{"no code", []grade.Grade{g("Top 1", 100), g("rest", 0)}, nil, "body.grades[0].code"},
		{"a margin of more than all", []grade.Grade{g("top", 100), g("rest", 0)}, map[string]int{"shop": 1001}, "body.channel_margins"},
		{"a channel without a name", []grade.Grade{g("top", 100), g("rest", 0)}, map[string]int{"": 10}, "body.channel_margins"},
	} {
		s := grade.Scheme{Grades: c.grades, Channels: c.channels, WindowDays: 365}
		err := s.Check()
		if c.location == "" {
			if err != nil || s.Grades[len(s.Grades)-1].Share != 9900 {
				t.Errorf("%s: %v %v", c.name, err, s.Grades)
			}
			continue
		}
		var p *problem.Error
		if !errors.As(err, &p) || !slices.ContainsFunc(p.Fields, func(f problem.Field) bool { return f.Location == c.location }) {
			t.Errorf("%s: got %v, want a fault at %s", c.name, err, c.location)
		}
	}
}
