package c139_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	erasurev1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/erasure/activities/v1"
	"github.com/guanxi-crm/guanxi/services/sales/internal/opportunity"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
	"github.com/guanxi-crm/guanxi/services/sales/internal/scoring"
)

type body = map[string]any

// view is a card as the API shows it.
type view struct {
	Display string
	Coached int
	Version int
	Things  []entry
	Signs   []entry
}

type entry struct {
	Code, Known, Evidence, On string
	Holds, Computed           *bool
	CoachID                   string `json:"coach_id"`
	Disputed, Counts, Erased  bool
}

// item gives a thing or a sign.
func (v view) item(code string) entry {
	all := append(slices.Clone(v.Things), v.Signs...)
	return all[slices.IndexFunc(all, func(e entry) bool { return e.Code == code })]
}

// office is a running service in which somebody sells.
type office struct {
	*salestest.World
	t     *testing.T
	music string // the token of somebody who sells for another tenant
}

func start(t *testing.T) *office {
	t.Helper()
	w := salestest.Start(t)
	return &office{World: w, t: t, music: w.Token(auth.RoleSales, "music")}
}

func newID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// opened is an opportunity of a tenant, opened so many days ago.
func (o *office) opened(tenant string, customer uuid.UUID, daysAgo int, contacts ...opportunity.Contact) uuid.UUID {
	o.t.Helper()
	clock := func() time.Time { return time.Now().AddDate(0, 0, -daysAgo) }
	all := opportunity.New(o.DB, outbox.New("sales"), scoring.New(o.DB, clock), clock)
	made, err := all.Open(auth.With(o.t.Context(), auth.Principal{Subject: "li", Tenant: tenant}), opportunity.Draft{
		CustomerID: customer, Name: "A new plant", Currency: "CNY", AmountMinor: 100, Contacts: contacts,
	})
	if err != nil {
		o.t.Fatal(err)
	}
	return made.ID
}

func contact(role opportunity.Role, influence, leaning int) opportunity.Contact {
	return opportunity.Contact{CustomerID: newID(), Role: role, Influence: influence, Leaning: &leaning}
}

func path(id uuid.UUID) string { return "/v1/opportunities/" + id.String() + "/c139" }

func (o *office) card(id uuid.UUID) (v view) {
	o.t.Helper()
	o.Want(http.StatusOK, http.MethodGet, path(id), o.Sales, nil, &v)
	return v
}

// said is an entry that holds, with words.
func said(code string, more ...string) body {
	b := body{"code": code, "holds": true, "known": "It is known of " + code, "evidence": "They wrote it on Monday"}
	if len(more) > 0 {
		b["coach_id"] = more[0]
	}
	return b
}

func (o *office) write(id uuid.UUID, entries ...body) (v view) {
	o.t.Helper()
	o.Want(http.StatusOK, http.MethodPatch, path(id), o.Sales, body{"entries": entries}, &v, "If-Match", "*")
	return v
}

// leans says how a decision maker leans, and waits until the card knows it.
func (o *office) leans(id uuid.UUID, who opportunity.Contact, leaning int) {
	o.t.Helper()
	before := o.Count(`SELECT count(*) FROM c139_version WHERE opportunity_id = $1`, id)
	o.Want(http.StatusOK, http.MethodPut, "/v1/opportunities/"+id.String()+"/contacts/"+who.CustomerID.String(), o.Sales,
		body{"role": who.Role, "influence": who.Influence, "leaning": leaning}, nil, "If-Match", "*")
	o.Eventually("the card knows of the contacts", func() bool {
		return o.Count(`SELECT count(*) FROM c139_version WHERE opportunity_id = $1`, id) > before
	})
}

