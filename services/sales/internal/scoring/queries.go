package scoring

import (
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

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
