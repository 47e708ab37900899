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

// heaviest is the longest that a statement which reads all customers or orders may take.
const heaviest = 25 * time.Second

// satisfiedSQL is whether each customer was satisfied by its latest answer: $1 tenant, $2 from (inclusive), $3 to (exclusive), $4 to
// $8 the rules: about, kind, touchpoint, question, from. Null is not known.
const satisfiedSQL = `
WITH alias AS MATERIALIZED (SELECT customer_id, root_id FROM customer_aliases($1)), latest AS (
	SELECT DISTINCT ON (1, 2) coalesce(a.root_id, w.customer_id) AS customer_id, r.about, v.value >= r.begins AS satisfied
	FROM fact_answer w
	JOIN unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::float8[]) WITH ORDINALITY AS r(about, kind, touchpoint, question, begins, place)
		ON r.kind = w.kind AND (r.touchpoint = '' OR r.touchpoint = w.touchpoint)
	CROSS JOIN LATERAL (SELECT CASE WHEN r.question = '' THEN w.score::float8
		WHEN jsonb_typeof(w.ratings->r.question) = 'number' THEN (w.ratings->>r.question)::float8 END AS value) v
	LEFT JOIN alias a ON a.customer_id = w.customer_id
	WHERE w.tenant_id = $1 AND w.customer_id IS NOT NULL AND w.answered_at >= $2 AND w.answered_at < $3 AND v.value IS NOT NULL
	ORDER BY 1, 2, w.answered_at DESC, w.answer_id DESC, r.place
), customer AS (
	SELECT p.customer_id, o.satisfied AS product, r.satisfied AS relationship
	FROM portrait p LEFT JOIN latest o ON o.customer_id = p.customer_id AND o.about = 'product'
		LEFT JOIN latest r ON r.customer_id = p.customer_id AND r.about = 'relationship'
	WHERE p.tenant_id = $1
)`

func (s Settings) satisfiedArgs(tenant string, asOf time.Time) []any {
	n := len(s.Rules)
	about, kind, touchpoint, question, from := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]float64, n)
	for i, r := range s.Rules {
		about[i], kind[i], touchpoint[i], question[i], from[i] = string(r.About), r.Kind, r.Touchpoint, r.Question, r.From
	}
	to := asOf.AddDate(0, 0, 1)
	return []any{tenant, to.AddDate(0, 0, -s.WithinDays), to, about, kind, touchpoint, question, from}
}

// Cell is one cell of two sides, each high or low.
type Cell struct {
	First, Second bool
	Customers     int64
}

// Satisfaction is product by relationship.
type Satisfaction struct {
	Settings            Settings
	Customers           int64 // all that there are
	Known               int64 // those who stand in a cell
	UnknownProduct      int64 // no answer on the product, but one on the relationship
	UnknownRelationship int64 // the other way round
	UnknownBoth         int64
	Cells               [4]Cell // ++, +-, -+, --
	FactsAsOf           time.Time
}

// Satisfaction places customers by their latest answers up to and including a day.
func (m *Matrices) Satisfaction(ctx context.Context, asOf time.Time) (s Satisfaction, err error) {
	err = m.db.ReadWithin(ctx, auth.Tenant(ctx), heaviest, func(tx *pg.Tx) error {
		settings, err := load(ctx, tx)
		if err != nil {
			return err
		}
		s = Satisfaction{Settings: settings, Cells: empty()}
		if s.FactsAsOf, err = fact.AsOf(ctx, tx); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, satisfiedSQL+` SELECT product, relationship, count(*) FROM customer GROUP BY 1, 2`, settings.satisfiedArgs(tx.Tenant(), asOf)...)
		if err != nil {
			return err
		}
		var product, relationship *bool
		var n int64
		_, err = pgx.ForEachRow(rows, []any{&product, &relationship, &n}, func() error {
			s.Customers += n
			switch {
			case product == nil && relationship == nil:
				s.UnknownBoth += n
			case product == nil:
				s.UnknownProduct += n
			case relationship == nil:
				s.UnknownRelationship += n
			default:
				s.Known += n
				s.Cells[at(*product, *relationship)].Customers += n
			}
			return nil
		})
		return err
	})
	return s, err
}

// SatisfiedCustomers gives those who stand in a cell, in the order of their ids.
func (m *Matrices) SatisfiedCustomers(ctx context.Context, asOf time.Time, product, relationship bool, after uuid.UUID, limit int) (all []uuid.UUID, err error) {
	err = m.db.ReadWithin(ctx, auth.Tenant(ctx), heaviest, func(tx *pg.Tx) error {
		settings, err := load(ctx, tx)
		if err != nil {
			return err
		}
		all, err = collect(ctx, tx, satisfiedSQL+` SELECT customer_id FROM customer WHERE product = $9 AND relationship = $10 AND customer_id > $11 ORDER BY customer_id LIMIT $12`,
			append(settings.satisfiedArgs(tx.Tenant(), asOf), product, relationship, after, limit)...)
		return err
	})
	return all, err
}

func collect(ctx context.Context, tx *pg.Tx, sql string, args ...any) ([]uuid.UUID, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// at is the index of a cell: both sides high first, both low last.
func at(first, second bool) int { return 3 - 2*index(first) - index(second) }

func empty() (cells [4]Cell) {
	for _, first := range []bool{true, false} {
		for _, second := range []bool{true, false} {
			cells[at(first, second)] = Cell{First: first, Second: second}
		}
	}
	return cells
}
