package run

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Step is one transaction of a run's work; done says that there is nothing left to do.
type Step func(ctx context.Context, tx *pg.Tx, run Run) (done bool, err error)

// Settle says in a step that the run is done for those who wait for it: steps that follow only tidy up and tell.
func (r *Runs) Settle(tx *pg.Tx, run Run) {
	tx.Queue(`UPDATE analytics_run SET state = 'done', settling = true, finished_at = $3, failure = '' WHERE tenant_id = $1 AND run_id = $2 AND state = 'running'`,
		tx.Tenant(), run.ID, r.now())
}

const (
	open = `(state IN ('queued', 'running') OR settling)`
	// turnSQL gives each tenant's run whose turn it is at $1, and its kind; none while one is worked on. What somebody asked for goes before
	// what the day brings, then goes what was stored first. Of a kind a run that has begun ends before the next one begins; one that
	// waits after it failed keeps others of its kind waiting, and no others.
	turnSQL = `SELECT DISTINCT ON (r.tenant_id) r.tenant_id, r.run_id, r.kind FROM analytics_run r WHERE ` + open + `
		AND coalesce(r.leased_until, '-infinity') <= $1
		AND NOT EXISTS (SELECT FROM analytics_run o WHERE o.tenant_id = r.tenant_id AND ` + open + ` AND (
			o.worker IS NOT NULL AND o.leased_until > $1
			OR r.started_at IS NULL AND o.kind = r.kind AND o.started_at IS NOT NULL))
		ORDER BY r.tenant_id, r.cause = 'daily', r.no`
)

// Work does what waits of the kind, of all tenants, step by step, until nothing is left or ctx ends. Of a tenant one run is worked on at
// a time, of whatever kind and in any number of processes: where it is another kind's turn, this one is left for the next call. Before
// each step news of customers go first, see [Yield].
func (r *Runs) Work(ctx context.Context, kind string, step Step) error {
	var failed error
	tried := make(map[uuid.UUID]bool)
	for ctx.Err() == nil {
		due, err := r.ops.Across(ctx, `SELECT tenant_id, run_id FROM (`+turnSQL+`) t WHERE kind = $2`, r.now(), kind)
		if err != nil {
			return errors.Join(failed, err)
		}
		some := false
		for _, one := range due {
			if !tried[one.ID] {
				tried[one.ID], some = true, true
				failed = errors.Join(failed, r.work(ctx, one, step))
			}
		}
		if !some {
			return failed
		}
	}
	return failed
}

// queueTurn has everybody wait who works on a run of the tenant, or wants to: steps of one after another. Also when a step takes
// longer than its lease.
func queueTurn(tx *pg.Tx) {
	tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('run' || chr(31) || $1, 0))`, tx.Tenant())
}

// claim makes the run the worker's for the time of a lease. It is no use to wait for whoever is at work for the tenant.
func (r *Runs) claim(ctx context.Context, one pg.Of, worker uuid.UUID) (mine bool, err error) {
	err = r.db.Tx(ctx, one.Tenant, func(tx *pg.Tx) error {
		err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock(hashtextextended('run' || chr(31) || $1, 0))`, tx.Tenant()).Scan(&mine)
		if err != nil || !mine {
			return err
		}
		now := r.now()
		tag, err := tx.ExecNow(ctx, `UPDATE analytics_run SET state = CASE WHEN settling THEN state ELSE 'running' END, started_at = coalesce(started_at, $1),
				attempts = attempts + 1, worker = $4, leased_until = $5
			WHERE tenant_id = $2 AND run_id = $3 AND run_id = (SELECT run_id FROM (`+turnSQL+`) t WHERE tenant_id = $2)`,
			now, tx.Tenant(), one.ID, worker, now.Add(lease))
		mine = tag.RowsAffected() == 1
		return err
	})
	return mine, err
}

