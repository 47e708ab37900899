package routing_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/routing"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

type body = ticketstest.Body

type list = []any

// office is a service in which the test says when routing works, and what time it is then.
type office struct {
	*ticketstest.World
	t      *testing.T
	router *routing.Routing
	ahead  atomic.Int64 // nanoseconds that the router's clock is ahead
}

func open(t *testing.T) *office {
	t.Helper()
	o := &office{World: ticketstest.Start(t), t: t}
	o.router = o.another()
	return o
}

// another is routing as another process does it.
func (o *office) another() *routing.Routing {
	return routing.New(o.DB, outbox.New("tickets"), "tickets", func() time.Time { return time.Now().Add(time.Duration(o.ahead.Load())) })
}

func (o *office) pass() {
	o.t.Helper()
	if err := o.router.Pass(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
}

// person gives a token of somebody of the tenant pizza.
func (o *office) person(subject string, roles ...string) string {
	if roles == nil {
		roles = []string{auth.RoleAgent}
	}
	return o.TokenFor(map[string]any{"subject": subject, "tenant": "pizza", "roles": roles})
}

func (o *office) put(path string, b body) {
	o.t.Helper()
	o.Want(http.StatusOK, http.MethodPut, path, o.Manager, b, nil, "If-Match", "*")
}

// agent makes an agent who is here.
func (o *office) agent(subject string, capacity int, queues ...string) {
	o.t.Helper()
	o.put("/v1/agents/"+subject, body{"capacity": capacity, "queues": append([]string{}, queues...)})
	o.Want(http.StatusOK, http.MethodPut, "/v1/agents/me/presence", o.person(subject), body{"presence": "available"}, nil)
}

// queues makes queues, and a rule that sends all tickets to the first.
func (o *office) queues(strategy string, codes ...string) {
	o.t.Helper()
	for _, code := range codes {
		o.put("/v1/queues/"+code, body{"title": code, "strategy": strategy})
	}
	o.put("/v1/routing-rules", body{"rules": list{body{"queue": codes[0]}}})
}

type hands struct {
	ID      string `json:"ticket_id"`
	Queue   string
	Agent   string
	Status  string
	Version int64
}

// ticket opens a ticket, and waits until routing has heard of it.
func (o *office) ticket(change ...body) hands {
	o.t.Helper()
	b := body{"kind": "incident", "channel": "phone", "subject": "x", "impact": 3, "urgency": 1}
	for _, c := range change {
		for key, value := range c {
			b[key] = value
		}
	}
	var h hands
	o.Want(http.StatusCreated, http.MethodPost, "/v1/tickets", o.Agent, b, &h)
	o.heard(h.ID)
	return h
}

func (o *office) heard(id string) {
	o.t.Helper()
	o.Eventually("routing hears of the ticket", func() bool {
		return o.Count(`SELECT count(*) FROM routing_wait WHERE ticket_id = $1 AND look_at IS NOT NULL`, id) == 1
	})
}

func (o *office) look(id string) (h hands) {
	o.t.Helper()
	o.Want(http.StatusOK, http.MethodGet, "/v1/tickets/"+id, o.Agent, nil, &h)
	return h
}

func (o *office) wants(id, queue, agent string) {
	o.t.Helper()
	if got := o.look(id); got.Queue != queue || got.Agent != agent {
		o.t.Errorf("the ticket is in %q with %q, not in %q with %q", got.Queue, got.Agent, queue, agent)
	}
}

func (o *office) move(id, status string) {
	o.t.Helper()
	b := body{"status": status}
	if status == "resolved" {
		b["resolution"] = "solved"
	}
	o.Want(http.StatusOK, http.MethodPost, "/v1/tickets/"+id+"/status", o.Agent, b, nil, "If-Match", "*")
}

func TestATicketFindsItsQueueAndItsAgent(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.put("/v1/skills/french", body{"title": "French"})
	o.queues("least_loaded", "all", "bills")
	o.put("/v1/routing-rules", body{"rules": list{
		body{"condition": `kind == "enquiry"`, "queue": "bills"},
		body{"condition": `"french" in tags`, "queue": "all", "skills": list{body{"skill": "french", "level": 2}}},
		body{"condition": `priority <= 3`, "queue": "all"},
	}})
	o.agent("ann", 5, "all")
	o.agent("ben", 5, "bills", "all")
	o.put("/v1/agents/ben", body{"capacity": 5, "queues": list{"bills", "all"}, "skills": list{body{"skill": "french", "level": 3}}})
	bill, french, other, none := o.ticket(body{"kind": "enquiry"}), o.ticket(body{"tags": list{"french"}}), o.ticket(), o.ticket(body{"impact": 3, "urgency": 3})
	o.pass()
	o.wants(bill.ID, "bills", "ben")
	o.wants(french.ID, "all", "ben")
	o.wants(other.ID, "all", "ann")
	o.wants(none.ID, "", "")
	events := o.EventsOf("TicketAssigned", 6) // each was put into its queue, and given to its agent
	for _, e := range events {
		if e.AggregateID == bill.ID && strings.Contains(string(e.Data), "ben") {
			golden.JSON(t, "testdata/ticket_assigned.json", e.Data)
		}
	}
	if n := o.Count(`SELECT count(*) FROM routing_wait`); n != 1 {
		t.Errorf("%d are remembered, though one waits", n)
	}

	// What no rule fits is looked at again when it or the rules change.
	o.Want(http.StatusOK, http.MethodPatch, "/v1/tickets/"+none.ID, o.Agent, body{"tags": list{"french"}}, nil, "If-Match", "*")
	if err := o.router.Again(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.pass()
	o.wants(none.ID, "all", "ben")
	lost := o.ticket(body{"impact": 3, "urgency": 3})
	o.pass()
	o.wants(lost.ID, "", "")
	o.put("/v1/routing-rules", body{"rules": list{body{"queue": "bills"}}})
	o.pass()
	o.wants(lost.ID, "bills", "ben")
}

// Tickets of a tenant that does not route are not looked at, and are found when it does.
func TestWhatWasOpenedBeforeThereWereRules(t *testing.T) {
	t.Parallel()
	o := open(t)
	h := o.ticket()
	o.pass()
	if n := o.Count(`SELECT count(*) FROM routing_wait WHERE look_at IS NULL`); n != 1 {
		t.Errorf("%d tickets rest", n)
	}
	o.queues("round_robin", "all")
	o.agent("ann", 1, "all")
	o.pass()
	o.wants(h.ID, "all", "ann")
	var e struct {
		Waiting bool
		Agent   string
		Agents  []struct{ Subject, Keeps string }
	}
	o.Want(http.StatusOK, http.MethodGet, "/v1/tickets/"+h.ID+"/routing", o.Agent, nil, &e)
	if e.Waiting || e.Agent != "ann" || len(e.Agents) != 1 || e.Agents[0].Keeps != "full" {
		t.Errorf("%+v", e)
	}
}

func TestCapacityAndPresence(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.queues("least_loaded", "all")
	o.agent("ann", 2, "all")
	var tickets []hands
	for range 3 {
		tickets = append(tickets, o.ticket())
	}
	o.pass()
	given := func() (ids []string) {
		for _, h := range tickets {
			if o.look(h.ID).Agent == "ann" {
				ids = append(ids, h.ID)
			}
		}
		return ids
	}
	held := given()
	if len(held) != 2 {
		t.Fatalf("she can have two, and has %d", len(held))
	}
	var a struct {
		Load     int
		Presence string
	}
	o.Want(http.StatusOK, http.MethodGet, "/v1/agents/me", o.person("ann"), nil, &a)
	if a.Load != 2 || a.Presence != "available" {
		t.Errorf("%+v", a)
	}
	var q struct{ Waiting int }
	o.Want(http.StatusOK, http.MethodGet, "/v1/queues/all", o.Agent, nil, &q)
	if q.Waiting != 1 {
		t.Errorf("%+v", q)
	}
	// A ticket that waits for the customer is no load; nor does it matter to whoever is away, or whose presence ended.
	o.move(held[0], "pending")
	o.Want(http.StatusOK, http.MethodPut, "/v1/agents/me/presence", o.person("ann"), body{"presence": "away"}, nil)
	o.pass()
	if got := given(); len(got) != 2 {
		t.Errorf("she is away, and has %d", len(got))
	}
	o.Want(http.StatusOK, http.MethodPut, "/v1/agents/ann/presence", o.Manager, body{"presence": "available", "seconds": 60}, nil)
	o.ahead.Store(int64(61 * time.Second))
	o.pass()
	if got := given(); len(got) != 2 {
		t.Errorf("her presence is over, and she has %d", len(got))
	}
	o.ahead.Store(0)
	o.pass()
	if got := given(); len(got) != 3 {
		t.Errorf("she is here, and has %d", len(got))
	}
}

func TestTheMostUrgentIsGivenFirst(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.queues("round_robin", "all")
	o.Want(http.StatusCreated, http.MethodPost, "/v1/sla-policies", o.Manager, body{"name": "all", "position": 1,
		"targets": body{"p1": body{"resolution_seconds": 3600}, "p5": body{"resolution_seconds": 7200}}}, nil)
	late, none, soon := o.ticket(body{"impact": 3, "urgency": 3}), o.ticket(body{"impact": 2, "urgency": 2}), o.ticket(body{"impact": 1, "urgency": 1})
	o.pass()
	o.agent("ann", 1, "all")
	for _, want := range []hands{soon, late, none} {
		o.pass()
		o.wants(want.ID, "all", "ann")
		o.move(want.ID, "resolved")
	}
}

func TestATicketThatWaitsTooLongGoesElsewhere(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.queues("round_robin", "first", "second", "third")
	o.put("/v1/queues/second", body{"title": "second", "strategy": "round_robin", "overflow_seconds": 600, "overflow_to": "third"})
	o.put("/v1/queues/first", body{"title": "first", "strategy": "round_robin", "overflow_seconds": 60, "overflow_to": "second"})
	o.agent("ann", 5, "third")
	h := o.ticket()
	for _, step := range []struct {
		ahead        time.Duration
		queue, agent string
	}{
		{0, "first", ""}, {50 * time.Second, "first", ""}, {70 * time.Second, "second", ""}, {600 * time.Second, "second", ""}, {700 * time.Second, "third", ""},
	} {
		o.ahead.Store(int64(step.ahead))
		o.pass()
		if step.queue == "third" {
			step.agent = "ann"
		}
		o.wants(h.ID, step.queue, step.agent)
	}
	for _, e := range o.EventsOf("TicketAssigned", 4) {
		if told := string(e.Data); strings.Contains(told, `"second"`) != strings.Contains(told, `"overflow"`) && !strings.Contains(told, `"third"`) {
			t.Errorf("%s", told)
		}
	}

	// By a calendar in business time: this one opens on one minute a week, so that a minute of it does not pass at once.
	var c struct {
		ID string `json:"calendar_id"`
	}
	day := strings.ToLower(time.Now().UTC().AddDate(0, 0, 3).Weekday().String())
	o.Want(http.StatusCreated, http.MethodPost, "/v1/calendars", o.Manager, body{"name": "x", "time_zone": "UTC",
		"week": body{day: list{body{"from": "12:00", "to": "12:01"}}}}, &c)
	o.put("/v1/queues/first", body{"title": "first", "strategy": "round_robin", "overflow_seconds": 60, "overflow_to": "second", "calendar_id": c.ID})
	h = o.ticket()
	o.ahead.Store(0)
	o.pass()
	o.ahead.Store(int64(24 * time.Hour))
	o.pass()
	o.wants(h.ID, "first", "")
	o.ahead.Store(int64(96 * time.Hour))
	o.pass()
	o.wants(h.ID, "second", "")
	// Queue changes are felt by what waits already.
	o.put("/v1/queues/second", body{"title": "second", "strategy": "round_robin", "overflow_seconds": 1, "overflow_to": "third"})
	o.ahead.Store(int64(97 * time.Hour))
	o.pass()
	o.wants(h.ID, "third", "")
}

func TestAReopenedTicketComesBackToWhoIsThere(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.queues("round_robin", "all")
	o.agent("ann", 5, "all")
	kept, lost := o.ticket(), o.ticket()
	o.pass()
	reopen := func(id string) {
		o.move(id, "resolved")
		o.move(id, "open")
		o.heard(id)
		o.pass()
	}
	reopen(kept.ID)
	o.wants(kept.ID, "all", "ann")
	o.Want(http.StatusOK, http.MethodPut, "/v1/agents/me/presence", o.person("ann"), body{"presence": "offline"}, nil)
	reopen(lost.ID)
	o.wants(lost.ID, "all", "")
	o.agent("ben", 5, "all")
	o.pass()
	o.wants(lost.ID, "all", "ben")
}

func TestPeopleTakeGiveBackAndHandOn(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.queues("pull", "all", "bills")
	ann, ben := o.person("ann"), o.person("ben")
	first, second := o.ticket(), o.ticket()
	o.pass()
	o.wants(first.ID, "all", "")

	var h hands
	o.Want(http.StatusOK, http.MethodPost, "/v1/tickets/"+first.ID+"/pull", ann, nil, &h)
	if h.Agent != "ann" || h.Queue != "all" {
		t.Errorf("%+v", h)
	}
	o.Want(http.StatusOK, http.MethodPost, "/v1/tickets/"+first.ID+"/pull", ann, nil, &h) // it is hers already
	taken := o.Want(http.StatusConflict, http.MethodPost, "/v1/tickets/"+first.ID+"/pull", ben, nil, nil)
	if taken.Code() != "ticket_taken" {
		t.Errorf("%s", taken.Body)
	}
	o.Want(http.StatusOK, http.MethodPost, "/v1/queues/all/pull", ben, nil, &h, "Idempotency-Key", "k")
	if h.ID != second.ID || h.Agent != "ben" {
		t.Errorf("%+v", h)
	}
	again := o.Want(http.StatusOK, http.MethodPost, "/v1/queues/all/pull", ben, nil, &h, "Idempotency-Key", "k")
	if h.ID != second.ID {
		t.Errorf("%+v %v", h, again.Header)
	}
	empty := o.Want(http.StatusConflict, http.MethodPost, "/v1/queues/all/pull", ben, nil, nil)
	if empty.Code() != "queue_empty" {
		t.Errorf("%s", empty.Body)
	}
	o.Want(http.StatusNotFound, http.MethodPost, "/v1/queues/none/pull", ben, nil, nil)

	not := o.Want(http.StatusForbidden, http.MethodPost, "/v1/tickets/"+first.ID+"/release", ben, nil, nil)
	if not.Code() != "ticket_of_another" {
		t.Errorf("%s", not.Body)
	}
	o.Want(http.StatusOK, http.MethodPost, "/v1/tickets/"+first.ID+"/release", ann, nil, &h)
	o.Want(http.StatusOK, http.MethodPost, "/v1/tickets/"+second.ID+"/release", o.Manager, nil, &h)
	if h.Agent != "" || h.Queue != "all" {
		t.Errorf("%+v", h)
	}
	o.pass()
	o.Want(http.StatusOK, http.MethodPost, "/v1/queues/all/pull", ann, nil, &h) // not the one that she gave back
	if h.ID != second.ID {
		t.Errorf("%+v", h)
	}

	hand := "/v1/tickets/" + second.ID + "/assign"
	o.Want(http.StatusPreconditionRequired, http.MethodPost, hand, ann, body{"queue": "bills"}, nil)
	o.Want(http.StatusPreconditionFailed, http.MethodPost, hand, ann, body{"queue": "bills"}, nil, "If-Match", `"1"`)
	o.Want(http.StatusOK, http.MethodPost, hand, ann, body{"queue": "bills"}, &h, "If-Match", fmt.Sprintf("%q", fmt.Sprint(h.Version)))
	if h.Queue != "bills" || h.Agent != "" {
		t.Errorf("%+v", h)
	}
	o.agent("cyd", 0, "all") // room is not asked for
	o.Want(http.StatusOK, http.MethodPost, hand, ann, body{"agent": "cyd"}, &h, "If-Match", "*")
	if h.Queue != "bills" || h.Agent != "cyd" {
		t.Errorf("%+v", h)
	}
	for _, b := range []body{{"queue": "none"}, {"agent": "nobody"}} {
		o.Want(http.StatusUnprocessableEntity, http.MethodPost, hand, ann, b, nil, "If-Match", "*")
	}
	o.move(second.ID, "closed")
	for _, action := range []string{"pull", "release"} {
		closed := o.Want(http.StatusConflict, http.MethodPost, "/v1/tickets/"+second.ID+"/"+action, o.person("cyd"), nil, nil)
		if code := closed.Code(); code != "ticket_closed" {
			t.Errorf("%s: %s", action, closed.Body)
		}
	}
	o.move(first.ID, "resolved")
	o.Want(http.StatusConflict, http.MethodPost, "/v1/tickets/"+first.ID+"/pull", ann, nil, nil)
}

func TestWhoGaveATicketBackDoesNotGetItAgain(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.queues("round_robin", "all")
	o.agent("ann", 5, "all")
	h := o.ticket()
	o.pass()
	o.wants(h.ID, "all", "ann")
	o.Want(http.StatusOK, http.MethodPost, "/v1/tickets/"+h.ID+"/release", o.person("ann"), nil, nil)
	o.pass()
	o.wants(h.ID, "all", "")
	var e struct {
		Waiting bool
		Rule    int
		Agents  []struct{ Subject, Keeps string }
	}
	o.Want(http.StatusOK, http.MethodGet, "/v1/tickets/"+h.ID+"/routing", o.Agent, nil, &e)
	if !e.Waiting || e.Rule != 1 || len(e.Agents) != 1 || e.Agents[0].Keeps != "gave_back" {
		t.Errorf("%+v", e)
	}
	o.agent("ben", 5, "all")
	o.pass()
	o.wants(h.ID, "all", "ben")
}

func TestRoutingKeepsTenantsApart(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.queues("round_robin", "all")
	o.agent("ann", 5, "all")
	music := o.Token(auth.RoleAdmin, "music")
	var h hands
	o.Want(http.StatusCreated, http.MethodPost, "/v1/tickets", music, body{"kind": "incident", "channel": "phone", "subject": "x", "impact": 3, "urgency": 1}, &h)
	o.heard(h.ID)
	mine := o.ticket()
	o.pass()
	o.wants(mine.ID, "all", "ann")
	var theirs hands
	o.Want(http.StatusOK, http.MethodGet, "/v1/tickets/"+h.ID, music, nil, &theirs)
	if theirs.Queue != "" || theirs.Agent != "" {
		t.Errorf("%+v", theirs)
	}
	for _, path := range []string{"/v1/queues/all", "/v1/agents/ann", "/v1/tickets/" + mine.ID + "/routing"} {
		o.Want(http.StatusNotFound, http.MethodGet, path, music, nil, nil)
	}
	var rules struct{ Rules list }
	o.Want(http.StatusOK, http.MethodGet, "/v1/routing-rules", music, nil, &rules)
	if len(rules.Rules) != 0 {
		t.Errorf("%v", rules)
	}
	o.Want(http.StatusNotFound, http.MethodPost, "/v1/tickets/"+mine.ID+"/pull", music, nil, nil)
}

func TestConfigurationThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.put("/v1/skills/french", body{"title": "French"})
	o.put("/v1/skills/latin", body{"title": "Latin", "archived": true})
	o.queues("pull", "all", "more", "old")
	o.put("/v1/queues/more", body{"title": "more", "strategy": "pull", "overflow_seconds": 60, "overflow_to": "all"})
	o.put("/v1/queues/old", body{"title": "old", "strategy": "pull", "archived": true})
	queue := func(change body) body {
		b := body{"title": "x", "strategy": "pull"}
		for key, value := range change {
			b[key] = value
		}
		return b
	}
	skill := func(code string, level int) list { return list{body{"skill": code, "level": level}} }
	for _, c := range []struct {
		path     string
		body     body
		location string
	}{
		{"/v1/skills/UPPER", body{"title": "x"}, "body.code"}, {"/v1/skills/x", body{"title": " "}, "body.title"},
		{"/v1/queues/all", queue(body{"strategy": "lottery"}), "body.strategy"},
		{"/v1/queues/all", queue(body{"overflow_seconds": 60}), "body.overflow_to"},
		{"/v1/queues/all", queue(body{"overflow_to": "more"}), "body.overflow_to"},
		{"/v1/queues/all", queue(body{"overflow_seconds": 60, "overflow_to": "all"}), "body.overflow_to"},
		{"/v1/queues/all", queue(body{"overflow_seconds": 60, "overflow_to": "more"}), "body.overflow_to"}, // and back
		{"/v1/queues/all", queue(body{"overflow_seconds": 60, "overflow_to": "none"}), "body.overflow_to"},
		{"/v1/queues/all", queue(body{"overflow_seconds": 60, "overflow_to": "old"}), "body.overflow_to"},
		{"/v1/queues/all", queue(body{"overflow_seconds": -1, "overflow_to": "more"}), "body.overflow_seconds"},
		{"/v1/queues/all", queue(body{"calendar_id": uuid.NewString()}), "body.calendar_id"},
		{"/v1/queues/all", queue(body{"skills": skill("none", 1)}), "body.skills[0].skill"},
		{"/v1/queues/all", queue(body{"skills": skill("latin", 1)}), "body.skills[0].skill"},
		{"/v1/queues/all", queue(body{"skills": skill("french", 6)}), "body.skills[0].level"},
		{"/v1/queues/all", queue(body{"skills": append(skill("french", 1), skill("french", 2)...)}), "body.skills[1].skill"},
		{"/v1/agents/ann", body{"capacity": -1, "queues": list{}}, "body.capacity"}, {"/v1/agents/ann", body{"capacity": 1001, "queues": list{}}, "body.capacity"},
		{"/v1/agents/ann", body{"capacity": 1, "queues": list{"none"}}, "body.queues[0]"}, {"/v1/agents/ann", body{"capacity": 1, "queues": list{"old"}}, "body.queues[0]"},
		{"/v1/agents/" + strings.Repeat("x", 201), body{"capacity": 1, "queues": list{}}, "path.subject"},
		{"/v1/agents/ann", body{"capacity": 1, "queues": list{}, "skills": skill("none", 1)}, "body.skills[0].skill"},
		{"/v1/routing-rules", body{"rules": list{body{"queue": "none"}}}, "body.rules[0].queue"}, {"/v1/routing-rules", body{"rules": list{body{"queue": "old"}}}, "body.rules[0].queue"},
		{"/v1/routing-rules", body{"rules": list{body{"queue": "all"}, body{"queue": "all", "condition": "kind =="}}}, "body.rules[1].condition"},
		{"/v1/routing-rules", body{"rules": list{body{"queue": "all", "condition": "priority"}}}, "body.rules[0].condition"},
		{"/v1/routing-rules", body{"rules": list{body{"queue": "all", "condition": "tags.all(a, tags.all(b, tags.all(c, tags.all(d, a == b && c == d))))"}}}, "body.rules[0].condition"},
	} {
		answer := o.Want(http.StatusUnprocessableEntity, http.MethodPut, c.path, o.Manager, c.body, nil, "If-Match", "*")
		var p struct{ Errors []struct{ Location string } }
		answer.Decode(t, &p)
		if !slices.ContainsFunc(p.Errors, func(e struct{ Location string }) bool { return e.Location == c.location }) {
			t.Errorf("%s %v: %s", c.path, c.body, answer.Body)
		}
	}
	used := o.Want(http.StatusConflict, http.MethodPut, "/v1/queues/all", o.Manager, queue(body{"archived": true}), nil, "If-Match", "*")
	if used.Code() != "queue_in_use" {
		t.Errorf("%s", used.Body)
	}
	o.Want(http.StatusForbidden, http.MethodPut, "/v1/queues/all", o.Agent, queue(nil), nil, "If-Match", "*")
	o.Want(http.StatusNotFound, http.MethodPut, "/v1/agents/me/presence", o.Agent, body{"presence": "available"}, nil)
	o.agent("ann", 1)
	for _, b := range []body{{"presence": "asleep"}, {"presence": "away", "seconds": 86401}, {"presence": "away", "seconds": 0}} {
		o.Want(http.StatusUnprocessableEntity, http.MethodPut, "/v1/agents/me/presence", o.person("ann"), b, nil)
	}
}

func TestConfigurationIsKept(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.put("/v1/skills/french", body{"title": " French "})
	o.queues("best_skill", "all", "more")
	o.put("/v1/queues/all", body{"title": "All", "strategy": "best_skill", "overflow_seconds": 60, "overflow_to": "more", "skills": list{body{"skill": "french", "level": 2}}})
	o.put("/v1/agents/ann", body{"capacity": 7, "queues": list{"more", "all", "all"}, "skills": list{body{"skill": "french", "level": 2}}})
	o.put("/v1/routing-rules", body{"rules": list{body{"condition": ` kind == "incident" `, "queue": "more", "skills": list{body{"skill": "french", "level": 1}}}, body{"queue": "all"}}})
	for name, path := range map[string]string{"skill": "/v1/skills/french", "queue": "/v1/queues/all", "agent": "/v1/agents/ann", "rules": "/v1/routing-rules"} {
		golden.JSON(t, "testdata/"+name+".json", o.Want(http.StatusOK, http.MethodGet, path, o.Agent, nil, nil).Body)
	}
	// The same again is no other version; another is made once.
	var v struct{ Version int64 }
	same := body{"capacity": 7, "queues": list{"all", "more"}, "skills": list{body{"skill": "french", "level": 2}}}
	o.Want(http.StatusOK, http.MethodPut, "/v1/agents/ann", o.Manager, same, &v, "If-Match", `"1"`)
	if v.Version != 1 {
		t.Errorf("%+v", v)
	}
	for _, path := range []string{"/v1/agents/ben", "/v1/queues/new", "/v1/skills/new"} {
		b := map[string]body{"/v1/agents/ben": same, "/v1/queues/new": {"title": "x", "strategy": "pull"}, "/v1/skills/new": {"title": "x"}}[path]
		o.Want(http.StatusPreconditionRequired, http.MethodPut, path, o.Manager, b, nil)
		o.Want(http.StatusPreconditionFailed, http.MethodPut, path, o.Manager, b, nil, "If-Match", `"1"`)
		o.Want(http.StatusOK, http.MethodPut, path, o.Manager, b, &v, "If-Match", `"0"`)
		o.Want(http.StatusPreconditionFailed, http.MethodPut, path, o.Manager, b, nil, "If-Match", `"0"`)
		if v.Version != 1 {
			t.Errorf("%s: %+v", path, v)
		}
	}
	o.Want(http.StatusOK, http.MethodPut, "/v1/agents/me", o.Manager, same, nil, "If-Match", `"0"`)
	if n := o.Count(`SELECT count(*) FROM routing_agent WHERE subject = 'manager@pizza'`); n != 1 {
		t.Errorf("the caller is %d agents", n)
	}
	var page struct{ Items list }
	o.Want(http.StatusOK, http.MethodGet, "/v1/queues?limit=2", o.Agent, nil, &page)
	if len(page.Items) != 2 {
		t.Errorf("%+v", page)
	}
}

func TestRoutingRefusesBadInput(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.queues("pull", "all")
	o.agent("ann", 1, "all")
	h := o.ticket()
	match := http.Header{"If-Match": {"*"}}
	director := o.person("ann", auth.RoleAdmin)
	queue := `{"title":"x","strategy":"pull"}`
	for name, target := range map[string]badinput.Target{
		"list skills":  {Method: http.MethodGet, Path: "/v1/skills", List: true},
		"put skill":    {Method: http.MethodPut, Path: "/v1/skills/french", Body: `{"title":"French"}`, Version: true, Header: match},
		"list queues":  {Method: http.MethodGet, Path: "/v1/queues", List: true},
		"get queue":    {Method: http.MethodGet, Path: "/v1/queues/all", Owned: true},
		"put queue":    {Method: http.MethodPut, Path: "/v1/queues/all", Body: queue, Version: true, Header: match},
		"list agents":  {Method: http.MethodGet, Path: "/v1/agents", List: true},
		"get agent":    {Method: http.MethodGet, Path: "/v1/agents/ann", Owned: true},
		"put agent":    {Method: http.MethodPut, Path: "/v1/agents/ann", Body: `{"capacity":1,"queues":["all"]}`, Version: true, Header: match},
		"presence":     {Method: http.MethodPut, Path: "/v1/agents/ann/presence", Body: `{"presence":"away"}`, Owned: true},
		"own presence": {Method: http.MethodPut, Path: "/v1/agents/me/presence", Body: `{"presence":"away"}`},
		"get rules":    {Method: http.MethodGet, Path: "/v1/routing-rules"},
		"put rules":    {Method: http.MethodPut, Path: "/v1/routing-rules", Body: `{"rules":[{"queue":"all"}]}`, Version: true, Header: match},
		"pull":         {Method: http.MethodPost, Path: "/v1/tickets/" + h.ID + "/pull", Owned: true, Replay: true},
		"explain":      {Method: http.MethodGet, Path: "/v1/tickets/" + h.ID + "/routing", Owned: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = o.URL, director
			badinput.Check(t, target)
		})
	}
	t.Run("assign", func(t *testing.T) {
		badinput.Check(t, badinput.Target{URL: o.URL, Token: director, Method: http.MethodPost, Path: "/v1/tickets/" + h.ID + "/assign", Body: `{"agent":"ann"}`, Version: true, Owned: true, Header: match})
	})
	t.Run("release", func(t *testing.T) {
		badinput.Check(t, badinput.Target{URL: o.URL, Token: director, Method: http.MethodPost, Path: "/v1/tickets/" + h.ID + "/release", Owned: true})
	})
}

