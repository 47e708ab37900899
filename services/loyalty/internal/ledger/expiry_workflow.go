package ledger

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// ExpiryName is the name of the workflow by which points run out, and of the schedule that starts it.
const ExpiryName = "loyalty-expiry"

const expiryActivity = ExpiryName + ".round"

// expiryRounds bounds the history: a round is one activity, some ten events.
const expiryRounds = 300

// ExpirySchedule has points run out every half hour, since the days of most zones of the world end with one.
func ExpirySchedule() flow.Schedule {
	return flow.Schedule{ID: ExpiryName, Every: 30 * time.Minute, Workflow: ExpiryName, Args: []any{Sweep{}}}
}

// Expire goes the way through everything that runs out, in rounds, from where s stands: of the tenant on whose behalf it was
// started, or of all where it was none. It fails where it did not work with some members, so that operators see it; the others
// are done by then.
func Expire(ctx workflow.Context, s Sweep) (Sweep, error) {
	for range expiryRounds {
		if err := flow.Insist(flow.InRounds(ctx), expiryActivity, &s, s); err != nil {
			return s, err
		}
		workflow.SetCurrentDetails(ctx, fmt.Sprintf("%s: %d points of %d lots ran out, %d warnings", s.Part, s.Points, s.Lots, s.Warned))
		switch {
		case s.Ended() && s.Failed > 0:
			return s, flow.Err(problem.New(problem.Conflict, "expiry_incomplete",
				"The points of %d members could not run out, or they could not be told. The service's log names each; have the ledger checked.", s.Failed))
		case s.Ended():
			return s, nil
		}
	}
	return s, workflow.NewContinueAsNewError(ctx, ExpiryName, s)
}
