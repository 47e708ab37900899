package order

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/externalref"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	referencev1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/reference/v1"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	"github.com/guanxi-crm/guanxi/services/sales/internal/customerref"
)

// Orders is what can be done with orders.
type Orders struct {
	db     *pg.DB
	outbox *outbox.Outbox
	clock  func() time.Time
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, clock func() time.Time) *Orders {
	return &Orders{db: db, outbox: o, clock: clock}
}

// Place puts an order into the books. A draft with the external name of an order that is there already gives that order
// again when both say the same, placed false, and is a Conflict, order_differs, otherwise. Gone: customer_erased.
func (o *Orders) Place(ctx context.Context, d Draft) (order Order, placed bool, err error) {
	order, placed, err = o.place(ctx, d)
	if name, _ := pg.Constraint(err); name == externalIndex {
		return o.place(ctx, d) // somebody placed it between our look and our insert: this time it is seen
	}
	return order, placed, err
}

// place takes two round trips: one to see what is known, one for all that is written.
func (o *Orders) place(ctx context.Context, d Draft) (Order, bool, error) {
	made, err := o.make(d)
	if err != nil {
		return Order{}, false, err
	}
	result, err := o.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		there, known, err := o.look(ctx, tx, &made)
		if err != nil {
			return pg.Result{}, err
		}
		if known {
			return pg.Result{ID: there.ID, Status: http.StatusOK}, same(there, made)
		}
		Insert(tx, made)
		return pg.Result{ID: made.ID, Status: http.StatusCreated}, o.outbox.Append(ctx, tx, PlacedEvent(made))
	})
	if err != nil || (result.ID == made.ID && !result.Replayed) {
		return made, true, err
	}
	if result.Replayed {
		httpx.MarkReplayed(ctx)
	}
	there, err := o.Get(ctx, result.ID)
	return there, result.Status == http.StatusCreated, err
}

// PlaceIn is Place in somebody's transaction, who appends the events; none where the order is there already. What is queued is
// written with the transaction: an order that somebody places at the same moment by the same external name, or of the same
// quote, makes it fail by a constraint, for which see Placed.
func (o *Orders) PlaceIn(ctx context.Context, tx *pg.Tx, d Draft) (Order, []outbox.Event, error) {
	made, err := o.make(d)
	if err != nil {
		return Order{}, nil, err
	}
	there, known, err := o.look(ctx, tx, &made)
	if err != nil {
		return Order{}, nil, err
	}
	if known {
		if err := same(there, made); err != nil {
			return Order{}, nil, err
		}
		found, err := get(ctx, tx, there.ID)
		return found, nil, err
	}
	Insert(tx, made)
	return made, []outbox.Event{PlacedEvent(made)}, nil
}

// Placed gives the error of a transaction with PlaceIn as it is told: a quote of which there is an order is the Conflict
// quote_ordered, an external name that was used in the same moment order_placed_meanwhile.
func Placed(err error) error {
	switch name, _ := pg.Constraint(err); name {
	case quoteIndex:
		return problem.New(problem.Conflict, "quote_ordered", "There is an order of this quote: a quote makes one order at most.").Because(err)
	case externalIndex:
		return problem.New(problem.Conflict, "order_placed_meanwhile", "Somebody placed an order of this external_ref at the same moment: try again.").Because(err)
	}
	return err
}

// make gives the order of a draft that nobody has looked up yet.
func (o *Orders) make(d Draft) (Order, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Order{}, err
	}
	made, faults := Place(id, d, o.now())
	if len(faults) > 0 {
		return Order{}, problem.InvalidBody("order_invalid", "The order was not accepted: mend the fields named here.", faults)
	}
	return made, nil
}

// look finds out, in one round trip, whether the books have an order of this name, and gives the order its customer.
func (o *Orders) look(ctx context.Context, tx *pg.Tx, made *Order) (there Known, known bool, err error) {
	found := Find(tx, names(made.ExternalRef))
	var erased map[uuid.UUID]bool
	root := alias.Root(tx, made.CustomerID)
	if made.CustomerID == uuid.Nil {
		root = customerref.Root(tx, made.CustomerRef)
	} else {
		erased = erasure.Known(tx, []uuid.UUID{made.CustomerID})
	}
	customers, err := customerref.Resolve(ctx, tx, names(made.CustomerRef))
	if err == nil {
		err = tx.Flush(ctx) // the search, where there was no name to resolve that would have taken it along
	}
	if err != nil {
		return Known{}, false, err
	}
	if there, known = found[made.ExternalRef]; known {
		return there, true, nil // also of somebody who was erased: nothing new is kept
	}
	if erased[made.CustomerID] {
		return Known{}, false, erasure.Gone()
	}
	*made = made.Of(customers)
	if made.Root = *root; made.Root == uuid.Nil {
		made.Root = made.CustomerID // the name was learned in this moment
	}
	return Known{}, false, nil
}

