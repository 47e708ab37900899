package mining_test

import (
	"context"
	_ "embed"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/mining"
)

// The measurements of R. A. Fisher, The use of multiple measurements in taxonomic problems, Annals of Eugenics 7 (1936), as
// scikit-learn publishes them (corrected against the paper); they are in the public domain. 50 each of three species, in order.
//
//go:embed testdata/iris.csv
var irisCSV string

func iris(t testing.TB) mining.Matrix {
	m := mining.Matrix{Cols: 4}
	for i, line := range strings.Split(strings.TrimSpace(irisCSV), "\n") {
		for _, cell := range strings.Split(line, ",") {
			if v, err := strconv.ParseFloat(cell, 64); err == nil {
				m.Data = append(m.Data, v)
			} else if i > 0 {
				t.Fatal(err)
			}
		}
	}
	if m.Rows() != 150 {
		t.Fatal(m.Rows())
	}
	return m
}

// Within and sizes of three clusters are what R's manual and scikit-learn's give: kmeans(iris[, 1:4], 3) has the sizes 50, 62 and
// 38 and 15.15100, 39.82097 and 23.87947 within; inertia 78.851, silhouette 0.5528; of two clusters 152.348 and 0.6810.
func TestClustersOfIrisAreAsPublished(t *testing.T) {
	t.Parallel()
	m := iris(t)
	for _, c := range []struct {
		name               string
		k                  int
		scale              bool
		within, silhouette float64
		sizes              []int
	}{
		{"two", 2, false, 152.34795, 0.68105, []int{97, 53}},
		{"three", 3, false, 78.85144, 0.55282, []int{62, 50, 38}},
		{"three, scaled by the population deviation", 3, true, 139.82050, 0.45995, []int{53, 50, 47}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			own := mining.Matrix{Data: slices.Clone(m.Data), Cols: 4}
			if c.scale {
				mining.Scale(own)
			}
			p, err := mining.KMeans(t.Context(), own, c.k, 20, 1)
			if err != nil {
				t.Fatal(err)
			}
			sizes := slices.Sorted(slices.Values(p.Sizes))
			slices.Reverse(sizes)
			s := mining.Silhouettes(own, p.Of, c.k)
			if math.Abs(p.Within-c.within) > 0.01 || !slices.Equal(sizes, c.sizes) || math.Abs(s.Overall-c.silhouette) > 0.001 || !p.Converged {
				t.Errorf("within %.5f, silhouette %.5f, sizes %v", p.Within, s.Overall, sizes)
			}
			if c.k == 3 && !c.scale { // setosa lies apart
				for i := range 50 {
					if p.Of[i] != p.Of[0] {
						t.Errorf("row %d is in %d", i, p.Of[i])
					}
				}
			}
		})
	}
}

func TestKMeansIsTheSameForTheSameSeed(t *testing.T) {
	t.Parallel()
	m := iris(t)
	a, _ := mining.KMeans(t.Context(), m, 4, 3, 7)
	b, _ := mining.KMeans(t.Context(), m, 4, 3, 7)
	if a.Within != b.Within || !slices.Equal(a.Of, b.Of) {
		t.Error("two runs with one seed differ")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := mining.KMeans(ctx, m, 4, 3, 7); err == nil {
		t.Error("it went on after the end")
	}
}

func TestEveryRowIsNextToItsCentreAndEveryCentreInTheMiddle(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cols, k := rapid.IntRange(1, 4).Draw(t, "cols"), rapid.IntRange(1, 5).Draw(t, "k")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		m := mining.Matrix{Cols: cols}
		for range rapid.IntRange(k, 60).Draw(t, "rows") * cols {
			m.Data = append(m.Data, float64(r.IntN(9))+r.Float64()/1000)
		}
		p, err := mining.KMeans(context.Background(), m, k, 2, 3)
		if err != nil || !p.Converged {
			t.Fatal(p, err)
		}
		within, sums, sizes := 0.0, make([]float64, k*cols), make([]int, k)
		for i := range m.Rows() {
			own := 0.0
			for j, v := range m.Row(i) {
				d := v - p.Centres.Row(int(p.Of[i]))[j]
				own += d * d
				sums[int(p.Of[i])*cols+j] += v
			}
			sizes[p.Of[i]]++
			within += own
			if _, nearest := mining.Nearest(p.Centres, m.Row(i)); nearest < own-1e-9 {
				t.Fatalf("row %d is %g from its centre and %g from another", i, own, nearest)
			}
		}
		if math.Abs(within-p.Within) > 1e-9*(1+within) || !slices.Equal(sizes, p.Sizes) {
			t.Fatalf("within %g, said %g; sizes %v, said %v", within, p.Within, sizes, p.Sizes)
		}
		for i, s := range sums {
			if n := sizes[i/cols]; n > 0 && math.Abs(s/float64(n)-p.Centres.Data[i]) > 1e-9 {
				t.Fatalf("centre %d is at %g, the middle at %g", i/cols, p.Centres.Data[i], s/float64(n))
			}
		}
	})
}

func TestScalingIsByThePopulationDeviation(t *testing.T) {
	t.Parallel()
	m := mining.Matrix{Data: []float64{2, 5, 4, 5, 4, 5, 4, 5, 5, 5, 5, 5, 7, 5, 9, 5}, Cols: 2}
	means, deviations := mining.Scale(m)
	if means[0] != 5 || math.Abs(deviations[0]-2) > 1e-12 || deviations[1] != 0 || m.Data[0] != -1.5 || m.Data[1] != 0 {
		t.Errorf("means %v, deviations %v, first row %v", means, deviations, m.Row(0))
	}
}
