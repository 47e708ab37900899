package ticket_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

type body = ticketstest.Body

type ticketView struct {
	ID       string `json:"ticket_id"`
	Number   string
	Status   string
	Priority int
	Version  int64
	Reopened int
}

func missing() body {
	return body{"kind": "incident", "channel": "phone", "customer_id": "01890000-0000-7000-8000-000000000002", "subject": " Two colas are missing ",
		"description": "两瓶可乐没到。", "impact": 3, "urgency": 1}
}

func open(t *testing.T, w *ticketstest.World) ticketView {
	t.Helper()
	var v ticketView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/tickets", w.Agent, missing(), &v)
	return v
}

func TestATicketIsFoundByItsNumber(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	first, second := open(t, w), open(t, w)
	if first.Number != "T-000001" || second.Number != "T-000002" || first.Priority != 3 || first.Status != "new" {
		t.Fatalf("%+v, %+v", first, second)
	}
	read := w.Want(http.StatusOK, http.MethodGet, "/v1/tickets/lookup?number=t2", w.Agent, nil, nil)
	golden.JSON(t, "testdata/ticket.json", read.Body)
	w.Want(http.StatusNotFound, http.MethodGet, "/v1/tickets/lookup?number=T-000002", w.Token(auth.RoleAgent, "music"), nil, nil)
	w.Want(http.StatusNotFound, http.MethodGet, "/v1/tickets/lookup?number=later", w.Agent, nil, nil)
	var other ticketView
	w.Want(http.StatusCreated, http.MethodPost, "/v1/tickets", w.Token(auth.RoleAgent, "music"), missing(), &other)
	if other.Number != "T-000001" {
		t.Fatalf("the first of another tenant is %s", other.Number)
	}
	for _, e := range w.EventsOf("TicketOpened", 3) {
		if e.AggregateID == second.ID {
			golden.JSON(t, "testdata/ticket_opened.json", e.Data)
		}
	}
}

func TestNumbersHaveNoGapsAndNoTwins(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	var mu sync.Mutex
	seen := map[string]bool{}
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			v := open(t, w)
			mu.Lock()
			defer mu.Unlock()
			seen[v.Number] = true
		})
	}
	wait.Wait()
	if len(seen) != 20 || !seen["T-000001"] || !seen["T-000020"] {
		t.Fatalf("%v", seen)
	}
}

func TestATicketMovesAsLongAsNobodyElseMovedIt(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	v := open(t, w)
	path := "/v1/tickets/" + v.ID + "/status"
	w.Want(http.StatusOK, http.MethodPost, path, w.Agent, body{"status": "resolved", "resolution": "solved"}, &v, "If-Match", `"1"`)
	stale := w.Want(http.StatusPreconditionFailed, http.MethodPost, path, w.Agent, body{"status": "closed"}, nil, "If-Match", `"1"`)
	if stale.Code() != "version_stale" {
		t.Fatalf("%s", stale.Body)
	}
	w.Want(http.StatusOK, http.MethodPost, path, w.Agent, body{"status": "open"}, nil, "If-Match", `"2"`)
	w.Want(http.StatusOK, http.MethodPost, path, w.Agent, body{"status": "closed"}, nil, "If-Match", `"3"`)
	closed := w.Want(http.StatusConflict, http.MethodPost, path, w.Agent, body{"status": "open"}, nil, "If-Match", `"4"`)
	if closed.Code() != "ticket_status" {
		t.Fatalf("%s", closed.Body)
	}
	golden.JSON(t, "testdata/ticket_status_changed.json", w.EventsOf("TicketStatusChanged", 3)[0].Data)

	complaint := w.Register(uuid.NewString())
	led := w.Want(http.StatusConflict, http.MethodPost, "/v1/tickets/"+complaint.TicketID+"/status", w.Agent, body{"status": "closed"}, nil, "If-Match", `"1"`)
	if led.Code() != "ticket_of_complaint" {
		t.Fatalf("%s", led.Body)
	}
}

