//go:build temporal

// Tests against a real Temporal server, which GUANXI_TEST_TEMPORAL names: go test -tags temporal ./sales/...
// They also record the histories that TestRecordedHistories replays.

package quote_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"

	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/sales/internal/opportunity"
	"github.com/guanxi-crm/guanxi/services/sales/internal/order"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pricing"
	"github.com/guanxi-crm/guanxi/services/sales/internal/quote"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
	"github.com/guanxi-crm/guanxi/services/sales/internal/scoring"
)

// live is the service on a real Temporal server with two levels: the lead of a team and the board, who have so many seconds each.
type live struct {
	*house
	t           *testing.T
	client      *flow.Client
	chen, board string
}

func openLive(t *testing.T, seconds int, silence string, roles ...string) *live {
	t.Helper()
	w, client := salestest.StartLiveFacing(t, http.NotFoundHandler(), roles...)
	l := &live{house: furnish(w), t: t, client: client}
	token := func(subject string) string {
		return w.TokenFor(map[string]any{"subject": subject, "tenant": "pizza", "roles": []string{auth.RoleManager}})
	}
	l.chen, l.board = token("chen"), token("wang")
	hours := []body{{"from": "00:00", "to": "24:00"}}
	l.Want(http.StatusOK, http.MethodPut, "/v1/quote-policy", l.Manager, body{
		"discount_up_to": 1000, "silence": silence, "time_zone": "Asia/Shanghai", "validity_days": 30, "language": "en",
		"working_hours": body{"monday": hours, "tuesday": hours, "wednesday": hours, "thursday": hours, "friday": hours, "saturday": hours, "sunday": hours},
		"levels": []body{{"code": "team", "name": "Team lead", "discount_up_to": 2000, "answer_seconds": seconds, "working": true},
			{"code": "board", "name": "Board", "discount_up_to": 5000, "answer_seconds": seconds, "approvers": []string{"wang"}}},
	}, nil, "If-Match", `"0"`)
	return l
}

// asked is a quote with a discount that was submitted.
func (l *live) asked(rate int) view {
	l.t.Helper()
	return l.do(l.create(with(oven(uuid.NewString()), "discount", body{"rate": rate})), 1, "submit", nil)
}

func (l *live) decide(v view, token, action string, b body, headers ...string) (now view) {
	l.t.Helper()
	l.Want(http.StatusOK, http.MethodPost, "/v1/quotes/"+v.ID+"/versions/1/"+action, token, b, &now, headers...)
	return now
}

// reach waits until the quote is as it should be.
func (l *live) reach(v view, what string, holds func(view) bool) (now view) {
	l.t.Helper()
	l.Eventually(what, func() bool {
		now = view{}
		l.Want(http.StatusOK, http.MethodGet, "/v1/quotes/"+v.ID, l.Sales, nil, &now)
		return holds(now)
	})
	return now
}

func id(v view) string { return "quote/pizza/" + v.ID + "/1" }

