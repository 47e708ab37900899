package audit

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// WorkflowName is the name of the workflow, and of the schedule that starts it.
const WorkflowName = "loyalty-audit"

const activityName = WorkflowName + ".check"

// Schedule has the ledgers of all tenants checked every hour.
func Schedule() flow.Schedule {
	return flow.Schedule{ID: WorkflowName, Every: time.Hour, Workflow: WorkflowName}
}

// Audit checks the ledgers of all tenants. It fails where something differs, so that operators see it.
func Audit(ctx workflow.Context) (Report, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout:    time.Hour,
		ScheduleToCloseTimeout: 6 * time.Hour,
		HeartbeatTimeout:       2 * time.Minute,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute,
		},
	})
	var report Report
	if err := workflow.ExecuteActivity(ctx, activityName).Get(ctx, &report); err != nil {
		return Report{}, err
	}
	workflow.SetCurrentDetails(ctx, fmt.Sprintf("%d members, %d entries, %d differences", report.Members, report.Entries, report.Total))
	if !report.OK() {
		return Report{}, flow.Err(problem.New(problem.Conflict, "ledger_differs",
			"%d numbers are not what the ledger's entries say, or the entries do not add up to zero but to %d. "+
				"The service's log names each; see the runbook about points.", report.Total, report.LedgerSum))
	}
	return report, nil
}
