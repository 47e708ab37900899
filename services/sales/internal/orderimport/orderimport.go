// Package orderimport brings orders in from files: one row is one order of one line.
package orderimport

import (
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/externalref"
	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/services/sales/internal/order"
)

// columns are what a row can say.
func columns() []imports.Column {
	return []imports.Column{
		{Name: "external_id", Required: true, Doc: "the selling system's id of the order; a row that repeats an order changes nothing"},
		{Name: "system", Doc: "the code of the selling system; customer_system where it is left out"},
		{Name: "customer", Required: true, Doc: "the customer's id in customer_system; the customer may become known later"},
		{Name: "customer_system", Required: true, Doc: "the code of the system that knows the customer, such as shop"},
		{Name: "placed_at", Required: true, Doc: "when the customer bought: RFC 3339, or YYYYMMDD for the day's beginning in UTC"},
		{Name: "quantity", Required: true, Doc: "units bought, a whole number of 1 or more"},
		{Name: "amount", Required: true, Doc: "of the whole row in major units, exact, such as 11.77"},
		{Name: "currency", Required: true, Doc: "ISO 4217, such as USD"},
		{Name: "sku", Doc: "the article's code"},
		{Name: "channel", Doc: "the code of where it was sold"},
	}
}

// columnOf names the column from which a field of the order came.
func columnOf(location string) string {
	switch {
	case strings.HasSuffix(location, ".quantity"):
		return "quantity"
	case strings.HasSuffix(location, ".amount_minor"):
		return "amount"
	case strings.HasSuffix(location, ".sku"):
		return "sku"
	default:
		return location
	}
}

// read gives the order of a row, or why there is none.
func read(line int64, value func(column string) string, id uuid.UUID, now time.Time) (order.Order, []imports.Rejection) {
	var faults []imports.Rejection
	fault := func(column, code, reason string) {
		faults = append(faults, imports.Rejection{Line: line, Column: column, Code: code, Reason: reason})
	}
	system := value("system")
	if system == "" {
		system = value("customer_system")
	}
	external, wrong := externalref.New(system, value("external_id"))
	if wrong != nil {
		fault(map[string]string{"system": "system", "id": "external_id"}[wrong.Field], wrong.Code, wrong.Message)
	}
	customer, wrong := externalref.New(value("customer_system"), value("customer"))
	if wrong != nil {
		fault(map[string]string{"system": "customer_system", "id": "customer"}[wrong.Field], wrong.Code, wrong.Message)
	}
	placedAt, err := moment(value("placed_at"))
	if err != nil {
		fault("placed_at", "time_malformed", "must be a time such as 2026-11-22T12:00:00Z or a day such as 20261122")
	}
	quantity, err := strconv.ParseInt(value("quantity"), 10, 64)
	if err != nil {
		fault("quantity", "quantity_malformed", "must be a whole number")
	}
	amount, amiss := money.Parse(value("amount"), value("currency"))
	if amiss != nil {
		column := "amount"
		if amiss.Code == "currency_unknown" {
			column = "currency"
		}
		fault(column, amiss.Code, amiss.Message)
	}
	if len(faults) > 0 {
		return order.Order{}, faults
	}
	o, broken := order.Place(id, order.Draft{
		ExternalRef: external, CustomerRef: customer, Channel: value("channel"), Currency: value("currency"), PlacedAt: placedAt,
		Lines: []order.DraftLine{{SKU: value("sku"), Quantity: quantity, AmountMinor: amount}},
	}, now)
	for _, f := range broken {
		fault(columnOf(f.Location), f.Code, f.Message)
	}
	return o, faults
}

// moment reads RFC 3339, or YYYYMMDD as the beginning of that day in UTC.
func moment(s string) (time.Time, error) {
	if len(s) == len("20060102") {
		return time.Parse("20060102", s)
	}
	return time.Parse(time.RFC3339, s)
}

// batch sorts the orders of one batch into those that are new and those that repeat another.
type batch struct {
	seen  map[externalref.Ref]order.Known // in the books, or above in the batch
	fresh []order.Order
}

// take puts an order into the batch. One that is there already with the same content changes nothing.
func (b *batch) take(line int64, o order.Order) []imports.Rejection {
	there, known := b.seen[o.ExternalRef]
	switch {
	case !known:
		b.seen[o.ExternalRef] = order.Known{ID: o.ID, Fingerprint: o.Fingerprint}
		b.fresh = append(b.fresh, o)
		return nil
	case there.Same(o):
		return nil
	default:
		return []imports.Rejection{{Line: line, Column: "external_id", Code: "order_differs",
			Reason: "belongs to order " + there.ID.String() + ", which has other content"}}
	}
}
