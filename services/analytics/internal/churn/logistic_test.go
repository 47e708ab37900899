package churn_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/churn"
)

// design standardises one column by hand.
func design(column []float64) (x []float64, mean, sd float64) {
	for _, v := range column {
		mean += v / float64(len(column))
	}
	for _, v := range column {
		sd += (v - mean) * (v - mean) / float64(len(column))
	}
	sd = math.Sqrt(sd)
	for _, v := range column {
		x = append(x, 1, (v-mean)/sd)
	}
	return x, mean, sd
}

// hours is the example of twenty students, hours of study and who passed, of the article on logistic regression in Wikipedia.
var hours = []float64{0.50, 0.75, 1.00, 1.25, 1.50, 1.75, 1.75, 2.00, 2.25, 2.50, 2.75, 3.00, 3.25, 3.50, 4.00, 4.25, 4.50, 4.75, 5.00, 5.50}

var passed = []bool{
	false, false, false, false, false, false, true, false, true, false, true, false, true, false, true, true, true, true, true, true,
}

func TestThePublishedExampleIsReached(t *testing.T) {
	t.Parallel()
	x, mean, sd := design(hours)
	fit, err := churn.Regress(x, 2, passed, 0, nil)
	require.NoError(t, err)
	// Published: intercept −4.1, coefficient 1.5, log-likelihood −8.02988, Wald z −2.4 for the intercept of the hours as they are.
	require.InDelta(t, 1.5046, fit.Beta[1]/sd, 1e-4)
	require.InDelta(t, 0.6287, fit.Errors[1]/sd, 1e-4)
	require.InDelta(t, -4.0777, fit.Beta[0]-fit.Beta[1]*mean/sd, 1e-4)
	require.InDelta(t, -8.02988, fit.LogL, 1e-5)
}

func TestThePenaltyIsAsStated(t *testing.T) {
	t.Parallel()
	// At the minimum of −log L + λ/2·Σβ² the gradient is none: Σ(p − y) = 0 for the free intercept, Σ(p − y)z + λβ = 0.
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(4, 60).Draw(t, "n")
		width := rapid.IntRange(2, 5).Draw(t, "width")
		lambda := math.Exp(rapid.Float64Range(math.Log(1e-3), math.Log(1e3)).Draw(t, "log lambda"))
		x, y := make([]float64, 0, n*width), make([]bool, n)
		for i := range n {
			x = append(x, 1)
			for range width - 1 {
				x = append(x, rapid.Float64Range(-4, 4).Draw(t, "x"))
			}
			y[i] = rapid.Bool().Draw(t, "y")
		}
		y[0], y[1] = true, false
		fit, err := churn.Regress(x, width, y, lambda, nil)
		if err != nil {
			t.Fatal(err)
		}
		for j := range width {
			sum := 0.0
			for i, score := range fit.Scores(x) {
				r := churn.Sigmoid(score)
				if y[i] {
					r--
				}
				sum += r * x[i*width+j]
			}
			if j > 0 {
				sum += lambda * fit.Beta[j]
			}
			if math.Abs(sum) > 1e-4 {
				t.Fatalf("the slope in direction %d is %g", j, sum)
			}
			if math.IsNaN(fit.Errors[j]) || fit.Errors[j] <= 0 {
				t.Fatalf("standard error %g", fit.Errors[j])
			}
		}
	})
}

func TestAPerfectlySeparableTargetStaysFinite(t *testing.T) {
	t.Parallel()
	for _, lambda := range []float64{churn.MinLambda, 1, 1e6} {
		rows := make([][]string, 40)
		for i := range rows {
			rows[i] = []string{fmt.Sprint(i), "no"}
			if i >= 20 {
				rows[i][1] = "yes"
			}
		}
		table, err := churn.Build([]string{"x", "left"}, rows, churn.Layout{Target: "left"})
		require.NoError(t, err)
		m, err := churn.Train(table, lambda, churn.Patience)
		require.NoError(t, err, lambda)
		require.True(t, m.Separable, "lambda %g", lambda)
		require.Less(t, math.Abs(m.Fit.Beta[1]), 100.0)
		require.Greater(t, m.Fit.Beta[1], 0.0)
		require.InDelta(t, 1, m.Validation.AUC, 1e-12)
		require.LessOrEqual(t, m.Validation.High, 1.0)
		require.False(t, math.IsInf(m.Validation.LogLoss, 0) || math.IsNaN(m.Validation.LogLoss))
	}
}

func TestATargetThatOverlapsIsNotSeparable(t *testing.T) {
	t.Parallel()
	rows := make([][]string, 40)
	for i := range rows {
		rows[i] = []string{fmt.Sprint(i), "no"}
		if i >= 20 && i != 30 || i == 3 {
			rows[i][1] = "yes"
		}
	}
	table, err := churn.Build([]string{"x", "left"}, rows, churn.Layout{Target: "left"})
	require.NoError(t, err)
	m, err := churn.Train(table, 1, churn.Patience)
	require.NoError(t, err)
	require.False(t, m.Separable)
}

func TestExtremesDoNotOverflow(t *testing.T) {
	t.Parallel()
	require.Equal(t, 0.0, churn.Sigmoid(-1e6))
	require.Equal(t, 1.0, churn.Sigmoid(1e6))
	x := []float64{1, 1e3, 1, -1e3, 1, 1e3, 1, -1e3}
	fit, err := churn.Regress(x, 2, []bool{true, false, true, true}, 1, nil)
	require.NoError(t, err)
	require.False(t, math.IsNaN(fit.Beta[1]) || math.IsInf(fit.LogL, 0))
}
