//go:build temporal

// Tests against a real Temporal server, which GUANXI_TEST_TEMPORAL names: go test -tags temporal ./tickets/...
// They also record the histories that TestRecordedHistories replays.

package crisis_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/crisis"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

func workflowID(v view) string { return "crisis/pizza/" + v.ID }

// ended waits until the process has ended and records its history.
func ended(t *testing.T, client *flow.Client, v view, record string) {
	t.Helper()
	require.NoError(t, client.Temporal().GetWorkflow(t.Context(), workflowID(v), "").Get(t.Context(), nil))
	flowtest.Record(t.Context(), t, client, workflowID(v), "testdata/"+record+".history.json")
}

// decideLive makes a decision, which must be taken.
func decideLive(w *ticketstest.World, v view, action string, b body, headers ...string) (now view) {
	w.Want(http.StatusOK, http.MethodPost, "/v1/crises/"+v.ID+"/"+action, w.Manager, b, &now, headers...)
	return now
}

func byHand(w *ticketstest.World) (v view) {
	w.Want(http.StatusCreated, http.MethodPost, "/v1/crises", w.Manager, body{"dimension": "category", "value": "product", "since": time.Now().Add(-time.Hour)}, &v)
	return v
}

// reach waits until the crisis is as it should be.
func reach(w *ticketstest.World, v view, what string, holds func(view) bool) (now view) {
	w.Eventually(what, func() bool {
		now = view{}
		w.Want(http.StatusOK, http.MethodGet, "/v1/crises/"+v.ID, w.Agent, nil, &now)
		return holds(now)
	})
	return now
}

func TestLiveACrisisFromTheBurstToItsReview(t *testing.T) {
	t.Parallel()
	w, client, _ := ticketstest.StartLive(t)
	spoilt(t, w, "margherita", 7)
	var v view
	if proposed := scan(w); len(proposed) > 0 { // unless the loop was faster
		v = proposed[0]
	} else {
		var page struct{ Items []view }
		w.Want(http.StatusOK, http.MethodGet, "/v1/crises?stage=proposed", w.Agent, nil, &page)
		v = page.Items[0]
	}
	v = decideLive(w, v, "declare", body{"words": "The oven is broken."})
	require.Equal(t, 7, v.Complaints)
	v = decideLive(w, v, "staff", body{"team": []string{"mei", "chen"}})
	require.Equal(t, []string{"chen", "mei"}, v.Team)
	decideLive(w, v, "hold", body{"words": "We are looking into it."})
	mine := complain(w, sale(t, w, "cola", 1, time.Now()))
	v = decideLive(w, v, "link", body{"complaint_ids": []string{mine.ID}})
	require.Equal(t, 8, v.Complaints)
	v = decideLive(w, v, "unlink", body{"complaint_ids": []string{mine.ID}})
	require.Equal(t, 7, v.Complaints)
	decideLive(w, v, "answer", body{"words": "The oven was cold. Your next pizza is on us."}, "Idempotency-Key", "once")
	reach(w, v, "everybody is answered", func(v view) bool { return v.Answered == 7 && v.Planned == 0 })
	again := w.Want(http.StatusOK, http.MethodPost, "/v1/crises/"+v.ID+"/answer", w.Manager, body{"words": "The oven was cold. Your next pizza is on us."}, nil, "Idempotency-Key", "once")
	require.Equal(t, "true", again.Header.Get("Idempotent-Replay"))
	decideLive(w, v, "update", body{"words": "The oven is mended."})
	decideLive(w, v, "clear", body{"words": "All clear.", "answer": true})
	reach(w, v, "everybody is told of the all-clear", func(v view) bool { return v.Planned == 0 })
	v = decideLive(w, v, "review", body{"words": "Ovens are inspected every month now."})
	require.Equal(t, "closed", v.Stage)
	require.Equal(t, []string{"propose", "declare", "staff", "hold", "link", "unlink", "answer", "update", "clear", "review"}, v.actions())
	require.Equal(t, 7, v.Answered)
	require.EqualValues(t, 14, w.Count(`SELECT count(*) FROM ticket_reply WHERE author = 'agent' AND by_subject = 'manager@pizza'`))
	require.Equal(t, "crisis_over", w.Do(http.MethodPost, "/v1/crises/"+v.ID+"/update", w.Manager, body{"words": "x"}).Code())
	ended(t, client, v, "led")
	history := client.Temporal().GetWorkflowHistory(t.Context(), workflowID(v), "", false, 0)
	for history.HasNext() {
		e, err := history.Next()
		require.NoError(t, err)
		require.NotContains(t, e.String(), "oven", "what people say is in no history")
	}
	require.Len(t, w.EventsOf("CrisisEnded", 1), 1)
}

