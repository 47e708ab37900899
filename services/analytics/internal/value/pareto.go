package value

import (
	"math"

	"gonum.org/v1/gonum/integrate/quad"
	"gonum.org/v1/gonum/mathext"
)

// ParetoNBD is the model of Schmittlein, Morrison and Colombo (Counting Your Customers, Management Science 33 (1987) 1–24): while a
// customer is active, purchases come as a Poisson process, whose rates are gamma distributed (shape r, rate alpha) over
// customers; how long one stays active is exponential, with rates that are gamma distributed (shape s, rate beta).
type ParetoNBD struct{ R, Alpha, S, Beta float64 }

type paretoRows struct{ *indexed }

func (d paretoRows) weight() float64 { return d.total }

// nodes are those of Gauss and Legendre on [−1, 1].
const nodes = 12

var legendreX, legendreW = func() (x, w [nodes]float64) {
	quad.Legendre{}.FixedLocations(x[:], w[:], -1, 1)
	return x, w
}()

// gone is ∫ (α+τ)^−k (β+τ)^−(s+1) dτ over τ from a to b, as its logarithm, with the means of log(α+τ), log(β+τ), 1/(α+τ) and
// 1/(β+τ) under that integrand: the customers who went after their last purchase.
//
// The literature (Fader, Hardie: A Note on Deriving the Pareto/NBD Model, 2005) has a difference of two hypergeometric functions
// here, which loses its digits where they are close and overflows for large counts. The integrand is positive and falls
// steadily, so it is summed by the rule of Gauss and Legendre in u, τ = a + c(e^u − 1) with c = min(α, β) + a, in pieces over which
// it does not fall by more than some e-foldings, up to where nothing is left of it.
func gone(alpha, beta, k, s, a, b float64) (logIntegral, logAlpha, logBeta, overAlpha, overBeta float64) {
	c := min(alpha, beta) + a
	end := math.Log1p((b - a) / c)
	// How fast the logarithm of the integrand falls in u: ever faster, so nothing is left of it some way behind the start.
	slope := func(u float64) float64 {
		t := c * math.Exp(u)
		return max(k*t/(alpha+a-c+t)+(s+1)*t/(beta+a-c+t)-1, 0)
	}
	fall := slope(0)
	if fall > 0 {
		end = min(end, max(60/fall, 1e-12))
	}
	pieces := int(math.Ceil(end * max(1, slope(end)/6)))
	pieces = min(max(pieces, 1), 100)
	width := end / float64(pieces)
	base := -k*math.Log(alpha+a) - (s+1)*math.Log(beta+a)
	var sum, la, lb, ia, ib float64
	for i := range pieces {
		for j := range nodes {
			u := width * (float64(i) + (legendreX[j]+1)/2)
			grown := math.Exp(u)
			tau := a + c*(grown-1)
			va, vb := math.Log(alpha+tau), math.Log(beta+tau)
			f := legendreW[j] / 2 * width * c * grown * math.Exp(-k*va-(s+1)*vb-base)
			sum += f
			la += f * va
			lb += f * vb
			ia += f / (alpha + tau)
			ib += f / (beta + tau)
		}
	}
	return base + math.Log(sum), la / sum, lb / sum, ia / sum, ib / sum
}

// sum is the log-likelihood with its derivatives by r, alpha, s and beta:
//
//	log L = log Γ(r+x) − log Γ(r) + r log α + s log β
//	      + log( (α+T)^−(r+x) (β+T)^−s + s ∫_{t_x}^{T} (α+τ)^−(r+x) (β+τ)^−(s+1) dτ )
func (d paretoRows) sum(params, grad []float64) float64 {
	r, alpha, s, beta := params[0], params[1], params[2], params[3]
	type byX struct{ base, dr float64 }
	xs := make([]byX, len(d.xs))
	for i, x := range d.xs {
		xs[i] = byX{base: lgamma(r+x) - lgamma(r) + r*math.Log(alpha) + s*math.Log(beta), dr: mathext.Digamma(r+x) - mathext.Digamma(r) + math.Log(alpha)}
	}
	logsA, inverseA := logTable(d.ages, alpha)
	logsB, inverseB := logTable(d.ages, beta)
	acc := sums(len(d.n), 5, func(from, to int, acc []float64) {
		for i := from; i < to; i++ {
			n, x, age := d.n[i], d.xs[d.x[i]], d.age[i]
			k := r + x
			stays := -k*logsA[age] - s*logsB[age]
			top, went := stays, 0.0
			var la, lb, ia, ib float64
			if T, rec := d.ages[age], d.recencies[d.recency[i]]; T > rec {
				var logI float64
				logI, la, lb, ia, ib = gone(alpha, beta, k, s, rec, T)
				goes := math.Log(s) + logI
				top = logAdd(stays, goes)
				went = math.Exp(goes - top)
			}
			is := 1 - went
			acc[0] += n * (xs[d.x[i]].base + top)
			acc[1] += n * (xs[d.x[i]].dr - is*logsA[age] - went*la)
			acc[2] += n * (r/alpha - k*(is*inverseA[age]+went*ia))
			acc[3] += n * (math.Log(beta) - is*logsB[age] + went*(1/s-lb))
			acc[4] += n * (s/beta - is*s*inverseB[age] - went*(s+1)*ib)
		}
	})
	for i := range grad {
		grad[i] += acc[i+1]
	}
	return acc[0]
}

