//go:build temporal

// Tests against a real Temporal server, which GUANXI_TEST_TEMPORAL names: go test -tags temporal ./sales/internal/nurture
// They also record the histories that TestRecordedHistories replays.

package nurture_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/sales"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
	"github.com/guanxi-crm/guanxi/services/sales/internal/nurture"
	"github.com/guanxi-crm/guanxi/services/sales/internal/scoring"
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
	s, client := apptest.StartLive(t, sales.Module(), roles...)
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

// takes takes a lead of a customer into a programme whose touches follow each other by seconds.
func (l *live) takes(change body) (lead string, v view) {
	l.t.Helper()
	b := programme(body{"silence_seconds": 3600, "touches": []body{{"code": "white_paper", "after_seconds": 1}, {"code": "webinar", "after_seconds": 1}, {"code": "call", "after_seconds": 1}}})
	for k, v := range change {
		b[k] = v
	}
	l.Want(http.StatusOK, http.MethodPut, "/v1/nurture-programmes/welcome", l.manager, b, nil, "If-Match", "*")
	var made struct {
		ID string `json:"lead_id"`
	}
	l.Want(http.StatusCreated, http.MethodPost, "/v1/leads", l.manager, body{"name": somebody(), "customer_id": uuid.Must(uuid.NewV7())}, &made)
	l.Want(http.StatusCreated, http.MethodPost, "/v1/leads/"+made.ID+"/nurture", l.manager, body{"programme": "welcome"}, &v)
	return made.ID, v
}

// reach waits until the case is as it should be.
func (l *live) reach(v view, what string, holds func(view) bool) (now view) {
	l.t.Helper()
	l.Eventually(what, func() bool {
		now = view{}
		l.Want(http.StatusOK, http.MethodGet, "/v1/nurturings/"+v.ID, l.manager, nil, &now)
		return holds(now)
	})
	return now
}

func touched(n int) func(view) bool { return func(v view) bool { return v.Touches >= n } }

func workflowID(v view) string { return "nurture/pizza/" + v.ID }

// ended waits until the process has ended and records its history.
func (l *live) ended(v view, record string) {
	l.t.Helper()
	require.NoError(l.t, l.client.Temporal().GetWorkflow(l.t.Context(), workflowID(v), "").Get(l.t.Context(), nil))
	flowtest.Record(l.t.Context(), l.t, l.client, workflowID(v), "testdata/"+record+".history.json")
}

func (l *live) actions(v view) (list []string) {
	for _, s := range v.Steps {
		list = append(list, s.Action)
	}
	return list
}

func TestLiveASilentLeadComesBack(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	l.accounts.refuse["webinar"] = "no_consent"
	_, v := l.takes(body{"silence_seconds": 1})
	v = l.reach(v, "it is recycled", func(v view) bool { return v.Stage == "recycled" })
	require.Equal(t, []string{"start", "touch", "skip", "touch", "end"}, l.actions(v))
	l.ended(v, "recycled")
	for _, tenant := range l.accounts.tenants {
		require.Equal(t, "pizza", tenant)
	}
	_, v = l.takes(body{"silence_seconds": 1, "on_silence": "lose", "lost_reason": "no_need"})
	v = l.reach(v, "it is lost", func(v view) bool { return v.Stage == "lost" })
	l.ended(v, "lost")
}

func TestLiveAScoreHandsALeadOver(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	lead, v := l.takes(body{"hand_over_score": 50})
	l.reach(v, "it has heard something", touched(1))
	l.Want(http.StatusOK, http.MethodPut, "/v1/leads/"+lead+"/score", l.manager, body{"probability": 71.05}, nil)
	v = l.reach(v, "it is handed over", func(v view) bool { return v.Stage == "handed_over" })
	require.Equal(t, "score", v.Code)
	l.ended(v, "score")
}

func TestLivePeopleDecide(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	_, v := l.takes(body{"touches": []body{{"code": "white_paper", "after_seconds": 1}, {"code": "webinar", "after_seconds": 3600}}})
	l.reach(v, "it has heard something", touched(1))
	do := func(status int, verb string, headers ...string) (now view, replayed string) {
		t.Helper()
		answer := l.Want(status, http.MethodPost, "/v1/nurturings/"+v.ID+"/"+verb, l.manager, nil, &now, headers...)
		return now, answer.Header.Get("Idempotent-Replay")
	}
	now, _ := do(http.StatusOK, "pause", "Idempotency-Key", "once")
	require.Equal(t, "paused", now.Stage)
	_, replayed := do(http.StatusOK, "pause", "Idempotency-Key", "once")
	require.Equal(t, "true", replayed)
	do(http.StatusConflict, "pause")
	now, _ = do(http.StatusOK, "resume")
	require.Equal(t, "running", now.Stage)
	now, _ = do(http.StatusOK, "hand-over")
	require.Equal(t, []string{"handed_over", "hand"}, []string{now.Stage, now.Code})
	require.Equal(t, []string{"start", "touch", "pause", "resume", "hand_over"}, l.actions(now))
	require.NotEqual(t, "process:nurture", now.Steps[4].By)
	do(http.StatusConflict, "hand-over")
	l.ended(v, "decided")
}

