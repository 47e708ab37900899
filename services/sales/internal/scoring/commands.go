package scoring

import (
	"context"
	"fmt"
	"maps"
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
	return s.move(ctx, tx, all(ids, stateWon, at))
}

// Lost counts cases as lost, in the stages up to the one that they were lost in. See Won.
func (s *Scoring) Lost(ctx context.Context, tx *pg.Tx, at time.Time, ids ...uuid.UUID) error {
	return s.move(ctx, tx, all(ids, stateLost, at))
}

// Closed is how a case ended.
type Closed struct {
	ID  uuid.UUID
	Won bool
	At  time.Time
}

// Close is Won and Lost of any number of cases that ended at times of their own, in the same number of statements. One that is
// named twice ends as it is named last.
func (s *Scoring) Close(ctx context.Context, tx *pg.Tx, closed ...Closed) error {
	to := make(map[uuid.UUID]target, len(closed))
	for _, c := range closed {
		state := stateLost
		if c.Won {
			state = stateWon
		}
		to[c.ID] = target{state, c.At}
	}
	return s.move(ctx, tx, to)
}

// Reopened takes back exactly what the cases counted when they were closed, whatever was changed of them meanwhile.
func (s *Scoring) Reopened(ctx context.Context, tx *pg.Tx, at time.Time, ids ...uuid.UUID) error {
	return s.move(ctx, tx, all(ids, stateOpen, at))
}

// stateGone is where a case goes that is forgotten.
const stateGone = ""

// Withdrawn forgets cases, open or closed, and takes back what they counted. Those that are not known are left out.
func (s *Scoring) Withdrawn(ctx context.Context, tx *pg.Tx, at time.Time, ids ...uuid.UUID) error {
	return s.move(ctx, tx, all(ids, stateGone, at))
}

// target is where a case goes, and when.
type target struct {
	state string
	at    time.Time
}

func all(ids []uuid.UUID, state string, at time.Time) map[uuid.UUID]target {
	to := make(map[uuid.UUID]target, len(ids))
	for _, id := range ids {
		to[id] = target{state, at}
	}
	return to
}

// move takes cases to other states and moves the counts accordingly.
func (s *Scoring) move(ctx context.Context, tx *pg.Tx, to map[uuid.UUID]target) error {
	if len(to) == 0 {
		return nil
	}
	ids := slices.SortedFunc(maps.Keys(to), func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	set := queueSetting(tx, lockShared)
	cases, err := lockCases(ctx, tx, ids)
	if err != nil {
		return err
	}
	if unknown := len(ids) - len(cases); unknown > 0 && to[ids[0]].state != stateGone {
		return fmt.Errorf("scoring: %d of %d cases were never saved", unknown, len(ids))
	}
	m := movement{counts: moves{}}
	for _, c := range cases {
		if goes := to[c.ID]; c.state != goes.state {
			m.take(c, goes.state, goes.at.UTC().Truncate(time.Microsecond), set)
		}
	}
	if len(m.moved) == 0 {
		return nil
	}
	m.queue(tx)
	return s.Save(ctx, tx, m.opened...)
}

// movement is what cases that go elsewhere change.
type movement struct {
	counts moves
	file   outcomes
	moved  []uuid.UUID
	states []string // of moved, then
	opened []Case
}

func (m *movement) take(c *locked, to string, at time.Time, set *setting) {
	m.moved, m.states = append(m.moved, c.ID), append(m.states, to)
	if c.counted != nil {
		m.counts.add(c.counted, set.held(c.counted.generations), -1)
		m.file.takeBack(c.ID, c.last, at)
	}
	if to == stateWon || to == stateLost {
		o := &outcome{won: to == stateWon, team: c.Team, values: c.Case.counts(to == stateWon), generations: set.counting(at)}
		m.counts.add(o, o.generations, 1)
		m.file.put(c.ID, c.last+1, o, at)
	}
	if to == stateOpen {
		m.opened = append(m.opened, c.Case)
	}
}

func (m *movement) queue(tx *pg.Tx) {
	m.file.queue(tx)
	m.counts.queue(tx)
	if m.states[0] == stateGone { // as all of them
		tx.Queue(`DELETE FROM scoring_case WHERE tenant_id = $1 AND id = ANY ($2)`, tx.Tenant(), m.moved)
	} else {
		tx.Queue(`UPDATE scoring_case s SET state = n.state FROM unnest($2::uuid[], $3::text[]) AS n(id, state)
			WHERE s.tenant_id = $1 AND s.id = n.id`, tx.Tenant(), m.moved, m.states)
	}
	if len(m.counts) > 0 {
		queueMark(tx)
	}
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
