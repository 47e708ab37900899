package calendar

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Calendars is what can be done with calendars.
type Calendars struct {
	db    *pg.DB
	clock func() time.Time
}

// New makes the capability.
func New(db *pg.DB, clock func() time.Time) *Calendars { return &Calendars{db: db, clock: clock} }

// maxCalendars are what a tenant may have, those in the archive included: whoever reckons a deadline reads them all.
const maxCalendars = 200

// Create makes a calendar. A name that is taken is the Conflict calendar_exists.
func (c *Calendars) Create(ctx context.Context, d Draft) (Stored, error) {
	d, faults := d.normalise()
	if len(faults) > 0 {
		return Stored{}, invalid(faults)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Stored{}, err
	}
	now := c.now()
	made := Stored{ID: id, Version: 1, Draft: d, CreatedAt: now, ChangedAt: now}
	result, err := c.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		lock(tx)
		var count int
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM calendar WHERE tenant_id = $1`, tx.Tenant()).Scan(&count); err != nil {
			return pg.Result{}, err
		}
		if count >= maxCalendars {
			return pg.Result{}, problem.New(problem.Conflict, "calendar_limit", "There are %d calendars already: change one of them.", maxCalendars)
		}
		insert(tx, made, subject(ctx))
		return pg.Result{ID: id, Status: http.StatusCreated}, nil
	})
	return c.answer(ctx, made, result, named(err))
}

// Replace gives a calendar other hours, if it still is as the caller saw it: fresh is asked with the version. Deadlines of
// open tickets are reckoned anew afterwards.
func (c *Calendars) Replace(ctx context.Context, id uuid.UUID, d Draft, fresh func(version int64) error) (Stored, error) {
	d, faults := d.normalise()
	if len(faults) > 0 {
		return Stored{}, invalid(faults)
	}
	return c.alter(ctx, id, func(was Stored) (Stored, error) {
		if err := fresh(was.Version); err != nil {
			return was, err
		}
		now := was
		now.Draft = d
		return now, nil
	})
}

// Archive puts a calendar into the archive, or takes it out. The default one stays out.
func (c *Calendars) Archive(ctx context.Context, id uuid.UUID, archived bool) (Stored, error) {
	return c.alter(ctx, id, func(was Stored) (Stored, error) {
		if archived && was.Default {
			return was, problem.New(problem.Conflict, "calendar_is_default", "This is the default calendar: make another one the default first.")
		}
		now := was
		now.Archived = archived
		return now, nil
	})
}

// MakeDefault has policies that name no calendar reckon by this one.
func (c *Calendars) MakeDefault(ctx context.Context, id uuid.UUID) (Stored, error) {
	return c.alter(ctx, id, func(was Stored) (Stored, error) {
		if was.Archived {
			return was, errArchived
		}
		now := was
		now.Default = true
		return now, nil
	})
}

// alter saves what the rule makes of a calendar, when that is something else, and has deadlines reckoned anew, when it may
// move them.
func (c *Calendars) alter(ctx context.Context, id uuid.UUID, rule func(was Stored) (Stored, error)) (Stored, error) {
	changeID, err := uuid.NewV7()
	if err != nil {
		return Stored{}, err
	}
	var now Stored
	result, err := c.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		lock(tx)
		was, err := get(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		if now, err = rule(was); err != nil {
			return pg.Result{}, err
		}
		answer := pg.Result{ID: id, Status: http.StatusOK}
		if reflect.DeepEqual(was, now) {
			return answer, nil
		}
		now.Version, now.ChangedAt = was.Version+1, c.now()
		save(tx, now, subject(ctx))
		if now.Default != was.Default {
			makeDefault(tx, id)
		}
		if now.Default != was.Default || now.Zone != was.Zone || !reflect.DeepEqual(now.Hours, was.Hours) {
			change(tx, changeID, now, now.ChangedAt)
		}
		return answer, nil
	})
	return c.answer(ctx, now, result, named(err))
}

// answer gives the calendar of a command that succeeded, read anew when the command was a repetition.
func (c *Calendars) answer(ctx context.Context, made Stored, result pg.Result, err error) (Stored, error) {
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return c.Get(ctx, result.ID)
	}
	return made, err
}

func subject(ctx context.Context) string {
	p, _ := auth.From(ctx)
	return p.Subject
}

// now is cut to what the database keeps, so that an answer reads the same at once and later.
func (c *Calendars) now() time.Time { return c.clock().UTC().Truncate(time.Microsecond) }

func named(err error) error {
	if name, _ := pg.Constraint(err); name == nameIndex {
		return problem.New(problem.Conflict, "calendar_exists", "Another calendar has this name, be it in the archive. Choose another name, or change that one.").Because(err)
	}
	return err
}

func invalid(faults []problem.Field) error {
	return problem.InvalidBody("calendar_invalid", "The calendar was not accepted: mend the fields named here.", faults)
}
