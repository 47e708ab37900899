package gate_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/gate"
)

func votes(all ...any) (list []gate.Vote) {
	for i := 0; i < len(all); i += 2 {
		list = append(list, gate.Vote{By: all[i].(string), Agrees: all[i+1].(bool), At: time.Unix(int64(i), 0).UTC()})
	}
	return list
}

func TestPeopleOpenAGate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		gate  gate.Gate
		votes []gate.Vote
		want  gate.Verdict
	}{
		"nobody has decided":              {gate.Gate{}, nil, gate.Verdict{Reason: gate.WaitingForPeople}},
		"one agrees":                      {gate.Gate{}, votes("li", true), gate.Verdict{Open: true}},
		"one refuses":                     {gate.Gate{}, votes("li", false), gate.Verdict{Reason: gate.Refused}},
		"one of two agrees":               {gate.Gate{People: 2}, votes("li", true), gate.Verdict{Reason: gate.WaitingForPeople}},
		"the same person twice is one":    {gate.Gate{People: 2}, votes("li", true, "li", true), gate.Verdict{Reason: gate.WaitingForPeople}},
		"two agree":                       {gate.Gate{People: 2}, votes("li", true, "chen", true), gate.Verdict{Open: true}},
		"four eyes are two people":        {gate.Gate{FourEyes: true}, votes("li", true), gate.Verdict{Reason: gate.WaitingForPeople}},
		"who refuses outweighs":           {gate.Gate{}, votes("li", true, "chen", false), gate.Verdict{Reason: gate.Refused}},
		"who refused may agree later":     {gate.Gate{People: 2}, votes("li", false, "chen", true, "li", true), gate.Verdict{Open: true}},
		"who agreed may take that back":   {gate.Gate{People: 2}, votes("li", true, "chen", true, "li", false), gate.Verdict{Reason: gate.Refused}},
		"four eyes of three wait for all": {gate.Gate{FourEyes: true, People: 3}, votes("li", true, "chen", true), gate.Verdict{Reason: gate.WaitingForPeople}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, c.gate.ByPeople(c.votes))
		})
	}
}

func TestWhoHasASayInAGate(t *testing.T) {
	t.Parallel()
	var measured *problem.Error
	require.ErrorAs(t, gate.Gate{Kind: gate.Number, Metric: gate.CSAT}.Voted(), &measured)
	require.Equal(t, "gate_is_measured", measured.Code)
	require.NoError(t, gate.Gate{Kind: gate.Person}.Voted())
	for name, c := range map[string]struct {
		gate  gate.Gate
		roles []string
		did   bool
		code  string
		kind  problem.Kind
	}{
		"the sponsor, where no role is named": {gate.Gate{Kind: gate.Person}, []string{"lead", "sponsor"}, true, "", ""},
		"another role":                        {gate.Gate{Kind: gate.Person}, []string{"lead"}, false, "gate_role_missing", problem.Forbidden},
		"the role that is named":              {gate.Gate{Kind: gate.Person, Role: "data"}, []string{"data"}, false, "", ""},
		"somebody outside of the team":        {gate.Gate{Kind: gate.Person, Role: "data"}, nil, false, "gate_role_missing", problem.Forbidden},
		"who did the work, with four eyes":    {gate.Gate{Kind: gate.Person, FourEyes: true}, []string{"sponsor"}, true, "four_eyes", problem.Forbidden},
		"who did not, with four eyes":         {gate.Gate{Kind: gate.Person, FourEyes: true}, []string{"sponsor"}, false, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := c.gate.MayVote(c.roles, c.did)
			if c.code == "" {
				require.NoError(t, err)
				return
			}
			var p *problem.Error
			require.ErrorAs(t, err, &p)
			require.Equal(t, c.code, p.Code)
			require.Equal(t, c.kind, p.Kind)
		})
	}
}

