package grade

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Quarter is one cell of the matrix with who stands in it.
type Quarter struct {
	Cell
	Customers      int64
	CurrentMinor   int64 // sum of contributions
	PotentialMinor int64 // sum of potential values
}

// Matrix is current against potential value.
type Matrix struct {
	Enough         bool
	Why            string
	Settings       Potential
	Currency       string
	AsOf           time.Time // day of the run
	Graded         int64     // customers with a contribution
	Unknown        int64     // of them, those whose potential value is not known: they stand in no cell
	CurrentMinor   int64     // thresholds, set or the medians
	PotentialMinor int64
	Quarters       [4]Quarter
}

// Valued is a customer with its current and potential value, in minor units.
type Valued struct {
	CustomerID     uuid.UUID
	CurrentMinor   int64
	PotentialMinor int64
}

// valuesSQL is what everybody of the run $2 is worth: $3 the day after the run's, $4 the question that tells the share of wallet, empty for none,
// $5 whether predicted values count. What is bought elsewhere is what is bought here times (100 - share) / share, at the same margin.
// Then the thresholds: $6 and $7, or the medians (the lower of two).
const valuesSQL = `
WITH alias AS MATERIALIZED (SELECT customer_id, root_id FROM customer_aliases($1)), wallet AS (
	SELECT DISTINCT ON (1) coalesce(a.root_id, w.customer_id) AS customer_id, (w.ratings->>$4)::numeric AS share
	FROM fact_answer w LEFT JOIN alias a ON a.customer_id = w.customer_id
	WHERE w.tenant_id = $1 AND $4 <> '' AND w.customer_id IS NOT NULL AND w.answered_at >= $3::timestamptz - interval '365 days' AND w.answered_at < $3
		AND jsonb_typeof(w.ratings->$4) = 'number' AND (w.ratings->>$4)::numeric > 0 AND (w.ratings->>$4)::numeric <= 100
	ORDER BY 1, w.answered_at DESC, w.answer_id DESC
), value AS MATERIALIZED (
	SELECT c.customer_id, c.contribution_minor AS current, coalesce(round(c.margin_minor * (100 - w.share) / w.share)::bigint,
		CASE WHEN $5 THEN p.predicted_value_minor END) AS potential
	FROM grade_contribution c LEFT JOIN portrait p ON p.tenant_id = $1 AND p.customer_id = c.customer_id LEFT JOIN wallet w ON w.customer_id = c.customer_id
	WHERE c.tenant_id = $1 AND c.run_id = $2
), threshold AS (
	SELECT coalesce($6::bigint, percentile_disc(0.5) WITHIN GROUP (ORDER BY current)) AS current,
		coalesce($7::bigint, percentile_disc(0.5) WITHIN GROUP (ORDER BY potential)) AS potential
	FROM value WHERE potential IS NOT NULL
)`

// values are the arguments of valuesSQL.
func (v Potential) values(tenant string, own reckoning) []any {
	question := v.WalletQuestion
	if v.Source == Predicted {
		question = ""
	}
	return []any{tenant, own.ID, own.AsOf.AddDate(0, 0, 1), question, v.Source != Wallet, v.CurrentMinor, v.PotentialMinor}
}

// Matrix sets the contributions of the last run against potential values.
func (p *Pyramid) Matrix(ctx context.Context) (m Matrix, err error) {
	err = p.db.ReadWithin(ctx, auth.Tenant(ctx), heaviest, func(tx *pg.Tx) error {
		settings, err := loadPotential(ctx, tx)
		if err != nil {
			return err
		}
		m = Matrix{Settings: settings, Why: noRun}
		for i, c := range settings.Cells {
			m.Quarters[i].Cell = c
		}
		own, ok, err := loadReckoning(ctx, tx, last)
		if err != nil || !ok {
			return err
		}
		m.Currency, m.AsOf, m.Graded = own.Currency, own.AsOf, own.Customers
		if m.Why = noPurchases; own.Customers == 0 {
			return nil
		}
		rows, err := tx.Query(ctx, valuesSQL+` SELECT v.potential IS NOT NULL, coalesce(v.current >= t.current, false), coalesce(v.potential >= t.potential, false), count(*),
				sum(v.current)::bigint, coalesce(sum(v.potential), 0)::bigint, coalesce(t.current, 0), coalesce(t.potential, 0)
			FROM value v CROSS JOIN threshold t GROUP BY 1, 2, 3, t.current, t.potential`, settings.values(tx.Tenant(), own)...)
		if err != nil {
			return err
		}
		var (
			known, current, potential             bool
			customers, currentSum, potentialSum   int64
			currentThreshold, potentialThresholds int64
		)
		_, err = pgx.ForEachRow(rows, []any{&known, &current, &potential, &customers, &currentSum, &potentialSum, &currentThreshold, &potentialThresholds}, func() error {
			if !known {
				m.Unknown += customers
				return nil
			}
			m.CurrentMinor, m.PotentialMinor = currentThreshold, potentialThresholds
			q := &m.Quarters[cellAt(levelOf(current), levelOf(potential))]
			q.Customers, q.CurrentMinor, q.PotentialMinor = customers, currentSum, potentialSum
			return nil
		})
		if m.Enough, m.Why = m.Unknown < m.Graded, ""; !m.Enough {
			m.Why = noPotential
		}
		return err
	})
	return m, err
}

func levelOf(high bool) Level {
	if high {
		return High
	}
	return Low
}

// MatrixCustomers gives those who stand in a cell of the matrix, in the order of their ids.
func (p *Pyramid) MatrixCustomers(ctx context.Context, current, potential Level, after uuid.UUID, limit int) (all []Valued, err error) {
	err = p.db.ReadWithin(ctx, auth.Tenant(ctx), heaviest, func(tx *pg.Tx) error {
		settings, err := loadPotential(ctx, tx)
		if err != nil {
			return err
		}
		all = nil
		own, ok, err := loadReckoning(ctx, tx, last)
		if err != nil || !ok {
			return err
		}
		rows, err := tx.Query(ctx, valuesSQL+` SELECT v.customer_id, v.current, v.potential FROM value v CROSS JOIN threshold t
			WHERE v.potential IS NOT NULL AND (v.current >= t.current) = $8 AND (v.potential >= t.potential) = $9 AND v.customer_id > $10 ORDER BY v.customer_id LIMIT $11`,
			append(settings.values(tx.Tenant(), own), current == High, potential == High, after, limit)...)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Valued])
		return err
	})
	return all, err
}
