package value

import (
	"math"
	"runtime"
	"slices"
	"sync"

	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize"
)

// likelihood is a log-likelihood over parameters that are all above zero.
type likelihood interface {
	// sum gives the log-likelihood of all rows at the parameters, and adds its derivative by each parameter to grad, which is zero.
	sum(params, grad []float64) float64
	// weight is the number of rows.
	weight() float64
}

// estimate is what maximum likelihood gives.
type estimate struct {
	params        []float64
	errors        []float64 // standard errors; nil where the likelihood is too flat to tell
	logLikelihood float64
	evaluations   int
	converged     bool
	edge          bool // some parameter ran away to 0 or without end
}

const (
	// flat is the largest derivative, by the logarithm of a parameter and row, that counts as none.
	flat = 1e-6
	// reach is how far from its starts the logarithm of a parameter may go. What would go further has run away: the data do not tell it,
	// and digits would be lost on the way.
	reach = 10
)

// maximise finds the parameters of the greatest likelihood, beginning at each of the starts, by BFGS in the logarithms of the
// parameters, so that they stay above zero. Where a line search breaks down the simplex method of Nelder and Mead goes on, and
// BFGS ends it. coarse, where there is one, is a part of the rows on which the best of the starts is found; the rest of the way
// is gone on all rows.
func maximise(full, coarse likelihood, starts [][]float64) estimate {
	first, in := full, around(starts)
	if coarse != nil {
		first = coarse
	}
	var best estimate
	best.logLikelihood = math.Inf(-1)
	evaluations := 0
	for _, s := range starts {
		e := climb(first, in, logs(s))
		evaluations += e.evaluations
		if e.logLikelihood > best.logLikelihood || best.params == nil {
			best = e
		}
	}
	if coarse != nil {
		best = climb(full, in, logs(best.params))
		evaluations += best.evaluations
	}
	best.evaluations = evaluations
	for i, v := range logs(best.params) {
		best.edge = best.edge || v < in.low[i]+0.1 || v > in.high[i]-0.1
	}
	if !best.edge {
		best.errors = standardErrors(full, in, best.params)
	}
	return best
}

// bounds are the ends of the logarithms of the parameters.
type bounds struct{ low, high []float64 }

// around gives bounds that lie a reach beyond all starts, which stand in the units of the data.
func around(starts [][]float64) (b bounds) {
	for i := range starts[0] {
		low, high := math.Inf(1), math.Inf(-1)
		for _, s := range starts {
			low, high = min(low, math.Log(s[i])), max(high, math.Log(s[i]))
		}
		b.low, b.high = append(b.low, low-reach), append(b.high, high+reach)
	}
	return b
}

// within gives the value where it lies within the bounds, else the end that it lies beyond.
func (b bounds) within(i int, v float64) float64 { return min(max(v, b.low[i]), b.high[i]) }

// objective is the negative mean log-likelihood by the logarithms of the parameters, remembering its last answer: the optimiser
// asks for value and derivative of the same place separately. Beyond the bounds it is as at their end, and level.
type objective struct {
	l     likelihood
	in    bounds
	at    []float64
	value float64
	grad  []float64
	calls int
}

func (o *objective) look(theta []float64) {
	if slices.Equal(o.at, theta) {
		return
	}
	o.at = append(o.at[:0], theta...)
	params := make([]float64, len(theta))
	for i, v := range theta {
		params[i] = math.Exp(o.in.within(i, v))
	}
	grad := make([]float64, len(theta))
	n := o.l.weight()
	o.value = -o.l.sum(params, grad) / n
	o.grad = make([]float64, len(theta))
	for i := range grad {
		o.grad[i] = -grad[i] * params[i] / n
		if math.IsNaN(o.grad[i]) || theta[i] != o.in.within(i, theta[i]) {
			o.grad[i] = 0
		}
	}
	if math.IsNaN(o.value) {
		o.value = math.Inf(1)
	}
	o.calls++
}

