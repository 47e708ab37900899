package run

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Runs is what can be done with runs.
type Runs struct {
	db, ops *pg.DB
	clock   func() time.Time
}

// New makes the capability; db is of the app role, ops of the ops role.
func New(db, ops *pg.DB, clock func() time.Time) *Runs { return &Runs{db: db, ops: ops, clock: clock} }

func (r *Runs) now() time.Time { return r.clock().UTC().Truncate(time.Microsecond) }

// Ask stores a run that somebody asked for. Of a kind there is one such run at a time: Conflict run_open.
func (r *Runs) Ask(ctx context.Context, tx *pg.Tx, kind string, asOf time.Time) (Run, error) {
	caller, _ := auth.From(ctx)
	run := Run{ID: uuid.Must(uuid.NewV7()), Kind: kind, AsOf: asOf, Cause: Asked, AskedBy: caller.Subject, AskedAt: r.now(), State: Queued}
	made, err := insert(ctx, tx, run)
	if err == nil && !made {
		err = problem.New(problem.Conflict, "run_open", "Such a run was asked for already and is not done. Wait for it.")
	}
	return run, err
}

// Daily stores the run of a day; ok is false where there is one.
func (r *Runs) Daily(ctx context.Context, tx *pg.Tx, kind string, asOf time.Time) (run Run, ok bool, err error) {
	run = r.daily(kind, asOf)
	ok, err = insert(ctx, tx, run)
	return run, ok, err
}

func insert(ctx context.Context, tx *pg.Tx, run Run) (bool, error) {
	tag, err := tx.ExecNow(ctx, `INSERT INTO analytics_run (tenant_id, run_id, kind, as_of, cause, asked_by, asked_at, state)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 'queued') ON CONFLICT DO NOTHING`,
		tx.Tenant(), run.ID, run.Kind, run.AsOf, run.Cause, run.AskedBy, run.AskedAt)
	return tag.RowsAffected() == 1, err
}

// EachDay stores the run of the day for each tenant that has facts and none of the kind for it, in a transaction each. begin, where
// there is one, stores what the run has to know; ok is false where the tenant has nothing to reckon yet: then no run is stored.
func (r *Runs) EachDay(ctx context.Context, kind string, begin func(ctx context.Context, tx *pg.Tx, run Run) (ok bool, err error)) error {
	day := Today(r.clock)
	tenants, err := r.ops.Across(ctx, `SELECT DISTINCT f.tenant_id, '00000000-0000-0000-0000-000000000000'::uuid FROM fact_as_of f
		WHERE NOT EXISTS (SELECT FROM analytics_run r WHERE r.tenant_id = f.tenant_id AND r.kind = $1 AND r.cause = 'daily' AND r.as_of = $2)`, kind, day)
	if err != nil {
		return err
	}
	var failed error
	for _, one := range tenants {
		err := r.db.Tx(ctx, one.Tenant, func(tx *pg.Tx) error {
			run := r.daily(kind, day)
			if begin != nil {
				if ok, err := begin(ctx, tx, run); err != nil || !ok {
					return err
				}
			}
			made, err := insert(ctx, tx, run)
			if err == nil && !made {
				err = errTaken
			}
			return err
		})
		if !errors.Is(err, errTaken) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

// errTaken takes back what was begun: another process stored the run of the day first.
var errTaken = errors.New("the run of the day is there")

func (r *Runs) daily(kind string, day time.Time) Run {
	return Run{ID: uuid.Must(uuid.NewV7()), Kind: kind, AsOf: day, Cause: Daily, AskedAt: r.now(), State: Queued}
}
