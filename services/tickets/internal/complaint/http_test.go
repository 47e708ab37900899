package complaint_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

func TestAComplaintIsRegisteredWithItsTicket(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	b := ticketstest.Cold("01890000-0000-7000-8000-000000000002")
	b["wish"], b["order_id"] = "A warm one.", "01890000-0000-7000-8000-000000000001"
	var c ticketstest.Complaint
	created := w.Want(http.StatusCreated, http.MethodPost, "/v1/complaints", w.Agent, b, &c)
	read := w.Want(http.StatusOK, http.MethodGet, "/v1/complaints/"+c.ID, w.Agent, nil, nil)
	golden.JSON(t, "testdata/complaint.json", read.Body)
	if string(created.Body) != string(read.Body) {
		t.Fatalf("registered %s, read %s", created.Body, read.Body)
	}
	var ticket struct{ Kind, Status, Subject string }
	w.Want(http.StatusOK, http.MethodGet, "/v1/tickets/"+c.TicketID, w.Agent, nil, &ticket)
	if ticket.Kind != "complaint" || ticket.Status != "new" {
		t.Fatalf("%+v", ticket)
	}
	e := w.EventsOf("ComplaintRegistered", 1)[0]
	golden.JSON(t, "testdata/complaint_registered.json", e.Data)
	if strings.Contains(string(e.Data), "cold") {
		t.Fatalf("the event repeats what the customer said: %s", e.Data)
	}
	w.Want(http.StatusNotFound, http.MethodGet, "/v1/complaints/"+c.ID, w.Token(auth.RoleAgent, "music"), nil, nil)
	w.Want(http.StatusForbidden, http.MethodPost, "/v1/complaints", w.Token(auth.RoleMarketing, "pizza"), b, nil)
}

