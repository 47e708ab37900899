package model

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// errLost is why a job is dropped whose lease somebody else has by now.
var errLost = errors.New("the job is another worker's")

// Pass carries out the jobs that wait, one after the other. It is called by a loop of every worker.
func (m *Models) Pass(ctx context.Context) error {
	for {
		due, err := m.ops.Across(ctx, `SELECT tenant_id, id FROM model_job_waiting($1, 1)`, m.now())
		if err != nil || len(due) == 0 {
			return err
		}
		worked, err := m.work(ctx, due[0])
		if err != nil || !worked {
			return err
		}
	}
}

// work carries out one job; worked is false where somebody else has it.
func (m *Models) work(ctx context.Context, of pg.Of) (worked bool, err error) {
	var j Job
	err = m.db.Tx(ctx, of.Tenant, func(tx *pg.Tx) (err error) {
		now := m.now()
		j, worked, err = claim(ctx, tx, of.ID, now, now.Add(leaseTime))
		return err
	})
	if err != nil || !worked {
		return false, err
	}
	k, known := m.kinds[j.Kind]
	switch {
	case !known:
		return true, m.fail(ctx, of.Tenant, j, problem.New(problem.Conflict, "kind_retired", "Models of this kind are not fitted any more."))
	case j.Attempts > maxAttempts:
		return true, m.fail(ctx, of.Tenant, j, problem.New(problem.Internal, "job_gave_up", "The fit broke off %d times. Try it on fewer rows.", maxAttempts))
	}
	f, err := m.alive(ctx, of.Tenant, j, k)
	if err != nil {
		return true, m.fail(ctx, of.Tenant, j, err)
	}
	err = m.db.Tx(ctx, of.Tenant, func(tx *pg.Tx) error {
		made, err := m.Save(ctx, tx, j.Kind, j.Source, j.Options, j.AskedBy, f)
		if err != nil {
			return err
		}
		done := j
		done.State, done.ModelID = Done, made.ID
		mine, err := end(ctx, tx, done, m.now(), m.now())
		if err == nil && !mine {
			err = errLost // another worker may have saved it: this one undoes its own
		}
		return err
	})
	if errors.Is(err, errLost) {
		return true, nil
	}
	return true, err
}

// alive fits while it gives signs of life.
func (m *Models) alive(ctx context.Context, tenant string, j Job, k kind) (Fitted, error) {
	var table *Table
	if j.Source == FromTable {
		var raw []byte
		err := m.db.Read(ctx, tenant, func(tx *pg.Tx) (err error) {
			raw, err = readUpload(ctx, tx, j.ID)
			return err
		})
		if err != nil {
			return Fitted{}, err
		}
		t, err := ReadTable(bytes.NewReader(raw))
		if err != nil {
			return Fitted{}, err
		}
		table = &t
	}
	ctx, stop := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = app.Every(leaseTime/4, m.log, "signs of life of a fit", func(ctx context.Context) error { // it ends with ctx, without error
			return m.db.Tx(ctx, tenant, func(tx *pg.Tx) error {
				mine, err := renew(ctx, tx, j, m.now().Add(leaseTime))
				if err == nil && !mine {
					stop(errLost)
				}
				return err
			})
		})(ctx)
	}()
	defer func() { stop(nil); <-ended }()
	f, err := k.run(ctx, tenant, j, table)
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, errLost) {
		err = cause
	}
	return f, err
}

// fail ends an attempt: for good where the fault is in what was asked for, otherwise until a later attempt.
func (m *Models) fail(ctx context.Context, tenant string, j Job, cause error) error {
	if left := errors.Is(cause, errLost) || ctx.Err() != nil; left {
		return nil // whoever has it now, or begins it again when the lease has run out, goes on
	}
	now := m.now()
	due := now.Add(time.Duration(j.Attempts) * 5 * time.Second)
	p := problem.From(cause)
	j.State, j.Code, j.Reason = Queued, p.Code, p.Detail
	final := problem.CallersFault(cause) || j.Attempts >= maxAttempts
	if final {
		j.State = Failed
	}
	if !problem.CallersFault(cause) {
		m.log.WarnContext(ctx, "a fit broke off", "job", j.ID, "kind", j.Kind, "attempt", j.Attempts, "again", !final, "error", cause)
	}
	err := m.db.Tx(ctx, tenant, func(tx *pg.Tx) error {
		_, err := end(ctx, tx, j, due, now)
		return err
	})
	if err != nil {
		return fmt.Errorf("ending the job %s: %w", j.ID, err)
	}
	return nil
}
