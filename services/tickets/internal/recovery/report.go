package recovery

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/proportion"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/survey"
)

// Report is what the complaints that ended in a period did.
type Report struct {
	AsOf         time.Time
	PurchasesAt  time.Time // how new what is known of purchases is; zero where nothing is
	Customers    int       // of whom a complaint ended, each with their first one
	TooEarly     int       // customers besides, for whom the 90 days are not over
	Repurchase   Repurchase
	Satisfaction Satisfaction
	Costs        []Cost
}

// Repurchase compares who bought again within 90 days of the end. Its intervals are nil while there is not enough data.
type Repurchase struct {
	Pairs, Unmatched    int
	Complained, Matched *proportion.Interval // shares, with Wilson's intervals
	Difference          *proportion.Interval
	Enough              bool
}

// Satisfaction compares scores before the complaint and within 90 days after its end. Its intervals are nil while there is
// not enough data.
type Satisfaction struct {
	Pairs, Unmatched int
	Before, After    *float64             // means of those who complained
	Complained       *proportion.Interval // mean change
	Matched          *proportion.Interval // of those who did not
	Difference       *proportion.Interval
	Enough           bool
}

// Cost is what was spent in one currency. Currencies are not converted, and can be added up only by who knows the rates.
type Cost struct {
	Currency     string
	TotalMinor   int64
	Customers    int // all whose complaint ended, also those on whom nothing was spent
	Recovered    int // who bought again
	PerRecovered *proportion.Interval
	// PerAdditional is the cost for each who bought again beyond as many as of those who did not complain. It is nil where
	// there are not more for sure.
	PerAdditional *proportion.Interval
}

// Split gives the first case of each customer whose window is over at the time, the earliest first, and how many customers
// have none but such whose is not.
func Split(all []Case, at time.Time) (ready []Case, early int) {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b Case) int {
		if c := a.RegisteredAt.Compare(b.RegisteredAt); c != 0 {
			return c
		}
		return slices.Compare(a.ID[:], b.ID[:])
	})
	seen, waits := map[uuid.UUID]bool{}, map[uuid.UUID]bool{}
	for _, c := range all {
		switch {
		case seen[c.Customer]:
		case c.ClosedAt.Add(Window).After(at):
			waits[c.Customer] = true
		default:
			seen[c.Customer] = true
			ready = append(ready, c)
		}
	}
	for customer := range waits {
		if !seen[customer] {
			early++
		}
	}
	return ready, early
}

// Measure compares cases, of the persons at the same places, with pools of customers who did not complain: one of those who
// bought, one of those who said how they feel.
func Measure(cases []Case, of, buyers, speakers []Person) Report {
	r := Report{Customers: len(cases)}
	r.Repurchase = repurchase(cases, of, buyers)
	r.Satisfaction = satisfaction(cases, of, speakers)
	r.Costs = costs(cases, of, r.Repurchase)
	return r
}

func repurchase(cases []Case, of, pool []Person) Repurchase {
	pairs := MatchPurchases(cases, of, pool)
	r := Repurchase{Pairs: len(pairs), Unmatched: len(cases) - len(pairs), Enough: len(pairs) >= survey.Enough}
	if !r.Enough {
		return r
	}
	var both, first, second, neither int
	for _, p := range pairs {
		after := cases[p.Case].ClosedAt
		switch mine, theirs := of[p.Case].again(after), pool[p.Match].again(after); {
		case mine && theirs:
			both++
		case mine:
			first++
		case theirs:
			second++
		default:
			neither++
		}
	}
	complained, matched := proportion.Wilson(both+first, len(pairs)), proportion.Wilson(both+second, len(pairs))
	difference := PairedShares(both, first, second, neither)
	r.Complained, r.Matched, r.Difference = &complained, &matched, &difference
	return r
}

func satisfaction(cases []Case, of, pool []Person) Satisfaction {
	pairs := MatchFeelings(cases, of, pool)
	r := Satisfaction{Pairs: len(pairs), Enough: len(pairs) >= survey.Enough}
	for i, c := range cases {
		if _, _, ok := of[i].felt(c.RegisteredAt, c.ClosedAt); ok {
			r.Unmatched++
		}
	}
	r.Unmatched -= len(pairs)
	if !r.Enough {
		return r
	}
	var before, after float64
	var mine, theirs, more []float64
	for _, p := range pairs {
		c := cases[p.Case]
		was, is, _ := of[p.Case].felt(c.RegisteredAt, c.ClosedAt)
		theirWas, theirIs, _ := pool[p.Match].felt(c.RegisteredAt, c.ClosedAt)
		before, after = before+float64(was.Score), after+float64(is.Score)
		m, t := float64(is.Score-was.Score), float64(theirIs.Score-theirWas.Score)
		mine, theirs, more = append(mine, m), append(theirs, t), append(more, m-t)
	}
	before, after = before/float64(len(pairs)), after/float64(len(pairs))
	complained, matched, difference := PairedMeans(mine), PairedMeans(theirs), PairedMeans(more)
	r.Before, r.After, r.Complained, r.Matched, r.Difference = &before, &after, &complained, &matched, &difference
	return r
}

// costs puts together what was spent, by currency.
func costs(cases []Case, of []Person, against Repurchase) (all []Cost) {
	var currencies []string
	for _, c := range cases {
		if c.CostMinor > 0 && !slices.Contains(currencies, c.Currency) {
			currencies = append(currencies, c.Currency)
		}
	}
	slices.Sort(currencies)
	for _, currency := range currencies {
		cost := Cost{Currency: currency, Customers: len(cases)}
		s := Sums{N: len(cases)}
		for i, c := range cases {
			y, x := 0.0, 0.0
			if c.Currency == currency {
				y = float64(c.CostMinor)
				cost.TotalMinor += c.CostMinor
			}
			if of[i].again(c.ClosedAt) {
				x = 1
				cost.Recovered++
			}
			s.Y, s.X, s.YY, s.XX, s.XY = s.Y+y, s.X+x, s.YY+y*y, s.XX+x*x, s.XY+x*y
		}
		if len(cases) >= survey.Enough && cost.Recovered > 0 {
			per := s.Ratio()
			cost.PerRecovered = &per
		}
		if d := against.Difference; d != nil && d.Low > 0 {
			mean := s.Y / float64(s.N)
			cost.PerAdditional = &proportion.Interval{Value: mean / d.Value, Low: mean / d.High, High: mean / d.Low}
		}
		all = append(all, cost)
	}
	return all
}
