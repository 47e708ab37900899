package reward

import (
	"context"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// overdueInput says what was not done in time.
type overdueInput struct {
	ID    uuid.UUID `json:"id"`
	DueAt time.Time `json:"due_at"`
}

// failedInput says why a voucher cannot be issued.
type failedInput struct {
	ID   uuid.UUID `json:"id"`
	Code string    `json:"code"`
}

// Names under which the activities are registered.
const (
	loadActivity    = "redemption.load"
	issueActivity   = "redemption.issue"
	overdueActivity = "redemption.overdue"
	failedActivity  = "redemption.failed"
	cancelActivity  = "redemption.cancel"
)

// Worker registers the process and its activities.
func (r *Rewards) Worker(w worker.Registry) {
	w.RegisterWorkflowWithOptions(Handle, workflow.RegisterOptions{Name: WorkflowName})
	for name, do := range map[string]any{
		loadActivity: r.load, issueActivity: r.issue, overdueActivity: r.overdue, failedActivity: r.failed, cancelActivity: r.cancelByOperator,
	} {
		w.RegisterActivityWithOptions(do, activity.RegisterOptions{Name: name})
	}
}

func (r *Rewards) load(ctx context.Context, in Input) (Progress, error) {
	found, err := r.Redemption(ctx, in.ID)
	return found.progress(), err
}

// issue hands a voucher out, once. It fails for good where the customer was erased, or the code is not there any more.
func (r *Rewards) issue(ctx context.Context, in Input) (Progress, error) {
	return r.step(ctx, in.ID, func(was Redemption, now time.Time) (Redemption, error) {
		if was.State == Cancelled { // by somebody who was faster
			return was, nil
		}
		return was.Issue(now)
	})
}

func (r *Rewards) overdue(ctx context.Context, in overdueInput) (Progress, error) {
	return r.step(ctx, in.ID, func(was Redemption, now time.Time) (Redemption, error) { return was.Overdue(in.DueAt, now) })
}

func (r *Rewards) failed(ctx context.Context, in failedInput) (Progress, error) {
	return r.step(ctx, in.ID, unlessClosed(ReasonNotFulfilled, in.Code))
}

func (r *Rewards) cancelByOperator(ctx context.Context, in Input) (Progress, error) {
	return r.step(ctx, in.ID, unlessClosed(ReasonOperator, ""))
}

// unlessClosed cancels what is open, and leaves everything else as it is.
func unlessClosed(reason, failure string) rule {
	return func(was Redemption, now time.Time) (Redemption, error) {
		if !was.Open() {
			return was, nil
		}
		return was.Cancel(reason, failure, process, now)
	}
}

func (r *Rewards) step(ctx context.Context, id uuid.UUID, do rule) (Progress, error) {
	now, _, err := r.change(ctx, id, do)
	return now.progress(), err
}
