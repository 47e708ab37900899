package value

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// apart and together are the readings of whose an order is: where nobody was merged aliases are not asked for, which also keeps the
// server from reading side by side.
type reading struct{ with, whose, join string }

var (
	apart    = reading{with: "", whose: "o.customer_id", join: ""}
	together = reading{
		with:  "alias AS MATERIALIZED (SELECT customer_id, root_id FROM customer_aliases($1)),",
		whose: "coalesce(a.root_id, o.customer_id)", join: "LEFT JOIN alias a ON a.customer_id = o.customer_id",
	}
)

// readingOf says how orders are to be read.
func readingOf(ctx context.Context, tx *pg.Tx) (reading, error) {
	var merged bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM customer_alias WHERE tenant_id = $1 AND survivor_id IS NOT NULL)`, tx.Tenant()).Scan(&merged)
	if merged {
		return together, err
	}
	return apart, err
}

// in puts the reading into a statement: %[1]s begins it, %[2]s is whose the order o is, %[3]s joins what that takes.
func (r reading) in(sql string) string { return fmt.Sprintf(sql, r.with, r.whose, r.join) }

// purchaseDaysSQL begins a statement on the purchase days of all customers: $1 tenant, $2 currency (empty: all), $3 the first moment after
// the cut-off, $4 that after the hold-out, $5 the first day after the cut-off. An order that came back whole, up to the cut-off for
// those before it, is none. Merged customers are one.
const purchaseDaysSQL = `
WITH %[1]s back AS (
	SELECT order_id, sum(units) FILTER (WHERE returned_at < $3) AS before, sum(units) AS all_of_it
	FROM fact_return WHERE tenant_id = $1 AND returned_at < $4 GROUP BY order_id
), days AS (
	SELECT %[2]s AS customer_id, (o.placed_at AT TIME ZONE 'UTC')::date AS day
	FROM fact_order o LEFT JOIN back b ON b.order_id = o.order_id %[3]s
	WHERE o.tenant_id = $1 AND o.placed_at < $4 AND o.customer_id IS NOT NULL AND ($2 = '' OR o.currency = $2)
		AND NOT (o.units > 0 AND coalesce(CASE WHEN o.placed_at < $3 THEN b.before ELSE b.all_of_it END, 0) >= o.units)
	GROUP BY 1, 2
), customer AS (
	SELECT customer_id, min(day) AS first, max(day) FILTER (WHERE day < $5) AS last, count(*) FILTER (WHERE day < $5) - 1 AS x,
		count(*) FILTER (WHERE day >= $5) AS held
	FROM days GROUP BY 1 HAVING min(day) < $5
)`

// readSample reads what purchase models are fitted to: histories up to the cut-off, each with how many customers have it, and
// where until is after it, what they bought in between, and when.
func (v *Values) readSample(ctx context.Context, tenant, currency string, cutoff, until time.Time) (sample, error) {
	s := sample{cutoff: cutoff, holds: until.After(cutoff), until: until.Sub(cutoff).Hours() / 24 / 7}
	sql := purchaseDaysSQL + `
SELECT 0, x::int, last - first, ($5::date - 1) - first, held::int, count(*) FROM customer GROUP BY 1, 2, 3, 4, 5`
	if s.holds {
		s.repeats, s.begins = make(map[int]int64), make(map[int]int64)
		sql += `
