package macro_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

type body = ticketstest.Body

type macro struct {
	ID       string `json:"macro_id"`
	Name     string
	Archived bool
	Version  int64
}

type view struct {
	ID         string `json:"ticket_id"`
	Status     string
	Resolution string
	Queue      string
	Agent      string
	Tags       []string
	Priority   int
	Version    int64
}

type world struct {
	*ticketstest.World
	t *testing.T
}

func start(t *testing.T) *world {
	t.Helper()
	return &world{ticketstest.Start(t), t}
}

// define defines a macro of the tenant pizza.
func (w *world) define(name string, actions ...body) (m macro) {
	w.t.Helper()
	w.Want(http.StatusCreated, http.MethodPost, "/v1/macros", w.Manager, body{"name": name, "actions": actions}, &m)
	return m
}

// open opens a ticket of the tenant pizza.
func (w *world) open() (v view) {
	w.t.Helper()
	w.Want(http.StatusCreated, http.MethodPost, "/v1/tickets", w.Agent,
		body{"kind": "incident", "channel": "email", "subject": "Two colas", "impact": 2, "urgency": 2, "tags": []string{"cola"}}, &v)
	return v
}

func (w *world) get(v view) (now view) {
	w.t.Helper()
	w.Want(http.StatusOK, http.MethodGet, "/v1/tickets/"+v.ID, w.Agent, nil, &now)
	return now
}

