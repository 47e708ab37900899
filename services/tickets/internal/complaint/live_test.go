//go:build temporal

// Tests against a real Temporal server, which GUANXI_TEST_TEMPORAL names: go test -tags temporal ./tickets/...
// They also record the histories that TestRecordedHistories replays.

package complaint_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.temporal.io/api/enums/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/complaint"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

type body = ticketstest.Body

func points(n int) body { return body{"kind": "points", "points": n} }

func workflowID(c ticketstest.Complaint) string { return "complaint/pizza/" + c.ID }

// ended waits until the process has ended and records its history.
func ended(t *testing.T, client *flow.Client, c ticketstest.Complaint, record string) {
	t.Helper()
	require.NoError(t, client.Temporal().GetWorkflow(t.Context(), workflowID(c), "").Get(t.Context(), nil))
	if record != "" {
		flowtest.Record(t.Context(), t, client, workflowID(c), "testdata/"+record+".history.json")
	}
}

func TestLiveAComplaintFromTheFirstWordToTheCompensation(t *testing.T) {
	t.Parallel()
	w, client, neighbours := ticketstest.StartLive(t)
	customer := uuid.NewString()
	offered := w.Offer(customer, points(6_000))
	require.Equal(t, "offered", offered.Stage)
	require.Equal(t, []string{"register", "assess", "assign", "find", "propose", "approve"}, offered.Actions())
	require.Equal(t, "manager@pizza", offered.Steps[5].By)

	answer := w.Decide(offered, "accept", w.Agent, body{"reason": "She was pleased."})
	require.Equal(t, "accepted", answer.Stage)
	closed := w.Reach(offered, "closed")
	require.Equal(t, "settled", closed.Outcome)
	require.Equal(t, []string{"register", "assess", "assign", "find", "propose", "approve", "accept", "execute"}, closed.Actions())
	require.Equal(t, "She was pleased.", closed.Steps[6].Reason)
	require.Equal(t, "done", closed.Proposal.Parts[0].State)
	ended(t, client, offered, "settled")
	neighbours.Look(func() {
		require.Equal(t, map[string]int64{workflowID(offered) + "/1/1": 6_000}, neighbours.Granted)
		require.Equal(t, []string{"pizza"}, neighbours.Tenants)
	})

	var types []string
	for _, e := range w.Events(11) {
		require.NotContains(t, string(e.Data), "cold")
		require.NotContains(t, string(e.Data), "pleased")
		if e.AggregateType == "complaint" {
			types = append(types, e.Type[strings.LastIndex(e.Type, ".")+1:])
		}
	}
	require.Equal(t, []string{"ComplaintRegistered", "ComplaintAssessed", "ComplaintAssigned", "ComplaintInvestigated", "RemedyProposed",
		"RemedyApproved", "RemedyAccepted", "RemedyExecuted", "ComplaintClosed"}, types)
	var ticket struct{ Status, Kind string }
	w.Want(http.StatusOK, http.MethodGet, "/v1/tickets/lookup?number="+closed.Number, w.Agent, nil, &ticket)
	require.Equal(t, "closed", ticket.Status)
	require.Equal(t, "complaint", ticket.Kind)
}

func TestLiveWhatOperatorsSeeOfAProcess(t *testing.T) {
	t.Parallel()
	w, client, _ := ticketstest.StartLive(t)
	c := w.Offer(uuid.NewString(), points(10))

	value, err := client.Temporal().QueryWorkflow(t.Context(), workflowID(c), "", complaint.StepsQuery)
	require.NoError(t, err)
	var standing complaint.Standing
	require.NoError(t, value.Get(&standing))
	require.Equal(t, complaint.Offered, standing.Stage)
	require.Subset(t, standing.Next, []complaint.Next{{Action: complaint.Accept, Permission: auth.ComplaintsHandle},
		{Action: complaint.Answer, Permission: auth.ComplaintsApprove}, {Action: complaint.Withdraw, Permission: auth.ComplaintsHandle}})
	require.NotContains(t, standing.Next, complaint.Next{Action: complaint.Propose, Permission: auth.ComplaintsHandle})
	require.Len(t, standing.Steps, 5)

	value, err = client.Temporal().QueryWorkflow(t.Context(), workflowID(c), "", "__temporal_workflow_metadata")
	require.NoError(t, err)
	var page sdkpb.WorkflowMetadata
	require.NoError(t, value.Get(&page))
	require.Contains(t, page.GetCurrentDetails(), c.Number)
	require.Contains(t, page.GetCurrentDetails(), "accept, reject, answer, withdraw")

	require.Eventually(t, func() bool {
		n, err := client.Temporal().CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
			Query: "guanxiTenant = 'pizza' AND guanxiStage = 'offered' AND guanxiTeam = 'kitchen' AND guanxiPriority = 3 AND guanxiDueAt > '" +
				time.Now().UTC().Format(time.RFC3339) + "'"})
		return err == nil && n.Count == 1
	}, 30*time.Second, 50*time.Millisecond)
}

