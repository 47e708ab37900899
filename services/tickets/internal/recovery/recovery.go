// Package recovery measures what complaints that were dealt with did to customers: whether they are happier than before,
// whether they buy again, and what that cost; each against matched customers who did not complain.
//
// It does not say why. Customers who complain are others than those who do not, and matching by what is known of them before
// takes out a part of that difference only.
package recovery

import (
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/guanxi-crm/guanxi/platform/proportion"
)

const (
	day = 24 * time.Hour
	// Window is how long after its end a complaint is looked at.
	Window = 90 * day
	// Back is how far before a complaint customers are known by what they bought and said.
	Back = 365 * day
	// Most is how many complaints one answer looks at: the latest.
	Most = 1000
)

// Case is a complaint that has ended.
type Case struct {
	ID           uuid.UUID
	Customer     uuid.UUID // the customer whom the complaint's id means now
	RegisteredAt time.Time
	ClosedAt     time.Time
	Outcome      string
	CostMinor    int64
	Currency     string // empty where it cost nothing
}

// Said is an answer to a survey of satisfaction that is about no complaint, 1 to 5.
type Said struct {
	At    time.Time
	Score int
}

// Person is what is known of a customer: when they bought and what they said, each in that order.
type Person struct {
	ID     uuid.UUID
	Bought []time.Time
	Said   []Said
}

// known is what a customer is matched by, as of a moment.
type known struct {
	orders int     // within Back
	days   float64 // since the last one; Back's where there is none
}

// before gives what is known of a customer before the moment.
func (p Person) before(at time.Time) known {
	until, _ := slices.BinarySearchFunc(p.Bought, at, time.Time.Compare)
	from, _ := slices.BinarySearchFunc(p.Bought, at.Add(-Back), time.Time.Compare)
	k := known{orders: until - from, days: Back.Hours() / 24}
	if k.orders > 0 {
		k.days = at.Sub(p.Bought[until-1]).Hours() / 24
	}
	return k
}

// again tells whether a customer bought within the window after the moment.
func (p Person) again(after time.Time) bool {
	return slices.ContainsFunc(p.Bought, func(at time.Time) bool { return at.After(after) && !at.After(after.Add(Window)) })
}

// felt gives the last score within Back before one moment, and the first one within the window after another.
func (p Person) felt(before, after time.Time) (was, is Said, ok bool) {
	for _, s := range p.Said {
		switch {
		case s.At.Before(before) && before.Sub(s.At) <= Back:
			was = s
		case is.Score == 0 && s.At.After(after) && !s.At.After(after.Add(Window)):
			is = s
		}
	}
	return was, is, was.Score > 0 && is.Score > 0
}

// class puts numbers of orders together: whoever bought once is like others who did, whoever bought forty times like others
// who bought often.
func class(orders int) int {
	switch {
	case orders <= 2:
		return orders
	case orders <= 5:
		return 3
	case orders <= 10:
		return 4
	default:
		return 5
	}
}

// recency puts days since the last order together.
func recency(days float64) int {
	switch {
	case days <= 30:
		return 0
	case days <= 90:
		return 1
	case days <= 180:
		return 2
	default:
		return 3
	}
}

// stratum is what a case and its match have in common exactly: coarsened exact matching, after S. M. Iacus, G. King and
// G. Porro, Causal inference without balance checking: coarsened exact matching, Political Analysis 20 (2012).
type stratum struct{ orders, recency, score int }

// Pair is a case and the customer it is matched with, by their places in what was given to Match.
type Pair struct{ Case, Match int }

// MatchPurchases gives every case a customer of the pool who is in the same class of orders and of days since the last one
// when the complaint was made; of several the one with the nearest number of orders, then of days, then the lesser id. Nobody
// is taken twice. A case without such a customer has none.
func MatchPurchases(cases []Case, of []Person, pool []Person) []Pair {
	return match(cases, pool, func(i int) (stratum, known, bool) {
		k := of[i].before(cases[i].RegisteredAt)
		return stratum{orders: class(k.orders), recency: recency(k.days)}, k, true
	}, func(i int, p Person) (stratum, known, bool) {
		k := p.before(cases[i].RegisteredAt)
		return stratum{orders: class(k.orders), recency: recency(k.days)}, k, true
	})
}

