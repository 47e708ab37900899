package proportion_test

import (
	"math"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/proportion"
)

// The numbers are those of R. G. Newcombe, Two-sided confidence intervals for the single proportion: comparison of seven
// methods, Statistics in Medicine 17 (1998), table I, method 3.
func TestWilsonsIntervalIsAsPublished(t *testing.T) {
	t.Parallel()
	near := func(got, want float64) bool { return math.Abs(got-want) <= 0.00005+1e-12 }
	for _, c := range []struct {
		k, n      int
		low, high float64
	}{
		{81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605}, {0, 20, 0, 0.1611}, {1, 29, 0.0061, 0.1718}, {29, 29, 0.8830, 1},
	} {
		v := proportion.Wilson(c.k, c.n)
		if !near(v.Low, c.low) || !near(v.High, c.high) || v.Value != float64(c.k)/float64(c.n) {
			t.Errorf("%d of %d: got %+v, want %g to %g", c.k, c.n, v, c.low, c.high)
		}
	}
}
