package earning

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

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
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/rule"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/tier"
)

// Consumer gives points for what sales tells of orders, in the books of l, and has tiers rise by them.
func Consumer(l *ledger.Ledger, t *tier.Tiers) inbox.Consumer {
	e := &earner{ledger: l, tiers: t}
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
	tiers  *tier.Tiers
}

// apply takes a batch in with three round trips, however many events it has: the terms and what is known of its orders and
// members; the members, locked, with all that the terms ask for; and all that is written. Tiers need one more.
func (e *earner) apply(ctx context.Context, tx *pg.Tx, events []inbox.Event) error {
	facts, err := e.read(events)
	if err != nil {
		return err
	}
	now := e.ledger.Now()
	k := queueKnown(tx, facts)
	if err := tx.Flush(ctx); err != nil {
		return err
	}
	k.codes = k.book.Codes()
	members, made, err := e.ensure(ctx, tx, k, facts, now)
	if err != nil {
		return err
	}
	caller, _ := auth.From(ctx)
	p, err := e.plan(ctx, tx, plan{known: k, ledger: e.ledger, by: caller.Subject, now: now}, facts, members)
	if err != nil {
		return err
	}
	saveOrders(tx, p.orders, p.touched)
	saveShares(tx, p.orders, p.touched)
	saveReturns(tx, p.back)
	saveCaps(tx, p.caps.added)
	lead := make([]outbox.Event, 0, len(made))
	for _, m := range made {
		lead = append(lead, member.EnrolledEvent(m))
	}
	if len(p.counts) > 0 {
		locked := make(map[uuid.UUID]member.Member, len(p.accounts))
		for _, a := range p.accounts {
			locked[a.ID] = a.Member
		}
		moved, err := e.tiers.Qualify(ctx, tx, k.book, locked, p.counts)
		if err != nil {
			return err
		}
		lead = append(lead, moved...)
	}
	if err := e.ledger.Book(ctx, tx, lead, p.steps...); err != nil {
		return err
	}
	return tx.Flush(ctx)
}

// ensure makes members of those who become one by buying, locks all members concerned, and reads what the rules ask for about
// them. It begins anew where somebody was enrolled meanwhile, about whom nothing was read.
func (e *earner) ensure(ctx context.Context, tx *pg.Tx, k *known, facts []fact, now time.Time) (
	members map[member.Key]member.Member, made []member.Member, err error,
) {
	all, returned := k.buyings(facts)
	mine := make(map[uuid.UUID]bool)
	for {
		drafts, err := k.drafts(facts, all, now)
		if err != nil {
			return nil, nil, err
		}
		k.queue(tx, facts, all, returned)
		if len(drafts) == 0 {
			return nil, nil, tx.Flush(ctx)
		}
		var fresh []member.Member
		if members, fresh, err = member.Ensure(ctx, tx, drafts...); err != nil {
			return nil, nil, err
		}
		made = append(made, fresh...)
		for _, m := range fresh {
			mine[m.ID] = true
		}
		surprised := false
		for key, m := range members {
			if _, there := k.members[key]; !there && !mine[m.ID] {
				surprised = true
			}
			k.members[key] = membership{m.ID, m.State}
		}
		if !surprised {
			return members, made, nil
		}
	}
}

// plan takes the facts in. A few lots of each member whose goods came back are nearly always enough; where they are not,
// it begins anew with all of them.
func (e *earner) plan(ctx context.Context, tx *pg.Tx, p plan, facts []fact, members map[member.Key]member.Member) (plan, error) {
	_, returned := p.buyings(facts)
	for n, limit := range ledger.Portions {
		if ids, own := p.takenFrom(facts, returned); n > 0 && len(ids) > 0 {
			p.lots = ledger.QueueLots(tx, ids, own, limit)
			if err := tx.Flush(ctx); err != nil {
				return p, err
			}
		}
		p.begin(members, len(facts))
		err := p.takeAll(facts)
		if err == nil || !errors.Is(err, ledger.ErrLotsMissing) {
			return p, err
		}
	}
	return p, ledger.ErrLotsMissing
}

// begin forgets what was planned.
func (p *plan) begin(members map[member.Key]member.Member, facts int) {
	p.orders, p.touched = make(map[uuid.UUID]order, facts), make(map[uuid.UUID]bool, facts)
	p.steps, p.counts, p.back, p.caps = nil, nil, nil, counter{kept: p.known.caps}
	for id, o := range p.known.orders {
		p.orders[id] = o
	}
	p.accounts = make(map[member.Key]ledger.Account, len(members))
	for key, m := range members {
		p.accounts[key] = ledger.Account{Member: m}
	}
	p.bought = make(map[uuid.UUID]bool)
	for id := range p.buyers {
		p.bought[id] = true
	}
}

func (p *plan) takeAll(facts []fact) error {
	for _, f := range facts {
		if err := p.take(f); err != nil {
			return err
		}
	}
	return nil
}

// read takes the events apart. One that breaks its own contract is a problem of the kind Unprocessable.
func (e *earner) read(events []inbox.Event) ([]fact, error) {
	facts := make([]fact, len(events))
	for i, event := range events {
		r := event.Contract()
		f := fact{event: event}
		switch m := event.Message.(type) {
		case *salesv1.OrderPlaced:
			f.order = r.ID("order_id", m.GetOrderId())
			f.customer = r.MaybeID("customer_id", m.GetCustomerId())
			f.placed = orderOf(r, m)
		case *salesv1.OrderAttributed:
			f.order, f.customer = r.ID("order_id", m.GetOrderId()), r.ID("customer_id", m.GetCustomerId())
		case *salesv1.OrderReturned:
			f.order = r.ID("order_id", m.GetOrderId())
			f.customer = r.MaybeID("customer_id", m.GetCustomerId())
			f.back = &goodsBack{
				ID: r.ID("return_id", m.GetReturnId()), Currency: m.GetCurrency(), AmountMinor: r.Amount("amount_minor", m.GetAmountMinor()),
				ReturnedAt: r.Time("returned_at", m.GetReturnedAt()),
			}
		}
		if err := r.Err(); err != nil {
			return nil, err
		}
		facts[i] = f
	}
	return facts, nil
}

// orderOf reads an order. What its lines come to is for rules: a line that is none does not keep an order from earning.
func orderOf(r *inbox.Contract, m *salesv1.OrderPlaced) *order {
	o := &order{
		ID: r.ID("order_id", m.GetOrderId()), CustomerID: r.MaybeID("customer_id", m.GetCustomerId()), Channel: m.GetChannel(), Currency: r.Currency("currency", m.GetCurrency()),
		Units: max(0, m.GetUnits()), TotalMinor: r.Amount("total_minor", m.GetTotalMinor()), PlacedAt: r.Time("placed_at", m.GetPlacedAt()),
	}
	for _, l := range m.GetLines() {
		if q, a := l.GetQuantity(), l.GetAmountMinor(); q >= 0 && a >= 0 && a <= money.Max {
			o.Lines = append(o.Lines, rule.Line{SKU: l.GetSku(), Quantity: q, AmountMinor: a})
		}
	}
	o.Worth, _ = (programme.Terms{}).Points(o.TotalMinor, o.Currency)
	return o
}