func TestACardGrowsFromNothing(t *testing.T) {
	t.Parallel()
	o := start(t)
	coach, chief := contact(opportunity.Coach, 2, 2), contact(opportunity.DecisionMaker, 5, 1)
	id := o.opened("pizza", newID(), 10, coach, chief)
	if v := o.card(id); v.Display != "0C 1F 0W" || v.Version != 0 || len(v.Things) != 9 || len(v.Signs) != 4 {
		t.Errorf("of what the structure says alone: %+v", v)
	}
	who := coach.CustomerID.String()
	v := o.write(id, said("payment", who), said("competitors", who), said("resources"), said("top_decides"), body{"code": "organisation", "known": "seven people"})
	if v.Display != "3C 1F 0W" || v.Coached != 2 || v.Version != 1 {
		t.Errorf("%+v", v)
	}
	if s := v.item("top_decides"); !s.Disputed || s.Counts || !*s.Holds || *s.Computed {
		t.Errorf("the top decision maker only prefers us: %+v", s)
	}
	if e := v.item("payment"); e.CoachID != who || e.On == "" || e.Known != "It is known of payment" {
		t.Errorf("%+v", e)
	}
	o.leans(id, chief, 2)
	if v = o.card(id); v.Display != "3C 3F 1W" || v.Version != 1 {
		t.Errorf("now he chose us: %+v", v)
	}
	if v = o.write(id, said("payment", who)); v.Version != 1 {
		t.Errorf("what was so already makes no version: %+v", v)
	}
	o.Want(http.StatusOK, http.MethodPatch, path(id), o.Sales, body{"entries": []body{{"code": "payment"}}}, &v, "If-Match", `"1"`)
	if v.Display != "2C 3F 1W" || v.Version != 2 {
		t.Errorf("%+v", v)
	}
	golden.JSON(t, "testdata/card.json", o.Do(http.MethodGet, path(id), o.Sales, nil).Body)
	golden.JSON(t, "testdata/gaps.json", o.Do(http.MethodGet, path(id)+"/gaps", o.Sales, nil).Body)
	golden.JSON(t, "testdata/items.json", o.Do(http.MethodGet, "/v1/c139-items", o.Sales, nil).Body)
}

func TestACardIsReadAsItWasAndItsChangesBetweenTwoTimes(t *testing.T) {
	t.Parallel()
	o := start(t)
	chief := contact(opportunity.DecisionMaker, 5, 0)
	id := o.opened("pizza", newID(), 100, chief)
	o.write(id, said("payment"))
	o.write(id, said("payment"), said("resources"), said("fit_highest"))
	o.leans(id, chief, 1)
	o.write(id, body{"code": "payment", "known": "They changed the bank"})
	for version, days := range map[int]int{1: 90, 2: 60, 3: 30} {
		o.Admin(`UPDATE c139_version SET at = now() - make_interval(days => $3) WHERE opportunity_id = $1 AND version = $2`, id, version, days)
	}
	ago := func(days int) string { return time.Now().AddDate(0, 0, -days).UTC().Format(time.RFC3339) }
	for days, want := range map[int]string{95: "0C 0F 0W", 75: "1C 0F 0W", 45: "2C 0F 0W", 15: "2C 1F 0W", 0: "1C 1F 0W"} {
		var v view
		answer := o.Want(http.StatusOK, http.MethodGet, path(id)+"?at="+ago(days), o.Sales, nil, &v)
		if days == 0 {
			v = o.card(id)
		} else if answer.Header.Get("ETag") != "" {
			t.Error("what was cannot be changed")
		}
		if v.Display != want {
			t.Errorf("%d days ago: %s, want %s", days, v.Display, want)
		}
	}
	var log struct {
		Items []struct {
			No      int
			Cause   string
			Display string
			Changes []struct {
				Before *entry
				After  entry
			}
		}
		NextCursor string `json:"next_cursor"`
	}
	o.Want(http.StatusOK, http.MethodGet, path(id)+"/changes?from="+ago(70)+"&until="+ago(20), o.Sales, nil, &log)
	if len(log.Items) != 2 || log.Items[0].No != 3 || log.Items[0].Cause != "structure" || len(log.Items[0].Changes) != 0 || len(log.Items[1].Changes) != 2 {
		t.Errorf("%+v", log)
	}
	o.Want(http.StatusOK, http.MethodGet, path(id)+"/changes?limit=1", o.Sales, nil, &log)
	if c := log.Items[0].Changes; len(c) != 1 || c[0].Before.Known != "It is known of payment" || c[0].After.Known != "They changed the bank" || log.NextCursor == "" {
		t.Errorf("%+v", log)
	}
	if code := o.Do(http.MethodGet, path(id)+"/changes?from="+ago(1)+"&until="+ago(2), o.Sales, nil).Code(); code != "range_empty" {
		t.Error(code)
	}
	for _, sql := range []string{`UPDATE c139_version SET things = 9`, `DELETE FROM c139_item`, `UPDATE c139_item SET holds = true`, `UPDATE c139_words SET known = ''`} {
		if err := o.DB.Tx(t.Context(), "pizza", func(tx *pg.Tx) error { _, err := tx.ExecNow(t.Context(), sql); return err }); err == nil {
			t.Errorf("the program may do %s", sql)
		}
	}
}

