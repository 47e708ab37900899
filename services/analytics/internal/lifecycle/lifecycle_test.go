package lifecycle_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/lifecycle"
)

type step = lifecycle.Step

func TestStagesFollowFromBehaviour(t *testing.T) {
	t.Parallel()
	rules := lifecycle.Standard().Rules // familiar from 2, loyal from 4 over 180 days; silent after 3 rhythms, 60 days, 180 of newcomers
	for _, c := range []struct {
		name    string
		b       lifecycle.Behaviour
		until   int32
		want    []step
		pattern string
	}{
		{"not heard of yet", lifecycle.Behaviour{Known: 100}, 99, nil, lifecycle.NoRelationship},
		{"heard of us", lifecycle.Behaviour{Known: 100}, 5000, []step{{"awareness", 100, []string{"registered"}}}, lifecycle.NoRelationship},
		{
			"bought once", lifecycle.Behaviour{Known: 100, Purchases: []int32{120}}, 300,
			[]step{{"awareness", 100, []string{"registered"}}, {"exploration", 120, []string{"first_purchase"}}}, lifecycle.Open,
		},
		{"bought on the day of the registration", lifecycle.Behaviour{Known: 100, Purchases: []int32{100}}, 280, []step{{"exploration", 100, []string{"first_purchase"}}}, lifecycle.Open},
		{"was heard of by the purchase", lifecycle.Behaviour{Known: 130, Purchases: []int32{100}}, 200, []step{{"exploration", 100, []string{"first_purchase"}}}, lifecycle.Open},
		{
			"bought once, and is still there on the last day", lifecycle.Behaviour{Purchases: []int32{0}}, 180, []step{{"exploration", 0, []string{"first_purchase"}}}, lifecycle.Open,
		},
		{
			"bought once and was not seen again", lifecycle.Behaviour{Purchases: []int32{0}}, 181,
			[]step{{"exploration", 0, []string{"first_purchase"}}, {"separation", 181, []string{"silent"}}}, lifecycle.LeftExploring,
		},
		{
			"came back, and left", lifecycle.Behaviour{Purchases: []int32{0, 10}}, 500,
			[]step{{"exploration", 0, []string{"first_purchase"}}, {"familiarity", 10, []string{"repeat_purchases"}}, {"separation", 71, []string{"silent"}}}, lifecycle.LeftFamiliar,
		},
		{
			"bought often, but not for long enough", lifecycle.Behaviour{Purchases: []int32{0, 59, 118, 177}}, 200,
			[]step{{"exploration", 0, []string{"first_purchase"}}, {"familiarity", 59, []string{"repeat_purchases"}}}, lifecycle.Open,
		},
		{
			"loyal, and left within a year", lifecycle.Behaviour{Purchases: []int32{0, 60, 120, 180}}, 900,
			[]step{{"exploration", 0, []string{"first_purchase"}}, {"familiarity", 60, []string{"repeat_purchases"}}, {"loyalty", 180, []string{"regular_purchases"}}, {"separation", 361, []string{"silent"}}},
			lifecycle.LeftEarlyLoyal,
		},
		{
			"loyal for a year, and still there", lifecycle.Behaviour{Purchases: []int32{0, 60, 120, 180, 240, 300, 360, 420, 480, 540}}, 544,
			[]step{{"exploration", 0, []string{"first_purchase"}}, {"familiarity", 60, []string{"repeat_purchases"}}, {"loyalty", 180, []string{"regular_purchases"}}}, lifecycle.LongKept,
		},
		{
			"one day less", lifecycle.Behaviour{Purchases: []int32{0, 60, 120, 180, 240, 300, 360, 420, 480, 540}}, 543,
			[]step{{"exploration", 0, []string{"first_purchase"}}, {"familiarity", 60, []string{"repeat_purchases"}}, {"loyalty", 180, []string{"regular_purchases"}}}, lifecycle.Open,
		},
		{
			"gone and back", lifecycle.Behaviour{Purchases: []int32{0, 400}}, 450,
			[]step{{"exploration", 0, []string{"first_purchase"}}, {"separation", 181, []string{"silent"}}, {"familiarity", 400, []string{"repeat_purchases", "came_back"}}}, lifecycle.Open,
		},
		{
			"loyal but for an answer", lifecycle.Behaviour{Purchases: []int32{0, 60, 120, 180}, Answers: []lifecycle.Answer{{170, 2}}}, 200,
			[]step{{"exploration", 0, []string{"first_purchase"}}, {"familiarity", 60, []string{"repeat_purchases"}}}, lifecycle.Open,
		},
		{
			"reconciled", lifecycle.Behaviour{Purchases: []int32{0, 60, 120, 180}, Answers: []lifecycle.Answer{{170, 2}, {190, 5}}}, 200,
			[]step{{"exploration", 0, []string{"first_purchase"}}, {"familiarity", 60, []string{"repeat_purchases"}}, {"loyalty", 190, []string{"regular_purchases", "satisfied"}}}, lifecycle.Open,
		},
		{
			"disappointed", lifecycle.Behaviour{Purchases: []int32{0, 60, 120, 180}, Answers: []lifecycle.Answer{{190, 1}}}, 200,
			[]step{{"exploration", 0, []string{"first_purchase"}}, {"familiarity", 60, []string{"repeat_purchases"}}, {"loyalty", 180, []string{"regular_purchases"}}, {"familiarity", 190, []string{"repeat_purchases", "dissatisfied"}}},
			lifecycle.Open,
		},
		{
			"an answer of whom we hear nothing else changes nothing", lifecycle.Behaviour{Purchases: []int32{0}, Answers: []lifecycle.Answer{{500, 5}}}, 600,
			[]step{{"exploration", 0, []string{"first_purchase"}}, {"separation", 181, []string{"silent"}}}, lifecycle.LeftExploring,
		},
		{
			"under contract nobody is silent", lifecycle.Behaviour{Contracts: []lifecycle.Contract{{From: 0, Until: lifecycle.Runs}}}, 5000,
			[]step{{"exploration", 0, []string{"first_purchase"}}}, lifecycle.Open,
		},
		{
			"the contract ended", lifecycle.Behaviour{Contracts: []lifecycle.Contract{{From: 0, Until: 365}}}, 5000,
			[]step{{"exploration", 0, []string{"first_purchase"}}, {"separation", 365, []string{"contract_ended"}}}, lifecycle.LeftExploring,
		},
		{
			"what comes later is not seen", lifecycle.Behaviour{Purchases: []int32{0, 60, 120, 180}, Answers: []lifecycle.Answer{{170, 1}}}, 100,
			[]step{{"exploration", 0, []string{"first_purchase"}}, {"familiarity", 60, []string{"repeat_purchases"}}}, lifecycle.Open,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := rules.Path(c.b, c.until)
			require.Equal(t, c.want, got)
			require.Equal(t, c.pattern, rules.Pattern(got, c.until))
		})
	}
}

