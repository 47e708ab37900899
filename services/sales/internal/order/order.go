// Package order keeps what customers bought and gave back, exact to the minor unit.
package order

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/externalref"
	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Draft is an order that is about to be placed.
type Draft struct {
	ExternalRef externalref.Ref // the selling system's name for the order; zero: entered here
	CustomerID  uuid.UUID       // either this
	CustomerRef externalref.Ref // or this: another system's name for the customer
	Channel     string          // code of where it was sold, such as shop; may be empty
	Currency    string          // ISO 4217, of every amount
	Lines       []DraftLine     // 1 to 1,000
	TotalMinor  *int64          // a control: when given it must be the sum of the lines
	PlacedAt    time.Time       // zero: now

	// What it came of, where that is known; Nil: nothing. A quote makes one order at most.
	QuoteID, OpportunityID uuid.UUID
}

// DraftLine is one line of a Draft.
type DraftLine struct {
	SKU         string // may be empty
	Quantity    int64  // more than 0
	AmountMinor int64  // of the whole line, 0 or more
}

// Line is one line of an order, with what came back of it.
type Line struct {
	No               int32 // from 1
	SKU              string
	Quantity         int64
	AmountMinor      int64 // of the whole line
	ReturnedQuantity int64 // at most Quantity
	ReturnedMinor    int64 // at most AmountMinor
}

// Order is an order that stands in the books. Its amounts never change; what comes back is counted beside them.
type Order struct {
	ID            uuid.UUID // UUIDv7
	ExternalRef   externalref.Ref
	CustomerID    uuid.UUID // as it was written, for ever; Nil while the order is unresolved
	Root          uuid.UUID // the customer whom CustomerID means, where the order was read
	CustomerRef   externalref.Ref
	Channel       string
	Currency      string
	Lines         []Line
	Units         int64
	TotalMinor    int64
	ReturnedUnits int64
	ReturnedMinor int64
	PlacedAt      time.Time // when the customer bought
	RecordedAt    time.Time // when it came in here
	Fingerprint   []byte    // of the draft; see Draft.Fingerprint

	QuoteID, OpportunityID uuid.UUID // what it came of; Nil: nothing that is known
}

const (
	maxLines = 1000
	maxCode  = 64             // characters of a channel or an article's code
	skew     = 24 * time.Hour // how far another system's clock may be ahead of ours
)

// Place makes an order of the draft, or names every field that is not right. The customer of a draft with a
// CustomerRef is not known yet.
func Place(id uuid.UUID, d Draft, now time.Time) (Order, []problem.Field) {
	var faults []problem.Field
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	o := Order{
		ID: id, ExternalRef: d.ExternalRef, CustomerID: d.CustomerID, CustomerRef: d.CustomerRef, Channel: d.Channel,
		Currency: d.Currency, PlacedAt: d.PlacedAt, RecordedAt: now, Fingerprint: d.Fingerprint(),
		QuoteID: d.QuoteID, OpportunityID: d.OpportunityID,
	}
	if (d.CustomerID == uuid.Nil) == d.CustomerRef.IsZero() {
		fault("customer_id", "customer_required", "either customer_id or customer_ref must be given, not both")
	}
	if !code(d.Channel) {
		fault("channel", "channel_malformed", "must be a code of at most 64 characters")
	}
	if _, ok := money.Digits(d.Currency); !ok {
		fault("currency", "currency_unknown", "must be an ISO 4217 currency code, such as CNY")
	}
	if o.PlacedAt.IsZero() {
		o.PlacedAt = now
	}
	o.PlacedAt = o.PlacedAt.UTC().Truncate(time.Microsecond) // as the database keeps it
	if o.PlacedAt.After(now.Add(skew)) || o.PlacedAt.Year() < 1900 {
		fault("placed_at", "placed_at_out_of_range", "must lie between the year 1900 and tomorrow")
	}
	faults = append(faults, o.addLines(d)...)
	return o, faults
}

// addLines takes the draft's lines over and adds them up.
func (o *Order) addLines(d Draft) (faults []problem.Field) {
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	if n := len(d.Lines); n < 1 || n > maxLines {
		fault("lines", "lines_out_of_range", "must be 1 to 1000")
		return faults
	}
	tooLarge := fmt.Sprintf("must be at most %d, and so must the sum of all lines", money.Max)
	for i, l := range d.Lines {
		at := fmt.Sprintf("lines[%d].", i)
		if !code(l.SKU) {
			fault(at+"sku", "sku_malformed", "must be a code of at most 64 characters")
		}
		var ok bool
		if l.Quantity < 1 {
			fault(at+"quantity", "quantity_out_of_range", "must be more than 0")
		} else if o.Units, ok = money.Add(o.Units, min(l.Quantity, money.Max+1)); !ok {
			fault(at+"quantity", "quantity_too_large", tooLarge)
			return faults
		}
		if l.AmountMinor < 0 {
			fault(at+"amount_minor", "amount_negative", "must not be negative")
		} else if o.TotalMinor, ok = money.Add(o.TotalMinor, min(l.AmountMinor, money.Max+1)); !ok {
			fault(at+"amount_minor", "amount_too_large", tooLarge)
			return faults
		}
		o.Lines = append(o.Lines, Line{No: int32(i + 1), SKU: l.SKU, Quantity: l.Quantity, AmountMinor: l.AmountMinor})
	}
	if d.TotalMinor != nil && *d.TotalMinor != o.TotalMinor {
		fault("total_minor", "total_differs", "must be the sum of the lines' amounts; leave it out to have it added up")
	}
	return faults
}

