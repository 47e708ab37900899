//go:build temporal

// Tests against a real Temporal server, which GUANXI_TEST_TEMPORAL names: go test -tags temporal ./loyalty/internal/ledger
// They also record the histories that TestRecordedHistories replays.

package ledger_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client" //nolint:depguard // the test starts a run of a schedule, as an operator does

	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// work runs a worker with an expirer until it is told to die, or the test ends.
func work(t *testing.T, live *flow.Client, y *years, clock func() time.Time) (die func()) {
	t.Helper()
	expirer := ledger.NewExpirer(ledger.New(y.DB, outbox.New("loyalty"), clock), y.Database.DB(pg.Ops), slog.New(slog.DiscardHandler), "loyalty").Small()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var done sync.WaitGroup
	done.Go(func() { _ = live.RunWorker(ctx, "loyalty", expirer.Register) })
	t.Cleanup(func() { cancel(); done.Wait() })
	return cancel
}

// run has the schedule start a sweep, and waits until it has ended.
func run(t *testing.T, live *flow.Client, meanwhile func()) (id string, status enums.WorkflowExecutionStatus) {
	t.Helper()
	if err := live.EnsureSchedules(t.Context(), "loyalty", ledger.ExpirySchedule()); err != nil {
		t.Fatal(err)
	}
	if err := live.Temporal().ScheduleClient().GetHandle(t.Context(), ledger.ExpiryName).Trigger(t.Context(), client.ScheduleTriggerOptions{}); err != nil {
		t.Fatal(err)
	}
	meanwhile()
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		list, err := live.Temporal().ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
			Query: "WorkflowType = '" + ledger.ExpiryName + "' AND ExecutionStatus != 'Running'",
		})
		if err == nil && len(list.Executions) > 0 {
			return list.Executions[0].Execution.WorkflowId, list.Executions[0].Status
		}
	}
	t.Fatal("the sweep has not ended within two minutes")
	return "", 0
}

// overdue are members all of whose points have run out.
func overdue(t *testing.T) (y *years, members []loyaltytest.Member) {
	t.Helper()
	y = newYears(t, "2027-01-15 10:00", programme.Expiry{Kind: "months", Months: 1})
	for range 40 {
		m := y.Enrol()
		members = append(members, m)
		y.earns(m, 10, 0)
		y.earns(m, 5, 3)
	}
	y.is("2028-01-01 00:00")
	return y, members
}

func TestLiveAWorkerThatIsKilledIsTakenOverFromAndComesBackInVain(t *testing.T) {
	t.Parallel()
	y, members := overdue(t)
	live := flowtest.Live(t)
	var reads atomic.Int64
	stuck, dead := make(chan struct{}), make(chan struct{})
	clock := func() time.Time { return *y.now.Load() }
	die := work(t, live, y, func() time.Time {
		if reads.Add(1) == 25 { // in the middle of a page: it does nothing and says nothing from now on
			close(stuck)
		}
		if reads.Load() >= 25 {
			<-dead
		}
		return clock()
	})
	comeBack := sync.OnceFunc(func() { close(dead) })
	t.Cleanup(comeBack)
	id, status := run(t, live, func() {
		<-stuck
		die()
		if n := y.Count(`SELECT count(*) FROM ledger_entry WHERE kind = 'expiry'`); n == 0 || n >= 2*int64(len(members)) {
			t.Fatalf("%d entries when the worker died", n)
		}
		_ = work(t, live, y, clock)
	})
	comeBack()
	if status != enums.WORKFLOW_EXECUTION_STATUS_COMPLETED {
		t.Fatalf("%s is %s", id, status)
	}
	flowtest.Record(t.Context(), t, live, id, "testdata/history/taken_over.json")
	var s ledger.Sweep
	if err := live.Temporal().GetWorkflow(t.Context(), id, "").Get(t.Context(), &s); err != nil || !s.Ended() || s.Failed != 0 {
		t.Fatalf("%+v %v", s, err)
	}
	y.sweeps(0, 0, 0)
	for _, m := range members {
		y.has(m, 0, 0)
	}
	if n := y.Count(`SELECT count(*) FROM (SELECT lot_id FROM lot_use GROUP BY lot_id HAVING count(*) > 1) x`); n != 0 {
		t.Fatalf("%d lots ran out twice", n)
	}
	y.EventsOf("PointsExpired", 2*len(members))
}

func TestLiveASweepThatDoesNotWorkWithAMemberFails(t *testing.T) {
	t.Parallel()
	y, members := overdue(t)
	y.Admin(`UPDATE member SET available = 3 WHERE id = $1`, members[7].MemberID)
	live := flowtest.Live(t)
	_ = work(t, live, y, func() time.Time { return *y.now.Load() })
	id, status := run(t, live, func() {})
	if status != enums.WORKFLOW_EXECUTION_STATUS_FAILED {
		t.Fatalf("%s is %s", id, status)
	}
	flowtest.Record(t.Context(), t, live, id, "testdata/history/incomplete.json")
	if n := y.Count(`SELECT count(*) FROM ledger_entry WHERE kind = 'expiry'`); n != 2*int64(len(members)-1) {
		t.Fatalf("%d entries", n)
	}
}
