package pipeline_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
)

func TestAConditionAdmitsWhatItSays(t *testing.T) {
	t.Parallel()
	facts := pipeline.Facts{
		AmountMinor: 100_000, Currency: "CNY", Source: "fair", Team: "north", Owner: "mei", Stage: "new", DaysOpen: 3, Tags: []string{"chain"},
		Roles: []string{"coach", "user"}, Competitors: []string{"pasta-planet"}, SKUs: []string{"OVEN-90"}, Custom: map[string]any{"kitchens": int64(3)},
	}
	for condition, admits := range map[string]bool{
		"":                                     true,
		"amount_minor >= 100000":               true,
		"amount_minor > 100000":                false,
		"'coach' in roles && 'user' in roles":  true,
		"'decision_maker' in roles":            false,
		"source == 'fair' && team == 'north'":  true,
		"owner == 'mei' && stage == 'new'":     true,
		"currency == 'EUR' || days_open > 2":   true,
		"tags.exists(t, t.startsWith('ch'))":   true,
		"competitors.size() == 1":              true,
		"'OVEN-90' in skus":                    true,
		"custom.kitchens >= 3":                 true,
		"has(custom.kitchens)":                 true,
		"custom.ovens > 1":                     false, // it has no such value: it cannot answer
		"amount_minor / (days_open - 3) > 100": false, // nobody can answer
	} {
		require.Equal(t, admits, pipeline.Stage{Condition: condition}.Admits(facts), condition)
	}
	require.True(t, pipeline.Stage{Condition: "roles.size() == 0 && tags.size() == 0 && !has(custom.x)"}.Admits(pipeline.Facts{}))
}

func TestTheStandardPipeline(t *testing.T) {
	t.Parallel()
	p := pipeline.Standard()
	require.Equal(t, []string{"new", "qualified", "proposal", "negotiation"}, p.Codes())
	var probabilities []int32
	for _, s := range p.Stages {
		probabilities = append(probabilities, s.Probability)
	}
	require.Equal(t, []int32{10, 30, 50, 80}, probabilities)
	book := &pipeline.Book{}
	found, known := book.Find("standard")
	require.True(t, known)
	require.Equal(t, p, found)
	_, known = book.Find("another")
	require.False(t, known)
	first, ok := book.Default()
	require.True(t, ok)
	require.Equal(t, "standard", first.Code)
}

// What is gone is exactly what one pipeline has and the other has not.
func TestStagesThatAreGone(t *testing.T) {
	t.Parallel()
	codes := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-e]`), 1, 5, rapid.ID[string])
	of := func(codes []string) (p pipeline.Pipeline) {
		for _, c := range codes {
			p.Stages = append(p.Stages, pipeline.Stage{Code: c})
		}
		return p
	}
	rapid.Check(t, func(t *rapid.T) {
		was, is := codes.Draw(t, "was"), codes.Draw(t, "is")
		gone := of(was).Gone(of(is))
		for _, c := range was {
			_, place, stays := of(is).Stage(c)
			if stays {
				require.Equal(t, c, is[place])
				require.NotContains(t, gone, c)
			} else {
				require.Contains(t, gone, c)
			}
		}
		require.Subset(t, was, gone)
	})
}
