package order_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/externalref"
	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/order"
)

var (
	noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	lily = externalref.Ref{System: "shop", ID: "17"}
)

// pizzas is an order of two Margheritas for 138.00 and three colas for 10.00.
func pizzas() order.Draft {
	return order.Draft{CustomerRef: lily, Channel: "shop", Currency: "CNY", Lines: []order.DraftLine{
		{SKU: "MARGHERITA", Quantity: 2, AmountMinor: 13800}, {SKU: "COLA", Quantity: 3, AmountMinor: 1000},
	}}
}

func TestPlaceNamesEveryFault(t *testing.T) {
	t.Parallel()
	sum := func(n int64) *int64 { return &n }
	cases := []struct {
		name   string
		change func(*order.Draft)
		faults []string
	}{
		{"all in order", func(*order.Draft) {}, nil},
		{"the right control sum", func(d *order.Draft) { d.TotalMinor = sum(14800) }, nil},
		{"a present: nothing to pay", func(d *order.Draft) { d.Lines[1].AmountMinor = 0 }, nil},
		{"years ago", func(d *order.Draft) { d.PlacedAt = noon.AddDate(-29, 0, 0) }, nil},
		{"the wrong control sum", func(d *order.Draft) { d.TotalMinor = sum(14801) }, []string{"total_minor total_differs"}},
		{"no customer", func(d *order.Draft) { d.CustomerRef = externalref.Ref{} }, []string{"customer_id customer_required"}},
		{"two customers", func(d *order.Draft) { d.CustomerID = uuid.New() }, []string{"customer_id customer_required"}},
		{"no lines", func(d *order.Draft) { d.Lines = nil }, []string{"lines lines_out_of_range"}},
		{"too many lines", func(d *order.Draft) { d.Lines = make([]order.DraftLine, 1001) }, []string{"lines lines_out_of_range"}},
		{"nothing bought", func(d *order.Draft) { d.Lines[0].Quantity = 0 }, []string{"lines[0].quantity quantity_out_of_range"}},
		{"less than nothing bought", func(d *order.Draft) { d.Lines[1].Quantity = -1 }, []string{"lines[1].quantity quantity_out_of_range"}},
		{"a negative amount", func(d *order.Draft) { d.Lines[1].AmountMinor = -1 }, []string{"lines[1].amount_minor amount_negative"}},
		{"an amount too large", func(d *order.Draft) { d.Lines[0].AmountMinor = money.Max + 1 }, []string{"lines[0].amount_minor amount_too_large"}},
		{"a sum too large", func(d *order.Draft) { d.Lines[0].AmountMinor = money.Max }, []string{"lines[1].amount_minor amount_too_large"}},
		{"the largest integer", func(d *order.Draft) { d.Lines[0].Quantity = 1<<63 - 1 }, []string{"lines[0].quantity quantity_too_large"}},
		{"a currency of the past", func(d *order.Draft) { d.Currency = "DEM" }, []string{"currency currency_unknown"}},
		{"next week", func(d *order.Draft) { d.PlacedAt = noon.AddDate(0, 0, 7) }, []string{"placed_at placed_at_out_of_range"}},
		{"the stone age", func(d *order.Draft) { d.PlacedAt = time.Date(2, 1, 1, 0, 0, 0, 0, time.UTC) }, []string{"placed_at placed_at_out_of_range"}},
		{"an endless article", func(d *order.Draft) { d.Lines[0].SKU = strings.Repeat("x", 65) }, []string{"lines[0].sku sku_malformed"}},
		{"a channel with a line end", func(d *order.Draft) { d.Channel = "a\nb" }, []string{"channel channel_malformed"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := pizzas()
			c.change(&d)
			_, faults := order.Place(uuid.New(), d, noon)
			if got := codes(faults); !slices.Equal(got, c.faults) {
				t.Fatalf("got %q, want %q", got, c.faults)
			}
		})
	}
}

func TestPlaceAddsUpAndNumbersTheLines(t *testing.T) {
	t.Parallel()
	o, _ := order.Place(uuid.New(), pizzas(), noon)
	if o.Units != 5 || o.TotalMinor != 14800 || o.Lines[0].No != 1 || o.Lines[1].No != 2 || !o.PlacedAt.Equal(noon) {
		t.Fatalf("%+v", o)
	}
}

func TestTheTotalIsTheSumOfTheLines(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := pizzas()
		d.Lines = drawLines(t)
		o, faults := order.Place(uuid.New(), d, noon)
		var units, total int64
		for _, l := range d.Lines {
			units, total = units+l.Quantity, total+l.AmountMinor
		}
		if len(faults) > 0 || o.Units != units || o.TotalMinor != total {
			t.Fatalf("units %d of %d, total %d of %d, faults %v", o.Units, units, o.TotalMinor, total, faults)
		}
	})
}

