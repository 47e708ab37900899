// Package ahp weighs criteria by comparing them in pairs: the analytic hierarchy process of T. L. Saaty, A scaling method for
// priorities in hierarchical structures, Journal of Mathematical Psychology 15 (1977) 234–281.
package ahp

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Most is how many criteria can be compared at once: random indices are given for no more, and Saaty advises nine at most. More
// are put into groups, which are weighed first.
const Most = 10

// Accept is the greatest consistency ratio with which judgements are accepted.
const Accept = 0.10

const (
	extreme   = 1000 // judgements are 1/extreme to extreme; Saaty's scale is 1/9 to 9
	reciprocy = 0.05 // a judgement times its reciprocal may be this far from 1: people write 1/7 as 0.14
	off       = 1.5  // contradictions by a factor below it are no news
	maxShown  = 3    // contradictions that are told
)

// randomIndex is the mean consistency index of random matrices of n = 3 to 10 criteria, after Saaty.
var randomIndex = [...]float64{3: .58, .90, 1.12, 1.24, 1.32, 1.41, 1.45, 1.49}

// Matrix has in row i and column j how many times as important criterion i is as criterion j.
type Matrix [][]float64

// Contradiction is a judgement that does not go with the others.
type Contradiction struct {
	Row, Column int     // the criteria, from 0; the judgement is at least 1 or the row is the lesser index
	Judged      float64 // how many times as important as Column Row was said to be
	Implied     float64 // how many times it is by the weights, which all judgements make together
	Share       float64 // of λ − n: what it adds to the inconsistency, 0 to 1
}

// Weighed is what judgements come to.
type Weighed struct {
	Weights        []float64 // sum 1, in the order of the criteria
	Lambda         float64   // the principal eigenvalue: n where all judgements agree, else more
	Index          float64   // of consistency: (λ − n)/(n − 1); 0 for n < 3
	Random         float64   // index of random judgements; 0 for n < 3
	Ratio          float64   // index ÷ random; 0 for n < 3
	Accepted       bool      // ratio <= Accept
	Contradictions []Contradiction
}

// Check names what is wrong with a matrix; at is where it stands.
func (m Matrix) Check(at string) (faults []problem.Field) {
	add := func(where, code, format string, args ...any) {
		faults = append(faults, problem.Field{Location: where, Code: code, Message: fmt.Sprintf(format, args...)})
	}
	n := len(m)
	if n == 0 || n > Most {
		add(at, "criteria_count", "must compare 1 to %d criteria: the random index is known for no more. Put them into groups and weigh the groups first", Most)
		return faults
	}
	for i, row := range m {
		if len(row) != n {
			add(fmt.Sprintf("%s[%d]", at, i), "not_square", "must have as many columns as there are rows, %d", n)
			continue
		}
		for j, v := range row {
			if !(v >= 1.0/extreme && v <= extreme) {
				add(fmt.Sprintf("%s[%d][%d]", at, i, j), "judgement_out_of_range", "must be more than 0: %g to %d, 1 for as important as", 1.0/extreme, extreme)
			}
		}
	}
	if len(faults) > 0 {
		return faults
	}
	for i := range n {
		if m[i][i] != 1 {
			add(fmt.Sprintf("%s[%d][%d]", at, i, i), "diagonal", "must be 1: a criterion is as important as itself")
		}
		for j := range i {
			if math.Abs(m[i][j]*m[j][i]-1) > reciprocy {
				add(fmt.Sprintf("%s[%d][%d]", at, i, j), "not_reciprocal", "must be one divided by the judgement of the same pair the other way round")
			}
		}
	}
	return faults
}

// exact gives the matrix with exact reciprocals: of each pair the judgement of 1 and more is taken as it stands.
func (m Matrix) exact() Matrix {
	e := make(Matrix, len(m))
	for i := range m {
		e[i] = slices.Clone(m[i])
	}
	for i := range e {
		for j := range i {
			if e[i][j] >= e[j][i] {
				e[j][i] = 1 / e[i][j]
			} else {
				e[i][j] = 1 / e[j][i]
			}
		}
	}
	return e
}

// Together puts the judgements of several people into one matrix by the geometric mean, the only mean that keeps reciprocals:
// J. Aczél, T. L. Saaty, Procedures for synthesizing ratio judgements, Journal of Mathematical Psychology 27 (1983) 93–102.
// The matrices passed Check and are of one size; there is at least one.
func Together(all []Matrix) Matrix {
	n := len(all[0])
	m := make(Matrix, n)
	for i := range m {
		m[i] = make([]float64, n)
		m[i][i] = 1
	}
	for i := range n {
		for j := range i {
			sum := 0.0
			for _, one := range all {
				sum += math.Log(one.exact()[i][j])
			}
			m[i][j] = math.Exp(sum / float64(len(all)))
			m[j][i] = 1 / m[i][j]
		}
	}
	return m
}

// Weigh gives the weights of criteria by the principal eigenvector of a matrix that passed Check.
func Weigh(judged Matrix) (Weighed, error) {
	m := judged.exact()
	n := len(m)
	dense := mat.NewDense(n, n, nil)
	for i, row := range m {
		dense.SetRow(i, row)
	}
	var eigen mat.Eigen
	if !eigen.Factorize(dense, mat.EigenRight) {
		return Weighed{}, problem.New(problem.Unprocessable, "no_weights", "The judgements have no principal eigenvector that could be found.")
	}
	// By Perron and Frobenius the greatest eigenvalue is real, and its vector of one sign.
	values, best := eigen.Values(nil), 0
	for i, v := range values {
		if real(v) > real(values[best]) {
			best = i
		}
	}
	var vectors mat.CDense
	eigen.VectorsTo(&vectors)
	w := Weighed{Weights: make([]float64, n), Lambda: max(real(values[best]), float64(n)), Accepted: true}
	sum := 0.0
	for i := range n {
		w.Weights[i] = math.Abs(real(vectors.At(i, best)))
		sum += w.Weights[i]
	}
	for i := range n {
		w.Weights[i] /= sum
	}
	if n >= 3 {
		w.Index, w.Random = (w.Lambda-float64(n))/float64(n-1), randomIndex[n]
		w.Ratio = w.Index / w.Random
		w.Accepted = w.Ratio <= Accept
		w.Contradictions = contradictions(m, w.Weights)
	}
	return w, nil
}

// contradictions finds the judgements that are furthest from what all of them make together. With e = judged ÷ implied,
// n·(λ − n) = Σ over pairs of (e + 1/e − 2), so that each pair has its share of the inconsistency.
func contradictions(m Matrix, weights []float64) (all []Contradiction) {
	total := 0.0
	for i := range m {
		for j := range m {
			if j <= i {
				continue
			}
			row, column := i, j
			if m[i][j] < 1 {
				row, column = j, i
			}
			c := Contradiction{Row: row, Column: column, Judged: m[row][column], Implied: weights[row] / weights[column]}
			e := c.Judged / c.Implied
			c.Share = e + 1/e - 2
			total += c.Share
			if e >= off || e <= 1/off {
				all = append(all, c)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Contradiction) int {
		switch {
		case a.Share > b.Share:
			return -1
		case a.Share < b.Share:
			return 1
		}
		return 0
	})
	all = all[:min(len(all), maxShown)]
	for i := range all {
		all[i].Share /= total
	}
	return all
}
