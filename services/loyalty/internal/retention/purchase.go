package retention

import (
	"context"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
)

// Orders is the consumer that keeps who bought when, and notes in open cases that their customer has bought.
func (r *Retention) Orders() inbox.Consumer {
	return inbox.Consumer{
		Name:    "retention-orders",
		Topics:  []string{bus.TopicFor("sales")},
		Ordered: true,
		Handles: []proto.Message{&salesv1.OrderPlaced{}, &salesv1.OrderAttributed{}, &salesv1.OrderReturned{}},
		Apply: func(ctx context.Context, tx *pg.Tx, events []inbox.Event) error {
			b := &purchases{}
			for _, e := range events {
				if err := b.read(e); err != nil {
					return err
				}
			}
			customers, err := b.save(ctx, tx)
			if err != nil || len(customers) == 0 {
				return err
			}
			saveRhythms(tx, customers)
			return r.noteBought(ctx, tx, customers)
		},
	}
}

// purchases is what sales told in a batch.
type purchases struct {
	placed struct {
		ids        []uuid.UUID
		customers  []*uuid.UUID
		currencies []string
		totals     []int64
		at         []time.Time
	}
	found struct{ ids, customers []uuid.UUID }
	back  struct {
		ids, orders []uuid.UUID
		amounts     []int64
	}
}

// read takes an event in. One that breaks its own contract is a problem of the kind Unprocessable.
func (b *purchases) read(e inbox.Event) error {
	r := e.Contract()
	switch m := e.Message.(type) {
	case *salesv1.OrderPlaced:
		id, total := r.ID("order_id", m.GetOrderId()), r.Amount("total_minor", m.GetTotalMinor())
		customer := pg.OrNull(r.MaybeID("customer_id", m.GetCustomerId()))
		p := &b.placed
		p.ids, p.customers, p.currencies = append(p.ids, id), append(p.customers, customer), append(p.currencies, r.Currency("currency", m.GetCurrency()))
		p.totals, p.at = append(p.totals, total), append(p.at, r.Time("placed_at", m.GetPlacedAt()))
	case *salesv1.OrderAttributed:
		b.found.ids = append(b.found.ids, r.ID("order_id", m.GetOrderId()))
		b.found.customers = append(b.found.customers, r.ID("customer_id", m.GetCustomerId()))
	case *salesv1.OrderReturned:
		b.back.ids, b.back.orders = append(b.back.ids, r.ID("return_id", m.GetReturnId())), append(b.back.orders, r.ID("order_id", m.GetOrderId()))
		b.back.amounts = append(b.back.amounts, r.Amount("amount_minor", m.GetAmountMinor()))
	}
	return r.Err()
}

// save writes the batch and gives the customers whose purchases it changed. What is told again changes nothing; a return of
// more than an order came to takes all of it back, since whoever keeps the books refuses it.
func (b *purchases) save(ctx context.Context, tx *pg.Tx) (customers []uuid.UUID, err error) {
	if p := b.placed; len(p.ids) > 0 {
		tx.Queue(`INSERT INTO retention_order (tenant_id, order_id, customer_id, currency, total_minor, placed_at)
			SELECT DISTINCT ON (n.id) $1, n.* FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::timestamptz[]) AS n(id, customer, currency, total, at)
			ORDER BY n.id
			ON CONFLICT (tenant_id, order_id) DO NOTHING`, tx.Tenant(), p.ids, p.customers, p.currencies, p.totals, p.at)
	}
	if len(b.found.ids) > 0 {
		tx.Queue(`UPDATE retention_order o SET customer_id = n.customer FROM unnest($2::uuid[], $3::uuid[]) AS n(id, customer)
			WHERE o.tenant_id = $1 AND o.order_id = n.id AND o.order_id = ANY($2::uuid[]) AND o.customer_id IS NULL`, tx.Tenant(), b.found.ids, b.found.customers)
	}
	for i, id := range b.back.ids {
		tx.Queue(`UPDATE retention_order SET returned_minor = least(total_minor, returned_minor + $4), returns = returns || $3::uuid
			WHERE tenant_id = $1 AND order_id = $2 AND NOT returns @> ARRAY[$3::uuid]`, tx.Tenant(), b.back.orders[i], id, b.back.amounts[i])
	}
	touched := append(append([]uuid.UUID{}, b.placed.ids...), b.found.ids...)
	if len(touched) == 0 {
		return nil, tx.Flush(ctx)
	}
	rows, err := tx.Query(ctx, `SELECT DISTINCT o.customer_id FROM unnest($2::uuid[]) AS n(id)
		JOIN LATERAL (SELECT k.customer_id FROM retention_order k WHERE k.tenant_id = $1 AND k.order_id = n.id LIMIT 1) o ON true
		WHERE o.customer_id IS NOT NULL ORDER BY 1`, tx.Tenant(), touched)
	if err != nil {
		return nil, err
	}
	return collectIDs(rows)
}

// saveRhythms queues how often and when the customers bought, from all their orders.
func saveRhythms(tx *pg.Tx, customers []uuid.UUID) {
	tx.Queue(`INSERT INTO retention_customer AS c (tenant_id, customer_id, purchases, first_at, last_at)
		SELECT $1, n.id, o.purchases, o.first_at, o.last_at FROM unnest($2::uuid[]) AS n(id)
		JOIN LATERAL (SELECT count(*) AS purchases, min(k.placed_at) AS first_at, max(k.placed_at) AS last_at FROM retention_order k
			WHERE k.tenant_id = $1 AND k.customer_id = n.id) o ON o.purchases > 0
		ORDER BY n.id
		ON CONFLICT (tenant_id, customer_id) DO UPDATE SET purchases = excluded.purchases, first_at = excluded.first_at, last_at = excluded.last_at`,
		tx.Tenant(), customers)
}

// noteBought notes the first purchases in the open cases of the customers. Their processes are told, and close them.
func (r *Retention) noteBought(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) error {
	open, err := openOf(ctx, tx, customers)
	if err != nil {
		return err
	}
	now := r.now()
	for _, was := range open {
		a, err := lookAround(ctx, tx, was, now)
		if err != nil {
			return err
		}
		is := was
		if a.order != uuid.Nil && is.Bought(a.order, a.boughtAt, now) {
			save(tx, was, is, true)
		}
	}
	return tx.Flush(ctx)
}
