package unit

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Units is what can be done with units.
type Units struct {
	db    *pg.DB
	clock func() time.Time
}

// New makes the capability.
func New(db *pg.DB, clock func() time.Time) *Units { return &Units{db: db, clock: clock} }

// Put makes a unit, or changes the name and the headcount of the one of the code. fresh is asked with the version of one that
// is there already. One that was archived is the Conflict unit_archived.
func (u *Units) Put(ctx context.Context, d Unit, fresh func(version int64) error) (now Unit, made bool, err error) {
	if faults := d.faults(); len(faults) > 0 {
		return Unit{}, false, problem.InvalidBody("unit_invalid", "The unit was not accepted: mend the fields named here.", faults)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Unit{}, false, err
	}
	err = u.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		was, n, err := lock(ctx, tx, d.Code)
		switch {
		case err != nil:
			return err
		case was.Version == 0 && n >= maxUnits:
			return problem.New(problem.Conflict, "units_too_many", "There are %d units already, which is as many as there can be.", n)
		case was.Version == 0:
			made, now = true, Unit{ID: id, Code: d.Code, Name: d.Name, Headcount: d.Headcount, Version: 1}
			insert(tx, now)
			return nil
		case !was.ArchivedAt.IsZero():
			return problem.New(problem.Conflict, "unit_archived", "The unit was archived: restore it first.")
		}
		if err := fresh(was.Version); err != nil {
			return err
		}
		made, now = false, was
		if was.Name == d.Name && was.Headcount == d.Headcount {
			return nil
		}
		now.Name, now.Headcount, now.Version = d.Name, d.Headcount, was.Version+1
		save(tx, now)
		return nil
	})
	return now, made, err
}

// Archive keeps a unit out of new plans, or takes it back into them; rollouts that cover it go on. One that is so already stays
// so.
func (u *Units) Archive(ctx context.Context, id uuid.UUID, archived bool) (now Unit, err error) {
	result, err := u.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		if now, err = find(ctx, tx, id, true); err != nil {
			return pg.Result{}, err
		}
		if now.ArchivedAt.IsZero() == archived {
			now.ArchivedAt, now.Version = time.Time{}, now.Version+1
			if archived {
				now.ArchivedAt = u.clock().UTC().Truncate(time.Microsecond)
			}
			save(tx, now)
		}
		return pg.Result{ID: id, Status: http.StatusOK}, nil
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return u.Get(ctx, result.ID)
	}
	return now, err
}