func TestComplaintsAreListedByStageAndCustomer(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	customer := uuid.NewString()
	first, second := w.Register(customer), w.Register(customer)
	w.Register(uuid.NewString())
	var page struct {
		Items      []ticketstest.Complaint
		NextCursor string `json:"next_cursor"`
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/complaints?limit=1&stage=registered&customer_id="+customer, w.Agent, nil, &page)
	if len(page.Items) != 1 || page.Items[0].ID != second.ID || page.NextCursor == "" {
		t.Fatalf("%+v", page)
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/complaints?limit=5&customer_id="+customer+"&cursor="+page.NextCursor, w.Agent, nil, &page)
	if len(page.Items) != 1 || page.Items[0].ID != first.ID {
		t.Fatalf("%+v", page)
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/complaints?ticket_id="+first.TicketID, w.Agent, nil, &page)
	if len(page.Items) != 1 || page.Items[0].ID != first.ID {
		t.Fatalf("%+v", page)
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/complaints?ticket_id="+first.TicketID, w.Token(auth.RoleAgent, "music"), nil, &page)
	if len(page.Items) != 0 {
		t.Fatalf("another tenant sees %+v", page)
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/complaints?stage=closed", w.Agent, nil, &page)
	if len(page.Items) != 0 {
		t.Fatalf("%+v", page)
	}
	if answer := w.Do(http.MethodGet, "/v1/complaints?stage=angry", w.Agent, nil); answer.Status != http.StatusUnprocessableEntity {
		t.Fatalf("got %d", answer.Status)
	}
}

func TestWithoutTheProcessEngineComplaintsAreTakenInAndDecisionsAreToldToComeAgain(t *testing.T) {
	t.Parallel()
	w := ticketstest.StartWithoutTemporal(t)
	c := w.Register(uuid.NewString())
	path := "/v1/complaints/" + c.ID
	answer := w.Do(http.MethodPost, path+"/assess", w.Agent, ticketstest.Body{"admissible": true, "severity": 2})
	if answer.Status != http.StatusServiceUnavailable || answer.Code() != "workflows_unavailable" {
		t.Fatalf("got %d %s", answer.Status, answer.Body)
	}
	refused := w.Do(http.MethodPost, path+"/accept", w.Agent, ticketstest.Body{})
	if refused.Code() != "complaint_stage" {
		t.Fatalf("what cannot be decided is refused all the same: got %d %s", refused.Status, refused.Body)
	}
	if now := w.Reach(c, "registered"); now.Version != 1 {
		t.Fatalf("%+v", now)
	}
}

func TestComplaintsRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	c := w.Register(uuid.NewString())
	marshal := func(b ticketstest.Body) string {
		raw, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	for name, target := range map[string]badinput.Target{
		"register": {Method: http.MethodPost, Path: "/v1/complaints", Body: marshal(ticketstest.Cold(uuid.NewString())), Replay: true,
			OtherBody: marshal(ticketstest.Cold(uuid.NewString()))},
		"list":        {Method: http.MethodGet, Path: "/v1/complaints", List: true},
		"preventions": {Method: http.MethodGet, Path: "/v1/complaints/preventions", List: true},
		"get":         {Method: http.MethodGet, Path: "/v1/complaints/" + c.ID, Owned: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.Agent
			badinput.Check(t, target)
		})
	}
}

func TestCausesOfNoTimeAreRefused(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	for query, status := range map[string]int{
		"from=2026-01-01T00:00:00Z&to=2027-01-01T00:00:00Z": http.StatusOK,
		"from=2027-01-01T00:00:00Z&to=2026-01-01T00:00:00Z": http.StatusUnprocessableEntity,
		"from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00Z": http.StatusUnprocessableEntity,
		"from=yesterday&to=2026-01-01T00:00:00Z":            http.StatusUnprocessableEntity,
		"":                                                  http.StatusUnprocessableEntity,
	} {
		if answer := w.Do(http.MethodGet, "/v1/complaints/causes?"+query, w.Agent, nil); answer.Status != status {
			t.Errorf("%q: got %d %s", query, answer.Status, answer.Body)
		}
	}
}

// TestDecisionsRefuseBadInput sends what the process is never asked about.
func TestDecisionsRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := ticketstest.StartWithoutTemporal(t)
	c := w.Register(uuid.NewString())
	long := strings.Repeat("火", 20_001)
	for _, one := range []struct {
		name, action string
		body         ticketstest.Body
		status       int
		code         string
	}{
		{"a channel that is none", "acknowledge", ticketstest.Body{"channel": "By Phone"}, 422, "decision_invalid"},
		{"danger without containment", "assess", ticketstest.Body{"admissible": true, "severity": 1, "safety": true}, 422, "decision_invalid"},
		{"a severity of 5", "assess", ticketstest.Body{"admissible": true, "severity": 5}, 422, "validation_failed"},
		{"too long a reason", "withdraw", ticketstest.Body{"reason": long}, 422, "validation_failed"},
		{"no facts", "add", ticketstest.Body{}, 422, "decision_invalid"},
		{"facts of spaces", "add", ticketstest.Body{"facts": " \n"}, 422, "decision_invalid"},
		{"too much evidence", "add", ticketstest.Body{"evidence": make([]string, 21)}, 422, "validation_failed"},
		{"too long an evidence", "add", ticketstest.Body{"evidence": []string{strings.Repeat("a", 2_001)}}, 422, "decision_invalid"},
		{"a final answer too early", "answer", ticketstest.Body{"medium": "letter", "text": "No."}, 403, "permission_missing"},
		{"a verdict too early", "verify", ticketstest.Body{"score": 5}, 409, "complaint_stage"},
		{"a score of 11", "verify", ticketstest.Body{"score": 11}, 422, "validation_failed"},
		{"a prevention before anything was found", "prevent", ticketstest.Body{"action": "x", "owner": "zhao", "due_at": "2100-01-01T00:00:00Z"}, 409, "complaint_stage"},
		{"what only the process hears", "reply", ticketstest.Body{"channel": "email"}, 404, ""},
		{"a crisis that is no id", "escalate", ticketstest.Body{"crisis_id": "big"}, 422, "validation_failed"},
	} {
		answer := w.Do(http.MethodPost, "/v1/complaints/"+c.ID+"/"+one.action, w.Agent, one.body)
		if answer.Status != one.status || one.code != "" && answer.Code() != one.code {
			t.Errorf("%s: got %d %s", one.name, answer.Status, answer.Body)
		}
	}
	if now := w.Reach(c, "registered"); now.Version != 1 {
		t.Fatalf("%+v", now)
	}
}
