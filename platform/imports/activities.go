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
	s, ended, err := i.round(ctx, s, batches)
	if errors.Is(err, errCancelled) {
		return s.report(false, true), nil
	}
	if err != nil {
		return Progress{}, err
	}
	return s.report(ended, false), nil
}

// round writes batches until there are no more, or the time of the round is over, and gives how the import stands then, and
// whether it is at the end of the file.
func (i *Imports) round(ctx context.Context, s stored, batches *ahead) (_ stored, ended bool, err error) {
	ctx, stop := context.WithCancel(ctx)
	w := &abreast{imports: i, giveBack: batches.giveBack, s: s}
	defer w.all.Wait()
	defer stop()
	for enough := time.After(roundTime); ; {
		b, err := batches.next(ctx)
		if err != nil {
			return w.s, false, err
		}
		ended, last := b.ended, b.last
		if b.count > 0 {
			if err := w.begin(ctx, b); err != nil {
				return w.s, false, err
			}
		}
		select {
		case <-enough:
			last = true
		case <-activity.GetWorkerStopChannel(ctx):
			last = true
		case <-ctx.Done():
			return w.s, false, ctx.Err()
		default:
		}
		if last {
			s, err := w.end()
			return s, ended, err
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
