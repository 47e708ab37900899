package mining_test

import (
	"math/rand/v2"
	"testing"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/mining"
)

// A million customers in five fields, as the last step of a large fit has them: Lloyd's rounds from centres that are given.
func BenchmarkKMeansOfAMillionRows(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	m := mining.Matrix{Cols: 5}
	for i := range 5_000_000 {
		m.Data = append(m.Data, float64(i/5%6)+r.NormFloat64())
	}
	for b.Loop() {
		if _, err := mining.KMeans(b.Context(), m, 6, 1, 1); err != nil {
			b.Fatal(err)
		}
	}
}

// A million baskets of two to six of two thousand articles, the first ones bought far more often.
func BenchmarkFrequentItemsetsOfAMillionBaskets(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	var baskets mining.Baskets
	names := make([]int32, 2000)
	for i := range names {
		names[i] = baskets.Item(string(rune('A'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676)))
	}
	for range 1_000_000 {
		own := make([]int32, 2+r.IntN(5))
		for i := range own {
			own[i] = names[int(float64(len(names))*r.Float64()*r.Float64()*r.Float64())]
		}
		baskets.Add(own...)
	}
	for b.Loop() {
		found := mining.Frequent(b.Context(), &baskets, 500, mining.Bounds{MaxLength: 3, MaxSets: 500_000})
		b.ReportMetric(float64(len(found.Sets)), "sets")
	}
}