// Fingerprint tells drafts of different content apart. Two drafts that say the same have the same one, today and after
// any change of the program: a selling system may repeat an order years later.
func (d Draft) Fingerprint() []byte {
	placedAt := ""
	if !d.PlacedAt.IsZero() {
		placedAt = d.PlacedAt.UTC().Format(time.RFC3339Nano)
	}
	content := []any{1, d.CustomerID, d.CustomerRef.System, d.CustomerRef.ID, d.Channel, d.Currency, placedAt, d.Lines}
	if d.QuoteID != uuid.Nil || d.OpportunityID != uuid.Nil { // what orders say that came before there were quotes stays as it was
		content = append(content, d.QuoteID, d.OpportunityID)
	}
	raw, err := json.Marshal(content)
	if err != nil {
		panic("order: strings and numbers always have a JSON form: " + err.Error())
	}
	sum := sha256.Sum256(raw)
	return sum[:]
}

// MarshalJSON writes the line for the fingerprint.
func (l DraftLine) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{l.SKU, l.Quantity, l.AmountMinor})
}

// code tells whether s can be a code of another system: short and printable.
func code(s string) bool {
	return utf8.RuneCountInString(s) <= maxCode && !strings.ContainsFunc(s, unicode.IsControl)
}

// ReturnDraft is a return that is about to be taken. Either All or Lines.
type ReturnDraft struct {
	All        bool // everything that has not come back yet
	Lines      []ReturnDraftLine
	ReturnedAt time.Time // zero: now
}

// ReturnDraftLine is what comes back of one line of the order.
type ReturnDraftLine struct {
	No          int32
	Quantity    int64  // more than 0
	AmountMinor *int64 // what goes back to the customer; nil: the quantity's share of what is left of the line
}

// Return is goods of an order that came back.
type Return struct {
	ID          uuid.UUID // UUIDv7
	Lines       []ReturnLine
	Units       int64
	AmountMinor int64
	ReturnedAt  time.Time
	RecordedAt  time.Time
}

// ReturnLine is what came back of one line of the order.
type ReturnLine struct {
	No          int32
	SKU         string
	Quantity    int64
	AmountMinor int64
}

// Return takes goods back: the order as it is then and the return, or every field that is not right. No line gives back
// more than was bought and has not come back, neither in units nor in money.
func (o Order) Return(id uuid.UUID, d ReturnDraft, now time.Time) (Order, Return, []problem.Field) {
	var faults []problem.Field
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	if d.ReturnedAt.IsZero() {
		d.ReturnedAt = now
	}
	d.ReturnedAt = d.ReturnedAt.UTC().Truncate(time.Microsecond)
	if d.ReturnedAt.Before(o.PlacedAt) || d.ReturnedAt.After(now.Add(skew)) {
		fault("returned_at", "returned_at_out_of_range", "must lie between the order's placed_at and tomorrow")
	}
	switch {
	case d.All == (len(d.Lines) > 0):
		fault("lines", "lines_required", "either lines or all must be given, not both")
	case d.All:
		if d.Lines = o.outstanding(); len(d.Lines) == 0 {
			fault("all", "nothing_left", "everything has come back already")
		}
	}
	r := Return{ID: id, ReturnedAt: d.ReturnedAt, RecordedAt: now}
	o.Lines = append([]Line(nil), o.Lines...)
	for i, back := range d.Lines {
		taken, wrong := o.takeBack(back)
		for _, f := range wrong {
			fault(fmt.Sprintf("lines[%d].%s", i, f.Location), f.Code, f.Message)
		}
		if len(wrong) == 0 {
			r.add(taken)
		}
	}
	o.ReturnedUnits += r.Units
	o.ReturnedMinor += r.AmountMinor
	return o, r, faults
}

// outstanding gives what has not come back of each line.
func (o Order) outstanding() []ReturnDraftLine {
	var all []ReturnDraftLine
	for _, l := range o.Lines {
		if left := l.Quantity - l.ReturnedQuantity; left > 0 {
			all = append(all, ReturnDraftLine{No: l.No, Quantity: left})
		}
	}
	return all
}

// takeBack counts what comes back of one line.
func (o *Order) takeBack(back ReturnDraftLine) (ReturnLine, []problem.Field) {
	if back.No < 1 || int(back.No) > len(o.Lines) {
		return ReturnLine{}, []problem.Field{{Location: "line_no", Code: "line_unknown", Message: "the order has no such line"}}
	}
	l := &o.Lines[back.No-1]
	units, amount := l.Quantity-l.ReturnedQuantity, l.AmountMinor-l.ReturnedMinor
	if back.Quantity < 1 || back.Quantity > units {
		return ReturnLine{}, []problem.Field{{Location: "quantity", Code: "quantity_out_of_range",
			Message: fmt.Sprintf("must be more than 0 and at most what has not come back: %d", units)}}
	}
	share := money.Share(amount, back.Quantity, units)
	if back.AmountMinor != nil {
		if share = *back.AmountMinor; share < 0 || share > amount {
			return ReturnLine{}, []problem.Field{{Location: "amount_minor", Code: "amount_out_of_range",
				Message: fmt.Sprintf("must be 0 or more and at most what has not been given back: %d", amount)}}
		}
	}
	l.ReturnedQuantity += back.Quantity
	l.ReturnedMinor += share
	return ReturnLine{No: l.No, SKU: l.SKU, Quantity: back.Quantity, AmountMinor: share}, nil
}

// add puts a line into the return; a second one of the same line of the order is added to the first.
func (r *Return) add(l ReturnLine) {
	r.Units += l.Quantity
	r.AmountMinor += l.AmountMinor
	for i := range r.Lines {
		if r.Lines[i].No == l.No {
			r.Lines[i].Quantity += l.Quantity
			r.Lines[i].AmountMinor += l.AmountMinor
			return
		}
	}
	r.Lines = append(r.Lines, l)
}
