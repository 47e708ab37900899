package value

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// BGNBD is the model of Fader, Hardie and Lee ("Counting Your Customers" the Easy Way, Marketing Science 24 (2005) 275–284): while
// a customer is active, purchases come as a Poisson process, whose rates are gamma distributed (shape r, scale 1/alpha) over
// customers; after each purchase the customer goes for good with a probability that is beta distributed (a, b).
type BGNBD struct{ R, Alpha, A, B float64 }

type bgnbdRows struct{ *indexed }

func (d bgnbdRows) weight() float64 { return d.total }

// sum is their equation 6 with the derivatives by r, alpha, a and b:
//
//	log L = log Γ(r+x) − log Γ(r) + r log α + log B(a,b+x) − log B(a,b)
//	      + log( (α+T)^−(r+x) + [x>0] a/(b+x−1) (α+t_x)^−(r+x) )
//
// Written thus, the last line is a logarithm of a sum of exponentials, so large counts neither overflow nor underflow.
func (d bgnbdRows) sum(params, grad []float64) float64 {
	r, alpha, a, b := params[0], params[1], params[2], params[3]
	type byX struct{ base, goes, dr, da, db, rx, bx float64 }
	xs := make([]byX, len(d.xs))
	gr, gb, gab := lgamma(r), lgamma(b), lgamma(a+b)
	pr, pb, pab := mathext.Digamma(r), mathext.Digamma(b), mathext.Digamma(a+b)
	for i, x := range d.xs {
		t := byX{rx: r + x, base: r * math.Log(alpha), dr: math.Log(alpha)}
		if x > 0 {
			t.base += lgamma(r+x) - gr + lgamma(b+x) - gb + gab - lgamma(a+b+x)
			t.dr += mathext.Digamma(r+x) - pr
			t.da = pab - mathext.Digamma(a+b+x)
			t.db = t.da + mathext.Digamma(b+x) - pb
			t.goes = math.Log(a) - math.Log(b+x-1)
			t.bx = 1 / (b + x - 1)
		}
		xs[i] = t
	}
	logs, inverse := logTable(d.ages, alpha)
	logsR, inverseR := logTable(d.recencies, alpha)
	acc := sums(len(d.n), 5, func(from, to int, acc []float64) {
		for i := from; i < to; i++ {
			n, x, age, rec := d.n[i], &xs[d.x[i]], d.age[i], d.recency[i]
			gone, top := 0.0, -x.rx*logs[age] // the share of those who are gone; the logarithm of the last line
			if d.xs[d.x[i]] > 0 {
				gap := x.goes - x.rx*(logsR[rec]-logs[age])
				if gap > 0 {
					e := math.Exp(-gap)
					gone = 1 / (1 + e)
					top += gap + math.Log1p(e)
				} else {
					e := math.Exp(gap)
					gone = e / (1 + e)
					top += math.Log1p(e)
				}
			}
			acc[0] += n * (x.base + top)
			acc[1] += n * (x.dr - (1-gone)*logs[age] - gone*logsR[rec])
			acc[2] += n * (r/alpha - x.rx*((1-gone)*inverse[age]+gone*inverseR[rec]))
			acc[3] += n * (x.da + gone/a)
			acc[4] += n * (x.db - gone*x.bx)
		}
	})
	for i := range grad {
		grad[i] += acc[i+1]
	}
	return acc[0]
}

func logTable(all []float64, add float64) (logs, inverse []float64) {
	logs, inverse = make([]float64, len(all)), make([]float64, len(all))
	for i, v := range all {
		logs[i], inverse[i] = math.Log(v+add), 1/(v+add)
	}
	return logs, inverse
}

func lgamma(x float64) float64 {
	v, _ := math.Lgamma(x)
	return v
}

// fitBGNBD fits the model to groups.
func fitBGNBD(all []Group) (BGNBD, estimate) {
	var part likelihood
	if few := coarsened(all); few != nil {
		part = bgnbdRows{index(few)}
	}
	x, age := means(all)
	pace := age / max(x, 0.01)
	e := maximise(bgnbdRows{index(all)}, part, [][]float64{
		{0.3, 0.3 * pace, 0.8, 2.5},
		{1, pace, 0.2, 3},
		{4, 4 * pace, 2, 6},
	})
	return BGNBD{e.params[0], e.params[1], e.params[2], e.params[3]}, e
}

