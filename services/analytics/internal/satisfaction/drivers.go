package satisfaction

import (
	"math"
	"math/bits"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/rating"
)

// MostAttributes is how many attributes are set against each other: their shares need a regression for each set of them.
const MostAttributes = 10

// independent is the least share of an attribute's variance that those before it must leave unexplained.
const independent = 1e-8

// Driver is what an attribute does to the outcome, the others held as they are.
type Driver struct {
	Attribute string
	Slope     rating.Interval // of the outcome for one more of the attribute
	Beta      rating.Interval // the same in standard deviations, which are taken as known
	P         float64         // of a slope of 0, by Student's t on both sides
	VIF       float64         // how much the others inflate the variance of the slope
	// LMG is the attribute's part of R²: what it adds, in the mean over all orders in which the attributes could come in
	// (R. Lindeman, P. Merenda, R. Gold, Introduction to bivariate and multivariate analysis (1980); it is Shapley's value).
	LMG      float64
	Mean     rating.Interval // of the attribute: how well it does
	Quadrant string          // empty of a single attribute
}

// LeftOut is an attribute of which nothing can be told.
type LeftOut struct {
	Attribute string
	Why       string   // constant, collinear
	With      []string // that it follows from, of a collinear one
}

// Drivers are what moves an outcome.
type Drivers struct {
	N, Free      int // complete rows; degrees of freedom of the residuals
	R2, Adjusted float64
	Drivers      []Driver
	LeftOut      []LeftOut
}

// Drive fits the outcome, the first number of each row, to the others by least squares. ok is false where nothing can be told: an outcome
// that does not vary, no attribute that does, or no more rows than there are numbers to be found.
func Drive(attributes []string, rows [][]float64) (d Drivers, ok bool) {
	d.N = len(rows)
	if d.N < 3 {
		return d, false
	}
	data := mat.NewDense(d.N, len(attributes)+1, nil)
	for i, row := range rows {
		data.SetRow(i, row)
	}
	means, sds := make([]float64, len(attributes)+1), make([]float64, len(attributes)+1)
	for j := range means {
		means[j], sds[j] = stat.MeanStdDev(mat.Col(nil, j, data), nil)
	}
	varies := func(j int) bool { return sds[j] > 1e-12*math.Abs(means[j]) && sds[j] > 0 }
	if !varies(0) {
		return d, false
	}
	var correlation mat.SymDense
	stat.CorrelationMatrix(&correlation, data, nil)
	var kept []int
	for j, a := range attributes {
		if !varies(j + 1) {
			d.LeftOut = append(d.LeftOut, LeftOut{Attribute: a, Why: "constant"})
			continue
		}
		if r2, beta := explained(&correlation, j+1, kept); 1-r2 < independent {
			out := LeftOut{Attribute: a, Why: "collinear"}
			for n, k := range kept {
				if math.Abs(beta.AtVec(n)) > 1e-6 {
					out.With = append(out.With, attributes[k-1])
				}
			}
			d.LeftOut = append(d.LeftOut, out)
			continue
		}
		kept = append(kept, j+1)
	}
	if d.Free = d.N - len(kept) - 1; len(kept) == 0 || d.Free < 1 {
		return d, false
	}
	d.fit(&correlation, kept, attributes, means, sds)
	return d, true
}

func (d *Drivers) fit(correlation *mat.SymDense, kept []int, attributes []string, means, sds []float64) {
	r2, beta := explained(correlation, 0, kept)
	d.R2 = min(1, r2)
	d.Adjusted = 1 - (1-d.R2)*float64(d.N-1)/float64(d.Free)
	var factors mat.Cholesky
	factors.Factorize(part(correlation, kept)) // explained has shown that it can be done
	var inverse mat.SymDense
	_ = factors.InverseTo(&inverse)
	shares := lmg(correlation, kept)
	student := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(d.Free)}
	quantile := student.Quantile(0.975)
	for i, j := range kept {
		b, se := beta.AtVec(i), math.Sqrt((1-d.R2)/float64(d.Free)*inverse.At(i, i))
		scale := sds[0] / sds[j]
		v := Driver{
			Attribute: attributes[j-1], VIF: inverse.At(i, i), LMG: shares[i],
			Beta:  rating.Interval{Value: b, Low: b - quantile*se, High: b + quantile*se},
			Slope: rating.Interval{Value: b * scale, Low: (b - quantile*se) * scale, High: (b + quantile*se) * scale},
		}
		if se > 0 {
			v.P = 2 * student.Survival(math.Abs(b)/se)
		}
		v.Mean, _ = rating.Around(means[j], sds[j]*sds[j]/float64(d.N), d.N)
		d.Drivers = append(d.Drivers, v)
	}
	place(d.Drivers)
}

// place parts attributes by importance and performance, each against the mean of all (J. Martilla, J. James, Importance-performance
// analysis, Journal of Marketing 41 (1977) 77–79): what matters and does badly comes first.
func place(all []Driver) {
	if len(all) < 2 {
		return
	}
	var importance, performance float64
	for _, v := range all {
		importance += v.LMG / float64(len(all))
		performance += v.Mean.Value / float64(len(all))
	}
	for i, v := range all {
		switch matters, well := v.LMG >= importance, v.Mean.Value >= performance; {
		case matters && well:
			all[i].Quadrant = "keep_up"
		case matters:
			all[i].Quadrant = "concentrate_here"
		case well:
			all[i].Quadrant = "possible_overkill"
		default:
			all[i].Quadrant = "low_priority"
		}
	}
}

// lmg gives the share of each column in the R² of column 0, from the R² of each set of them.
func lmg(correlation *mat.SymDense, columns []int) []float64 {
	p := len(columns)
	r2 := make([]float64, 1<<p)
	for set := 1; set < len(r2); set++ {
		var chosen []int
		for i, j := range columns {
			if set&(1<<i) != 0 {
				chosen = append(chosen, j)
			}
		}
		r2[set], _ = explained(correlation, 0, chosen)
	}
	factorial := func(n int) float64 { return math.Gamma(float64(n) + 1) }
	shares := make([]float64, p)
	for set := range r2 {
		size := bits.OnesCount(uint(set))
		for i := range columns {
			if set&(1<<i) == 0 {
				shares[i] += factorial(size) * factorial(p-size-1) / factorial(p) * (r2[set|1<<i] - r2[set])
			}
		}
	}
	return shares
}

// explained gives the share of a column's variance that others explain, and their standardised coefficients. Of others that
// cannot be told apart it is 1.
func explained(correlation *mat.SymDense, column int, by []int) (r2 float64, beta *mat.VecDense) {
	if len(by) == 0 {
		return 0, nil
	}
	with := mat.NewVecDense(len(by), nil)
	for i, j := range by {
		with.SetVec(i, correlation.At(column, j))
	}
	beta = mat.NewVecDense(len(by), nil)
	var factors mat.Cholesky
	if !factors.Factorize(part(correlation, by)) {
		return 1, beta
	}
	_ = factors.SolveVecTo(beta, with) // an error only says that it is not exact to the last digits
	return mat.Dot(beta, with), beta
}

// part is the matrix of some columns.
func part(m *mat.SymDense, columns []int) *mat.SymDense {
	s := mat.NewSymDense(len(columns), nil)
	for a, i := range columns {
		for b := a; b < len(columns); b++ {
			s.SetSym(a, b, m.At(i, columns[b]))
		}
	}
	return s
}
