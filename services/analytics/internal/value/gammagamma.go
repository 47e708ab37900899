package value

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// GammaGamma is the model of what a purchase is worth (Fader, Hardie: The Gamma-Gamma Model of Monetary Value, 2013, after Fader,
// Hardie and Lee 2005): what a customer spends varies around a mean of its own by a gamma distribution of shape p, and its rate
// is gamma distributed (shape q, rate gamma) over customers. It takes for granted that how much is spent has nothing to do with
// how often; the correlation of the two tells whether that holds.
type GammaGamma struct{ P, Q, Gamma float64 }

// Spend is what is known of one customer: X purchase days after the first and the mean M of what was spent on them, above zero.
type Spend struct {
	X int64
	M float64
}

type spendRows struct {
	x      []int32
	xs     []float64
	m, log []float64
}

func indexSpends(all []Spend) spendRows {
	d := spendRows{x: make([]int32, len(all)), m: make([]float64, len(all)), log: make([]float64, len(all))}
	places := map[int64]int32{}
	for i, s := range all {
		place, ok := places[s.X]
		if !ok {
			place = int32(len(d.xs))
			places[s.X] = place
			d.xs = append(d.xs, float64(s.X))
		}
		d.x[i], d.m[i], d.log[i] = place, s.M, math.Log(s.M)
	}
	return d
}

func (d spendRows) weight() float64 { return float64(len(d.m)) }

// sum is equation 1a of the note with the derivatives by p, q and gamma:
//
//	log L = log Γ(px+q) − log Γ(px) − log Γ(q) + q log γ + (px−1) log m + px log x − (px+q) log(γ + m x)
func (d spendRows) sum(params, grad []float64) float64 {
	p, q, gamma := params[0], params[1], params[2]
	type byX struct{ base, px, dp, dq, logX float64 }
	xs := make([]byX, len(d.xs))
	gq, pq, logGamma := lgamma(q), mathext.Digamma(q), math.Log(gamma)
	for i, x := range d.xs {
		px := p * x
		both := mathext.Digamma(px + q)
		xs[i] = byX{
			base: lgamma(px+q) - lgamma(px) - gq + q*logGamma + px*math.Log(x), px: px, logX: math.Log(x),
			dp: x * (both - mathext.Digamma(px)), dq: both - pq + logGamma,
		}
	}
	acc := sums(len(d.m), 4, func(from, to int, acc []float64) {
		for i := from; i < to; i++ {
			t, x := &xs[d.x[i]], d.xs[d.x[i]]
			whole := gamma + d.m[i]*x
			logWhole := math.Log(whole)
			acc[0] += t.base + (t.px-1)*d.log[i] - (t.px+q)*logWhole
			acc[1] += t.dp + x*(d.log[i]+t.logX-logWhole)
			acc[2] += t.dq - logWhole
			acc[3] += q/gamma - (t.px+q)/whole
		}
	})
	for i := range grad {
		grad[i] += acc[i+1]
	}
	return acc[0]
}

// fitGammaGamma fits the model to customers with at least one purchase day after the first.
func fitGammaGamma(all []Spend) (GammaGamma, estimate) {
	var part likelihood
	if step := len(all) / 8192; step >= 2 {
		var few []Spend
		for i := 0; i < len(all); i += step {
			few = append(few, all[i])
		}
		part = indexSpends(few)
	}
	mean := 0.0
	for _, s := range all {
		mean += s.M / float64(len(all))
	}
	e := maximise(indexSpends(all), part, [][]float64{
		{6, 4, mean * 3 / 6}, // p γ/(q−1) is the mean
		{1, 2, mean},
		{20, 10, mean * 9 / 20},
	})
	return GammaGamma{e.params[0], e.params[1], e.params[2]}, e
}

// Mean is what a purchase is worth in the mean over all customers; ok is false where q ≤ 1, for which it has no end.
func (m GammaGamma) Mean() (mean float64, ok bool) {
	if m.Q <= 1 {
		return 0, false
	}
	return m.P * m.Gamma / (m.Q - 1), true
}

// Expected is what a purchase of the customer is worth in the mean: E[M | x, m] = p(γ + m x)/(p x + q − 1), between what the
// customer and what all spend. Without a purchase after the first it is that of all.
func (m GammaGamma) Expected(s Spend) (mean float64, ok bool) {
	if s.X == 0 {
		return m.Mean()
	}
	x := float64(s.X)
	if below := m.P*x + m.Q - 1; below > 0 {
		return m.P * (m.Gamma + s.M*x) / below, true
	}
	return 0, false
}

// correlation is Pearson's of x and m; ok is false where one of them does not vary.
func correlation(all []Spend) (r float64, ok bool) {
	var n, mx, mm, xx, mmm, xm float64
	for _, s := range all {
		n++
		dx, dm := float64(s.X)-mx, s.M-mm
		mx += dx / n
		mm += dm / n
		xx += dx * (float64(s.X) - mx)
		mmm += dm * (s.M - mm)
		xm += dx * (s.M - mm)
	}
	if xx <= 0 || mmm <= 0 {
		return 0, false
	}
	return xm / math.Sqrt(xx*mmm), true
}

// below is how likely the mean of x purchases of a customer lies below v. Given the customer's rate it is gamma distributed (p x,
// x·rate), and the rate (q, γ), so that x m / (x m + γ) is beta distributed (p x, q).
func (m GammaGamma) below(x, v float64) float64 {
	return mathext.RegIncBeta(m.P*x, m.Q, x*v/(x*v+m.Gamma))
}
