package quote

import (
	"fmt"
	"strconv"
)

// Differences are what is different between two versions.
type Differences struct {
	From, To int32
	Fields   []Difference     // of the whole version
	Lines    []LineDifference // in the order of the later version, those that are gone last
}

// Difference is one field in both versions, as it is written in the API.
type Difference struct{ Field, From, To string }

// LineDifference is a line that came, went or was changed. Lines are the same ones where they name the same article, or have the
// same text where they name none; of several such the first is the first.
type LineDifference struct {
	From, To int32 // the line's number in each version; 0: it is not there
	SKU      string
	Text     string
	Fields   []Difference // of a line that is in both
}

// Compare tells what is different between two versions, with their lines.
func Compare(from, to Version) Differences {
	d := Differences{From: from.No, To: to.No, Fields: differ(from.fields(), to.fields())}
	key := func(l Line) string {
		if l.SKU != "" {
			return "sku " + l.SKU
		}
		return "text " + l.Text
	}
	was := map[string][]Line{}
	for _, l := range from.Lines {
		was[key(l)] = append(was[key(l)], l)
	}
	gone := map[int32]bool{}
	for _, l := range to.Lines {
		same := was[key(l)]
		if len(same) == 0 {
			d.Lines = append(d.Lines, LineDifference{To: l.No, SKU: l.SKU, Text: l.Text})
			continue
		}
		was[key(l)], gone[same[0].No] = same[1:], true
		if fields := differ(same[0].fields(), l.fields()); len(fields) > 0 {
			d.Lines = append(d.Lines, LineDifference{From: same[0].No, To: l.No, SKU: l.SKU, Text: l.Text, Fields: fields})
		}
	}
	for _, l := range from.Lines {
		if !gone[l.No] {
			d.Lines = append(d.Lines, LineDifference{From: l.No, SKU: l.SKU, Text: l.Text})
		}
	}
	return d
}

// field is one field as it is written in the API.
type field struct{ name, value string }

func differ(from, to []field) (found []Difference) {
	for i, f := range from {
		if f.value != to[i].value {
			found = append(found, Difference{Field: f.name, From: f.value, To: to[i].value})
		}
	}
	return found
}

func minor(n int64) string { return strconv.FormatInt(n, 10) }

func (v Version) fields() []field {
	c, t := v.Content, v.Totals
	return []field{
		{"currency", c.Currency}, {"price_list", c.PriceList}, {"title", c.Title}, {"recipient", c.Recipient}, {"terms", c.Terms},
		{"valid_until", c.ValidUntil}, {"time_zone", c.TimeZone}, {"discount.rate", fmt.Sprint(c.Discount.Rate)},
		{"discount.amount_minor", minor(c.Discount.AmountMinor)}, {"amount_minor", minor(t.AmountMinor)}, {"net_minor", minor(t.NetMinor)},
		{"tax_minor", minor(t.TaxMinor)}, {"total_minor", minor(t.TotalMinor)}, {"discount_granted", fmt.Sprint(t.DiscountRate())},
	}
}

func (l Line) fields() []field {
	rate, tax := "", ""
	if l.Tax.Rate != nil {
		rate = fmt.Sprint(*l.Tax.Rate)
	}
	if l.Tax.AmountMinor != nil {
		tax = minor(*l.Tax.AmountMinor)
	}
	return []field{
		{"text", l.Text}, {"quantity", minor(l.Quantity)}, {"unit_price_minor", minor(l.UnitMinor)}, {"discount.rate", fmt.Sprint(l.Discount.Rate)},
		{"discount.amount_minor", minor(l.Discount.AmountMinor)}, {"tax.rate", rate}, {"tax.amount_minor", tax}, {"rule_discount_minor", minor(l.RuleMinor)},
		{"net_minor", minor(l.NetMinor)}, {"tax_minor", minor(l.TaxMinor)}, {"gross_minor", minor(l.GrossMinor)},
	}
}
