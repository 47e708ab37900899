// Package proportion says what a share of a sample tells of the whole it was drawn from.
package proportion

import "math"

// Z is the two-sided 95 % quantile of the normal distribution, as it is commonly rounded.
const Z = 1.96

// Interval is an estimate with its 95 % confidence interval.
type Interval struct {
	Value, Low, High float64
}

// Wilson gives the share of k among n with its score interval: E. B. Wilson, Probable inference, the law of succession, and
// statistical inference, JASA 22 (1927) 209–212. Unlike the usual approximation it stays within 0 and 1 and holds for
// shares near them. n must be at least 1.
func Wilson(k, n int) Interval {
	p, m := float64(k)/float64(n), float64(n)
	centre := (p + Z*Z/(2*m)) / (1 + Z*Z/m)
	half := Z / (1 + Z*Z/m) * math.Sqrt(p*(1-p)/m+Z*Z/(4*m*m))
	low, high := max(0, centre-half), min(1, centre+half)
	if k == 0 { // exactly, not as rounding leaves it
		low = 0
	}
	if k == n {
		high = 1
	}
	return Interval{p, low, high}
}
