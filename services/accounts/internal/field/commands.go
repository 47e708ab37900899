package field

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/tenant"
)

// Fields is what can be done with custom fields.
type Fields struct {
	db    *pg.DB
	clock func() time.Time
}

// New makes the capability.
func New(db *pg.DB, clock func() time.Time) *Fields { return &Fields{db: db, clock: clock} }

// Define makes a field of name, title, type, choices and class. A name that is in use, by an archived field as well, is a
// Conflict, custom_field_exists.
func (f *Fields) Define(ctx context.Context, draft Definition) (Definition, error) {
	made, faults := Define(draft, f.now())
	if len(faults) > 0 {
		return Definition{}, invalid(faults)
	}
	result, err := f.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		if _, err := tenant.ForWrite(ctx, tx); err != nil {
			return pg.Result{}, err
		}
		if err := room(ctx, tx); err != nil {
			return pg.Result{}, err
		}
		insert(tx, made)
		return pg.Result{ID: uuid.Nil, Status: http.StatusCreated}, nil
	})
	if name, _ := pg.Constraint(err); name == "custom_field_pkey" {
		return Definition{}, problem.New(problem.Conflict, "custom_field_exists",
			"There is a custom field of this name already, which may be archived: change it, or choose another name.").Because(err)
	}
	if err == nil && result.Replayed { // the body is the same, and with it the name
		httpx.MarkReplayed(ctx)
		return f.Get(ctx, made.Name)
	}
	return made, err
}

// Patch is a change of a definition; what is nil stays as it is.
type Patch struct {
	Title    *string
	Type     *Type
	Choices  *[]string
	Class    *access.Class
	Archived *bool
}

func (d Definition) patched(p Patch) Definition {
	if p.Title != nil {
		d.Title = *p.Title
	}
	if p.Type != nil {
		d.Type = *p.Type
	}
	if p.Choices != nil {
		d.Choices = *p.Choices
	}
	if p.Class != nil {
		d.Class = *p.Class
	}
	if p.Archived != nil {
		d.Archived = *p.Archived
	}
	return d
}

// Change changes a field, if it still is as the caller saw it: fresh is asked with the version.
func (f *Fields) Change(ctx context.Context, name string, p Patch, fresh func(version int64) error) (Definition, error) {
	var now Definition
	_, err := f.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		was, err := get(ctx, tx, name, `FOR UPDATE`)
		if err != nil {
			return pg.Result{}, err
		}
		if _, err := tenant.ForWrite(ctx, tx); err != nil {
			return pg.Result{}, err
		}
		if err := fresh(was.Version); err != nil {
			return pg.Result{}, err
		}
		var changed bool
		var faults []problem.Field
		if now, changed, faults = was.Change(was.patched(p), f.now()); len(faults) > 0 {
			return pg.Result{}, invalid(faults)
		}
		if changed {
			update(tx, now)
		}
		return pg.Result{Status: http.StatusOK}, nil
	})
	return now, err
}

func (f *Fields) now() time.Time { return f.clock().UTC().Truncate(time.Microsecond) }

func invalid(faults []problem.Field) error {
	return problem.InvalidBody("custom_field_invalid", "The custom field was not accepted: mend the fields named here.", faults)
}
