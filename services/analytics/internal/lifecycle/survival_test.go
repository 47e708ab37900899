package lifecycle_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/lifecycle"
)

// sixMP and placebo are the weeks of remission of 42 children with leukaemia, by E. J. Freireich and others, Blood 21 (1963) 699–716,
// the example of most textbooks; below zero: censored.
var (
	sixMP   = []float64{6, 6, 6, -6, 7, -9, 10, -10, -11, 13, 16, -17, -19, -20, 22, 23, -25, -32, -32, -34, -35}
	placebo = []float64{1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23}
)

func observed(weeks []float64) (all []lifecycle.Observed) {
	for _, w := range weeks {
		if w < 0 {
			all = append(all, lifecycle.Observed{Time: -w, Censored: 1})
		} else {
			all = append(all, lifecycle.Observed{Time: w, Ended: 1})
		}
	}
	return all
}

func TestThePublishedCurveIsReached(t *testing.T) {
	t.Parallel()
	c := lifecycle.KaplanMeier(observed(sixMP))
	require.Equal(t, 21, c.N)
	require.Equal(t, 9, c.Ended)
	// Survival and Greenwood's standard errors as published; the bounds are those of log(−log S).
	want := map[float64]lifecycle.Point{
		6:  {AtRisk: 21, Ended: 3, Survival: 0.8571, Error: 0.0764, Low: 0.6197, High: 0.9516},
		7:  {AtRisk: 17, Ended: 1, Survival: 0.8067, Error: 0.0869, Low: 0.5631, High: 0.9228},
		10: {AtRisk: 15, Ended: 1, Survival: 0.7529, Error: 0.0963, Low: 0.5032, High: 0.8894},
		13: {AtRisk: 12, Ended: 1, Survival: 0.6902, Error: 0.1068, Low: 0.4316, High: 0.8491},
		16: {AtRisk: 11, Ended: 1, Survival: 0.6275, Error: 0.1141, Low: 0.3675, High: 0.8049},
		22: {AtRisk: 7, Ended: 1, Survival: 0.5378, Error: 0.1282, Low: 0.2678, High: 0.7468},
		23: {AtRisk: 6, Ended: 1, Survival: 0.4482, Error: 0.1346, Low: 0.1881, High: 0.6801},
	}
	for _, p := range c.Points {
		w, ok := want[p.Time]
		if !ok {
			require.Zero(t, p.Ended, "at %g", p.Time)
			continue
		}
		require.Equal(t, w.AtRisk, p.AtRisk)
		require.Equal(t, w.Ended, p.Ended)
		require.InDelta(t, w.Survival, p.Survival, 5e-5)
		require.InDelta(t, w.Error, p.Error, 5e-5)
		require.InDelta(t, w.Low, p.Low, 2e-4, "at %g", p.Time)
		require.InDelta(t, w.High, p.High, 2e-4, "at %g", p.Time)
		delete(want, p.Time)
	}
	require.Empty(t, want)
	require.Equal(t, 23.0, c.Median)
	require.Equal(t, 13.0, c.MedianLow)
	require.True(t, math.IsNaN(c.MedianHigh))
	require.Equal(t, 8.0, lifecycle.KaplanMeier(observed(placebo)).Median)
}

func TestThePublishedLogRankTestIsReached(t *testing.T) {
	t.Parallel()
	statistic, p, ok := lifecycle.LogRank([][]lifecycle.Observed{observed(sixMP), observed(placebo)})
	require.True(t, ok)
	require.InDelta(t, 16.793, statistic, 5e-4)
	require.InDelta(t, 4.17e-5, p, 1e-6)
	_, _, ok = lifecycle.LogRank([][]lifecycle.Observed{observed(sixMP)})
	require.False(t, ok)
	_, _, ok = lifecycle.LogRank([][]lifecycle.Observed{{{Time: 1, Censored: 3}}, {{Time: 2, Censored: 3}}})
	require.False(t, ok, "nothing ended")
	same, p, ok := lifecycle.LogRank([][]lifecycle.Observed{observed(sixMP), observed(sixMP), observed(sixMP)})
	require.True(t, ok)
	require.InDelta(t, 0, same, 1e-9)
	require.InDelta(t, 1, p, 1e-9)
}

func TestWithoutCensoringTheCurveIsTheShareThatIsLeft(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOfN(rapid.IntRange(0, 30), 1, 60).Draw(t, "times")
		var all []lifecycle.Observed
		for _, one := range times {
			all = append(all, lifecycle.Observed{Time: float64(one), Ended: 1})
		}
		for _, p := range lifecycle.KaplanMeier(all).Points {
			left := 0
			for _, one := range times {
				if float64(one) > p.Time {
					left++
				}
			}
			n := float64(len(times))
			share := float64(left) / n
			if math.Abs(p.Survival-share) > 1e-9 || math.Abs(p.Error-math.Sqrt(share*(1-share)/n)) > 1e-9 {
				t.Fatalf("at %g: %g ± %g, want %g", p.Time, p.Survival, p.Error, share)
			}
			if p.Low > p.Survival+1e-12 || p.High < p.Survival-1e-12 || p.Low < 0 || p.High > 1 {
				t.Fatalf("%g is not within %g and %g", p.Survival, p.Low, p.High)
			}
		}
	})
}
