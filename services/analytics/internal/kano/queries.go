package kano

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/rating"
)

// Queries reads pairs of answers.
type Queries struct{ db *pg.DB }

// NewQueries makes Queries on the service's database.
func NewQueries(db *pg.DB) *Queries { return &Queries{db: db} }

// Survey finds what the attributes are whose pairs a survey asked, sorted by their codes, and the time of the newest event.
func (q *Queries) Survey(ctx context.Context, w rating.Wanted) (found []Finding, asOf time.Time, err error) {
	err = q.db.ReadWithin(ctx, auth.Tenant(ctx), rating.Patience, func(tx *pg.Tx) error {
		found = nil
		if asOf, err = fact.AsOf(ctx, tx); err != nil {
			return err
		}
		from, to := w.Bounds()
		rows, err := tx.Query(ctx, `SELECT r.attribute, r.functional, r.dysfunctional, count(*)
			FROM fact_answer a, LATERAL (
				SELECT split_part(e.key, '.', 1) AS attribute, e.value::integer AS functional,
					(a.ratings ->> (split_part(e.key, '.', 1) || '.dysfunctional'))::integer AS dysfunctional
				FROM jsonb_each_text(a.ratings) e WHERE e.key LIKE '%.functional') r
			WHERE a.tenant_id = $1 AND a.survey_id = $2 AND a.answered_at >= $3 AND a.answered_at < $4 AND ($5 = '' OR a.touchpoint = $5)
				AND r.functional BETWEEN 1 AND 5 AND r.dysfunctional BETWEEN 1 AND 5
			GROUP BY 1, 2, 3 ORDER BY 1`, tx.Tenant(), w.Survey, from, to, w.Touchpoint)
		if err != nil {
			return err
		}
		var attribute, last string
		var with, without Answer
		var n int
		counts := map[Category]int{}
		_, err = pgx.ForEachRow(rows, []any{&attribute, &with, &without, &n}, func() error {
			if attribute != last && len(counts) > 0 {
				found, counts = append(found, Find(last, counts)), map[Category]int{}
			}
			last = attribute
			counts[Categorise(with, without)] += n
			return nil
		})
		if len(counts) > 0 {
			found = append(found, Find(last, counts))
		}
		return err
	})
	return found, asOf, err
}