// MatchFeelings gives every case that has a score before and after a customer of the pool who has both as well, with the same
// score before and in the same class of orders; of several the one whose score before is as old, then the lesser id. The same
// score matters: whoever is unhappy becomes happier by itself, as the happiest can only become less so.
func MatchFeelings(cases []Case, of []Person, pool []Person) []Pair {
	feel := func(i int, p Person) (stratum, known, bool) {
		c := cases[i]
		was, _, ok := p.felt(c.RegisteredAt, c.ClosedAt)
		k := p.before(c.RegisteredAt)
		return stratum{orders: class(k.orders), score: was.Score}, known{days: c.RegisteredAt.Sub(was.At).Hours() / 24}, ok
	}
	return match(cases, pool, func(i int) (stratum, known, bool) { return feel(i, of[i]) }, feel)
}

// match pairs greedily, the earliest case first.
func match(cases []Case, pool []Person, mine func(i int) (stratum, known, bool), theirs func(i int, p Person) (stratum, known, bool)) []Pair {
	taken := make([]bool, len(pool))
	var pairs []Pair
	for i := range cases {
		s, k, ok := mine(i)
		if !ok {
			continue
		}
		best, least := -1, [2]float64{}
		for n, p := range pool {
			if taken[n] {
				continue
			}
			other, o, ok := theirs(i, p)
			if !ok || other != s {
				continue
			}
			far := [2]float64{math.Abs(float64(k.orders - o.orders)), math.Abs(k.days - o.days)}
			if best < 0 || far[0] < least[0] || far[0] == least[0] && (far[1] < least[1] || far[1] == least[1] && less(p.ID, pool[best].ID)) {
				best, least = n, far
			}
		}
		if best >= 0 {
			taken[best] = true
			pairs = append(pairs, Pair{i, best})
		}
	}
	return pairs
}

func less(a, b uuid.UUID) bool { return slices.Compare(a[:], b[:]) < 0 }

const z = proportion.Z

// PairedShares gives the difference of two shares among n pairs, both, first, second and neither of which had what is counted,
// with the interval of R. G. Newcombe, Improved confidence intervals for the difference between binomial proportions based on
// paired data, Statistics in Medicine 17 (1998) 2635–2650, method 10: from Wilson's intervals of both shares and their
// correlation, which is corrected for continuity. There must be at least one pair.
func PairedShares(both, first, second, neither int) proportion.Interval {
	n := both + first + second + neither
	one, two := proportion.Wilson(both+first, n), proportion.Wilson(both+second, n)
	phi := 0.0
	if m := float64(both+first) * float64(second+neither) * float64(both+second) * float64(first+neither); m > 0 {
		q := float64(both*neither - first*second)
		switch half := float64(n) / 2; {
		case q > half:
			q -= half
		case q > 0:
			q = 0
		}
		phi = q / math.Sqrt(m)
	}
	side := func(a, b float64) float64 { return math.Sqrt(max(0, a*a-2*phi*a*b+b*b)) }
	d := one.Value - two.Value
	return proportion.Interval{
		Value: d,
		Low:   max(-1, d-side(one.Value-one.Low, two.High-two.Value)),
		High:  min(1, d+side(one.High-one.Value, two.Value-two.Low)),
	}
}

// PairedMeans gives the mean of differences within pairs with Student's interval: "Student", The probable error of a mean,
// Biometrika 6 (1908). There must be at least two.
func PairedMeans(differences []float64) proportion.Interval {
	m, sd := stat.MeanStdDev(differences, nil)
	n := float64(len(differences))
	half := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Quantile(0.975) * sd / math.Sqrt(n)
	return proportion.Interval{Value: m, Low: m - half, High: m + half}
}

// Sums are what a ratio is made of.
type Sums struct {
	N                int
	Y, X, YY, XX, XY float64
}

// Ratio gives ΣY ÷ ΣX with the interval of the ratio of two means of one sample: W. G. Cochran, Sampling techniques, 3rd ed.
// (1977), section 2.11, without the correction for finite populations; the low end is cut at 0. N must be at least 2 and X
// more than 0.
func (s Sums) Ratio() proportion.Interval {
	r := s.Y / s.X
	half := z * s.deviation(r)
	return proportion.Interval{Value: r, Low: max(0, r-half), High: r + half}
}

// deviation is the standard error of the ratio.
func (s Sums) deviation(r float64) float64 {
	n := float64(s.N)
	residual := max(0, s.YY-2*r*s.XY+r*r*s.XX) / (n - 1)
	return math.Sqrt(residual/n) / (s.X / n)
}
