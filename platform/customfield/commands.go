package customfield

import (
	"context"
	"net/http"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Fields is what can be done with custom fields of a kind.
type Fields struct {
	kind  Kind
	db    *pg.DB
	clock func() time.Time
}

// New makes the capability.
func New(k Kind, db *pg.DB, clock func() time.Time) *Fields {
	return &Fields{kind: k, db: db, clock: clock}
}

// Define makes a field. A name that is in use, by an archived field as well, is a Conflict, <of>_field_exists.
func (f *Fields) Define(ctx context.Context, name string, form Form) (Definition, error) {
	made, faults := Define(name, form, f.now())
	if len(faults) > 0 {
		return Definition{}, f.kind.invalid(faults)
	}
	result, err := f.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		known := f.kind.All(tx)
		if err := tx.Flush(ctx); err != nil {
			return pg.Result{}, err
		}
		if _, taken := known[name]; !taken && len(known) >= Most { // two at once may pass it together, which does no harm
			return pg.Result{}, problem.New(problem.Unprocessable, "too_many_"+f.kind.Of+"_fields", "A tenant has at most %d fields, archived ones included.", Most)
		}
		f.kind.insert(tx, made)
		return pg.Result{Status: http.StatusCreated}, nil
	})
	if constraint, _ := pg.Constraint(err); constraint == f.kind.table()+"_pkey" {
		return Definition{}, problem.New(problem.Conflict, f.kind.table()+"_exists",
			"There is a field of this name already, which may be archived: change it, or choose another name.").Because(err)
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
	Archived *bool
}

// Change changes a field, if it still is as the caller saw it: fresh is asked with the version.
func (f *Fields) Change(ctx context.Context, name string, p Patch, fresh func(version int64) error) (Definition, error) {
	var now Definition
	_, err := f.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		was, err := f.kind.get(ctx, tx, name, `FOR UPDATE`)
		if err != nil {
			return pg.Result{}, err
		}
		if err := fresh(was.Version); err != nil {
			return pg.Result{}, err
		}
		form, archived := was.Form, was.Archived
		if p.Title != nil {
			form.Title = *p.Title
		}
		if p.Type != nil {
			form.Type = *p.Type
		}
		if p.Choices != nil {
			form.Choices = *p.Choices
		}
		if p.Archived != nil {
			archived = *p.Archived
		}
		var changed bool
		var faults []problem.Field
		if now, changed, faults = was.Change(form, archived, f.now()); len(faults) > 0 {
			return pg.Result{}, f.kind.invalid(faults)
		}
		if changed {
			f.kind.save(tx, now)
		}
		return pg.Result{Status: http.StatusOK}, nil
	})
	return now, err
}

func (f *Fields) now() time.Time { return f.clock().UTC().Truncate(time.Microsecond) }

func (k Kind) invalid(faults []problem.Field) error {
	return problem.InvalidBody(k.table()+"_invalid", "The field was not accepted: mend the fields named here.", faults)
}
