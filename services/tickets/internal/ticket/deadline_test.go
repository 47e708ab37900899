package ticket_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

// TestATicketKeepsItsNextDeadline leads a ticket through a day of given times and looks at the deadline that it keeps after
// each: what the clocks make of a history is a matter of package sla and its tables.
func TestATicketKeepsItsNextDeadline(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	importer := w.Token(auth.RoleIntegrator, "pizza")
	target := func(first, next, resolution int) body {
		return body{"first_response_seconds": first, "next_response_seconds": next, "resolution_seconds": resolution}
	}
	var gold struct {
		ID string `json:"policy_id"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/sla-policies", w.Manager, body{
		"name": "gold", "position": 1, "condition": `tier == "gold" && category.startsWith("delivery/")`, "targets": body{"p3": target(600, 600, 6000)},
	}, &gold)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/sla-policies", w.Manager, body{
		"name": "all", "position": 2, "targets": body{"p1": target(60, 1800, 14400), "p3": target(3600, 7200, 28800)},
	}, nil)
	b := missing()
	b["opened_at"] = "2024-03-01T08:00:00Z"
	type view struct {
		ID     string `json:"ticket_id"`
		Due    string `json:"next_due_at"`
		Clock  string `json:"next_clock"`
		Policy string `json:"policy_id"`
		Tier   string
	}
	var v view
	w.Want(http.StatusCreated, http.MethodPost, "/v1/tickets", importer, b, &v)
	path := "/v1/tickets/" + v.ID
	if v.Due != "2024-03-01T09:00:00Z" || v.Clock != "first_response" || v.Policy == gold.ID {
		t.Fatalf("opened: %+v", v)
	}
	reply := func(author, at, status string) body {
		b := body{"author": author, "words": "?", "at": "2024-03-01T" + at + "Z"}
		if status != "" {
			b["status"] = status
		}
		return b
	}
	at := func(clock string, b body) body { b["at"] = "2024-03-01T" + clock + "Z"; return b }
	for _, step := range []struct {
		name, method, path string
		body               body
		want               string
	}{
		{"an automatic answer", http.MethodPost, "/replies", reply("automatic", "08:00:01", ""), "09:00:00 first_response"},
		{"an agent answers", http.MethodPost, "/replies", reply("agent", "08:30:00", ""), "16:00:00 resolution"},
		{"a note", http.MethodPost, "/notes", at("08:40:00", body{"words": "?"}), "16:00:00 resolution"},
		{"the customer asks", http.MethodPost, "/replies", reply("customer", "09:00:00", ""), "11:00:00 next_response"},
		{"the agent asks back", http.MethodPost, "/replies", reply("agent", "10:00:00", "pending"), "none"},
		{"the customer answers", http.MethodPost, "/replies", reply("customer", "12:00:00", ""), "14:00:00 next_response"},
		{"it is more urgent", http.MethodPatch, "", at("12:10:00", body{"impact": 1}), ""},
		{"it is resolved", http.MethodPost, "/status", at("13:00:00", body{"status": "resolved", "resolution": "solved"}), "none"},
		{"it is not", http.MethodPost, "/replies", reply("customer", "13:30:00", ""), ""},
	} {
		if answer := w.Do(step.method, path+step.path, importer, step.body, "If-Match", "*"); answer.Status >= 300 {
			t.Fatalf("%s: %d %s", step.name, answer.Status, answer.Body)
		}
		v = view{}
		w.Want(http.StatusOK, http.MethodGet, path, w.Agent, nil, &v)
		got := strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(v.Due, "2024-03-01T"), "Z") + " " + v.Clock)
		if got == "" {
			got = "none"
		}
		if step.want != "" && got != step.want || step.want == "" && got == "none" {
			t.Errorf("%s: got %s, want %s", step.name, got, step.want)
		}
	}
	if met := w.EventsOf("SLAMet", 3); !strings.Contains(string(met[0].Data), `"differenceSeconds":"1800"`) {
		t.Errorf("%s", met[0].Data)
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/ticket-categories", w.Manager, body{"code": "delivery", "title": "delivery"}, nil)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/ticket-categories", w.Manager, body{"code": "late", "parent": "delivery", "title": "late"}, nil)
	customer := uuid.Must(uuid.NewV7()).String()
	w.Want(http.StatusOK, http.MethodPut, "/v1/customer-standings/"+customer, importer, body{"grade": "A", "tier": "gold"}, nil)
	b["customer_id"], b["opened_at"] = customer, "2024-03-01T08:00:00Z"
	w.Want(http.StatusCreated, http.MethodPost, "/v1/tickets", importer, b, &v)
	if v.Policy == gold.ID || v.Tier != "gold" {
		t.Errorf("without the category: %+v", v)
	}
	w.Want(http.StatusOK, http.MethodPatch, "/v1/tickets/"+v.ID, importer, body{"category": "late", "at": "2024-03-01T08:01:00Z"}, &v, "If-Match", "*")
	if v.Policy != gold.ID || v.Due != "2024-03-01T08:10:00Z" {
		t.Errorf("classified as late: %+v, want the policy of gold customers", v)
	}
}
