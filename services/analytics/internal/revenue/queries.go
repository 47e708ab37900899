package revenue

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
)

// Queries reads revenue.
type Queries struct{ db *pg.DB }

// NewQueries makes Queries on the service's database.
func NewQueries(db *pg.DB) *Queries { return &Queries{db: db} }

// Months lists the months from and to, both included, that have any business in the currency, oldest first, and the
// time of the newest event in them.
func (q *Queries) Months(ctx context.Context, tenant, currency string, from, to time.Time) ([]Month, time.Time, error) {
	var months []Month
	var asOf time.Time
	err := q.db.Read(ctx, tenant, func(tx *pg.Tx) error {
		var err error
		if asOf, err = fact.AsOf(ctx, tx); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
SELECT date_trunc('month', day)::date AS month, currency, sum(orders)::bigint, sum(units)::bigint, sum(gross_minor)::bigint,
	sum(returns)::bigint, sum(returned_units)::bigint, sum(returned_minor)::bigint
FROM sales_day
WHERE tenant_id = $1 AND currency = $2 AND day >= $3 AND day < $4
GROUP BY 1, currency ORDER BY 1`, tenant, currency, from, to.AddDate(0, 1, 0))
		if err != nil {
			return err
		}
		months, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Month])
		return err
	})
	return months, asOf, err
}
