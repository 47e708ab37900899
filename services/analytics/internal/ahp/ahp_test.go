package ahp_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/ahp"
)

// upper makes a matrix of the judgements above its diagonal, row by row.
func upper(n int, above ...float64) ahp.Matrix {
	m := make(ahp.Matrix, n)
	for i := range m {
		m[i] = make([]float64, n)
		m[i][i] = 1
	}
	for i := range n {
		for j := i + 1; j < n; j++ {
			m[i][j], m[j][i] = above[0], 1/above[0]
			above = above[1:]
		}
	}
	return m
}

// TestPublishedExamplesAreReached has the weights as they were printed, each to the last digit or one beside it.
func TestPublishedExamplesAreReached(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		m             ahp.Matrix
		weights       []float64
		lambda, ratio float64 // 0: not printed
		within        float64
		accepted      bool
	}{
		{ // T. L. Saaty, How to make a decision: the analytic hierarchy process, EJOR 48 (1990) 9–26, table 2: buying a house
			"house", upper(8,
				5, 3, 7, 6, 6, 1/3., 1/4.,
				1/3., 5, 3, 3, 1/5., 1/7.,
				6, 3, 4, 6, 1/5.,
				1/3., 1/4., 1/7., 1/8.,
				1/2., 1/5., 1/6.,
				1/5., 1/6.,
				1/2.),
			[]float64{.173, .054, .188, .018, .031, .036, .167, .333}, 9.669, .169, .001, false,
		},
		{ // Saaty (1977), the wealth of nations: US, USSR, China, France, UK, Japan, West Germany
			"wealth", upper(7,
				4, 9, 6, 6, 5, 5,
				7, 5, 5, 3, 4,
				1/5., 1/5., 1/7., 1/5.,
				1, 1/3., 1/3.,
				1/3., 1/3.,
				2),
			[]float64{.427, .230, .021, .052, .052, .123, .094}, 7.61, 0, .005, true,
		},
		{ // T. L. Saaty, Decision making with the analytic hierarchy process, IJSS 1 (2008) 83–98: what Americans drink
			"drinks", upper(7,
				9, 5, 2, 1, 1, 1/2.,
				1/3., 1/9., 1/9., 1/9., 1/9.,
				1/3., 1/4., 1/3., 1/9.,
				1/2., 1, 1/3.,
				2, 1/2.,
				1/3.),
			[]float64{.177, .019, .042, .116, .190, .129, .327}, 0, .022, .001, true,
		},
	} {
		if faults := c.m.Check("m"); len(faults) > 0 {
			t.Fatalf("%s: %v", c.name, faults)
		}
		w, err := ahp.Weigh(c.m)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range c.weights {
			if math.Abs(w.Weights[i]-want) > c.within {
				t.Errorf("%s: weights %.3f, want %.3f", c.name, w.Weights, c.weights)
				break
			}
		}
		if c.lambda != 0 && math.Abs(w.Lambda-c.lambda) > 0.01 || c.ratio != 0 && math.Abs(w.Ratio-c.ratio) > 0.001 || w.Accepted != c.accepted {
			t.Errorf("%s: lambda %.4f, ratio %.4f, accepted %v", c.name, w.Lambda, w.Ratio, w.Accepted)
		}
	}
}

func TestTheGreatestContradictionIsNamed(t *testing.T) {
	t.Parallel()
	// a is three times b, b is three times c, and c is said to be nine times a.
	w, err := ahp.Weigh(upper(3, 3, 1/9., 3))
	if err != nil {
		t.Fatal(err)
	}
	if w.Accepted || len(w.Contradictions) == 0 {
		t.Fatalf("%+v", w)
	}
	shares := 0.0
	for _, c := range w.Contradictions {
		shares += c.Share
	}
	if math.Abs(shares-1) > 1e-9 {
		t.Errorf("of three judgements each is off: %+v", w.Contradictions)
	}
	// Of four criteria in agreement one judgement is turned round: it is the one that is named first.
	m := upper(4, 2, 4, 8, 2, 4, 2)
	m[0][3], m[3][0] = 1/8., 8
	if w, err = ahp.Weigh(m); err != nil {
		t.Fatal(err)
	}
	if c := w.Contradictions[0]; c.Row != 3 || c.Column != 0 || c.Judged != 8 || c.Implied > 2 {
		t.Errorf("%+v", w.Contradictions)
	}
}

func TestJudgementsOfRealWeightsAreConsistent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, ahp.Most).Draw(t, "n")
		weights := rapid.SliceOfN(rapid.Float64Range(1, 30), n, n).Draw(t, "weights")
		sum := 0.0
		m := make(ahp.Matrix, n)
		for i := range m {
			sum += weights[i]
			for j := range n {
				m[i] = append(m[i], weights[i]/weights[j])
			}
		}
		if faults := m.Check("m"); len(faults) > 0 {
			t.Fatal(faults)
		}
		w, err := ahp.Weigh(m)
		if err != nil || !w.Accepted || w.Ratio > 1e-6 || len(w.Contradictions) > 0 {
			t.Fatalf("%v %+v", err, w)
		}
		for i := range n {
			if math.Abs(w.Weights[i]-weights[i]/sum) > 1e-6 {
				t.Fatalf("%v of %v", w.Weights, weights)
			}
		}
	})
}

func TestWeightsSumToOneAndRoundedReciprocalsAreMadeExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, ahp.Most).Draw(t, "n")
		m, rounded := make(ahp.Matrix, n), make(ahp.Matrix, n)
		for i := range n {
			m[i], rounded[i] = make([]float64, n), make([]float64, n)
			m[i][i], rounded[i][i] = 1, 1
		}
		for i := range n {
			for j := range i {
				v := float64(rapid.IntRange(1, 9).Draw(t, "judgement"))
				if rapid.Bool().Draw(t, "turned") {
					i, j := j, i
					m[i][j], m[j][i], rounded[i][j], rounded[j][i] = v, 1/v, v, math.Round(100/v)/100
					continue
				}
				m[i][j], m[j][i], rounded[i][j], rounded[j][i] = v, 1/v, v, math.Round(100/v)/100
			}
		}
		if faults := rounded.Check("m"); len(faults) > 0 {
			t.Fatal(faults)
		}
		exact, err := ahp.Weigh(m)
		if err != nil {
			t.Fatal(err)
		}
		same, err := ahp.Weigh(rounded)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for i, w := range exact.Weights {
			sum += w
			if w <= 0 || math.Abs(w-same.Weights[i]) > 1e-9 {
				t.Fatalf("%v and %v", exact.Weights, same.Weights)
			}
		}
		if math.Abs(sum-1) > 1e-9 || exact.Lambda < float64(n) || n < 3 && exact.Ratio != 0 {
			t.Fatalf("%+v", exact)
		}
	})
}

func TestAGroupIsPutTogetherByTheGeometricMean(t *testing.T) {
	t.Parallel()
	m := ahp.Together([]ahp.Matrix{upper(3, 2, 4, 2), upper(3, 8, 1, 1/2.)})
	for _, c := range []struct {
		i, j int
		want float64
	}{{0, 1, 4}, {0, 2, 2}, {1, 2, 1}, {1, 0, 1 / 4.}} {
		if math.Abs(m[c.i][c.j]-c.want) > 1e-12 {
			t.Errorf("[%d][%d] = %g, want %g", c.i, c.j, m[c.i][c.j], c.want)
		}
	}
}