// climb goes to the top from one start.
func climb(l likelihood, in bounds, theta []float64) estimate {
	o := &objective{l: l, in: in}
	p := optimize.Problem{
		Func: func(x []float64) float64 { o.look(x); return o.value },
		Grad: func(grad, x []float64) { o.look(x); copy(grad, o.grad) },
	}
	settings := func() *optimize.Settings {
		return &optimize.Settings{
			GradientThreshold: flat / 100, MajorIterations: 500, FuncEvaluations: 2000,
			Converger: &optimize.FunctionConverge{Absolute: 1e-13, Iterations: 20},
		}
	}
	steepest := func(x []float64) float64 {
		o.look(x)
		top := 0.0
		for _, g := range o.grad {
			top = max(top, math.Abs(g))
		}
		return top
	}
	at := slices.Clone(theta)
	for range 3 {
		// A line search that finds nothing better any more is an error to gonum; how steep it is there tells whether it is the top.
		if r, _ := optimize.Minimize(p, at, settings(), &optimize.BFGS{}); r != nil && len(r.X) == len(at) {
			at = slices.Clone(r.X)
		}
		if steepest(at) < flat {
			break
		}
		if r, _ := optimize.Minimize(p, at, settings(), &optimize.NelderMead{}); r != nil && len(r.X) == len(at) {
			at = slices.Clone(r.X)
		}
	}
	e := estimate{converged: steepest(at) < flat, evaluations: o.calls, params: make([]float64, len(at))}
	for i, v := range at {
		e.params[i] = math.Exp(in.within(i, v))
	}
	e.logLikelihood = -o.value * l.weight()
	return e
}

// standardErrors are the roots of the diagonal of the inverse of the negative Hessian at the top. The Hessian is by the logarithms
// of the parameters, by central differences of the analytic derivative; the delta method brings the errors back: d p = p d log p.
func standardErrors(l likelihood, in bounds, params []float64) []float64 {
	o := &objective{l: l, in: in}
	k := len(params)
	h := mat.NewDense(k, k, nil)
	fd.Jacobian(h, func(y, x []float64) { o.look(x); copy(y, o.grad) }, logs(params), &fd.JacobianSettings{Formula: fd.Central, Step: 1e-5})
	sym := mat.NewSymDense(k, nil)
	for i := range k {
		for j := i; j < k; j++ {
			sym.SetSym(i, j, (h.At(i, j)+h.At(j, i))/2*l.weight())
		}
	}
	var chol mat.Cholesky
	if !chol.Factorize(sym) || chol.Cond() > 1e14 {
		return nil
	}
	var inverse mat.SymDense
	if err := chol.InverseTo(&inverse); err != nil {
		return nil
	}
	out := make([]float64, k)
	for i := range out {
		out[i] = params[i] * math.Sqrt(inverse.At(i, i))
		if math.IsNaN(out[i]) || math.IsInf(out[i], 0) {
			return nil
		}
	}
	return out
}

func logs(params []float64) []float64 {
	out := make([]float64, len(params))
	for i, p := range params {
		out[i] = math.Log(p)
	}
	return out
}

// block is how many rows are summed together. The blocks do not depend on the machine, and are added in their order, so that a
// sum is the same to the last bit wherever it is made.
const block = 16384

// sums adds up n rows in blocks, side by side: add is given a block and k sums of its own. It gives the k sums over all.
func sums(n, k int, add func(from, to int, acc []float64)) []float64 {
	blocks := (n + block - 1) / block
	parts := make([][]float64, blocks)
	next := make(chan int)
	var wait sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), blocks) {
		wait.Go(func() {
			for b := range next {
				acc := make([]float64, k)
				add(b*block, min((b+1)*block, n), acc)
				parts[b] = acc
			}
		})
	}
	for b := range blocks {
		next <- b
	}
	close(next)
	wait.Wait()
	out := make([]float64, k)
	for _, p := range parts {
		for i, v := range p {
			out[i] += v
		}
	}
	return out
}
