package imports

import (
	"fmt"

	"github.com/google/uuid"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/flow"
)

// input names an import to its workflow and activities; the tenant is in the signed header.
type input struct {
	Kind string    `json:"kind"`
	ID   uuid.UUID `json:"id"`
}

// ending says how an import ended.
type ending struct {
	State   State  `json:"state"`
	Failure string `json:"failure,omitempty"` // code, for Failed
}

// Progress is the answer to the query "progress".
type Progress struct {
	State    State   `json:"state"`
	Rows     int64   `json:"rows"`
	Accepted int64   `json:"accepted"`
	Rejected int64   `json:"rejected"`
	Done     float64 `json:"done"` // share of the file, from 0 to 1
	// Complete and Cancelled tell the workflow what comes next.
	Complete  bool `json:"complete,omitempty"`
	Cancelled bool `json:"cancelled,omitempty"`
}

// ProgressQuery is the query that answers with a Progress.
const ProgressQuery = "progress"

// roundsPerRun bounds the history: a round is one activity, some ten events.
const roundsPerRun = 300

// Names under which a kind's workflow and activities are registered.
func workflowName(kind string) string { return "import-" + kind }
func processName(kind string) string  { return "import-" + kind + ".process" }
func finishName(kind string) string   { return "import-" + kind + ".finish" }

// Import works a file: rounds of batches until it is at its end or cancelled, then the ending. Where the work stands is in the
// database alone, so any activity may be killed, repeated or overtaken.
func Import(ctx workflow.Context, in input) error {
	now := Progress{State: Running}
	if err := workflow.SetQueryHandler(ctx, ProgressQuery, func() (Progress, error) { return now, nil }); err != nil {
		return err
	}
	workflow.SetCurrentDetails(ctx, fmt.Sprintf("**%s** %s", in.Kind, Running))
	for range roundsPerRun {
		err := workflow.ExecuteActivity(flow.InRounds(ctx), processName(in.Kind), in).Get(ctx, &now)
		switch {
		case temporal.IsCanceledError(err):
			return finish(ctx, in, ending{State: Cancelled}, &now)
		case err != nil:
			if code, final := flow.Refused(err); final {
				return finish(ctx, in, ending{State: Failed, Failure: code}, &now)
			}
			continue // infrastructure has been away for long; it is not the import's fault
		case now.Cancelled:
			return finish(ctx, in, ending{State: Cancelled}, &now)
		case now.Complete:
			return finish(ctx, in, ending{State: Finished}, &now)
		}
		workflow.SetCurrentDetails(ctx, now.describe(in.Kind))
	}
	return workflow.NewContinueAsNewError(ctx, workflow.GetInfo(ctx).WorkflowType.Name, in)
}

// finish records the ending, also when the workflow itself was cancelled.
func finish(ctx workflow.Context, in input, e ending, now *Progress) error {
	ctx, _ = workflow.NewDisconnectedContext(ctx)
	err := flow.Insist(flow.InRounds(ctx), finishName(in.Kind), now, in, e)
	if err == nil {
		workflow.SetCurrentDetails(ctx, now.describe(in.Kind))
	}
	return err
}

func (p Progress) describe(kind string) string {
	return fmt.Sprintf("**%s** %s: %d rows, %d accepted, %d rejected; %.0f %% of the file",
		kind, p.State, p.Rows, p.Accepted, p.Rejected, 100*p.Done)
}
