package programme

import (
	"math/bits"
)

// Known tells whether anybody said what points are worth.
func (w Worth) Known() bool { return w.Points > 0 }

// Of gives what points (0 to 2^53) are worth, in minor units of w.Currency, rounded down; 0 where nobody knows. What is more than
// an integer holds is the largest one.
func (w Worth) Of(points int64) int64 {
	if !w.Known() || points <= 0 {
		return 0
	}
	return muldiv(points, w.Minor, w.Points, 0)
}

// For gives the fewest points that are worth at least an amount in minor units (more than 0); ok is false where no number of
// points is.
func (w Worth) For(minor int64) (points int64, ok bool) {
	if !w.Known() || w.Minor <= 0 || minor <= 0 {
		return 0, false
	}
	return muldiv(minor, w.Points, w.Minor, w.Minor-1), true
}

// muldiv gives (a × b + more) ÷ by, rounded down, of integers that are not negative.
func muldiv(a, b, by, more int64) int64 {
	high, low := bits.Mul64(uint64(a), uint64(b))
	low, carry := bits.Add64(low, uint64(more), 0)
	high += carry
	if high >= uint64(by) {
		return 1<<63 - 1
	}
	q, _ := bits.Div64(high, low, uint64(by))
	return int64(min(q, 1<<63-1))
}
