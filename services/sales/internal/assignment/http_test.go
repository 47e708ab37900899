package assignment_test

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

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/sales/internal/assignment"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
	"github.com/guanxi-crm/guanxi/services/sales/internal/scoring"
)

type body = map[string]any

// office is a service in which the test says when leads are given, and what time it is then.
type office struct {
	*salestest.World
	t       *testing.T
	manager string
	giver   *assignment.Assignments
	ahead   atomic.Int64 // nanoseconds that its clock is ahead
}

func open(t *testing.T) *office {
	t.Helper()
	w := salestest.Start(t)
	o := &office{World: w, t: t, manager: w.Token(auth.RoleManager, "pizza")}
	o.giver = o.another()
	return o
}

// another is assignment as another process does it.
func (o *office) another() *assignment.Assignments {
	clock := func() time.Time { return time.Now().Add(time.Duration(o.ahead.Load())) }
	out := outbox.New("sales")
	return assignment.New(o.DB, out, lead.New(o.DB, out, scoring.New(o.DB, clock), clock), clock)
}

func (o *office) pass() {
	o.t.Helper()
	if err := o.giver.Pass(o.t.Context()); err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) put(path string, b body) {
	o.t.Helper()
	o.Want(http.StatusOK, http.MethodPut, path, o.manager, b, nil, "If-Match", "*")
}

// team makes a team of people who can have so many leads each.
func (o *office) team(code, strategy string, capacity int, people ...string) {
	o.t.Helper()
	for _, p := range people {
		o.put("/v1/sellers/"+p, body{"capacity": capacity})
	}
	o.put("/v1/teams/"+code, body{"name": code, "strategy": strategy, "members": append([]string{}, people...)})
}

// all sends all leads to a team.
func (o *office) all(code string) {
	o.t.Helper()
	o.put("/v1/assignment-rules", body{"rules": []body{{"team": code}}})
}

var number atomic.Int64

// lead captures a lead of somebody new.
func (o *office) lead(more body) string {
	o.t.Helper()
	b := body{"name": fmt.Sprintf("Somebody %d", number.Add(1))}
	for k, v := range more {
		b[k] = v
	}
	var made struct {
		ID string `json:"lead_id"`
	}
	o.Want(http.StatusCreated, http.MethodPost, "/v1/leads", o.manager, b, &made)
	return made.ID
}

type view struct {
	Team     string
	Owner    string
	Waiting  bool
	WaitsFor string `json:"waits_for"`
	Next     string
	Rule     int
	Rules    []struct{ Says string }
	People   []struct {
		Subject string
		Load    int
		Keeps   string
	}
	Until *time.Time
}

func (o *office) see(id string) (v view) {
	o.t.Helper()
	o.Want(http.StatusOK, http.MethodGet, "/v1/leads/"+id+"/assignment", o.Sales, nil, &v)
	return v
}

// wants asks whose a lead is.
func (o *office) wants(id, team, owner string) {
	o.t.Helper()
	if v := o.see(id); v.Team != team || v.Owner != owner {
		o.t.Errorf("lead %s is of %q in %q instead of %q in %q", id, v.Owner, v.Team, owner, team)
	}
}

func (o *office) owners(ids []string) string {
	o.t.Helper()
	var all []string
	for _, id := range ids {
		all = append(all, o.see(id).Owner)
	}
	return strings.Join(all, " ")
}

func (o *office) leads(n int) (ids []string) {
	o.t.Helper()
	for range n {
		ids = append(ids, o.lead(nil))
	}
	return ids
}

func TestLeadsGoRound(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.team("north", "round_robin", 3, "ann", "ben")
	o.all("north")
	ids := o.leads(3)
	o.pass()
	ids = append(ids, o.leads(4)...)
	o.pass()
	if got := o.owners(ids); got != "ann ben ann ben ann ben " {
		t.Errorf("%s", got)
	}
	last := ids[6]
	if v := o.see(last); v.Team != "north" || !v.Waiting || v.WaitsFor != "full" || len(v.People) != 2 || v.People[0].Load != 3 {
		t.Errorf("%+v", v)
	}
	assigned := o.EventsOf("LeadAssigned", 7)
	for id, file := range map[string]string{ids[0]: "testdata/lead_assigned.json", last: "testdata/lead_waits.json"} {
		n := slices.IndexFunc(assigned, func(e bus.Event) bool { return strings.Contains(string(e.Data), id) })
		golden.JSON(t, file, assigned[max(0, n)].Data)
	}
	// As soon as somebody has room, who waits longest comes first.
	newer := o.lead(nil)
	o.Want(http.StatusOK, http.MethodPost, "/v1/leads/"+ids[1]+"/lose", o.manager, body{"reason": "no_need"}, nil)
	o.pass()
	o.wants(last, "north", "ben")
	if v := o.see(newer); v.Owner != "" || v.WaitsFor != "full" {
		t.Errorf("%+v", v)
	}
	var page struct {
		Items []struct {
			LeadID   string `json:"lead_id"`
			WaitsFor string `json:"waits_for"`
		}
	}
	o.Want(http.StatusOK, http.MethodGet, "/v1/waiting-leads?team=north", o.Sales, nil, &page)
	if len(page.Items) != 1 || page.Items[0].LeadID != newer || page.Items[0].WaitsFor != "full" {
		t.Errorf("%+v", page)
	}
	o.Want(http.StatusOK, http.MethodGet, "/v1/waiting-leads", o.Token(auth.RoleSales, "music"), nil, &page)
	if len(page.Items) != 0 {
		t.Errorf("another tenant sees %+v", page)
	}
	o.Want(http.StatusNotFound, http.MethodGet, "/v1/leads/"+newer+"/assignment", o.Token(auth.RoleSales, "music"), nil, nil)
}

