package deadline_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
)

type recomputation struct {
	ID       string `json:"recomputation_id"`
	Cause    string
	Tickets  string
	Reason   string
	By       string
	LookedAt int        `json:"looked_at"`
	Changed  int        `json:"changed"`
	Finished *time.Time `json:"finished_at"`
}

func (d *desk) recomputations() []recomputation {
	d.t.Helper()
	var page struct{ Items []recomputation }
	d.Want(http.StatusOK, http.MethodGet, "/v1/sla-recomputations", d.Agent, nil, &page)
	return page.Items
}

// declare makes dates holidays of the office.
func (d *desk) declare(dates ...string) {
	d.t.Helper()
	d.Want(http.StatusOK, http.MethodPut, "/v1/calendars/"+d.calendar, d.feed, office(dates...), nil, "If-Match", "*")
}

func TestAHolidayMovesOpenDeadlinesAndLeavesClosedOnesAlone(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.promise(nil)
	open, closed := d.open("2026-03-02 17:30"), d.open("2026-03-02 17:30")
	d.say(closed, "agent", "2026-03-03 10:00") // an hour and a half later
	d.move(closed, "resolved", "2026-03-03 11:00")
	d.move(closed, "closed", "2026-03-03 11:00")
	verdict := []string{"first_response 1 breached due 2026-03-03 09:30 used 90.00 left -30.00", "resolution 1 met due 2026-03-03 17:30 used 150.00 left 330.00"}
	wantLines(t, d.explain(closed, "2026-03-05 09:00"), verdict...)

	d.declare("2026-03-03")
	d.recompute()
	if now := d.get(open); now.Due == nil || !now.Due.Equal(shanghai("2026-03-04 09:30")) || now.Version != open.Version {
		t.Errorf("the open one is due %v", now.Due)
	}
	wantLines(t, d.explain(closed, "2026-03-05 09:00"), verdict...)
	all := d.recomputations()
	if len(all) != 1 || all[0].Cause != "calendar" || all[0].LookedAt != 1 || all[0].Changed != 1 || all[0].Finished == nil {
		t.Errorf("%+v", all)
	}
	d.recompute() // is done
	if again := d.recomputations(); len(again) != 1 || again[0].LookedAt != 1 {
		t.Errorf("%+v", again)
	}

	var asked recomputation
	d.Want(http.StatusAccepted, http.MethodPost, "/v1/sla-recomputations", d.Manager, body{"tickets": "closed", "reason": "holiday_forgotten"}, &asked)
	wantLines(t, d.explain(closed, "2026-03-05 09:00"), verdict...)
	d.recompute()
	wantLines(t, d.explain(closed, "2026-03-05 09:00"),
		"first_response 1 met due 2026-03-04 09:30 used 30.00 left 30.00", "resolution 1 met due 2026-03-04 17:30 used 30.00 left 450.00")
	var log struct {
		Items []struct {
			TicketID    string `json:"ticket_id"`
			Clock       string
			StateBefore string `json:"state_before"`
			State       string
		}
		NextCursor string `json:"next_cursor"`
	}
	d.Want(http.StatusOK, http.MethodGet, "/v1/sla-recomputations/"+asked.ID+"/verdicts?limit=1", d.Agent, nil, &log)
	if len(log.Items) != 1 || log.Items[0].TicketID != closed.ID || log.Items[0].StateBefore != "breached" || log.Items[0].State != "met" {
		t.Errorf("%+v", log)
	}
	cursor := log.NextCursor
	log.NextCursor = ""
	d.Want(http.StatusOK, http.MethodGet, "/v1/sla-recomputations/"+asked.ID+"/verdicts?cursor="+cursor, d.Agent, nil, &log)
	if len(log.Items) != 1 || log.Items[0].Clock != "resolution" || log.NextCursor != "" {
		t.Errorf("%+v", log)
	}
	d.Want(http.StatusOK, http.MethodGet, "/v1/sla-recomputations/"+asked.ID, d.Agent, nil, &asked)
	if asked.Changed != 1 || asked.By == "" || asked.Reason != "holiday_forgotten" {
		t.Errorf("%+v", asked)
	}
	d.Want(http.StatusNotFound, http.MethodGet, "/v1/sla-recomputations/"+asked.ID, d.Token(auth.RoleManager, "music"), nil, nil)
	met := d.events("SLAMet")
	if last := string(met[len(met)-1].Data); len(met) != 3 || !strings.Contains(last, `"met":true`) {
		t.Errorf("%d times, the last %s", len(met), last)
	}
}

func TestTheDefaultCalendarIsThatOfPoliciesWhichNameNone(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.promise(body{"calendar_id": nil})
	one := d.open("2026-03-02 17:30")
	if now := d.get(one); !now.Due.Equal(shanghai("2026-03-02 18:30")) {
		t.Errorf("always open: due %v", now.Due)
	}
	d.Want(http.StatusOK, http.MethodPost, "/v1/calendars/"+d.calendar+"/make-default", d.feed, nil, nil)
	d.recompute()
	if now := d.get(one); !now.Due.Equal(shanghai("2026-03-03 09:30")) {
		t.Errorf("in the office's hours: due %v", now.Due)
	}
}