func TestWinRatesAreOfTheCardsAsTheyStood(t *testing.T) {
	t.Parallel()
	o := start(t)
	end := func(id uuid.UUID, state string, daysAgo int) {
		o.Admin(`UPDATE opportunity SET state = $2, closed_at = now() - make_interval(days => $3), reason = CASE WHEN $2 = 'lost' THEN 'price' ELSE '' END WHERE id = $1`, id, state, daysAgo)
	}
	for n := range 4 { // a thing was clear 40 days before the end, five 10 days before
		id := o.opened("pizza", newID(), 100)
		o.write(id, said("payment"))
		o.write(id, said("resources"), said("competitors"), said("our_plan"), said("buying_process"))
		o.Admin(`UPDATE c139_version SET at = now() - CASE version WHEN 1 THEN interval '42 days' ELSE interval '12 days' END WHERE opportunity_id = $1`, id)
		end(id, map[bool]string{true: "won", false: "lost"}[n < 3], 2)
	}
	end(o.opened("pizza", newID(), 50), "lost", 2)
	still := o.opened("pizza", newID(), 50)
	o.write(still, said("payment"))
	withdrawn := o.opened("pizza", newID(), 50)
	o.write(withdrawn, said("payment"))
	end(withdrawn, "withdrawn", 1)
	foreign := o.opened("music", newID(), 50)
	end(foreign, "won", 1)
	type rate struct {
		By, Band          string
		Closed, Won, Lost int
		Enough            bool
		Rate, Low, High   *float64
	}
	measure := func(query string) map[string]rate {
		t.Helper()
		var list struct{ Items []rate }
		o.Want(http.StatusOK, http.MethodGet, "/v1/c139-win-rates?least=4"+query, o.Sales, nil, &list)
		all := map[string]rate{}
		for _, r := range list.Items {
			all[r.By+" "+r.Band] = r
		}
		return all
	}
	at := measure("")
	if r := at["clear 4-6"]; r.Closed != 4 || r.Won != 3 || r.Lost != 1 || !r.Enough || *r.Rate != 0.75 || *r.Low != 0.3006 || *r.High != 0.9544 {
		t.Errorf("at the closing: %+v", r)
	}
	if r := at["card none"]; r.Lost != 1 || r.Enough || r.Rate != nil {
		t.Errorf("without a card: %+v", r)
	}
	if r := measure("&days_before=30")["clear 0-3"]; r.Closed != 4 {
		t.Errorf("30 days before: %+v", r)
	}
	if r := measure("&days_before=60")["card none"]; r.Closed != 5 {
		t.Errorf("60 days before nobody had written: %+v", r)
	}
	if r := measure("&pipeline=other")["card all"]; r.Closed != 0 {
		t.Errorf("of a pipeline in which there are none: %+v", r)
	}
	if r := measure("&closed_until=" + time.Now().AddDate(0, 0, -3).UTC().Format(time.RFC3339))["card all"]; r.Closed != 0 {
		t.Errorf("closed before: %+v", r)
	}
	if a := o.Do(http.MethodPatch, path(withdrawn), o.Sales, body{"entries": []body{said("payment")}}, "If-Match", "*"); a.Code() != "opportunity_closed" {
		t.Errorf("a closed one: %d %s", a.Status, a.Body)
	}
}

