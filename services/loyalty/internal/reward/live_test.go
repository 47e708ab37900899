//go:build temporal

// Tests against a real Temporal server, which GUANXI_TEST_TEMPORAL names: go test -tags temporal ./loyalty/...
// They also record the histories that TestRecordedHistories replays.

package reward_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/reward"
)

// openLive runs the service on a real Temporal server; with all its roles, unless some are named.
func openLive(t *testing.T, roles ...string) (*kiosk, *flow.Client) {
	t.Helper()
	w, client := loyaltytest.StartLive(t, roles...)
	return &kiosk{World: w, t: t, stop: func() {}}, client
}

func workflowID(g got) string { return "redemption/pizza/" + g.ID }

// ended waits until the process has ended and records its history, in which no code stands.
func ended(t *testing.T, client *flow.Client, g got, record string) {
	t.Helper()
	require.NoError(t, client.Temporal().GetWorkflow(t.Context(), workflowID(g), "").Get(t.Context(), nil))
	history := client.Temporal().GetWorkflowHistory(t.Context(), workflowID(g), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		e, err := history.Next()
		require.NoError(t, err)
		require.NotContains(t, e.String(), "SECRET")
	}
	if record != "" {
		flowtest.Record(t.Context(), t, client, workflowID(g), "testdata/"+record+".history.json")
	}
}

// runs waits until the process of a redemption runs.
func (k *kiosk) runs(client *flow.Client, g got) {
	k.t.Helper()
	k.Eventually("the process of "+g.ID+" runs", func() bool {
		var state reward.Progress
		answer, err := client.Temporal().QueryWorkflow(k.t.Context(), workflowID(g), "", reward.StateQuery)
		return err == nil && answer.Get(&state) == nil && state.State == reward.State(g.State)
	})
}

func TestLiveAVoucherIsIssued(t *testing.T) {
	t.Parallel()
	k, client := openLive(t)
	k.vouchers("ticket", 1)
	g := k.reach(k.redeem(k.rich(100), "ticket"), "fulfilled")
	require.Contains(t, string(k.codes(g, k.Manager).Body), "ticket-SECRET-0000")
	ended(t, client, g, "issued")
	k.holds()
}

func TestLiveADeliveryIsSentAndConfirmed(t *testing.T) {
	t.Parallel()
	k, client := openLive(t)
	k.offered("book", "delivery", body{"confirm": true, "stock": 1})
	g := k.redeem(k.rich(100), "book")
	k.runs(client, g)
	k.runs(client, k.decide(g, "fulfil", body{"reference": "SF1"}))
	k.Eventually("operators find it by its stage", func() bool {
		found, err := client.Temporal().ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
			Query: `guanxiTenant = "pizza" AND guanxiStage = "handed_over"`,
		})
		return err == nil && len(found.GetExecutions()) == 1 && found.GetExecutions()[0].GetExecution().GetWorkflowId() == workflowID(g)
	})
	k.Want(http.StatusOK, http.MethodPost, "/v1/redemptions/"+g.ID+"/confirm", k.Manager, nil, nil)
	ended(t, client, g, "confirmed")
	k.holds()
}

func TestLiveWhatIsNotHandedOverInTimeIsCancelled(t *testing.T) {
	t.Parallel()
	k, client := openLive(t)
	k.offered("mug", "counter", body{"fulfil_seconds": 1, "stock": 1})
	lily := k.rich(100)
	g := k.redeem(lily, "mug")
	now := k.reach(g, "cancelled")
	require.Equal(t, "time_limit", now.Reason)
	require.EqualValues(t, 100, k.Read(lily).Available)
	ended(t, client, g, "late")
	k.holds()
}

func TestLiveACancelledRedemptionEndsItsProcess(t *testing.T) {
	t.Parallel()
	k, client := openLive(t)
	k.offered("mug", "counter", body{"stock": 1})
	lily := k.rich(100)
	g := k.redeem(lily, "mug")
	k.runs(client, g)
	k.decide(g, "cancel", body{"reason": "customer_withdrew"})
	ended(t, client, g, "cancelled")
	require.EqualValues(t, 100, k.Read(lily).Available)
	k.holds()
}

func TestLiveToCancelTheProcessIsToCancelTheRedemption(t *testing.T) {
	t.Parallel()
	k, client := openLive(t)
	k.offered("mug", "counter", body{"stock": 1})
	lily := k.rich(100)
	g := k.redeem(lily, "mug")
	k.runs(client, g)
	require.NoError(t, client.Temporal().CancelWorkflow(t.Context(), workflowID(g), ""))
	require.Equal(t, "operator", k.reach(g, "cancelled").Reason)
	ended(t, client, g, "operator")
	require.EqualValues(t, 100, k.Read(lily).Available)
	k.holds()
}

func TestLiveAVoucherOfWhoeverWasErasedIsCancelled(t *testing.T) {
	t.Parallel()
	k, client := openLive(t, app.RoleHTTP, app.RoleRelay, app.RoleConsumers)
	k.vouchers("ticket", 1)
	lily := k.rich(100)
	g := k.redeem(lily, "ticket")
	k.Accounts("pizza").Erase(lily.CustomerID)
	defer k.work(client)()
	require.Equal(t, "customer_erased", k.reach(g, "cancelled").Failure)
	ended(t, client, g, "failed")
	k.holds()
}

