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

// Step is one transaction of a run's work; done says that there is nothing left to do.
type Step func(ctx context.Context, tx *pg.Tx, run Run) (done bool, err error)

// Settle says in a step that the run is done for those who wait for it: steps that follow only tidy up and tell.
func (r *Runs) Settle(tx *pg.Tx, run Run) {
	tx.Queue(`UPDATE analytics_run SET state = 'done', settling = true, finished_at = $3, failure = '' WHERE tenant_id = $1 AND run_id = $2 AND state = 'running'`,
		tx.Tenant(), run.ID, r.now())
}

// Work does what waits of the kind, of all tenants, the oldest first, step by step, until nothing is left or ctx ends. It may run
// in any number of processes: a run is worked on by one at a time.
func (r *Runs) Work(ctx context.Context, kind string, step Step) error {
	due, err := r.ops.Across(ctx, `SELECT tenant_id, run_id FROM analytics_run
		WHERE kind = $1 AND (state IN ('queued', 'running') OR settling) AND coalesce(leased_until, '-infinity') <= $2 ORDER BY asked_at, run_id`, kind, r.now())
	if err != nil {
		return err
	}
	var failed error
	for _, one := range due {
		failed = errors.Join(failed, r.work(ctx, one, kind, step))
	}
	return failed
}

// work goes on with one run until it is done. Another open run of the tenant and kind that was asked for before goes first.
func (r *Runs) work(ctx context.Context, one pg.Of, kind string, step Step) error {
	mine := false
	err := r.db.Tx(ctx, one.Tenant, func(tx *pg.Tx) error {
		now := r.now()
		tag, err := tx.ExecNow(ctx, `UPDATE analytics_run SET state = CASE WHEN settling THEN state ELSE 'running' END, started_at = coalesce(started_at, $4), attempts = attempts + 1, leased_until = $5
			WHERE tenant_id = $1 AND run_id = (
				SELECT run_id FROM analytics_run WHERE tenant_id = $1 AND kind = $3 AND (state IN ('queued', 'running') OR settling)
				ORDER BY asked_at, run_id LIMIT 1 FOR UPDATE SKIP LOCKED)
			AND run_id = $2 AND coalesce(leased_until, '-infinity') <= $4`, tx.Tenant(), one.ID, kind, now, now.Add(lease))
		mine = tag.RowsAffected() == 1
		return err
	})
	for done := false; err == nil && mine && !done; {
		_, err = r.db.Command(ctx, one.Tenant, func(tx *pg.Tx) (_ pg.Result, err error) {
			run, err := find(ctx, tx, one.ID, true)
			if err != nil {
				return pg.Result{}, err
			}
			if run.State != Running && !run.settling {
				done = true
				return pg.Result{}, nil
			}
			if done, err = step(ctx, tx, run); err != nil {
				return pg.Result{}, err
			}
			now := r.now()
			if done {
				tx.Queue(`UPDATE analytics_run SET state = 'done', settling = false, finished_at = coalesce(finished_at, $3), leased_until = NULL, failure = '' WHERE tenant_id = $1 AND run_id = $2`, tx.Tenant(), run.ID, now)
			} else {
				tx.Queue(`UPDATE analytics_run SET leased_until = $3, attempts = 1 WHERE tenant_id = $1 AND run_id = $2`, tx.Tenant(), run.ID, now.Add(lease))
			}
			return pg.Result{}, nil
		})
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	return errors.Join(err, r.failed(ctx, one, err))
}

// failed has the run wait before it is gone on with, and gives it up after the last time.
func (r *Runs) failed(ctx context.Context, one pg.Of, cause error) error {
	code := "internal"
	var p *problem.Error
	if errors.As(cause, &p) {
		code = p.Code
	}
	return r.db.Tx(ctx, one.Tenant, func(tx *pg.Tx) error {
		var attempts int
		if err := tx.QueryRow(ctx, `SELECT attempts FROM analytics_run WHERE tenant_id = $1 AND run_id = $2 FOR UPDATE`, tx.Tenant(), one.ID).Scan(&attempts); err != nil {
			return err
		}
		now := r.now()
		if attempts >= most && !pg.Transient(cause) {
			tx.Queue(`UPDATE analytics_run SET state = CASE WHEN settling THEN state ELSE 'failed' END, settling = false, finished_at = coalesce(finished_at, $3), leased_until = NULL, failure = $4 WHERE tenant_id = $1 AND run_id = $2`,
				tx.Tenant(), one.ID, now, code)
			return nil
		}
		tx.Queue(`UPDATE analytics_run SET leased_until = $3, failure = $4 WHERE tenant_id = $1 AND run_id = $2`, tx.Tenant(), one.ID, now.Add(pause(attempts)), code)
		return nil
	})
}