func TestTheLeastLoadedGetsTheNext(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.team("north", "least_loaded", 4, "ann", "ben")
	o.put("/v1/sellers/ben", body{"capacity": 2})
	o.all("north")
	ids := o.leads(6)
	o.pass()
	// By the share that is taken, and where that is the same, by turn: 0/4 and 0/2, 1/4 and 0/2, 1/4 and 1/2, 2/4 and 1/2, ...
	if got := o.owners(ids); got != "ann ben ann ben ann ann" {
		t.Errorf("%s", got)
	}
}

func TestRulesOfTerritory(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.Want(http.StatusCreated, http.MethodPost, "/v1/lead-fields", o.manager, body{"name": "postal_code", "title": "Postal code", "type": "text"}, nil)
	o.team("south", "round_robin", 9, "li")
	o.team("north", "round_robin", 9, "ann", "ben")
	o.put("/v1/sellers/ben", body{"capacity": 9, "languages": []string{"ru"}})
	rules := []body{
		{"name": "Guangdong", "condition": `country == "CN" && custom.postal_code.startsWith("51")`, "team": "south"},
		{"condition": `language.startsWith("ru")`, "team": "north", "same_language": true},
		{"condition": `source == "fair"`, "team": "north", "person": "ben"},
	}
	o.put("/v1/assignment-rules", body{"rules": rules})
	south := o.lead(body{"country": "CN", "custom_fields": body{"postal_code": "510000"}})
	russian, fair, nowhere := o.lead(body{"language": "ru-RU"}), o.lead(body{"source": "fair"}), o.lead(body{"country": "CN"})
	o.pass()
	o.wants(south, "south", "li")
	o.wants(russian, "north", "ben")
	o.wants(fair, "north", "ben")
	if v := o.see(nowhere); v.Team != "" || v.WaitsFor != "no_rule" || v.Rules[0].Says != "cannot_answer" || v.Rules[1].Says != "does_not_fit" {
		t.Errorf("%+v", v)
	}
	// A dry run keeps nothing.
	try := body{"lead_id": nowhere, "rules": []body{{"team": "north", "condition": `country == "CN"`}}}
	var v view
	o.Want(http.StatusOK, http.MethodPost, "/v1/assignment-rules/try", o.manager, try, &v)
	if v.Next != "ann" || v.Rule != 1 || v.Owner != "" {
		t.Errorf("%+v", v)
	}
	o.wants(nowhere, "", "")
	// Other rules, or another team, have it looked at again.
	o.put("/v1/assignment-rules", body{"rules": append(rules, body{"team": "south", "condition": `country == "CN"`})})
	o.pass()
	o.wants(nowhere, "south", "li")
	o.Want(http.StatusOK, http.MethodPost, "/v1/assignment-rules/try", o.manager, body{"lead_id": russian}, &v)
	if v.Rule != 2 || v.Next != "ben" {
		t.Errorf("%+v", v)
	}
}

func TestAChangedLeadIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.team("north", "round_robin", 9, "ann")
	o.put("/v1/assignment-rules", body{"rules": []body{{"condition": `"vip" in tags`, "team": "north"}, {"condition": "score > 0.0", "team": "north"}}})
	id, scored := o.lead(nil), o.lead(nil)
	o.pass()
	o.wants(id, "", "")
	o.Want(http.StatusOK, http.MethodPatch, "/v1/leads/"+id, o.manager, body{"tags": []string{"vip"}}, nil, "If-Match", "*")
	o.Want(http.StatusOK, http.MethodPut, "/v1/leads/"+scored+"/score", o.manager, body{"probability": 50}, nil)
	o.pass()
	o.wants(id, "north", "ann")
	o.ahead.Store(int64(11 * time.Minute)) // scores move without their leads
	o.pass()
	o.wants(scored, "north", "ann")
}

