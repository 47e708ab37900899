//go:build temporal

// Tests against a real Temporal server, which GUANXI_TEST_TEMPORAL names: go test -tags temporal ./loyalty/internal/retention
// They also record the histories that TestRecordedHistories replays.

package retention_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client" //nolint:depguard // the test starts a run of a schedule, as an operator does

	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/loyalty"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/retention"
)

// live is the service with workers on a real Temporal server, beside a stand-in of accounts.
type live struct {
	*apptest.Service
	t        *testing.T
	client   *flow.Client
	accounts *neighbour
	manager  string
}

func startLive(t *testing.T, roles ...string) *live {
	t.Helper()
	s, client := apptest.StartLive(t, loyalty.Module(), roles...)
	l := &live{Service: s, t: t, client: client, manager: s.Token(auth.RoleManager, "pizza"), accounts: &neighbour{now: time.Now, refuse: map[string]string{}}}
	ctx, stop := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := client.RunWorker(ctx, "accounts", l.accounts.register); err != nil {
			t.Errorf("worker of accounts: %v", err)
		}
	})
	t.Cleanup(func() { stop(); done.Wait() })
	return l
}

// makes makes a plan whose steps follow each other by seconds.
func (l *live) makes(code string, change func(*retention.Terms)) {
	l.t.Helper()
	l.Want(http.StatusCreated, http.MethodPost, "/v1/retention-plans", l.manager, planBody(code, func(t *retention.Terms) {
		for i := range t.Steps {
			t.Steps[i].AfterSeconds = 1
		}
		t.Segments = []retention.OfferSegment{{Offer: "small"}}
		t.WindowSeconds = 3600
		if change != nil {
			change(t)
		}
	}), nil)
}

// bought has sales tell of an order, which is known afterwards.
func (l *live) bought(customer uuid.UUID, at time.Time, fen int64) {
	l.t.Helper()
	o := loyaltytest.NewOrder(customer)
	l.Publish("sales", o.Placed(l.t, at, fen))
	l.Eventually("the order is known", func() bool { return l.Count(`SELECT count(*) FROM retention_order WHERE order_id = $1`, o.ID) == 1 })
}

// rich is somebody who bought for 1,000 yuan.
func (l *live) rich() uuid.UUID {
	who := someone()
	l.bought(who, time.Now().Add(-30*day), 100_000)
	return who
}

func (l *live) opens(customer uuid.UUID, plan string) (v view) {
	l.t.Helper()
	l.Want(http.StatusCreated, http.MethodPost, "/v1/retention-cases", l.manager, body{"customer_id": customer, "plan": plan}, &v)
	return v
}

func (l *live) decides(v view, action string, b body, headers ...string) (now view) {
	l.t.Helper()
	l.Want(http.StatusOK, http.MethodPost, "/v1/retention-cases/"+v.ID+"/"+action, l.manager, b, &now, headers...)
	return now
}

// reach waits until the case is as it should be.
func (l *live) reach(v view, what string, holds func(view) bool) (now view) {
	l.t.Helper()
	l.Eventually(what, func() bool {
		now = view{}
		l.Want(http.StatusOK, http.MethodGet, "/v1/retention-cases/"+v.ID, l.manager, nil, &now)
		return holds(now)
	})
	return now
}

func workflowID(v view) string { return "retention/pizza/" + v.ID }

// ended waits until the process has ended and records its history.
func (l *live) ended(v view, record string) {
	l.t.Helper()
	require.NoError(l.t, l.client.Temporal().GetWorkflow(l.t.Context(), workflowID(v), "").Get(l.t.Context(), nil))
	flowtest.Record(l.t.Context(), l.t, l.client, workflowID(v), "testdata/"+record+".history.json")
}

func done(n int) func(view) bool { return func(v view) bool { return v.Contacts == n } }

