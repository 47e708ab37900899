package orderimport

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/externalref"
	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/services/sales/internal/order"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

type row map[string]string

// purchase is a row of the music shop with some columns changed.
func purchase(changes row) row {
	r := row{"external_id": "1", "customer": "00001", "customer_system": "cdnow", "placed_at": "19970101", "quantity": "1",
		"amount": "11.77", "currency": "USD"}
	maps.Copy(r, changes)
	return r
}

func readRow(line int64, r row) (order.Order, []imports.Rejection) {
	one, faults := read(line, func(column string) string { return r[column] }, false)
	if len(faults) > 0 {
		return order.Order{}, faults
	}
	return place([]reading{one}, uuid.New(), noon)
}

func TestReadTakesARowAsItIsMeant(t *testing.T) {
	t.Parallel()
	o, faults := readRow(1, purchase(row{"quantity": "2", "sku": "CD", "channel": "web"}))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if o.ExternalRef != (externalref.Ref{System: "cdnow", ID: "1"}) || o.CustomerRef != (externalref.Ref{System: "cdnow", ID: "00001"}) {
		t.Errorf("names: %+v", o)
	}
	if o.TotalMinor != 1177 || o.Units != 2 || o.Currency != "USD" || o.Channel != "web" || o.Lines[0].SKU != "CD" {
		t.Errorf("content: %+v", o)
	}
	if !o.PlacedAt.Equal(time.Date(1997, 1, 1, 0, 0, 0, 0, time.UTC)) || !o.RecordedAt.Equal(noon) {
		t.Errorf("times: %+v", o)
	}
}

func TestReadNamesLineColumnAndReason(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		changes row
		faults  []string
	}{
		{"as it should be", nil, nil},
		{"a present", row{"amount": "0.00"}, nil},
		{"a system of its own", row{"system": "till-2"}, nil},
		{"a full time", row{"placed_at": "2026-11-22T10:00:00+08:00"}, nil},
		{"yen", row{"currency": "JPY", "amount": "1177"}, nil},
		{"a day that is none", row{"placed_at": "19970231"}, []string{"placed_at time_malformed"}},
		{"a day in words", row{"placed_at": "New Year"}, []string{"placed_at time_malformed"}},
		{"a day to come", row{"placed_at": "20270101"}, []string{"placed_at placed_at_out_of_range"}},
		{"no units", row{"quantity": "0"}, []string{"quantity quantity_out_of_range"}},
		{"half a unit", row{"quantity": "0.5"}, []string{"quantity quantity_malformed"}},
		{"units beyond counting", row{"quantity": "99999999999999999999"}, []string{"quantity quantity_malformed"}},
		{"a negative amount", row{"amount": "-1.00"}, []string{"amount amount_negative"}},
		{"a tenth of a cent", row{"amount": "11.777"}, []string{"amount amount_too_precise"}},
		{"cents of yen", row{"currency": "JPY"}, []string{"amount amount_too_precise"}},
		{"an amount in words", row{"amount": "$11.77"}, []string{"amount amount_malformed"}},
		{"an amount beyond counting", row{"amount": strings.Repeat("9", 30)}, []string{"amount amount_too_large"}},
		{"a currency that is none", row{"currency": "USX"}, []string{"currency currency_unknown"}},
		{"a system in capitals", row{"customer_system": "CDNOW", "system": "cdnow"}, []string{"customer_system system_malformed"}},
		{"no id", row{"external_id": " "}, []string{"external_id external_id_malformed"}},
		{"an endless article", row{"sku": strings.Repeat("x", 65)}, []string{"sku sku_malformed"}},
		{"a customer by our id", row{"customer": "", "customer_system": "", "system": "cdnow", "customer_id": "01890000-0000-7000-8000-000000000007"}, nil},
		{"a customer by both", row{"customer_id": "01890000-0000-7000-8000-000000000007"}, []string{"customer_id customer_required"}},
		{"a customer's id that is none", row{"customer_id": "17"}, []string{"customer_id customer_id_invalid"}},
		{"nobody's id", row{"customer_id": "00000000-0000-0000-0000-000000000000"}, []string{"customer_id customer_id_invalid"}},
		{"no customer", row{"customer": "", "system": "cdnow"}, []string{"customer external_id_malformed"}},
		{"all wrong", row{"external_id": "", "customer": "", "placed_at": "", "quantity": "", "amount": ""},
			[]string{"external_id external_id_malformed", "customer external_id_malformed", "placed_at time_malformed",
				"quantity quantity_malformed", "amount amount_malformed"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, faults := readRow(7, purchase(c.changes))
			var got []string
			for _, f := range faults {
				got = append(got, f.Column+" "+f.Code)
				if f.Line != 7 || f.Reason == "" {
					t.Errorf("want line 7 and a reason: %+v", f)
				}
			}
			if !slices.Equal(got, c.faults) {
				t.Fatalf("got %q, want %q", got, c.faults)
			}
		})
	}
}

func TestABatchTakesEachOrderOnce(t *testing.T) {
	t.Parallel()
	there, _ := readRow(0, purchase(row{"external_id": "there"}))
	b := &batch{seen: map[externalref.Ref]order.Known{there.ExternalRef: {ID: there.ID, Fingerprint: there.Fingerprint}}}
	rows := []struct {
		changes row
		fault   string
	}{
		{row{"external_id": "1"}, ""},
		{row{"external_id": "1"}, ""}, // the same again
		{row{"external_id": "1", "amount": "12.00"}, "order_differs"},
		{row{"external_id": "there"}, ""},
		{row{"external_id": "there", "quantity": "2"}, "order_differs"},
		{row{"external_id": "1", "system": "till-2"}, ""}, // another system's 1
		{row{"external_id": "2"}, ""},
	}
	for i, r := range rows {
		o, faults := readRow(int64(i+1), purchase(r.changes))
		faults = append(faults, b.take([]reading{{at: int64(i + 1)}}, o)...)
		code := ""
		if len(faults) > 0 {
			code = faults[0].Code
		}
		if code != r.fault {
			t.Errorf("row %d: got %q, want %q", i+1, code, r.fault)
		}
	}
	if len(b.fresh) != 3 {
		t.Errorf("%d orders are new, want 3", len(b.fresh))
	}
}