func TestLiveRemindersOfACrisis(t *testing.T) {
	t.Parallel()
	w, client, _ := ticketstest.StartLive(t)
	var setting body
	w.Want(http.StatusOK, http.MethodGet, "/v1/crisis-setting", w.Manager, nil, &setting)
	setting["statement_seconds"], setting["update_seconds"], setting["review_seconds"] = 1, 1, 1
	w.Want(http.StatusOK, http.MethodPut, "/v1/crisis-setting", w.Manager, setting, nil, "If-Match", `"0"`)
	v := byHand(w)
	reach(w, v, "the statement is reminded of", func(v view) bool { return v.Due == "statement" && v.Reminders >= 1 })
	decideLive(w, v, "hold", body{"words": "We are looking into it."})
	reach(w, v, "the update is reminded of", func(v view) bool { return v.Due == "update" && v.Reminders >= 2 })
	decideLive(w, v, "clear", body{"words": "All clear."})
	reach(w, v, "the review is reminded of", func(v view) bool { return v.Due == "review" && v.Reminders >= 1 })
	decideLive(w, v, "review", body{"words": "Nothing was it."})
	ended(t, client, v, "reminded")
	require.GreaterOrEqual(t, len(w.EventsOf("CrisisReminded", 4)), 4)
}

func TestLiveACrisisWhoseProcessWasEndedByHandGoesOn(t *testing.T) {
	t.Parallel()
	w, client, _ := ticketstest.StartLive(t)
	w.Register(uuid.NewString())
	v := byHand(w)
	decideLive(w, v, "hold", body{"words": "We are looking into it."})
	require.NoError(t, client.Temporal().TerminateWorkflow(t.Context(), workflowID(v), "", "by hand"))
	decideLive(w, v, "answer", body{"words": "Sorry."})
	reach(w, v, "everybody is answered", func(v view) bool { return v.Answered == 1 })
	require.NoError(t, client.Temporal().CancelWorkflow(t.Context(), workflowID(v), ""))
	require.Error(t, client.Temporal().GetWorkflow(t.Context(), workflowID(v), "").Get(t.Context(), nil))
	decideLive(w, v, "clear", body{"words": "All clear."})
	decideLive(w, v, "review", body{"words": "Fine."})
	ended(t, client, v, "resumed")
}

// work runs a worker of crises until what it gives is called.
func work(t *testing.T, w *ticketstest.World, client *flow.Client) (stop func()) {
	t.Helper()
	crises := crisis.New(w.DB, outbox.New("tickets"), client, nil, "tickets", time.Now)
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() {
		if err := client.RunWorker(ctx, "tickets", crises.Worker); err != nil {
			t.Errorf("worker: %v", err)
		}
	})
	return func() { cancel(); done.Wait() }
}