func TestLiveAPartThatFailsForGoodIsCompensated(t *testing.T) {
	t.Parallel()
	w, client, neighbours := ticketstest.StartLive(t)
	neighbours.Look(func() { neighbours.RefuseRefund, neighbours.AwayFor = "return_invalid", 2 })
	c := w.Offer(uuid.NewString(), points(100), body{"kind": "refund", "order_id": uuid.NewString(), "amount_minor": 1_000})
	w.Decide(c, "accept", w.Agent, body{})
	failed := w.Reach(c, "found")
	require.Equal(t, "fail", failed.Steps[len(failed.Steps)-1].Action)
	require.Equal(t, "taken_back", failed.Proposal.Parts[0].State)
	require.Equal(t, "failed", failed.Proposal.Parts[1].State)
	require.Equal(t, "return_invalid", failed.Proposal.Parts[1].Reference)
	first := workflowID(c) + "/1/1"
	neighbours.Look(func() { require.True(t, neighbours.Reversed[first]) })

	c = w.Decide(c, "propose", w.Agent, body{"currency": "CNY", "parts": []body{points(300), {"kind": "apology"}}})
	w.Decide(c, "accept", w.Agent, body{})
	require.Equal(t, "settled", w.Reach(c, "closed").Outcome)
	neighbours.Look(func() {
		require.Equal(t, int64(300), neighbours.Granted[workflowID(c)+"/2/1"])
		require.Len(t, neighbours.Reversed, 1)
	})
	ended(t, client, c, "compensated")
}

func TestLiveTheCustomerNegotiatesAndWithdraws(t *testing.T) {
	t.Parallel()
	w, client, _ := ticketstest.StartLive(t)
	c := w.Offer(uuid.NewString(), points(10))
	c = w.Decide(c, "reject", w.Agent, body{"reason": "more"})
	require.Equal(t, 1, c.Rounds)
	w.Decide(c, "propose", w.Agent, body{"currency": "CNY", "parts": []body{points(20)}})
	c = w.Decide(c, "withdraw", w.Agent, body{})
	require.Equal(t, "withdrawn", c.Outcome)
	ended(t, client, c, "withdrawn")

	refused := w.Do(http.MethodPost, "/v1/complaints/"+c.ID+"/withdraw", w.Agent, body{})
	require.Equal(t, http.StatusConflict, refused.Status)
	require.Equal(t, "complaint_closed", refused.Code())
}

func TestLiveReminders(t *testing.T) {
	t.Parallel()
	w, client, _ := ticketstest.StartLive(t)
	w.Want(http.StatusOK, http.MethodPut, "/v1/complaints/policy", w.Director, body{"step_seconds": 1, "customer_seconds": 1, "reminders": 1,
		"rounds": 3, "free_minor": 5000, "manager_minor": 50000, "point_minor": 1}, nil, "If-Match", `"0"`)
	c := w.Register(uuid.NewString())
	w.Eventually("it is reminded of", func() bool {
		w.Want(http.StatusOK, http.MethodGet, "/v1/complaints/"+c.ID, w.Agent, nil, &c)
		return c.Remind >= 2
	})
	w.Decide(c, "assess", w.Agent, body{"admissible": true, "severity": 3})
	w.Decide(c, "assign", w.Agent, body{"unit": "kitchen"})
	w.Decide(c, "find", w.Agent, body{"finding": "founded", "cause": "product"})
	w.Decide(c, "propose", w.Agent, body{"currency": "CNY", "parts": []body{points(10)}})
	closed := w.Reach(c, "closed")
	require.Equal(t, "unanswered", closed.Outcome, "silence is no consent, and points need none")
	require.Equal(t, "done", closed.Proposal.Parts[0].State)
	require.Contains(t, closed.Actions(), "silence")
	ended(t, client, c, "reminded")
}

