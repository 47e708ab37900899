package earning

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// Consumer gives points for what sales tells of orders, in the books of l.
func Consumer(l *ledger.Ledger, rules programme.Programme) inbox.Consumer {
	e := &earner{ledger: l, rules: rules}
	return inbox.Consumer{
		Name:    "orders",
		Topics:  []string{bus.TopicFor("sales")},
		Ordered: true,
		Handles: []proto.Message{&salesv1.OrderPlaced{}, &salesv1.OrderAttributed{}, &salesv1.OrderReturned{}},
		Apply:   e.apply,
	}
}

type earner struct {
	ledger *ledger.Ledger
	rules  programme.Programme
}

// apply takes a batch in with two round trips, however many events it has, and one more where goods came back: what is
// known of its orders and members, and all that is written.
func (e *earner) apply(ctx context.Context, tx *pg.Tx, events []inbox.Event) error {
	facts, err := e.read(events)
	if err != nil {
		return err
	}
	now := e.ledger.Now()
	drafts, err := draftMembers(facts, now)
	if err != nil {
		return err
	}
	orders := queueOrders(tx, facts)
	members, made, err := member.Ensure(ctx, tx, drafts...)
	if err != nil {
		return err
	}
	caller, _ := auth.From(ctx)
	p, err := e.plan(ctx, tx, plan{rules: e.rules, by: caller.Subject, now: now}, facts, orders, members)
	if err != nil {
		return err
	}
	saveOrders(tx, p.orders, p.touched)
	lead := make([]outbox.Event, len(made))
	for i, m := range made {
		lead[i] = member.EnrolledEvent(m)
	}
	if err := e.ledger.Book(ctx, tx, lead, p.steps...); err != nil {
		return err
	}
	return tx.Flush(ctx)
}

// draftMembers gives a member for each customer that the facts name, as it is to be where the customer is none yet.
func draftMembers(facts []fact, now time.Time) ([]member.Member, error) {
	var drafts []member.Member
	seen := make(map[uuid.UUID]bool)
	for _, f := range facts {
		if f.customer == uuid.Nil || seen[f.customer] {
			continue
		}
		seen[f.customer] = true
		m, err := member.Enrol(f.customer, programme.StandardCode, member.SourceFirstPurchase, now)
		if err != nil {
			return nil, err
		}
		drafts = append(drafts, m)
	}
	return drafts, nil
}

// plan takes the facts in. A few lots of each member whose goods came back are nearly always enough; where they are not,
// it begins anew with all of them.
func (e *earner) plan(ctx context.Context, tx *pg.Tx, p plan, facts []fact, orders map[uuid.UUID]order,
	members map[member.Key]member.Member,
) (plan, error) {
	ids, own := takenFrom(facts, orders, members)
	for _, limit := range ledger.Portions {
		p.lots = &ledger.Lots{}
		if len(ids) > 0 {
			p.lots = ledger.QueueLots(tx, ids, own, limit)
			if err := tx.Flush(ctx); err != nil {
				return p, err
			}
		}
		p.orders, p.touched, p.steps = make(map[uuid.UUID]order, len(facts)), make(map[uuid.UUID]bool, len(facts)), nil
		for id, o := range orders {
			p.orders[id] = o
		}
		p.accounts = make(map[uuid.UUID]ledger.Account, len(members))
		for key, m := range members {
			p.accounts[key.CustomerID] = ledger.Account{Member: m}
		}
		err := p.takeAll(facts)
		if err == nil || !errors.Is(err, ledger.ErrLotsMissing) {
			return p, err
		}
	}
	return p, ledger.ErrLotsMissing
}

func (p *plan) takeAll(facts []fact) error {
	for _, f := range facts {
		if err := p.take(f); err != nil {
			return err
		}
	}
	return nil
}

// takenFrom gives the members whose points may be taken back, and the lots of the orders concerned.
func takenFrom(facts []fact, orders map[uuid.UUID]order, members map[member.Key]member.Member) (ids, own []uuid.UUID) {
	returned := make(map[uuid.UUID]bool)
	for _, f := range facts {
		o := orders[f.order]
		if f.back == nil && o.ReturnedMinor == 0 {
			continue
		}
		if o.EntryID != uuid.Nil {
			own = append(own, o.EntryID)
		}
		for _, customer := range []uuid.UUID{f.customer, o.CustomerID} {
			if m, there := members[member.Key{CustomerID: customer, Programme: programme.StandardCode}]; there && !returned[m.ID] {
				returned[m.ID] = true
				ids = append(ids, m.ID)
			}
		}
	}
	return ids, own
}

// read takes the events apart. One that breaks its own contract is a problem of the kind Unprocessable.
func (e *earner) read(events []inbox.Event) ([]fact, error) {
	facts := make([]fact, len(events))
	for i, event := range events {
		r := reader{event: event.ID}
		f := fact{event: event.ID}
		switch m := event.Message.(type) {
		case *salesv1.OrderPlaced:
			f.order = r.id("order_id", m.GetOrderId())
			f.customer = r.maybe("customer_id", m.GetCustomerId())
			f.placed = &order{
				ID: f.order, CustomerID: f.customer, Currency: m.GetCurrency(), TotalMinor: r.amount("total_minor", m.GetTotalMinor()),
				PlacedAt: r.time("placed_at", m.GetPlacedAt()),
			}
			var ok bool
			if f.placed.Points, ok = e.rules.Points(f.placed.TotalMinor, m.GetCurrency()); !ok {
				r.broken("currency", "is not an ISO 4217 code")
			}
		case *salesv1.OrderAttributed:
			f.order, f.customer = r.id("order_id", m.GetOrderId()), r.id("customer_id", m.GetCustomerId())
		case *salesv1.OrderReturned:
			f.order = r.id("order_id", m.GetOrderId())
			f.customer = r.maybe("customer_id", m.GetCustomerId())
			f.back = &goodsBack{
				ID: r.id("return_id", m.GetReturnId()), Currency: m.GetCurrency(), AmountMinor: r.amount("amount_minor", m.GetAmountMinor()),
				ReturnedAt: r.time("returned_at", m.GetReturnedAt()),
			}
		}
		if r.err != nil {
			return nil, r.err
		}
		facts[i] = f
	}
	return facts, nil
}

// reader reads the fields of one event and remembers the first that breaks the contract.
type reader struct {
	event uuid.UUID
	err   error
}

func (r *reader) broken(field, why string) {
	if r.err == nil {
		r.err = broken(r.event, field, why)
	}
}

func (r *reader) id(field, s string) uuid.UUID {
	id, err := uuid.Parse(s)
	if err != nil || id == uuid.Nil {
		r.broken(field, "is not an id")
	}
	return id
}

func (r *reader) maybe(field, s string) uuid.UUID {
	if s == "" {
		return uuid.Nil
	}
	return r.id(field, s)
}

func (r *reader) amount(field string, n int64) int64 {
	if n < 0 || n > money.Max {
		r.broken(field, "is not an amount")
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
