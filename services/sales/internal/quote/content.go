package quote

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/businesstime"
	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Content is what a version says, but for its lines.
type Content struct {
	Currency   string // ISO 4217, of every amount
	PriceList  string // code; empty: the tenant's for the currency
	Title      string
	Recipient  string // to whom it is addressed, as it stands on the paper: personal
	Terms      string
	ValidUntil string // the last day on which it can be accepted, YYYY-MM-DD
	TimeZone   string // in which that day ends, such as Asia/Shanghai
	Discount   Discount
	// Issuer and Language are of the policy when this was written, so that the paper stays the same.
	Issuer   string
	Language Language
}

// OfferLine is what a line is made of: an article, or what it is in words.
type OfferLine struct {
	SKU       string
	Text      string // what it is; with an SKU it may be empty
	Quantity  int64
	UnitPrice *int64 // minor units of the quote's currency; nil: what price list and price rules say
	Discount  Discount
	Tax       Tax
}

// Offer is what somebody writes: the content of a version, with ValidUntil and TimeZone empty for those of the policy.
type Offer struct {
	Content
	Lines []OfferLine
}

// Price is what catalogue and price rules say of a line.
type Price struct {
	UnitMinor   int64 // what one costs by the price list
	AmountMinor int64 // of the whole line by the price list
	NetMinor    int64 // of the whole line after all price rules
	Rules       []RuleDiscount
}

// Written is a version that was checked and added up.
type Written struct {
	Content
	Lines     []Line
	Totals    Totals
	ExpiresAt time.Time
}

// Bounds of what a version says.
const (
	maxLines     = 500
	maxSKU       = 64     // characters
	maxTitle     = 200    // characters
	maxText      = 1000   // characters of a line's text
	maxRecipient = 1000   // characters
	maxTerms     = 10_000 // characters
	maxCode      = 64
	maxValidity  = 1100 // days
)

