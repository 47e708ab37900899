package earning

import (
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// queueOrders queues the reading of what is known of the facts' orders; they are filled in by the next round trip. Each
// is looked for by its whole key: a plain join that was planned while the table was new would read all orders of the
// tenant.
func queueOrders(tx *pg.Tx, facts []fact) (orders map[uuid.UUID]order) {
	orders = make(map[uuid.UUID]order)
	ids := make([]uuid.UUID, 0, len(facts))
	asked := make(map[uuid.UUID]bool, len(facts))
	for _, f := range facts {
		if !asked[f.order] {
			asked[f.order] = true
			ids = append(ids, f.order)
		}
	}
	tx.Queue(`SELECT o.order_id, o.customer_id, o.currency, o.total_minor, o.returned_minor, o.placed_at, o.points, o.taken_back,
			o.entry_id, o.returns
		FROM unnest($2::uuid[]) AS n(id)
		JOIN LATERAL (SELECT * FROM earning_order k WHERE k.tenant_id = $1 AND k.order_id = n.id LIMIT 1) o ON true`,
		tx.Tenant(), ids).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var (
				o               order
				customer, entry *uuid.UUID
			)
			if err := rows.Scan(&o.ID, &customer, &o.Currency, &o.TotalMinor, &o.ReturnedMinor, &o.PlacedAt, &o.Points, &o.TakenBack,
				&entry, &o.Returns); err != nil {
				return err
			}
			if customer != nil {
				o.CustomerID = *customer
			}
			if entry != nil {
				o.EntryID = *entry
			}
			o.PlacedAt = o.PlacedAt.UTC()
			orders[o.ID] = o
		}
		return rows.Err()
	})
	return orders
}

// saveOrders queues the orders that were touched, new ones and others, as they are now.
func saveOrders(tx *pg.Tx, orders map[uuid.UUID]order, touched map[uuid.UUID]bool) {
	n := len(touched)
	if n == 0 {
		return
	}
	ids, customers, currencies := make([]uuid.UUID, 0, n), make([]*uuid.UUID, 0, n), make([]string, 0, n)
	totals, returned, placed := make([]int64, 0, n), make([]int64, 0, n), make([]time.Time, 0, n)
	points, back, entries, returns := make([]int64, 0, n), make([]int64, 0, n), make([]*uuid.UUID, 0, n), make([]string, 0, n)
	for id := range touched {
		o := orders[id]
		ids, currencies, totals, returned = append(ids, id), append(currencies, o.Currency), append(totals, o.TotalMinor), append(returned, o.ReturnedMinor)
		customers, entries = append(customers, pg.OrNull(o.CustomerID)), append(entries, pg.OrNull(o.EntryID))
		placed, points, back = append(placed, o.PlacedAt), append(points, o.Points), append(back, o.TakenBack)
		returns = append(returns, arrayText(o.Returns))
	}
	tx.Queue(`INSERT INTO earning_order (tenant_id, order_id, customer_id, currency, total_minor, returned_minor, placed_at, points,
			taken_back, entry_id, returns)
		SELECT $1, n.id, n.customer_id, n.currency, n.total, n.returned, n.placed_at, n.points, n.back, n.entry_id, n.returns::uuid[]
		FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::bigint[], $7::timestamptz[], $8::bigint[], $9::bigint[],
			$10::uuid[], $11::text[]) AS n(id, customer_id, currency, total, returned, placed_at, points, back, entry_id, returns)
		ORDER BY n.id
		ON CONFLICT (tenant_id, order_id) DO UPDATE SET customer_id = excluded.customer_id, returned_minor = excluded.returned_minor,
			taken_back = excluded.taken_back, entry_id = excluded.entry_id, returns = excluded.returns`,
		tx.Tenant(), ids, customers, currencies, totals, returned, placed, points, back, entries, returns)
}

// arrayText writes ids as an array of PostgreSQL: a set of rows cannot have arrays of different lengths in one column.
func arrayText(ids []uuid.UUID) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, id := range ids {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(id.String())
	}
	b.WriteByte('}')
	return b.String()
}
