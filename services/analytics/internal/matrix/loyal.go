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

// loyalSQL is the attitude and the repeat purchases of each customer: $1 tenant, $2 from (inclusive), $3 to (exclusive), $4 the question
// on the attitude, $5 from where on it is high, $6 the stretch of cohorts. Repeat purchases are purchase days after the first; the
// median of a cohort is that of all its customers, whether their attitude is known or not. Null is not known.
const loyalSQL = `
WITH alias AS MATERIALIZED (SELECT customer_id, root_id FROM customer_aliases($1)), attitude AS (
	SELECT DISTINCT ON (1) coalesce(a.root_id, w.customer_id) AS customer_id, (w.ratings->>$4)::float8 >= $5 AS high
	FROM fact_answer w LEFT JOIN alias a ON a.customer_id = w.customer_id
	WHERE w.tenant_id = $1 AND w.customer_id IS NOT NULL AND w.answered_at >= $2 AND w.answered_at < $3 AND jsonb_typeof(w.ratings->$4) = 'number'
	ORDER BY 1, w.answered_at DESC, w.answer_id DESC
), customer AS MATERIALIZED (
	SELECT p.customer_id, t.high AS attitude, p.purchase_days - 1 AS repeats,
		CASE WHEN $6 = 'all' THEN '0001-01-01'::date ELSE date_trunc($6, p.first_purchase_on::timestamp)::date END AS cohort, p.purchase_days > 0 AS buyer
	FROM portrait p LEFT JOIN attitude t USING (customer_id) WHERE p.tenant_id = $1
), cohort AS MATERIALIZED (
	SELECT cohort, count(*) AS customers, percentile_cont(0.5) WITHIN GROUP (ORDER BY repeats) AS median FROM customer WHERE buyer GROUP BY cohort
), placed AS (
	SELECT c.customer_id, c.buyer, c.attitude, c.repeats >= h.median AS repeat FROM customer c LEFT JOIN cohort h ON c.buyer AND h.cohort = c.cohort
)`

func (s Settings) loyalArgs(tenant string, asOf time.Time) []any {
	to := asOf.AddDate(0, 0, 1)
	return []any{tenant, to.AddDate(0, 0, -s.WithinDays), to, s.Attitude, s.AttitudeFrom, string(s.Cohort)}
}

// CohortMedian is what repeat purchases are compared with.
type CohortMedian struct {
	First     time.Time // first day of the stretch; the year 1 where there is but one
	Customers int64
	Median    float64 // purchase days after the first
}

// Loyalty is attitude by repeat purchase.
type Loyalty struct {
	Settings   Settings
	Buyers     int64 // customers with a net purchase
	Known      int64 // of them, those whose attitude is known: they stand in a cell
	Unknown    int64 // of them, the others
	NoPurchase int64 // customers without a net purchase: they stand in no cell
	Cells      [4]Cell
	Cohorts    []CohortMedian
	FactsAsOf  time.Time
}

// Loyalty places customers by their latest attitude, and by what they bought up to now.
func (m *Matrices) Loyalty(ctx context.Context, today time.Time) (l Loyalty, err error) {
	err = m.db.ReadWithin(ctx, auth.Tenant(ctx), heaviest, func(tx *pg.Tx) error {
		settings, err := load(ctx, tx)
		if err != nil {
			return err
		}
		l = Loyalty{Settings: settings, Cells: empty()}
		if l.FactsAsOf, err = fact.AsOf(ctx, tx); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, loyalSQL+` SELECT buyer, attitude, repeat, count(*), NULL::date, NULL::float8 FROM placed GROUP BY 1, 2, 3
			UNION ALL SELECT NULL, NULL, NULL, customers, cohort, median FROM cohort ORDER BY 5`, settings.loyalArgs(tx.Tenant(), today)...)
		if err != nil {
			return err
		}
		var (
			buyer, attitude, repeat *bool
			n                       int64
			cohort                  *time.Time
			median                  *float64
		)
		_, err = pgx.ForEachRow(rows, []any{&buyer, &attitude, &repeat, &n, &cohort, &median}, func() error {
			switch {
			case buyer == nil:
				l.Cohorts = append(l.Cohorts, CohortMedian{*cohort, n, *median})
			case !*buyer:
				l.NoPurchase += n
			case attitude == nil:
				l.Buyers, l.Unknown = l.Buyers+n, l.Unknown+n
			default:
				l.Buyers, l.Known = l.Buyers+n, l.Known+n
				l.Cells[at(*attitude, *repeat)].Customers += n
			}
			return nil
		})
		return err
	})
	return l, err
}

// LoyalCustomers gives those who stand in a cell, in the order of their ids.
func (m *Matrices) LoyalCustomers(ctx context.Context, today time.Time, attitude, repeat bool, after uuid.UUID, limit int) (all []uuid.UUID, err error) {
	err = m.db.ReadWithin(ctx, auth.Tenant(ctx), heaviest, func(tx *pg.Tx) error {
		settings, err := load(ctx, tx)
		if err != nil {
			return err
		}
		all, err = collect(ctx, tx, loyalSQL+` SELECT customer_id FROM placed WHERE buyer AND attitude = $7 AND repeat = $8 AND customer_id > $9 ORDER BY customer_id LIMIT $10`,
			append(settings.loyalArgs(tx.Tenant(), today), attitude, repeat, after, limit)...)
		return err
	})
	return all, err
}