func TestLiveACaseFromItsOpeningToThePurchase(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	l.makes("winback", nil)
	lily := l.rich()
	v := l.opens(lily, "winback")
	v = l.decides(v, "learn", body{"reason": "price", "words": "Margherita for nine euros elsewhere."}, "Idempotency-Key", "once")
	again := l.Want(http.StatusOK, http.MethodPost, "/v1/retention-cases/"+v.ID+"/learn", l.manager, body{"reason": "price", "words": "Margherita for nine euros elsewhere."}, nil, "Idempotency-Key", "once")
	require.Equal(t, "true", again.Header.Get("Idempotent-Replay"))
	require.Equal(t, "idempotency_key_reused", l.Do(http.MethodPost, "/v1/retention-cases/"+v.ID+"/learn", l.manager, body{"reason": "service"}, "Idempotency-Key", "once").Code())
	v = l.reach(v, "all steps are done", done(4))
	l.bought(lily, time.Now(), 4_200)
	v = l.reach(v, "the customer is retained", func(v view) bool { return v.Stage == "retained" })
	require.Equal(t, []string{"taken", "small"}, []string{v.Offer.State, v.Offer.Offer})
	require.EqualValues(t, []int64{4_200, 100}, []int64{v.Revenue, v.CostMinor})
	require.EqualValues(t, 1, l.Count(`SELECT count(*) FROM ledger_entry WHERE kind = 'grant' AND reason_type = 'retention_case'`))
	l.ended(v, "retained")
	golden.JSON(t, "testdata/retention_contact_due.json", l.EventsOf("RetentionContactDue", 4)[1].Data)
	golden.JSON(t, "testdata/retention_offer_made.json", l.EventsOf("RetentionOfferMade", 1)[0].Data)
	golden.JSON(t, "testdata/retention_case_closed.json", l.EventsOf("RetentionCaseClosed", 1)[0].Data)
	history := l.client.Temporal().GetWorkflowHistory(t.Context(), workflowID(v), "", false, 0)
	for history.HasNext() {
		e, err := history.Next()
		require.NoError(t, err)
		require.NotContains(t, e.String(), "Margherita", "what people say is in no history")
	}
	for _, tenant := range l.accounts.tenants {
		require.Equal(t, "pizza", tenant)
	}
}

func TestLiveHeldOutAndLostCases(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	l.makes("none", func(t *retention.Terms) { t.HoldOutPermille, t.WindowSeconds = 1000, 5 })
	l.makes("short", func(t *retention.Terms) { t.WindowSeconds = 20 })
	held, lost := l.opens(l.rich(), "none"), l.opens(l.rich(), "short")
	l.accounts.refuse["contact"] = "no_consent"
	held = l.reach(held, "the time of the one is over", func(v view) bool { return v.Stage == "lost" })
	require.Equal(t, []string{"open", "end"}, held.actions())
	lost = l.reach(lost, "and of the other", func(v view) bool { return v.Stage == "lost" })
	require.Equal(t, 3, lost.Contacts)
	l.ended(held, "held_out")
	l.ended(lost, "lost")
	for _, in := range l.accounts.asked {
		require.Equal(t, lost.ID, in.GetReasonId(), "nobody asks about whoever is held out")
	}
}

func TestLivePeopleLeadACase(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	l.makes("winback", func(t *retention.Terms) { t.Steps[2].AfterSeconds = 2000 })
	v := l.opens(l.rich(), "winback")
	l.reach(v, "the offer is made", func(v view) bool { return v.Offer != nil })
	v = l.decides(v, "pause", body{"words": "On holiday."})
	require.Equal(t, "paused", v.Stage)
	v = l.decides(v, "accept", body{})
	require.Equal(t, "taken", v.Offer.State)
	require.Equal(t, "offer_taken", l.Do(http.MethodPost, "/v1/retention-cases/"+v.ID+"/accept", l.manager, body{}).Code())
	v = l.decides(v, "resume", body{})
	v = l.decides(v, "classify", body{"loss_kind": "fraudulent"})
	require.Equal(t, []string{"cancelled", "fraudulent"}, []string{v.Stage, v.Code})
	require.Equal(t, []string{"open", "contact", "contact", "offer", "pause", "take", "resume", "classify"}, v.actions())
	require.Equal(t, "retention_case_over", l.Do(http.MethodPost, "/v1/retention-cases/"+v.ID+"/cancel", l.manager, body{}).Code())
	l.ended(v, "cancelled")
	for action, want := range map[string]string{"cancel": "cancelled", "close": "lost"} {
		v := l.opens(l.rich(), "winback")
		require.Equal(t, want, l.decides(v, action, body{"words": "because"}).Stage)
	}
}

