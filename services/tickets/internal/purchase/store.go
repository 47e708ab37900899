package purchase

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Each statement takes a whole batch as arrays. A row that is there already stays as it is, and adds nothing to its day.
const (
	insertOrders = `
WITH placed AS (
	INSERT INTO purchase (tenant_id, order_id, customer_id, channel, currency, units, total_minor, placed_at)
	SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::timestamptz[])
	ON CONFLICT DO NOTHING
	RETURNING order_id, placed_at
), line AS (
	SELECT l.*, (p.placed_at AT TIME ZONE 'UTC')::date AS day
	FROM placed p JOIN unnest($9::uuid[], $10::integer[], $11::text[], $12::bigint[], $13::bigint[], $14::smallint[])
		AS l (order_id, line_no, sku, quantity, amount_minor, slot) USING (order_id)
), kept AS (
	INSERT INTO purchase_line (tenant_id, order_id, line_no, sku, quantity, amount_minor)
	SELECT $1, order_id, line_no, sku, quantity, amount_minor FROM line
	ON CONFLICT DO NOTHING
)
INSERT INTO purchase_unit AS u (tenant_id, sku, day, slot, units)
SELECT $1, s.sku, s.day, s.slot, sum(s.quantity)
FROM (SELECT sku, day, slot, quantity FROM line WHERE sku <> '' UNION ALL SELECT '', day, slot, quantity FROM line) s
GROUP BY 2, 3, 4
ORDER BY 2, 3, 4
ON CONFLICT (tenant_id, sku, day, slot) DO UPDATE SET units = u.units + excluded.units`

	// The ids are said twice, so that only these orders are read, also by a plan made while the table was new.
	attributeOrders = `
UPDATE purchase o SET customer_id = a.customer_id
FROM unnest($2::uuid[], $3::uuid[]) AS a (order_id, customer_id)
WHERE o.tenant_id = $1 AND o.order_id = a.order_id AND o.order_id = ANY($2::uuid[])`

	insertReturns = `
INSERT INTO purchase_return (tenant_id, return_id, order_id, units, amount_minor, returned_at)
SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::bigint[], $6::timestamptz[])
ON CONFLICT DO NOTHING`

	moveAsOf = `
INSERT INTO purchase_as_of AS p (tenant_id, slot, newest_at)
SELECT $1, * FROM unnest($2::smallint[], $3::timestamptz[])
ON CONFLICT (tenant_id, slot) DO UPDATE SET newest_at = greatest(p.newest_at, excluded.newest_at)`
)

// store writes a batch in one round trip.
func store(ctx context.Context, tx *pg.Tx, b Batch) error {
	if len(b.Orders) > 0 {
		queueOrders(tx, b.Orders)
	}
	if len(b.Attributions) > 0 {
		orders, customers := make([]uuid.UUID, len(b.Attributions)), make([]uuid.UUID, len(b.Attributions))
		for i, a := range b.Attributions {
			orders[i], customers[i] = a.OrderID, a.CustomerID
		}
		tx.Queue(attributeOrders, tx.Tenant(), orders, customers)
	}
	if len(b.Returns) > 0 {
		queueReturns(tx, b.Returns)
	}
	slots, times := make([]int16, 0, len(b.newest)), make([]time.Time, 0, len(b.newest))
	for _, slot := range slices.Sorted(maps.Keys(b.newest)) {
		slots, times = append(slots, int16(slot)), append(times, b.newest[slot])
	}
	tx.Queue(moveAsOf, tx.Tenant(), slots, times)
	return tx.Flush(ctx)
}

func queueOrders(tx *pg.Tx, orders []Order) {
	n := len(orders)
	ids, customers := make([]uuid.UUID, n), make([]*uuid.UUID, n)
	channels, currencies := make([]string, n), make([]string, n)
	units, totals, placed := make([]int64, n), make([]int64, n), make([]time.Time, n)
	var (
		of                 []uuid.UUID
		numbers            []int32
		skus               []string
		quantities, amount []int64
		slots              []int16
	)
	for i, o := range orders {
		ids[i], customers[i], channels[i], currencies[i] = o.ID, pg.OrNull(o.CustomerID), o.Channel, o.Currency
		units[i], totals[i], placed[i] = o.Units, o.TotalMinor, o.PlacedAt
		for _, l := range o.Lines {
			of, numbers, skus = append(of, o.ID), append(numbers, l.No), append(skus, l.SKU)
			quantities, amount, slots = append(quantities, l.Quantity), append(amount, l.AmountMinor), append(slots, int16(o.Slot))
		}
	}
	tx.Queue(insertOrders, tx.Tenant(), ids, customers, channels, currencies, units, totals, placed, of, numbers, skus, quantities, amount, slots)
}

func queueReturns(tx *pg.Tx, returns []Return) {
	n := len(returns)
	ids, orders := make([]uuid.UUID, n), make([]uuid.UUID, n)
	units, amounts, at := make([]int64, n), make([]int64, n), make([]time.Time, n)
	for i, r := range returns {
		ids[i], orders[i], units[i], amounts[i], at[i] = r.ID, r.OrderID, r.Units, r.AmountMinor, r.ReturnedAt
	}
	tx.Queue(insertReturns, tx.Tenant(), ids, orders, units, amounts, at)
}
