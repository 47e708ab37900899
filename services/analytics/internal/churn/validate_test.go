package churn_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/churn"
)

// slowAUC compares each row with the outcome with each one without; its variance is by the placements as DeLong wrote it down.
func slowAUC(scores []float64, y []bool) (auc, variance float64) {
	kernel := func(a, b float64) float64 {
		switch {
		case a > b:
			return 1
		case a == b:
			return 0.5
		}
		return 0
	}
	var high, low []float64
	for i := range y {
		var sum, n float64
		for j := range y {
			if y[i] == y[j] {
				continue
			}
			n++
			if y[i] {
				sum += kernel(scores[i], scores[j])
			} else {
				sum += kernel(scores[j], scores[i])
			}
		}
		if y[i] {
			high = append(high, sum/n)
		} else {
			low = append(low, sum/n)
		}
	}
	for _, v := range high {
		auc += v / float64(len(high))
	}
	for _, part := range [][]float64{high, low} {
		sum := 0.0
		for _, v := range part {
			sum += (v - auc) * (v - auc)
		}
		variance += sum / float64(len(part)-1) / float64(len(part))
	}
	return auc, variance
}

func TestTheAUCIsThatOfComparingAllPairs(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(4, 50).Draw(t, "n")
		scores, y := make([]float64, n), make([]bool, n)
		for i := range scores {
			scores[i], y[i] = float64(rapid.IntRange(0, 9).Draw(t, "score")), rapid.Bool().Draw(t, "y")
		}
		y[0], y[1], y[2], y[3] = true, true, false, false
		auc, variance := churn.AUC(scores, y)
		wantAUC, wantVariance := slowAUC(scores, y)
		if math.Abs(auc-wantAUC) > 1e-12 || math.Abs(variance-wantVariance) > 1e-12 {
			t.Fatalf("got %g, %g; want %g, %g", auc, variance, wantAUC, wantVariance)
		}
	})
}

func TestFoldsHaveTheirShareOfBothOutcomesWhateverTheOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 200).Draw(t, "n")
		ids, y := make([]string, n), make([]bool, n)
		for i := range ids {
			ids[i], y[i] = fmt.Sprintf("c-%d", i), rapid.Bool().Draw(t, "y")
		}
		fold := churn.Deal(ids, y, 5)
		var size [2][5]int
		for i, k := range fold {
			class := 0
			if y[i] {
				class = 1
			}
			size[class][k]++
		}
		for class := range size {
			for _, a := range size[class] {
				for _, b := range size[class] {
					if a-b > 1 {
						t.Fatalf("folds of %v", size)
					}
				}
			}
		}
		order := rand.New(rand.NewPCG(1, uint64(n))).Perm(n)
		ids2, y2 := make([]string, n), make([]bool, n)
		for i, from := range order {
			ids2[i], y2[i] = ids[from], y[from]
		}
		for i, k := range churn.Deal(ids2, y2, 5) {
			if k != fold[order[i]] {
				t.Fatal("another order gave other folds")
			}
		}
	})
}

func TestCalibrationAndLiftByTenths(t *testing.T) {
	t.Parallel()
	// A hundred rows whose risk is as they came out: of the ten with the risk (i+0.5)/10, as many as i went.
	var (
		risk []float64
		y    []bool
		ids  []string
	)
	for tenth := range 10 {
		for i := range 10 {
			risk, y, ids = append(risk, float64(tenth)/10+0.05), append(y, i < tenth), append(ids, fmt.Sprintf("%d-%d", tenth, i))
		}
	}
	v := churn.Judge(risk, y, churn.Deal(ids, y, churn.Folds), ids)
	require.Len(t, v.Deciles, 10)
	captured := 0
	for i, d := range v.Deciles {
		yes := 9 - i
		captured += yes
		require.Equal(t, i+1, d.Decile)
		require.Equal(t, 10, d.Rows)
		require.InDelta(t, float64(yes)/10+0.05, d.Predicted, 1e-12)
		require.InDelta(t, float64(yes)/10, d.Observed, 1e-12)
		require.True(t, d.Low <= d.Observed && d.Observed <= d.High && d.Low < d.High)
		require.InDelta(t, float64(yes)/10/0.45, d.Lift, 1e-12)
		require.InDelta(t, float64(captured)/45, d.Captured, 1e-12)
	}
	brier := 0.0
	for i, p := range risk {
		came := 0.0
		if y[i] {
			came = 1
		}
		brier += (p - came) * (p - came) / 100
	}
	require.InDelta(t, brier, v.Brier, 1e-12)
	require.InDelta(t, 0.45*0.55, v.BaseBrier, 1e-12)
	require.InDelta(t, -0.45*math.Log(0.45)-0.55*math.Log(0.55), v.BaseLoss, 1e-12)
	require.True(t, v.Low < v.AUC && v.AUC < v.High)
}
