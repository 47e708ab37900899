// Package orderimport brings orders in from files: a row is an order of one line or, in files with a column for the number of the
// line, one line of an order whose rows stand together.
package orderimport

import (
	"fmt"
	"slices"
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
		{Name: lineColumn, Doc: "the number of the line within its order, rising: rows of one external_id that stand together are one order. Left out of the mapping: each row is an order"},
		{Name: "system", Doc: "the code of the selling system; customer_system where it is left out"},
		{Name: "customer", Doc: "the customer's id in customer_system; the customer may become known later"},
		{Name: "customer_system", Doc: "the code of the system that knows the customer, such as shop"},
		{Name: "customer_id", Doc: "the customer's id here, a UUID, instead of customer"},
		{Name: "placed_at", Required: true, Doc: "when the customer bought: RFC 3339, or YYYYMMDD for the day's beginning in UTC"},
		{Name: "quantity", Required: true, Doc: "units bought, a whole number of 1 or more"},
		{Name: "amount", Required: true, Doc: "of the whole row in major units, exact, such as 11.77"},
		{Name: "currency", Required: true, Doc: "ISO 4217, such as USD"},
		{Name: "sku", Doc: "the article's code"},
		{Name: "channel", Doc: "the code of where it was sold"},
	}
}

// lineColumn is the column by which a file says that orders have several rows.
const lineColumn = "line"

// together gives the column by which rows belong together.
func together(columns []string) string {
	if slices.Contains(columns, lineColumn) {
		return "external_id"
	}
	return ""
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
	case location == "lines":
		return lineColumn
	default:
		return location
	}
}

// reading is what stands in a row.
type reading struct {
	at    int64 // line of the file
	no    int64 // number of the line within its order; 0 in a file of orders of one line
	draft order.Draft
}

