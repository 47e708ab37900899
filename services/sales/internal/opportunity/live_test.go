//go:build temporal

// Tests against a real Temporal server, which GUANXI_TEST_TEMPORAL names: go test -tags temporal ./sales/internal/opportunity
// They also record the histories that TestRecordedHistories replays.

package opportunity_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/sales/internal/opportunity"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
	"github.com/guanxi-crm/guanxi/services/sales/internal/scoring"
)

// live is an office on a real Temporal server.
type live struct {
	*office
	client *flow.Client
	ahead  atomic.Int64 // how far the clock of the test's own worker is ahead
}

func openLive(t *testing.T, roles ...string) *live {
	t.Helper()
	w, client := salestest.StartLiveFacing(t, http.NotFoundHandler(), roles...)
	return &live{office: &office{World: w, t: t, manager: w.Token(auth.RoleManager, "pizza"), music: w.Token(auth.RoleSales, "music")}, client: client}
}

// stalls opens an opportunity that ought to have gone on yesterday.
func (l *live) stalls() view {
	l.t.Helper()
	return l.opens(body{"owner": "mei", "next_step_on": time.Now().Add(-48 * time.Hour).UTC().Format(time.DateOnly)})
}

// followsUp sets after how many working days people are asked.
func (l *live) followsUp(remind, escalate, closing int) {
	l.t.Helper()
	l.Want(http.StatusOK, http.MethodPut, "/v1/pipelines/standard", l.manager, body{
		"name": "Standard", "stages": []body{{"code": "new", "name": "New", "probability": 10}, {"code": "qualified", "name": "Qualified", "probability": 30}},
		"follow_up": body{"active": true, "remind_days": remind, "escalate_days": escalate, "close_days": closing},
	}, nil, "If-Match", "*")
}

func processOf(v view) string { return "opportunity-follow-up/pizza/" + v.ID }

// ended waits until the follow-up has ended and records its history, in which no words stand.
func (l *live) ended(v view, record string) {
	l.t.Helper()
	require.NoError(l.t, l.client.Temporal().GetWorkflow(l.t.Context(), processOf(v), "").Get(l.t.Context(), nil))
	history := l.client.Temporal().GetWorkflowHistory(l.t.Context(), processOf(v), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		e, err := history.Next()
		require.NoError(l.t, err)
		require.NotContains(l.t, e.String(), "Ovens")
		require.NotContains(l.t, e.String(), "Taste")
	}
	if record != "" {
		flowtest.Record(l.t.Context(), l.t, l.client, processOf(v), "testdata/"+record+".history.json")
	}
}

// runs waits until the follow-up knows that something was asked so often.
func (l *live) runs(v view, asked int) {
	l.t.Helper()
	l.Eventually("the follow-up of "+v.ID+" runs", func() bool {
		var state opportunity.Progress
		answer, err := l.client.Temporal().QueryWorkflow(l.t.Context(), processOf(v), "", opportunity.StateQuery)
		return err == nil && answer.Get(&state) == nil && state.Stall > 0 && state.Asked == asked
	})
}

// kinds are what was asked about an opportunity.
func (l *live) kinds(v view, kind string) int64 {
	l.t.Helper()
	return l.Count(`SELECT count(*) FROM opportunity_asked WHERE opportunity_id = $1 AND kind = $2`, v.ID, kind)
}

// work runs a worker whose clock is ahead, what starts processes, and the scan, until what it gives is called.
func (l *live) work() (stop func()) {
	l.t.Helper()
	o, starter := outbox.New("sales"), starts.New(l.DB, l.client)
	clock := func() time.Time { return time.Now().Add(time.Duration(l.ahead.Load())) }
	all := opportunity.New(l.DB, o, scoring.New(l.DB, clock), clock).Following(l.client, starter, "sales")
	ctx, cancel := context.WithCancel(l.t.Context())
	var done sync.WaitGroup
	for _, run := range []func() error{
		func() error { return l.client.RunWorker(ctx, "sales", all.Worker) }, func() error { return starter.Run(ctx) },
		func() error { return all.Scan(ctx) },
	} {
		done.Go(func() {
			if err := run(); err != nil && ctx.Err() == nil {
				l.t.Errorf("worker: %v", err)
			}
		})
	}
	return func() { cancel(); done.Wait() }
}

func TestLiveAStalledOpportunityIsFollowedUpToTheEnd(t *testing.T) {
	t.Parallel()
	l := openLive(t)
	l.followsUp(0, 0, 0)
	v := l.stalls()
	golden.JSON(t, "testdata/opportunity_stalled.json", l.EventsOf("OpportunityStalled", 1)[0].Data)
	golden.JSON(t, "testdata/opportunity_follow_up_asked.json", l.EventsOf("OpportunityFollowUpAsked", 3)[0].Data)
	l.ended(v, "asked")
	var list struct {
		Items []struct{ Kind, Subject, Reason string }
	}
	l.Want(http.StatusOK, http.MethodGet, "/v1/opportunities/asked", l.TokenFor(map[string]any{"subject": "mei", "tenant": "pizza", "roles": []string{auth.RoleSales}}), nil, &list)
	require.Len(t, list.Items, 3, "nobody leads a team here: whoever sells is asked")
	require.Equal(t, "next_step_overdue", list.Items[0].Reason)
	l.Want(http.StatusOK, http.MethodGet, "/v1/opportunities/asked?subject=mei", l.music, nil, &list)
	require.Empty(t, list.Items)
}

