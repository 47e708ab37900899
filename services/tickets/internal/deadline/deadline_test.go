package deadline_test

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

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/deadline"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

type body = ticketstest.Body

type list = []any

// desk is a service with a calendar of working days from 9 to 12 and from 13 to 18 in Shanghai, and somebody who may say
// when things happened.
type desk struct {
	*ticketstest.World
	t        *testing.T
	feed     string // token
	calendar string
	watch    *deadline.Deadlines
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	w := ticketstest.Start(t)
	d := &desk{World: w, t: t, feed: w.Token(auth.RoleAdmin, "pizza"), watch: deadline.New(w.DB, outbox.New("tickets"), time.Now)}
	var made struct {
		ID string `json:"calendar_id"`
	}
	d.Want(http.StatusCreated, http.MethodPost, "/v1/calendars", d.feed, office(), &made)
	d.calendar = made.ID
	return d
}

// office is the body of the calendar, with holidays.
func office(holidays ...string) body {
	day := list{body{"from": "09:00", "to": "12:00"}, body{"from": "13:00", "to": "18:00"}}
	b := body{"name": "Office", "time_zone": "Asia/Shanghai",
		"week": body{"monday": day, "tuesday": day, "wednesday": day, "thursday": day, "friday": day}}
	var dates list
	for _, h := range holidays {
		dates = append(dates, body{"date": h})
	}
	if len(dates) > 0 {
		b["years"] = list{body{"year": 2026, "holidays": dates}}
	}
	return b
}

// promise makes a policy of the calendar: an hour, two, and a day of eight, of business time.
func (d *desk) promise(change body) (id string) {
	d.t.Helper()
	target := body{"first_response_seconds": 3600, "next_response_seconds": 7200, "resolution_seconds": 28800}
	b := body{"name": "Standard", "position": 1, "calendar_id": d.calendar, "targets": body{"p1": target, "p2": target, "p3": target, "p4": target, "p5": target}}
	for k, v := range change {
		b[k] = v
	}
	var made struct {
		ID string `json:"policy_id"`
	}
	d.Want(http.StatusCreated, http.MethodPost, "/v1/sla-policies", d.feed, b, &made)
	return made.ID
}

// shanghai reads what clocks in Shanghai show, such as 2026-03-02 09:00.
func shanghai(s string) time.Time {
	at, err := time.Parse("2006-01-02 15:04 -0700", s+" +0800")
	if err != nil {
		panic(err)
	}
	return at
}

type ticket struct {
	ID      string     `json:"ticket_id"`
	Number  string     `json:"number"`
	Due     *time.Time `json:"next_due_at"`
	Clock   string     `json:"next_clock"`
	Version int64
	Status  string
	Queue   string
	Agent   string
	Prio    int `json:"priority"`
}

func (d *desk) open(at string) (t ticket) {
	d.t.Helper()
	d.Want(http.StatusCreated, http.MethodPost, "/v1/tickets", d.feed, body{
		"kind": "incident", "channel": "email", "subject": "Two colas are missing", "impact": 2, "urgency": 2, "opened_at": shanghai(at)}, &t)
	return t
}

func (d *desk) get(t ticket) (now ticket) {
	d.t.Helper()
	d.Want(http.StatusOK, http.MethodGet, "/v1/tickets/"+t.ID, d.feed, nil, &now)
	return now
}

func (d *desk) say(t ticket, author, at string) {
	d.t.Helper()
	d.Want(http.StatusCreated, http.MethodPost, "/v1/tickets/"+t.ID+"/replies", d.feed, body{"author": author, "words": "x", "at": shanghai(at)}, nil, "If-Match", "*")
}

func (d *desk) move(t ticket, status, at string) {
	d.t.Helper()
	b := body{"status": status, "at": shanghai(at)}
	if status == "resolved" {
		b["resolution"] = "solved"
	}
	d.Want(http.StatusOK, http.MethodPost, "/v1/tickets/"+t.ID+"/status", d.feed, b, nil, "If-Match", "*")
}

type clock struct {
	Clock, State string
	Round        int
	Due          *time.Time  `json:"due_at"`
	Used         json.Number `json:"used_minutes"`
	Difference   json.Number `json:"difference_minutes"`
	Worked       []struct{ From, To time.Time }
}

type explained struct {
	Status   string
	Next     *struct{ Clock string }
	Policy   struct{ Version int64 }
	Calendar struct{ Version int64 }
	Clocks   []clock
}

// explain gives the clocks as they stood at an instant, as lines.
func (d *desk) explain(t ticket, at string) []string {
	d.t.Helper()
	var e explained
	d.Want(http.StatusOK, http.MethodGet, "/v1/tickets/"+t.ID+"/sla?at="+shanghai(at).UTC().Format(time.RFC3339), d.Agent, nil, &e)
	var lines []string
	for _, c := range e.Clocks {
		due := "-"
		if c.Due != nil {
			due = c.Due.In(time.FixedZone("", 8*3600)).Format("2006-01-02 15:04")
		}
		lines = append(lines, fmt.Sprintf("%s %d %s due %s used %s left %s", c.Clock, c.Round, c.State, due, c.Used, c.Difference))
	}
	if e.Next != nil {
		lines = append(lines, "next "+e.Next.Clock)
	}
	return lines
}