// many opens tickets without asking for each.
func (o *office) many(n int) {
	o.t.Helper()
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			for range n / 4 {
				b := body{"kind": "incident", "channel": "phone", "subject": "x", "impact": 3, "urgency": 1}
				if answer := o.Do(http.MethodPost, "/v1/tickets", o.Agent, b); answer.Status != http.StatusCreated {
					o.t.Errorf("%d %s", answer.Status, answer.Body)
				}
			}
		})
	}
	wait.Wait()
	o.Eventually("routing hears of all tickets", func() bool {
		return o.Count(`SELECT count(*) FROM ticket t WHERE EXISTS (SELECT FROM routing_wait w WHERE w.ticket_id = t.id) OR queue <> ''`) == int64(n)
	})
}

// once fails where a ticket was put into a queue, or given to somebody, more or less often than once.
func (o *office) once(n int) {
	o.t.Helper()
	o.Eventually("everything is given", func() bool {
		o.pass()
		return o.Count(`SELECT count(*) FROM ticket WHERE agent <> ''`) == int64(n)
	})
	if got := o.Count(`SELECT count(*) FROM ticket_history WHERE what = 'assigned' AND agent <> ''`); got != int64(n) {
		o.t.Errorf("%d tickets were given %d times", n, got)
	}
	if got := o.Count(`SELECT count(*) FROM ticket_history WHERE what = 'assigned' AND agent = ''`); got != int64(n) {
		o.t.Errorf("%d tickets were put into a queue %d times", n, got)
	}
	if got := o.Count(`SELECT count(*) FROM routing_wait w JOIN ticket t ON t.id = w.ticket_id WHERE t.agent <> '' AND w.look_at IS NULL`); got != 0 {
		o.t.Errorf("%d that do not wait are remembered for ever", got)
	}
}

