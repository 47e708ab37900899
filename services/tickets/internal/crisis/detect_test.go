package crisis_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/guanxi-crm/guanxi/services/tickets/internal/crisis"
)

// tail sums the probabilities of the negative binomial distribution one by one, upwards from n, so that small tails keep their
// digits: each follows from the one before by the ratio (shape + i)/(i + 1) / (rate + 1).
func tail(n int64, shape, rate float64) (above float64) {
	term := math.Pow(rate/(rate+1), shape)
	for i := int64(0); i < n+20_000 && term > 0; i++ {
		if i >= n {
			above += term
		}
		term *= (shape + float64(i)) / float64(i+1) / (rate + 1)
	}
	return above
}

func TestTheProbabilityIsTheTailOfANegativeBinomialDistribution(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n, k0 int64
		e0, w float64
	}{{0, 3, 12, 1}, {1, 0, 12, 1}, {5, 0, 12, 1}, {5, 9, 4300, 910}, {12, 9, 4300, 910}, {40, 100, 84, 7}, {7, 0, 1, 1}, {30, 2, 1000, 10}, {3, 100, 5, 60}} {
		got, want := crisis.Probability(c.n, c.k0, c.e0, c.w), tail(c.n, float64(c.k0)+0.5, c.e0/c.w)
		require.InEpsilon(t, want, got, 1e-9, "%+v", c)
	}
	// By hand: nobody complained over 12 such windows, r = 1/2, q = 12/13: P(N >= 1) = 1 - (12/13)^(1/2).
	require.InDelta(t, 1-math.Sqrt(12.0/13), crisis.Probability(1, 0, 12, 1), 1e-12)
}

func TestAThinBaseMakesMuchLessSurprising(t *testing.T) {
	t.Parallel()
	// The same rate of one customer in a window, known from ever more of them.
	before := 1.0
	for _, windows := range []int64{1, 4, 16, 64, 256} {
		p := crisis.Probability(8, windows, float64(windows), 1)
		require.Less(t, p, before, "%d windows", windows)
		before = p
	}
	require.Greater(t, before, 1-distuv.Poisson{Lambda: 1}.CDF(7), "a rate that is known for certain would be the least")
}

func TestWhatRaisesAnAlarm(t *testing.T) {
	t.Parallel()
	burst := crisis.Series{Dimension: crisis.SKU, Value: "margherita", N: 12, K0: 9, E0: 4300, W: 310, Exposure: crisis.Units}
	calm := crisis.Series{Dimension: crisis.SKU, Value: "cola", N: 1, K0: 9, E0: 4300, W: 310, Exposure: crisis.Units}
	few := crisis.Series{Dimension: crisis.SKU, Value: "tiramisu", N: 4, K0: 0, E0: 1e6, W: 1, Exposure: crisis.Units}
	fresh := crisis.Series{Dimension: crisis.SKU, Value: "calzone", N: 50, E0: 0, W: 310, Exposure: crisis.Units}
	gone := crisis.Series{Dimension: crisis.SKU, Value: "quattro", N: 50, E0: 100, W: 0, Exposure: crisis.Units}
	found := crisis.Judge([]crisis.Series{calm, fresh, gone, burst, few}, 1e-4)
	byName := map[string]crisis.Finding{}
	var order []string
	for _, f := range found {
		byName[f.Value] = f
		order = append(order, f.Value)
	}
	require.Equal(t, []string{"tiramisu", "margherita", "cola", "calzone", "quattro"}, order, "the least probable first, those without a probability last")
	require.True(t, byName["margherita"].Alarm)
	require.Equal(t, 3, byName["margherita"].Tested, "what has nothing to compare with is not tested")
	require.InDelta(t, 1e-4/3, byName["margherita"].Limit, 1e-12)
	require.InDelta(t, 9.5*310/4300, byName["margherita"].Expected, 1e-12)
	require.Less(t, byName["tiramisu"].P, byName["tiramisu"].Limit)
	require.False(t, byName["tiramisu"].Alarm, "four customers are too few, however improbable")
	require.False(t, byName["cola"].Alarm)
	require.False(t, byName["calzone"].Computed)
	require.False(t, byName["calzone"].Alarm)
	require.False(t, byName["quattro"].Computed)

	// So many series that the same burst is no longer below the limit of each.
	require.Less(t, crisis.Probability(11, 9, 4300, 310), 1e-4)
	burst.N = 11
	many := []crisis.Series{burst}
	for i := range 20_000 {
		many = append(many, crisis.Series{Dimension: crisis.SKU, Value: fmt.Sprint(i), K0: 9, E0: 4300, W: 310, Exposure: crisis.Units})
	}
	for _, f := range crisis.Judge(many, 1e-4) {
		require.False(t, f.Alarm, "%+v", f)
	}
}