func (d *desk) scan(at string) {
	d.t.Helper()
	if err := d.watch.At(shanghai(at)).Scan(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) recompute() {
	d.t.Helper()
	if err := d.watch.Recompute(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
}

// events gives the events of a kind that were told so far.
func (d *desk) events(name string) (all []bus.Event) {
	d.t.Helper()
	d.Eventually("all events are published", func() bool { return d.Count(`SELECT count(*) FROM outbox`) == 0 })
	for _, e := range d.Events(0) {
		if strings.HasSuffix(e.Type, "."+name) {
			all = append(all, e)
		}
	}
	return all
}

func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestGivenTimesGiveDeadlinesAndDifferences(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.promise(nil)
	one := d.open("2026-03-02 11:30")
	if want := shanghai("2026-03-02 13:30"); one.Due == nil || !one.Due.Equal(want) || one.Clock != "first_response" {
		t.Errorf("next is %v %s", one.Due, one.Clock)
	}
	wantLines(t, d.explain(one, "2026-03-02 13:20"),
		"first_response 1 about_to_breach due 2026-03-02 13:30 used 50.00 left 10.00",
		"resolution 1 pending due 2026-03-03 11:30 used 50.00 left 430.00", "next first_response")
	d.say(one, "agent", "2026-03-02 13:31")
	d.say(one, "customer", "2026-03-02 17:00")
	d.move(one, "pending", "2026-03-03 09:30")
	wantLines(t, d.explain(one, "2026-03-03 09:45"),
		"first_response 1 breached due 2026-03-02 13:30 used 61.00 left -1.00",
		"next_response 1 about_to_breach due 2026-03-03 10:00 used 105.00 left 15.00",
		"resolution 1 paused due - used 360.00 left 120.00", "next next_response")
	d.say(one, "agent", "2026-03-03 09:50")
	if now := d.get(one); now.Status == "pending" && now.Due != nil {
		t.Errorf("with all paused, %v is due", now.Due)
	}
	wantLines(t, d.explain(one, "2026-03-02 11:30"), // as it stood then
		"first_response 1 pending due 2026-03-02 13:30 used 0.00 left 60.00",
		"resolution 1 pending due 2026-03-03 11:30 used 0.00 left 480.00", "next first_response")
	d.Want(http.StatusNotFound, http.MethodGet, "/v1/tickets/"+one.ID+"/sla", d.Token(auth.RoleAgent, "music"), nil, nil)
}

func TestEachDeadlineIsExplained(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.promise(nil)
	one := d.open("2026-03-06 17:30")
	d.move(one, "pending", "2026-03-09 09:15")
	d.move(one, "open", "2026-03-09 11:00")
	got := d.Want(http.StatusOK, http.MethodGet, "/v1/tickets/"+one.ID+"/sla?at=2026-03-09T04:00:00Z", d.Agent, nil, nil)
	golden.JSON(t, "testdata/sla.json", got.Body)
	if !strings.Contains(string(got.Body), `"difference_minutes":-150.00`) {
		t.Errorf("minutes are shown with two decimals: %s", got.Body)
	}
}

func TestWhatIsDueIsToldOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.promise(body{"steps": list{body{"percent": 50, "action": "warn"}, body{"percent": 100, "action": "warn"}, body{"percent": 150, "action": "warn"}}})
	one := d.open("2026-03-02 09:00")
	for _, c := range []struct {
		at                 string
		warnings, breaches int
	}{
		{"2026-03-02 09:30", 0, 0}, // the second in which it could be done is not over
		{"2026-03-02 09:31", 1, 0},
		{"2026-03-02 09:59", 1, 0},
		{"2026-03-02 10:01", 1, 1},
		{"2026-03-02 10:02", 1, 1},
		{"2026-03-02 10:31", 2, 1},
		{"2026-03-02 14:01", 3, 1}, // half of the resolution
		{"2026-03-02 14:02", 3, 1},
	} {
		d.scan(c.at)
		if w, b := len(d.events("SLAWarning")), len(d.events("SLABreached")); w != c.warnings || b != c.breaches {
			t.Errorf("at %s: %d warnings, %d breaches", c.at, w, b)
		}
	}
	d.say(one, "agent", "2026-03-02 14:30")
	d.move(one, "resolved", "2026-03-02 18:00")
	d.scan("2026-03-10 09:00")
	if w, b := len(d.events("SLAWarning")), len(d.events("SLABreached")); w != 3 || b != 1 {
		t.Errorf("what was resolved in time is told of: %d warnings, %d breaches", w, b)
	}
}

// due opens n tickets that are all overdue by both clocks at eight in the evening.
func (d *desk) due(n int) (all []ticket) {
	d.t.Helper()
	for i := range n {
		all = append(all, d.open(fmt.Sprintf("2026-03-02 09:%02d", i%60)))
	}
	return all
}

func TestManyWhoLookAtOnceTellOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.promise(body{"steps": list{body{"percent": 80, "action": "warn"}}})
	d.due(30)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for range 3 {
				if err := d.watch.At(shanghai("2026-03-03 20:00")).Scan(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	d.scan("2026-03-03 20:00")
	if w, b := len(d.events("SLAWarning")), len(d.events("SLABreached")); w != 60 || b != 60 {
		t.Errorf("%d warnings, %d breaches of 30 tickets with two clocks each", w, b)
	}
}

func TestAProcessThatIsEndedTellsNothingTwiceAndLeavesNothingOut(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.promise(nil)
	d.due(40)
	watch := d.watch.At(shanghai("2026-03-03 20:00"))
	for i := range 40 { // ended after one millisecond, two, and so on
		ctx, stop := context.WithTimeout(t.Context(), time.Duration(i)*time.Millisecond)
		_ = watch.Scan(ctx)
		stop()
	}
	d.scan("2026-03-03 20:00")
	if w, b := len(d.events("SLAWarning")), len(d.events("SLABreached")); w != 80 || b != 80 {
		t.Errorf("%d warnings, %d breaches of 40 tickets with two clocks each", w, b)
	}
}

func TestStepsEscalate(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.promise(body{"steps": list{
		body{"clock": "first_response", "percent": 50, "action": "raise_priority"}, body{"clock": "first_response", "percent": 100, "action": "assign_queue", "queue": "second"},
		body{"clock": "first_response", "percent": 100, "action": "raise_priority"}, body{"clock": "resolution", "percent": 100, "action": "raise_priority"},
	}})
	one, answered := d.open("2026-03-02 09:00"), d.open("2026-03-02 09:00")
	d.say(answered, "agent", "2026-03-02 09:20")
	d.scan("2026-03-02 09:31")
	now := d.get(one)
	if now.Prio != 2 || now.Version != one.Version+1 || now.Due == nil || !now.Due.Equal(*one.Due) {
		t.Errorf("half of the time is gone: %+v", now)
	}
	if got := d.get(answered); got.Prio != 3 {
		t.Errorf("it was answered when that was told: %+v", got)
	}
	golden.JSON(t, "testdata/sla_warning.json", d.events("SLAWarning")[0].Data)
	d.scan("2026-03-02 10:01")
	golden.JSON(t, "testdata/sla_breached.json", d.events("SLABreached")[0].Data)
	if now = d.get(one); now.Prio != 1 || now.Queue != "second" {
		t.Errorf("nobody answered: %+v", now)
	}
	assigned := d.events("TicketAssigned")
	if len(assigned) != 1 || !strings.Contains(string(assigned[0].Data), `"escalated"`) {
		t.Errorf("%v", assigned)
	}
	d.scan("2026-03-10 09:00")
	if now = d.get(one); now.Prio != 1 {
		t.Errorf("nothing is more urgent: %+v", now)
	}
}

func TestOneThatFailsDoesNotKeepOthersFromTheirTurn(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.promise(nil)
	all := d.due(3)
	// Nothing can be kept of the second.
	d.AsSuperuser(t, `ALTER TABLE sla_told ADD CONSTRAINT broken CHECK (ticket_id <> '`+all[1].ID+`')`)
	err := d.watch.At(shanghai("2026-03-03 20:00")).Scan(t.Context())
	if err == nil || !strings.Contains(err.Error(), all[1].ID) {
		t.Errorf("%v", err)
	}
	if b := len(d.events("SLABreached")); b != 4 {
		t.Errorf("%d breaches of two tickets", b)
	}
	d.AsSuperuser(t, `ALTER TABLE sla_told DROP CONSTRAINT broken`)
	d.scan("2026-03-03 20:02")
	if b := len(d.events("SLABreached")); b != 6 {
		t.Errorf("%d breaches of three tickets", b)
	}
}

func TestWhatIsNoLongerMeasuredIsNotKept(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.promise(body{"condition": "urgency == 2", "reopening": "total"})
	one := d.open("2026-03-02 09:00")
	kept := func() int64 {
		t.Helper()
		return d.Count(`SELECT count(*) FROM sla_measurement WHERE ticket_id = $1`, one.ID)
	}
	d.say(one, "agent", "2026-03-02 09:30")
	d.move(one, "resolved", "2026-03-02 10:00")
	if n := kept(); n != 2 {
		t.Errorf("%d rounds ended", n)
	}
	d.move(one, "open", "2026-03-02 11:00") // the resolution goes on
	if n := kept(); n != 1 {
		t.Errorf("%d rounds ended when it was reopened", n)
	}
	d.Want(http.StatusOK, http.MethodPatch, "/v1/tickets/"+one.ID, d.feed, body{"urgency": 1, "at": shanghai("2026-03-02 11:30")}, nil, "If-Match", "*")
	if n := kept(); n != 0 {
		t.Errorf("%d rounds are kept of a ticket to which nothing is promised", n)
	}
	d.scan("2026-03-10 09:00")
	if w, b := len(d.events("SLAWarning")), len(d.events("SLABreached")); w != 0 || b != 0 {
		t.Errorf("%d warnings, %d breaches of it", w, b)
	}
	if now := d.get(one); now.Due != nil {
		t.Errorf("it is due %v", now.Due)
	}
}
