package bulk_test

import (
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

type body = ticketstest.Body

type results struct {
	Items []struct {
		ID      string `json:"ticket_id"`
		Outcome string
		Code    string
	}
	Done, Refused, Failed int
}

// codes gives the outcomes with their codes.
func (r results) codes() (all []string) {
	for _, i := range r.Items {
		all = append(all, i.Outcome+i.Code)
	}
	return all
}

type world struct {
	*ticketstest.World
	t *testing.T
}

func start(t *testing.T) *world {
	t.Helper()
	return &world{ticketstest.Start(t), t}
}

// open opens n tickets of the tenant pizza and gives their ids.
func (w *world) open(n int) (ids []string) {
	w.t.Helper()
	for range n {
		var v struct {
			ID string `json:"ticket_id"`
		}
		w.Want(http.StatusCreated, http.MethodPost, "/v1/tickets", w.Agent, body{"kind": "incident", "channel": "email", "subject": "x", "impact": 2, "urgency": 2}, &v)
		ids = append(ids, v.ID)
	}
	return ids
}

func (w *world) act(b body, headers ...string) (r results) {
	w.t.Helper()
	w.Want(http.StatusOK, http.MethodPost, "/v1/tickets/bulk", w.Agent, b, &r, headers...)
	return r
}

// notes counts what was noted on a ticket.
func (w *world) notes(id string) int {
	w.t.Helper()
	var page struct {
		Items []struct{ What string }
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/tickets/"+id+"/thread?internal=true", w.Agent, nil, &page)
	return len(page.Items) - 1 // the first is its opening
}

func TestWhatIsRefusedForOneIsDoneForTheOthers(t *testing.T) {
	t.Parallel()
	w := start(t)
	ids := w.open(3)
	w.Want(http.StatusOK, http.MethodPost, "/v1/tickets/"+ids[1]+"/status", w.Agent, body{"status": "closed"}, nil, "If-Match", "*")
	complaint := w.Register(uuid.NewString())
	none := uuid.NewString()
	got := w.act(body{"ticket_ids": []string{ids[0], ids[1], complaint.TicketID, none, ids[2], ids[0]},
		"actions": []body{{"do": "note", "words": "All at once."}, {"do": "status", "status": "pending"}}})
	if want := []string{"done", "refusedticket_status", "refusedticket_of_complaint", "refusedticket_not_found", "done"}; !slices.Equal(got.codes(), want) || got.Done != 2 || got.Refused != 3 {
		t.Fatalf("%+v", got)
	}
	for id, want := range map[string]int{ids[0]: 1, ids[1]: 0, ids[2]: 1, complaint.TicketID: 0} { // once, and not at all where it was refused
		if n := w.notes(id); n != want {
			t.Errorf("%d notes, want %d", n, want)
		}
	}
}

func TestATaskIsDoneOnceAKey(t *testing.T) {
	t.Parallel()
	w := start(t)
	ids := w.open(3)
	task := body{"ticket_ids": ids, "actions": []body{{"do": "note", "words": "once"}, {"do": "status", "status": "resolved", "resolution": "solved"}}}
	w.Want(http.StatusOK, http.MethodPost, "/v1/tickets/"+ids[1]+"/status", w.Agent, body{"status": "resolved", "resolution": "solved"}, nil, "If-Match", "*")
	w.Want(http.StatusOK, http.MethodPost, "/v1/tickets/"+ids[1]+"/status", w.Agent, body{"status": "closed"}, nil, "If-Match", "*")
	for range 2 { // what was done is done; what was refused is refused again
		if got := w.act(task, "Idempotency-Key", "night"); !slices.Equal(got.codes(), []string{"done", "refusedticket_status", "done"}) {
			t.Fatalf("%+v", got)
		}
	}
	if n := w.notes(ids[0]); n != 1 {
		t.Errorf("%d notes", n)
	}
	other := body{"ticket_ids": w.open(1), "actions": []body{{"do": "note", "words": "another"}}}
	if got := w.Want(http.StatusUnprocessableEntity, http.MethodPost, "/v1/tickets/bulk", w.Agent, other, nil, "Idempotency-Key", "night").Code(); got != "idempotency_key_reused" {
		t.Errorf("%s", got)
	}
	// Sent several times at once it is done once all the same: who meets another one at a ticket is told to wait.
	more := body{"ticket_ids": w.open(5), "actions": []body{{"do": "note", "words": "once"}}}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() { w.Do(http.MethodPost, "/v1/tickets/bulk", w.Agent, more, "Idempotency-Key", "day") })
	}
	wait.Wait()
	if got := w.act(more, "Idempotency-Key", "day"); got.Done != 5 {
		t.Errorf("%+v", got)
	}
	for _, id := range more["ticket_ids"].([]string) {
		if n := w.notes(id); n != 1 {
			t.Errorf("%d notes", n)
		}
	}
}

