package scoring

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Scoring is what can be done with scores.
type Scoring struct {
	db    *pg.DB
	clock func() time.Time
	chunk int // outcomes that a rebuild counts at once
}

// New makes the capability.
func New(db *pg.DB, clock func() time.Time) *Scoring {
	return &Scoring{db: db, clock: clock, chunk: 2000}
}

func (s *Scoring) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }

// Save takes in open cases as they are now, new ones and known ones, and scores them; writes are queued. What is saved of a
// closed case counts when it is reopened and closed again.
func (s *Scoring) Save(ctx context.Context, tx *pg.Tx, cases ...Case) error {
	if len(cases) == 0 {
		return nil
	}
	m, err := loadModel(ctx, tx, cases)
	if err != nil {
		return err
	}
	return queueCases(tx, m, cases, s.now())
}

// Won counts cases as won, as they were saved last, in all stages of their pipelines. One that is won already does not
// count again; one that was lost no longer counts as lost. The cases and the counts stay locked until the transaction ends.
func (s *Scoring) Won(ctx context.Context, tx *pg.Tx, at time.Time, ids ...uuid.UUID) error {
	return s.move(ctx, tx, stateWon, at, ids)
}

// Lost counts cases as lost, in the stages up to the one that they were lost in. See Won.
func (s *Scoring) Lost(ctx context.Context, tx *pg.Tx, at time.Time, ids ...uuid.UUID) error {
	return s.move(ctx, tx, stateLost, at, ids)
}

// Reopened takes back exactly what the cases counted when they were closed, whatever was changed of them meanwhile.
func (s *Scoring) Reopened(ctx context.Context, tx *pg.Tx, at time.Time, ids ...uuid.UUID) error {
	return s.move(ctx, tx, stateOpen, at, ids)
}

// stateGone is where a case goes that is forgotten.
const stateGone = ""

// Withdrawn forgets cases, open or closed, and takes back what they counted. Those that are not known are left out.
func (s *Scoring) Withdrawn(ctx context.Context, tx *pg.Tx, at time.Time, ids ...uuid.UUID) error {
	return s.move(ctx, tx, stateGone, at, ids)
}

// move takes cases to another state and moves the counts accordingly.
func (s *Scoring) move(ctx context.Context, tx *pg.Tx, to string, at time.Time, ids []uuid.UUID) error {
	if len(ids) == 0 {
		return nil
	}
	at = at.UTC().Truncate(time.Microsecond)
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	ids = slices.Compact(ids)
	set := queueSetting(tx, lockShared)
	cases, err := lockCases(ctx, tx, ids)
	if err != nil {
		return err
	}
	if to != stateGone && len(cases) < len(ids) {
		return fmt.Errorf("scoring: %d of %d cases were never saved", len(ids)-len(cases), len(ids))
	}
	var (
		by     = moves{}
		file   outcomes
		moved  []uuid.UUID
		opened []Case
	)
	for _, c := range cases {
		if c.state == to {
			continue
		}
		moved = append(moved, c.ID)
		if c.counted != nil {
			by.add(c.counted, set.held(c.counted.generations), -1)
			file.takeBack(c.ID, c.last)
		}
		if to == stateWon || to == stateLost {
			o := &outcome{won: to == stateWon, team: c.Team, values: c.counts(to == stateWon), generations: set.counting(at)}
			by.add(o, o.generations, 1)
			file.put(c.ID, c.last+1, o)
		}
		if to == stateOpen {
			opened = append(opened, c.Case)
		}
	}
	if len(moved) == 0 {
		return nil
	}
	file.queue(tx, at)
	by.queue(tx)
	if to == stateGone {
		tx.Queue(`DELETE FROM scoring_case WHERE tenant_id = $1 AND id = ANY ($2)`, tx.Tenant(), moved)
	} else {
		tx.Queue(`UPDATE scoring_case SET state = $3 WHERE tenant_id = $1 AND id = ANY ($2)`, tx.Tenant(), moved, to)
	}
	if len(by) > 0 {
		queueMark(tx)
	}
	return s.Save(ctx, tx, opened...)
}

// held leaves out the generations that are gone.
func (s *setting) held(generations []int) []int {
	return slices.DeleteFunc(slices.Clone(generations), func(g int) bool { return g != s.Generation && g != s.Next })
}

// counting gives the generations of counts that an outcome of the time stands in.
func (s *setting) counting(at time.Time) []int {
	g := []int{}
	if !at.Before(s.Start) {
		g = append(g, s.Generation)
	}
	if s.Next > 0 && !at.Before(s.NextStart) {
		g = append(g, s.Next)
	}
	return g
}
