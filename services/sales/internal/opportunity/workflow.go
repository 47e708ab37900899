package opportunity

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/flow"
)

// The names by which the process is started and asked.
const (
	WorkflowName = "opportunity-follow-up"
	StateQuery   = "state" // answers with a Progress
)

// Input names an opportunity to its follow-up; the tenant is in the signed header.
type Input struct {
	ID uuid.UUID `json:"id"`
}

// FollowUp has people asked about an opportunity that stalled, after so many working days each, until it goes on, is closed, or everybody
// was asked. All that it knows is in the opportunity's row, so it can be killed anywhere, and started anew where it was ended by hand.
// Whoever does something about the opportunity pokes it. Cancelling it leaves the opportunity as it is.
func FollowUp(ctx workflow.Context, in Input) error {
	pokes := flow.ListenForPokes(ctx)
	var now Progress
	if err := workflow.SetQueryHandler(ctx, StateQuery, func() (Progress, error) { return now, nil }); err != nil {
		return err
	}
	for early := 0; ; {
		var seen Progress
		if err := flow.Insist(flow.Patiently(ctx, "", attempt), followUpActivity, &seen, in); err != nil {
			return err
		}
		if seen == now {
			early++ // the service's clock is behind the one that the process goes by
		} else {
			early = 0
		}
		now = seen
		workflow.SetCurrentDetails(ctx, now.describe())
		if err := flow.SetSearch(ctx, flow.Search{Stage: "stalled", DueAt: now.DueAt, Team: now.Team}); err != nil || now.Over {
			return err
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			return workflow.NewContinueAsNewError(ctx, WorkflowName, in)
		}
		if _, err := pokes.Wait(ctx, max(least<<min(early, 10), now.DueAt.Sub(workflow.Now(ctx)))); err != nil {
			return err
		}
	}
}

const (
	attempt = 10 * time.Second       // how long one attempt at the activity may take
	least   = 100 * time.Millisecond // the shortest wait, twice as long each time that nothing was due yet
)

// describe is what Temporal's page shows.
func (p Progress) describe() string {
	text := fmt.Sprintf("stalled in %s: %s, for the %d. time; %d of 3 asked", p.Stage, p.Reason, p.Stall, p.Asked)
	if p.Over {
		return text + "; over"
	}
	return text + "; next at " + p.DueAt.UTC().Format(time.RFC3339)
}