func TestLiveDecisionsRefuseBadInput(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	_, v := l.takes(body{"touches": []body{{"code": "white_paper", "after_seconds": 3600}}})
	badinput.Check(t, badinput.Target{URL: l.URL, Token: l.manager, Method: http.MethodPost, Path: "/v1/nurturings/" + v.ID + "/pause", Owned: true})
}

// work runs a worker of nurturing until what it gives is called.
func (l *live) work() (stop func()) {
	l.t.Helper()
	n := l.another(time.Now)
	ctx, cancel := context.WithCancel(l.t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		if err := l.client.RunWorker(ctx, "sales", n.Worker); err != nil {
			l.t.Errorf("worker: %v", err)
		}
	})
	return func() { cancel(); done.Wait() }
}

// another is nurturing as another process does it.
func (l *live) another(clock func() time.Time) *nurture.Nurture {
	out := outbox.New("sales")
	return nurture.New(l.DB, out, l.client, starts.New(l.DB, l.client), lead.New(l.DB, out, scoring.New(l.DB, clock), clock), "sales", clock)
}

// TestLiveTheWorkerIsKilledAtEveryStep leads a case with a worker that is stopped and started after each step, by an accounts
// that is away half of the time.
func TestLiveTheWorkerIsKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	l := startLive(t, app.RoleHTTP, app.RoleRelay, app.RoleConsumers)
	l.accounts.away = 5
	id, v := l.takes(nil)
	starter := starts.New(l.DB, l.client)
	_, err := starter.Sweep(t.Context())
	require.NoError(t, err)
	for n := range 3 {
		stop := l.work()
		l.reach(v, "the next touch is made", touched(n+1))
		stop()
	}
	l.Want(http.StatusOK, http.MethodPut, "/v1/leads/"+id+"/score", l.manager, body{"probability": 71.05}, nil)
	require.Equal(t, "workflows_unavailable", l.Do(http.MethodPost, "/v1/nurturings/"+v.ID+"/hand-over", l.manager, nil, "Idempotency-Key", "once").Code())
	defer l.work()()
	l.Eventually("the same decision is taken once a worker is there", func() bool { // who was told to try again tries again
		return l.Do(http.MethodPost, "/v1/nurturings/"+v.ID+"/hand-over", l.manager, nil, "Idempotency-Key", "once").Status == http.StatusOK
	})
	v = l.reach(v, "it is handed over", func(v view) bool { return v.Stage == "handed_over" })
	l.ended(v, "killed")
	require.Equal(t, []string{"start", "touch", "touch", "touch", "hand_over"}, l.actions(v), "each step was done once")
	require.Len(t, l.EventsOf("LeadTouchDue", 3), 3)
	require.EqualValues(t, 1, l.Count(`SELECT count(*) FROM nurture_decision`))
}

func TestLiveACaseWhoseProcessWasEndedByHandGoesOn(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	_, v := l.takes(body{"touches": []body{{"code": "white_paper", "after_seconds": 1}, {"code": "webinar", "after_seconds": 20 * 60}}})
	l.reach(v, "the first touch is made", touched(1))
	require.NoError(t, l.client.Temporal().TerminateWorkflow(t.Context(), workflowID(v), "", "by hand"))
	sweeper := l.another(func() time.Time { return time.Now().Add(time.Hour) })
	starter := starts.New(l.DB, l.client)
	for range 2 { // the second time it runs already
		require.NoError(t, sweeper.Sweep(t.Context()))
		_, err := starter.Sweep(t.Context())
		require.NoError(t, err)
	}
	l.Eventually("it runs again", func() bool {
		got, err := l.client.Temporal().DescribeWorkflowExecution(t.Context(), workflowID(v), "")
		return err == nil && got.WorkflowExecutionInfo.CloseTime == nil
	})
	l.Want(http.StatusOK, http.MethodPost, "/v1/nurturings/"+v.ID+"/hand-over", l.manager, nil, &v)
	require.Equal(t, []string{"start", "touch", "hand_over"}, l.actions(v))
	l.ended(v, "revived")
}
