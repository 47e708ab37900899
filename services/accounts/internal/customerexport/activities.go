package customerexport

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
)

const (
	batchRows = 1000            // customers of one transaction
	roundTime = 5 * time.Second // after which the workflow hears how far the export is

	acceptSilence  = 2 * time.Second // the process died between the commit and the start, or Temporal was away
	runningSilence = 5 * time.Minute // the workflow was terminated by hand
	sweepAtOnce    = 100
)

// viewName is what the log of looks calls an export.
const viewName = "export"

// Worker registers the workflow and its activities.
func (e *Exports) Worker(r worker.Registry) {
	r.RegisterWorkflowWithOptions(Write, workflow.RegisterOptions{Name: workflowName})
	r.RegisterActivityWithOptions(e.writeRound, activity.RegisterOptions{Name: writeName})
	r.RegisterActivityWithOptions(e.finish, activity.RegisterOptions{Name: finishName})
}

// writeRound writes batches, from where the database says the export stands, until the time of a round is over.
func (e *Exports) writeRound(ctx context.Context, in input) (Progress, error) {
	began := e.clock()
	for {
		activity.RecordHeartbeat(ctx)
		s, complete, err := e.batch(ctx, in.ID)
		if err != nil {
			return Progress{}, err
		}
		cancelled := s.CancelRequested && !s.Ended()
		if complete || cancelled {
			return s.report(complete, cancelled), nil
		}
		if e.clock().Sub(began) >= roundTime {
			return s.report(false, false), nil
		}
		select {
		case <-activity.GetWorkerStopChannel(ctx):
			return s.report(false, false), nil
		case <-ctx.Done():
			return Progress{}, ctx.Err()
		default:
		}
	}
}

func (s stored) report(complete, cancelled bool) Progress {
	return Progress{State: s.State, Rows: s.Rows, Done: s.Progress(), Complete: complete, Cancelled: cancelled}
}

// batch writes the next customers as one chunk, and the position behind it, in one transaction: a chunk is there once,
// whoever is killed or works twice. Complete is true when no customer is left.
func (e *Exports) batch(ctx context.Context, id uuid.UUID) (s stored, complete bool, err error) {
	err = e.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if s, err = load(ctx, tx, id, true); err != nil || s.Ended() || s.CancelRequested {
			complete = s.Ended()
			return err
		}
		if s.State == Accepted || s.total == 0 {
			s.State = Running
			if s.total, err = countUntil(ctx, tx, s.ID); err != nil {
				return err
			}
		}
		page, err := subjectsAfter(ctx, tx, s.position, s.ID, batchRows)
		if err != nil {
			return err
		}
		if complete = len(page) == 0; !complete {
			s.position, s.seen = page[len(page)-1].ID, s.seen+int64(len(page))
		}
		if err := e.append(ctx, tx, &s, page); err != nil {
			return err
		}
		save(tx, s, e.now())
		return nil
	})
	return s, complete, err
}

// append adds those of the page whom the filter takes to the file, and writes down whose sensitive data went into it. The
// first chunk is written even when it takes nobody: a CSV file has a header.
func (e *Exports) append(ctx context.Context, tx *pg.Tx, s *stored, page []subject) error {
	var taken []subject
	for _, one := range page {
		if s.Filter.takes(one) {
			taken = append(taken, one)
		}
	}
	if len(taken) == 0 && s.chunks > 0 {
		return nil
	}
	if err := complete(ctx, tx, taken, e.now()); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := write(&b, s.Format, s.Columns, s.chunks == 0, taken); err != nil {
		return err
	}
	insertChunk(tx, s.ID, s.chunks, b.Bytes())
	s.chunks++
	s.Bytes += int64(b.Len())
	s.Rows += int64(len(taken))
	return e.record(ctx, tx, *s, taken)
}

// record writes the looks at sensitive data into the log. A caller who sees them no longer gets no more of the file.
func (e *Exports) record(ctx context.Context, tx *pg.Tx, s stored, taken []subject) error {
	if len(s.Classes) == 0 {
		return nil
	}
	sight, err := access.Asked{Purpose: s.Purpose, Reason: s.Reason}.Sight(ctx)
	if err != nil {
		return err
	}
	has, err := offered(ctx, tx)
	if err != nil {
		return err
	}
	classes := classesOf(has.fields)
	var looks []access.Look
	for _, one := range taken {
		if seen := one.looks(s.Columns, classes); len(seen) > 0 {
			looks = append(looks, access.Look{View: viewName, Customer: one.ID, Classes: seen})
		}
	}
	return e.log.Record(ctx, tx, sight, looks...)
}

// finish marks the export as ended and deletes what a file that came to nothing left. Repeated, it changes nothing. When
// the file was begun anew after its last customer was written, it gives a running export back.
func (e *Exports) finish(ctx context.Context, in input, end ending) (Progress, error) {
	var s stored
	err := e.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		if s, err = load(ctx, tx, in.ID, true); err != nil || s.Ended() {
			return err
		}
		if end.State == Finished {
			if left, err := subjectsAfter(ctx, tx, s.position, s.ID, 1); err != nil || s.chunks == 0 || len(left) > 0 {
				return err
			}
		}
		s.State, s.Failure, s.FinishedAt = end.State, end.Failure, e.now()
		if s.State != Finished {
			deleteChunks(tx, s.ID)
			s.chunks, s.Bytes = 0, 0
		}
		save(tx, s, s.FinishedAt)
		return nil
	})
	return s.report(s.Ended(), false), err
}

// Sweep looks once over the exports of all tenants: it starts the workflows of those that have none and deletes files that
// expired. It may run in any number of processes.
func (e *Exports) Sweep(ctx context.Context) error {
	all, err := findDue(ctx, e.ops, e.now())
	if err != nil {
		return fmt.Errorf("exports that are due: %w", err)
	}
	var errs []error
	for _, d := range all {
		if err := e.attend(ctx, d); err != nil {
			errs = append(errs, fmt.Errorf("export %s: %w", d.id, err))
		}
	}
	return errors.Join(errs...)
}

func (e *Exports) attend(ctx context.Context, d due) error {
	var s stored
	err := e.db.Tx(ctx, d.tenant, func(tx *pg.Tx) (err error) {
		if s, err = load(ctx, tx, d.id, true); err != nil || !s.Ended() {
			return err
		}
		if s.State == Finished && s.ExpiresAt().After(e.now()) {
			return nil
		}
		if s.State == Finished {
			s.State = Expired
		}
		deleteChunks(tx, s.ID)
		s.chunks, s.Bytes = 0, 0
		save(tx, s, e.now())
		return nil
	})
	if err != nil || s.Ended() {
		return err
	}
	if err := e.begin(ctx, s); err != nil {
		return err
	}
	return e.db.Tx(ctx, d.tenant, func(tx *pg.Tx) error {
		tx.Queue(`UPDATE customer_export SET updated_at = $3 WHERE tenant_id = $1 AND id = $2 AND state IN ('accepted', 'running')`,
			d.tenant, d.id, e.now())
		return nil
	})
}
