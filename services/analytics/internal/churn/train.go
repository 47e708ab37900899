package churn

import (
	"cmp"
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
)

// lambdas are tried where none is given, the strongest first: each fit begins where the one before ended.
var lambdas = []float64{1000, 100, 10, 1, 0.1}

// Bounds of lambda: below the lowest the minimum for a separable target is too far out to mean anything.
const (
	MinLambda = 1e-3
	MaxLambda = 1e6
)

// minOfClass is how many rows of each outcome a fit needs: one for each fold at least, and two to say how sure its AUC is.
const minOfClass = 2 * Folds

// Trained is a model that was fitted and judged.
type Trained struct {
	Encoding Encoding `json:"encoding"`
	Fit      Fit      `json:"fit"`
	// Separable says that the fields tell the outcomes apart without a mistake: only the penalty keeps the coefficients finite.
	Separable  bool       `json:"separable"`
	Rows       int        `json:"rows"`
	Positive   int        `json:"positive"`
	Validation Validation `json:"validation"`
	// Tried are the penalties that were compared by cross validation; empty where it was given.
	Tried []Tried `json:"tried,omitempty"`
	// OutOfFold is each row's risk by the model of the folds that it is not in.
	OutOfFold []float64 `json:"-"`
}

// Tried is one penalty and the log loss that it came to outside the folds it was fitted to.
type Tried struct {
	Lambda  float64 `json:"lambda"`
	LogLoss float64 `json:"log_loss"`
}

// NotEnough is the problem of a table that is too small, or whose rows all came out alike; nil where it is neither.
func NotEnough(y []bool) error {
	yes := 0
	for _, one := range y {
		if one {
			yes++
		}
	}
	switch no := len(y) - yes; {
	case len(y) == 0:
		return model.NotEnough("There are no rows.")
	case yes == 0 || no == 0:
		return problem.New(problem.Unprocessable, "target_one_class", "All %d rows have the same outcome: there is nothing to tell apart.", len(y))
	case yes < minOfClass || no < minOfClass:
		return model.NotEnough("A model needs %d rows of each outcome; here are %d with it and %d without.", minOfClass, yes, no)
	}
	return nil
}

// Train fits a model to a table and judges it by 5-fold cross validation, the fields learnt anew in each fold. With lambda 0 the
// one of a few that predicts best is taken; its figures are then those of the best, very slightly too good. A fit that
// would take longer than within is refused: fit_too_heavy.
func Train(t *Table, lambda float64, within time.Duration) (Trained, error) {
	if err := NotEnough(t.Target); err != nil {
		return Trained{}, err
	}
	candidates := []float64{lambda}
	if lambda == 0 {
		candidates = lambdas
	}
	all := every(t.Rows())
	encoding := Learn(t, all)
	if err := bearable(within, t.Rows(), len(encoding.Fields), len(candidates)); err != nil {
		return Trained{}, err
	}
	fold := Deal(t.IDs, t.Target, Folds)
	risks, err := outside(t, fold, candidates)
	if err != nil {
		return Trained{}, err
	}
	out := Trained{Rows: t.Rows(), OutOfFold: risks[0]}
	lambda, best := candidates[0], math.Inf(1)
	for i, one := range candidates {
		sum := 0.0
		for r, p := range risks[i] {
			sum += loss(p, t.Target[r]) / float64(t.Rows())
		}
		if sum < best {
			best, lambda, out.OutOfFold = sum, one, risks[i]
		}
		if len(candidates) > 1 {
			out.Tried = append(out.Tried, Tried{Lambda: one, LogLoss: sum})
		}
	}
	for _, yes := range t.Target {
		if yes {
			out.Positive++
		}
	}
	out.Validation = Judge(out.OutOfFold, t.Target, fold, t.IDs)
	out.Encoding = encoding
	x, width := out.Encoding.Apply(t, all), len(out.Encoding.Fields)+1
	if out.Fit, err = Regress(x, width, t.Target, lambda, nil); err != nil {
		return Trained{}, err
	}
	if out.Separable = separates(out.Fit.Scores(x), t.Target); !out.Separable {
		// A strong penalty may leave mistakes that the fields do not call for.
		weak, err := Regress(x, width, t.Target, MinLambda, out.Fit.Beta)
		if err != nil {
			return Trained{}, err
		}
		out.Separable = separates(weak.Scores(x), t.Target)
	}
	return out, nil
}

