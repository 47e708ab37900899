package lifecycle

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/guanxi-crm/guanxi/platform/proportion"
)

// Observed is how many relationships ended after a time, and of how many no more is known than that they lasted so long.
type Observed struct {
	Time     float64
	Ended    int
	Censored int
}

// Point is a survival curve from a time on.
type Point struct {
	Time     float64 `json:"time"`
	AtRisk   int     `json:"at_risk"` // right before
	Ended    int     `json:"ended"`
	Censored int     `json:"censored"`
	Survival float64 `json:"survival"`
	Error    float64 `json:"error"` // standard error after Greenwood
	Low      float64 `json:"low"`   // of the 95 % interval
	High     float64 `json:"high"`
}

// Curve is an estimate of how many survive how long.
type Curve struct {
	Points     []Point // at each time that something ended or was censored at
	N          int
	Ended      int
	Median     float64 // the first time at which half or fewer survive; NaN: more do to the end
	MedianLow  float64 // from where the interval has half in it; NaN: never
	MedianHigh float64 // to where; NaN: without end
}

// KaplanMeier estimates survival by the product-limit method (E. L. Kaplan, P. Meier, JASA 53 (1958) 457–481). Who is censored at a
// time at which others end is at risk then. The standard error is that of M. Greenwood (1926), S·√Σ d/(n(n−d)); the interval takes it to
// the scale log(−log S), where it stays within 0 and 1 (J. D. Kalbfleisch, R. L. Prentice, 1980). Where nobody is left, it has none.
func KaplanMeier(all []Observed) Curve {
	all = together(all)
	c := Curve{Median: math.NaN(), MedianLow: math.NaN(), MedianHigh: math.NaN()}
	for _, o := range all {
		c.N += o.Ended + o.Censored
		c.Ended += o.Ended
	}
	left, survival, greenwood := c.N, 1.0, 0.0
	low, high := 1.0, 1.0
	for _, o := range all {
		p := Point{Time: o.Time, AtRisk: left, Ended: o.Ended, Censored: o.Censored}
		if o.Ended > 0 {
			survival *= 1 - float64(o.Ended)/float64(left)
			if left > o.Ended {
				greenwood += float64(o.Ended) / (float64(left) * float64(left-o.Ended))
			}
			low, high = bounds(survival, greenwood)
		}
		p.Survival, p.Error, p.Low, p.High = survival, survival*math.Sqrt(greenwood), low, high
		left -= o.Ended + o.Censored
		c.Points = append(c.Points, p)
		at := func(where *float64, share float64) {
			if math.IsNaN(*where) && share <= 0.5+1e-12 {
				*where = o.Time
			}
		}
		at(&c.MedianLow, low)
		at(&c.Median, survival)
		at(&c.MedianHigh, high)
	}
	return c
}

// bounds are the interval of a survival; sum is Greenwood's.
func bounds(survival, sum float64) (low, high float64) {
	if survival <= 0 {
		return 0, 0
	}
	l := math.Log(survival)
	half := proportion.Z * math.Sqrt(sum) / math.Abs(l)
	return math.Pow(survival, math.Exp(half)), math.Pow(survival, math.Exp(-half))
}

// together sorts by time and adds up what has the same.
func together(all []Observed) []Observed {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b Observed) int { return cmp.Compare(a.Time, b.Time) })
	var out []Observed
	for _, o := range all {
		if n := len(out); n > 0 && out[n-1].Time == o.Time {
			out[n-1].Ended += o.Ended
			out[n-1].Censored += o.Censored
			continue
		}
		out = append(out, o)
	}
	return out
}

// LogRank tests whether groups survive alike (N. Mantel 1966; R. Peto, J. Peto 1972): the statistic follows a χ² distribution with one
// degree of freedom fewer than there are groups, if they do. ok is false where nothing can be said: fewer than two groups, or none
// of them has anything that ended.
func LogRank(groups [][]Observed) (statistic, p float64, ok bool) {
	k := len(groups)
	if k < 2 {
		return 0, 0, false
	}
	groups = slices.Clone(groups)
	var times []Observed
	left := make([]int, k)
	for i := range groups {
		groups[i] = together(groups[i])
		times = append(times, groups[i]...)
		for _, o := range groups[i] {
			left[i] += o.Ended + o.Censored
		}
	}
	difference, variance := mat.NewVecDense(k-1, nil), mat.NewSymDense(k-1, nil)
	at := make([]int, k)
	for _, t := range together(times) {
		n, here := 0, make([]Observed, k)
		for i := range groups {
			n += left[i]
			if at[i] < len(groups[i]) && groups[i][at[i]].Time == t.Time {
				here[i] = groups[i][at[i]]
				at[i]++
			}
		}
		d, N := float64(t.Ended), float64(n)
		for i := range k - 1 {
			share := float64(left[i]) / N
			difference.SetVec(i, difference.AtVec(i)+float64(here[i].Ended)-d*share)
			if n < 2 {
				continue
			}
			spread := d * (N - d) / (N - 1)
			for j := i; j < k-1; j++ {
				other := -float64(left[j]) / N
				if i == j {
					other++
				}
				variance.SetSym(i, j, variance.At(i, j)+spread*share*other)
			}
		}
		for i := range groups {
			left[i] -= here[i].Ended + here[i].Censored
		}
	}
	var cholesky mat.Cholesky
	if !cholesky.Factorize(variance) {
		return 0, 0, false
	}
	var solved mat.VecDense
	if err := cholesky.SolveVecTo(&solved, difference); err != nil {
		return 0, 0, false
	}
	statistic = mat.Dot(difference, &solved)
	return statistic, distuv.ChiSquared{K: float64(k - 1)}.Survival(statistic), true
}