// ended waits until the process has ended and records its history, in which nobody says anything.
func (l *live) ended(v view, record string) {
	l.t.Helper()
	l.Eventually("the process has ended", func() bool {
		return l.client.Temporal().GetWorkflow(l.t.Context(), id(v), "").Get(l.t.Context(), nil) == nil
	})
	history := l.client.Temporal().GetWorkflowHistory(l.t.Context(), id(v), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for history.HasNext() {
		e, err := history.Next()
		require.NoError(l.t, err)
		require.NotContains(l.t, e.String(), "Lily")
		require.NotContains(l.t, e.String(), "secret")
	}
	if record != "" {
		flowtest.Record(l.t.Context(), l.t, l.client, id(v), "testdata/"+record+".history.json")
	}
}

func TestLiveTwoLevelsApprove(t *testing.T) {
	t.Parallel()
	l := openLive(t, 3600, "reject")
	v := l.asked(2500)
	first := l.decide(v, l.chen, "approve", body{"level": "team", "words": "A secret."}, "Idempotency-Key", "once")
	require.Equal(t, "board", first.Latest.Approval.Level)
	again := l.Want(http.StatusOK, http.MethodPost, "/v1/quotes/"+v.ID+"/versions/1/approve", l.chen, body{"level": "team", "words": "A secret."}, nil, "Idempotency-Key", "once")
	require.Equal(t, "true", again.Header.Get("Idempotent-Replay"))
	require.Equal(t, "idempotency_key_reused", l.Do(http.MethodPost, "/v1/quotes/"+v.ID+"/versions/1/approve", l.chen, body{"level": "board"}, "Idempotency-Key", "once").Code())
	require.Equal(t, "approver_unknown", l.Do(http.MethodPost, "/v1/quotes/"+v.ID+"/versions/1/approve", l.chen, body{"level": "board"}).Code())
	var waiting struct{ Items []view }
	l.Want(http.StatusOK, http.MethodGet, "/v1/quote-approvals", l.chen, nil, &waiting)
	require.Empty(t, waiting.Items)
	l.Want(http.StatusOK, http.MethodGet, "/v1/quote-approvals", l.board, nil, &waiting)
	require.Len(t, waiting.Items, 1)
	second := l.decide(v, l.board, "approve", body{"level": "board"})
	require.Equal(t, "approved", second.State)
	require.Equal(t, []string{"create", "submit", "approve", "approve"}, second.actions())
	require.Equal(t, "A secret.", second.Steps[2].Words)
	l.ended(v, "approved")
	require.Len(t, l.eventsOf("QuoteApproved", 1), 1)
	l.do(v, 1, "send", nil)
	require.Equal(t, "accepted", l.do(v, 1, "accept", nil).State)
}

func (l *live) eventsOf(name string, n int) (found []string) {
	l.t.Helper()
	l.Eventually(name, func() bool {
		found = nil
		for _, e := range l.Events(1) {
			if e.Type == "guanxi.sales.events.v1."+name {
				found = append(found, string(e.Data))
			}
		}
		return len(found) >= n
	})
	return found
}

func TestLiveARejectedVersionIsSubmittedAgain(t *testing.T) {
	t.Parallel()
	l := openLive(t, 3600, "reject")
	v := l.asked(1500)
	rejected := l.decide(v, l.chen, "reject", body{"level": "team", "reason": "margin", "words": "A secret."})
	require.Equal(t, "draft", rejected.State)
	l.ended(v, "rejected")
	l.do(v, 1, "submit", nil)
	require.Equal(t, "approved", l.decide(v, l.chen, "approve", body{"level": "team"}).State)
	l.ended(v, "approved_again")
	require.Len(t, l.eventsOf("QuoteRejected", 1), 1)
}

func TestLiveSilenceEscalatesAndRejects(t *testing.T) {
	t.Parallel()
	l := openLive(t, 2, "reject")
	v := l.asked(1500)
	end := l.reach(v, "silence rejects", func(v view) bool { return v.State == "draft" })
	require.Equal(t, []string{"create", "submit", "escalate", "reject"}, end.actions())
	l.ended(v, "silent")
	requests := l.eventsOf("QuoteApprovalRequested", 2)
	require.Len(t, requests, 2)
	require.Contains(t, requests[1], "escalated")
}

func TestLiveSilenceAsksTheLastLevelAgain(t *testing.T) {
	t.Parallel()
	l := openLive(t, 2, "ask_again")
	v := l.asked(1500)
	l.reach(v, "the board is asked again", func(v view) bool { return len(v.Steps) >= 4 })
	require.Equal(t, "approved", l.decide(v, l.board, "approve", body{"level": "board"}).State)
	l.ended(v, "asked_again")
}

func TestLiveAWithdrawnQuoteEndsItsProcess(t *testing.T) {
	t.Parallel()
	l := openLive(t, 3600, "reject")
	v := l.asked(1500)
	l.Eventually("the process runs", func() bool {
		var now quote.Standing
		answer, err := l.client.Temporal().QueryWorkflow(t.Context(), id(v), "", quote.StateQuery)
		return err == nil && answer.Get(&now) == nil && now.Level == "team"
	})
	l.Want(http.StatusOK, http.MethodPost, "/v1/quotes/"+v.ID+"/withdraw", l.Sales, body{"reason": "mistake"}, nil)
	l.ended(v, "withdrawn")
	edited := l.asked(1500)
	l.Want(http.StatusOK, http.MethodPut, "/v1/quotes/"+edited.ID, l.Sales, with(oven(""), "customer_id", nil), nil, "If-Match", "*")
	l.ended(edited, "")
}

func TestLiveAProcessThatWasEndedByHandGoesOn(t *testing.T) {
	t.Parallel()
	l := openLive(t, 3600, "reject")
	v := l.asked(2500)
	l.decide(v, l.chen, "approve", body{"level": "team"})
	require.NoError(t, l.client.Temporal().TerminateWorkflow(t.Context(), id(v), "", "by hand"))
	require.Equal(t, "approved", l.decide(v, l.board, "approve", body{"level": "board"}).State)
	l.ended(v, "resumed")
}

// work runs a worker of quotes until what it gives is called.
func (l *live) work() (stop func()) {
	l.t.Helper()
	fonts, err := quote.OpenFonts(nil)
	require.NoError(l.t, err)
	o := outbox.New("sales")
	quotes := quote.New(l.DB, o, l.client, starts.New(l.DB, l.client), quote.Rooms{
		Pricing: pricing.New(l.DB, time.Now), Orders: order.New(l.DB, o, time.Now), Opportunities: opportunity.New(l.DB, o, scoring.New(l.DB, time.Now), time.Now),
	}, fonts, "sales", time.Now)
	ctx, cancel := context.WithCancel(l.t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		if err := l.client.RunWorker(ctx, "sales", quotes.Worker); err != nil {
			l.t.Errorf("worker: %v", err)
		}
	})
	return func() { cancel(); done.Wait() }
}

