package imports

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Bounds of one round, after which the workflow hears how far the import is.
const (
	roundRows      = 200_000
	roundTime      = 5 * time.Second
	heartbeatEvery = 2 * time.Second
)

// Register registers the kind's workflow and activities with the worker of its service.
func (i *Imports) Register(r worker.Registry) {
	r.RegisterWorkflowWithOptions(Import, workflow.RegisterOptions{Name: workflowName(i.kind.Name)})
	r.RegisterActivityWithOptions(i.process, activity.RegisterOptions{Name: processName(i.kind.Name)})
	r.RegisterActivityWithOptions(i.finish, activity.RegisterOptions{Name: finishName(i.kind.Name)})
}

// process works a round of batches from where the database says the import stands.
func (i *Imports) process(ctx context.Context, in input) (Progress, error) {
	s, err := i.begin(ctx, auth.Tenant(ctx), in.ID)
	if err != nil {
		return Progress{}, err
	}
	if s.ended() || s.CancelRequested {
		return s.report(s.ended(), s.CancelRequested), nil
	}
	defer heartbeat(ctx)()
	done, err := i.turns.Keep(ctx)
	if err != nil {
		return Progress{}, err
	}
	defer done()
	r := &reader{
		scanner: newScanner(&chunkReader{ctx: ctx, db: i.db, tenant: s.Tenant, id: s.ID, size: s.Bytes, offset: s.Position},
			s.Format, s.Position, s.Line),
		parser: newParser(s.Format, s.Plan),
		number: s.Rows,
	}
	r.together, r.column = i.kind.together(s.Columns)
	prepare, err := i.prepare(ctx, s.Job)
	if err != nil {
		return Progress{}, err
	}
	batches := readAhead(ctx, r, prepare, roundRows)
	defer batches.close()
	for enough := time.After(roundTime); ; {
		b, err := batches.next(ctx)
		if err != nil {
			return Progress{}, err
		}
		if b.count > 0 {
			err := i.commit(ctx, &s, b)
			if errors.Is(err, errCancelled) {
				return s.report(false, true), nil
			}
			if err != nil {
				return Progress{}, err
			}
		}
		if b.last {
			return s.report(b.ended, false), nil
		}
		batches.giveBack(b)
		select {
		case <-enough:
			return s.report(false, false), nil
		case <-activity.GetWorkerStopChannel(ctx):
			return s.report(false, false), nil
		case <-ctx.Done():
			return Progress{}, ctx.Err()
		default:
		}
	}
}

// prepare asks the kind for what it makes of rows beforehand; nil where that is nothing.
func (i *Imports) prepare(ctx context.Context, job Job) (prepare preparing, err error) {
	if i.kind.Prepare == nil {
		return nil, nil
	}
	err = i.db.Read(ctx, job.Tenant, func(tx *pg.Tx) error {
		prepare, err = i.kind.Prepare(ctx, tx, job)
		return err
	})
	return prepare, err
}

func (s *stored) report(complete, cancelled bool) Progress {
	return Progress{State: s.State, Rows: s.Rows, Accepted: s.Accepted, Rejected: s.Rejected, Done: s.progress(),
		Complete: complete, Cancelled: cancelled}
}

// heartbeat tells Temporal that the activity lives until the returned function is called.
func heartbeat(ctx context.Context) (stop func()) {
	ctx, stop = context.WithCancel(ctx)
	go func() {
		tick := time.NewTicker(heartbeatEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				activity.RecordHeartbeat(ctx)
			}
		}
	}()
	return stop
}

// begin marks an accepted import as running and gives it as it stands.
func (i *Imports) begin(ctx context.Context, tenant string, id uuid.UUID) (s stored, err error) {
	err = i.db.Tx(ctx, tenant, func(tx *pg.Tx) error {
		if s, err = i.load(ctx, tx, id, true); err != nil {
			return err
		}
		switch s.State {
		case Uploading:
			return notFound()
		case Accepted:
			s.State = Running
			tx.Queue(`UPDATE import_job SET state = $3, updated_at = $4 WHERE tenant_id = $1 AND id = $2`,
				tenant, id, s.State, i.clock())
		}
		return nil
	})
	return s, err
}

// finish marks the import as ended, tells the world of a finished one in the same transaction, and clears the file
// away. Repeated, it changes nothing.
func (i *Imports) finish(ctx context.Context, in input, e ending) (Progress, error) {
	tenant := auth.Tenant(ctx)
	var s stored
	err := i.db.Tx(ctx, tenant, func(tx *pg.Tx) (err error) {
		if s, err = i.load(ctx, tx, in.ID, true); err != nil || s.ended() {
			return err
		}
		s.State, s.FinishedAt = e.State, i.clock().UTC()
		tx.Queue(`UPDATE import_job SET state = $3, failure = nullif($4, ''), updated_at = $5, finished_at = $5
			WHERE tenant_id = $1 AND id = $2`, tenant, s.ID, s.State, e.Failure, s.FinishedAt)
		if s.State != Finished || s.DryRun || i.kind.Finished == nil {
			return nil
		}
		return i.outbox.Append(ctx, tx, i.kind.Finished(s.Job))
	})
	if err != nil {
		return Progress{}, err
	}
	if !s.Closed {
		if err := i.prune(ctx, tenant, s.ID); err != nil {
			return Progress{}, err
		}
	}
	return s.report(true, false), nil
}