// codePattern is what codes of reasons, levels and price lists look like.
var codePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,63}$`)

// faults collects what is wrong with fields.
type faults []problem.Field

func (f *faults) add(location, code, format string, args ...any) {
	*f = append(*f, problem.Field{Location: location, Code: code, Message: fmt.Sprintf(format, args...)})
}

// words brings what people write to one form and checks its length; only what has lines may have line ends.
func (f *faults) words(location, s string, most int, lines bool) string {
	s = norm.NFC.String(strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")))
	if utf8.RuneCountInString(s) > most {
		f.add(location, "too_long", "must be at most %d characters", most)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && (r != '\n' || !lines) }) {
		f.add(location, "characters_invalid", "must have no control characters")
	}
	return s
}

// Normalise brings an offer to the form in which it is kept, with the policy's zone and validity where it names none, and names
// every field that is not right, but for prices. The day on which its validity ends is given as the instant after it.
func (o Offer) Normalise(p Policy, now time.Time) (Offer, time.Time, []problem.Field) {
	var f faults
	if _, ok := money.Digits(o.Currency); !ok {
		f.add("currency", "currency_unknown", "must be an ISO 4217 currency code, such as CNY")
	}
	if o.PriceList != "" && utf8.RuneCountInString(o.PriceList) > maxCode {
		f.add("price_list", "price_list_unknown", "must be the code of a price list")
	}
	o.Title = f.words("title", o.Title, maxTitle, false)
	o.Recipient = f.words("recipient", o.Recipient, maxRecipient, true)
	o.Terms = f.words("terms", o.Terms, maxTerms, true)
	o.Issuer, o.Language = p.Issuer, p.Language
	if n := len(o.Lines); n < 1 || n > maxLines {
		f.add("lines", "lines_out_of_range", "must be 1 to %d", maxLines)
		o.Lines = nil
	}
	f.discount("discount", o.Discount)
	lines, units := make([]OfferLine, len(o.Lines)), int64(0)
	for i, l := range o.Lines {
		lines[i] = f.line(fmt.Sprintf("lines[%d].", i), l)
		if l.Quantity > 0 && l.Quantity <= money.Max {
			units = min(units+l.Quantity, money.Max+1)
		}
	}
	if o.Lines = lines; units > money.Max {
		f.add("lines", "quantity_too_large", "must be of at most %d units together", money.Max)
	}
	end := f.validity(&o, p, now)
	return o, end, f
}

func (f *faults) line(at string, l OfferLine) OfferLine {
	l.SKU, l.Text = strings.TrimSpace(l.SKU), f.words(at+"text", l.Text, maxText, true)
	switch {
	case l.SKU == "" && l.Text == "":
		f.add(at+"text", "line_empty", "must say what it is, where there is no sku")
	case l.SKU == "" && l.UnitPrice == nil:
		f.add(at+"unit_price_minor", "price_required", "must be given where there is no sku")
	case utf8.RuneCountInString(l.SKU) > maxSKU || strings.ContainsFunc(l.SKU, unicode.IsControl):
		f.add(at+"sku", "sku_malformed", "must be a code of at most %d characters", maxSKU)
	}
	if l.Quantity < 1 || l.Quantity > money.Max {
		f.add(at+"quantity", "quantity_out_of_range", "must be more than 0 and at most %d", money.Max)
	}
	if l.UnitPrice != nil {
		f.amount(at+"unit_price_minor", *l.UnitPrice)
	}
	f.discount(at+"discount", l.Discount)
	if l.Tax.Rate != nil {
		f.rate(at+"tax.rate", *l.Tax.Rate)
	}
	if l.Tax.AmountMinor != nil {
		f.amount(at+"tax.amount_minor", *l.Tax.AmountMinor)
	}
	return l
}

func (f *faults) amount(location string, minor int64) {
	if minor < 0 {
		f.add(location, "amount_negative", "must not be negative")
	} else if minor > money.Max {
		f.add(location, "amount_too_large", "must be at most %d", money.Max)
	}
}

func (f *faults) rate(location string, rate int32) {
	if rate < 0 || rate > whole {
		f.add(location, "rate_out_of_range", "must be 0 to 10000 hundredths of a percent")
	}
}

func (f *faults) discount(location string, d Discount) {
	f.rate(location+".rate", d.Rate)
	f.amount(location+".amount_minor", d.AmountMinor)
	if d.Rate != 0 && d.AmountMinor != 0 {
		f.add(location, "discount_ambiguous", "must be a rate or an amount, not both")
	}
}

// validity sets the last day and gives the instant after it.
func (f *faults) validity(o *Offer, p Policy, now time.Time) time.Time {
	if o.TimeZone == "" {
		o.TimeZone = p.TimeZone
	}
	zone, ok := businesstime.Zone(o.TimeZone)
	if !ok {
		f.add("time_zone", "time_zone_unknown", "must be a time zone's name, such as Asia/Shanghai")
		return time.Time{}
	}
	local := now.In(zone)
	today := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, time.UTC)
	if o.ValidUntil == "" {
		o.ValidUntil = today.AddDate(0, 0, p.ValidityDays).Format(time.DateOnly)
	}
	last, err := time.Parse(time.DateOnly, o.ValidUntil)
	switch {
	case err != nil:
		f.add("valid_until", "date_malformed", "must be a date, such as 2026-12-31")
	case last.Before(today):
		f.add("valid_until", "valid_until_past", "must not have passed in the quote's time zone")
	case last.After(today.AddDate(0, 0, maxValidity)):
		f.add("valid_until", "valid_until_far", "must lie within %d days", maxValidity)
	}
	return endOf(last, zone)
}

// endOf gives the first instant after a day in the zone. Where the clock skips midnight, that is when the next day begins.
func endOf(day time.Time, zone *time.Location) time.Time {
	y, m, d := day.Date()
	end := time.Date(y, m, d+1, 0, 0, 0, 0, zone)
	if end.Day() == d { // midnight does not exist: the instant is read as one before the change
		_, end = end.ZoneBounds()
	}
	return end.UTC()
}

// AddUp makes a version of an offer that was normalised, with what is known of its lines' prices, by line, or names every field
// that is not right. A share of anything is rounded half away from zero, line by line; the discount on the whole quote is spread
// over the lines, and taxes are on what is left of each; the total is the sum of the lines.
func (o Offer) AddUp(prices map[int]Price, expiresAt time.Time) (Written, []problem.Field) {
	var f faults
	w := Written{Content: o.Content, Lines: make([]Line, len(o.Lines)), ExpiresAt: expiresAt}
	left, sum := make([]int64, len(o.Lines)), int64(0)
	for i, l := range o.Lines {
		at := fmt.Sprintf("lines[%d].", i)
		price, known := prices[i]
		w.Lines[i] = f.price(at, Line{OfferLine: l, No: int32(i + 1)}, price, known)
		left[i] = w.Lines[i].NetMinor
		var ok bool
		if sum, ok = money.Add(sum, left[i]); !ok {
			f.add("lines", "amount_too_large", "must come to at most %d", money.Max)
			return w, f
		}
	}
	if len(f) > 0 {
		return w, f
	}
	off := o.Discount.of(sum)
	if off > sum {
		f.add("discount.amount_minor", "discount_too_large", "must be at most what the lines come to: %d", sum)
		return w, f
	}
	for i, share := range spread(off, left) {
		w.Lines[i].SharedMinor = share
		w.Lines[i].NetMinor -= share
		f.tax(fmt.Sprintf("lines[%d].tax", i), &w.Lines[i])
		if !w.Totals.add(w.Lines[i]) {
			f.add("lines", "amount_too_large", "must come to at most %d", money.Max)
			return w, f
		}
	}
	return w, f
}

// price fills in what a line costs before the discount on the whole quote.
func (f *faults) price(at string, l Line, price Price, known bool) Line {
	switch {
	case l.UnitPrice != nil:
		var ok bool
		l.UnitMinor = *l.UnitPrice
		if l.AmountMinor, ok = times(l.Quantity, l.UnitMinor); !ok {
			f.add(at+"quantity", "amount_too_large", "must come to at most %d with the price", money.Max)
			return l
		}
		l.BaseMinor = l.AmountMinor
		if known {
			l.BaseMinor = max(l.AmountMinor, price.NetMinor)
		}
	case known:
		l.UnitMinor, l.AmountMinor, l.Rules = price.UnitMinor, price.AmountMinor, price.Rules
		l.RuleMinor, l.BaseMinor = price.AmountMinor-price.NetMinor, price.NetMinor
	default:
		f.add(at+"unit_price_minor", "price_unknown", "must be given: the price list does not have this article")
		return l
	}
	before := l.AmountMinor - l.RuleMinor
	if l.DiscountMinor = l.Discount.of(before); l.DiscountMinor > before {
		f.add(at+"discount.amount_minor", "discount_too_large", "must be at most what the line costs: %d", before)
		return l
	}
	l.NetMinor = before - l.DiscountMinor
	return l
}

func (f *faults) tax(at string, l *Line) {
	tax, agrees := l.Tax.of(l.NetMinor)
	if !agrees {
		f.add(at+".amount_minor", "tax_differs", "must be what the rate makes of the line's net amount, give or take one minor unit")
	}
	l.TaxMinor = tax
	l.GrossMinor = l.NetMinor + tax // both are at most 2^53
}

// add counts a line; ok is false where a sum would be above money.Max.
func (t *Totals) add(l Line) (ok bool) {
	all := true
	for to, of := range map[*int64]int64{
		&t.AmountMinor: l.AmountMinor, &t.RuleMinor: l.RuleMinor, &t.DiscountMinor: l.DiscountMinor, &t.SharedMinor: l.SharedMinor,
		&t.NetMinor: l.NetMinor, &t.TaxMinor: l.TaxMinor, &t.TotalMinor: l.GrossMinor, &t.BaseMinor: l.BaseMinor,
	} {
		*to, ok = money.Add(*to, min(of, money.Max+1))
		all = all && ok
	}
	return all
}