func TestAnArchivedTeamGivesItsLeadsBack(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.team("old", "round_robin", 1, "ann")
	o.team("new", "round_robin", 9, "ben")
	o.put("/v1/assignment-rules", body{"rules": []body{{"team": "old"}, {"team": "new"}}})
	ids := o.leads(2)
	o.pass()
	o.wants(ids[0], "old", "ann")
	o.wants(ids[1], "old", "")
	o.put("/v1/teams/old", body{"name": "old", "members": []string{"ann"}, "archived": true})
	o.pass()
	o.wants(ids[0], "old", "ann")
	o.wants(ids[1], "new", "ben")
	other := o.lead(nil)
	o.pass()
	o.wants(other, "new", "ben")
}

func TestWorkingHoursAndAbsences(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.team("north", "round_robin", 9, "ann")
	o.all("north")
	// Works only on Sundays for a minute, so that the test is never in it by accident but once in 10,080 runs.
	never := body{"week": body{"sunday": []body{{"from": "03:00", "to": "03:01"}}}}
	o.put("/v1/sellers/ann", body{"capacity": 9, "hours": never})
	id := o.lead(nil)
	o.pass()
	v := o.see(id)
	if v.Owner != "" || v.WaitsFor != "outside_hours" || v.Until == nil || v.Until.Weekday() != time.Sunday {
		t.Fatalf("%+v", v)
	}
	o.ahead.Store(int64(time.Until(*v.Until) + 10*time.Second))
	o.pass()
	o.wants(id, "north", "ann")
	o.ahead.Store(0)
	// A team that does not wait hands to who is at work next.
	o.put("/v1/teams/north", body{"name": "north", "members": []string{"ann"}, "outside_hours": "next"})
	next := o.lead(nil)
	o.pass()
	o.wants(next, "north", "ann")
	// Nobody knows how long: it waits until that is taken back.
	var told struct {
		ID string `json:"absence_id"`
	}
	o.Want(http.StatusCreated, http.MethodPost, "/v1/sellers/ann/absences", o.manager, body{"from": time.Now().Add(-time.Minute)}, &told)
	away := o.lead(nil)
	o.pass()
	if v := o.see(away); v.Owner != "" || v.WaitsFor != "away" {
		t.Errorf("%+v", v)
	}
	o.Want(http.StatusNoContent, http.MethodDelete, "/v1/sellers/ann/absences/"+told.ID, o.manager, nil, nil)
	o.pass()
	o.wants(away, "north", "ann")
}

func TestWhoLeavesHandsOver(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.team("north", "round_robin", 4, "ann")
	o.all("north")
	ids := o.leads(4)
	o.pass()
	o.team("north", "round_robin", 4, "ann", "ben", "cyd")
	o.put("/v1/teams/north", body{"name": "north", "lead": "zhao", "strategy": "round_robin", "members": []string{"ann", "ben", "cyd"}})
	o.Want(http.StatusOK, http.MethodPost, "/v1/leads/"+ids[3]+"/lose", o.manager, body{"reason": "no_need"}, nil)
	path := "/v1/sellers/ann/hand-over"
	as := func(subject string) string {
		return o.TokenFor(map[string]any{"subject": subject, "tenant": "pizza", "roles": []string{auth.RoleSales}})
	}
	o.Want(http.StatusForbidden, http.MethodPost, path, as("ben"), body{}, nil)
	o.Want(http.StatusNotFound, http.MethodPost, "/v1/sellers/eve/hand-over", o.manager, body{}, nil)
	for _, to := range []string{"ann", "eve"} {
		if got := o.Want(http.StatusUnprocessableEntity, http.MethodPost, path, o.manager, body{"to": to}, nil); got.Code() != "handover_invalid" {
			t.Errorf("%s", got.Body)
		}
	}
	var h struct {
		ID     string `json:"handover_id"`
		Handed int
		Left   int
	}
	o.Want(http.StatusCreated, http.MethodPost, path, as("zhao"), body{}, &h, "Idempotency-Key", "k")
	if h.Handed != 3 || h.Left != 0 {
		t.Errorf("%+v", h)
	}
	first := h.ID
	o.Want(http.StatusCreated, http.MethodPost, path, as("zhao"), body{}, &h, "Idempotency-Key", "k")
	if h.Handed != 3 || h.ID != first {
		t.Errorf("%+v", h)
	}
	o.pass()
	// ann is still there, and has room: but not for what she gave back.
	if got := o.owners(ids); got != "ben cyd ben ann" {
		t.Errorf("%s", got)
	}
	o.Want(http.StatusCreated, http.MethodPost, "/v1/sellers/me/hand-over", as("ben"), body{"to": "ann"}, &h)
	if got := o.owners(ids); got != "ann cyd ann ann" || h.Handed != 2 {
		t.Errorf("%s %+v", got, h)
	}
}