func TestLiveDecisionsAreRefused(t *testing.T) {
	t.Parallel()
	w, _, _ := ticketstest.StartLive(t)
	fresh := w.Register(uuid.NewString())
	dear := w.Register(uuid.NewString())
	w.Decide(dear, "assess", w.Manager, body{"admissible": true, "severity": 3})
	w.Decide(dear, "assign", w.Manager, body{"unit": "kitchen"})
	w.Decide(dear, "find", w.Manager, body{"finding": "founded", "cause": "product"})
	dear = w.Decide(dear, "propose", w.Manager, body{"currency": "CNY", "parts": []body{points(6_000)}})
	veryDear := w.Offer(uuid.NewString(), points(1))
	w.Decide(veryDear, "reject", w.Agent, body{})
	veryDear = w.Decide(veryDear, "propose", w.Agent, body{"currency": "CNY", "parts": []body{points(60_000)}})
	for _, c := range []struct {
		name, action, token string
		of                  ticketstest.Complaint
		body                body
		status              int
		code                string
	}{
		{"in a wrong state", "accept", w.Agent, fresh, body{}, 409, "complaint_stage"},
		{"by a person without the role", "assess", w.Token(auth.RoleSales, "pizza"), fresh, body{"admissible": true, "severity": 1}, 403, "permission_missing"},
		{"an approval by an agent", "approve", w.Agent, dear, body{}, 403, "permission_missing"},
		{"by the proposer", "approve", w.Manager, dear, body{}, 403, "approval_by_proposer"},
		{"beyond the limit", "approve", w.Manager, veryDear, body{}, 403, "approval_beyond_limit"},
		{"by another tenant", "assess", w.Token(auth.RoleAgent, "music"), fresh, body{"admissible": true, "severity": 1}, 404, "complaint_not_found"},
		{"without a severity", "assess", w.Agent, fresh, body{"admissible": true}, 422, "decision_invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer := w.Do(http.MethodPost, "/v1/complaints/"+c.of.ID+"/"+c.action, c.token, c.body)
			if answer.Status != c.status || answer.Code() != c.code {
				t.Fatalf("got %d %s, want %d %s", answer.Status, answer.Body, c.status, c.code)
			}
		})
	}
	require.Equal(t, "offered", w.Decide(dear, "approve", w.Director, body{}).Stage)
}

// TestLiveTheProcessItselfRefuses sends decisions past the HTTP handler, as an operator on Temporal's page could.
func TestLiveTheProcessItselfRefuses(t *testing.T) {
	t.Parallel()
	w, client, _ := ticketstest.StartLive(t)
	c := w.Register(uuid.NewString())
	w.Decide(c, "assess", w.Agent, body{"admissible": true, "severity": 3})
	id := uuid.MustParse(c.ID)
	start := flow.Start{ID: workflowID(c), Queue: "tickets", Workflow: complaint.WorkflowName, Args: []any{complaint.Input{ID: id}}, Again: true}
	send := func(by auth.Principal, claimed flow.Actor, action complaint.Action) error {
		d := complaint.Decision{ID: uuid.New(), ComplaintID: id, Action: action, By: claimed, Unit: "kitchen"}
		return client.Decide(auth.With(t.Context(), by), flow.Decision{Start: start, Name: complaint.DecideUpdate, ID: d.ID.String(), Args: []any{d}}, nil)
	}
	agent := auth.Principal{Subject: "mei", Tenant: "pizza", Roles: []string{auth.RoleAgent}}
	nobody := auth.Principal{Subject: "eve", Tenant: "pizza", Roles: []string{auth.RoleMarketing}}
	require.ErrorContains(t, send(agent, flow.Actor{Subject: "mei", Roles: agent.Roles}, complaint.Accept), "complaint_stage", "the validator")
	require.ErrorContains(t, send(nobody, flow.Actor{Subject: "eve", Roles: nobody.Roles}, complaint.Assign), "permission_missing", "the validator")
	require.ErrorContains(t, send(nobody, flow.Actor{Subject: "mei", Roles: agent.Roles}, complaint.Assign), "permission_missing",
		"the row: who really decided is in the signed header")
	require.NoError(t, send(agent, flow.Actor{Subject: "mei", Roles: agent.Roles}, complaint.Assign))
}

