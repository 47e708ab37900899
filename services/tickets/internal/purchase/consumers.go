package purchase

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
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
		r := e.Contract()
		switch m := e.Message.(type) {
		case *salesv1.OrderPlaced:
			b.Orders = append(b.Orders, order(r, e.Partition, m))
		case *salesv1.OrderAttributed:
			b.Attributions = append(b.Attributions, Attribution{
				OrderID: r.ID("order_id", m.GetOrderId()), CustomerID: r.ID("customer_id", m.GetCustomerId()),
			})
		case *salesv1.OrderReturned:
			b.Returns = append(b.Returns, Return{
				ID: r.ID("return_id", m.GetReturnId()), OrderID: r.ID("order_id", m.GetOrderId()),
				Units: r.Amount("units", m.GetUnits()), AmountMinor: r.Amount("amount_minor", m.GetAmountMinor()),
				ReturnedAt: r.Time("returned_at", m.GetReturnedAt()),
			})
		}
		if err := r.Err(); err != nil {
			return Batch{}, err
		}
		if e.Time.After(b.newest[e.Partition]) {
			b.newest[e.Partition] = e.Time
		}
	}
	return b, nil
}

// order reads an order.
func order(r *inbox.Contract, partition int, m *salesv1.OrderPlaced) Order {
	o := Order{
		ID: r.ID("order_id", m.GetOrderId()), CustomerID: r.MaybeID("customer_id", m.GetCustomerId()), Channel: m.GetChannel(), Currency: m.GetCurrency(),
		Units: r.Amount("units", m.GetUnits()), TotalMinor: r.Amount("total_minor", m.GetTotalMinor()),
		PlacedAt: r.Time("placed_at", m.GetPlacedAt()), Slot: partition,
	}
	for _, l := range m.GetLines() {
		o.Lines = append(o.Lines, Line{
			No: l.GetLineNo(), SKU: l.GetSku(), Quantity: r.Amount("quantity", l.GetQuantity()), AmountMinor: r.Amount("amount_minor", l.GetAmountMinor()),
		})
	}
	return o
}
