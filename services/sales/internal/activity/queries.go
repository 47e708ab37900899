package activity

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
)

// Get gives an activity of the caller's tenant.
func (a *Activities) Get(ctx context.Context, id uuid.UUID) (Activity, error) {
	return read(ctx, a, func(tx *pg.Tx) (Activity, error) { return find(ctx, tx, id) })
}

// List gives up to limit activities in the order in which they are due.
func (a *Activities) List(ctx context.Context, f Filter, limit int) ([]Activity, error) {
	return read(ctx, a, func(tx *pg.Tx) ([]Activity, error) { return list(ctx, tx, f, limit) })
}

// Given gives up to limit reminders that somebody was given and has not seen, the oldest first.
func (a *Activities) Given(ctx context.Context, subject string, after mark, limit int) ([]Reminder, error) {
	return read(ctx, a, func(tx *pg.Tx) ([]Reminder, error) { return given(ctx, tx, subject, after, limit) })
}

// Outcomes gives what can come of the tenant's activities.
func (a *Activities) Outcomes(ctx context.Context) (Outcomes, error) {
	return read(ctx, a, func(tx *pg.Tx) (Outcomes, error) {
		o := queueOutcomes(tx)
		err := tx.Flush(ctx)
		return *o, err
	})
}

// Objections gives up to limit objections in the order of their codes.
func (a *Activities) Objections(ctx context.Context, archived bool, after string, limit int) ([]Objection, error) {
	return read(ctx, a, func(tx *pg.Tx) ([]Objection, error) { return objections(ctx, tx, archived, after, limit) })
}

// Objection gives an objection of the caller's tenant.
func (a *Activities) Objection(ctx context.Context, code string) (Objection, error) {
	return read(ctx, a, func(tx *pg.Tx) (Objection, error) { return findObjection(ctx, tx, code) })
}

// Ranking says how answers are ranked.
type Ranking struct {
	Window   time.Duration // what follows within it counts
	Since    time.Time     // only of answers given from then on; zero: ever
	Least    int           // as many make a rate to go by
	Archived bool          // also answers that are archived
}

// Answers ranks the answers to an objection by what followed where they were given. Nothing of it is kept: it is measured anew from
// what was done and what became of it, each time.
func (a *Activities) Answers(ctx context.Context, code string, r Ranking) ([]Ranked, error) {
	now := a.now()
	return read(ctx, a, func(tx *pg.Tx) ([]Ranked, error) {
		if _, err := findObjection(ctx, tx, code); err != nil {
			return nil, err
		}
		all, err := answers(ctx, tx, code, r.Archived)
		if err != nil {
			return nil, err
		}
		book := pipeline.All(tx)
		past, err := history(ctx, tx, code, r.Window, r.Since)
		return rank(all, past, r.Window, r.Least, now, func(m Move) bool { return forward(book, m) }), err
	})
}

// Answer gives an answer of the library with what followed.
func (a *Activities) answer(ctx context.Context, id uuid.UUID) (Answer, error) {
	return read(ctx, a, func(tx *pg.Tx) (Answer, error) { return findAnswer(ctx, tx, id) })
}

// forward tells whether a move went on, in the order that the stages have by now.
func forward(book *pipeline.Book, m Move) bool {
	p, known := book.Find(m.Pipeline)
	if !known {
		return false
	}
	_, from, ok := p.Stage(m.From)
	_, to, ok2 := p.Stage(m.To)
	return ok && ok2 && to > from
}

// read gives what a reading transaction of the caller's tenant gives.
func read[T any](ctx context.Context, a *Activities, of func(tx *pg.Tx) (T, error)) (found T, err error) {
	err = a.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = of(tx)
		return err
	})
	return found, err
}