func TestANumberOpensAGate(t *testing.T) {
	t.Parallel()
	known := func(value float64, sample int) gate.Measurement {
		return gate.Measurement{Value: value, Sample: sample, Known: true}
	}
	against := func(value float64, sample int, before float64, n int) gate.Measurement {
		return gate.Measurement{Value: value, Sample: sample, Before: before, BeforeN: n, Known: true}
	}
	quality := gate.Gate{Kind: gate.Number, Metric: gate.ImportQuality, Threshold: 0.95}
	failing := gate.Gate{Kind: gate.Number, Metric: gate.ErrorRate, Threshold: 0.01}
	lag := gate.Gate{Kind: gate.Number, Metric: gate.ConsumerLag, Threshold: 100}
	levels := gate.Gate{Kind: gate.Number, Metric: gate.SLAAttainment, Compare: gate.Before, Threshold: 0.02}
	for name, c := range map[string]struct {
		gate gate.Gate
		of   gate.Measurement
		want gate.Verdict
	}{
		"below":                          {quality, known(0.9, 100), gate.Verdict{Reason: gate.BelowThreshold, Limit: 0.95}},
		"just at it":                     {quality, known(0.95, 100), gate.Verdict{Open: true, Limit: 0.95}},
		"above":                          {quality, known(1, 100), gate.Verdict{Open: true, Limit: 0.95}},
		"nothing was measured":           {quality, gate.Measurement{Value: 1, Sample: 100}, gate.Verdict{Reason: gate.NotMeasurable, Limit: 0.95}},
		"no number came of it":           {quality, known(math.NaN(), 100), gate.Verdict{Reason: gate.NotMeasurable, Limit: 0.95}},
		"a metric that is no more":       {gate.Gate{Kind: gate.Number, Metric: "luck"}, known(1, 100), gate.Verdict{Reason: gate.NotMeasurable}},
		"on no case":                     {quality, known(0, 0), gate.Verdict{Reason: gate.NotEnoughData, Limit: 0.95}},
		"on fewer than the metric wants": {failing, known(0, 99), gate.Verdict{Reason: gate.NotEnoughData, Limit: 0.01}},
		"on fewer than the gate wants":   {gate.Gate{Kind: gate.Number, Metric: gate.ImportQuality, Threshold: 0.5, MinSample: 200}, known(1, 199), gate.Verdict{Reason: gate.NotEnoughData, Limit: 0.5}},
		"too many errors":                {failing, known(0.011, 100), gate.Verdict{Reason: gate.AboveThreshold, Limit: 0.01}},
		"few enough errors":              {failing, known(0.01, 100), gate.Verdict{Open: true, Limit: 0.01}},
		"a lag of none needs no sample":  {lag, known(0, 0), gate.Verdict{Open: true, Limit: 100}},
		"too far behind":                 {lag, known(101, 0), gate.Verdict{Reason: gate.AboveThreshold, Limit: 100}},
		"not worse than before":          {levels, against(0.92, 50, 0.92, 50), gate.Verdict{Open: true, Limit: 0.9}},
		"as much worse as may be":        {levels, against(0.9, 50, 0.92, 50), gate.Verdict{Open: true, Limit: 0.9}},
		"worse than before":              {levels, against(0.89, 50, 0.92, 50), gate.Verdict{Reason: gate.BelowThreshold, Limit: 0.9}},
		"too little is known of before":  {levels, against(0.99, 50, 0.92, 19), gate.Verdict{Reason: gate.NotEnoughData, Limit: 0.9}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := c.gate.ByNumber(c.of)
			require.InDelta(t, c.want.Limit, got.Limit, 1e-9)
			got.Limit = c.want.Limit
			require.Equal(t, c.want, got)
		})
	}
}

