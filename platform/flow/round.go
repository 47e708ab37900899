package flow

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"
)

// Bounds of a round, after which the workflow hears how far the work is.
const (
	roundSteps = 500
	roundTime  = 20 * time.Second
)

// Round is one round of work that goes step by step, as an activity of [InRounds]: it does steps from s on, each of which may be
// done again without harm, until over says that nothing is left, or the round has been long enough, or the worker stops. A
// worker that takes over from one that was killed begins where that one last said it was.
func Round[S any](ctx context.Context, s S, clock func() time.Time, step func(context.Context, S) (S, error), over func(S) bool) (S, error) {
	if activity.HasHeartbeatDetails(ctx) {
		var further S
		if activity.GetHeartbeatDetails(ctx, &further) == nil {
			s = further
		}
	}
	enough := clock().Add(roundTime)
	for range roundSteps {
		var err error
		if s, err = step(ctx, s); err != nil || over(s) {
			return s, err
		}
		activity.RecordHeartbeat(ctx, s)
		if !clock().Before(enough) {
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