// Three processes give tickets out, while people take some, and the database ends connections under all of them.
func TestNothingIsGivenTwice(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.queues("round_robin", "all")
	const tickets, capacity = 60, 7
	for n := range 10 {
		o.agent(fmt.Sprintf("agent%d", n), capacity, "all")
	}
	o.many(tickets)
	ctx, stop := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	for range 3 {
		router := o.another()
		wait.Go(func() {
			for ctx.Err() == nil {
				_ = router.Pass(ctx) // what fails is tried again
			}
		})
	}
	var pulled atomic.Int64
	for n := range 3 {
		token := o.person(fmt.Sprintf("puller%d", n))
		wait.Go(func() {
			for range 5 {
				if o.Do(http.MethodPost, "/v1/queues/all/pull", token, nil).Status == http.StatusOK {
					pulled.Add(1)
				}
			}
		})
	}
	wait.Go(func() {
		for range 15 {
			if _, err := o.Database.Terminate(ctx, pg.App); err != nil && ctx.Err() == nil {
				t.Errorf("ending connections: %v", err)
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	o.Eventually("everything is given, whatever was lost", func() bool {
		var left int64 = -1
		_ = o.Database.DB(pg.Ops).System(ctx, func(tx *pg.Tx) error {
			return tx.QueryRow(ctx, `SELECT count(*) FROM ticket WHERE agent = ''`).Scan(&left)
		})
		return left == 0
	})
	stop()
	wait.Wait()
	o.once(tickets)
	if most := o.Count(`SELECT max(n) FROM (SELECT count(*) AS n FROM ticket WHERE agent LIKE 'agent%' GROUP BY agent) x`); most > capacity {
		t.Errorf("somebody has %d, more than %d", most, capacity)
	}
}

// Somebody takes a ticket in the very moment in which it is about to be given to somebody else.
func TestWhoWasQuickerKeepsTheTicket(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.queues("round_robin", "all")
	h := o.ticket()
	o.pass()
	o.agent("ann", 5, "all")
	var wait sync.WaitGroup
	err := o.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		if _, err := tx.ExecNow(t.Context(), `UPDATE ticket SET agent = 'eve' WHERE tenant_id = 'pizza' AND id = $1`, h.ID); err != nil {
			return err
		}
		wait.Go(o.pass)
		o.Eventually("routing waits for the ticket", func() bool {
			return o.Count(`SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted AND l.locktype = 'transactionid' AND a.datname = current_database()`) > 0
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wait.Wait()
	o.wants(h.ID, "all", "eve")
}

// Loads are counted by one process at a time: another one leaves the tenant to it.
func TestOneProcessAtATimeWorksOnATenant(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.queues("round_robin", "all")
	o.agent("ann", 5, "all")
	h := o.ticket()
	err := o.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		if _, err := tx.ExecNow(t.Context(), `SELECT pg_advisory_xact_lock(hashtextextended('routing' || chr(31) || $1, 0))`, "pizza"); err != nil {
			return err
		}
		o.pass()
		o.wants(h.ID, "", "")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	o.pass()
	o.wants(h.ID, "all", "ann")
}

// The same events come again, all of them, and late: they change nothing.
func TestEventsThatComeAgainChangeNothing(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.queues("least_loaded", "all")
	o.agent("ann", 100, "all")
	o.many(12)
	o.once(12)
	told := o.Events(12 + 24)
	o.Eventually("routing has heard all of it", func() bool {
		return o.Count(`SELECT count(*) FROM inbox_seen WHERE consumer = 'routing'`) == int64(len(told))
	})
	if n := o.Count(`SELECT count(*) FROM routing_wait`); n != 0 {
		t.Errorf("%d are remembered, though none waits", n)
	}
	for i := range told {
		told[i].ID = uuid.New() // as if nobody knew that they were heard
	}
	slices.Reverse(told)
	o.Publish("tickets", told...)
	o.Eventually("all of it comes again", func() bool {
		return o.Count(`SELECT count(*) FROM inbox_seen WHERE consumer = 'routing'`) == int64(2*len(told))
	})
	o.once(12)
	if n := o.Count(`SELECT count(*) FROM routing_wait`); n != 0 {
		t.Errorf("%d are remembered, though none waits", n)
	}
}