// Bounds of a fit.
const (
	maxFields = 1000
	maxCells  = 20_000_000    // fields times rows
	perSecond = 1_000_000_000 // products that the Hessian is made of, by a slow machine
	passes    = 8             // Hessians of one fit, about

	// Patience is what a fit may take that nobody waits for.
	Patience = 10 * time.Minute
)

// bearable refuses a fit that would not be done in time, before it has cost anything.
func bearable(within time.Duration, rows, fields, candidates int) error {
	width := fields + 1
	switch {
	case fields == 0:
		return model.NotEnough("No column changes from row to row: nothing can explain the target.")
	case fields > maxFields || width*rows > maxCells:
		return problem.New(problem.Unprocessable, "table_too_wide",
			"The columns make %d fields of %d rows; at most %d fields, and %d numbers in all, can be fitted. Leave columns out by ignore, above all those of many words.", fields, rows, maxFields, maxCells)
	case float64(rows)*float64(width*width)*float64((Folds*candidates+2)*passes)/perSecond > within.Seconds():
		return problem.New(problem.Unprocessable, "fit_too_heavy",
			"A fit of %d fields to %d rows takes longer than it may here. Say lambda, leave columns out by ignore, draw a sample, or have it fitted in a job with later.", fields, rows)
	}
	return nil
}

func every(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// outside gives for each lambda each row's risk by the model of the other folds.
func outside(t *Table, fold []int, candidates []float64) ([][]float64, error) {
	risks := make([][]float64, len(candidates))
	for i := range risks {
		risks[i] = make([]float64, t.Rows())
	}
	for k := range Folds {
		var in, out []int
		var y []bool
		for i := range fold {
			if fold[i] == k {
				out = append(out, i)
			} else {
				in, y = append(in, i), append(y, t.Target[i])
			}
		}
		e := Learn(t, in)
		x, test := e.Apply(t, in), e.Apply(t, out)
		var from []float64
		for i, lambda := range candidates {
			fit, err := Regress(x, len(e.Fields)+1, y, lambda, from)
			if err != nil {
				return nil, err
			}
			from = fit.Beta
			for j, score := range fit.Scores(test) {
				risks[i][out[j]] = Sigmoid(score)
			}
		}
	}
	return risks, nil
}

// Coefficient is what one field adds to the logarithm of the odds.
type Coefficient struct {
	Field    string  `json:"field"`
	Column   string  `json:"column"`
	Category string  `json:"category,omitempty"`
	Beta     float64 `json:"beta"` // for one standard deviation
	Error    float64 `json:"error"`
	PerUnit  float64 `json:"per_unit"` // for one unit of the column, or for being of the category
	Odds     float64 `json:"odds_ratio"`
	Z        float64 `json:"z"`
	P        float64 `json:"p"` // two-sided
}

// Coefficients are all of a model, the strongest first.
func (m *Trained) Coefficients() []Coefficient {
	all := make([]Coefficient, len(m.Encoding.Fields))
	for j, f := range m.Encoding.Fields {
		beta, e := m.Fit.Beta[j+1], m.Fit.Errors[j+1]
		all[j] = Coefficient{
			Field: f.name(), Column: f.Column, Category: f.Category, Beta: beta, Error: e, PerUnit: beta / f.SD,
			Odds: math.Exp(math.Max(-700, math.Min(700, beta/f.SD))), Z: beta / e, P: 2 * distuv.UnitNormal.Survival(math.Abs(beta/e)),
		}
	}
	slices.SortStableFunc(all, func(a, b Coefficient) int { return cmp.Compare(math.Abs(b.Beta), math.Abs(a.Beta)) })
	return all
}

// Intercept is the logarithm of the odds of a row that is average in every field, and its standard error.
func (m *Trained) Intercept() (value, e float64) { return m.Fit.Beta[0], m.Fit.Errors[0] }
