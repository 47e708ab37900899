package orderimport

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/platform/money"
)

// orders reads rows of a file in which orders have several, each with the columns of all; it gives each order as system/id and
// the amounts of its lines, and what was refused.
func orders(rows ...row) (taken, refused []string) {
	columns := []string{"external_id", "line", "system", "customer", "customer_system", "customer_id", "placed_at", "quantity", "amount", "currency", "sku", "channel"}
	all := make([]imports.Row, len(rows))
	for i, r := range rows {
		values := make([]string, len(columns))
		for n, c := range columns {
			values[n] = purchase(r)[c]
		}
		all[i] = imports.NewRow(int64(i+1), columns, values)
	}
	prepare(all, true, noon)
	groups, rejected := prepared(all)
	for _, g := range groups {
		text := g.order.ExternalRef.System + "/" + g.order.ExternalRef.ID + ":"
		for _, l := range g.order.Lines {
			text += fmt.Sprintf(" %d %d", l.No, l.AmountMinor)
		}
		taken = append(taken, text)
	}
	slices.SortStableFunc(rejected, func(a, b imports.Rejection) int { return cmp.Compare(a.Line, b.Line) })
	for _, f := range rejected {
		refused = append(refused, fmt.Sprint(f.Line, " ", f.Column, " ", f.Code))
	}
	return taken, refused
}

func TestRowsThatStandTogetherAreOneOrder(t *testing.T) {
	t.Parallel()
	line := func(id, no string, changes row) row {
		r := row{"external_id": id, "line": no}
		maps.Copy(r, changes)
		return r
	}
	for name, c := range map[string]struct {
		rows           []row
		taken, refused []string
	}{
		"two orders": {[]row{line("A", "1", nil), line("A", "2", row{"amount": "5.00"}), line("B", "1", nil)},
			[]string{"cdnow/A: 1 1177 2 500", "cdnow/B: 1 1177"}, nil},
		"lines are numbered anew": {[]row{line("A", "10", nil), line("A", "20", row{"amount": "1.00"})}, []string{"cdnow/A: 1 1177 2 100"}, nil},
		"one after the other of two systems": {[]row{line("A", "1", row{"system": "x"}), line("A", "1", row{"system": "y"})},
			[]string{"x/A: 1 1177", "y/A: 1 1177"}, nil},
		"the same again later": {[]row{line("A", "1", nil), line("B", "1", nil), line("A", "1", nil)},
			[]string{"cdnow/A: 1 1177", "cdnow/B: 1 1177", "cdnow/A: 1 1177"}, nil},
		"in two currencies": {[]row{line("A", "1", nil), line("A", "2", row{"currency": "EUR"}), line("B", "1", nil)},
			[]string{"cdnow/B: 1 1177"}, []string{"1 external_id together_incomplete", "2 currency currency_mixed"}},
		"of two customers": {[]row{line("A", "1", nil), line("A", "2", row{"customer": "2"}), line("A", "3", nil)},
			nil, []string{"1 external_id together_incomplete", "2 customer customer_mixed", "3 external_id together_incomplete"}},
		"at two times": {[]row{line("A", "1", nil), line("A", "2", row{"placed_at": "19970102"})},
			nil, []string{"1 external_id together_incomplete", "2 placed_at placed_at_mixed"}},
		"at one time in two forms": {[]row{line("A", "1", nil), line("A", "2", row{"placed_at": "1997-01-01T08:00:00+08:00"})}, []string{"cdnow/A: 1 1177 2 1177"}, nil},
		"in two places":            {[]row{line("A", "1", nil), line("A", "2", row{"channel": "web"})}, nil, []string{"1 external_id together_incomplete", "2 channel channel_mixed"}},
		"a line twice":             {[]row{line("A", "1", nil), line("A", "1", nil)}, nil, []string{"1 external_id together_incomplete", "2 line line_out_of_order"}},
		"lines the wrong way":      {[]row{line("A", "2", nil), line("A", "1", nil)}, nil, []string{"1 external_id together_incomplete", "2 line line_out_of_order"}},
		"a line that is no number": {[]row{line("A", "x", nil), line("A", "2", nil)}, nil, []string{"1 line line_malformed", "2 external_id together_incomplete"}},
		"line zero":                {[]row{line("A", "0", nil)}, nil, []string{"1 line line_malformed"}},
		"a fault in one":           {[]row{line("A", "1", nil), line("A", "2", row{"amount": "-1"})}, nil, []string{"1 external_id together_incomplete", "2 amount amount_negative"}},
		"none of one": {[]row{line("A", "1", nil), line("A", "2", row{"quantity": "0"}), line("B", "1", nil)},
			[]string{"cdnow/B: 1 1177"}, []string{"1 external_id together_incomplete", "2 quantity quantity_out_of_range"}},
		"more than can be counted": {[]row{line("A", "1", row{"amount": "90071992547409.91"}), line("A", "2", nil)},
			nil, []string{"1 external_id together_incomplete", "2 amount amount_too_large"}},
	} {
		if taken, refused := orders(c.rows...); !slices.Equal(taken, c.taken) || !slices.Equal(refused, c.refused) {
			t.Errorf("%s: took %q, refused %q", name, taken, refused)
		}
	}
	long := make([]row, 1001)
	for i := range long {
		long[i] = line("A", fmt.Sprint(i+1), nil)
	}
	if taken, refused := orders(long...); len(taken) > 0 || len(refused) != 1001 || refused[0] != "1 line lines_out_of_range" {
		t.Errorf("1,001 lines: took %d orders, refused %d rows, %.40q", len(taken), len(refused), refused)
	}
	if taken, refused := orders(long[:1000]...); len(taken) != 1 || len(refused) > 0 {
		t.Errorf("1,000 lines: took %d orders, refused %.80q", len(taken), refused)
	}
}

// TestAnOrderFromAFileIsWorthItsRows draws orders of any lines and currencies: what is taken is worth what its rows say.
func TestAnOrderFromAFileIsWorthItsRows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		currency := rapid.SampledFrom([]string{"JPY", "USD", "KWD"}).Draw(t, "currency")
		digits, _ := money.Digits(currency)
		scale := int64(math.Pow10(digits))
		var rows []reading
		var sum, units int64
		for n := range rapid.IntRange(1, 30).Draw(t, "lines") {
			minor, quantity := rapid.Int64Range(0, 1_000_000).Draw(t, "minor"), rapid.Int64Range(1, 99).Draw(t, "quantity")
			amount := fmt.Sprint(minor / scale)
			if digits > 0 {
				amount += fmt.Sprintf(".%0*d", digits, minor%scale)
			}
			r := purchase(row{"currency": currency, "amount": amount, "quantity": fmt.Sprint(quantity), "line": fmt.Sprint(n + 1)})
			one, faults := read(int64(n+1), func(column string) string { return r[column] }, true)
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			rows, sum, units = append(rows, one), sum+minor, units+quantity
		}
		o, faults := place(rows, uuid.New(), noon)
		var lines int64
		for _, l := range o.Lines {
			lines += l.AmountMinor
		}
		if len(faults) > 0 || o.TotalMinor != sum || lines != sum || o.Units != units {
			t.Fatalf("%v: total %d, lines %d, want %d", faults, o.TotalMinor, lines, sum)
		}
	})
}
