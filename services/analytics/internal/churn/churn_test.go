package churn_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/churn"
)

func TestSilenceGoesByTheCustomersOwnRhythm(t *testing.T) {
	t.Parallel()
	d := churn.Definition{Kind: churn.Silence, Factor: 3, MinDays: 30, NewcomerDays: 90, HorizonDays: 60}
	for _, c := range []struct {
		name   string
		bought []int32
		limit  int32
	}{
		{"one purchase day: no rhythm is known", []int32{5}, 90},
		{"each week: the least holds", []int32{0, 7, 14, 21}, 30},
		{"each month", []int32{0, 30, 60, 90}, 90},
		{"the median, not the mean", []int32{0, 20, 40, 400}, 60},
		{"two gaps: between them", []int32{0, 20, 61}, 92},
		{"hardly ever", []int32{0, 2000}, 3650},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.limit, d.Limit(c.bought))
			last := c.bought[len(c.bought)-1]
			require.True(t, d.There(churn.History{Purchases: c.bought}, last+c.limit))
			require.False(t, d.There(churn.History{Purchases: c.bought}, last+c.limit+1))
		})
	}
	require.False(t, d.There(churn.History{Contracts: 1}, 5), "who never bought is no customer by silence")
}

func TestWhoHasGoneWhenTheHorizonEnds(t *testing.T) {
	t.Parallel()
	silence := churn.Definition{Kind: churn.Silence, Factor: 3, MinDays: 30, NewcomerDays: 90, HorizonDays: 60}
	contract := churn.Definition{Kind: churn.ContractEnd, Factor: 3, MinDays: 30, NewcomerDays: 90, HorizonDays: 60}
	weekly := churn.History{Purchases: []int32{80, 87, 94}} // may be silent for 30 days
	for _, c := range []struct {
		name      string
		d         churn.Definition
		before    churn.History
		after     []int32
		contracts int
		gone      bool
	}{
		{"never came back", silence, weekly, nil, 0, true},
		{"came back, and was silent again for 31 days", silence, weekly, []int32{110, 129}, 0, true},
		{"was seen 30 days before the end", silence, weekly, []int32{130}, 0, false},
		{"a rare customer may be silent for longer than the horizon", silence, churn.History{Purchases: []int32{0, 50, 100}}, nil, 0, false},
		{"a new rhythm after the cut-off does not change the limit", silence, weekly, []int32{101, 129}, 0, true},
		{"the contract runs", contract, churn.History{Contracts: 1}, nil, 1, false},
		{"the contract ended", contract, churn.History{Contracts: 1}, []int32{159}, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.gone, c.d.Gone(c.before, c.after, c.contracts, 100))
		})
	}
}

func TestARiskIsToldOfOnceEachTimeItPassesOrJumps(t *testing.T) {
	t.Parallel()
	a, b := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	type say struct {
		model    uuid.UUID
		permille int
		raised   bool
	}
	for _, c := range []struct {
		name string
		says []say
	}{
		{"high from the start", []say{{a, 700, true}, {a, 710, false}, {a, 705, false}}},
		{"below and above and below and above", []say{{a, 500, false}, {a, 600, true}, {a, 650, false}, {a, 599, false}, {a, 600, true}}},
		{"a jump below the threshold, once", []say{{a, 100, false}, {a, 350, true}, {a, 360, false}, {a, 599, false}}},
		{"by steps, from the lowest", []say{{a, 300, false}, {a, 150, false}, {a, 250, false}, {a, 400, true}, {a, 410, false}}},
		{"a jump above it", []say{{a, 600, true}, {a, 849, false}, {a, 850, true}, {a, 900, false}}},
		{"another model says otherwise: no jump", []say{{a, 100, false}, {b, 550, false}, {b, 560, false}}},
		{"another model says it is above", []say{{a, 100, false}, {b, 650, true}, {a, 660, false}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			set := churn.Standard()
			set.ThresholdPermille, set.JumpPermille = 600, 250
			var was *churn.Watch
			for i, s := range c.says {
				is, raised := set.Raise(was, s.model, s.permille)
				require.Equal(t, s.raised, raised, "%d: %d", i, s.permille)
				was = &is
			}
		})
	}
}

func TestNothingIsToldOfTwiceWithoutFallingOrRisingBetween(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		set := churn.Standard()
		set.ThresholdPermille, set.JumpPermille = rapid.IntRange(1, 1000).Draw(t, "threshold"), rapid.IntRange(0, 1000).Draw(t, "jump")
		var was *churn.Watch
		told, model := -1, uuid.Must(uuid.NewV7()) // the risk that was last told of
		lowest := 1001                             // since
		for _, p := range rapid.SliceOf(rapid.IntRange(0, 1000)).Draw(t, "risks") {
			is, raised := set.Raise(was, model, p)
			if raised {
				passed := p >= set.ThresholdPermille && (was == nil || was.Permille < set.ThresholdPermille)
				jumped := was != nil && set.JumpPermille > 0 && p-lowest >= set.JumpPermille
				if !passed && !jumped {
					t.Fatalf("%d was told of after %d, lowest since %d", p, told, lowest)
				}
				told, lowest = p, p
			}
			lowest = min(lowest, p)
			was = &is
		}
	})
}

func TestSettingsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	require.Empty(t, churn.Standard().Check())
	for _, c := range []struct {
		field  string
		change func(*churn.Settings)
	}{
		{"body.kind", func(s *churn.Settings) { s.Kind = "mood" }},
		{"body.factor", func(s *churn.Settings) { s.Factor = 0.5 }},
		{"body.min_days", func(s *churn.Settings) { s.MinDays = 0 }},
		{"body.newcomer_days", func(s *churn.Settings) { s.NewcomerDays = 3651 }},
		{"body.horizon_days", func(s *churn.Settings) { s.HorizonDays = -1 }},
		{"body.threshold_permille", func(s *churn.Settings) { s.ThresholdPermille = 0 }},
		{"body.jump_permille", func(s *churn.Settings) { s.JumpPermille = 1001 }},
	} {
		s := churn.Standard()
		c.change(&s)
		faults := s.Check()
		require.Len(t, faults, 1)
		require.Equal(t, c.field, faults[0].Location)
	}
}
