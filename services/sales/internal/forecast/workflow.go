package forecast

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/flow"
)

// WorkflowName is the name of the workflow, and of the schedule that starts it.
const WorkflowName = "sales-forecast-weeks"

const roundActivity = WorkflowName + ".round"

// weekRounds bounds the history: a round is one activity, some ten events.
const weekRounds = 300

// Schedule has the snapshot of the week taken of each tenant: it starts every hour, as each tenant's week begins in a zone of its
// own, and passes over those that have this week's.
func Schedule() flow.Schedule {
	return flow.Schedule{ID: WorkflowName, Every: time.Hour, Workflow: WorkflowName, Args: []any{Sweep{}}}
}

// Sweep is how far the way through all tenants is. The zero Sweep begins.
type Sweep struct {
	After   string `json:"after,omitempty"` // tenant
	Tenants int64  `json:"tenants"`
	Taken   int64  `json:"taken"`
	Done    bool   `json:"done,omitempty"`
}

// Ended tells whether nothing is left.
func (s Sweep) Ended() bool { return s.Done }

// Weeks takes the snapshots that this week lacks, in rounds, from where s stands.
func Weeks(ctx workflow.Context, s Sweep) (Sweep, error) {
	for range weekRounds {
		if err := flow.Insist(flow.InRounds(ctx), roundActivity, &s, s); err != nil {
			return s, err
		}
		workflow.SetCurrentDetails(ctx, fmt.Sprintf("%d tenants, %d snapshots taken", s.Tenants, s.Taken))
		if s.Ended() {
			return s, nil
		}
	}
	return s, workflow.NewContinueAsNewError(ctx, WorkflowName, s)
}