func TestLiveOfManyWhoDecideAtOnceOneDoes(t *testing.T) {
	t.Parallel()
	w, _, _ := ticketstest.StartLive(t)
	c := w.Register(uuid.NewString())
	var mu sync.Mutex
	answers := map[int]int{}
	var wait sync.WaitGroup
	for n := range 10 {
		wait.Go(func() {
			answer := w.Do(http.MethodPost, "/v1/complaints/"+c.ID+"/assess", w.Agent, body{"admissible": true, "severity": 1 + n%4})
			mu.Lock()
			defer mu.Unlock()
			answers[answer.Status]++
		})
	}
	wait.Wait()
	require.Equal(t, map[int]int{200: 1, 409: 9}, answers)
	require.Len(t, w.EventsOf("ComplaintAssessed", 1), 1)
}

func TestLiveDecisionsRefuseBadInput(t *testing.T) {
	t.Parallel()
	w, _, _ := ticketstest.StartLive(t)
	var c ticketstest.Complaint
	raw := func(b body) string {
		content, err := json.Marshal(b)
		require.NoError(t, err)
		return string(content)
	}
	c = w.Register(uuid.NewString())
	w.Decide(c, "assess", w.Agent, body{"admissible": true, "severity": 3})
	w.Decide(c, "assign", w.Agent, body{"unit": "kitchen"})
	n := 0
	assign := func() string { n++; return raw(body{"unit": fmt.Sprintf("kitchen-%d", n)}) }
	t.Run("assign", func(t *testing.T) {
		badinput.Check(t, badinput.Target{URL: w.URL, Token: w.Agent, Method: http.MethodPost, Path: "/v1/complaints/" + c.ID + "/assign",
			Body: assign(), Fresh: assign, OtherBody: raw(body{"unit": "bar"}), Owned: true, Replay: true})
	})
	key := uuid.NewString()
	found := w.Decide(c, "find", w.Agent, body{"finding": "founded", "cause": "product", "reason": "烤箱坏了。"}, "Idempotency-Key", key)
	require.Equal(t, "烤箱坏了。", found.Steps[len(found.Steps)-1].Reason)
	other := w.Register(uuid.NewString())
	answer := w.Do(http.MethodPost, "/v1/complaints/"+other.ID+"/find", w.Agent,
		body{"finding": "founded", "cause": "product", "reason": "烤箱坏了。"}, "Idempotency-Key", key)
	require.Equal(t, "idempotency_key_reused", answer.Code(), "%s", answer.Body)
	w.Decide(c, "propose", w.Agent, body{"currency": "CNY", "parts": []body{points(1)}})
	replayed := w.Want(http.StatusOK, http.MethodPost, "/v1/complaints/"+c.ID+"/find", w.Agent,
		body{"finding": "founded", "cause": "product", "reason": "烤箱坏了。"}, nil, "Idempotency-Key", key)
	require.Equal(t, "true", replayed.Header.Get("Idempotent-Replay"), "also when the complaint has gone on")
}

