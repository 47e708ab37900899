package purchase

import (
	"context"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
)

// Consumer places what sales says of orders.
func Consumer() inbox.Consumer {
	return inbox.Consumer{
		Name:    "purchases",
		Topics:  []string{bus.TopicFor("sales")},
		Ordered: true,
		Handles: []proto.Message{&salesv1.OrderPlaced{}, &salesv1.OrderAttributed{}, &salesv1.OrderReturned{}},
		Apply: func(ctx context.Context, tx *pg.Tx, events []inbox.Event) error {
			batch, err := Sort(events)
			if err != nil {
				return err
			}
			return store(ctx, tx, batch)
		},
	}
}

// Sort takes events apart. One that breaks its own contract is a problem of the kind Unprocessable: trying again cannot help.
func Sort(events []inbox.Event) (Batch, error) {
	b := Batch{newest: make(map[int]time.Time)}
	for _, e := range events {
		r := reader{event: e}
		switch m := e.Message.(type) {
		case *salesv1.OrderPlaced:
			b.Orders = append(b.Orders, r.order(m))
		case *salesv1.OrderAttributed:
			b.Attributions = append(b.Attributions, Attribution{
				OrderID: r.id("order_id", m.GetOrderId()), CustomerID: r.id("customer_id", m.GetCustomerId()),
			})
		case *salesv1.OrderReturned:
			b.Returns = append(b.Returns, Return{
				ID: r.id("return_id", m.GetReturnId()), OrderID: r.id("order_id", m.GetOrderId()),
				Units: r.count("units", m.GetUnits()), AmountMinor: r.count("amount_minor", m.GetAmountMinor()),
				ReturnedAt: r.time("returned_at", m.GetReturnedAt()),
			})
		}
		if r.err != nil {
			return Batch{}, r.err
		}
		if e.Time.After(b.newest[e.Partition]) {
			b.newest[e.Partition] = e.Time
		}
	}
	return b, nil
}

// reader reads the fields of one event and remembers the first that breaks the contract.
type reader struct {
	event inbox.Event
	err   error
}

func (r *reader) order(m *salesv1.OrderPlaced) Order {
	o := Order{
		ID: r.id("order_id", m.GetOrderId()), Channel: m.GetChannel(), Currency: m.GetCurrency(),
		Units: r.count("units", m.GetUnits()), TotalMinor: r.count("total_minor", m.GetTotalMinor()),
		PlacedAt: r.time("placed_at", m.GetPlacedAt()), Slot: r.event.Partition,
	}
	if m.GetCustomerId() != "" {
		o.CustomerID = r.id("customer_id", m.GetCustomerId())
	}
	for _, l := range m.GetLines() {
		o.Lines = append(o.Lines, Line{
			No: l.GetLineNo(), SKU: l.GetSku(), Quantity: r.count("quantity", l.GetQuantity()), AmountMinor: r.count("amount_minor", l.GetAmountMinor()),
		})
	}
	return o
}

func (r *reader) broken(field, why string) {
	if r.err == nil {
		r.err = problem.New(problem.Unprocessable, "event_breaks_contract", "%s %s: %s %s.", r.event.Type, r.event.ID, field, why)
	}
}

func (r *reader) id(field, s string) uuid.UUID {
	id, err := uuid.Parse(s)
	if err != nil || id == uuid.Nil {
		r.broken(field, "is not an id")
	}
	return id
}

func (r *reader) count(field string, n int64) int64 {
	if n < 0 {
		r.broken(field, "is negative")
	}
	return n
}

func (r *reader) time(field string, t *timestamppb.Timestamp) time.Time {
	if t == nil || t.CheckValid() != nil {
		r.broken(field, "is not a time")
		return time.Time{}
	}
	return t.AsTime().Truncate(time.Microsecond)
}
