package mining

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// basketQuery is which orders make baskets.
type basketQuery struct {
	by       string
	from, to time.Time
	channel  string // empty: every one
}

const (
	// orderChunk is how many orders are read by one statement.
	orderChunk = 50_000
	// maxLines is how many items in baskets are held in memory: 8 bytes each by order, 16 by customer.
	maxLines = 40_000_000
)

// readBaskets reads baskets in chunks by the orders' key: no statement is long, and no snapshot is held for the whole. Orders that
// came back whole are none, and a line without an article code is not in any.
func (m *Mining) readBaskets(ctx context.Context, tenant string, q basketQuery) (*Baskets, error) {
	b := &Baskets{}
	byCustomer := customerBaskets{of: map[uuid.UUID]uint64{}}
	if q.by == ByCustomer {
		if err := m.db.Read(ctx, tenant, func(tx *pg.Tx) (err error) {
			byCustomer.roots, err = roots(ctx, tx)
			return err
		}); err != nil {
			return nil, err
		}
	}
	for after := uuid.Nil; ; {
		var upTo *uuid.UUID
		err := m.db.Read(ctx, tenant, func(tx *pg.Tx) error {
			upTo = nil
			tx.Queue(`SELECT order_id FROM fact_order WHERE tenant_id = $1 AND order_id > $2 ORDER BY order_id OFFSET $3 LIMIT 1`, tenant, after, orderChunk).
				QueryRow(func(row pgx.Row) error { return noRow(row.Scan(&upTo)) })
			if err := tx.Flush(ctx); err != nil {
				return err
			}
			last := uuid.Max
			if upTo != nil {
				last = *upTo
			}
			return readChunk(ctx, tx, q, after, last, func(customer *uuid.UUID, skus []string) {
				if q.by == ByOrder {
					b.AddNames(skus...)
				} else if customer != nil {
					byCustomer.add(b, *customer, skus)
				}
			})
		})
		if err != nil {
			return nil, err
		}
		if len(b.items)+len(byCustomer.lines) > maxLines {
			return nil, problem.New(problem.Unprocessable, "too_many_lines", "The orders hold more than %d lines. Ask for a shorter time, or for one channel.", maxLines)
		}
		if upTo == nil {
			break
		}
		after = *upTo
	}
	byCustomer.fill(b)
	return b, nil
}

func noRow(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	return err
}

// readChunk reads the orders with after < order_id <= last.
func readChunk(ctx context.Context, tx *pg.Tx, q basketQuery, after, last uuid.UUID, take func(customer *uuid.UUID, skus []string)) error {
	rows, err := tx.Query(ctx, `
SELECT o.customer_id, o.skus FROM fact_order o
LEFT JOIN (
	SELECT order_id, sum(units) AS units FROM fact_return WHERE tenant_id = $1 AND order_id > $2 AND order_id <= $3 GROUP BY order_id
) r ON r.order_id = o.order_id
WHERE o.tenant_id = $1 AND o.order_id > $2 AND o.order_id <= $3 AND o.placed_at >= $4 AND o.placed_at < $5 AND ($6 = '' OR o.channel = $6)
	AND (o.units = 0 OR coalesce(r.units, 0) < o.units)`, tx.Tenant(), after, last, q.from, q.to, q.channel)
	if err != nil {
		return err
	}
	var customer *uuid.UUID
	var skus []string
	_, err = pgx.ForEachRow(rows, []any{&customer, &skus}, func() error {
		take(customer, skus)
		return nil
	})
	return err
}

// roots gives whom the ids of merged customers mean.
func roots(ctx context.Context, tx *pg.Tx) (map[uuid.UUID]uuid.UUID, error) {
	rows, err := tx.Query(ctx, `SELECT customer_id, root_id FROM customer_aliases($1)`, tx.Tenant())
	if err != nil {
		return nil, err
	}
	all := map[uuid.UUID]uuid.UUID{}
	var id, root uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&id, &root}, func() error {
		all[id] = root
		return nil
	})
	return all, err
}

// customerBaskets collects what customers bought: a line is the customer's number and the item's place.
type customerBaskets struct {
	roots map[uuid.UUID]uuid.UUID
	of    map[uuid.UUID]uint64
	lines []uint64
}

func (c *customerBaskets) add(b *Baskets, customer uuid.UUID, skus []string) {
	if root, merged := c.roots[customer]; merged {
		customer = root
	}
	number, known := c.of[customer]
	if !known {
		number = uint64(len(c.of))
		c.of[customer] = number
	}
	for _, sku := range skus {
		if sku != "" {
			c.lines = append(c.lines, number<<32|uint64(b.Item(sku)))
		}
	}
}

// fill makes a basket of each customer. One who bought nothing with a code has none.
func (c *customerBaskets) fill(b *Baskets) {
	slices.Sort(c.lines)
	items := make([]int32, 0, 64)
	for i, line := range c.lines {
		items = append(items, int32(uint32(line)))
		if i+1 == len(c.lines) || c.lines[i+1]>>32 != line>>32 {
			b.Add(items...)
			items = items[:0]
		}
	}
}
