package tier

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
func (r *Reviewer) Register(to worker.Registry) {
	to.RegisterWorkflowWithOptions(Review, workflow.RegisterOptions{Name: WorkflowName})
	to.RegisterActivityWithOptions(r.round, activity.RegisterOptions{Name: roundActivity})
}

// round goes on from where the sweep stands. A worker that takes over from one that was killed begins where that one last said it
// was; a page that it does again has nothing due any more.
func (r *Reviewer) round(ctx context.Context, s Sweep) (Sweep, error) {
	if activity.HasHeartbeatDetails(ctx) {
		var further Sweep
		if activity.GetHeartbeatDetails(ctx, &further) == nil {
			s = further
		}
	}
	caller, _ := auth.From(ctx) // of no tenant where the schedule started it: all are meant
	enough := r.tiers.now().Add(roundTime)
	for range roundSteps {
		var err error
		if s, err = r.Step(ctx, s, caller.Tenant); err != nil || s.Ended() {
			return s, err
		}
		activity.RecordHeartbeat(ctx, s)
		if !r.tiers.now().Before(enough) {
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
