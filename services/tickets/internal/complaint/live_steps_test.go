//go:build temporal

package complaint_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/guanxi-crm/guanxi/platform/bus"
	ticketsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/tickets/events/v1"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

// demanding is a policy that asks for all that one can ask for.
func demanding() body {
	return body{"step_seconds": 86400, "customer_seconds": 86400, "reminders": 1, "rounds": 3, "free_minor": 5000, "manager_minor": 50000,
		"point_minor": 1, "verify_seconds": 86400, "reopens": 1, "legal_days": 15,
		"outside_bodies": []body{{"code": "ombudsman", "name": "Ombudsman"}, {"code": "12315", "name": "全国12315平台", "contact": "12315"}}}
}

// steps is what tests look at of a complaint with all its steps.
type steps struct {
	ticketstest.Complaint
	Level        int
	Score        *int
	Acknowledged *time.Time `json:"acknowledged_at"`
	LegalDueAt   *time.Time `json:"legal_due_at"`
	Answered     *time.Time `json:"answered_at"`
	Reviewed     *time.Time `json:"reviewed_at"`
	Preventions  []struct {
		No     int
		Action string
		DoneAt *time.Time `json:"done_at"`
	}
	Told []struct {
		Action string
		Reason string
		Words  []struct{ Kind, Text string }
		Detail struct {
			Bodies []string `json:"outside_bodies"`
			Why    string
			Level  int
		}
	} `json:"steps"`
}

func look(w *ticketstest.World, c ticketstest.Complaint) (s steps) {
	w.Want(http.StatusOK, http.MethodGet, "/v1/complaints/"+c.ID, w.Agent, nil, &s)
	return s
}

// verdict is what a customer said in a survey about a complaint.
func verdict(t *testing.T, c ticketstest.Complaint, score int32) bus.Event {
	t.Helper()
	invitation := uuid.Must(uuid.NewV7()).String()
	data, err := protojson.Marshal(&ticketsv1.SurveyAnswered{InvitationId: invitation, ComplaintId: c.ID, Kind: "csat", Scored: true, Score: score})
	require.NoError(t, err)
	return bus.Event{ID: uuid.Must(uuid.NewV7()), Type: "guanxi.tickets.events.v1.SurveyAnswered", Source: "/guanxi/tickets", Epoch: 1, Tenant: "pizza",
		AggregateType: "invitation", AggregateID: invitation, Sequence: 1, Time: time.Now().UTC(), Data: data}
}

// firstLevel leads a complaint to where its customer is asked for a verdict, with all that can happen before that.
func firstLevel(t *testing.T, w *ticketstest.World) ticketstest.Complaint {
	t.Helper()
	c := w.Register(uuid.NewString())
	require.NotNil(t, look(w, c).LegalDueAt)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/tickets/"+c.TicketID+"/replies", w.Agent,
		body{"author": "agent", "words": "We have your complaint."}, nil, "If-Match", "*")
	w.Eventually("a reply acknowledges it", func() bool { return look(w, c).Acknowledged != nil })
	require.Equal(t, 409, w.Do(http.MethodPost, "/v1/complaints/"+c.ID+"/acknowledge", w.Agent, body{"channel": "phone"}).Status)

	w.Decide(c, "assess", w.Agent, body{"admissible": true, "severity": 3, "safety": true, "containment": "sale_stopped", "containment_text": "Oven off."})
	w.Decide(c, "assign", w.Agent, body{"unit": "kitchen"})
	w.Decide(c, "decline", w.Agent, body{"reason": "It was cold when it left us, said nobody."})
	w.Decide(c, "rule", w.Manager, body{"unit": "delivery", "person": "sun"})
	w.Decide(c, "find", w.Agent, body{"finding": "unfounded", "cause": "misunderstanding", "reason": "We are sorry: it was warm.",
		"root_cause": "The thermometer.", "evidence": []string{"attachment 1", "attachment 2"}})
	w.Decide(c, "object", w.Agent, body{"reason": "It was not."})
	w.Decide(c, "add", w.Agent, body{"facts": "The neighbour saw it."})
	w.Decide(c, "find", w.Agent, body{"finding": "founded", "cause": "delivery"})
	w.Decide(c, "escalate", w.Agent, body{})
	w.Decide(c, "propose", w.Agent, body{"currency": "CNY", "parts": []body{points(6_000), {"kind": "exchange"}, {"kind": "voucher", "amount_minor": 100}}})
	w.Decide(c, "approve", w.Manager, body{})
	w.Decide(c, "accept", w.Agent, body{})
	verifying := w.Reach(c, "verifying")
	for _, part := range verifying.Proposal.Parts {
		require.Equal(t, "done", part.State)
		require.NotEmpty(t, part.Reference)
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/tickets/"+verifying.Proposal.Parts[2].Reference, w.Agent, nil, nil)
	return verifying
}