func TestTheWordsGoWithWhoeverTheyMayBeAbout(t *testing.T) {
	t.Parallel()
	o := start(t)
	customer, twin, coach := newID(), newID(), contact(opportunity.Coach, 2, 2)
	accounts := o.Accounts("pizza")
	accounts.Merge(twin, customer)
	of := map[string]uuid.UUID{
		"the customer's": o.opened("pizza", customer, 5), "the twin's": o.opened("pizza", twin, 5), "with the coach": o.opened("pizza", newID(), 5, coach),
		"another": o.opened("pizza", newID(), 5),
	}
	for name, id := range of {
		e := body{"code": "organisation", "holds": true, "known": "Frau Schmidt-Rottluff, " + name, "evidence": "She said so"}
		if name == "with the coach" {
			e["coach_id"] = coach.CustomerID
		}
		o.write(id, e)
	}
	accounts.Erase(coach.CustomerID)
	if v := o.card(of["with the coach"]); v.Display != "1C 0F 0W" || v.Coached != 1 || v.item("organisation").Known != "" || !v.item("organisation").Erased {
		t.Errorf("%+v", v)
	}
	if v := o.write(of["with the coach"], said("payment")); v.Display != "2C 0F 0W" {
		t.Errorf("of the customer, who was not erased, new words may be kept: %+v", v)
	}
	_, erased := o.AskToErase("pizza", customer, twin)
	if !slices.ContainsFunc(erased, func(e *erasurev1.Erased) bool { return e.GetWhat() == "c139_words" && e.GetCount() == 2 }) {
		t.Errorf("%v", erased)
	}
	if left := o.Mentions("Rottluff, the customer's", "Rottluff, the twin's", "Rottluff, with the coach"); len(left) != 0 {
		t.Errorf("still there: %v", left)
	}
	if v := o.card(of["another"]); v.item("organisation").Known == "" {
		t.Error("words about somebody else are gone")
	}
	a := o.Do(http.MethodPatch, path(of["the twin's"]), o.Sales, body{"entries": []body{said("payment")}}, "If-Match", "*")
	if a.Status != http.StatusGone || a.Code() != "customer_erased" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

func TestACoachWhoWasMergedIsStillTheCoach(t *testing.T) {
	t.Parallel()
	o := start(t)
	coach := contact(opportunity.Coach, 2, 2)
	id, survivor := o.opened("pizza", newID(), 5, coach), newID()
	o.write(id, said("payment", coach.CustomerID.String()))
	o.Accounts("pizza").Merge(coach.CustomerID, survivor)
	if got := o.card(id).item("payment").CoachID; got != survivor.String() {
		t.Errorf("shown as %s", got)
	}
	for _, who := range []uuid.UUID{coach.CustomerID, survivor} {
		if v := o.write(id, body{"code": "competitors", "known": who.String()}, said("resources", who.String())); v.Coached == 0 {
			t.Errorf("%+v", v)
		}
	}
}

func TestOfManyWhoWriteAtOnceOneWins(t *testing.T) {
	t.Parallel()
	o := start(t)
	id := o.opened("pizza", newID(), 5)
	var mutex sync.Mutex
	statuses := map[int]int{}
	var wait sync.WaitGroup
	for n := range 8 {
		wait.Go(func() {
			a := o.Do(http.MethodPatch, path(id), o.Sales, body{"entries": []body{{"code": "payment", "known": fmt.Sprint("They pay in ", n)}}}, "If-Match", `"0"`)
			mutex.Lock()
			defer mutex.Unlock()
			statuses[a.Status]++
		})
	}
	wait.Wait()
	if statuses[http.StatusOK] != 1 || statuses[http.StatusPreconditionFailed] != 7 {
		t.Errorf("%v", statuses)
	}
}

func TestWhatIsRefusedOfCards(t *testing.T) {
	t.Parallel()
	o := start(t)
	id, foreign := o.opened("pizza", newID(), 5, contact(opportunity.User, 2, 2)), o.opened("music", newID(), 5)
	one := func(change func(b body)) body {
		b := said("payment")
		change(b)
		return body{"entries": []body{b}}
	}
	for name, c := range map[string]struct {
		body           body
		status         int
		code, location string
	}{
		"no entries":           {body{"entries": []body{}}, 422, "", "body.entries"},
		"another item":         {one(func(b body) { b["code"] = "luck" }), 422, "c139_invalid", "body.entries[0].code"},
		"no evidence":          {one(func(b body) { b["evidence"] = "" }), 422, "c139_invalid", "body.entries[0].evidence"},
		"a win on a word":      {one(func(b body) { b["code"], b["evidence"] = "top_decides", "-" }), 422, "c139_invalid", "body.entries[0].evidence"},
		"confirmed by nobody":  {one(func(b body) { b["coach_id"] = newID() }), 422, "c139_invalid", "body.entries[0].coach_id"},
		"of the next century":  {one(func(b body) { b["on"] = "2126-01-01" }), 422, "c139_invalid", "body.entries[0].on"},
		"of the 30th February": {one(func(b body) { b["on"] = "2026-02-30" }), 422, "", "body.entries[0].on"},
		"perhaps":              {one(func(b body) { b["holds"] = "perhaps" }), 422, "", "body.entries[0].holds"},
	} {
		a := o.Do(http.MethodPatch, path(id), o.Sales, c.body, "If-Match", "*")
		if a.Status != c.status || c.code != "" && a.Code() != c.code || !strings.Contains(string(a.Body), `"`+c.location+`"`) {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	if v := o.card(id); v.Version != 0 {
		t.Errorf("something was written: %+v", v)
	}
	for _, c := range []struct {
		method, path, token string
		status              int
	}{
		{http.MethodGet, path(foreign), o.Sales, 404},
		{http.MethodPatch, path(foreign), o.Sales, 404},
		{http.MethodGet, path(foreign) + "/gaps", o.Sales, 404},
		{http.MethodGet, path(foreign) + "/changes", o.Sales, 404},
		{http.MethodPatch, path(id), o.Token(auth.RoleAgent, "pizza"), 403},
		{http.MethodGet, path(id), o.Token(auth.RoleAgent, "pizza"), 200},
		{http.MethodGet, path(foreign), o.music, 200},
	} {
		var b any
		if c.method == http.MethodPatch {
			b = body{"entries": []body{said("payment")}}
		}
		if a := o.Do(c.method, c.path, c.token, b, "If-Match", "*"); a.Status != c.status {
			t.Errorf("%s %s: %d %s", c.method, c.path, a.Status, a.Body)
		}
	}
}

func TestCardsRefuseBadInput(t *testing.T) {
	t.Parallel()
	o := start(t)
	id := o.opened("pizza", newID(), 5)
	for name, target := range map[string]badinput.Target{
		"get":       {Method: http.MethodGet, Path: path(id), Owned: true},
		"write":     {Method: http.MethodPatch, Path: path(id), Body: `{"entries":[{"code":"payment","holds":true,"known":"It is paid","evidence":"The budget","on":"2026-11-01"}]}`, Owned: true, Version: true, Header: http.Header{"If-Match": {"*"}}},
		"changes":   {Method: http.MethodGet, Path: path(id) + "/changes", Owned: true, List: true},
		"gaps":      {Method: http.MethodGet, Path: path(id) + "/gaps", Owned: true},
		"items":     {Method: http.MethodGet, Path: "/v1/c139-items"},
		"win rates": {Method: http.MethodGet, Path: "/v1/c139-win-rates"},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = o.URL, o.Sales
			badinput.Check(t, target)
		})
	}
}
