package deadline

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/calendar"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/sla"
)

// Explanation is how the deadlines of a ticket came about.
type Explanation struct {
	row
	At       time.Time
	Policy   sla.Policy // the zero one where nothing is promised
	Calendar calendar.Calendar
	History  []sla.Entry
	All      []sla.Measurement
}

// Explain measures a ticket as things stood at an instant, and gives what that rests on. A closed one is measured by the
// calendar by which its verdicts were found.
func (d *Deadlines) Explain(ctx context.Context, id uuid.UUID, at time.Time) (Explanation, error) {
	e := Explanation{At: at}
	err := d.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		if e.row, err = get(ctx, tx, id); err != nil {
			return err
		}
		b := batch{tickets: &[]row{e.row}}
		if err := b.read(ctx, tx, false); err != nil {
			return err
		}
		e.Policy, e.Calendar = b.policy(e.row)
		e.History = b.histories[id]
		if e.closed() {
			if settled, ok, err := settledBy(ctx, tx, id); err != nil {
				return err
			} else if ok {
				e.Calendar = settled
			}
		}
		return nil
	})
	e.All = sla.Measure(e.History, e.Policy, e.Calendar, at)
	return e, err
}

// Recomputation gives a recomputation of the caller's tenant.
func (d *Deadlines) Recomputation(ctx context.Context, id uuid.UUID) (r Recomputation, err error) {
	err = d.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		r, err = getRecomputation(ctx, tx, id)
		return err
	})
	return r, err
}

// Recomputations gives up to limit recomputations before one, Nil for none, the latest first.
func (d *Deadlines) Recomputations(ctx context.Context, before uuid.UUID, limit int) (all []Recomputation, err error) {
	err = d.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		all, err = listRecomputations(ctx, tx, before, limit)
		return err
	})
	return all, err
}

// Changes gives up to limit verdicts of closed tickets that a recomputation changed, after one.
func (d *Deadlines) Changes(ctx context.Context, recomputation uuid.UUID, after change, limit int) (all []change, err error) {
	err = d.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if _, err := getRecomputation(ctx, tx, recomputation); err != nil {
			return err
		}
		all, err = listChanges(ctx, tx, recomputation, after, limit)
		return err
	})
	return all, err
}