// TestLiveADecisionFasterThanTheEvent decides where no consumer hears of the registration: the process begins in the
// registration's trace, and not on behalf of whoever decides.
func TestLiveADecisionFasterThanTheEvent(t *testing.T) {
	t.Parallel()
	otel.SetTextMapPropagator(propagation.TraceContext{}) // as a process does when it starts
	w, client, _ := ticketstest.StartLive(t, app.RoleHTTP, app.RoleRelay, app.RoleWorkers)
	const registration = "0af7651916cd43dd8448eb211c80319c"
	var c ticketstest.Complaint
	w.Want(http.StatusCreated, http.MethodPost, "/v1/complaints", w.Agent, ticketstest.Cold(uuid.NewString()), &c,
		"traceparent", "00-"+registration+"-b7ad6b7169203331-01")
	require.Equal(t, "assessed", w.Decide(c, "assess", w.Agent, body{"admissible": true, "severity": 3},
		"traceparent", "00-11111111111111111111111111111111-b7ad6b7169203331-01").Stage)

	first, err := client.Temporal().GetWorkflowHistory(t.Context(), workflowID(c), "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT).Next()
	require.NoError(t, err)
	header := fmt.Sprint(first.GetWorkflowExecutionStartedEventAttributes().GetHeader())
	require.Contains(t, header, registration)
	require.Contains(t, header, "process:complaint")
	require.NotContains(t, header, "agent@pizza")
}

func TestLiveOneKeyDecidesOnOneComplaint(t *testing.T) {
	t.Parallel()
	w, _, _ := ticketstest.StartLive(t)
	key, codes := uuid.NewString(), make(chan string, 8)
	var wait sync.WaitGroup
	for range cap(codes) {
		c := w.Register(uuid.NewString())
		wait.Go(func() {
			answer := w.Do(http.MethodPost, "/v1/complaints/"+c.ID+"/assess", w.Agent, body{"admissible": true, "severity": 2}, "Idempotency-Key", key)
			codes <- fmt.Sprintf("%d %s", answer.Status, answer.Code())
		})
	}
	wait.Wait()
	close(codes)
	count := map[string]int{}
	for code := range codes {
		count[code]++
	}
	require.Equal(t, map[string]int{"200 ": 1, "422 idempotency_key_reused": 7}, count)
}

// Sent again, a decision is looked for, and then its complaint is loaded: what is carried out between the two is held there
// by a lock.
func TestLiveADecisionSentAgainWhileItIsCarriedOutIsAnsweredAsItself(t *testing.T) {
	t.Parallel()
	w, _, _ := ticketstest.StartLive(t)
	c := w.Register(uuid.NewString())
	w.Decide(c, "assess", w.Agent, body{"admissible": true, "severity": 3})
	w.Decide(c, "assign", w.Agent, body{"unit": "kitchen"})
	again := func() apptest.Answer {
		return w.Do(http.MethodPost, "/v1/complaints/"+c.ID+"/decline", w.Agent, body{"reason": "It was warm."}, "Idempotency-Key", "decline-1")
	}
	require.Equal(t, http.StatusOK, again().Status)

	conn, err := pgx.Connect(t.Context(), w.Database.AdminURL())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.Context())) })
	do := func(sql string, args ...any) {
		t.Helper()
		_, err := conn.Exec(t.Context(), sql, args...)
		require.NoError(t, err)
	}
	do(`CREATE TEMP TABLE done AS SELECT * FROM complaint_step WHERE complaint_id = $1 AND action = 'decline'`, c.ID)
	do(`DELETE FROM complaint_step WHERE complaint_id = $1 AND action = 'decline'`, c.ID) // as if it had not been carried out
	do(`UPDATE complaint SET stage = 'assigned' WHERE id = $1`, c.ID)
	do(`BEGIN`)
	do(`LOCK TABLE complaint`)
	answer := make(chan apptest.Answer)
	go func() { answer <- again() }()
	w.Eventually("it waits", func() bool {
		return w.Count(`SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'complaint'::regclass`) == 1
	})
	do(`INSERT INTO complaint_step SELECT * FROM done`)
	do(`UPDATE complaint SET stage = 'disputed' WHERE id = $1`, c.ID)
	do(`COMMIT`)
	got := <-answer
	require.Equal(t, http.StatusOK, got.Status, "%s", got.Code())
	require.Equal(t, "true", got.Header.Get("Idempotent-Replay"))
}

func TestLiveAProcessThatWasEndedByHandGoesOn(t *testing.T) {
	t.Parallel()
	w, client, _ := ticketstest.StartLive(t)
	c := w.Offer(uuid.NewString(), points(10))
	require.NoError(t, client.Temporal().TerminateWorkflow(t.Context(), workflowID(c), "", "by hand"))
	w.Decide(c, "accept", w.Agent, body{})
	require.Equal(t, "settled", w.Reach(c, "closed").Outcome)

	c = w.Offer(uuid.NewString(), points(10))
	require.NoError(t, client.Temporal().CancelWorkflow(t.Context(), workflowID(c), ""))
	closed := w.Reach(c, "closed")
	require.Equal(t, "withdrawn", closed.Outcome)
	require.Equal(t, "process:complaint", closed.Steps[len(closed.Steps)-1].By)
	ended(t, client, c, "cancelled")
	require.True(t, slices.Contains(closed.Actions(), "withdraw"))
}