// work goes on with one run until it is done, or until a run that somebody asked for is to go before the one of the day.
func (r *Runs) work(ctx context.Context, one pg.Of, step Step) error {
	worker := uuid.Must(uuid.NewV7())
	mine, err := r.claim(ctx, one, worker)
	for mine && err == nil {
		if err = Yield(ctx, r.db, one.Tenant); err == nil {
			mine, err = r.step(ctx, one, worker, step)
		}
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	return errors.Join(err, r.failed(ctx, one, worker, err))
}

// step is one transaction; more is false where the run is done, or not the worker's any more.
func (r *Runs) step(ctx context.Context, one pg.Of, worker uuid.UUID, step Step) (more bool, err error) {
	_, err = r.db.Command(ctx, one.Tenant, func(tx *pg.Tx) (_ pg.Result, err error) {
		more = false
		queueTurn(tx)
		var still bool
		err = tx.QueryRow(ctx, `SELECT worker = $3 FROM analytics_run WHERE tenant_id = $1 AND run_id = $2 AND `+open+` AND worker IS NOT NULL FOR UPDATE`,
			tx.Tenant(), one.ID, worker).Scan(&still)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && !still {
			return pg.Result{}, nil // the lease was over, and somebody else has it
		}
		if err != nil {
			return pg.Result{}, err
		}
		run, err := find(ctx, tx, one.ID, false)
		if err != nil {
			return pg.Result{}, err
		}
		done, err := step(ctx, tx, run)
		if err != nil {
			return pg.Result{}, err
		}
		now := r.now()
		if done {
			tx.Queue(`UPDATE analytics_run SET state = 'done', settling = false, finished_at = coalesce(finished_at, $3), leased_until = NULL, worker = NULL, failure = ''
				WHERE tenant_id = $1 AND run_id = $2`, tx.Tenant(), run.ID, now)
			return pg.Result{}, nil
		}
		return pg.Result{}, tx.QueryRow(ctx, `WITH first AS (
				SELECT EXISTS (SELECT FROM analytics_run WHERE tenant_id = $1 AND state = 'queued' AND cause = 'asked' AND kind <> $4) AND $5 = 'daily' AS other)
			UPDATE analytics_run SET attempts = 1, worker = CASE WHEN first.other THEN NULL ELSE worker END, leased_until = CASE WHEN first.other THEN NULL ELSE $3::timestamptz END
			FROM first WHERE tenant_id = $1 AND run_id = $2 RETURNING NOT first.other`, tx.Tenant(), run.ID, now.Add(lease), run.Kind, run.Cause).Scan(&more)
	})
	return more, err
}

// failed has the run wait before it is gone on with, and gives it up after the last time.
func (r *Runs) failed(ctx context.Context, one pg.Of, worker uuid.UUID, cause error) error {
	code := "internal"
	var p *problem.Error
	if errors.As(cause, &p) {
		code = p.Code
	}
	return r.db.Tx(ctx, one.Tenant, func(tx *pg.Tx) error {
		var attempts int
		err := tx.QueryRow(ctx, `SELECT attempts FROM analytics_run WHERE tenant_id = $1 AND run_id = $2 AND worker = $3 FOR UPDATE`, tx.Tenant(), one.ID, worker).Scan(&attempts)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // somebody else is at it
		}
		if err != nil {
			return err
		}
		now := r.now()
		if attempts >= most && !pg.Transient(cause) {
			tx.Queue(`UPDATE analytics_run SET state = CASE WHEN settling THEN state ELSE 'failed' END, settling = false, finished_at = coalesce(finished_at, $3),
				leased_until = NULL, worker = NULL, failure = $4 WHERE tenant_id = $1 AND run_id = $2`, tx.Tenant(), one.ID, now, code)
			return nil
		}
		tx.Queue(`UPDATE analytics_run SET leased_until = $3, worker = NULL, failure = $4 WHERE tenant_id = $1 AND run_id = $2`, tx.Tenant(), one.ID, now.Add(pause(attempts)), code)
		return nil
	})
}

const (
	// look is how long Yield waits before it looks again, and patience how often.
	look     = 25 * time.Millisecond
	patience = 40
)

// Yield lets news go before masses: it waits until the portraits are made of all customers of whom something was just heard when it was
// called. It waits a second at most, so that what is long comes to an end also where portraits do not. It is called before each
// transaction of a reckoning over all customers of a tenant.
func Yield(ctx context.Context, db *pg.DB, tenant string) error {
	var upto int64 // the newest of them; ids only grow
	for n := range patience + 1 {
		news := false
		err := db.Read(ctx, tenant, func(tx *pg.Tx) error {
			if n == 0 {
				var newest *int64
				err := tx.QueryRow(ctx, `SELECT max(id) FROM portrait_due WHERE tenant_id = $1 AND lane = 0`, tx.Tenant()).Scan(&newest)
				if news = newest != nil; news {
					upto = *newest
				}
				return err
			}
			return tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM portrait_due WHERE tenant_id = $1 AND lane = 0 AND id <= $2)`, tx.Tenant(), upto).Scan(&news)
		})
		if err != nil || !news || n == patience {
			return err
		}
		if err := app.Rest(ctx, look); err != nil {
			return err
		}
	}
	return nil
}
