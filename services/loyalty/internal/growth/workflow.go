package growth

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/flow"
)

// WorkflowName is the name of the workflow, and of the schedule that starts it.
const WorkflowName = "loyalty-growth"

const activityName = WorkflowName + ".score"

// roundsPerRun bounds the history: a round is one activity, some ten events.
const roundsPerRun = 300

// Schedule has every member scored once a day of the programme's zone: it starts every hour, and programmes whose day is done are
// passed over.
func Schedule() flow.Schedule {
	return flow.Schedule{ID: WorkflowName, Every: time.Hour, Workflow: WorkflowName, Args: []any{Progress{}}}
}

// Progress is how far a round over all tenants is. Which members were scored stands in the database, with the scores.
type Progress struct {
	Tenant  string `json:"tenant,omitempty"` // that the next activity begins with
	Members int64  `json:"members"`          // scored so far
	Done    bool   `json:"done,omitempty"`
}

// ScoreDaily lets scores fall as things leave the window, and brings them to terms that have come into force.
func ScoreDaily(ctx workflow.Context, p Progress) error {
	for range roundsPerRun {
		workflow.SetCurrentDetails(ctx, fmt.Sprintf("%d members scored", p.Members))
		if err := flow.Insist(flow.InRounds(ctx), activityName, &p, p); err != nil || p.Done {
			return err
		}
	}
	return workflow.NewContinueAsNewError(ctx, WorkflowName, p)
}
