package ledger

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/auth"
)

// Bounds of a round, after which the workflow hears how far the sweep is.
const (
	roundSteps = 500
	roundTime  = 20 * time.Second
)

// Register registers the workflow and its activity.
func (x *Expirer) Register(r worker.Registry) {
	r.RegisterWorkflowWithOptions(Expire, workflow.RegisterOptions{Name: ExpiryName})
	r.RegisterActivityWithOptions(x.round, activity.RegisterOptions{Name: expiryActivity})
}

// round goes on from where the sweep stands, of the tenant that is acted for, or of all. A worker that takes over from one that was killed begins where that one
// last said it was, and does no harm by what it does again.
func (x *Expirer) round(ctx context.Context, s Sweep) (Sweep, error) {
	if activity.HasHeartbeatDetails(ctx) {
		var further Sweep
		if activity.GetHeartbeatDetails(ctx, &further) == nil {
			s = further
		}
	}
	caller, _ := auth.From(ctx) // a schedule has no tenant
	enough := x.ledger.Now().Add(roundTime)
	for range roundSteps {
		var err error
		if s, err = x.Step(ctx, s, caller.Tenant); err != nil || s.Ended() {
			return s, err
		}
		activity.RecordHeartbeat(ctx, s)
		if !x.ledger.Now().Before(enough) {
			break
		}
		select {
		case <-activity.GetWorkerStopChannel(ctx):
			return s, nil
		default:
		}
	}
	return s, ctx.Err()
}