// Workers of several processes, people who take and give back, and connections that are cut: nothing is given twice, and nobody
// gets more than they can have.
func TestManyWorkersGiveEachLeadOnce(t *testing.T) {
	t.Parallel()
	o := open(t)
	const leads, people, capacity = 120, 10, 11
	var names []string
	for n := range people {
		names = append(names, fmt.Sprintf("p%d", n))
	}
	o.team("north", "least_loaded", capacity, names...)
	o.all("north")
	ctx, stop := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	for range 3 {
		giver := o.another()
		wait.Go(func() {
			for ctx.Err() == nil {
				_ = giver.Pass(ctx) // what fails is tried again
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
	made := 0
	for made < leads { // a request whose connection was cut is sent again, and may make a second one
		if o.Do(http.MethodPost, "/v1/leads", o.manager, body{"name": fmt.Sprintf("Somebody %d", number.Add(1))}).Status == http.StatusCreated {
			made++
		}
	}
	full := fmt.Sprintf(`SELECT count(*) FROM lead WHERE owner <> '' HAVING count(*) = %d`, people*capacity)
	o.Eventually("everybody has what they can have", func() bool {
		var n int64
		err := o.Database.DB(pg.Ops).System(ctx, func(tx *pg.Tx) error { return tx.QueryRow(ctx, `SELECT count(*) FROM (`+full+`) x`).Scan(&n) })
		return err == nil && n == 1
	})
	stop()
	wait.Wait()
	o.pass()
	if most := o.Count(`SELECT max(n) FROM (SELECT count(*) AS n FROM lead WHERE owner <> '' GROUP BY owner) x`); most != capacity {
		t.Errorf("somebody has %d instead of %d", most, capacity)
	}
	if twice := o.Count(`SELECT count(*) FROM (SELECT FROM lead_history WHERE what = 'assigned' AND owner <> '' GROUP BY lead_id HAVING count(*) > 1) x`); twice != 0 {
		t.Errorf("%d leads were given twice", twice)
	}
	if left := o.Count(`SELECT count(*) FROM lead WHERE owner = ''`); left != o.Count(`SELECT count(*) FROM assignment_wait WHERE team = 'north'`) {
		t.Errorf("%d are left", left)
	}
}

func TestOneProcessAtATimeWorksOnATenant(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.team("north", "round_robin", 9, "ann")
	o.all("north")
	id := o.lead(nil)
	err := o.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		if _, err := tx.ExecNow(t.Context(), `SELECT pg_advisory_xact_lock(hashtextextended('assignment' || chr(31) || $1, 0))`, "pizza"); err != nil {
			return err
		}
		o.pass()
		o.wants(id, "", "")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	o.pass()
	o.wants(id, "north", "ann")
}

// A tenant without rules and teams gives its leads out otherwise: nothing is remembered of them.
func TestATenantThatDoesNotUseItIsLeftAlone(t *testing.T) {
	t.Parallel()
	o := open(t)
	id := o.lead(nil)
	o.pass()
	if n := o.Count(`SELECT count(*) FROM assignment_wait`); n != 0 {
		t.Errorf("%d are remembered", n)
	}
	if v := o.see(id); !v.Waiting || v.WaitsFor != "no_rule" {
		t.Errorf("%+v", v)
	}
	o.team("north", "round_robin", 9, "ann")
	o.all("north")
	o.pass()
	o.wants(id, "north", "ann")
}

// Somebody takes a lead by hand, and it goes round when it is given back, though not to them.
func TestByHandAndBack(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.team("north", "by_hand", 9, "ann", "ben")
	o.all("north")
	id := o.lead(nil)
	o.pass()
	if v := o.see(id); v.Team != "north" || v.WaitsFor != "by_hand" {
		t.Errorf("%+v", v)
	}
	o.Want(http.StatusOK, http.MethodPost, "/v1/leads/"+id+"/assign", o.manager, body{"owner": "ann"}, nil)
	o.put("/v1/teams/north", body{"name": "north", "strategy": "round_robin", "members": []string{"ann", "ben"}})
	o.pass()
	o.wants(id, "north", "ann")
	o.Want(http.StatusOK, http.MethodPost, "/v1/leads/"+id+"/release", o.manager, nil, nil)
	o.pass()
	o.wants(id, "north", "ben")
	o.ahead.Store(int64(2 * time.Hour)) // what is remembered of leads that somebody has is dropped
	o.pass()
	if n := o.Count(`SELECT count(*) FROM assignment_wait`); n != 0 {
		t.Errorf("%d are remembered", n)
	}
}