UNION ALL SELECT 1, d.day - (SELECT min(first) FROM customer), 0, 0, 0, count(*) FROM days d JOIN customer c ON c.customer_id = d.customer_id WHERE d.day > c.first GROUP BY 2`
	}
	oldest := -1
	err := v.db.Read(ctx, tenant, func(tx *pg.Tx) error {
		if !s.holds && currency == "" && cutoff.Equal(v.today()) {
			if known, err := s.readPortraits(ctx, tx); err != nil || known {
				return err
			}
		}
		read, err := readingOf(ctx, tx)
		if err != nil {
			return err
		}
		tx.Queue(`SELECT set_config('work_mem', '256MB', true)`)
		after := cutoff.AddDate(0, 0, 1)
		rows, err := tx.Query(ctx, read.in(sql), tenant, currency, after, until.AddDate(0, 0, 1), after.Format(time.DateOnly))
		if err != nil {
			return err
		}
		var what, x, recency, age, held int
		var n int64
		_, err = pgx.ForEachRow(rows, []any{&what, &x, &recency, &age, &held, &n}, func() error {
			if what == 1 {
				s.repeats[x] += n
				return nil
			}
			oldest = max(oldest, age)
			s.add(outcome{History{int64(x), float64(recency) / 7, float64(age) / 7}, int64(held)}, n)
			if s.holds {
				s.begins[age] += n // turned around below
			}
			return nil
		})
		return err
	})
	if err != nil || !s.holds || oldest < 0 {
		return s, err
	}
	s.origin = cutoff.AddDate(0, 0, -oldest)
	turned := make(map[int]int64, len(s.begins))
	for age, n := range s.begins {
		turned[oldest-age] = n
	}
	s.begins = turned
	return s, nil
}

// readPortraits reads the histories of today off the portraits, which have them already; known is false where something was heard that
// they do not have yet, or where they know of orders of days to come.
func (s *sample) readPortraits(ctx context.Context, tx *pg.Tx) (known bool, err error) {
	err = tx.QueryRow(ctx, `SELECT NOT EXISTS (SELECT FROM portrait_due WHERE tenant_id = $1)
		AND NOT EXISTS (SELECT FROM portrait WHERE tenant_id = $1 AND last_purchase_on > $2::date)`, tx.Tenant(), s.cutoff).Scan(&known)
	if err != nil || !known {
		return false, err
	}
	rows, err := tx.Query(ctx, `SELECT purchase_days - 1, last_purchase_on - first_purchase_on, $2::date - first_purchase_on, count(*) FROM portrait
		WHERE tenant_id = $1 AND first_purchase_on IS NOT NULL GROUP BY 1, 2, 3`, tx.Tenant(), s.cutoff)
	if err != nil {
		return false, err
	}
	var x, recency, age int
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&x, &recency, &age, &n}, func() error {
		s.add(outcome{History: History{int64(x), float64(recency) / 7, float64(age) / 7}}, n)
		return nil
	})
	return len(s.outcomes) > 0, err
}

// spendSQL gives the purchase days after the first and what was spent on them, net, of every customer: $1 tenant, $2 currency,
// $3 the first moment after the cut-off.
const spendSQL = `
WITH %[1]s back AS (
	SELECT order_id, sum(units) AS units, sum(amount_minor) AS minor FROM fact_return WHERE tenant_id = $1 AND returned_at < $3 GROUP BY order_id
), days AS (
	SELECT %[2]s AS customer_id, (o.placed_at AT TIME ZONE 'UTC')::date AS day, sum(o.total_minor - coalesce(b.minor, 0)) AS net
	FROM fact_order o LEFT JOIN back b ON b.order_id = o.order_id %[3]s
	WHERE o.tenant_id = $1 AND o.placed_at < $3 AND o.customer_id IS NOT NULL AND o.currency = $2
		AND NOT (o.units > 0 AND coalesce(b.units, 0) >= o.units)
	GROUP BY 1, 2
), first AS (
	SELECT customer_id, count(*) - 1 AS x, sum(net) - (array_agg(net ORDER BY day))[1] AS net FROM days GROUP BY 1 HAVING count(*) > 1
)
SELECT x, net::bigint, count(*) FROM first GROUP BY 1, 2 ORDER BY 1, 2`

// readSpends reads what Gamma-Gamma is fitted to, in major units of the currency; left tells of how many customers nothing was left
// net of their further purchases.
func (v *Values) readSpends(ctx context.Context, tenant, currency string, cutoff time.Time) (all []Spend, left int64, err error) {
	err = v.db.Read(ctx, tenant, func(tx *pg.Tx) error {
		all, left = nil, 0
		read, err := readingOf(ctx, tx)
		if err != nil {
			return err
		}
		tx.Queue(`SELECT set_config('work_mem', '256MB', true)`)
		rows, err := tx.Query(ctx, read.in(spendSQL), tenant, currency, cutoff.AddDate(0, 0, 1))
		if err != nil {
			return err
		}
		var x, net, n int64
		_, err = pgx.ForEachRow(rows, []any{&x, &net, &n}, func() error {
			if net <= 0 {
				left += n
				return nil
			}
			for range n {
				all = append(all, Spend{X: x, M: float64(net) / major(currency) / float64(x)})
			}
			return nil
		})
		return err
	})
	return all, left, err
}

// readTerms reads what sBG is fitted to: paid memberships by renewal. plan empty: of all plans.
func (v *Values) readTerms(ctx context.Context, tenant, plan string) (all []Term, err error) {
	err = v.db.Read(ctx, tenant, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT t, sum(lost)::bigint, sum(stayed)::bigint FROM (
				SELECT renewals + CASE WHEN ended_at IS NULL THEN 0 ELSE 1 END AS t, (ended_at IS NOT NULL)::int AS lost, (ended_at IS NULL)::int AS stayed
				FROM fact_membership WHERE tenant_id = $1 AND ($2 = '' OR plan = $2)) m
			WHERE t > 0 GROUP BY t ORDER BY t`, tenant, plan)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Term])
		return err
	})
	return all, err
}
