package touchpoint

import (
	"context"
	"net/http"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/tenant"
)

// Touchpoints is what can be done with touchpoints.
type Touchpoints struct {
	db    *pg.DB
	clock func() time.Time
}

// New makes the capability.
func New(db *pg.DB, clock func() time.Time) *Touchpoints { return &Touchpoints{db: db, clock: clock} }

// Create adds a touchpoint to the catalogue. A code that is taken, be it by one in the archive, is the Conflict
// touchpoint_exists.
func (t *Touchpoints) Create(ctx context.Context, d Draft) (Touchpoint, error) {
	made, faults := Create(d, t.now())
	if len(faults) > 0 {
		return Touchpoint{}, invalid(faults)
	}
	result, err := t.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		if _, err := tenant.ForWrite(ctx, tx); err != nil {
			return pg.Result{}, err
		}
		insert(tx, made)
		return pg.Result{Status: http.StatusCreated}, nil
	})
	if name, _ := pg.Constraint(err); name == key {
		return Touchpoint{}, problem.New(problem.Conflict, "touchpoint_exists",
			"The catalogue has a touchpoint of this code. Change that one, or take it out of the archive.").Because(err)
	}
	return t.answer(ctx, made, result, err)
}

// Change changes a touchpoint, if it still is as the caller saw it: fresh is asked with the version.
func (t *Touchpoints) Change(ctx context.Context, code string, p Patch, fresh func(version int64) error) (Touchpoint, error) {
	return t.alter(ctx, code, func(was Touchpoint) (Touchpoint, error) {
		if err := fresh(was.Version); err != nil {
			return was, err
		}
		now, faults := was.Change(p, t.now())
		if len(faults) > 0 {
			return was, invalid(faults)
		}
		return now, nil
	})
}

// Archive puts a touchpoint into the archive, or takes it out.
func (t *Touchpoints) Archive(ctx context.Context, code string, archived bool) (Touchpoint, error) {
	return t.alter(ctx, code, func(was Touchpoint) (Touchpoint, error) { return was.Archive(archived, t.now()), nil })
}

// alter locks the touchpoint and saves what the rule makes of it.
func (t *Touchpoints) alter(ctx context.Context, code string, rule func(was Touchpoint) (Touchpoint, error)) (Touchpoint, error) {
	now := Touchpoint{Code: code}
	result, err := t.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		was, err := lock(ctx, tx, code)
		if err != nil {
			return pg.Result{}, err
		}
		if _, err = tenant.ForWrite(ctx, tx); err != nil {
			return pg.Result{}, err
		}
		if now, err = rule(was); err != nil {
			return pg.Result{}, err
		}
		if now != was {
			save(tx, now)
		}
		return pg.Result{Status: http.StatusOK}, nil
	})
	return t.answer(ctx, now, result, err)
}

// answer gives the touchpoint of a command that succeeded, read anew when the command was a repetition: its code is what
// the repetition asked for, too.
func (t *Touchpoints) answer(ctx context.Context, made Touchpoint, result pg.Result, err error) (Touchpoint, error) {
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return t.Get(ctx, made.Code)
	}
	return made, err
}

// now is cut to what the database keeps, so that an answer reads the same at once and later.
func (t *Touchpoints) now() time.Time { return t.clock().UTC().Truncate(time.Microsecond) }

func invalid(faults []problem.Field) error {
	return problem.InvalidBody("touchpoint_invalid", "The touchpoint was not accepted: mend the fields named here.", faults)
}
