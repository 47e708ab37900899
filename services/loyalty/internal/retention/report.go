package retention

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/guanxi-crm/guanxi/platform/proportion"
)

// Interval is a 95 % confidence interval.
type Interval struct{ Low, High float64 }

// Newcombe is the hybrid score interval for the difference k1/n1 - k2/n2 of independent shares: method 10, without
// correction for continuity, from the intervals of Wilson of both shares. n1 and n2 are more than 0.
//
// R. G. Newcombe, Interval estimation for the difference between independent proportions: comparison of eleven methods,
// Statistics in Medicine 17 (1998), 873-890.
func Newcombe(k1, n1, k2, n2 int64) Interval {
	a, b := proportion.Wilson(int(k1), int(n1)), proportion.Wilson(int(k2), int(n2))
	d := a.Value - b.Value
	return Interval{d - math.Hypot(a.Value-a.Low, b.High-b.Value), d + math.Hypot(a.High-a.Value, b.Value-b.Low)}
}

// Sample is what is known of amounts: how many, their mean and their variance (with n - 1).
type Sample struct {
	N              int64
	Mean, Variance float64
}

// Plus gives mean and variance of two samples together.
//
// T. F. Chan, G. H. Golub, R. J. LeVeque, Updating formulae and a pairwise algorithm for computing sample variances,
// COMPSTAT 1982, 30-41.
func (s Sample) Plus(b Sample) Sample {
	n := s.N + b.N
	if n == 0 {
		return Sample{}
	}
	d, whole := b.Mean-s.Mean, float64(n)
	squares := s.Variance*float64(max(0, s.N-1)) + b.Variance*float64(max(0, b.N-1)) + d*d*float64(s.N)*float64(b.N)/whole
	sum := Sample{N: n, Mean: s.Mean + d*float64(b.N)/whole}
	if n > 1 {
		sum.Variance = squares / (whole - 1)
	}
	return sum
}

// Welch is the interval of Welch for the difference a.Mean - b.Mean of samples whose variances may differ, by Student's
// distribution with the degrees of freedom of Welch and Satterthwaite. Both have two or more.
//
// B. L. Welch, The generalization of Student's problem when several different population variances are involved,
// Biometrika 34 (1947), 28-35.
func Welch(a, b Sample) Interval {
	d, va, vb := a.Mean-b.Mean, a.Variance/float64(a.N), b.Variance/float64(b.N)
	if va+vb == 0 {
		return Interval{d, d}
	}
	df := (va + vb) * (va + vb) / (va*va/float64(a.N-1) + vb*vb/float64(b.N-1))
	half := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.Quantile(0.975) * math.Sqrt(va+vb)
	return Interval{d - half, d + half}
}

// Outcome is what came of the cases of one arm. What is measured is measured of the cases whose time is over: all that were
// assigned to the arm, whether or not they were reached, were cancelled or ended early.
type Outcome struct {
	Assigned  int64 // cases
	Running   int64 // of them, those whose time is not over: they are not measured yet
	Measured  int64
	Cancelled int64 // of the measured ones
	Reached   int64 // of the measured ones: somebody was asked to contact them, at least once
	Offered   int64
	Taken     int64
	Retained  int64  // bought in the time that was set, and did not bring all of it back
	Revenue   Sample // of each measured case, in minor units, returns taken off
	CostMinor int64
}

// plus gives what two sets of cases came to together.
func (o Outcome) plus(b Outcome) Outcome {
	return Outcome{
		Assigned: o.Assigned + b.Assigned, Running: o.Running + b.Running, Measured: o.Measured + b.Measured, Cancelled: o.Cancelled + b.Cancelled,
		Reached: o.Reached + b.Reached, Offered: o.Offered + b.Offered, Taken: o.Taken + b.Taken, Retained: o.Retained + b.Retained,
		Revenue: o.Revenue.Plus(b.Revenue), CostMinor: o.CostMinor + b.CostMinor,
	}
}

// Rate is the share of the measured cases that bought; 0 where there are none.
func (o Outcome) Rate() float64 {
	if o.Measured == 0 {
		return 0
	}
	return float64(o.Retained) / float64(o.Measured)
}

// Report compares the arms of a plan. The unit is the case: a customer who had several is in the same arm with each.
type Report struct {
	Plan             string
	Currency         string
	Treated, HeldOut Outcome
	OtherCurrencies  int64 // orders in the measured time that are in another currency: they count as purchases, not as revenue

	Enough  bool
	Verdict string // in words

	// Of these the first two pairs are there where both arms have measured cases, Revenue where both have two.
	Compared    bool
	Uplift      float64 // Treated.Rate - HeldOut.Rate
	UpliftIn    Interval
	Valued      bool
	Difference  float64 // of the revenue a case, in minor units
	DifferIn    Interval
	Incremental float64 // Difference times the treated cases that were measured
	Return      *float64
}

// The least data of which a verdict is given.
const (
	leastMeasured = 30 // cases in each arm
	leastEither   = 5  // cases of both arms together that bought, and that did not
)

// Judge reckons all that follows from the outcomes of the two arms, and says it in words.
func (r Report) Judge() Report {
	t, h := r.Treated, r.HeldOut
	if r.Compared = t.Measured > 0 && h.Measured > 0; r.Compared {
		r.Uplift = t.Rate() - h.Rate()
		r.UpliftIn = Newcombe(t.Retained, t.Measured, h.Retained, h.Measured)
	}
	if r.Valued = t.Revenue.N > 1 && h.Revenue.N > 1; r.Valued {
		r.Difference = t.Revenue.Mean - h.Revenue.Mean
		r.DifferIn = Welch(t.Revenue, h.Revenue)
		r.Incremental = r.Difference * float64(t.Measured)
		if t.CostMinor > 0 {
			back := (r.Incremental - float64(t.CostMinor)) / float64(t.CostMinor)
			r.Return = &back
		}
	}
	bought := t.Retained + h.Retained
	not := t.Measured + h.Measured - bought
	r.Enough = t.Measured >= leastMeasured && h.Measured >= leastMeasured && bought >= leastEither && not >= leastEither
	r.Verdict = r.say(bought, not)
	return r
}

func (r Report) say(bought, not int64) string {
	t, h := r.Treated, r.HeldOut
	if !r.Enough {
		return fmt.Sprintf("Not enough data: a verdict needs at least %d cases in each arm whose time is over, and at least %d that bought and %d that did not. "+
			"There are %d treated and %d held-out ones; %d bought and %d did not.",
			leastMeasured, leastEither, leastEither, t.Measured, h.Measured, bought, not)
	}
	said := fmt.Sprintf("Of %d treated customers %.1f %% bought in time, of %d held-out ones %.1f %%: a difference of %+.1f percentage points, with 95 %% confidence between %+.1f and %+.1f. ",
		t.Measured, 100*t.Rate(), h.Measured, 100*h.Rate(), 100*r.Uplift, 100*r.UpliftIn.Low, 100*r.UpliftIn.High)
	switch {
	case r.UpliftIn.Low > 0:
		return said + "What is done brings customers back."
	case r.UpliftIn.High < 0:
		return said + "What is done drives customers away."
	default:
		return said + "Whether what is done has any effect cannot be told from this."
	}
}
