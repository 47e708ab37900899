package rating

import (
	"context"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Patience is how long a statement over many answers may take.
const Patience = 10 * time.Second

// Read reads the answers that have a number for at least one of the questions, in the order of their ids. More than MostAnswers
// are the problem answers_too_many (422).
func Read(ctx context.Context, tx *pg.Tx, w Wanted, questions []string) (Table, error) {
	from, to := w.Bounds()
	rows, err := tx.Query(ctx, `SELECT ARRAY(SELECT CASE WHEN q = 'score' THEN a.score::float8 ELSE (a.ratings ->> q)::float8 END
			FROM unnest($6::text[]) WITH ORDINALITY AS u (q, n) ORDER BY n)
		FROM fact_answer a
		WHERE a.tenant_id = $1 AND a.survey_id = $2 AND a.answered_at >= $3 AND a.answered_at < $4 AND ($5 = '' OR a.touchpoint = $5)
			AND (a.ratings ?| $6 OR 'score' = ANY ($6) AND a.score IS NOT NULL)
		ORDER BY a.answer_id LIMIT $7`, tx.Tenant(), w.Survey, from, to, w.Touchpoint, questions, MostAnswers+1)
	if err != nil {
		return Table{}, err
	}
	t := Table{Columns: questions}
	t.Rows, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) ([]float64, error) {
		var given []*float64
		if err := row.Scan(&given); err != nil {
			return nil, err
		}
		values := make([]float64, len(given))
		for i, v := range given {
			if values[i] = math.NaN(); v != nil {
				values[i] = *v
			}
		}
		return values, nil
	})
	if err == nil && len(t.Rows) > MostAnswers {
		err = problem.New(problem.Unprocessable, "answers_too_many", "These are more than %d answers. Ask for a shorter time, or for one touchpoint.", MostAnswers)
	}
	return t, err
}
