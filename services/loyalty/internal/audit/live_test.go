//go:build temporal

// Tests against a real Temporal server, which GUANXI_TEST_TEMPORAL names: go test -tags temporal ./loyalty/internal/audit
// They also record the histories that TestRecordedHistories replays.

package audit_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client" //nolint:depguard // the test starts a run of a schedule, as an operator does

	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/audit"
)

// run has the schedule start the check, and waits until it has ended.
func run(t *testing.T, c *flow.Client) (id string, status enums.WorkflowExecutionStatus) {
	t.Helper()
	if err := c.Temporal().ScheduleClient().GetHandle(t.Context(), audit.WorkflowName).Trigger(t.Context(), client.ScheduleTriggerOptions{}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		list, err := c.Temporal().ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
			Query: "WorkflowType = '" + audit.WorkflowName + "' AND ExecutionStatus != 'Running'",
		})
		if err == nil && len(list.Executions) > 0 {
			return list.Executions[0].Execution.WorkflowId, list.Executions[0].Status
		}
	}
	t.Fatal("the check has not ended within a minute")
	return "", 0
}

func TestLiveTheScheduleChecksTheLedgers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		breaks string
		status enums.WorkflowExecutionStatus
		file   string
	}{
		"a good ledger":    {"", enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, "testdata/history/passed.json"},
		"one that differs": {"UPDATE member SET available = available + 1 WHERE id = $1", enums.WORKFLOW_EXECUTION_STATUS_FAILED, "testdata/history/differs.json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, lily := story(t)
			if c.breaks != "" {
				w.Admin(c.breaks, lily.MemberID)
			}
			live := flowtest.Live(t)
			activities := audit.New(w.DB, w.Database.DB(pg.Ops), time.Now).Activities(slog.New(slog.DiscardHandler))
			ctx, cancel := context.WithCancel(t.Context())
			var done sync.WaitGroup
			done.Go(func() { _ = live.RunWorker(ctx, "loyalty", activities.Register) })
			t.Cleanup(func() { cancel(); done.Wait() })
			if err := live.EnsureSchedules(t.Context(), "loyalty", audit.Schedule()); err != nil {
				t.Fatal(err)
			}
			id, status := run(t, live)
			if status != c.status || !strings.HasPrefix(id, audit.WorkflowName+"-") {
				t.Fatalf("%s is %s", id, status)
			}
			flowtest.Record(t.Context(), t, live, id, c.file)
		})
	}
}
