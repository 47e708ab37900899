//go:build temporal

// Tests against a real Temporal server, which GUANXI_TEST_TEMPORAL names: go test -tags temporal ./sales/internal/forecast
// They also record the histories that TestRecordedHistories replays.

package forecast_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client" //nolint:depguard // the test starts a run of a schedule, as an operator does

	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/services/sales/internal/forecast"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
)

// TestLiveEachTenantHasOneSnapshotOfTheWeekAlthoughItsWorkerIsKilled has the schedule take snapshots with a worker that dies on the way.
func TestLiveEachTenantHasOneSnapshotOfTheWeekAlthoughItsWorkerIsKilled(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	const tenants = 60
	offices := make([]*office, tenants)
	for i := range offices {
		offices[i] = officeOf(t, w, fmt.Sprintf("tenant-%02d", i), "2026-11-23")
		for range 5 {
			offices[i].opens(deal{stage: "new", amount: 100})
		}
	}
	live := flowtest.Live(t)
	var done sync.WaitGroup
	worker := func() context.CancelFunc {
		ctx, kill := context.WithCancel(context.WithoutCancel(t.Context()))
		done.Go(func() {
			if err := live.RunWorker(ctx, "sales", offices[0].forecasts.Register); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		})
		return kill
	}
	kill := worker()
	if err := live.EnsureSchedules(t.Context(), "sales", forecast.Schedule()); err != nil {
		t.Fatal(err)
	}
	if err := live.Temporal().ScheduleClient().GetHandle(t.Context(), forecast.WorkflowName).Trigger(t.Context(), client.ScheduleTriggerOptions{}); err != nil {
		t.Fatal(err)
	}
	taken := func() (n int) {
		for _, o := range offices {
			all, err := o.forecasts.Snapshots(o.as(), true, uuid.Nil, 10)
			if err != nil || len(all) > 1 {
				t.Fatal(all, err)
			}
			n += len(all)
		}
		return n
	}
	for deadline := time.Now().Add(time.Minute); taken() == 0 && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	kill()
	done.Wait()
	kill = worker()
	t.Cleanup(func() { kill(); done.Wait() })
	var id string
	for deadline := time.Now().Add(2 * time.Minute); id == "" && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		list, err := live.Temporal().ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
			Query: "WorkflowType = '" + forecast.WorkflowName + "' AND ExecutionStatus != 'Running'",
		})
		if err != nil || len(list.Executions) == 0 {
			continue
		}
		if id = list.Executions[0].Execution.WorkflowId; list.Executions[0].Status != enums.WORKFLOW_EXECUTION_STATUS_COMPLETED {
			t.Fatalf("%s is %s", id, list.Executions[0].Status)
		}
	}
	if id == "" {
		t.Fatal("the sweep has not ended within two minutes")
	}
	if n := taken(); n != tenants {
		t.Errorf("%d snapshots of %d tenants", n, tenants)
	}
	flowtest.Record(t.Context(), t, live, id, "testdata/history/killed.json")
}
