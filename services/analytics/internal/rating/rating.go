// Package rating reads what surveys were answered in numbers, as tables that can be reckoned with.
package rating

import (
	"fmt"
	"math"
	"regexp"
	"time"

	"github.com/google/uuid"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Enough is the number of answers below which a figure is said to be of too few.
const Enough = 30

// MostAnswers is how many answers are read at once.
const MostAnswers = 200_000

// Question is how codes of questions look; of a pair the part follows, as in "delivery.functional".
var Question = regexp.MustCompile(`^[a-z0-9][a-z0-9_]{0,63}(\.(functional|dysfunctional|perceived|ideal))?$`)

// Interval is an estimate with its 95 % confidence interval.
type Interval struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Period is [From, To); zero times leave it open.
type Period struct{ From, To time.Time }

// Bounds are the period with both ends.
func (p Period) Bounds() (from, to time.Time) {
	if p.To.IsZero() {
		return p.From, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return p.From, p.To
}

// Wanted says which answers are meant.
type Wanted struct {
	Survey     uuid.UUID
	Touchpoint string // empty for any
	Period
}

// Table is answers in numbers: a row each, a column each question. What was not answered is NaN.
type Table struct {
	Columns []string
	Rows    [][]float64
}

// Complete leaves out the rows in which something is missing.
func (t Table) Complete() (rows [][]float64) {
	for _, row := range t.Rows {
		whole := true
		for _, v := range row {
			whole = whole && !math.IsNaN(v)
		}
		if whole {
			rows = append(rows, row)
		}
	}
	return rows
}

// Moments are what means of a sample are judged by.
type Moments struct {
	N    int
	Mean []float64
	Cov  *mat.SymDense // of the sample, divided by N − 1; nil for fewer than two rows
}

// MomentsOf gives the moments of complete rows of one width.
func MomentsOf(rows [][]float64) Moments {
	m := Moments{N: len(rows)}
	if m.N == 0 {
		return m
	}
	data := mat.NewDense(m.N, len(rows[0]), nil)
	for i, row := range rows {
		data.SetRow(i, row)
	}
	for j := range rows[0] {
		m.Mean = append(m.Mean, stat.Mean(mat.Col(nil, j, data), nil))
	}
	if m.N > 1 {
		m.Cov = mat.NewSymDense(len(rows[0]), nil)
		stat.CovarianceMatrix(m.Cov, data, nil)
	}
	return m
}

// Combination gives Σ w·mean and the variance of that estimate; the variance is NaN for fewer than two rows.
func (m Moments) Combination(weights []float64) (value, variance float64) {
	w := mat.NewVecDense(len(weights), weights)
	value = mat.Dot(w, mat.NewVecDense(len(m.Mean), m.Mean))
	if m.Cov == nil {
		return value, math.NaN()
	}
	return value, max(0, mat.Inner(w, m.Cov, w)) / float64(m.N)
}

// Around gives the interval of a mean of n values whose variance is known from them: Student's t with n − 1 degrees of freedom.
// ok is false for fewer than two.
func Around(value, variance float64, n int) (i Interval, ok bool) {
	if n < 2 || math.IsNaN(variance) {
		return Interval{Value: value, Low: value, High: value}, false
	}
	half := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(n - 1)}.Quantile(0.975) * math.Sqrt(variance)
	return Interval{Value: value, Low: value - half, High: value + half}, true
}

// Mean gives the mean of numbers with its interval; ok is false for fewer than two, whose interval says nothing.
func Mean(xs []float64) (i Interval, ok bool) {
	if len(xs) == 0 {
		return Interval{}, false
	}
	mean, variance := stat.MeanVariance(xs, nil)
	if len(xs) < 2 {
		variance = math.NaN()
	}
	return Around(mean, variance/float64(len(xs)), len(xs))
}

// CheckQuestions names codes that cannot be those of questions, or come twice.
func CheckQuestions(at string, questions []string) (faults []problem.Field) {
	seen := map[string]bool{}
	for i, q := range questions {
		if !Question.MatchString(q) || seen[q] {
			faults = append(faults, problem.Field{Location: fmt.Sprintf("%s[%d]", at, i), Code: "question_invalid", Message: "must be the code of a question, each once"})
		}
		seen[q] = true
	}
	return faults
}