func TestAPolicyThatIsChangedLeavesTicketsAloneUnlessItWasWrong(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	id := d.promise(nil)
	one := d.open("2026-03-02 09:00")
	change := func(seconds int, correction bool) {
		t.Helper()
		target := body{"first_response_seconds": seconds}
		d.Want(http.StatusOK, http.MethodPut, "/v1/sla-policies/"+id, d.feed, body{"name": "Standard", "position": 1, "calendar_id": d.calendar,
			"targets": body{"p3": target}, "correction": correction}, nil, "If-Match", "*")
		d.recompute()
	}
	change(1800, false)
	if now := d.get(one); !now.Due.Equal(shanghai("2026-03-02 10:00")) {
		t.Errorf("it is measured by the version of its creation: due %v", now.Due)
	}
	if two := d.open("2026-03-02 09:00"); !two.Due.Equal(shanghai("2026-03-02 09:30")) {
		t.Errorf("what is opened later is measured by the next one: due %v", two.Due)
	}
	change(900, true)
	if now := d.get(one); !now.Due.Equal(shanghai("2026-03-02 09:15")) {
		t.Errorf("a correction holds for it as well: due %v", now.Due)
	}
	var e explained
	d.Want(http.StatusOK, http.MethodGet, "/v1/tickets/"+one.ID+"/sla", d.Agent, nil, &e)
	if e.Policy.Version != 3 || len(e.Clocks) != 1 {
		t.Errorf("%+v", e)
	}
}

func TestARecomputationGoesOnWhereItWasEnded(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.promise(nil)
	const n = 25
	for i := range n {
		d.open(fmt.Sprintf("2026-03-02 17:%02d", 10+i))
	}
	other := d.Token(auth.RoleAdmin, "music") // another tenant's tickets have calendars of their own
	d.Want(http.StatusCreated, http.MethodPost, "/v1/tickets", other, body{"kind": "incident", "channel": "email", "subject": "x", "impact": 2, "urgency": 2}, nil)
	d.declare("2026-03-03")
	d.watch.InChunksOf(3)
	for i := 0; ; i++ {
		ctx, stop := context.WithTimeout(t.Context(), time.Duration(5+i)*time.Millisecond)
		_ = d.watch.Recompute(ctx)
		stop()
		if all := d.recomputations(); len(all) == 1 && all[0].Finished != nil {
			break
		}
		if i > 1000 {
			t.Fatalf("%+v", d.recomputations())
		}
	}
	if all := d.recomputations(); all[0].LookedAt != n || all[0].Changed != n {
		t.Errorf("each is reckoned anew once: %+v", all)
	}
	if left := d.Count(`SELECT count(*) FROM ticket WHERE tenant_id = 'pizza' AND next_due_at < '2026-03-03T16:00:00Z'`); left != 0 {
		t.Errorf("%d tickets are due before the holiday ends", left)
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.promise(nil)
	one := d.open("2026-03-02 17:30")
	var asked recomputation
	d.Want(http.StatusAccepted, http.MethodPost, "/v1/sla-recomputations", d.Manager, body{"tickets": "closed", "reason": "x"}, &asked)
	path := "/v1/sla-recomputations"
	for name, target := range map[string]badinput.Target{
		"explain":  {Method: http.MethodGet, Path: "/v1/tickets/" + one.ID + "/sla", Owned: true},
		"ask":      {Method: http.MethodPost, Path: path, Body: `{"tickets":"open","reason":"a"}`, OtherBody: `{"tickets":"open","reason":"b"}`, Replay: true},
		"list":     {Method: http.MethodGet, Path: path, List: true},
		"get":      {Method: http.MethodGet, Path: path + "/" + asked.ID, Owned: true},
		"verdicts": {Method: http.MethodGet, Path: path + "/" + asked.ID + "/verdicts", Owned: true, List: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = d.URL, d.Director
			badinput.Check(t, target)
		})
	}
	for name, b := range map[string]body{
		"an unknown policy":            {"tickets": "open", "reason": "x", "policy_id": uuid.NewString()},
		"an unknown calendar":          {"tickets": "open", "reason": "x", "calendar_id": uuid.NewString()},
		"when open ones were closed":   {"tickets": "open", "reason": "x", "closed_from": "2026-01-01T00:00:00Z"},
		"closed after they were":       {"tickets": "closed", "reason": "x", "closed_from": "2026-01-02T00:00:00Z", "closed_to": "2026-01-01T00:00:00Z"},
		"a reason in words of people":  {"tickets": "closed", "reason": "Li Lei asked for it"},
		"tickets that are not tickets": {"tickets": "all", "reason": "x"},
	} {
		if got := d.Do(http.MethodPost, path, d.Manager, b); got.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	d.Want(http.StatusForbidden, http.MethodPost, path, d.Agent, body{"tickets": "open", "reason": "x"}, nil)
	d.Want(http.StatusUnprocessableEntity, http.MethodGet, "/v1/tickets/"+one.ID+"/sla?at=yesterday", d.Agent, nil, nil)
}