func TestAGateThatContradictsItselfIsRefused(t *testing.T) {
	t.Parallel()
	roles := []string{"sponsor", "lead"}
	person := gate.Gate{Code: "go", Kind: gate.Person, Role: "lead", People: 2, FourEyes: true}
	number := gate.Gate{Code: "quality", Kind: gate.Number, Metric: gate.ImportQuality, Threshold: 0.95}
	users := gate.Gate{Code: "users", Kind: gate.Number, Metric: gate.ActiveUsers, Threshold: 0.8, Unit: "north", WindowDays: 60}
	for _, good := range []gate.Gate{person, number, users, {Code: "go", Kind: gate.Person}} {
		require.Empty(t, good.Faults("phases[0].enter[0]", roles))
	}
	for name, c := range map[string]struct {
		of     gate.Gate
		change func(*gate.Gate)
		field  string
		code   string
	}{
		"no code":                     {person, func(g *gate.Gate) { g.Code = "" }, "code", "code_malformed"},
		"a code with spaces":          {person, func(g *gate.Gate) { g.Code = "go live" }, "code", "code_malformed"},
		"no kind":                     {person, func(g *gate.Gate) { g.Kind = "" }, "kind", "kind_unknown"},
		"a role that no team has":     {person, func(g *gate.Gate) { g.Role = "king" }, "role", "role_unknown"},
		"too many people":             {person, func(g *gate.Gate) { g.People = 21 }, "people", "out_of_range"},
		"four eyes of one":            {person, func(g *gate.Gate) { g.People = 1 }, "people", "four_eyes_need_two"},
		"people and a metric":         {person, func(g *gate.Gate) { g.Metric = gate.CSAT }, "metric", "not_of_people"},
		"people and a threshold":      {person, func(g *gate.Gate) { g.Threshold = 1 }, "threshold", "not_of_people"},
		"a number and a role":         {number, func(g *gate.Gate) { g.Role = "lead" }, "role", "not_of_numbers"},
		"a number and four eyes":      {number, func(g *gate.Gate) { g.FourEyes = true }, "four_eyes", "not_of_numbers"},
		"an unknown metric":           {number, func(g *gate.Gate) { g.Metric = "luck" }, "metric", "metric_unknown"},
		"no metric":                   {number, func(g *gate.Gate) { g.Metric = "" }, "metric", "metric_unknown"},
		"a share above one":           {number, func(g *gate.Gate) { g.Threshold = 95 }, "threshold", "out_of_range"},
		"a threshold below none":      {number, func(g *gate.Gate) { g.Threshold = -0.1 }, "threshold", "out_of_range"},
		"a threshold that is none":    {number, func(g *gate.Gate) { g.Threshold = math.NaN() }, "threshold", "out_of_range"},
		"a metric without a past":     {users, func(g *gate.Gate) { g.Compare = gate.Before }, "compare", "metric_has_no_past"},
		"an unknown comparison":       {number, func(g *gate.Gate) { g.Compare = "luck" }, "compare", "compare_unknown"},
		"a unit that is not measured": {number, func(g *gate.Gate) { g.Unit = "north" }, "unit", "metric_not_per_unit"},
		"a window that is too long":   {users, func(g *gate.Gate) { g.WindowDays = 61 }, "window_days", "out_of_range"},
		"a sample below none":         {number, func(g *gate.Gate) { g.MinSample = -1 }, "min_sample", "out_of_range"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := c.of
			c.change(&g)
			faults := g.Faults("phases[0].enter[0]", roles)
			require.Len(t, faults, 1)
			require.Equal(t, "phases[0].enter[0]."+c.field, faults[0].Location)
			require.Equal(t, c.code, faults[0].Code)
		})
	}
}

func TestEveryMetricSaysWhatItIs(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, m := range gate.Metrics() {
		require.False(t, seen[m.Code], m.Code)
		seen[m.Code] = true
		require.NotEmpty(t, m.Doc, m.Code)
		require.Contains(t, []gate.Unit{gate.Share, gate.Events}, m.Unit, m.Code)
		require.Contains(t, []gate.Direction{gate.Up, gate.Down}, m.Better, m.Code)
		require.LessOrEqual(t, m.WindowDays, m.MaxWindowDays, m.Code)
		found, ok := gate.MetricOf(m.Code)
		require.True(t, ok)
		require.Equal(t, m, found)
	}
}
