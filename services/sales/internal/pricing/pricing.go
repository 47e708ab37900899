// Package pricing says what a basket costs, and why: prices of the catalogue, less what the tenant's rules take off.
//
// Prices are fair: what a rule takes off may hang on what is bought, how much of it, when and where, and on benefits that were
// published with a text that customers can read. It may not hang on who buys: see [unfair].
//
// Money is exact. A percentage of a line is rounded to the minor unit, half away from zero. What a rule takes off the basket is
// spread over its lines in proportion to what is left of each, by largest remainder: every line gets its share rounded down, and
// the units that are left go to the lines that lost most by that, the first of equal ones first. So the sum of the lines is
// always the total, and nothing is ever below zero.
package pricing

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/money"
)

// Basket is what somebody may buy.
type Basket struct {
	Currency   string    // ISO 4217
	PriceList  string    // code; empty: the list of the currency that is valid at the time
	Channel    string    // code of where it is sold, such as shop; may be empty
	CustomerID uuid.UUID // whose published benefits count; Nil: nobody's
	At         time.Time // by the prices and rules of when; zero: now
	Lines      []BasketLine
}

// BasketLine is one line of a Basket.
type BasketLine struct {
	SKU      string
	Quantity int64 // 1 or more
}

// Priced is what a basket costs. All amounts are in minor units of Currency; ListMinor less DiscountMinor is TotalMinor, which
// is the sum of the lines' amounts.
type Priced struct {
	Currency      string
	PriceList     string // code of the list that was used
	At            time.Time
	Benefits      []string // codes of the published benefits that the customer has
	Lines         []PricedLine
	ListMinor     int64
	DiscountMinor int64
	TotalMinor    int64
}

// PricedLine is what one line costs.
type PricedLine struct {
	SKU, Name    string
	Category     string   // code; empty: none
	Path         []string // codes of the categories from the root to Category
	Quantity     int64
	UnitMinor    int64 // of each unit, by the list
	FromQuantity int64 // from which quantity on that price holds; 1: for any
	ListMinor    int64 // UnitMinor times Quantity
	Discounts    []Discount
	AmountMinor  int64 // ListMinor less the discounts
}

// Discount is what one rule takes off a line.
type Discount struct {
	Rule        string // code
	Name        string
	Scope       Scope // basket: the line's share of what is taken off the whole basket
	AmountMinor int64
	Words       string // for people
}

// Scope is what a rule takes something off.
type Scope string

// The scopes of rules.
const (
	Line    Scope = "line"
	Whole   Scope = "basket"
	hundred       = 10_000 // hundredths of a percent
)

// Rule is when something is taken off, and how much.
type Rule struct {
	Code      string
	Name      string // for customers and those who sell
	Position  int    // rules are asked from the lowest on, those of one position by code
	Scope     Scope
	Condition string // CEL; empty: always
	// Either PercentHundredths, hundredths of a percent of what the rules before left, from 1 to 10,000; or AmountMinor of Currency,
	// off the whole line or basket, however many units it has.
	PercentHundredths int32
	AmountMinor       int64
	Currency          string
	From, To          time.Time // from inclusive, to exclusive; zero: without a bound
	// Exclusive goes together with no other rule: it is left out where a rule before took something off, and none after it takes
	// anything off what it was used for.
	Exclusive bool
	Archived  bool
	Version   int64
	By        string // subject of whoever changed it last
	ChangedAt time.Time
}

// holdsAt tells whether the rule is used at a time, in a currency.
func (r Rule) holdsAt(at time.Time, currency string) bool {
	return !r.Archived && !at.Before(r.From) && (r.To.IsZero() || at.Before(r.To)) && (r.Currency == "" || r.Currency == currency)
}

// off is what the rule takes off an amount, at most all of it.
func (r Rule) off(amount int64) int64 {
	if r.PercentHundredths > 0 {
		return portion(amount, int64(r.PercentHundredths), hundred)
	}
	return min(amount, r.AmountMinor)
}

// portion is part of whole of an amount (0 <= part <= whole), rounded half away from zero.
func portion(amount, part, whole int64) int64 {
	share, rest := divide(amount, part, whole)
	if rest >= whole-rest {
		share++
	}
	return share
}

// divide gives amount times part by whole, rounded down, and the remainder; part or amount is at most whole.
func divide(amount, part, whole int64) (share, rest int64) {
	high, low := bits.Mul64(uint64(amount), uint64(part))
	q, r := bits.Div64(high, low, uint64(whole))
	return int64(q), int64(r)
}