// said gives what was said on a ticket.
func (w *world) said(v view) (words []string) {
	w.t.Helper()
	var page struct {
		Items []struct{ Author, Words string }
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/tickets/"+v.ID+"/thread?internal=true", w.Agent, nil, &page)
	for _, p := range page.Items[1:] { // the first is its opening
		words = append(words, p.Author+": "+p.Words)
	}
	return words
}

func TestAMacroIsTakenAsAWhole(t *testing.T) {
	t.Parallel()
	w := start(t)
	m := w.define("A bottle  is missing",
		body{"do": "reply", "words": "Dear {{value.name}}, we send one for {{ticket.number}}. <b>{{agent}}</b>"}, body{"do": "note", "words": "As always."},
		body{"do": "tag", "add": []string{"short"}, "remove": []string{"cola"}}, body{"do": "assign", "queue": "second", "agent": "me"},
		body{"do": "classify", "urgency": 1}, body{"do": "status", "status": "resolved", "resolution": "solved"})
	if m.Name != "A bottle is missing" {
		t.Fatalf("%+v", m)
	}
	v := w.open()
	path := "/v1/tickets/" + v.ID + "/macros/" + m.ID
	values := body{"values": body{"name": "李雷"}}
	w.Want(http.StatusPreconditionRequired, http.MethodPost, path, w.Agent, values, nil)
	w.Want(http.StatusPreconditionFailed, http.MethodPost, path, w.Agent, values, nil, "If-Match", `"9"`)
	if got := w.Want(http.StatusUnprocessableEntity, http.MethodPost, path, w.Agent, body{}, nil, "If-Match", "*").Code(); got != "macro_value_missing" {
		t.Errorf("without a name: %s", got)
	}
	first := w.Want(http.StatusOK, http.MethodPost, path, w.Agent, values, nil, "If-Match", `"1"`, "Idempotency-Key", "apply-1")
	golden.JSON(t, "testdata/applied.json", first.Body)
	again := w.Want(http.StatusOK, http.MethodPost, path, w.Agent, values, nil, "If-Match", `"1"`, "Idempotency-Key", "apply-1")
	if string(first.Body) != string(again.Body) {
		t.Errorf("%s, then %s", first.Body, again.Body)
	}
	now := w.get(v)
	if now.Status != "resolved" || now.Resolution != "solved" || now.Queue != "second" || now.Agent != "agent@pizza" || !slices.Equal(now.Tags, []string{"short"}) || now.Priority != 2 {
		t.Errorf("%+v", now)
	}
	if got := w.said(v); !slices.Equal(got, []string{"agent: Dear 李雷, we send one for T-000001. <b>agent@pizza</b>", "note: As always."}) {
		t.Errorf("%q", got)
	}
	for _, e := range w.Events(1) {
		if strings.Contains(string(e.Data), "李雷") || strings.Contains(string(e.Data), "Dear") {
			t.Errorf("an event repeats what was said: %s", e.Data)
		}
	}
}

func TestOfAMacroThatIsRefusedNothingIsLeft(t *testing.T) {
	t.Parallel()
	w := start(t)
	v := w.open()
	for code, last := range map[string]body{
		"ticket_invalid": {"do": "classify", "category": "none-such"},
		"ticket_status":  {"do": "status", "status": "open"}, // after it was closed
	} {
		actions := []body{{"do": "reply", "words": "Dear you"}, {"do": "tag", "add": []string{"short"}}}
		if code == "ticket_status" {
			actions = append(actions, body{"do": "status", "status": "closed"})
		}
		m := w.define(code, append(actions, last)...)
		got := w.Do(http.MethodPost, "/v1/tickets/"+v.ID+"/macros/"+m.ID, w.Agent, body{}, "If-Match", "*")
		if got.Code() != code {
			t.Errorf("%s: %d %s", code, got.Status, got.Body)
		}
	}
	if now := w.get(v); now.Version != v.Version || now.Status != "new" || !slices.Equal(now.Tags, []string{"cola"}) || len(w.said(v)) != 0 {
		t.Errorf("%+v, %q", now, w.said(v))
	}
	if n := len(w.Events(1)); n != 1 { // that it was opened
		t.Errorf("%d events", n)
	}
}

func TestAStatusThatIsThereAlreadyStays(t *testing.T) {
	t.Parallel()
	w := start(t)
	m, v := w.define("wait", body{"do": "status", "status": "pending"}), w.open()
	for range 2 {
		w.Want(http.StatusOK, http.MethodPost, "/v1/tickets/"+v.ID+"/macros/"+m.ID, w.Agent, body{}, nil, "If-Match", "*")
	}
	if now := w.get(v); now.Status != "pending" {
		t.Errorf("%+v", now)
	}
}

func TestAMacroIsChangedAndArchived(t *testing.T) {
	t.Parallel()
	w := start(t)
	m := w.define("Waiting", body{"do": "status", "status": "pending"})
	note := []body{{"do": "note", "words": "x"}}
	if got := w.Want(http.StatusConflict, http.MethodPost, "/v1/macros", w.Manager, body{"name": " WAITING ", "actions": note}, nil).Code(); got != "macro_name_taken" {
		t.Errorf("%s", got)
	}
	path := "/v1/macros/" + m.ID
	w.Want(http.StatusOK, http.MethodPut, path, w.Manager, body{"name": "Waiting", "actions": note}, &m, "If-Match", `"1"`)
	golden.JSON(t, "testdata/macro.json", w.Want(http.StatusOK, http.MethodGet, path, w.Agent, nil, nil).Body)
	w.Want(http.StatusOK, http.MethodPost, path+"/archive", w.Manager, nil, nil, "If-Match", `"2"`)
	if got := w.Want(http.StatusConflict, http.MethodPut, path, w.Manager, body{"name": "x", "actions": note}, nil, "If-Match", "*").Code(); got != "macro_archived" {
		t.Errorf("%s", got)
	}
	v := w.open()
	if got := w.Want(http.StatusConflict, http.MethodPost, "/v1/tickets/"+v.ID+"/macros/"+m.ID, w.Agent, body{}, nil, "If-Match", "*").Code(); got != "macro_archived" {
		t.Errorf("%s", got)
	}
	w.define("waiting", note...) // its name is free
	var page struct{ Items []macro }
	for query, want := range map[string]string{"": "waiting", "?archived=true": "Waiting"} {
		w.Want(http.StatusOK, http.MethodGet, "/v1/macros"+query, w.Agent, nil, &page)
		if len(page.Items) != 1 || page.Items[0].Name != want {
			t.Errorf("%q: %+v", query, page.Items)
		}
	}
}

func TestTwoMacrosNamedAtOnceAreNotNamedAlike(t *testing.T) {
	t.Parallel()
	w := start(t)
	var wait sync.WaitGroup
	answers := make([]int, 6)
	for i := range answers {
		wait.Go(func() {
			answers[i] = w.Do(http.MethodPost, "/v1/macros", w.Manager, body{"name": "same", "actions": []body{{"do": "note", "words": "x"}}}).Status
		})
	}
	wait.Wait()
	if slices.Sort(answers); answers[0] != http.StatusCreated || answers[1] != http.StatusConflict || answers[5] != http.StatusConflict {
		t.Errorf("%v", answers)
	}
}

func TestNobodyUsesAnotherTenantsMacros(t *testing.T) {
	t.Parallel()
	w := start(t)
	m, v := w.define("x", body{"do": "note", "words": "x"}), w.open()
	music, boss := w.Token(auth.RoleAgent, "music"), w.Token(auth.RoleManager, "music")
	var mine view
	w.Want(http.StatusCreated, http.MethodPost, "/v1/tickets", music, body{"kind": "incident", "channel": "email", "subject": "mine", "impact": 2, "urgency": 2}, &mine)
	w.Want(http.StatusNotFound, http.MethodGet, "/v1/macros/"+m.ID, music, nil, nil)
	w.Want(http.StatusNotFound, http.MethodPut, "/v1/macros/"+m.ID, boss, body{"name": "y", "actions": []body{{"do": "note", "words": "x"}}}, nil, "If-Match", "*")
	w.Want(http.StatusNotFound, http.MethodPost, "/v1/tickets/"+mine.ID+"/macros/"+m.ID, music, body{}, nil, "If-Match", "*")
	w.Want(http.StatusNotFound, http.MethodPost, "/v1/tickets/"+v.ID+"/macros/"+m.ID, music, body{}, nil, "If-Match", "*")
	w.Want(http.StatusForbidden, http.MethodPost, "/v1/macros", w.Agent, body{"name": "y", "actions": []body{{"do": "note", "words": "x"}}}, nil)
	w.Want(http.StatusForbidden, http.MethodPost, "/v1/tickets/"+v.ID+"/macros/"+m.ID, w.Token(auth.RoleSales, "pizza"), body{}, nil, "If-Match", "*")
}

func TestMacrosRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := start(t)
	m, v := w.define("x", body{"do": "note", "words": "x"}), w.open()
	match := http.Header{"If-Match": {"*"}}
	target := func(change badinput.Target) badinput.Target { change.URL = w.URL; return change }
	badinput.Check(t, target(badinput.Target{Token: w.Manager, Method: http.MethodPost, Path: "/v1/macros", Replay: true,
		Fresh: func() string {
			return `{"name": "` + uuid.NewString() + `", "actions": [{"do": "note", "words": "x"}]}`
		},
		Body: `{"name": "y", "actions": [{"do": "note", "words": "x"}]}`, OtherBody: `{"name": "z", "actions": [{"do": "note", "words": "x"}]}`}))
	badinput.Check(t, target(badinput.Target{Token: w.Agent, Method: http.MethodGet, Path: "/v1/macros", List: true}))
	badinput.Check(t, target(badinput.Target{Token: w.Agent, Method: http.MethodGet, Path: "/v1/macros/" + m.ID, Owned: true}))
	badinput.Check(t, target(badinput.Target{Token: w.Manager, Method: http.MethodPut, Path: "/v1/macros/" + m.ID, Owned: true, Version: true, Header: match,
		Body: `{"name": "q", "actions": [{"do": "note", "words": "x"}]}`}))
	badinput.Check(t, target(badinput.Target{Token: w.Agent, Method: http.MethodPost, Path: "/v1/tickets/" + v.ID + "/macros/" + m.ID, Owned: true, Version: true,
		Header: match, Body: `{"values": {"name": "x"}}`}))
	for _, c := range []struct {
		actions any
		code    string
	}{
		{[]body{{"do": "dance"}}, "validation_failed"}, {[]body{}, "validation_failed"}, {[]body{{"do": "reply", "words": "{{customer}}"}}, "macro_invalid"},
		{[]body{{"do": "status", "status": "resolved"}}, "macro_invalid"}, {[]body{{"do": "classify", "impact": 4}}, "validation_failed"},
		{[]body{{"do": "note", "words": "x", "queue": "y"}}, "macro_invalid"},
	} {
		got := w.Want(http.StatusUnprocessableEntity, http.MethodPost, "/v1/macros", w.Manager, body{"name": "bad", "actions": c.actions}, nil)
		if got.Code() != c.code {
			t.Errorf("%v: %s", c.actions, got.Body)
		}
	}
}
