package tier

import (
	"context"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
)

// Register registers the workflow and its activity.
func (r *Reviewer) Register(to worker.Registry) {
	to.RegisterWorkflowWithOptions(Review, workflow.RegisterOptions{Name: WorkflowName})
	to.RegisterActivityWithOptions(r.round, activity.RegisterOptions{Name: roundActivity})
}

// round goes on from where the sweep stands, of the tenant that is acted for, or of all: a schedule has no tenant. A page that it
// does again has nothing due any more.
func (r *Reviewer) round(ctx context.Context, s Sweep) (Sweep, error) {
	caller, _ := auth.From(ctx)
	return flow.Round(ctx, s, r.tiers.now, func(ctx context.Context, s Sweep) (Sweep, error) { return r.Step(ctx, s, caller.Tenant) }, Sweep.Ended)
}
