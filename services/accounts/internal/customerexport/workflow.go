package customerexport

import (
	"fmt"

	"github.com/google/uuid"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/flow"
)

// Names under which the workflow and its activities are registered.
const (
	workflowName = "customer-export"
	writeName    = workflowName + ".write"
	finishName   = workflowName + ".finish"
)

// input names an export to its workflow and activities; the tenant is in the signed header.
type input struct {
	ID uuid.UUID `json:"id"`
}

// ending says how an export ended.
type ending struct {
	State   State  `json:"state"`
	Failure string `json:"failure,omitempty"` // code, for Failed
}

// Progress is the answer to the query "progress".
type Progress struct {
	State State   `json:"state"`
	Rows  int64   `json:"rows"`
	Done  float64 `json:"done"` // share of the customers who were looked at, from 0 to 1
	// Complete and Cancelled tell the workflow what comes next.
	Complete  bool `json:"complete,omitempty"`
	Cancelled bool `json:"cancelled,omitempty"`
}

// ProgressQuery is the query that answers with a Progress.
const ProgressQuery = "progress"

// roundsPerRun bounds the history: a round is one activity, some ten events.
const roundsPerRun = 300

// Write writes the file in rounds until every customer was looked at or the export is cancelled, then ends it. Where the
// work stands is in the database alone, so that any activity may be killed, repeated or overtaken.
func Write(ctx workflow.Context, in input) error {
	now := Progress{State: Running}
	if err := workflow.SetQueryHandler(ctx, ProgressQuery, func() (Progress, error) { return now, nil }); err != nil {
		return err
	}
	for range roundsPerRun {
		workflow.SetCurrentDetails(ctx, now.describe())
		err := workflow.ExecuteActivity(flow.InRounds(ctx), writeName, in).Get(ctx, &now)
		switch {
		case temporal.IsCanceledError(err):
			return finish(ctx, in, ending{State: Cancelled}, &now)
		case err != nil:
			if code, final := flow.Refused(err); final {
				return finish(ctx, in, ending{State: Failed, Failure: code}, &now)
			}
			continue // infrastructure has been away for long; it is not the export's fault
		case now.Cancelled:
			return finish(ctx, in, ending{State: Cancelled}, &now)
		case now.Complete:
			// Somebody who was in the file may just be erased: then there is more to write.
			if err := finish(ctx, in, ending{State: Finished}, &now); err != nil || now.State != Running {
				return err
			}
		}
	}
	return workflow.NewContinueAsNewError(ctx, workflowName, in)
}

// finish records the ending, also when the workflow itself was cancelled.
func finish(ctx workflow.Context, in input, e ending, now *Progress) error {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	err := flow.Insist(flow.InRounds(ctx), finishName, now, in, e)
	if err == nil {
		workflow.SetCurrentDetails(ctx, now.describe())
	}
	return err
}

func (p Progress) describe() string {
	return fmt.Sprintf("%s: %d rows; %.0f %% of the customers", p.State, p.Rows, 100*p.Done)
}
