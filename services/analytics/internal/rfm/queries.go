package rfm

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
)

// Queries rates customers.
type Queries struct{ db *pg.DB }

// NewQueries makes Queries on the service's database.
func NewQueries(db *pg.DB) *Queries { return &Queries{db: db} }

// Population is what a rating is relative to.
type Population struct {
	Customers int64 // customers with a purchase in the window
	AsOf      time.Time
}

// List rates customers in the order of their ids, at most limit after the id after. In currency only what was bought
// in it counts.
func (q *Queries) List(ctx context.Context, tenant, currency string, w Window, after uuid.UUID, limit int) ([]Rating, Population, error) {
	return q.rate(ctx, tenant, currency, w, `WHERE customer_id > $5 ORDER BY customer_id LIMIT $6`, after, limit)
}

// Customer rates the customer whom the id means; a problem of the kind NotFound when it bought nothing in the window.
func (q *Queries) Customer(ctx context.Context, tenant, currency string, w Window, id uuid.UUID) (Rating, Population, error) {
	ratings, population, err := q.rate(ctx, tenant, currency, w, `WHERE customer_id = (SELECT customer_root($1, $5))`, id)
	if err == nil && len(ratings) == 0 {
		err = problem.New(problem.NotFound, "no_purchase_in_window", "The customer bought nothing in this window and currency.")
	}
	if err != nil {
		return Rating{}, population, err
	}
	return ratings[0], population, nil
}

// rate rates those of all customers whom which (the end of a statement, its arguments from $5 on) names.
func (q *Queries) rate(ctx context.Context, tenant, currency string, w Window, which string, args ...any) ([]Rating, Population, error) {
	var ratings []Rating
	var population Population
	err := q.db.Read(ctx, tenant, func(tx *pg.Tx) error {
		var err error
		begin := ranked(tx)
		if population.AsOf, err = fact.AsOf(ctx, tx); err != nil {
			return err
		}
		from, to := w.Bounds()
		rows, err := tx.Query(ctx, *begin+`
SELECT customer_id, last_day, days, net_minor, worse_r, worse_f, worse_m, n FROM ranked `+which,
			append([]any{tenant, currency, from, to}, args...)...)
		if err != nil {
			return err
		}
		ratings, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Rating, error) {
			return scan(row, &population.Customers, w.AsOf)
		})
		return err
	})
	return ratings, population, err
}

// CellCount is how many customers stand in a cell, and what they brought in.
type CellCount struct {
	R, F      int
	Cell      string
	Customers int64
	NetMinor  int64
}

// Cells counts customers by R and F, best first.
func (q *Queries) Cells(ctx context.Context, tenant, currency string, w Window) ([]CellCount, Population, error) {
	var counts []CellCount
	var population Population
	err := q.db.Read(ctx, tenant, func(tx *pg.Tx) error {
		counts = nil
		var err error
		begin := ranked(tx)
		if population.AsOf, err = fact.AsOf(ctx, tx); err != nil {
			return err
		}
		from, to := w.Bounds()
		// Customers that are equal by both measures are counted together here and scored once, in Go.
		rows, err := tx.Query(ctx, *begin+`
SELECT worse_r, worse_f, n, count(*), sum(net_minor)::bigint FROM ranked GROUP BY 1, 2, 3 ORDER BY 1, 2`,
			tenant, currency, from, to)
		if err != nil {
			return err
		}
		defer rows.Close()
		var grid [5][5]CellCount
		for rows.Next() {
			var worseR, worseF, customers, net int64
			if err := rows.Scan(&worseR, &worseF, &population.Customers, &customers, &net); err != nil {
				return err
			}
			c := &grid[Score(worseR, population.Customers)-1][Score(worseF, population.Customers)-1]
			c.Customers += customers
			c.NetMinor += net
		}
		for r := 5; r >= 1; r-- {
			for f := 5; f >= 1; f-- {
				c := grid[r-1][f-1]
				c.R, c.F, c.Cell = r, f, Cell(r, f)
				counts = append(counts, c)
			}
		}
		return rows.Err()
	})
	return counts, population, err
}

func scan(row pgx.CollectableRow, n *int64, asOf time.Time) (Rating, error) {
	var p Purchases
	err := row.Scan(&p.CustomerID, &p.LastDay, &p.Days, &p.NetMinor, &p.WorseByRecency, &p.WorseByFrequency, &p.WorseByMonetary, n)
	if err != nil {
		return Rating{}, err
	}
	return Rate(p, *n, asOf), nil
}
