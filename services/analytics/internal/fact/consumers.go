package fact

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
)

// Consumer places what accounts and sales say. The topics are parameters only so that tests can have their own.
func Consumer(accounts, sales string) inbox.Consumer {
	return inbox.Consumer{
		Name:    "facts",
		Topics:  []string{accounts, sales},
		Ordered: true,
		Handles: append([]proto.Message{
			&accountsv1.CustomerRegistered{},
			&salesv1.OrderPlaced{}, &salesv1.OrderAttributed{}, &salesv1.OrderReturned{},
		}, alias.Handles()...),
		Apply: func(ctx context.Context, tx *pg.Tx, events []inbox.Event) error {
			batch, err := Sort(events)
			if err != nil {
				return err
			}
			return store(ctx, tx, batch)
		},
	}
}

// Erase finds nothing to erase, and says so: facts are ids, codes, amounts and times, none of which tells who somebody was.
func Erase(context.Context, *pg.Tx, []uuid.UUID) ([]erasure.Erased, error) {
	return []erasure.Erased{{What: "fact"}}, nil
}

// Topics are where the facts come from.
func Topics() (accounts, sales string) { return bus.TopicFor("accounts"), bus.TopicFor("sales") }

// Sort takes events apart by what they are about. An event that breaks its own contract is a problem of the kind
// Unprocessable: trying again cannot help.
func Sort(events []inbox.Event) (Batch, error) {
	b := Batch{newest: make(map[mark]time.Time)}
	for _, e := range events {
		r := e.Contract()
		switch m := e.Message.(type) {
		case *accountsv1.CustomerRegistered:
			b.Customers = append(b.Customers, customer(r, m))
		case *salesv1.OrderPlaced:
			b.Orders = append(b.Orders, order(r, e.Partition, m))
		case *salesv1.OrderAttributed:
			b.Attributions = append(b.Attributions, Attribution{
				OrderID: r.ID("order_id", m.GetOrderId()), CustomerID: r.ID("customer_id", m.GetCustomerId()),
			})
		case *salesv1.OrderReturned:
			b.Returns = append(b.Returns, goodsBack(r, e.Partition, m))
		default:
			change, ok, err := alias.Read(e)
			if err != nil {
				return Batch{}, err
			}
			if ok {
				b.Merges = append(b.Merges, change)
			}
		}
		if err := r.Err(); err != nil {
			return Batch{}, err
		}
		at := mark{topic: e.Topic, slot: e.Partition}
		if e.Time.After(b.newest[at]) {
			b.newest[at] = e.Time
		}
	}
	return b, nil
}

func customer(r *inbox.Contract, m *accountsv1.CustomerRegistered) Customer {
	return Customer{
		ID:           r.ID("customer_id", m.GetCustomerId()),
		Kind:         strings.ToLower(strings.TrimPrefix(m.GetKind().String(), "CUSTOMER_KIND_")),
		Source:       m.GetSource(),
		RegisteredAt: r.Time("registered_at", m.GetRegisteredAt()),
	}
}

func order(r *inbox.Contract, partition int, m *salesv1.OrderPlaced) Order {
	o := Order{
		ID: r.ID("order_id", m.GetOrderId()), Channel: m.GetChannel(), Currency: r.Currency("currency", m.GetCurrency()),
		Units: m.GetUnits(), TotalMinor: m.GetTotalMinor(), PlacedAt: r.Time("placed_at", m.GetPlacedAt()),
		Slot: partition,
	}
	o.CustomerID = pg.OrNull(r.MaybeID("customer_id", m.GetCustomerId()))
	o.OpportunityID = pg.OrNull(r.MaybeID("opportunity_id", m.GetOpportunityId()))
	for _, l := range m.GetLines() {
		o.SKUs, o.Quantities, o.Amounts = append(o.SKUs, l.GetSku()), append(o.Quantities, l.GetQuantity()), append(o.Amounts, l.GetAmountMinor())
	}
	return o
}

func goodsBack(r *inbox.Contract, partition int, m *salesv1.OrderReturned) Return {
	return Return{
		ID: r.ID("return_id", m.GetReturnId()), OrderID: r.ID("order_id", m.GetOrderId()),
		Currency: r.Currency("currency", m.GetCurrency()), Units: m.GetUnits(), AmountMinor: m.GetAmountMinor(),
		ReturnedAt: r.Time("returned_at", m.GetReturnedAt()), Slot: partition,
	}
}
