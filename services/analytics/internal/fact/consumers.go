package fact

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
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
		r := reader{event: e}
		switch m := e.Message.(type) {
		case *accountsv1.CustomerRegistered:
			b.Customers = append(b.Customers, r.customer(m))
		case *salesv1.OrderPlaced:
			b.Orders = append(b.Orders, r.order(m))
		case *salesv1.OrderAttributed:
			b.Attributions = append(b.Attributions, Attribution{
				OrderID: r.id("order_id", m.GetOrderId()), CustomerID: r.id("customer_id", m.GetCustomerId()),
			})
		case *salesv1.OrderReturned:
			b.Returns = append(b.Returns, r.goodsBack(m))
		default:
			change, ok, err := alias.Read(e)
			if err != nil {
				return Batch{}, err
			}
			if ok {
				b.Merges = append(b.Merges, change)
			}
		}
		if r.err != nil {
			return Batch{}, r.err
		}
		at := mark{topic: e.Topic, slot: e.Partition}
		if e.Time.After(b.newest[at]) {
			b.newest[at] = e.Time
		}
	}
	return b, nil
}

// reader reads the fields of one event and remembers the first that breaks the contract.
type reader struct {
	event inbox.Event
	err   error
}

func (r *reader) customer(m *accountsv1.CustomerRegistered) Customer {
	return Customer{
		ID:           r.id("customer_id", m.GetCustomerId()),
		Kind:         strings.ToLower(strings.TrimPrefix(m.GetKind().String(), "CUSTOMER_KIND_")),
		Source:       m.GetSource(),
		RegisteredAt: r.time("registered_at", m.GetRegisteredAt()),
	}
}

func (r *reader) order(m *salesv1.OrderPlaced) Order {
	o := Order{
		ID: r.id("order_id", m.GetOrderId()), Channel: m.GetChannel(), Currency: r.currency(m.GetCurrency()),
		Units: m.GetUnits(), TotalMinor: m.GetTotalMinor(), PlacedAt: r.time("placed_at", m.GetPlacedAt()),
		Slot: r.event.Partition,
	}
	if m.GetCustomerId() != "" {
		customer := r.id("customer_id", m.GetCustomerId())
		o.CustomerID = &customer
	}
	return o
}

func (r *reader) goodsBack(m *salesv1.OrderReturned) Return {
	return Return{
		ID: r.id("return_id", m.GetReturnId()), OrderID: r.id("order_id", m.GetOrderId()),
		Currency: r.currency(m.GetCurrency()), Units: m.GetUnits(), AmountMinor: m.GetAmountMinor(),
		ReturnedAt: r.time("returned_at", m.GetReturnedAt()), Slot: r.event.Partition,
	}
}

func (r *reader) broken(field, why string) {
	if r.err == nil {
		r.err = problem.New(problem.Unprocessable, "event_breaks_contract", "%s %s: %s %s.", r.event.Type, r.event.ID, field, why)
	}
}

func (r *reader) id(field, s string) uuid.UUID {
	id, err := uuid.Parse(s)
	if err != nil {
		r.broken(field, "is not an id")
	}
	return id
}

func (r *reader) time(field string, t *timestamppb.Timestamp) time.Time {
	if t == nil || t.CheckValid() != nil {
		r.broken(field, "is not a time")
		return time.Time{}
	}
	return t.AsTime()
}

func (r *reader) currency(s string) string {
	if len(s) != 3 {
		r.broken("currency", "is not an ISO 4217 code")
	}
	return s
}