func TestLiveDecisionsRefuseBadInput(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	l.makes("winback", func(t *retention.Terms) { t.Steps = []retention.StepPlan{} })
	v := l.opens(l.rich(), "winback")
	for name, target := range map[string]badinput.Target{
		"learn":    {Path: "/learn", Body: `{"reason":"price","words":"x"}`, OtherBody: `{"reason":"service","words":"x"}`},
		"classify": {Path: "/classify", Body: `{"loss_kind":"natural","words":"x"}`, OtherBody: `{"loss_kind":"our_fault","words":"x"}`},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token, target.Method, target.Owned, target.Replay = l.URL, l.manager, http.MethodPost, true, true
			target.Path = "/v1/retention-cases/" + v.ID + target.Path
			badinput.Check(t, target)
		})
	}
}

func TestLiveACaseWhoseProcessWasEndedByHandGoesOn(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	l.makes("winback", func(t *retention.Terms) { t.Steps[1].AfterSeconds = 20 * 60 })
	lily := l.rich()
	v := l.opens(lily, "winback")
	l.reach(v, "the first step is done", done(1))
	require.NoError(t, l.client.Temporal().TerminateWorkflow(t.Context(), workflowID(v), "", "by hand"))
	starter := starts.New(l.DB, l.client)
	o := outbox.New("loyalty")
	later := func() time.Time { return time.Now().Add(time.Hour) }
	sweeper := retention.New(l.DB, o, l.client, starter, ledger.New(l.DB, o, later), "loyalty", later)
	for range 2 { // the second time it runs already
		require.NoError(t, sweeper.Sweep(t.Context()))
		_, err := starter.Sweep(t.Context())
		require.NoError(t, err)
	}
	l.Eventually("it runs again", func() bool {
		got, err := l.client.Temporal().DescribeWorkflowExecution(t.Context(), workflowID(v), "")
		return err == nil && got.WorkflowExecutionInfo.CloseTime == nil
	})
	require.NoError(t, l.client.Temporal().CancelWorkflow(t.Context(), workflowID(v), ""))
	require.Error(t, l.client.Temporal().GetWorkflow(t.Context(), workflowID(v), "").Get(t.Context(), nil))
	l.bought(lily, time.Now(), 700)
	v = l.reach(v, "the purchase has the process started anew, which closes the case", func(v view) bool { return v.Stage == "retained" })
	require.Equal(t, []string{"open", "contact", "buy", "end"}, v.actions())
	l.ended(v, "revived")
}

// work runs a worker of retention until what it gives is called.
func (l *live) work() (stop func()) {
	l.t.Helper()
	o := outbox.New("loyalty")
	r := retention.New(l.DB, o, l.client, starts.New(l.DB, l.client), ledger.New(l.DB, o, time.Now), "loyalty", time.Now)
	ctx, cancel := context.WithCancel(l.t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		if err := l.client.RunWorker(ctx, "loyalty", r.Worker); err != nil {
			l.t.Errorf("worker: %v", err)
		}
	})
	return func() { cancel(); done.Wait() }
}