func TestLiveAProcessThatWasEndedByHandGoesOn(t *testing.T) {
	t.Parallel()
	k, client := openLive(t)
	k.offered("mug", "counter", body{"stock": 2, "fulfil_seconds": 3600})
	lily := k.rich(200)
	g, other := k.redeem(lily, "mug"), k.redeem(lily, "mug")
	for _, one := range []got{g, other} {
		k.runs(client, one)
		require.NoError(t, client.Temporal().TerminateWorkflow(t.Context(), workflowID(one), "", "by hand"))
	}
	require.Equal(t, "fulfilled", k.decide(g, "fulfil", body{}).State, "people need no process to decide")
	k.Admin(`UPDATE redemption SET due_at = now() - interval '6 minutes', step_at = now() - interval '6 minutes' WHERE id = $1`, other.ID)
	o := outbox.New("loyalty")
	require.NoError(t, reward.New(k.DB, o, ledger.New(k.DB, o, time.Now), client, starts.New(k.DB, client), "loyalty", time.Now).Sweep(t.Context()))
	require.Equal(t, "time_limit", k.reach(other, "cancelled").Reason)
	ended(t, client, other, "revived")
	k.holds()
}

// work runs a worker, and what starts processes, until what it gives is called.
func (k *kiosk) work(client *flow.Client) (stop func()) {
	k.t.Helper()
	o, starter := outbox.New("loyalty"), starts.New(k.DB, client)
	rewards := reward.New(k.DB, o, ledger.New(k.DB, o, time.Now), client, starter, "loyalty", time.Now)
	ctx, cancel := context.WithCancel(k.t.Context())
	var done sync.WaitGroup
	for _, run := range []func() error{
		func() error { return client.RunWorker(ctx, "loyalty", rewards.Worker) }, func() error { return starter.Run(ctx) },
	} {
		done.Go(func() {
			if err := run(); err != nil {
				k.t.Errorf("worker: %v", err)
			}
		})
	}
	return func() { cancel(); done.Wait() }
}

// TestLiveTheWorkerIsKilledAtEveryStep leads redemptions with a worker that is away whenever somebody does something, and comes back
// after it.
func TestLiveTheWorkerIsKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	k, client := openLive(t, app.RoleHTTP, app.RoleRelay, app.RoleConsumers)
	k.offered("book", "delivery", body{"stock": 3, "confirm": true})
	k.offered("soon", "counter", body{"stock": 1, "fulfil_seconds": 2})
	k.vouchers("ticket", 1)
	lily := k.rich(500)
	sent, back, soon, ticket := k.redeem(lily, "book"), k.redeem(lily, "book"), k.redeem(lily, "soon"), k.redeem(lily, "ticket")
	step := func() {
		stop := k.work(client)
		time.Sleep(300 * time.Millisecond) // killed wherever it is by then
		stop()
	}
	step()
	k.decide(sent, "fulfil", body{"reference": "SF1"})
	k.decide(back, "fulfil", body{"reference": "SF2"})
	step()
	k.Want(http.StatusOK, http.MethodPost, "/v1/redemptions/"+sent.ID+"/confirm", k.Manager, nil, nil)
	step()
	k.decide(back, "cancel", body{"reason": "came_back"})
	step()
	defer k.work(client)()
	for g, state := range map[got]string{sent: "fulfilled", back: "cancelled", soon: "cancelled", ticket: "fulfilled"} {
		k.reach(g, state)
		ended(t, client, g, "")
	}
	require.EqualValues(t, 300, k.Read(lily).Available, "each was paid, or given back, once")
	require.Len(t, k.EventsOf("RedemptionCancelled", 2), 2)
	require.Len(t, k.EventsOf("RedemptionFulfilled", 2), 2)
	k.holds()
}

// TestLiveTheTimeLimitAndAPersonAtOnce lets people hand over what is being cancelled: one of them wins, and everything adds up.
func TestLiveTheTimeLimitAndAPersonAtOnce(t *testing.T) {
	t.Parallel()
	k, client := openLive(t)
	k.offered("mug", "counter", body{"stock": 8, "fulfil_seconds": 1})
	lily := k.rich(800)
	var all []got
	for range 8 {
		all = append(all, k.redeem(lily, "mug"))
	}
	time.Sleep(700 * time.Millisecond)
	var wait sync.WaitGroup
	for n, g := range all {
		wait.Go(func() {
			time.Sleep(time.Duration(n) * 100 * time.Millisecond)
			k.Do(http.MethodPost, "/v1/redemptions/"+g.ID+"/fulfil", k.Manager, body{})
		})
	}
	wait.Wait()
	var spent int64
	for _, g := range all {
		ended(t, client, g, "")
		if k.see(g).State == "fulfilled" {
			spent += 100
		}
	}
	require.EqualValues(t, 800-spent, k.Read(lily).Available)
	k.holds()
}
