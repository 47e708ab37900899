package index

import (
	"context"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/rating"
)

// Get gives a version of a system, 0 for the present one; NotFound index_not_found.
func (x *Indexes) Get(ctx context.Context, code string, version int64) (s System, err error) {
	err = x.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		s, err = load(ctx, tx, code, version)
		return err
	})
	return s, err
}

// List gives systems by their codes, those in the archive where they are asked for.
func (x *Indexes) List(ctx context.Context, archived bool, after string, limit int) (all []System, err error) {
	err = x.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+columns+` FROM index_system s JOIN index_version v USING (tenant_id, code, version)
			WHERE s.tenant_id = $1 AND s.code > $2 AND ($3 OR NOT s.archived) ORDER BY s.code LIMIT $4`, tx.Tenant(), after, archived, limit)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, scan)
		return err
	})
	return all, err
}

// Survey is what the answers to a survey make of a tree.
type Survey struct {
	Evaluated
	OffScale int // ratings that are not on the scale of their leaf, and count as not given
	AsOf     time.Time
}

// Survey evaluates a tree on the ratings of a survey.
func (x *Indexes) Survey(ctx context.Context, root Node, w rating.Wanted) (s Survey, err error) {
	leaves := root.Leaves()
	// Two leaves may be of one question, which is read once.
	var questions []string
	at := map[string]int{}
	for _, l := range leaves {
		if _, ok := at[l.Question]; !ok {
			at[l.Question] = len(questions)
			questions = append(questions, l.Question)
		}
	}
	err = x.db.ReadWithin(ctx, auth.Tenant(ctx), rating.Patience, func(tx *pg.Tx) error {
		s = Survey{}
		if s.AsOf, err = fact.AsOf(ctx, tx); err != nil {
			return err
		}
		table, err := rating.Read(ctx, tx, w, questions)
		if err != nil {
			return err
		}
		rows := make([][]float64, len(table.Rows))
		for i, row := range table.Rows {
			rows[i] = make([]float64, len(leaves))
			for j, l := range leaves {
				v := row[at[l.Question]]
				if v < l.Low || v > l.High {
					s.OffScale++
					v = math.NaN()
				}
				rows[i][j] = v
			}
		}
		s.Evaluated = Evaluate(root, rows)
		return nil
	})
	return s, err
}
