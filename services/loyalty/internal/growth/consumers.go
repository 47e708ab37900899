package growth

import (
	"context"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// order is an order as it was placed; amounts are in minor units of its currency.
type order struct {
	id, customer uuid.UUID // customer is Nil until it is known
	currency     string
	total        int64
	placedAt     time.Time
	lines        []line // those that name an article
}

type line struct {
	no     int32
	sku    string
	amount int64
}

// goodsBack is goods of an order that came back.
type goodsBack struct {
	order, id uuid.UUID
	amount    int64
	lines     []line
}

// Judge looks at orders that were placed, attributed or came back, after they were written down; it gives the customers besides
// whose score that changes. The book has been read.
type Judge func(ctx context.Context, tx *pg.Tx, book *programme.Book, orders []uuid.UUID) ([]uuid.UUID, error)

// Orders keeps what sales tells of orders, lets others judge them, and scores whose orders they are.
func (g *Growths) Orders(judge Judge) inbox.Consumer {
	return inbox.Consumer{
		Name:    "growth-orders",
		Topics:  []string{bus.TopicFor("sales")},
		Ordered: true,
		Handles: []proto.Message{&salesv1.OrderPlaced{}, &salesv1.OrderAttributed{}, &salesv1.OrderReturned{}},
		Apply: func(ctx context.Context, tx *pg.Tx, events []inbox.Event) error {
			b, err := sort(events)
			if err != nil {
				return err
			}
			queueOrders(tx, b.placed)
			queueAttributions(tx, b.attributed, b.customers)
			queueReturns(tx, b.returned)
			book := programme.BookOf(tx)
			customers, err := customersOf(ctx, tx, b.all)
			if err != nil {
				return err
			}
			if judge != nil {
				more, err := judge(ctx, tx, book, b.all)
				if err != nil {
					return err
				}
				customers = append(customers, more...)
			}
			if err := g.Rescore(ctx, tx, book, customers, CauseOrder); err != nil {
				return err
			}
			return tx.Flush(ctx)
		},
	}
}

// batch is what a batch of sales' events says.
type batch struct {
	placed                []order
	attributed, customers []uuid.UUID // orders, and whose each is
	returned              []goodsBack
	all                   []uuid.UUID // orders, each once
}

// sort takes events apart. One that breaks its own contract is a problem of the kind Unprocessable: trying again cannot help.
func sort(events []inbox.Event) (b batch, err error) {
	seen := make(map[uuid.UUID]bool)
	for _, e := range events {
		r := e.Contract()
		var id uuid.UUID
		switch m := e.Message.(type) {
		case *salesv1.OrderPlaced:
			id = r.ID("order_id", m.GetOrderId())
			b.placed = append(b.placed, order{
				id: id, customer: r.MaybeID("customer_id", m.GetCustomerId()), currency: r.Currency("currency", m.GetCurrency()),
				total: r.Amount("total_minor", m.GetTotalMinor()), placedAt: r.Time("placed_at", m.GetPlacedAt()), lines: linesOf(r, m.GetLines(), true),
			})
		case *salesv1.OrderAttributed:
			id = r.ID("order_id", m.GetOrderId())
			b.attributed, b.customers = append(b.attributed, id), append(b.customers, r.ID("customer_id", m.GetCustomerId()))
		case *salesv1.OrderReturned:
			id = r.ID("order_id", m.GetOrderId())
			b.returned = append(b.returned, goodsBack{
				order: id, id: r.ID("return_id", m.GetReturnId()), amount: r.Amount("amount_minor", m.GetAmountMinor()), lines: linesOf(r, m.GetLines(), false),
			})
		}
		if err := r.Err(); err != nil {
			return batch{}, err
		}
		if !seen[id] {
			seen[id] = true
			b.all = append(b.all, id)
		}
	}
	return b, nil
}

// Signals scores customers who got in touch or became members, and those who are one customer since a merge, or no more.
// It follows merges itself: they change scores in the transaction in which they are heard of.
func (g *Growths) Signals() inbox.Consumer {
	return inbox.Consumer{
		Name:   "growth-signals",
		Topics: []string{bus.TopicFor("accounts"), bus.TopicFor("loyalty")},
		Pace:   100 * time.Millisecond,
		Handles: append(alias.Handles(), &accountsv1.InteractionRecorded{}, &loyaltyv1.MemberEnrolled{},
			&loyaltyv1.MemberReinstated{}),
		Apply: g.applySignals,
	}
}

func (g *Growths) applySignals(ctx context.Context, tx *pg.Tx, events []inbox.Event) error {
	caller, _ := auth.From(ctx)
	now := g.now()
	var (
		changes                 []alias.Change
		all                     []Behaviour
		merged, touched, joined []uuid.UUID
	)
	for _, e := range events {
		r := e.Contract()
		switch m := e.Message.(type) {
		case *accountsv1.InteractionRecorded:
			b := Behaviour{
				Kind: programme.GrowthInteractions, Key: r.ID("interaction_id", m.GetInteractionId()).String(),
				CustomerID: r.ID("customer_id", m.GetCustomerId()), OccurredAt: r.Time("occurred_at", m.GetOccurredAt()),
				RecordedAt: now, RecordedBy: caller.Subject,
			}
			if m.GetDirection() == "inbound" { // what the organisation does is no behaviour of the customer's
				all, touched = append(all, b), append(touched, b.CustomerID)
			}
		case *loyaltyv1.MemberEnrolled:
			joined = append(joined, r.ID("customer_id", m.GetCustomerId()))
		case *loyaltyv1.MemberReinstated:
			joined = append(joined, r.ID("customer_id", m.GetCustomerId()))
		case *accountsv1.CustomerAbsorbed:
			merged = append(merged, r.ID("customer_id", m.GetCustomerId()), r.ID("survivor_id", m.GetSurvivorId()))
		case *accountsv1.CustomerRestored:
			merged = append(merged, r.ID("customer_id", m.GetCustomerId()), r.ID("survivor_id", m.GetSurvivorId()))
		}
		change, ok, err := alias.Read(e)
		switch {
		case err != nil:
			return err
		case r.Err() != nil:
			return r.Err()
		case ok:
			changes = append(changes, change)
		}
	}
	alias.Queue(tx, changes...)
	queueBehaviours(tx, all)
	book := programme.BookOf(tx)
	if err := tx.Flush(ctx); err != nil {
		return err
	}
	for _, c := range []struct {
		customers []uuid.UUID
		cause     string
	}{{merged, CauseMerge}, {touched, CauseInteraction}, {joined, CauseEnrolment}} {
		if err := g.Rescore(ctx, tx, book, c.customers, c.cause); err != nil {
			return err
		}
	}
	return tx.Flush(ctx)
}

// linesOf gives lines, without those that name no article where asked to.
func linesOf(r *inbox.Contract, all []*salesv1.OrderLine, named bool) (lines []line) {
	for _, l := range all {
		if named && l.GetSku() == "" {
			continue
		}
		lines = append(lines, line{no: l.GetLineNo(), sku: l.GetSku(), amount: r.Amount("lines.amount_minor", l.GetAmountMinor())})
	}
	return lines
}
