package rating_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/rating"
)

// TestTheIntervalOfAMeanIsStudents has 1 to 5: mean 3, deviation √2.5, and t with four degrees of freedom 2.776445.
func TestTheIntervalOfAMeanIsStudents(t *testing.T) {
	t.Parallel()
	i, ok := rating.Mean([]float64{1, 2, 3, 4, 5})
	half := 2.7764451 * math.Sqrt(2.5/5)
	if !ok || i.Value != 3 || math.Abs(i.Low-(3-half)) > 1e-6 || math.Abs(i.High-(3+half)) > 1e-6 {
		t.Errorf("%+v", i)
	}
	if i, ok := rating.Mean([]float64{4}); ok || i.Value != 4 {
		t.Errorf("one value has no interval: %+v", i)
	}
	if _, ok := rating.Mean(nil); ok {
		t.Error("no value has none")
	}
}

func TestACombinationIsTheMeanOfCombinations(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 40).Draw(t, "n")
		weights := rapid.SliceOfN(rapid.Float64Range(-2, 2), 3, 3).Draw(t, "weights")
		var rows [][]float64
		var sums []float64
		for range n {
			row := rapid.SliceOfN(rapid.Float64Range(0, 10), 3, 3).Draw(t, "row")
			rows = append(rows, row)
			sums = append(sums, weights[0]*row[0]+weights[1]*row[1]+weights[2]*row[2])
		}
		want, _ := rating.Mean(sums)
		value, variance := rating.MomentsOf(rows).Combination(weights)
		got, ok := rating.Around(value, variance, n)
		if !ok || math.Abs(got.Value-want.Value) > 1e-9 || math.Abs(got.Low-want.Low) > 1e-6 || math.Abs(got.High-want.High) > 1e-6 {
			t.Fatalf("%+v, want %+v", got, want)
		}
	})
}
