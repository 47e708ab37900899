package scoring

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Score is how likely a case is to be won.
type Score struct {
	// Probability is in hundredths of a percent: 1 to 9999 of an open case, 10000 of one that was won, 0 of one that was lost, and
	// of an open one about which nothing was learnt yet.
	Probability int32
	// Automatic says that it was reckoned; false: somebody set it by hand.
	Automatic bool
}

// Scores are the scores of some cases.
type Scores struct{ of map[uuid.UUID]Score }

// Of queues the reading of scores; they are filled in by the next round trip.
func Of(tx *pg.Tx, ids []uuid.UUID) *Scores {
	s := &Scores{of: make(map[uuid.UUID]Score, len(ids))}
	tx.Queue(`SELECT n.id, CASE c.state WHEN 'won' THEN 10000 WHEN 'lost' THEN 0 ELSE coalesce(c.manual, c.probability, 0) END,
			c.manual IS NULL OR c.state <> 'open'
		FROM unnest($2::uuid[]) AS n(id) JOIN LATERAL (SELECT * FROM scoring_case k WHERE k.tenant_id = $1 AND k.id = n.id LIMIT 1) c ON true`,
		tx.Tenant(), ids).Query(func(rows pgx.Rows) error {
		var (
			id  uuid.UUID
			one Score
		)
		_, err := pgx.ForEachRow(rows, []any{&id, &one.Probability, &one.Automatic}, func() error {
			s.of[id] = one
			return nil
		})
		return err
	})
	return s
}

// Get gives the score of a case; an automatic one of 0 for a case that was never saved.
func (s *Scores) Get(id uuid.UUID) Score {
	one, ok := s.of[id]
	if !ok {
		return Score{Automatic: true}
	}
	return one
}

// Count is how often a value was won and lost, each 0.1 more than it was.
type Count struct {
	Team, Field, Value string // an empty team: of cases without one
	Won, Lost          float64
}

// Counts lists the counts of the tenant in the order of team, field and value, after those three; an empty team or field: all.
func (s *Scoring) Counts(ctx context.Context, team, field string, after []string, limit int) (all []Count, err error) {
	if after == nil {
		after = []string{"", "", ""}
	}
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT team, field, value, won, lost FROM scoring_count
			WHERE tenant_id = $1 AND generation = coalesce((SELECT generation FROM scoring_setting WHERE tenant_id = $1), 1)
				AND ($2 = '' OR team = $2) AND ($3 = '' OR field = $3) AND (team, field, value) > ($4, $5, $6)
			ORDER BY team, field, value LIMIT $7`, tx.Tenant(), team, field, after[0], after[1], after[2], limit)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c Count, err error) {
			n := count{rows: 1}
			err = row.Scan(&c.Team, &c.Field, &c.Value, &n.won, &n.lost)
			c.Won, c.Lost = n.Won(), n.Lost()
			return c, err
		})
		return err
	})
	return all, err
}
