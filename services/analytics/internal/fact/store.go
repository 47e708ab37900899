package fact

import (
	"maps"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Each statement takes a whole batch as arrays. A row that is there already stays as it is and adds nothing to its
// day, so that even an event that got past the consumer's cursor twice would count once.
const (
	insertCustomers = `
INSERT INTO fact_customer (tenant_id, customer_id, kind, source, registered_at)
SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::text[], $5::timestamptz[])
ON CONFLICT DO NOTHING`

	// The lines of an order come as the text of an array.
	insertOrders = `
WITH placed AS (
	INSERT INTO fact_order (tenant_id, order_id, customer_id, channel, currency, units, total_minor, placed_at, opportunity_id, skus, quantities, amounts)
	SELECT $1, o.order_id, o.customer_id, o.channel, o.currency, o.units, o.total_minor, o.placed_at, o.opportunity_id,
		o.skus::text[], o.quantities::bigint[], o.amounts::bigint[]
	FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::timestamptz[], $10::uuid[], $11::text[], $12::text[], $13::text[])
		AS o (order_id, customer_id, channel, currency, units, total_minor, placed_at, opportunity_id, skus, quantities, amounts)
	ON CONFLICT DO NOTHING
	RETURNING order_id, channel, currency, units, total_minor, placed_at
)
INSERT INTO sales_day AS d (tenant_id, currency, channel, day, slot, orders, units, gross_minor)
SELECT $1, p.currency, p.channel, (p.placed_at AT TIME ZONE 'UTC')::date, s.slot, count(*), sum(p.units), sum(p.total_minor)
FROM placed p JOIN unnest($2::uuid[], $9::smallint[]) AS s (order_id, slot) USING (order_id)
GROUP BY 2, 3, 4, 5
ORDER BY 2, 3, 4, 5
ON CONFLICT (tenant_id, currency, channel, day, slot) DO UPDATE SET
	orders = d.orders + excluded.orders, units = d.units + excluded.units, gross_minor = d.gross_minor + excluded.gross_minor`

	// Products are told in the order of their codes, so that two partitions wait for each other at most; most of them are known already.
	insertProducts = `
INSERT INTO fact_product AS p (tenant_id, sku, first_at)
SELECT $1, n.sku, n.first_at FROM unnest($2::text[], $3::timestamptz[]) AS n (sku, first_at)
WHERE NOT EXISTS (SELECT FROM fact_product k WHERE k.tenant_id = $1 AND k.sku = n.sku AND k.first_at <= n.first_at)
ORDER BY n.sku
ON CONFLICT (tenant_id, sku) DO UPDATE SET first_at = least(p.first_at, excluded.first_at)`

	// The ids are said twice, so that only these orders are read, also by a plan made while the table was new.
	attributeOrders = `
UPDATE fact_order o SET customer_id = a.customer_id
FROM unnest($2::uuid[], $3::uuid[]) AS a (order_id, customer_id)
WHERE o.tenant_id = $1 AND o.order_id = a.order_id AND o.order_id = ANY($2::uuid[])`

	insertReturns = `
WITH returned AS (
	INSERT INTO fact_return (tenant_id, return_id, order_id, currency, units, amount_minor, returned_at)
	SELECT $1, r.return_id, r.order_id, r.currency, r.units, r.amount_minor, r.returned_at
	FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::bigint[], $7::timestamptz[])
		AS r (return_id, order_id, currency, units, amount_minor, returned_at)
	ON CONFLICT DO NOTHING
	RETURNING return_id, order_id, currency, units, amount_minor, returned_at
)
INSERT INTO sales_day AS d (tenant_id, currency, channel, day, slot, returns, returned_units, returned_minor)
SELECT $1, r.currency, coalesce(o.channel, ''), (r.returned_at AT TIME ZONE 'UTC')::date, s.slot, count(*), sum(r.units), sum(r.amount_minor)
FROM returned r JOIN unnest($2::uuid[], $8::smallint[]) AS s (return_id, slot) USING (return_id)
LEFT JOIN LATERAL (SELECT f.channel FROM fact_order f WHERE f.tenant_id = $1 AND f.order_id = r.order_id LIMIT 1) o ON true
GROUP BY 2, 3, 4, 5
ORDER BY 2, 3, 4, 5
ON CONFLICT (tenant_id, currency, channel, day, slot) DO UPDATE SET
	returns = d.returns + excluded.returns, returned_units = d.returned_units + excluded.returned_units,
	returned_minor = d.returned_minor + excluded.returned_minor`

	moveAsOf = `
INSERT INTO fact_as_of AS f (tenant_id, topic, slot, newest_at)
SELECT $1, * FROM unnest($2::text[], $3::smallint[], $4::timestamptz[])
ON CONFLICT (tenant_id, topic, slot) DO UPDATE SET newest_at = greatest(f.newest_at, excluded.newest_at)`
)

// queue queues a batch.
func queue(tx *pg.Tx, b Batch) error {
	alias.Queue(tx, b.Merges...)
	if len(b.Customers) > 0 {
		queueCustomers(tx, b.Customers)
	}
	if len(b.Erasures) > 0 {
		queueErasures(tx, b.Erasures)
	}
	if len(b.Orders) > 0 {
		queueOrders(tx, b.Orders)
		queueProducts(tx, b.Orders)
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
	if err := queueStar(tx, b); err != nil {
		return err
	}
	queueMarks(tx, b.newest)
	return nil
}

// queueDue queues that portraits are to be reckoned, those of news before all that waits. Of a return that does not say whose it
// is, its order tells.
func queueDue(tx *pg.Tx, atOnce, later []uuid.UUID, returns []Return) {
	for lane, customers := range [][]uuid.UUID{atOnce, later} {
		if len(customers) > 0 {
			tx.Queue(`INSERT INTO public.portrait_due (tenant_id, lane, customer_id) SELECT $1, $2, unnest($3::uuid[])`, tx.Tenant(), lane, customers)
		}
	}
	if len(returns) == 0 {
		return
	}
	orders := make([]uuid.UUID, len(returns))
	for i, r := range returns {
		orders[i] = r.OrderID
	}
	tx.Queue(`INSERT INTO public.portrait_due (tenant_id, lane, customer_id)
		SELECT DISTINCT $1, 1, o.customer_id FROM unnest($2::uuid[]) AS r(order_id)
		CROSS JOIN LATERAL (SELECT f.customer_id FROM fact_order f WHERE f.tenant_id = $1 AND f.order_id = r.order_id LIMIT 1) o
		WHERE o.customer_id IS NOT NULL`, tx.Tenant(), orders)
}

func queueErasures(tx *pg.Tx, erasures []Erasure) {
	ids, at := make([]uuid.UUID, len(erasures)), make([]time.Time, len(erasures))
	for i, e := range erasures {
		ids[i], at[i] = e.CustomerID, e.At
	}
	// One that was never heard of is kept as one of whom nothing is known.
	tx.Queue(`INSERT INTO fact_customer AS c (tenant_id, customer_id, kind, source, registered_at, erased_at)
		SELECT DISTINCT ON (e.id) $1, e.id, 'unknown', '', e.at, e.at FROM unnest($2::uuid[], $3::timestamptz[]) AS e(id, at) ORDER BY e.id, e.at
		ON CONFLICT (tenant_id, customer_id) DO UPDATE SET erased_at = least(c.erased_at, excluded.erased_at)`, tx.Tenant(), ids, at)
}

func queueCustomers(tx *pg.Tx, customers []Customer) {
	n := len(customers)
	ids, kinds, sources, registered := make([]uuid.UUID, n), make([]string, n), make([]string, n), make([]time.Time, n)
	for i, c := range customers {
		ids[i], kinds[i], sources[i], registered[i] = c.ID, c.Kind, c.Source, c.RegisteredAt
	}
	tx.Queue(insertCustomers, tx.Tenant(), ids, kinds, sources, registered)
}

func queueOrders(tx *pg.Tx, orders []Order) {
	n := len(orders)
	ids, customers := make([]uuid.UUID, n), make([]*uuid.UUID, n)
	channels, currencies := make([]string, n), make([]string, n)
	units, totals, placed, slots := make([]int64, n), make([]int64, n), make([]time.Time, n), make([]int16, n)
	opportunities, skus, quantities, amounts := make([]*uuid.UUID, n), make([]string, n), make([]string, n), make([]string, n)
	for i, o := range orders {
		ids[i], customers[i], channels[i], currencies[i] = o.ID, o.CustomerID, o.Channel, o.Currency
		units[i], totals[i], placed[i], slots[i] = o.Units, o.TotalMinor, o.PlacedAt, int16(o.Slot)
		opportunities[i] = o.OpportunityID
		skus[i], quantities[i], amounts[i] = textArray(o.SKUs), intArray(o.Quantities), intArray(o.Amounts)
	}
	tx.Queue(insertOrders, tx.Tenant(), ids, customers, channels, currencies, units, totals, placed, slots, opportunities, skus, quantities, amounts)
}

// queueProducts queues when products were first sold, as far as these orders tell.
func queueProducts(tx *pg.Tx, orders []Order) {
	first := make(map[string]time.Time)
	for _, o := range orders {
		for _, sku := range o.SKUs {
			if at, ok := first[sku]; sku != "" && (!ok || o.PlacedAt.Before(at)) {
				first[sku] = o.PlacedAt
			}
		}
	}
	if len(first) == 0 {
		return
	}
	skus := slices.Sorted(maps.Keys(first))
	at := make([]time.Time, len(skus))
	for i, sku := range skus {
		at[i] = first[sku]
	}
	tx.Queue(insertProducts, tx.Tenant(), skus, at)
}

func queueReturns(tx *pg.Tx, returns []Return) {
	n := len(returns)
	ids, orders, currencies := make([]uuid.UUID, n), make([]uuid.UUID, n), make([]string, n)
	units, amounts, at, slots := make([]int64, n), make([]int64, n), make([]time.Time, n), make([]int16, n)
	for i, r := range returns {
		ids[i], orders[i], currencies[i] = r.ID, r.OrderID, r.Currency
		units[i], amounts[i], at[i], slots[i] = r.Units, r.AmountMinor, r.ReturnedAt, int16(r.Slot)
	}
	tx.Queue(insertReturns, tx.Tenant(), ids, orders, currencies, units, amounts, at, slots)
}

func queueMarks(tx *pg.Tx, newest map[mark]time.Time) {
	marks := make([]mark, 0, len(newest))
	for m := range newest {
		marks = append(marks, m)
	}
	sort.Slice(marks, func(i, j int) bool {
		return marks[i].topic < marks[j].topic || marks[i].topic == marks[j].topic && marks[i].slot < marks[j].slot
	})
	topics, slots, times := make([]string, len(marks)), make([]int16, len(marks)), make([]time.Time, len(marks))
	for i, m := range marks {
		topics[i], slots[i], times[i] = m.topic, int16(m.slot), newest[m]
	}
	tx.Queue(moveAsOf, tx.Tenant(), topics, slots, times)
}

// textArray is the text of an array of texts.
func textArray(texts []string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, s := range texts {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		for j := range len(s) {
			if s[j] == '"' || s[j] == '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte(s[j])
		}
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}

// intArray is the text of an array of numbers.
func intArray(numbers []int64) string {
	b := []byte{'{'}
	for i, n := range numbers {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, n, 10)
	}
	return string(append(b, '}'))
}