// names gives the name, if it is one, as the list that set-based functions take.
func names(ref externalref.Ref) []externalref.Ref {
	if ref.IsZero() {
		return nil
	}
	return []externalref.Ref{ref}
}

// Of gives the order with the customer whom its reference means, if that is known.
func (o Order) Of(customers map[externalref.Ref]uuid.UUID) Order {
	if o.CustomerID == uuid.Nil {
		o.CustomerID = customers[o.CustomerRef]
	}
	return o
}

// Same tells whether an order that is there says the same as one that is made anew.
func (k Known) Same(made Order) bool { return bytes.Equal(k.Fingerprint, made.Fingerprint) }

func same(there Known, made Order) error {
	if there.Same(made) {
		return nil
	}
	return problem.New(problem.Conflict, "order_differs",
		"An order of this external_ref stands in the books with other content. Orders do not change: take goods back by a return, "+
			"or place the other order under a name of its own.").
		WithField("body.external_ref", "order_differs", "belongs to order "+there.ID.String())
}

// Return takes goods of an order back: two round trips, the order locked in between.
func (o *Orders) Return(ctx context.Context, orderID uuid.UUID, d ReturnDraft) (Order, Return, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Order{}, Return{}, err
	}
	var (
		now   Order
		taken Return
	)
	result, err := o.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		lock(tx, orderID)
		was, err := get(ctx, tx, orderID)
		if err != nil {
			return pg.Result{}, err
		}
		var faults []problem.Field
		if now, taken, faults = was.Return(id, d, o.now()); len(faults) > 0 {
			return pg.Result{}, problem.InvalidBody("return_invalid", "The return was not accepted: mend the fields named here.", faults)
		}
		saveReturn(tx, now, taken)
		return pg.Result{ID: taken.ID, Status: http.StatusCreated}, o.outbox.Append(ctx, tx, returnedEvent(now, taken))
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		err = o.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
			if now, err = get(ctx, tx, orderID); err != nil {
				return err
			}
			taken, err = getReturn(ctx, tx, orderID, result.ID)
			return err
		})
	}
	return now, taken, err
}

// now is cut to what the database keeps, so that an answer reads the same at once and later.
func (o *Orders) now() time.Time { return o.clock().UTC().Truncate(time.Microsecond) }

const aggregate = "order"

// PlacedEvent tells of a new order.
func PlacedEvent(o Order) outbox.Event {
	lines := make([]*salesv1.OrderLine, len(o.Lines))
	for i, l := range o.Lines {
		lines[i] = &salesv1.OrderLine{LineNo: l.No, Sku: l.SKU, Quantity: l.Quantity, AmountMinor: l.AmountMinor}
	}
	return outbox.Event{Aggregate: aggregate, ID: o.ID, First: true, Time: o.RecordedAt, Message: &salesv1.OrderPlaced{
		OrderId: o.ID.String(), ExternalRef: reference(o.ExternalRef), CustomerId: text(o.CustomerID), CustomerRef: reference(o.CustomerRef),
		Channel: o.Channel, Currency: o.Currency, Lines: lines, Units: o.Units, TotalMinor: o.TotalMinor, PlacedAt: timestamppb.New(o.PlacedAt),
		QuoteId: text(o.QuoteID), OpportunityId: text(o.OpportunityID),
	}}
}

func attributedEvent(order, customer uuid.UUID, at time.Time) outbox.Event {
	return outbox.Event{Aggregate: aggregate, ID: order, Time: at, Message: &salesv1.OrderAttributed{
		OrderId: order.String(), CustomerId: customer.String(), AttributedAt: timestamppb.New(at),
	}}
}

func returnedEvent(o Order, r Return) outbox.Event {
	lines := make([]*salesv1.OrderLine, len(r.Lines))
	for i, l := range r.Lines {
		lines[i] = &salesv1.OrderLine{LineNo: l.No, Sku: l.SKU, Quantity: l.Quantity, AmountMinor: l.AmountMinor}
	}
	return outbox.Event{Aggregate: aggregate, ID: o.ID, Time: r.RecordedAt, Message: &salesv1.OrderReturned{
		ReturnId: r.ID.String(), OrderId: o.ID.String(), CustomerId: text(o.CustomerID), Currency: o.Currency, Lines: lines,
		Units: r.Units, AmountMinor: r.AmountMinor, ReturnedAt: timestamppb.New(r.ReturnedAt),
	}}
}

func reference(r externalref.Ref) *referencev1.ExternalRef {
	if r.IsZero() {
		return nil
	}
	return &referencev1.ExternalRef{System: r.System, Id: r.ID}
}

func text(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}