func TestFingerprintTellsContentApart(t *testing.T) {
	t.Parallel()
	base := pizzas().Fingerprint()
	same := pizzas()
	same.ExternalRef = externalref.Ref{System: "shop", ID: "1"} // the name is not the content
	if !bytes.Equal(base, same.Fingerprint()) {
		t.Error("the same content has another fingerprint")
	}
	elsewhere := pizzas()
	elsewhere.PlacedAt = noon
	there := pizzas()
	there.PlacedAt = noon.In(time.FixedZone("Shanghai", 8*3600))
	if !bytes.Equal(elsewhere.Fingerprint(), there.Fingerprint()) {
		t.Error("the same moment in another zone has another fingerprint")
	}
	for name, change := range map[string]func(*order.Draft){
		"customer": func(d *order.Draft) { d.CustomerRef.ID = "18" },
		"channel":  func(d *order.Draft) { d.Channel = "web" },
		"currency": func(d *order.Draft) { d.Currency = "HKD" },
		"time":     func(d *order.Draft) { d.PlacedAt = noon },
		"article":  func(d *order.Draft) { d.Lines[0].SKU = "FUNGHI" },
		"quantity": func(d *order.Draft) { d.Lines[0].Quantity++ },
		"amount":   func(d *order.Draft) { d.Lines[0].AmountMinor++ },
		"order":    func(d *order.Draft) { slices.Reverse(d.Lines) },
		"lines":    func(d *order.Draft) { d.Lines = d.Lines[:1] },
		"quote":    func(d *order.Draft) { d.QuoteID = uuid.New() },
		"won":      func(d *order.Draft) { d.OpportunityID = uuid.New() },
	} {
		other := pizzas()
		change(&other)
		if bytes.Equal(base, other.Fingerprint()) {
			t.Errorf("another %s has the same fingerprint", name)
		}
	}
}

// TestFingerprintIsForLife holds the fingerprint of one order as it was on the first day: every order in every database
// would seem to differ if it changed.
func TestFingerprintIsForLife(t *testing.T) {
	t.Parallel()
	d := pizzas()
	d.PlacedAt = noon
	if got := fmt.Sprintf("%x", d.Fingerprint()); got != "fee31b0b051c26c20838b2c61a2644626f05f7b4884c578e60a718675de462b0" {
		t.Fatalf("got %s", got)
	}
}

func TestReturn(t *testing.T) {
	t.Parallel()
	amount := func(n int64) *int64 { return &n }
	cases := []struct {
		name   string
		draft  order.ReturnDraft
		units  int64
		minor  int64
		faults []string
	}{
		{"everything", order.ReturnDraft{All: true}, 5, 14800, nil},
		{"one of two", order.ReturnDraft{Lines: []order.ReturnDraftLine{{No: 1, Quantity: 1}}}, 1, 6900, nil},
		{"one of three, rounded down", order.ReturnDraft{Lines: []order.ReturnDraftLine{{No: 2, Quantity: 1}}}, 1, 333, nil},
		{"the last of three gives the rest", order.ReturnDraft{Lines: []order.ReturnDraftLine{
			{No: 2, Quantity: 1}, {No: 2, Quantity: 1}, {No: 2, Quantity: 1}}}, 3, 1000, nil},
		{"with an amount agreed on", order.ReturnDraft{Lines: []order.ReturnDraftLine{{No: 1, Quantity: 1, AmountMinor: amount(5000)}}}, 1, 5000, nil},
		{"for nothing", order.ReturnDraft{Lines: []order.ReturnDraftLine{{No: 1, Quantity: 2, AmountMinor: amount(0)}}}, 2, 0, nil},
		{"more than bought", order.ReturnDraft{Lines: []order.ReturnDraftLine{{No: 1, Quantity: 3}}}, 0, 0, []string{"lines[0].quantity quantity_out_of_range"}},
		{"more than bought in two lines", order.ReturnDraft{Lines: []order.ReturnDraftLine{{No: 1, Quantity: 2}, {No: 1, Quantity: 1}}},
			2, 13800, []string{"lines[1].quantity quantity_out_of_range"}},
		{"more money than paid", order.ReturnDraft{Lines: []order.ReturnDraftLine{{No: 1, Quantity: 1, AmountMinor: amount(13801)}}}, 0, 0,
			[]string{"lines[0].amount_minor amount_out_of_range"}},
		{"a line that is not there", order.ReturnDraft{Lines: []order.ReturnDraftLine{{No: 3, Quantity: 1}}}, 0, 0, []string{"lines[0].line_no line_unknown"}},
		{"line zero", order.ReturnDraft{Lines: []order.ReturnDraftLine{{No: 0, Quantity: 1}}}, 0, 0, []string{"lines[0].line_no line_unknown"}},
		{"nothing", order.ReturnDraft{}, 0, 0, []string{"lines lines_required"}},
		{"all and lines", order.ReturnDraft{All: true, Lines: []order.ReturnDraftLine{{No: 1, Quantity: 1}}}, 1, 6900, []string{"lines lines_required"}},
		{"before it was bought", order.ReturnDraft{All: true, ReturnedAt: noon.Add(-time.Hour)}, 5, 14800, []string{"returned_at returned_at_out_of_range"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o, _ := order.Place(uuid.New(), pizzas(), noon)
			after, r, faults := o.Return(uuid.New(), c.draft, noon.Add(time.Hour))
			if got := codes(faults); !slices.Equal(got, c.faults) {
				t.Fatalf("got %q, want %q", got, c.faults)
			}
			if r.Units != c.units || r.AmountMinor != c.minor {
				t.Fatalf("returned %d units, %d; want %d, %d", r.Units, r.AmountMinor, c.units, c.minor)
			}
			if len(faults) == 0 && (after.ReturnedUnits != c.units || after.ReturnedMinor != c.minor || o.Lines[0].ReturnedQuantity != 0) {
				t.Fatalf("the order: before %+v, after %+v", o, after)
			}
		})
	}
}