// read gives what stands in a row, or why it cannot be taken.
func read(line int64, value func(column string) string, several bool) (reading, []imports.Rejection) {
	var faults []imports.Rejection
	fault := func(column, code, reason string) {
		faults = append(faults, imports.Rejection{Line: line, Column: column, Code: code, Reason: reason})
	}
	r := reading{at: line}
	system := value("system")
	if system == "" {
		system = value("customer_system")
	}
	external, wrong := externalref.New(system, value("external_id"))
	if wrong != nil {
		fault(map[string]string{"system": "system", "id": "external_id"}[wrong.Field], wrong.Code, wrong.Message)
	}
	var customer externalref.Ref
	id, err := idOf(value("customer_id"))
	switch {
	case err != nil:
		fault("customer_id", "customer_id_invalid", "must be a customer's id, a UUID")
	case id == uuid.Nil:
		if customer, wrong = externalref.New(value("customer_system"), value("customer")); wrong != nil {
			fault(map[string]string{"system": "customer_system", "id": "customer"}[wrong.Field], wrong.Code, wrong.Message)
		}
	case value("customer") != "":
		fault("customer_id", "customer_required", "either customer_id or customer must be given, not both")
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
	if several {
		if r.no, err = strconv.ParseInt(value(lineColumn), 10, 64); err != nil || r.no < 1 {
			fault(lineColumn, "line_malformed", "must be the number of the line within its order, a whole number of 1 or more")
		}
	}
	r.draft = order.Draft{
		ExternalRef: external, CustomerID: id, CustomerRef: customer, Channel: value("channel"), Currency: value("currency"), PlacedAt: placedAt,
		Lines: []order.DraftLine{{SKU: value("sku"), Quantity: quantity, AmountMinor: amount}},
	}
	return r, faults
}

func idOf(s string) (uuid.UUID, error) {
	if s == "" {
		return uuid.Nil, nil
	}
	id, err := uuid.Parse(s)
	if err == nil && id == uuid.Nil {
		err = fmt.Errorf("no customer has the id %s", id)
	}
	return id, err
}

// moment reads RFC 3339, or YYYYMMDD as the beginning of that day in UTC.
func moment(s string) (time.Time, error) {
	if len(s) == len("20060102") {
		return time.Parse("20060102", s)
	}
	return time.Parse(time.RFC3339, s)
}

// place makes the order of rows that belong together, or says why there is none: every row is refused then.
func place(rows []reading, id uuid.UUID, now time.Time) (order.Order, []imports.Rejection) {
	faults := contradictions(rows)
	if len(faults) > 0 {
		return order.Order{}, beside(rows, faults)
	}
	d := rows[0].draft
	for _, r := range rows[1:] {
		d.Lines = append(d.Lines, r.draft.Lines...)
	}
	o, broken := order.Place(id, d, now)
	for _, f := range broken {
		var n int
		if _, err := fmt.Sscanf(f.Location, "lines[%d]", &n); err != nil {
			n = 0
		}
		faults = append(faults, imports.Rejection{Line: rows[n].at, Column: columnOf(f.Location), Code: f.Code, Reason: f.Message})
	}
	return o, beside(rows, faults)
}

// contradictions names rows that say something else of their order than its first one, or that do not stand in their order.
func contradictions(rows []reading) (faults []imports.Rejection) {
	first := rows[0]
	for i, r := range rows[1:] {
		mixed := func(column, code string) {
			faults = append(faults, imports.Rejection{Line: r.at, Column: column, Code: code,
				Reason: fmt.Sprintf("must be the same in all rows of the order, which begins on line %d", first.at)})
		}
		if r.draft.Currency != first.draft.Currency {
			mixed("currency", "currency_mixed")
		}
		if r.draft.CustomerID != first.draft.CustomerID || r.draft.CustomerRef != first.draft.CustomerRef {
			mixed("customer", "customer_mixed")
		}
		if !r.draft.PlacedAt.Equal(first.draft.PlacedAt) {
			mixed("placed_at", "placed_at_mixed")
		}
		if r.draft.Channel != first.draft.Channel {
			mixed("channel", "channel_mixed")
		}
		if r.no <= rows[i].no {
			faults = append(faults, imports.Rejection{Line: r.at, Column: lineColumn, Code: "line_out_of_order",
				Reason: fmt.Sprintf("must be more than that of the row before, which is %d", rows[i].no)})
		}
	}
	return faults
}

// beside adds to faults of some rows the rejection of the others, which belong together with them; none where there are no faults.
func beside(rows []reading, faults []imports.Rejection) []imports.Rejection {
	if len(faults) == 0 {
		return nil
	}
	at := faults[0].Line
	for _, r := range rows {
		if !slices.ContainsFunc(faults, func(f imports.Rejection) bool { return f.Line == r.at }) {
			faults = append(faults, imports.Incomplete(r.at, "external_id", at))
		}
	}
	return faults
}

// group is rows that make one order, as they were read: the order, or why there is none.
type group struct {
	rows     []reading
	order    order.Order
	rejected []imports.Rejection
}

// prepare makes orders of the rows, of each for itself or of those that stand together and are of one external name, and leaves
// each with the first of its rows.
func prepare(rows []imports.Row, several bool, now time.Time) {
	groups, all := make([]group, len(rows)), make([]reading, 0, len(rows))
	for from, n := 0, 0; from < len(rows); n++ {
		g, begin, to := &groups[n], len(all), from
		for ; to < len(rows) && (to == from || several && sameOrder(rows[to], rows[from])); to++ {
			r, wrong := read(rows[to].Line, rows[to].Get, several)
			all, g.rejected = append(all, r), append(g.rejected, wrong...)
		}
		if g.rows = all[begin:len(all):len(all)]; len(g.rejected) > 0 {
			g.rejected = beside(g.rows, g.rejected)
		} else {
			g.order, g.rejected = place(g.rows, uuid.Must(uuid.NewV7()), now)
		}
		rows[from].Prepared = g
		from = to
	}
}

// prepared gives the orders of rows that prepare has seen, and what was refused of them.
func prepared(rows []imports.Row) (groups []*group, rejected []imports.Rejection) {
	groups = make([]*group, 0, len(rows))
	for i := 0; i < len(rows); {
		g, _ := rows[i].Prepared.(*group)
		i += len(g.rows)
		if len(g.rejected) > 0 {
			rejected = append(rejected, g.rejected...)
		} else {
			groups = append(groups, g)
		}
	}
	return groups, rejected
}

// sameOrder tells whether two rows bear the same external name.
func sameOrder(a, b imports.Row) bool {
	for _, column := range []string{"external_id", "system"} {
		if a.Get(column) != b.Get(column) {
			return false
		}
	}
	return a.Get("system") != "" || a.Get("customer_system") == b.Get("customer_system")
}

// batch sorts the orders of one batch into those that are new and those that repeat another.
type batch struct {
	seen   map[externalref.Ref]order.Known // in the books, or above in the batch
	erased map[uuid.UUID]bool
	fresh  []order.Order
}

// take puts the order of rows into the batch. One that is there already with the same content changes nothing.
func (b *batch) take(rows []reading, o order.Order) []imports.Rejection {
	there, known := b.seen[o.ExternalRef]
	switch {
	case !known && b.erased[o.CustomerID]:
		return all(rows, "customer_id", "customer_erased", "was erased: nothing can be kept of them any more")
	case !known:
		b.seen[o.ExternalRef] = order.Known{ID: o.ID, Fingerprint: o.Fingerprint}
		b.fresh = append(b.fresh, o)
		return nil
	case there.Same(o):
		return nil
	default:
		return all(rows, "external_id", "order_differs", "belongs to order "+there.ID.String()+", which has other content")
	}
}

// all rejects all rows of an order for the same reason.
func all(rows []reading, column, code, reason string) (rejected []imports.Rejection) {
	for _, r := range rows {
		rejected = append(rejected, imports.Rejection{Line: r.at, Column: column, Code: code, Reason: reason})
	}
	return rejected
}
