package quote

import (
	"math/bits"
	"slices"

	"github.com/guanxi-crm/guanxi/platform/money"
)

// whole is 100 % in hundredths of a percent.
const whole = 10_000

// Discount is what is taken off: a share or an amount; the zero Discount takes nothing off.
type Discount struct {
	Rate        int32 // hundredths of a percent, 0 to 10000
	AmountMinor int64
}

// of gives what the discount takes off an amount; a share is rounded half away from zero.
func (d Discount) of(amount int64) int64 {
	if d.Rate > 0 {
		return rounded(amount, int64(d.Rate), whole)
	}
	return d.AmountMinor
}

// Tax is the tax on a line as the caller gives it: at a rate of the line's net amount, as an amount, or both, which must agree to
// one minor unit, since others round in other ways. The zero Tax is none.
type Tax struct {
	Rate        *int32 // hundredths of a percent, 0 to 10000
	AmountMinor *int64
}

// of gives the tax on a net amount; agrees is false where rate and amount say something different. A rate is rounded half away
// from zero.
func (t Tax) of(net int64) (tax int64, agrees bool) {
	if t.Rate != nil {
		tax = rounded(net, int64(*t.Rate), whole)
	}
	if t.AmountMinor == nil {
		return tax, true
	}
	off := *t.AmountMinor - tax
	return *t.AmountMinor, t.Rate == nil || -1 <= off && off <= 1
}

// Line is a line of a version with its amounts, all of the whole line and in minor units but for the price of a unit:
//
//	AmountMinor (quantity x price) - RuleMinor - DiscountMinor - SharedMinor = NetMinor
//	NetMinor + TaxMinor = GrossMinor
type Line struct {
	OfferLine
	No            int32 // from 1
	UnitMinor     int64 // what one costs: typed, or by the price list
	AmountMinor   int64
	Rules         []RuleDiscount // what price rules take off; none where the price was typed
	RuleMinor     int64          // their sum
	DiscountMinor int64          // the line's own discount
	SharedMinor   int64          // the line's share of the discount on the whole quote
	NetMinor      int64
	TaxMinor      int64
	GrossMinor    int64
	// BaseMinor is what the line costs without anything that the seller grants: what approval is measured by.
	BaseMinor int64
}

// RuleDiscount is what one price rule takes off a line.
type RuleDiscount struct {
	Code        string `json:"code"`
	Words       string `json:"words"` // what the customer is told
	AmountMinor int64  `json:"amount_minor"`
}

// Totals are the sums of all lines.
type Totals struct {
	AmountMinor   int64
	RuleMinor     int64
	DiscountMinor int64
	SharedMinor   int64
	NetMinor      int64
	TaxMinor      int64
	TotalMinor    int64 // of GrossMinor: what the customer pays
	BaseMinor     int64
}

// GrantedMinor is what the seller grants: by discounts, and by prices typed below those of the price list.
func (t Totals) GrantedMinor() int64 { return t.BaseMinor - t.NetMinor }

// DiscountRate is what the seller grants as a share of what all would cost otherwise, in hundredths of a percent, rounded half
// away from zero.
func (t Totals) DiscountRate() int32 {
	if t.BaseMinor == 0 {
		return 0
	}
	return int32(rounded(whole, t.GrantedMinor(), t.BaseMinor))
}

// above tells whether more than rate, in hundredths of a percent, is granted: exactly, not as rounded.
func (t Totals) above(rate int32) bool {
	granted, low := bits.Mul64(uint64(t.GrantedMinor()), whole)
	limit, lowLimit := bits.Mul64(uint64(t.BaseMinor), uint64(rate))
	return granted > limit || granted == limit && low > lowLimit
}

// rounded gives amount x part / of, rounded half away from zero: 0 <= part <= of, of > 0, amount >= 0.
func rounded(amount, part, of int64) int64 {
	high, low := bits.Mul64(uint64(amount), uint64(part))
	quotient, rest := bits.Div64(high, low, uint64(of))
	if rest >= uint64(of)-rest {
		quotient++
	}
	return int64(quotient)
}

// spread divides an amount over lines in proportion to their weights, whose sum is at least the amount: each gets its share
// rounded down, and what is left goes, a minor unit each, to those who lost most by that, the first of equals first. So no share
// is more than its weight, and all of them add up to the amount.
func spread(amount int64, weights []int64) []int64 {
	shares := make([]int64, len(weights))
	var sum int64
	for _, w := range weights {
		sum += w
	}
	if amount == 0 || sum == 0 {
		return shares
	}
	lost, order, left := make([]uint64, len(weights)), make([]int, len(weights)), amount
	for i, w := range weights {
		high, low := bits.Mul64(uint64(amount), uint64(w))
		share, rest := bits.Div64(high, low, uint64(sum))
		shares[i], lost[i], order[i] = int64(share), rest, i
		left -= int64(share)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case lost[a] > lost[b]:
			return -1
		case lost[a] < lost[b]:
			return 1
		}
		return 0
	})
	for _, i := range order[:left] {
		shares[i]++
	}
	return shares
}

// times gives quantity x price; ok is false above money.Max.
func times(quantity, price int64) (amount int64, ok bool) {
	high, low := bits.Mul64(uint64(quantity), uint64(price))
	return int64(low), high == 0 && low <= uint64(money.Max)
}