func TestASecondReturnOfEverythingFindsNothingLeft(t *testing.T) {
	t.Parallel()
	o, _ := order.Place(uuid.New(), pizzas(), noon)
	o, _, _ = o.Return(uuid.New(), order.ReturnDraft{All: true}, noon)
	if _, _, faults := o.Return(uuid.New(), order.ReturnDraft{All: true}, noon); !slices.Equal(codes(faults), []string{"all nothing_left"}) {
		t.Fatalf("got %v", faults)
	}
}

// TestReturnsNeverExceedTheOrder tries returns of all kinds, one after the other: whatever is accepted, no line gives
// back more than it had, and when all units are back at no agreed amount, so is all the money.
func TestReturnsNeverExceedTheOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := pizzas()
		d.Lines = drawLines(t)
		o, _ := order.Place(uuid.New(), d, noon)
		agreed := false
		for range rapid.IntRange(1, 8).Draw(t, "returns") {
			line := rapid.IntRange(1, len(o.Lines)).Draw(t, "line")
			back := order.ReturnDraftLine{No: int32(line), Quantity: rapid.Int64Range(-1, o.Lines[line-1].Quantity+1).Draw(t, "quantity")}
			if rapid.Bool().Draw(t, "agreed") {
				n := rapid.Int64Range(-1, o.Lines[line-1].AmountMinor+1).Draw(t, "amount")
				back.AmountMinor, agreed = &n, true
			}
			if after, _, faults := o.Return(uuid.New(), order.ReturnDraft{Lines: []order.ReturnDraftLine{back}}, noon); len(faults) == 0 {
				o = after
			}
			checkReturned(t, o)
		}
		if after, _, faults := o.Return(uuid.New(), order.ReturnDraft{All: true}, noon); len(faults) == 0 {
			o = after
		}
		checkReturned(t, o)
		if o.ReturnedUnits != o.Units || (!agreed && o.ReturnedMinor != o.TotalMinor) {
			t.Fatalf("everything came back, but: %+v", o)
		}
	})
}

func checkReturned(t *rapid.T, o order.Order) {
	var units, amount int64
	for _, l := range o.Lines {
		if l.ReturnedQuantity < 0 || l.ReturnedQuantity > l.Quantity || l.ReturnedMinor < 0 || l.ReturnedMinor > l.AmountMinor {
			t.Fatalf("line %+v", l)
		}
		units, amount = units+l.ReturnedQuantity, amount+l.ReturnedMinor
	}
	if units != o.ReturnedUnits || amount != o.ReturnedMinor {
		t.Fatalf("lines gave back %d and %d, the order %d and %d", units, amount, o.ReturnedUnits, o.ReturnedMinor)
	}
}

func drawLines(t *rapid.T) []order.DraftLine {
	lines := make([]order.DraftLine, rapid.IntRange(1, 20).Draw(t, "lines"))
	for i := range lines {
		lines[i] = order.DraftLine{
			Quantity: rapid.Int64Range(1, 1_000).Draw(t, "quantity"), AmountMinor: rapid.Int64Range(0, money.Max/20).Draw(t, "amount"),
		}
	}
	return lines
}

func codes(faults []problem.Field) []string {
	var out []string
	for _, f := range faults {
		out = append(out, f.Location+" "+f.Code)
	}
	return out
}