// Alive is how likely a customer of the history is still active at the cut-off. It is 1 by construction where there was no purchase
// after the first, since customers go after purchases only: such a 1 says nothing.
func (m BGNBD) Alive(h History) float64 {
	if h.X == 0 {
		return 1
	}
	x := float64(h.X)
	odds := math.Log(m.A) - math.Log(m.B+x-1) + (m.R+x)*(math.Log(m.Alpha+h.Age)-math.Log(m.Alpha+h.Recency))
	return 1 / (1 + math.Exp(odds))
}

// Expected is how many purchases a customer of the history makes within a time t after the cut-off: E[Y(t) | x, t_x, T].
func (m BGNBD) Expected(h History, t float64) float64 {
	return m.Alive(h) * m.active(h, t)
}

// New is how many purchases after the first a new customer makes within a time t of it: E[X(t)].
func (m BGNBD) New(t float64) float64 { return m.active(History{}, t) }

// active is how many purchases a customer makes who is active at the cut-off.
//
// The paper has (a+b+x−1)/(a−1) · (1 − ((α+T)/(α+T+t))^(r+x) · 2F1(r+x, b+x; a+b+x−1; t/(α+T+t))), which loses all digits near
// a = 1, has a negative parameter where a + b + x < 1, and overflows for large counts. The same number is
//
//	Σ_{n≥1} P(N ≥ n) · E[(1−p)^(n−1)],
//
// with N the purchases of somebody who never goes, negative binomial (r+x, z = t/(α+T+t)), and E[(1−p)^k] = (b+x)_k / (a+b+x)_k: the
// n-th purchase takes place where that somebody makes n, and the customer did not go after one of the first n − 1. All terms are
// above zero, so nothing is lost; it is the hypergeometric series of the paper, summed in another order. (1−z)^(r+x) Σ (r+x)_n
// z^n/n! = 1 gives one from the other.
func (m BGNBD) active(h History, t float64) float64 {
	if t <= 0 {
		return 0
	}
	shape, b := m.R+float64(h.X), m.B+float64(h.X)
	z := t / (m.Alpha + h.Age + t)
	made, stays, bought := 0.0, 1.0, 0.0 // Σ of what n opportunities bring; E[(1−p)^(n−1)]; the sum
	logP := shape * math.Log1p(-z)
	p := math.Exp(logP)
	mode := (shape - 1) * z / (1 - z)
	scaled := logP < -600 // p would underflow: it is kept as a logarithm until the terms are large enough
	for n := 1.0; n < 5e6; n++ {
		step := (shape + n - 1) / n * z
		if scaled {
			logP += math.Log(step)
			p = math.Exp(logP)
			scaled = logP < -300
		} else {
			p *= step
		}
		made += stays
		stays *= (b + n - 1) / (m.A + b + n - 1)
		bought += p * made
		// From here on the terms fall faster than a geometric series of the ratio of these two.
		if n > mode && p*made <= 1e-15*bought*(1-min(step*(n+1)/n, 0.999)) {
			break
		}
	}
	return bought
}

// Count is how likely a new customer makes just x purchases within t after the first (equation 8 of the paper).
func (m BGNBD) Count(x int, t float64) float64 {
	if t <= 0 {
		if x == 0 {
			return 1
		}
		return 0
	}
	n := float64(x)
	stay := lbeta(m.A, m.B+n) - lbeta(m.A, m.B)
	here, below := 0.0, 0.0 // the chance that somebody who never goes makes x, and fewer than x
	logZ := math.Log(t) - math.Log(m.Alpha+t)
	for j := range x + 1 {
		k := float64(j)
		p := math.Exp(lgamma(m.R+k) - lgamma(m.R) - lgamma(k+1) + m.R*(math.Log(m.Alpha)-math.Log(m.Alpha+t)) + k*logZ)
		if j < x {
			below += p
		} else {
			here = p
		}
	}
	out := math.Exp(stay) * here
	if x > 0 {
		out += math.Exp(lbeta(m.A+1, m.B+n-1)-lbeta(m.A, m.B)) * max(0, 1-below)
	}
	return out
}

func lbeta(a, b float64) float64 { return lgamma(a) + lgamma(b) - lgamma(a+b) }
