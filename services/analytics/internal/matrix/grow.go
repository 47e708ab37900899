package matrix

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
)

// growthSQL shares out what was sold in a period and in the one before it of the same length: $1 tenant, $2 currency, $3 the start of the period
// before, $4 the start of the period, $5 the end (exclusive). A customer is old who had a net purchase before the start (one that did not come
// back whole before the end), in any currency; so is a product that was in an order before it. Each order is split as Split says.
const growthSQL = `
WITH alias AS MATERIALIZED (SELECT customer_id, root_id FROM customer_aliases($1)), sold AS MATERIALIZED (
	SELECT o.order_id, coalesce(a.root_id, o.customer_id) AS customer_id, o.placed_at >= $4 AS present,
		CASE WHEN o.placed_at >= $4 THEN $4 ELSE $3 END AS start, o.total_minor, o.skus, o.amounts
	FROM fact_order o LEFT JOIN alias a ON a.customer_id = o.customer_id
	WHERE o.tenant_id = $1 AND o.currency = $2 AND o.placed_at >= $3 AND o.placed_at < $5
), product AS MATERIALIZED (
	SELECT l.sku, min(o.placed_at) AS first_at FROM fact_order o CROSS JOIN LATERAL unnest(o.skus) AS l(sku)
	WHERE o.tenant_id = $1 AND o.placed_at < $5 AND l.sku <> '' GROUP BY l.sku
), buyer AS MATERIALIZED (
	SELECT coalesce(a.root_id, o.customer_id) AS customer_id, min(o.placed_at) AS first_at
	FROM fact_order o LEFT JOIN (
		SELECT order_id, sum(units) AS units FROM fact_return WHERE tenant_id = $1 AND returned_at < $5 GROUP BY order_id
	) r USING (order_id) LEFT JOIN alias a ON a.customer_id = o.customer_id
	WHERE o.tenant_id = $1 AND o.placed_at < $5 AND o.customer_id IS NOT NULL AND NOT (o.units > 0 AND coalesce(r.units, 0) >= o.units) GROUP BY 1
), line AS (
	SELECT s.order_id, sum(l.amount) FILTER (WHERE p.first_at < s.start) AS old_amount, sum(l.amount) FILTER (WHERE p.first_at >= s.start) AS new_amount,
		sum(l.amount) FILTER (WHERE p.first_at IS NULL) AS none_amount,
		count(*) FILTER (WHERE p.first_at < s.start) AS old_lines, count(*) FILTER (WHERE p.first_at >= s.start) AS new_lines
	FROM sold s CROSS JOIN LATERAL unnest(s.skus, s.amounts) AS l(sku, amount) LEFT JOIN product p ON p.sku = l.sku GROUP BY s.order_id
), amounts AS (
	SELECT s.order_id, s.present, s.customer_id, s.total_minor, coalesce(b.first_at < s.start, false) AS old_customer, coalesce(l.old_amount, 0) AS o,
		coalesce(l.new_amount, 0) AS n, coalesce(l.none_amount, 0) AS u, coalesce(l.old_lines, 0) AS old_lines, coalesce(l.new_lines, 0) AS new_lines
	FROM sold s LEFT JOIN buyer b USING (customer_id) LEFT JOIN line l USING (order_id)
), cumulative AS (
	SELECT *, CASE WHEN o + n + u = 0 THEN 0 ELSE round(total_minor * o / (o + n + u)) END AS old_part,
		CASE WHEN o + n + u = 0 THEN 0 ELSE round(total_minor * (o + n) / (o + n + u)) END AS known_part
	FROM amounts
), part AS (
	SELECT present, customer_id, old_customer, true AS old_product, old_part AS revenue, old_lines AS lines FROM cumulative WHERE customer_id IS NOT NULL AND old_lines > 0
	UNION ALL SELECT present, customer_id, old_customer, false, known_part - old_part, new_lines FROM cumulative WHERE customer_id IS NOT NULL AND new_lines > 0
	UNION ALL SELECT present, customer_id, old_customer, NULL, total_minor - known_part, 0 FROM cumulative WHERE customer_id IS NOT NULL
	UNION ALL SELECT present, NULL, NULL, NULL, total_minor, 0 FROM cumulative WHERE customer_id IS NULL
)`

// GrowthCell is one cell of customers by products.
type GrowthCell struct {
	OldCustomer, OldProduct bool
	Customers               int64 // with a line in it
	RevenueMinor            int64
	PreviousMinor           int64 // of the period before
}