// logAdd is log(e^a + e^b).
func logAdd(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	return a + math.Log1p(math.Exp(b-a))
}

// fitParetoNBD fits the model to groups.
func fitParetoNBD(all []Group) (ParetoNBD, estimate) {
	var part likelihood
	if few := coarsened(all); few != nil {
		part = paretoRows{index(few)}
	}
	x, age := means(all)
	pace := age / max(x, 0.01)
	e := maximise(paretoRows{index(all)}, part, [][]float64{
		{0.5, 0.5 * pace, 0.6, age / 3},
		{1, pace, 1, age},
		{3, 3 * pace, 0.3, age},
	})
	return ParetoNBD{e.params[0], e.params[1], e.params[2], e.params[3]}, e
}

// Alive is how likely a customer of the history is still active at the cut-off. Unlike that of BGNBD it means something without a
// repeat purchase, too: customers go at any time.
func (m ParetoNBD) Alive(h History) float64 {
	if h.Age <= h.Recency {
		return 1
	}
	k := m.R + float64(h.X)
	stays := -k*math.Log(m.Alpha+h.Age) - m.S*math.Log(m.Beta+h.Age)
	logI, _, _, _, _ := gone(m.Alpha, m.Beta, k, m.S, h.Recency, h.Age)
	return 1 / (1 + math.Exp(math.Log(m.S)+logI-stays))
}

// Expected is how many purchases a customer of the history makes within a time t after the cut-off: E[Y(t) | x, t_x, T].
func (m ParetoNBD) Expected(h History, t float64) float64 {
	return m.Alive(h) * m.active(h, t)
}

// New is how many purchases after the first a new customer makes within a time t of it: E[X(t)].
func (m ParetoNBD) New(t float64) float64 { return m.active(History{}, t) }

// active is (r+x)(β+T)/((α+T)(s−1)) · (1 − ((β+T)/(β+T+t))^(s−1)), its limit at s = 1 included.
func (m ParetoNBD) active(h History, t float64) float64 {
	if t <= 0 {
		return 0
	}
	span := math.Log1p(t / (m.Beta + h.Age))
	lasts := span
	if y := (m.S - 1) * span; math.Abs(y) > 1e-12 {
		lasts = -math.Expm1(-y) / (m.S - 1)
	}
	return (m.R + float64(h.X)) * (m.Beta + h.Age) / (m.Alpha + h.Age) * lasts
}

// Count is how likely a new customer makes just x purchases within t after the first: those who are active to the end, and those who
// go at τ before it.
func (m ParetoNBD) Count(x int, t float64) float64 {
	n := float64(x)
	makes := func(tau float64) float64 { // of somebody who is active for that long
		if tau <= 0 {
			if x == 0 {
				return 1
			}
			return 0
		}
		return math.Exp(lgamma(m.R+n) - lgamma(m.R) - lgamma(n+1) + m.R*(math.Log(m.Alpha)-math.Log(m.Alpha+tau)) + n*(math.Log(tau)-math.Log(m.Alpha+tau)))
	}
	out := makes(t) * math.Exp(m.S*(math.Log(m.Beta)-math.Log(m.Beta+t)))
	// By u = log(1 + τ/β) the density of going is s e^(−su) du.
	end := math.Log1p(t / m.Beta)
	const pieces = 8
	for i := range pieces {
		for j := range nodes {
			u := end * (float64(i) + (legendreX[j]+1)/2) / pieces
			out += legendreW[j] / 2 * end / pieces * m.S * math.Exp(-m.S*u) * makes(m.Beta*math.Expm1(u))
		}
	}
	return out
}
