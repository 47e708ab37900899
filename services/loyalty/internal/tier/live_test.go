//go:build temporal

// Tests against a real Temporal server, which GUANXI_TEST_TEMPORAL names: go test -tags temporal ./loyalty/internal/tier
// They also record the histories that TestRecordedHistories replays.

package tier_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client" //nolint:depguard // the test starts a run of a schedule, as an operator does

	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/tier"
)

// TestLiveAReviewIsGoneOnWithWhenItsWorkerIsKilled has the schedule review members whose worker dies on the way.
func TestLiveAReviewIsGoneOnWithWhenItsWorkerIsKilled(t *testing.T) {
	t.Parallel()
	y := newYears(t, "2027-03-01 10:00", metals())
	const members = 3000
	var q []tier.Qualifying
	for i, id := range y.crowd("pizza", members, y.at("2026-05-01 00:00")) {
		q = append(q, tier.Qualifying{Member: member.Member{ID: id}, Points: 700, Key: fmt.Sprint("order/", i), At: *y.now.Load()})
	}
	if err := y.qualify("pizza", q...); err != nil {
		t.Fatal(err)
	}
	y.is("2029-01-01 00:00")
	live := flowtest.Live(t)
	var done sync.WaitGroup
	worker := func() context.CancelFunc {
		ctx, kill := context.WithCancel(context.WithoutCancel(t.Context()))
		done.Go(func() {
			if err := live.RunWorker(ctx, "loyalty", y.reviewer().Small().Register); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		})
		return kill
	}
	kill := worker()
	if err := live.EnsureSchedules(t.Context(), "loyalty", tier.Schedule()); err != nil {
		t.Fatal(err)
	}
	if err := live.Temporal().ScheduleClient().GetHandle(t.Context(), tier.WorkflowName).Trigger(t.Context(), client.ScheduleTriggerOptions{}); err != nil {
		t.Fatal(err)
	}
	reviewed := func() int64 { return y.Count(`SELECT count(*) FROM tier_decision WHERE reason = 'review'`) }
	for deadline := time.Now().Add(2 * time.Minute); reviewed() < 100 && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	kill()
	done.Wait()
	if n := reviewed(); n == 2*members {
		t.Fatal("the review was over before its worker was killed")
	}
	kill = worker()
	t.Cleanup(func() { kill(); done.Wait() })
	var id string
	for deadline := time.Now().Add(2 * time.Minute); id == "" && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		list, err := live.Temporal().ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
			Query: "WorkflowType = '" + tier.WorkflowName + "' AND ExecutionStatus != 'Running'",
		})
		if err != nil || len(list.Executions) == 0 {
			continue
		}
		if id = list.Executions[0].Execution.WorkflowId; list.Executions[0].Status != enums.WORKFLOW_EXECUTION_STATUS_COMPLETED {
			t.Fatalf("%s is %s", id, list.Executions[0].Status)
		}
	}
	if id == "" {
		t.Fatal("the review has not ended within two minutes")
	}
	if n := reviewed(); n != 2*members {
		t.Errorf("%d decisions, want two about each of %d members", n, members)
	}
	flowtest.Record(t.Context(), t, live, id, "testdata/history/killed.json")
}
