package journey

import (
	"math"

	"github.com/guanxi-crm/guanxi/platform/proportion"
)

// Response is how many of a group responded.
type Response struct {
	Customers, Responded int64
}

// rate gives the share that responded with its score interval; the customers must be at least one.
func (r Response) rate() proportion.Interval {
	return proportion.Wilson(int(r.Responded), int(r.Customers))
}

// Difference gives the rate of a less that of b with its 95 % interval: R. G. Newcombe, Interval estimation for the difference
// between independent proportions, Statistics in Medicine 17 (1998) 873–890, method 10. Both must have customers.
func Difference(a, b Response) proportion.Interval {
	return Standardised([]Stratum{{Touched: a, Untouched: b}})
}

// Stratum is customers who are comparable: who bought about as lately and as often before.
type Stratum struct {
	Touched, Untouched Response
}

// comparable tells whether there is somebody on both sides.
func (s Stratum) comparable() bool { return s.Touched.Customers > 0 && s.Untouched.Customers > 0 }

// Standardised gives the difference of rates with each stratum weighing as many as were touched in it, and its 95 % interval. The
// interval is that of Newcombe, its variances recovered stratum by stratum (G. Y. Zou, A. Donner, Construction of confidence limits
// about effect measures: a general approach, Statistics in Medicine 27 (2008) 1693–1702). Strata without anybody on one side
// are left out; there must be one that is not.
func Standardised(strata []Stratum) proportion.Interval {
	total := 0.0
	for _, s := range strata {
		if s.comparable() {
			total += float64(s.Touched.Customers)
		}
	}
	var value, below, above float64
	for _, s := range strata {
		if !s.comparable() {
			continue
		}
		w := float64(s.Touched.Customers) / total
		a, b := s.Touched.rate(), s.Untouched.rate()
		value += w * (a.Value - b.Value)
		below += w * w * (square(a.Value-a.Low) + square(b.High-b.Value))
		above += w * w * (square(a.High-a.Value) + square(b.Value-b.Low))
	}
	return proportion.Interval{Value: value, Low: max(-1, value-math.Sqrt(below)), High: min(1, value+math.Sqrt(above))}
}

func square(v float64) float64 { return v * v }

// Matched adds up the strata that have somebody on both sides, and gives how many of the touched were left out.
func Matched(strata []Stratum) (touched, untouched Response, leftOut int64) {
	for _, s := range strata {
		if !s.comparable() {
			leftOut += s.Touched.Customers
			continue
		}
		touched.Customers += s.Touched.Customers
		touched.Responded += s.Touched.Responded
		untouched.Customers += s.Untouched.Customers
		untouched.Responded += s.Untouched.Responded
	}
	return touched, untouched, leftOut
}

// Shares parts an amount into n shares that add up to it exactly: all are equal but the first ones, which have one minor unit more.
func Shares(amount int64, n int) []int64 {
	shares := make([]int64, n)
	each, left := amount/int64(n), amount%int64(n)
	for i := range shares {
		shares[i] = each
		switch {
		case left > 0 && int64(i) < left:
			shares[i]++
		case left < 0 && int64(i) < -left:
			shares[i]--
		}
	}
	return shares
}