func TestLiveItEndsWhenTheOpportunityGoesOn(t *testing.T) {
	t.Parallel()
	l := openLive(t)
	l.followsUp(0, 3, 10)
	v := l.stalls()
	l.runs(v, 1)
	l.Eventually("operators find it by when it is due", func() bool {
		found, err := l.client.Temporal().ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
			Query: `guanxiTenant = "pizza" AND guanxiStage = "stalled" AND guanxiDueAt > "2020-01-01T00:00:00Z"`,
		})
		return err == nil && len(found.GetExecutions()) == 1
	})
	l.Want(http.StatusOK, http.MethodPatch, v.path(), l.Sales, body{"next_step_on": "2099-01-01"}, nil, "If-Match", "*")
	l.ended(v, "mended")
	require.EqualValues(t, 1, l.Count(`SELECT count(*) FROM opportunity_asked WHERE done_at IS NOT NULL`))
}

func TestLiveTheWorkerIsKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	l := openLive(t, app.RoleHTTP, app.RoleRelay, app.RoleConsumers)
	l.followsUp(1, 3, 10)
	all, lost := []view{l.stalls(), l.stalls(), l.stalls()}, l.stalls()
	step := func(ahead time.Duration) {
		l.ahead.Store(int64(ahead))
		for _, v := range append(all, lost) {
			l.client.Poke(t.Context(), processOf(v))
		}
		stop := l.work()
		time.Sleep(300 * time.Millisecond) // killed wherever it is by then
		stop()
	}
	for n := range 4 {
		step(time.Duration(n) * 2 * 24 * time.Hour)
	}
	l.Want(http.StatusOK, http.MethodPost, lost.path()+"/lose", l.Sales, body{"reason": "no_decision"}, nil)
	step(8 * 24 * time.Hour)
	l.ahead.Store(int64(30 * 24 * time.Hour))
	defer l.work()()
	for _, v := range append(all, lost) {
		l.Eventually("it has begun", func() bool {
			l.client.Poke(t.Context(), processOf(v)) // its time has come by the service's clock, not yet by Temporal's
			answer, err := l.client.Temporal().DescribeWorkflowExecution(t.Context(), processOf(v), "")
			return err == nil && answer.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
		})
		l.ended(v, "")
	}
	for _, v := range all {
		for _, kind := range []string{"remind", "escalate", "propose_close"} {
			require.EqualValues(t, 1, l.kinds(v, kind), "each was asked once")
		}
	}
	require.Zero(t, l.Count(`SELECT count(*) FROM opportunity_asked WHERE opportunity_id = $1 AND done_at IS NULL`, lost.ID))
}

func TestLiveAFollowUpThatWasEndedByHandGoesOn(t *testing.T) {
	t.Parallel()
	l := openLive(t)
	l.followsUp(0, 3, 10)
	v := l.stalls()
	l.runs(v, 1)
	require.NoError(t, l.client.Temporal().TerminateWorkflow(t.Context(), processOf(v), "", "by hand"))
	l.Admin(`UPDATE opportunity SET follow_up_at = now() - interval '11 minutes', stalled_at = now() - interval '30 days' WHERE id = $1`, v.ID)
	clock := time.Now
	require.NoError(t, opportunity.New(l.DB, outbox.New("sales"), scoring.New(l.DB, clock), clock).Following(l.client, starts.New(l.DB, l.client), "sales").Sweep(t.Context()))
	l.Eventually("what was due was asked", func() bool { return l.kinds(v, "propose_close") == 1 })
	l.ended(v, "revived")
	require.EqualValues(t, 1, l.kinds(v, "remind"))
}

// TestLiveToCancelTheProcessLeavesTheOpportunityAsItIs by an operator.
func TestLiveToCancelTheProcessLeavesTheOpportunityAsItIs(t *testing.T) {
	t.Parallel()
	l := openLive(t)
	l.followsUp(0, 3, 10)
	v := l.stalls()
	l.runs(v, 1)
	require.NoError(t, l.client.Temporal().CancelWorkflow(t.Context(), processOf(v), ""))
	require.Error(t, l.client.Temporal().GetWorkflow(t.Context(), processOf(v), "").Get(t.Context(), nil))
	require.EqualValues(t, 1, l.Count(`SELECT count(*) FROM opportunity WHERE id = $1 AND stalled_at IS NOT NULL`, v.ID))
}