// spread gives each of the weights its share of an amount that is at most their sum, by largest remainder.
func spread(amount int64, weights []int64) []int64 {
	var sum int64
	for _, w := range weights {
		sum += w
	}
	shares, rests := make([]int64, len(weights)), make([]int64, len(weights))
	if sum == 0 {
		return shares
	}
	left := amount
	for i, w := range weights {
		shares[i], rests[i] = divide(amount, w, sum)
		left -= shares[i]
	}
	byRest := make([]int, len(weights))
	for i := range byRest {
		byRest[i] = i
	}
	slices.SortStableFunc(byRest, func(a, b int) int { return cmp.Compare(rests[b], rests[a]) })
	for _, i := range byRest[:left] {
		shares[i]++
	}
	return shares
}

// reduce takes off what the rules say, which are in their order; fits tells whether a rule's condition holds of a line, or with
// line -1 of the basket. Conditions are about what the basket costs by the list, so that none hangs on the rules before.
func (p *Priced) reduce(rules []Rule, fits func(r Rule, line int) bool) {
	closed := make([]bool, len(p.Lines)) // by an exclusive rule
	for _, r := range rules {
		if r.Scope == Line {
			p.reduceLines(r, closed, fits)
		} else if fits(r, -1) {
			p.reduceWhole(r, closed)
		}
	}
	for i := range p.Lines {
		p.ListMinor += p.Lines[i].ListMinor
		p.TotalMinor += p.Lines[i].AmountMinor
	}
	p.DiscountMinor = p.ListMinor - p.TotalMinor
}

func (p *Priced) reduceLines(r Rule, closed []bool, fits func(r Rule, line int) bool) {
	for i := range p.Lines {
		l := &p.Lines[i]
		if closed[i] || r.Exclusive && len(l.Discounts) > 0 || !fits(r, i) {
			continue
		}
		if l.take(r, r.off(l.AmountMinor), p.Currency) {
			closed[i] = r.Exclusive
		}
	}
}

func (p *Priced) reduceWhole(r Rule, closed []bool) {
	weights, sum := make([]int64, len(p.Lines)), int64(0)
	for i := range p.Lines {
		if r.Exclusive && len(p.Lines[i].Discounts) > 0 {
			return
		}
		if !closed[i] {
			weights[i] = p.Lines[i].AmountMinor
			sum += weights[i]
		}
	}
	taken := false
	for i, share := range spread(r.off(sum), weights) {
		if p.Lines[i].take(r, share, p.Currency) {
			taken = true
		}
	}
	if taken && r.Exclusive {
		for i := range closed {
			closed[i] = true
		}
	}
}

// take takes an amount off the line; it tells whether there was anything to take.
func (l *PricedLine) take(r Rule, amount int64, currency string) bool {
	if amount == 0 {
		return false
	}
	l.AmountMinor -= amount
	l.Discounts = append(l.Discounts, Discount{Rule: r.Code, Name: r.Name, Scope: r.Scope, AmountMinor: amount, Words: r.words(amount, currency)})
	return true
}

// words says what a rule took off a line.
func (r Rule) words(amount int64, currency string) string {
	what := percent(r.PercentHundredths) + " off the " + string(r.Scope)
	if r.PercentHundredths == 0 {
		what = major(r.AmountMinor, currency) + " " + currency + " off the " + string(r.Scope)
	}
	share := ""
	if r.Scope == Whole {
		share = ", this line's share"
	}
	return fmt.Sprintf("%s: %s%s (%s %s)", r.Name, what, share, major(amount, currency), currency)
}

// percent writes hundredths of a percent: 1250 is 12.5 %.
func percent(hundredths int32) string {
	whole, rest := hundredths/100, hundredths%100
	switch {
	case rest == 0:
		return fmt.Sprintf("%d %%", whole)
	case rest%10 == 0:
		return fmt.Sprintf("%d.%d %%", whole, rest/10)
	default:
		return fmt.Sprintf("%d.%02d %%", whole, rest)
	}
}

// major writes an amount in major units, with all digits that the currency has.
func major(minor int64, currency string) string {
	digits, _ := money.Digits(currency)
	scale := int64(1)
	for range digits {
		scale *= 10
	}
	if digits == 0 {
		return fmt.Sprint(minor)
	}
	return fmt.Sprintf("%d.%0*d", minor/scale, digits, minor%scale)
}
