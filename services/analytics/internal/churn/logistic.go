package churn

import (
	"errors"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize"
)

// Fit is a logistic regression: the logarithm of the odds is Beta[0] plus the sum of the other coefficients times the
// standardised fields.
type Fit struct {
	Beta []float64 `json:"beta"` // the intercept first
	// Errors are standard errors by the inverse of the Hessian of what was minimised, the penalty included.
	Errors     []float64 `json:"errors"`
	Lambda     float64   `json:"lambda"`
	LogL       float64   `json:"log_likelihood"` // without the penalty
	Iterations int       `json:"iterations"`
}

// errNoFit says that the minimum was not found; it has not been seen of anything that is finite.
var errNoFit = errors.New("the minimum of the likelihood was not found")

// blockRows is how many rows are weighted at once for the Hessian.
const blockRows = 1024

// likelihood is −log L + λ/2·Σβ² of rows x (width numbers each, the first of them 1) with outcomes y, the intercept free. The
// optimiser asks for value, gradient and Hessian of the same point one by one: the probabilities are kept.
type likelihood struct {
	x      []float64
	width  int
	y      []bool
	lambda float64

	at    []float64 // where the following holds; empty: nowhere
	p     []float64
	value float64
	block []float64
}

func newLikelihood(x []float64, width int, y []bool, lambda float64) *likelihood {
	return &likelihood{x: x, width: width, y: y, lambda: lambda, p: make([]float64, len(y)), block: make([]float64, blockRows*width)}
}

// Sigmoid is 1/(1+e^−z), without overflow.
func Sigmoid(z float64) float64 {
	if z >= 0 {
		return 1 / (1 + math.Exp(-z))
	}
	e := math.Exp(z)
	return e / (1 + e)
}

// logOnePlusExp is log(1+e^z), without overflow.
func logOnePlusExp(z float64) float64 { return math.Max(z, 0) + math.Log1p(math.Exp(-math.Abs(z))) }

func (l *likelihood) move(beta []float64) {
	if len(l.at) > 0 && floats.Equal(l.at, beta) {
		return
	}
	l.at = append(l.at[:0], beta...)
	l.value = 0
	for i, yes := range l.y {
		z := floats.Dot(l.x[i*l.width:(i+1)*l.width], beta)
		l.p[i] = Sigmoid(z)
		if yes {
			z = -z
		}
		l.value += logOnePlusExp(z)
	}
}

func (l *likelihood) penalty(beta []float64) float64 {
	return l.lambda / 2 * floats.Dot(beta[1:], beta[1:])
}

func (l *likelihood) fn(beta []float64) float64 {
	l.move(beta)
	return l.value + l.penalty(beta)
}

func (l *likelihood) gradient(grad, beta []float64) {
	l.move(beta)
	for j := range grad {
		grad[j] = l.lambda * beta[j]
	}
	grad[0] = 0
	for i, yes := range l.y {
		r := l.p[i]
		if yes {
			r--
		}
		floats.AddScaled(grad, r, l.x[i*l.width:(i+1)*l.width])
	}
}

func (l *likelihood) hessian(h *mat.SymDense, beta []float64) {
	l.move(beta)
	h.Zero()
	for begin := 0; begin < len(l.y); begin += blockRows {
		n := min(blockRows, len(l.y)-begin)
		for i := range n {
			w := math.Sqrt(l.p[begin+i] * (1 - l.p[begin+i]))
			floats.ScaleTo(l.block[i*l.width:(i+1)*l.width], w, l.x[(begin+i)*l.width:(begin+i+1)*l.width])
		}
		h.SymRankK(h, 1, mat.NewDense(n, l.width, l.block[:n*l.width]).T())
	}
	for j := 1; j < l.width; j++ {
		h.SetSym(j, j, h.At(j, j)+l.lambda)
	}
}

// Regress fits a logistic regression to rows x (width numbers each, the first of them 1) by Newton's method. Both outcomes must be
// there. With lambda above 0 there is one minimum, and it is finite whatever the rows are. From is where to begin; nil: at 0.
func Regress(x []float64, width int, y []bool, lambda float64, from []float64) (Fit, error) {
	l := newLikelihood(x, width, y, lambda)
	begin := make([]float64, width)
	if len(from) == width {
		copy(begin, from)
	} else {
		yes := 0
		for _, one := range y {
			if one {
				yes++
			}
		}
		begin[0] = math.Log(float64(yes) / float64(len(y)-yes))
	}
	tolerance := 1e-9 * float64(len(y))
	result, err := optimize.Minimize(
		optimize.Problem{Func: l.fn, Grad: l.gradient, Hess: l.hessian}, begin,
		&optimize.Settings{GradientThreshold: tolerance, MajorIterations: 200, Converger: optimize.NeverTerminate{}}, &optimize.Newton{})
	if result == nil {
		return Fit{}, errors.Join(errNoFit, err)
	}
	// Near the minimum the line search may find nothing that is lower by more than rounding: that is the minimum as well.
	grad := make([]float64, width)
	l.gradient(grad, result.X)
	if worst := floats.Norm(grad, math.Inf(1)); worst > 1000*tolerance || math.IsNaN(worst) {
		return Fit{}, errors.Join(errNoFit, err)
	}
	fit := Fit{Beta: result.X, Lambda: lambda, Iterations: result.MajorIterations}
	l.move(fit.Beta)
	fit.LogL = -l.value
	h := mat.NewSymDense(width, nil)
	l.hessian(h, fit.Beta)
	var cholesky mat.Cholesky
	if !cholesky.Factorize(h) {
		return Fit{}, errNoFit
	}
	inverse := mat.NewSymDense(width, nil)
	if err := cholesky.InverseTo(inverse); err != nil && !errors.As(err, new(mat.Condition)) {
		return Fit{}, errors.Join(errNoFit, err)
	}
	fit.Errors = make([]float64, width)
	for j := range fit.Errors {
		fit.Errors[j] = math.Sqrt(inverse.At(j, j))
	}
	return fit, nil
}

// Scores are the logarithms of the odds of rows.
func (f Fit) Scores(x []float64) []float64 {
	width := len(f.Beta)
	scores := make([]float64, len(x)/width)
	for i := range scores {
		scores[i] = floats.Dot(x[i*width:(i+1)*width], f.Beta)
	}
	return scores
}

// separates tells whether all rows with the outcome score higher than all without.
func separates(scores []float64, y []bool) bool {
	low, high := math.Inf(1), math.Inf(-1) // the lowest with, the highest without
	for i, s := range scores {
		if y[i] {
			low = math.Min(low, s)
		} else {
			high = math.Max(high, s)
		}
	}
	return low > high
}
