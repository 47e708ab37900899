package matrix

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
)

// soldSQL reads what was sold in a period and in the one before it of the same length: $1 tenant, $2 currency, $3 the start of the period
// before, $4 the start of the period, $5 the end (exclusive), $6 the customer after whom, of those who are known, it begins. A customer is old
// whose first net purchase, in any currency, lies before the period; where there is no portrait (any more) its orders say so.
const soldSQL = `
WITH alias AS MATERIALIZED (SELECT customer_id, root_id FROM customer_aliases($1))
SELECT s.customer_id, s.start = $4::date, s.total_minor, s.skus, s.amounts, s.customer_id IS NOT NULL AND coalesce(coalesce(p.first_purchase_on, (
	SELECT min((o.placed_at AT TIME ZONE 'UTC')::date) FROM fact_order o
	WHERE o.tenant_id = $1 AND o.customer_id = ANY ((SELECT customer_group($1, s.customer_id))::uuid[])
		AND (o.units = 0 OR o.units > coalesce((SELECT sum(b.units) FROM fact_return b WHERE b.tenant_id = $1 AND b.order_id = o.order_id), 0))
	)) < s.start, false)
FROM (
	SELECT coalesce(a.root_id, o.customer_id) AS customer_id, CASE WHEN o.placed_at >= $4::date::timestamp AT TIME ZONE 'UTC' THEN $4::date ELSE $3::date END AS start,
		o.total_minor, o.skus, o.amounts
	FROM fact_order o LEFT JOIN alias a ON a.customer_id = o.customer_id
	WHERE o.tenant_id = $1 AND o.currency = $2 AND o.placed_at >= $3::date::timestamp AT TIME ZONE 'UTC' AND o.placed_at < $5::date::timestamp AT TIME ZONE 'UTC'
) s LEFT JOIN portrait p ON p.tenant_id = $1 AND p.customer_id = s.customer_id
WHERE $6::uuid = '00000000-0000-0000-0000-000000000000' OR s.customer_id > $6`

// order is one that was sold, with its parts as Split says.
type order struct {
	present     bool // in the period, else in the one before
	customer    *uuid.UUID
	oldCustomer bool
	total       int64
	parts       [3]int64 // of old products, of new ones, of none
	lines       [2]bool  // whether there are any of old products, and of new ones
}

// eachSold hands over what was sold in the periods, beginning after a customer. Products are old that were in an order before the period.
func eachSold(ctx context.Context, tx *pg.Tx, p Period, after uuid.UUID, each func(order)) error {
	args := p.args(tx.Tenant())
	starts := map[bool]time.Time{false: args[2].(time.Time), true: p.From}
	first := make(map[string]time.Time) // of products that are new in one period at least
	rows, err := tx.Query(ctx, `SELECT sku, first_at FROM fact_product WHERE tenant_id = $1 AND first_at >= $2`, tx.Tenant(), starts[false])
	if err != nil {
		return err
	}
	var sku string
	var at time.Time
	if _, err := pgx.ForEachRow(rows, []any{&sku, &at}, func() error { first[sku] = at; return nil }); err != nil {
		return err
	}
	tx.Queue(`SELECT set_config('work_mem', '64MB', true)`) // with less, portraits are joined on disk
	if rows, err = tx.Query(ctx, soldSQL, append(args, after)...); err != nil {
		return err
	}
	var (
		o       order
		skus    []string
		amounts []int64
	)
	_, err = pgx.ForEachRow(rows, []any{&o.customer, &o.present, &o.total, &skus, &amounts, &o.oldCustomer}, func() error {
		var sums [3]int64
		o.lines = [2]bool{}
		for i, sku := range skus {
			kind := 0
			if at, ok := first[sku]; sku == "" {
				kind = 2
			} else if ok && !at.Before(starts[o.present]) {
				kind = 1
			}
			sums[kind] += amounts[i]
			if kind < 2 {
				o.lines[kind] = true
			}
		}
		o.parts[0], o.parts[1], o.parts[2] = Split(o.total, sums[0], sums[1], sums[2])
		each(o)
		return nil
	})
	return err
}

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
		g.PreviousFrom, g.PreviousTo = p.args(tx.Tenant())[2].(time.Time), p.From.AddDate(0, 0, -1)
		var err error
		if g.FactsAsOf, err = fact.AsOf(ctx, tx); err != nil {
			return err
		}
		var seen [4]map[uuid.UUID]struct{}
		for i := range seen {
			seen[i] = make(map[uuid.UUID]struct{})
		}
		return eachSold(ctx, tx, p, uuid.Nil, func(o order) { g.add(o, &seen) })
	})
	return g, err
}

// add takes in one order. seen are the customers of each cell.
func (g *GrowthMatrix) add(o order, seen *[4]map[uuid.UUID]struct{}) {
	revenue, noCustomer, noProduct := &g.PreviousMinor, &g.PreviousUnknownCustomer, &g.PreviousUnknownProduct
	if o.present {
		revenue, noCustomer, noProduct = &g.RevenueMinor, &g.UnknownCustomerMinor, &g.UnknownProductMinor
		g.Orders++
	}
	*revenue += o.total
	if o.customer == nil {
		*noCustomer += o.total
		return
	}
	*noProduct += o.parts[2]
	for i, there := range o.lines {
		place := at(o.oldCustomer, i == 0)
		if !there {
			continue
		}
		if c := &g.Cells[place]; o.present {
			c.RevenueMinor += o.parts[i]
			seen[place][*o.customer] = struct{}{}
			c.Customers = int64(len(seen[place]))
		} else {
			c.PreviousMinor += o.parts[i]
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
	part := 1
	if oldProduct {
		part = 0
	}
	err = m.db.ReadWithin(ctx, auth.Tenant(ctx), heaviest, func(tx *pg.Tx) error {
		bought := make(map[uuid.UUID]int64)
		if err := eachSold(ctx, tx, p, after, func(o order) {
			if o.present && o.customer != nil && o.oldCustomer == oldCustomer && o.lines[part] {
				bought[*o.customer] += o.parts[part]
			}
		}); err != nil {
			return err
		}
		all = make([]GrowthCustomer, 0, len(bought))
		for id, revenue := range bought {
			all = append(all, GrowthCustomer{id, revenue})
		}
		slices.SortFunc(all, func(a, b GrowthCustomer) int { return bytes.Compare(a.CustomerID[:], b.CustomerID[:]) })
		all = all[:min(limit, len(all))]
		return nil
	})
	return all, err
}