func TestTicketsAreListedByStatusAndCustomer(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	for range 3 {
		open(t, w)
	}
	var page struct {
		Items      []ticketView
		NextCursor string `json:"next_cursor"`
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/tickets?limit=2&status=new&customer_id=01890000-0000-7000-8000-000000000002", w.Agent, nil, &page)
	if len(page.Items) != 2 || page.Items[0].Number != "T-000003" || page.NextCursor == "" {
		t.Fatalf("%+v", page)
	}
	cursor := page.NextCursor
	page.NextCursor = ""
	w.Want(http.StatusOK, http.MethodGet, "/v1/tickets?limit=2&cursor="+cursor, w.Agent, nil, &page)
	if len(page.Items) != 1 || page.Items[0].Number != "T-000001" || page.NextCursor != "" {
		t.Fatalf("%+v", page)
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/tickets?status=closed", w.Agent, nil, &page)
	if len(page.Items) != 0 {
		t.Fatalf("%+v", page)
	}
}

func TestTicketsRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	v := open(t, w)
	for name, target := range map[string]badinput.Target{
		"open": {Method: http.MethodPost, Path: "/v1/tickets", Replay: true,
			Body:      `{"kind":"enquiry","channel":"web","subject":"When do you open?","description":"?","impact":3,"urgency":3}`,
			OtherBody: `{"kind":"praise","channel":"web","subject":"Good pizza","impact":3,"urgency":3}`},
		"list":   {Method: http.MethodGet, Path: "/v1/tickets", List: true},
		"get":    {Method: http.MethodGet, Path: "/v1/tickets/" + v.ID, Owned: true},
		"lookup": {Method: http.MethodGet, Path: "/v1/tickets/lookup?number=T-000001", Owned: true},
		"due":    {Method: http.MethodGet, Path: "/v1/tickets?sort=due", List: true},
		"reclassify": {Method: http.MethodPatch, Path: "/v1/tickets/" + v.ID, Owned: true, Version: true, Body: `{"subject":"Two colas are missing"}`,
			Header: http.Header{"If-Match": {"*"}}},
		"reply": {Method: http.MethodPost, Path: "/v1/tickets/" + v.ID + "/replies", Owned: true, Replay: true,
			Body: `{"author":"customer","words":"?"}`, OtherBody: `{"author":"customer","words":"!"}`},
		"an agent's reply": {Method: http.MethodPost, Path: "/v1/tickets/" + v.ID + "/replies", Owned: true, Version: true,
			Body: `{"author":"agent","words":"?"}`, Header: http.Header{"If-Match": {"*"}}},
		"note": {Method: http.MethodPost, Path: "/v1/tickets/" + v.ID + "/notes", Owned: true, Replay: true,
			Body: `{"words":"?"}`, OtherBody: `{"words":"!"}`},
		"conversation": {Method: http.MethodGet, Path: "/v1/tickets/" + v.ID + "/conversation", Owned: true, List: true},
		"history":      {Method: http.MethodGet, Path: "/v1/tickets/" + v.ID + "/history", Owned: true, List: true},
		"watchers":     {Method: http.MethodGet, Path: "/v1/tickets/" + v.ID + "/watchers", Owned: true},
		"watch":        {Method: http.MethodPut, Path: "/v1/tickets/" + v.ID + "/watchers/li", Owned: true},
		"unwatch":      {Method: http.MethodDelete, Path: "/v1/tickets/" + v.ID + "/watchers/li", Owned: true},
		"setting":      {Method: http.MethodGet, Path: "/v1/ticket-setting"},
		"move": {Method: http.MethodPost, Path: "/v1/tickets/" + open(t, w).ID + "/status", Owned: true, Version: true, Body: `{"status":"open"}`,
			Header: http.Header{"If-Match": {`"1"`}}},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.Agent
			badinput.Check(t, target)
		})
	}
	t.Run("set setting", func(t *testing.T) {
		badinput.Check(t, badinput.Target{URL: w.URL, Token: w.Manager, Method: http.MethodPut, Path: "/v1/ticket-setting", Version: true,
			Header: http.Header{"If-Match": {"*"}}, Body: `{"close_after_days":3}`})
	})
	for name, change := range map[string]body{
		"a complaint, which has a road of its own": {"kind": "complaint"}, "no subject": {"subject": " "}, "a subject of two lines": {"subject": "a\nb"},
		"an impact of 0": {"impact": 0}, "an urgency of 4": {"urgency": 4}, "a channel that is no code": {"channel": "By Phone"},
		"no category of theirs": {"category": "x"}, "no field of theirs": {"custom_fields": body{"x": 1}}, "an empty tag": {"tags": []string{""}},
	} {
		b := missing()
		for field, value := range change {
			b[field] = value
		}
		if answer := w.Do(http.MethodPost, "/v1/tickets", w.Agent, b); answer.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: got %d %s", name, answer.Status, answer.Body)
		}
	}
	if answer := w.Do(http.MethodPost, "/v1/tickets", w.Token(auth.RoleSales, "pizza"), missing()); answer.Status != http.StatusForbidden {
		t.Errorf("somebody who sells opens a ticket: %d", answer.Status)
	}
}