func TestLiveAllStepsToTheFinalAnswerAndWhatWasLearned(t *testing.T) {
	t.Parallel()
	w, client, neighbours := ticketstest.StartLive(t)
	w.Want(http.StatusOK, http.MethodPut, "/v1/complaints/policy", w.Director, demanding(), nil, "If-Match", `"0"`)
	c := firstLevel(t, w)
	w.Publish("tickets", verdict(t, c, 1))
	c = w.Reach(c, "assessed")
	require.Equal(t, 2, look(w, c).Level, "the next level deals with it")
	w.Decide(c, "assign", w.Agent, body{"unit": "headquarters", "person": "sun"})
	w.Decide(c, "find", w.Agent, body{"finding": "founded", "cause": "delivery"})
	require.Equal(t, "proposed", w.Decide(c, "propose", w.Agent, body{"currency": "CNY", "parts": []body{{"kind": "apology"}}}).Stage)
	w.Decide(c, "approve", w.Manager, body{})
	w.Decide(c, "accept", w.Agent, body{})
	c = w.Reach(c, "verifying")
	require.Equal(t, "answering", w.Decide(c, "verify", w.Agent, body{"score": 2}).Stage)
	answer := body{"medium": "letter", "text": "This is our last word. You may turn to the ombudsman or to 12315."}
	require.Equal(t, 403, w.Do(http.MethodPost, "/v1/complaints/"+c.ID+"/answer", w.Agent, answer).Status)
	c = w.Decide(c, "answer", w.Manager, answer)
	require.Equal(t, "not_agreed", c.Outcome)
	ended(t, client, c, "arbitrated")

	w.Decide(c, "refer", w.Agent, body{"body": "12315"})
	w.Decide(c, "prevent", w.Agent, body{"action": "Warm boxes.", "owner": "zhao", "due_at": time.Now().Add(time.Hour)})
	var page struct {
		Complaints int
		Items      []struct {
			Number, Action, Cause string
			Share                 float64
		}
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/complaints/preventions?owner=zhao", w.Agent, nil, &page)
	require.Len(t, page.Items, 1)
	require.Equal(t, c.Number+" Warm boxes.", page.Items[0].Number+" "+page.Items[0].Action)
	w.Decide(c, "finish", w.Agent, body{"prevention": 1})
	w.Want(http.StatusOK, http.MethodGet, "/v1/complaints/preventions", w.Agent, nil, &page)
	require.Empty(t, page.Items)
	const causes = "/v1/complaints/causes?from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z"
	w.Want(http.StatusOK, http.MethodGet, causes, w.Agent, nil, &page)
	require.Equal(t, "delivery", page.Items[0].Cause)
	require.InDelta(t, 1, page.Items[0].Share, 0)
	w.Want(http.StatusOK, http.MethodGet, causes, w.Token("agent", "music"), nil, &page)
	require.Empty(t, page.Items, "another tenant's")
	c = w.Decide(c, "review", w.Manager, body{"reason": "Learned."})
	ended(t, client, c, "reviewed")
	end := look(w, c)
	require.NotNil(t, end.Reviewed)
	require.NotNil(t, end.Answered)
	require.Equal(t, "Warm boxes.", end.Preventions[0].Action)
	require.NotNil(t, end.Preventions[0].DoneAt)
	for _, s := range end.Told {
		switch {
		case s.Action == "answer":
			require.Equal(t, []string{"ombudsman", "12315"}, s.Detail.Bodies)
			require.Equal(t, "answer", s.Words[0].Kind)
		case s.Action == "find" && s.Reason != "":
			require.Len(t, s.Words, 3)
			require.Equal(t, "attachment 2", s.Words[2].Text)
		}
	}
	neighbours.Look(func() { require.Len(t, neighbours.Granted, 1) })
	w.Eventually("all of it was told", func() bool { return len(w.EventsOf("ComplaintClosed", 1)) == 1 })
	for _, name := range []string{"ComplaintAcknowledged", "ComplaintAnswered", "ComplaintEscalated", "RemedyExecuted", "ComplaintReopened"} {
		for _, e := range w.EventsOf(name, 1) {
			for _, words := range []string{"cold", "sorry", "neighbour", "last word", "Warm boxes"} {
				require.NotContains(t, string(e.Data), words)
			}
		}
	}
}

func TestLiveASilentCustomerWritesAfterAll(t *testing.T) {
	t.Parallel()
	w, client, neighbours := ticketstest.StartLive(t)
	p := demanding()
	p["customer_seconds"], p["reminders"], p["verify_seconds"] = 1, 0, 0
	w.Want(http.StatusOK, http.MethodPut, "/v1/complaints/policy", w.Director, p, nil, "If-Match", `"0"`)
	order := uuid.NewString()
	c := w.Offer(uuid.NewString(), body{"kind": "refund", "order_id": order, "amount_minor": 1_000}, points(10))
	c = w.Reach(c, "closed")
	require.Equal(t, "unanswered", c.Outcome)
	ended(t, client, c, "")
	p["customer_seconds"] = 86400
	w.Want(http.StatusOK, http.MethodPut, "/v1/complaints/policy", w.Director, p, nil, "If-Match", `"1"`)

	w.Want(http.StatusCreated, http.MethodPost, "/v1/tickets/"+c.TicketID+"/replies", w.Agent, body{"author": "customer", "words": "I was away."}, nil)
	c = w.Reach(c, "found")
	require.Equal(t, []string{"reply", "reopen"}, c.Actions()[len(c.Steps)-2:])
	w.Decide(c, "propose", w.Agent, body{"currency": "CNY", "parts": []body{{"kind": "refund", "order_id": order, "amount_minor": 1_000}}})
	w.Decide(c, "accept", w.Agent, body{})
	c = w.Reach(c, "closed")
	require.Equal(t, "settled", c.Outcome)
	neighbours.Look(func() {
		require.Len(t, neighbours.Granted, 1)
		require.Len(t, neighbours.Refunded, 1)
	})
	ended(t, client, c, "spoke")
	require.Equal(t, "unanswered", look(w, c).outcomeBefore(w))
}

// outcomeBefore is what the event of the reopening says.
func (s steps) outcomeBefore(w *ticketstest.World) string {
	data := string(w.EventsOf("ComplaintReopened", 1)[0].Data)
	_, after, _ := strings.Cut(data, `"outcomeBefore":`)
	return strings.Trim(strings.SplitN(strings.TrimSpace(after), ",", 2)[0], `"{} `)
}

func TestLiveWhatCannotBeTakenBackWaitsForAPerson(t *testing.T) {
	t.Parallel()
	w, client, neighbours := ticketstest.StartLive(t)
	first, second := uuid.NewString(), uuid.NewString()
	neighbours.Look(func() { neighbours.RefuseOrder = second })
	c := w.Offer(uuid.NewString(), body{"kind": "refund", "order_id": first, "amount_minor": 1_000}, points(10), body{"kind": "repair"},
		body{"kind": "refund", "order_id": second, "amount_minor": 1_000})
	w.Decide(c, "accept", w.Agent, body{})
	c = w.Reach(c, "stuck")
	states := func(c ticketstest.Complaint) (all []string) {
		for _, part := range c.Proposal.Parts {
			all = append(all, part.State)
		}
		return all
	}
	require.Equal(t, []string{"done", "done", "done", "failed"}, states(c))
	neighbours.Look(func() { neighbours.RefuseOrder = "" })
	w.Decide(c, "retry", w.Agent, body{})
	c = w.Reach(c, "closed")
	require.Equal(t, []string{"done", "done", "done", "done"}, states(c))
	require.Equal(t, "settled", c.Outcome)
	neighbours.Look(func() {
		require.Len(t, neighbours.Refunded, 2)
		require.Empty(t, neighbours.Reversed)
	})
	ended(t, client, c, "stuck")
}

func TestLiveDeadlinesRing(t *testing.T) {
	t.Parallel()
	w, client, _ := ticketstest.StartLive(t)
	p := demanding()
	p["acknowledge_seconds"] = 1
	w.Want(http.StatusOK, http.MethodPut, "/v1/complaints/policy", w.Director, p, nil, "If-Match", `"0"`)
	c := w.Register(uuid.NewString())
	e := w.EventsOf("ComplaintWarned", 1)[0]
	require.Contains(t, string(e.Data), "acknowledgement")
	require.Contains(t, string(e.Data), `"passed"`)
	w.Decide(c, "acknowledge", w.Agent, body{"channel": "phone"})
	c = w.Decide(c, "withdraw", w.Agent, body{})
	require.Equal(t, []string{"register", "miss", "acknowledge", "withdraw"}, c.Actions())
	ended(t, client, c, "warned")
}