func TestTheNumbersAreExplainedInWords(t *testing.T) {
	t.Parallel()
	from, until := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), time.Date(2026, 11, 26, 9, 30, 0, 0, time.UTC)
	at := func(s crisis.Series) string {
		s.From, s.Until = from, until
		return crisis.Judge([]crisis.Series{s}, 1e-4)[0].Explain()
	}
	require.Equal(t, "12 customers complained of the article margherita from 2026-11-20 00:00:00 to 2026-11-26 09:30:00."+
		" Before, past crises left out, 9 did while 4300 units were sold; in the window 310 units are sold, so that 0.685 were to be expected."+
		" By chance 12 or more come with a probability of 9.63e-10 (negative binomial, shape 9.5, rate 13.9)."+
		" An alarm is raised from 5 customers on, below 0.0001 divided by 1 tested series = 0.0001: it is raised.",
		at(crisis.Series{Dimension: crisis.SKU, Value: "margherita", N: 12, K0: 9, E0: 4300, W: 310, Exposure: crisis.Units}))
	for want, s := range map[string]crisis.Series{
		"Nothing was sold before that could be compared with: no probability is computed.": {Dimension: crisis.SKU, N: 9, W: 4, Exposure: crisis.Units},
		"No day before can be compared with: no probability is computed.":                  {Dimension: crisis.Category, N: 9, W: 7, Exposure: crisis.Weekdays},
		"before it something was: no probability is computed.":                             {Dimension: crisis.SKU, N: 9, E0: 4, Exposure: crisis.Units},
		"these are too few.":                               {Dimension: crisis.SKU, N: 1, E0: 4, W: 1, Exposure: crisis.Units},
		"it is not raised.":                                {Dimension: crisis.Category, N: 6, K0: 70, E0: 84, W: 7, Exposure: crisis.Weekdays},
		"1 customer complained of the category delivery":   {Dimension: crisis.Category, Value: "delivery", N: 1, E0: 84, W: 7, Exposure: crisis.Weekdays},
		"84 such days passed; in the window 7 are counted": {Dimension: crisis.Category, N: 6, K0: 70, E0: 84, W: 7, Exposure: crisis.Weekdays},
	} {
		require.Contains(t, at(s), want)
	}
}

func TestTheWindowAndItsBase(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 5, 15, 0, 0, 0, time.FixedZone("", 8*3600)) // 07:00 UTC on a Thursday
	for _, c := range []struct {
		name                 string
		windowDays, baseDays int
		from, begins         string
		base, step, steps    int
	}{
		{"a week", 7, 84, "2026-02-27", "2025-12-05", 84, 7, 12},
		{"today", 1, 84, "2026-03-05", "2025-12-11", 84, 7, 12},
		{"ten days are compared two weeks apart", 10, 84, "2026-02-24", "2025-12-02", 80, 14, 6},
		{"a base of less than two windows", 10, 14, "2026-02-24", "2026-02-10", 10, 14, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := crisis.StandardSetting()
			s.WindowDays, s.BaseDays = c.windowDays, c.baseDays
			w := crisis.WindowAt(now, s)
			require.Equal(t, c.from, w.From.Format(time.DateOnly))
			require.Equal(t, c.begins, w.Begins().Format(time.DateOnly))
			require.Equal(t, []int{c.base, c.step, c.steps}, []int{w.Base, w.Step, w.Steps})
		})
	}
}