// TestLiveTheWorkerIsKilledAtEveryStep has levels decide, and one be silent, with a worker that is stopped before each step and
// started after it.
func TestLiveTheWorkerIsKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	l := openLive(t, 3600, "reject", app.RoleHTTP, app.RoleRelay, app.RoleConsumers)
	v := l.asked(2500)
	for _, step := range []struct {
		token, action string
		body          body
	}{{l.chen, "approve", body{"level": "team"}}, {l.board, "reject", body{"level": "board", "reason": "margin"}}} {
		key, path := uuid.NewString(), "/v1/quotes/"+v.ID+"/versions/1/"+step.action
		l.Want(http.StatusServiceUnavailable, http.MethodPost, path, step.token, step.body, nil, "Idempotency-Key", key)
		stop := l.work()
		l.Want(http.StatusOK, http.MethodPost, path, step.token, step.body, nil, "Idempotency-Key", key)
		stop()
	}
	require.Equal(t, []string{"create", "submit", "approve", "reject"}, l.reach(v, "it is rejected", func(v view) bool { return v.State == "draft" }).actions(), "each decision was made once")
	stop := l.work()
	l.ended(v, "")
	stop()
	require.Len(t, l.eventsOf("QuoteApprovalRequested", 2), 2)
	require.Len(t, l.eventsOf("QuoteRejected", 1), 1)
}

// TestLiveLevelsAreSilentWhileNobodyWorks lets the time of each level pass while there is no worker.
func TestLiveLevelsAreSilentWhileNobodyWorks(t *testing.T) {
	t.Parallel()
	l := openLive(t, 1, "reject", app.RoleHTTP, app.RoleRelay, app.RoleConsumers)
	v := l.asked(1500)
	stop := l.work()
	_, err := l.client.Start(auth.With(t.Context(), auth.Principal{Subject: "process:quote", Tenant: "pizza"}), flow.Start{
		ID: id(v), Queue: "sales", Workflow: quote.WorkflowName, Args: []any{quote.Input{QuoteID: uuid.MustParse(v.ID), Version: 1}}, Again: true})
	require.NoError(t, err)
	for _, steps := range []int{3, 4} {
		l.reach(v, "a level was silent", func(v view) bool { return len(v.Steps) >= steps })
		stop()
		stop = l.work()
	}
	stop()
	require.Equal(t, []string{"create", "submit", "escalate", "reject"}, l.reach(v, "it is rejected", func(v view) bool { return v.State == "draft" }).actions())
	stop = l.work()
	defer stop()
	l.ended(v, "")
	require.Len(t, l.eventsOf("QuoteRejected", 1), 1)
}

func TestLiveOfManyWhoDecideOneDoes(t *testing.T) {
	t.Parallel()
	l := openLive(t, 3600, "reject")
	v := l.asked(1500)
	var mu sync.Mutex
	answers := map[int]int{}
	var wait sync.WaitGroup
	for i := range 8 {
		action, b := "approve", body{"level": "team"}
		if i%2 == 1 {
			action, b = "reject", body{"level": "team", "reason": "margin"}
		}
		wait.Go(func() {
			answer := l.Do(http.MethodPost, "/v1/quotes/"+v.ID+"/versions/1/"+action, l.chen, b)
			mu.Lock()
			defer mu.Unlock()
			answers[answer.Status]++
		})
	}
	wait.Wait()
	require.Equal(t, map[int]int{200: 1, 409: 7}, answers)
	l.ended(v, "")
}

// TestLiveTheProcessItselfRefuses sends decisions past the HTTP handler, as an operator on Temporal's page could.
func TestLiveTheProcessItselfRefuses(t *testing.T) {
	t.Parallel()
	l := openLive(t, 3600, "reject")
	v := l.asked(1500)
	quoteID := uuid.MustParse(v.ID)
	start := flow.Start{ID: id(v), Queue: "sales", Workflow: quote.WorkflowName, Args: []any{quote.Input{QuoteID: quoteID, Version: 1}}, Again: true}
	send := func(by auth.Principal, claimed flow.Actor, of uuid.UUID, level string) error {
		d := quote.Decision{ID: uuid.New(), QuoteID: of, Version: 1, Action: quote.ActionApprove, Level: level, By: claimed}
		return l.client.Decide(auth.With(t.Context(), by), flow.Decision{Start: start, Name: quote.DecideUpdate, ID: d.ID.String(), Args: []any{d}}, nil)
	}
	boss := flow.Actor{Subject: "wang", Roles: []string{auth.RoleManager}}
	seller := auth.Principal{Subject: "sales@pizza", Tenant: "pizza", Roles: []string{auth.RoleSales}}
	require.ErrorContains(t, send(wang, boss, uuid.New(), "team"), "quote_not_found", "the validator")
	require.ErrorContains(t, send(wang, boss, quoteID, "board"), "approval_level_passed", "the validator")
	require.ErrorContains(t, send(seller, boss, quoteID, "team"), "permission_missing", "the row: whoever the content claims to be")
	own := auth.Principal{Subject: "sales@pizza", Tenant: "pizza", Roles: []string{auth.RoleManager}}
	require.ErrorContains(t, send(own, boss, quoteID, "team"), "approval_own", "the row")
	require.NoError(t, send(wang, boss, quoteID, "team"))
	l.ended(v, "refused")
}