// GrowthMatrix is the revenue of a period by old and new customers and products. Cells, UnknownCustomer and UnknownProduct come to
// RevenueMinor exactly, and so do those of the period before.
type GrowthMatrix struct {
	Orders                   int64
	RevenueMinor             int64 // sold, before returns
	PreviousMinor            int64
	UnknownCustomerMinor     int64 // of orders whose customer is not known
	UnknownProductMinor      int64 // of lines that name no product
	PreviousUnknownCustomer  int64
	PreviousUnknownProduct   int64
	Cells                    [4]GrowthCell
	PreviousFrom, PreviousTo time.Time // days, both included
	FactsAsOf                time.Time
}

// Period is days from From to To, both included, at 00:00 UTC, and what was sold in them in a currency.
type Period struct {
	Currency string
	From, To time.Time
}

func (p Period) args(tenant string) []any {
	end := p.To.AddDate(0, 0, 1)
	days := int(end.Sub(p.From) / (24 * time.Hour))
	return []any{tenant, p.Currency, p.From.AddDate(0, 0, -days), p.From, end}
}

// Growth puts the revenue of a period into the matrix.
func (m *Matrices) Growth(ctx context.Context, p Period) (g GrowthMatrix, err error) {
	err = m.db.ReadWithin(ctx, auth.Tenant(ctx), heaviest, func(tx *pg.Tx) error {
		g = GrowthMatrix{}
		for i, c := range empty() {
			g.Cells[i].OldCustomer, g.Cells[i].OldProduct = c.First, c.Second
		}
		args := p.args(tx.Tenant())
		g.PreviousFrom, g.PreviousTo = args[2].(time.Time), p.From.AddDate(0, 0, -1)
		var err error
		if g.FactsAsOf, err = fact.AsOf(ctx, tx); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, growthSQL+` SELECT present, old_customer, old_product, count(DISTINCT customer_id), sum(revenue)::bigint, 0::bigint FROM part GROUP BY 1, 2, 3
			UNION ALL SELECT present, NULL, NULL, -1, sum(total_minor)::bigint, count(*) FROM sold GROUP BY 1`, args...)
		if err != nil {
			return err
		}
		var (
			present                bool
			customer, product      *bool
			customers, sum, orders int64
		)
		_, err = pgx.ForEachRow(rows, []any{&present, &customer, &product, &customers, &sum, &orders}, func() error {
			g.add(present, customer, product, customers, sum, orders)
			return nil
		})
		return err
	})
	return g, err
}

// add takes in one row: of all orders where there are fewer than no customers, else of a cell, or of what is not known.
func (g *GrowthMatrix) add(present bool, customer, product *bool, customers, sum, orders int64) {
	revenue, noCustomer, noProduct := &g.PreviousMinor, &g.PreviousUnknownCustomer, &g.PreviousUnknownProduct
	if present {
		revenue, noCustomer, noProduct = &g.RevenueMinor, &g.UnknownCustomerMinor, &g.UnknownProductMinor
	}
	switch {
	case customers < 0:
		*revenue = sum
		if present {
			g.Orders = orders
		}
	case customer == nil:
		*noCustomer += sum
	case product == nil:
		*noProduct += sum
	default:
		c := &g.Cells[at(*customer, *product)]
		if present {
			c.Customers, c.RevenueMinor = customers, sum
		} else {
			c.PreviousMinor = sum
		}
	}
}

// GrowthCustomer is a customer with its revenue in a cell.
type GrowthCustomer struct {
	CustomerID   uuid.UUID
	RevenueMinor int64
}

// GrowthCustomers gives those who stand in a cell with what they bought there, in the order of their ids.
func (m *Matrices) GrowthCustomers(ctx context.Context, p Period, oldCustomer, oldProduct bool, after uuid.UUID, limit int) (all []GrowthCustomer, err error) {
	err = m.db.ReadWithin(ctx, auth.Tenant(ctx), heaviest, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, growthSQL+` SELECT customer_id, sum(revenue)::bigint FROM part
			WHERE present AND old_customer = $6 AND old_product = $7 AND customer_id > $8 GROUP BY customer_id ORDER BY customer_id LIMIT $9`,
			append(p.args(tx.Tenant()), oldCustomer, oldProduct, after, limit)...)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[GrowthCustomer])
		return err
	})
	return all, err
}
