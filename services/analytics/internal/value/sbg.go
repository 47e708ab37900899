package value

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// SBG is the shifted-beta-geometric model of contracts (Fader, Hardie: How to Project Customer Retention, Journal of Interactive
// Marketing 21 (2007) 76–90): at each renewal a customer goes with a probability of its own, which is beta distributed (alpha,
// beta) over customers. That retention rises with time comes from who stays, not from anybody's becoming more loyal.
type SBG struct{ Alpha, Beta float64 }

// Term is how many contracts went at their renewal number T (from 1), and how many stayed at it and were not seen any further.
type Term struct {
	T      int
	Lost   int64
	Stayed int64
}

type termRows []Term

func (d termRows) weight() float64 {
	n := 0.0
	for _, t := range d {
		n += float64(t.Lost + t.Stayed)
	}
	return n
}

// sum adds log P(T=t) = log B(α+1, β+t−1) − log B(α, β) for the lost and log S(t) = log B(α, β+t) − log B(α, β) for those who stayed,
// with the derivatives by alpha and beta.
func (d termRows) sum(params, grad []float64) float64 {
	alpha, beta := params[0], params[1]
	total := 0.0
	pa, pb, pab := mathext.Digamma(alpha), mathext.Digamma(beta), mathext.Digamma(alpha+beta)
	base := lbeta(alpha, beta)
	for _, row := range d {
		t, lost, stayed := float64(row.T), float64(row.Lost), float64(row.Stayed)
		if lost > 0 {
			total += lost * (lbeta(alpha+1, beta+t-1) - base)
			below := mathext.Digamma(alpha + beta + t)
			grad[0] += lost * (mathext.Digamma(alpha+1) - below - pa + pab)
			grad[1] += lost * (mathext.Digamma(beta+t-1) - below - pb + pab)
		}
		if stayed > 0 {
			total += stayed * (lbeta(alpha, beta+t) - base)
			below := mathext.Digamma(alpha + beta + t)
			grad[0] += stayed * (pab - below)
			grad[1] += stayed * (mathext.Digamma(beta+t) - below - pb + pab)
		}
	}
	return total
}

// fitSBG fits the model to terms.
func fitSBG(all []Term) (SBG, estimate) {
	e := maximise(termRows(all), nil, [][]float64{{1, 1}, {0.5, 3}, {3, 10}})
	return SBG{e.params[0], e.params[1]}, e
}

// Retention is the share of those who stay at renewal t (from 1) of those who were there: (β+t−1)/(α+β+t−1).
func (m SBG) Retention(t int) float64 {
	return (m.Beta + float64(t) - 1) / (m.Alpha + m.Beta + float64(t) - 1)
}

// Survival is the share that is still there after renewal t; 1 for 0.
func (m SBG) Survival(t int) float64 {
	return math.Exp(lbeta(m.Alpha, m.Beta+float64(t)) - lbeta(m.Alpha, m.Beta))
}

// Residual is how many terms a contract that was renewed so many times is paid for from now on, the one that begins with the
// coming renewal first, discounted by the rate a term (Fader, Hardie: Customer-Base Valuation in a Contractual Setting, Marketing
// Science 29 (2010) 85–93, equation 6, for a contract about to be renewed):
//
//	Σ_{k≥1} S(n+k)/S(n) / (1+d)^(k−1)
//
// over at most the given number of terms, so that it has an end without a discount, too.
func (m SBG) Residual(renewed int, rate float64, terms int) float64 {
	sum, stays, discount := 0.0, 1.0, 1.0
	for k := 1; k <= terms; k++ {
		stays *= m.Retention(renewed + k)
		sum += stays * discount
		discount /= 1 + rate
		if stays*discount < 1e-15*sum {
			break
		}
	}
	return sum
}
