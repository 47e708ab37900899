package tier

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// WorkflowName is the name of the workflow, and of the schedule that starts it.
const WorkflowName = "loyalty-tiers"

const roundActivity = WorkflowName + ".round"

// reviewRounds bounds the history: a round is one activity, some ten events.
const reviewRounds = 300

// Schedule has tiers reviewed every quarter of an hour: the days of the world's zones end with one.
func Schedule() flow.Schedule {
	return flow.Schedule{ID: WorkflowName, Every: 15 * time.Minute, Workflow: WorkflowName, Args: []any{Sweep{}}}
}

// Review goes the way through all members whose tier is to be looked at, in rounds, from where s stands. It fails where it did
// not work with some of them, so that operators see it; the others are done by then.
func Review(ctx workflow.Context, s Sweep) (Sweep, error) {
	for range reviewRounds {
		if err := flow.Insist(flow.InRounds(ctx), roundActivity, &s, s); err != nil {
			return s, err
		}
		workflow.SetCurrentDetails(ctx, fmt.Sprintf("%s: %d members, %d decisions, %d warnings", s.Part, s.Members, s.Decided, s.Warned))
		switch {
		case s.Ended() && s.Failed > 0:
			return s, flow.Err(problem.New(problem.Conflict, "tier_review_incomplete",
				"The tiers of %d members could not be reviewed. The service's log names each.", s.Failed))
		case s.Ended():
			return s, nil
		}
	}
	return s, workflow.NewContinueAsNewError(ctx, WorkflowName, s)
}