// TestLiveTheWorkerIsKilledAtEveryStep leads a crisis with a worker that is stopped before each decision and started after it.
func TestLiveTheWorkerIsKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	w, client, _ := ticketstest.StartLive(t, app.RoleHTTP, app.RoleRelay, app.RoleConsumers)
	for range 3 {
		w.Register(uuid.NewString())
	}
	v := byHand(w)
	for _, step := range []struct {
		action string
		body   body
	}{
		{"staff", body{"team": []string{"mei"}}}, {"hold", body{"words": "Looking.", "answer": true}}, {"answer", body{"words": "Sorry.", "everybody": true}},
		{"update", body{"words": "Still looking."}}, {"clear", body{"words": "All clear."}}, {"review", body{"words": "Done."}},
	} {
		key := uuid.NewString()
		w.Want(http.StatusServiceUnavailable, http.MethodPost, "/v1/crises/"+v.ID+"/"+step.action, w.Manager, step.body, nil, "Idempotency-Key", key)
		worker := work(t, w, client)
		w.Want(http.StatusOK, http.MethodPost, "/v1/crises/"+v.ID+"/"+step.action, w.Manager, step.body, nil, "Idempotency-Key", key)
		worker()
	}
	worker := work(t, w, client)
	defer worker()
	end := reach(w, v, "all is done", func(v view) bool { return v.Stage == "closed" && v.Planned == 0 })
	require.Equal(t, []string{"declare", "staff", "hold", "answer", "update", "clear", "review"}, end.actions(), "each decision was made once")
	require.EqualValues(t, 6, w.Count(`SELECT count(*) FROM ticket_reply WHERE author = 'agent'`), "and each answer given once")
}

func TestLiveOfManyWhoGiveTheAllClearOneDoes(t *testing.T) {
	t.Parallel()
	w, _, _ := ticketstest.StartLive(t)
	v := byHand(w)
	var mu sync.Mutex
	answers := map[int]int{}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			answer := w.Do(http.MethodPost, "/v1/crises/"+v.ID+"/clear", w.Manager, body{"words": "All clear."})
			mu.Lock()
			defer mu.Unlock()
			answers[answer.Status]++
		})
	}
	wait.Wait()
	require.Equal(t, map[int]int{200: 1, 409: 7}, answers)
	require.Len(t, w.EventsOf("CrisisEnded", 1), 1)
}

// TestLiveTheProcessOfACrisisItselfRefuses sends decisions past the HTTP handler, as an operator on Temporal's page could.
func TestLiveTheProcessOfACrisisItselfRefuses(t *testing.T) {
	t.Parallel()
	w, client, _ := ticketstest.StartLive(t)
	v := byHand(w)
	id := uuid.MustParse(v.ID)
	start := flow.Start{ID: workflowID(v), Queue: "tickets", Workflow: crisis.WorkflowName, Args: []any{crisis.Input{ID: id}}, Again: true}
	send := func(by auth.Principal, claimed flow.Actor, action crisis.Action) error {
		d := crisis.Decision{ID: uuid.New(), CrisisID: id, Action: action, By: claimed, Team: []string{"mei"}}
		return client.Decide(auth.With(t.Context(), by), flow.Decision{Start: start, Name: crisis.DecideUpdate, ID: d.ID.String(), Args: []any{d}}, nil)
	}
	agent := auth.Principal{Subject: "mei", Tenant: "pizza", Roles: []string{auth.RoleAgent}}
	manager := auth.Principal{Subject: "wang", Tenant: "pizza", Roles: []string{auth.RoleManager}}
	require.ErrorContains(t, send(manager, flow.Actor{Subject: "wang", Roles: manager.Roles}, crisis.Review), "crisis_stage", "the validator")
	require.ErrorContains(t, send(agent, flow.Actor{Subject: "mei", Roles: agent.Roles}, crisis.Staff), "permission_missing", "the validator")
	require.ErrorContains(t, send(agent, flow.Actor{Subject: "wang", Roles: manager.Roles}, crisis.Staff), "permission_missing",
		"the row: who really decided is in the signed header")
	require.NoError(t, send(manager, flow.Actor{Subject: "wang", Roles: manager.Roles}, crisis.Staff))
}
