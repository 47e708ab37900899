package erasure

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
)

// judgement is what was found to hold.
type judgement struct {
	ID    uuid.UUID `json:"id"`
	Holds []Hold    `json:"holds"`
}

// reported is what a service did.
type reported struct {
	ID     uuid.UUID `json:"id"`
	Report Report    `json:"report"`
}

// Names under which the activities are registered.
const (
	loadActivity   = "erasure.load"
	judgeActivity  = "erasure.judge"
	cancelActivity = "erasure.cancel"
	reportActivity = "erasure.report"
	finishActivity = "erasure.finish"
)

// Register registers the process and its activities.
func (r *Erasures) Register(reg worker.Registry) {
	reg.RegisterWorkflowWithOptions(Erase, workflow.RegisterOptions{Name: WorkflowName})
	for name, do := range map[string]any{
		loadActivity: r.load, judgeActivity: r.judge, cancelActivity: r.cancel, reportActivity: r.report, finishActivity: r.finish,
	} {
		reg.RegisterActivityWithOptions(do, activity.RegisterOptions{Name: name})
	}
}

func (r *Erasures) load(ctx context.Context, id uuid.UUID) (Erasure, error) {
	e, _, err := r.Get(ctx, id)
	return e, err
}

// judge begins the erasing where nothing holds. Whom the ids mean does not change meanwhile: nobody is merged, and no merge
// undone, while an erasure is under way.
func (r *Erasures) judge(ctx context.Context, in judgement) (Erasure, error) {
	return r.change(ctx, in.ID, func(_ *pg.Tx, was Erasure) (Erasure, error) { return was.Judge(in.Holds, r.now()), nil })
}

func (r *Erasures) cancel(ctx context.Context, id uuid.UUID) (Erasure, error) {
	return r.change(ctx, id, func(_ *pg.Tx, was Erasure) (Erasure, error) { return was.Cancel(r.now()) })
}

func (r *Erasures) report(ctx context.Context, in reported) error {
	return r.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error { return insertReport(tx, in.ID, in.Report, r.now()) })
}

// finish marks the end and tells the world, once.
func (r *Erasures) finish(ctx context.Context, id uuid.UUID) (Erasure, error) {
	return r.change(ctx, id, func(tx *pg.Tx, was Erasure) (Erasure, error) {
		now := was.Finish(r.now())
		if was.State == now.State {
			return was, nil
		}
		events := make([]outbox.Event, len(now.CustomerIDs))
		for n, customer := range now.CustomerIDs {
			events[n] = erasedEvent(customer, now)
		}
		if err := r.outbox.Append(ctx, tx, events...); err != nil {
			return was, fmt.Errorf("tell of the erasure: %w", err)
		}
		return now, nil
	})
}
