package ledger

import (
	"context"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
)

// Register registers the workflow and its activity.
func (x *Expirer) Register(r worker.Registry) {
	r.RegisterWorkflowWithOptions(Expire, workflow.RegisterOptions{Name: ExpiryName})
	r.RegisterActivityWithOptions(x.round, activity.RegisterOptions{Name: expiryActivity})
}

// round goes on from where the sweep stands, of the tenant that is acted for, or of all: a schedule has no tenant.
func (x *Expirer) round(ctx context.Context, s Sweep) (Sweep, error) {
	caller, _ := auth.From(ctx)
	return flow.Round(ctx, s, x.ledger.Now, func(ctx context.Context, s Sweep) (Sweep, error) { return x.Step(ctx, s, caller.Tenant) }, Sweep.Ended)
}
