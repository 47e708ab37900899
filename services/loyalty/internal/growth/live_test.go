//go:build temporal

// Tests against a real Temporal server, which GUANXI_TEST_TEMPORAL names: go test -tags temporal ./loyalty/internal/growth
// They also record the histories that TestRecordedHistories replays.

package growth_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client" //nolint:depguard // the test starts a run of a schedule, as an operator does

	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/growth"
)

func TestLiveTheScheduleScoresEverybody(t *testing.T) {
	t.Parallel()
	w := start(t)
	crowd(w, 600, time.Now())
	live := flowtest.Live(t)
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { _ = live.RunWorker(ctx, "loyalty", w.at(time.Now(), nil).Register) })
	t.Cleanup(func() { cancel(); done.Wait() })
	if err := live.EnsureSchedules(t.Context(), "loyalty", growth.Schedule()); err != nil {
		t.Fatal(err)
	}
	if err := live.Temporal().ScheduleClient().GetHandle(t.Context(), growth.WorkflowName).Trigger(t.Context(), client.ScheduleTriggerOptions{}); err != nil {
		t.Fatal(err)
	}
	var id string
	w.Eventually("the round ends", func() bool {
		list, err := live.Temporal().ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
			Query: "WorkflowType = '" + growth.WorkflowName + "' AND ExecutionStatus != 'Running'",
		})
		if err != nil || len(list.Executions) == 0 {
			return false
		}
		id = list.Executions[0].Execution.WorkflowId
		if list.Executions[0].Status != enums.WORKFLOW_EXECUTION_STATUS_COMPLETED {
			t.Fatalf("%s is %s", id, list.Executions[0].Status)
		}
		return true
	})
	if n := w.Count(`SELECT count(*) FROM growth_score WHERE score = 20`); n != 1200 {
		t.Fatalf("%d members were scored", n)
	}
	flowtest.Record(t.Context(), t, live, id, "testdata/history/round.json")
}