// month simulates a month of the complaints of some articles, looked at once a day as the detector does, and tells on which day
// the first alarm was raised, if any, on the article with the burst (of the first) and on another one. rates are customers a day.
func month(rng *rand.Rand, rates []float64, burstFrom int, burst, threshold float64) (hit, other int) {
	const base, window, days = 84, 7, 30
	hit, other = -1, -1
	counts := make([][]int64, len(rates))
	for i, rate := range rates {
		counts[i] = make([]int64, base+days)
		for d := range counts[i] {
			lambda := rate
			if i == 0 && burstFrom >= 0 && d >= base+burstFrom {
				lambda *= burst
			}
			if lambda > 0 {
				counts[i][d] = int64(distuv.Poisson{Lambda: lambda, Src: rng}.Rand())
			}
		}
	}
	for d := range days {
		all := make([]crisis.Series, len(rates))
		for i := range rates {
			s := crisis.Series{Dimension: crisis.Category, Value: fmt.Sprint(i), Exposure: crisis.Weekdays, E0: base, W: window}
			for at := max(0, base+d-window+1-base); at <= base+d; at++ {
				if at > base+d-window {
					s.N += counts[i][at]
				} else {
					s.K0 += counts[i][at]
				}
			}
			s.E0 = float64(base + d - window + 1 - max(0, base+d-window+1-base))
			all[i] = s
		}
		for _, f := range crisis.Judge(all, threshold) {
			switch {
			case f.Alarm && f.Value == "0" && burstFrom >= 0 && d >= burstFrom && hit < 0:
				hit = d
			case f.Alarm && (f.Value != "0" || burstFrom < 0 || d < burstFrom) && other < 0:
				other = d
			}
		}
	}
	return hit, other
}

// TestASimulatedMonth looks at many months with and without a burst. By chance alone one look at all series raises an alarm with
// a probability of at most the threshold, so that a month of 30 looks does with at most 30 times that. The random numbers are
// always the same.
func TestASimulatedMonth(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(26, 11))
	rates := make([]float64, 40) // customers a day: from one in half a year to three a day
	for i := range rates {
		rates[i] = 0.006 * math.Pow(500, float64(i)/float64(len(rates)-1))
	}
	const threshold, months = 1e-3, 300
	falseAlarms := 0
	for range months {
		if _, other := month(rng, rates, -1, 1, threshold); other >= 0 {
			falseAlarms++
		}
	}
	most := 30 * threshold * months // to be expected at most: 9
	t.Logf("without a burst: %d of %d months with a false alarm; at most %.0f are to be expected", falseAlarms, months, most)
	require.LessOrEqual(t, float64(falseAlarms), most+3*math.Sqrt(most), "three deviations of a Poisson count above what is to be expected")

	for _, c := range []struct {
		rate, burst float64
		within      int     // days
		share       float64 // of months at least
	}{
		{0.2, 15, 7, 0.95}, // 1.4 a week become 21
		{1, 6, 7, 0.95},    // 7 become 42
		{0.02, 100, 7, 0.95},
		{1, 1.2, 21, 0}, // 7 become 8.4: nothing that anybody could tell from chance
	} {
		rates[0] = c.rate
		found, days := 0, 0
		const tries = 60
		for range tries {
			if hit, _ := month(rng, rates, 9, c.burst, 1e-4); hit >= 0 && hit-9 < c.within {
				found++
				days += hit - 9 + 1
			}
		}
		t.Logf("%.2f customers a day become %.2f: found in %d of %d months within %d days, on average after %.1f", c.rate, c.rate*c.burst,
			found, tries, c.within, float64(days)/float64(max(1, found)))
		require.GreaterOrEqual(t, float64(found)/tries, c.share, "%+v", c)
		if c.share == 0 {
			require.LessOrEqual(t, float64(found)/tries, 0.2, "%+v", c)
		}
	}
}