func TestAMacroIsTakenOnMany(t *testing.T) {
	t.Parallel()
	w := start(t)
	var m struct {
		ID string `json:"macro_id"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/macros", w.Manager, body{"name": "x", "actions": []body{{"do": "note", "words": "{{value.why}} {{ticket.number}}"}}}, &m)
	ids := w.open(2)
	if got := w.act(body{"ticket_ids": ids, "macro_id": m.ID}); !slices.Equal(got.codes(), []string{"refusedmacro_value_missing", "refusedmacro_value_missing"}) {
		t.Errorf("%+v", got)
	}
	if got := w.act(body{"ticket_ids": ids, "macro_id": m.ID, "values": body{"why": "Flood"}}); got.Done != 2 {
		t.Errorf("%+v", got)
	}
	w.Want(http.StatusOK, http.MethodPost, "/v1/macros/"+m.ID+"/archive", w.Manager, nil, nil, "If-Match", "*")
	if got := w.Want(http.StatusConflict, http.MethodPost, "/v1/tickets/bulk", w.Agent, body{"ticket_ids": ids, "macro_id": m.ID}, nil).Code(); got != "macro_archived" {
		t.Errorf("%s", got)
	}
}

func TestTwoHundredTicketsAreActedOn(t *testing.T) {
	t.Parallel()
	w := start(t)
	ids := w.open(20)
	for len(ids) < 200 {
		ids = append(ids, uuid.NewString())
	}
	got := w.act(body{"ticket_ids": ids, "actions": []body{{"do": "tag", "add": []string{"flood"}}}})
	if got.Done != 20 || got.Refused != 180 || len(got.Items) != 200 {
		t.Errorf("%d, %d, %d", got.Done, got.Refused, got.Failed)
	}
	w.Want(http.StatusUnprocessableEntity, http.MethodPost, "/v1/tickets/bulk", w.Agent, body{"ticket_ids": append(ids, uuid.NewString()), "actions": []body{{"do": "tag", "add": []string{"flood"}}}}, nil)
}

func TestNobodyActsOnAnotherTenantsTickets(t *testing.T) {
	t.Parallel()
	w := start(t)
	ids := w.open(1)
	var got results
	task := body{"ticket_ids": ids, "actions": []body{{"do": "note", "words": "x"}}}
	w.Want(http.StatusOK, http.MethodPost, "/v1/tickets/bulk", w.Token(auth.RoleAgent, "music"), task, &got)
	if !slices.Equal(got.codes(), []string{"refusedticket_not_found"}) || w.notes(ids[0]) != 0 {
		t.Errorf("%+v", got)
	}
	w.Want(http.StatusForbidden, http.MethodPost, "/v1/tickets/bulk", w.Token(auth.RoleSales, "pizza"), task, nil)
}

func TestBulkRefusesBadInput(t *testing.T) {
	t.Parallel()
	w := start(t)
	ids := w.open(1)
	badinput.Check(t, badinput.Target{URL: w.URL, Token: w.Agent, Method: http.MethodPost, Path: "/v1/tickets/bulk",
		Body: `{"ticket_ids": ["` + ids[0] + `"], "actions": [{"do": "note", "words": "x"}]}`})
	for name, b := range map[string]body{
		"no tickets":             {"ticket_ids": []string{}, "actions": []body{{"do": "note", "words": "x"}}},
		"no actions":             {"ticket_ids": ids},
		"both":                   {"ticket_ids": ids, "actions": []body{{"do": "note", "words": "x"}}, "macro_id": uuid.NewString()},
		"an action that is none": {"ticket_ids": ids, "actions": []body{{"do": "status"}}},
		"a value too long":       {"ticket_ids": ids, "actions": []body{{"do": "note", "words": "x"}}, "values": body{"BAD": "x"}},
	} {
		if a := w.Do(http.MethodPost, "/v1/tickets/bulk", w.Agent, b); a.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	w.Want(http.StatusNotFound, http.MethodPost, "/v1/tickets/bulk", w.Agent, body{"ticket_ids": ids, "macro_id": uuid.NewString()}, nil)
}