func someBehaviour(t *rapid.T) lifecycle.Behaviour {
	days := rapid.SliceOfN(rapid.Int32Range(0, 1500), 0, 20).Draw(t, "purchases")
	slices.Sort(days)
	b := lifecycle.Behaviour{Known: rapid.Int32Range(0, 1500).Draw(t, "known"), Purchases: slices.Compact(days)}
	answered := rapid.SliceOfN(rapid.Int32Range(0, 1500), 0, 6).Draw(t, "answered")
	slices.Sort(answered)
	for _, day := range answered {
		b.Answers = append(b.Answers, lifecycle.Answer{Day: day, Score: rapid.IntRange(1, 5).Draw(t, "score")})
	}
	for range rapid.IntRange(0, 2).Draw(t, "contracts") {
		from := rapid.Int32Range(0, 1500).Draw(t, "from")
		until := from + rapid.Int32Range(1, 400).Draw(t, "term")
		if rapid.Bool().Draw(t, "runs") {
			until = lifecycle.Runs
		}
		b.Contracts = append(b.Contracts, lifecycle.Contract{From: from, Until: until})
	}
	return b
}

func TestAPathOnlyGrows(t *testing.T) {
	t.Parallel()
	rules := lifecycle.Standard().Rules
	rapid.Check(t, func(t *rapid.T) {
		b := someBehaviour(t)
		a := rapid.Int32Range(0, 2500).Draw(t, "until")
		whole := rules.Path(b, a+rapid.Int32Range(0, 500).Draw(t, "more"))
		early := rules.Path(b, a)
		var seen []step
		for i, s := range whole {
			if i > 0 && (s.From <= whole[i-1].From || s.Stage == whole[i-1].Stage) {
				t.Fatalf("%v does not follow %v", s, whole[i-1])
			}
			if s.From <= a {
				seen = append(seen, s)
			}
		}
		// A customer that is first heard of by a later purchase is not known before.
		if len(early) != len(seen) {
			t.Fatalf("until %d: %v, later: %v", a, early, seen)
		}
		for i := range seen {
			if early[i].Stage != seen[i].Stage || early[i].From != seen[i].From {
				t.Fatalf("until %d: %v, later: %v", a, early, seen)
			}
		}
	})
}

func TestRulesThatMakeNoSense(t *testing.T) {
	t.Parallel()
	require.Empty(t, lifecycle.Standard().Check())
	for _, c := range []struct {
		field  string
		change func(*lifecycle.Rules)
	}{
		{"body.familiarity_purchases", func(r *lifecycle.Rules) { r.FamiliarityPurchases = 1 }},
		{"body.loyalty_purchases", func(r *lifecycle.Rules) { r.LoyaltyPurchases = 1 }},
		{"body.loyalty_tenure_days", func(r *lifecycle.Rules) { r.LoyaltyTenureDays = -1 }},
		{"body.satisfied_at", func(r *lifecycle.Rules) { r.SatisfiedAt = 6 }},
		{"body.silence_factor", func(r *lifecycle.Rules) { r.SilenceFactor = 0 }},
		{"body.silence_min_days", func(r *lifecycle.Rules) { r.SilenceMinDays = 0 }},
		{"body.silence_new_days", func(r *lifecycle.Rules) { r.SilenceNewDays = 4000 }},
		{"body.early_days", func(r *lifecycle.Rules) { r.EarlyDays = 0 }},
	} {
		r := lifecycle.Standard().Rules
		c.change(&r)
		faults := r.Check()
		require.Len(t, faults, 1)
		require.Equal(t, c.field, faults[0].Location)
	}
}
