package ticket

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Tickets is what can be done with tickets.
type Tickets struct {
	db     *pg.DB
	outbox *outbox.Outbox
	clock  func() time.Time
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, clock func() time.Time) *Tickets {
	return &Tickets{db: db, outbox: o, clock: clock}
}

// Open opens a ticket: two round trips, one for its number and the tenant's policies, one for all that is written. At is
// zero for now.
func (t *Tickets) Open(ctx context.Context, d Draft) (made Ticket, err error) {
	if d.At, _, err = t.when(ctx, d.At, "opened_at"); err != nil {
		return Ticket{}, err
	}
	if d.ID, err = uuid.NewV7(); err != nil {
		return Ticket{}, err
	}
	d.By = subjectOfCaller(ctx)
	result, err := t.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		made, err = Open(ctx, tx, t.outbox, d)
		return pg.Result{ID: d.ID, Status: http.StatusCreated}, err
	})
	return t.answer(ctx, made, result, err)
}

// Change gives a ticket another status, if it still is as the caller saw it: fresh is asked with the version. At is zero
// for now.
func (t *Tickets) Change(ctx context.Context, id uuid.UUID, c StatusChange, fresh func(version int64) error) (now Ticket, err error) {
	if c.At, c.Given, err = t.when(ctx, c.At, "at"); err != nil {
		return Ticket{}, err
	}
	c.By = subjectOfCaller(ctx)
	return t.command(ctx, id, func(tx *pg.Tx) (Ticket, error) { return change(ctx, tx, t.outbox, id, c, fresh) })
}

// Reclassify says what else a ticket is about, if it still is as the caller saw it. At is zero for now.
func (t *Tickets) Reclassify(ctx context.Context, id uuid.UUID, r Reclassification, fresh func(version int64) error) (now Ticket, err error) {
	if r.At, r.Given, err = t.when(ctx, r.At, "at"); err != nil {
		return Ticket{}, err
	}
	r.By = subjectOfCaller(ctx)
	return t.command(ctx, id, func(tx *pg.Tx) (Ticket, error) { return reclassify(ctx, tx, t.outbox, id, r, fresh) })
}

func (t *Tickets) command(ctx context.Context, id uuid.UUID, do func(tx *pg.Tx) (Ticket, error)) (now Ticket, err error) {
	result, err := t.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		now, err = do(tx)
		return pg.Result{ID: id, Status: http.StatusOK}, err
	})
	return t.answer(ctx, now, result, err)
}

// Say adds to the conversation of a ticket, if it still is as the caller saw it. At is zero for now.
func (t *Tickets) Say(ctx context.Context, id uuid.UUID, r Reply, fresh func(version int64) error) (now Ticket, said Reply, err error) {
	if r.At, r.Given, err = t.when(ctx, r.At, "at"); err != nil {
		return Ticket{}, Reply{}, err
	}
	if r.ID, err = uuid.NewV7(); err != nil {
		return Ticket{}, Reply{}, err
	}
	r.By = subjectOfCaller(ctx)
	result, err := t.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		now, said, err = say(ctx, tx, t.outbox, id, r, fresh)
		return pg.Result{ID: r.ID, Status: http.StatusCreated}, err
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return t.said(ctx, id, result.ID)
	}
	return now, said, err
}

// answer gives the ticket of a command that succeeded, read anew when the command was a repetition.
func (t *Tickets) answer(ctx context.Context, made Ticket, result pg.Result, err error) (Ticket, error) {
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return t.Get(ctx, result.ID)
	}
	return made, err
}

// when gives the time at which something happens: now, unless whoever may import says another one.
func (t *Tickets) when(ctx context.Context, given time.Time, field string) (at time.Time, wasGiven bool, err error) {
	now := t.now()
	if given.IsZero() {
		return now, false, nil
	}
	if p, _ := auth.From(ctx); !p.Can(auth.TicketsImport) {
		return now, false, problem.New(problem.Forbidden, "time_not_yours_to_give", "Only who may import tickets (%s) says when things happened.", auth.TicketsImport)
	}
	at = given.UTC().Truncate(time.Microsecond)
	if at.After(now) || at.Before(earliest) {
		return at, true, invalid([]problem.Field{fault(field, "out_of_range", "must not be in the future, nor before the year 2000")})
	}
	return at, true, nil
}

var earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// now is cut to what the database keeps, so that an answer reads the same at once and later.
func (t *Tickets) now() time.Time { return t.clock().UTC().Truncate(time.Microsecond) }

func subjectOfCaller(ctx context.Context) string {
	p, _ := auth.From(ctx)
	return p.Subject
}