// TestLiveTheWorkerIsKilledAtEveryStep leads a case with a worker that is stopped and started after each step, by an accounts
// that is away half of the time.
func TestLiveTheWorkerIsKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	l := startLive(t, app.RoleHTTP, app.RoleRelay, app.RoleConsumers)
	l.accounts.away = 5
	l.makes("winback", nil)
	lily := l.rich()
	v := l.opens(lily, "winback")
	// Nobody starts what was queued here: the first decision does, and is carried out once there is a worker.
	require.Equal(t, "workflows_unavailable", l.Do(http.MethodPost, "/v1/retention-cases/"+v.ID+"/learn", l.manager, body{"reason": "price"}, "Idempotency-Key", "once").Code())
	for n := range 4 {
		stop := l.work()
		l.reach(v, "the next step is done", func(v view) bool { return v.Contacts > n })
		stop()
	}
	stop := l.work()
	l.decides(v, "learn", body{"reason": "price"}, "Idempotency-Key", "once")
	stop()
	l.bought(lily, time.Now(), 700)
	stop = l.work()
	defer stop()
	r := retention.New(l.DB, outbox.New("loyalty"), l.client, nil, nil, "loyalty", time.Now)
	l.Eventually("the process is told", func() bool { return r.Tell(t.Context()) == nil })
	v = l.reach(v, "the customer is retained", func(v view) bool { return v.Stage == "retained" })
	l.ended(v, "killed")
	require.Equal(t, "contact contact offer contact contact", only(v, "contact", "offer"), "each step was done once")
	require.EqualValues(t, 1, l.Count(`SELECT count(*) FROM retention_step WHERE action = 'learn'`))
	require.EqualValues(t, 1, l.Count(`SELECT count(*) FROM ledger_entry WHERE kind = 'grant'`), "and the points given once")
	require.Len(t, l.EventsOf("RetentionContactDue", 4), 4)
	require.Zero(t, l.Count(`SELECT count(*) FROM retention_case WHERE untold`))
}

// only gives the actions of a case of those kinds.
func only(v view, kinds ...string) string {
	var found []string
	for _, a := range v.actions() {
		for _, k := range kinds {
			if a == k {
				found = append(found, a)
			}
		}
	}
	return strings.Join(found, " ")
}

// TestLiveTheScheduleScansAndGoesOnAfterAKill has the schedule look through customers with a worker that is stopped on the way.
func TestLiveTheScheduleScansAndGoesOnAfterAKill(t *testing.T) {
	t.Parallel()
	l := startLive(t, app.RoleHTTP, app.RoleRelay, app.RoleConsumers)
	l.makes("silence", func(t *retention.Terms) {
		t.Triggers, t.Steps = retention.CaseTriggers{SilenceDays: 90}, []retention.StepPlan{}
	})
	const silent = 1_700
	require.NoError(t, l.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		tx.Queue(`INSERT INTO retention_customer SELECT 'pizza', gen_random_uuid(), 1, now() - interval '100 days', now() - interval '100 days' FROM generate_series(1, $1)`, silent)
		return nil
	}))
	require.NoError(t, l.client.EnsureSchedules(t.Context(), "loyalty", retention.Schedule()))
	require.NoError(t, l.client.Temporal().ScheduleClient().GetHandle(t.Context(), retention.ScanWorkflow).Trigger(t.Context(), client.ScheduleTriggerOptions{}))
	stop := l.work()
	l.Eventually("it has begun", func() bool { return l.Count(`SELECT count(*) FROM retention_case`) > 0 })
	stop()
	defer l.work()()
	var id string
	l.Eventually("it ends", func() bool {
		list, err := l.client.Temporal().ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Query: "WorkflowType = '" + retention.ScanWorkflow + "' AND ExecutionStatus = 'Completed'"})
		if err != nil || len(list.Executions) == 0 {
			return false
		}
		id = list.Executions[0].Execution.WorkflowId
		return true
	})
	require.EqualValues(t, silent, l.Count(`SELECT count(*) FROM retention_case`), "each once")
	require.EqualValues(t, silent, l.Count(`SELECT count(DISTINCT customer_id) FROM retention_case`))
	flowtest.Record(t.Context(), t, l.client, id, "testdata/scan.history.json")
}
