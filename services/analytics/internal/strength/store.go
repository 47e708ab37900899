package strength

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// load gives a version of the settings, -1 for the present one.
func load(ctx context.Context, tx *pg.Tx, version int64) (s Settings, err error) {
	var content []byte
	err = tx.QueryRow(ctx, `SELECT version, content, by_subject, changed_at FROM strength_settings
		WHERE tenant_id = $1 AND ($2::bigint < 0 OR version = $2) ORDER BY version DESC LIMIT 1`, tx.Tenant(), version).Scan(&s.Version, &content, &s.By, &s.ChangedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return House(), nil
	}
	if err != nil {
		return s, err
	}
	s.ChangedAt = s.ChangedAt.UTC()
	return s, json.Unmarshal(content, &s)
}

// customer is one with what is known of it.
type customer struct {
	ID       uuid.UUID
	Known    Known
	Strength *float64 // that the portrait has
	Loyalty  *float64
}

// knownSQL reads customers: $1 tenant, $2 the customers, $3 the day, $4 from when on answers count, $5 questions. Of several answers to a
// question the latest counts, whoever of those who are merged into one gave it.
const knownSQL = `
SELECT p.customer_id, p.strength::float8, p.loyalty_index::float8,
	CASE WHEN p.csat_at >= $4 THEN p.csat::float8 END, CASE WHEN p.nps_at >= $4 THEN p.nps::float8 END,
	greatest(p.purchase_days - 1, 0)::float8, coalesce($3::date - p.first_purchase_on, 0)::float8, p.points_available::float8,
	(p.tier <> '' OR p.points_available > 0)::int::float8, p.interactions::float8, said.codes, said.ratings
FROM portrait p
CROSS JOIN LATERAL (SELECT customer_group($1, p.customer_id) AS ids) one
CROSS JOIN LATERAL (
	SELECT array_agg(l.code) AS codes, array_agg(l.rating) AS ratings FROM (
		SELECT DISTINCT ON (q.code) q.code, (a.ratings ->> q.code)::float8 AS rating
		FROM fact_answer a CROSS JOIN unnest($5::text[]) AS q(code)
		WHERE a.tenant_id = $1 AND a.customer_id = ANY (one.ids) AND a.answered_at >= $4 AND a.ratings ? q.code
		ORDER BY q.code, a.answered_at DESC, a.answer_id DESC) l) said
WHERE p.tenant_id = $1 AND p.customer_id = ANY ($2::uuid[]) ORDER BY p.customer_id`

// read gives what is known of customers who have portraits, by their ids.
func read(ctx context.Context, tx *pg.Tx, s Settings, ids []uuid.UUID, today time.Time) ([]customer, error) {
	rows, err := tx.Query(ctx, knownSQL, tx.Tenant(), ids, today, today.AddDate(0, 0, 1-s.WithinDays), s.Questions())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (customer, error) {
		c := customer{Known: Known{}}
		facts := make([]*float64, 7)
		var codes []string
		var ratings []float64
		err := row.Scan(&c.ID, &c.Strength, &c.Loyalty, &facts[0], &facts[1], &facts[2], &facts[3], &facts[4], &facts[5], &facts[6], &codes, &ratings)
		for i, name := range []string{"csat", "nps", "repeats", "tenure_days", "points", "member", "interactions"} {
			if facts[i] != nil {
				c.Known[name] = *facts[i]
			}
		}
		for i, code := range codes {
			c.Known["question "+code] = ratings[i]
		}
		return c, err
	})
}

// reckoning is how far a run is.
type reckoning struct {
	ID           uuid.UUID
	Settings     int64 // version
	After        uuid.UUID
	Customers    int64
	WithStrength int64
	WithLoyalty  int64
	Changed      int64
	FactsAsOf    *time.Time
}

// reckonings gives what runs of the kind have to remember, by id.
func reckonings(ctx context.Context, tx *pg.Tx, ids []uuid.UUID) (map[uuid.UUID]reckoning, error) {
	rows, err := tx.Query(ctx, `SELECT run_id, settings_version, coalesce(after_customer, '00000000-0000-0000-0000-000000000000'), customers, with_strength, with_loyalty, changed, facts_as_of
		FROM strength_run WHERE tenant_id = $1 AND run_id = ANY ($2)`, tx.Tenant(), ids)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[reckoning])
	byID := make(map[uuid.UUID]reckoning, len(all))
	for _, one := range all {
		byID[one.ID] = one
	}
	return byID, err
}
