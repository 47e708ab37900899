package activity_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	erasurev1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/erasure/activities/v1"
)

func TestAnActivityIsPlannedAndDone(t *testing.T) {
	t.Parallel()
	o := start(t)
	customer := newID()
	opportunity := o.opened(customer, nil)
	answer := o.library("too_expensive", "It pays for itself in a year")
	v := o.create(body{
		"kind": "visit", "title": "Visit the plant", "notes": "Bring samples", "opportunity_id": opportunity, "due_on": "2030-11-26", "due_time": "14:30", "zone": "Asia/Shanghai",
		"reminders": []body{{"amount": 1, "unit": "days"}},
	})
	if v.CustomerID != customer.String() || v.Owner != "sales@pizza" || v.DueAt.Format(time.RFC3339) != "2030-11-26T06:30:00Z" || len(v.Alarms) != 1 {
		t.Errorf("%+v", v)
	}
	if n := o.Count(`SELECT count(*) FROM opportunity WHERE id = $1 AND followed`, opportunity); n != 1 {
		t.Error("the opportunity does not know that something hangs on it")
	}
	v = o.do(v.ID, "complete", body{"outcome": "interested", "report": "They want two", "objection": "too_expensive", "answer_id": answer})
	if v.State != "completed" || v.Effect != "good" || len(v.Alarms) != 0 || v.Version != 2 {
		t.Errorf("%+v", v)
	}
	golden.JSON(t, "testdata/activity.json", o.Do(http.MethodGet, "/v1/activities/"+v.ID, o.Sales, nil).Body)
	golden.JSON(t, "testdata/activity_completed.json", o.EventsOf("ActivityCompleted", 1)[0].Data)
	for what, b := range map[string]body{"complete": {"outcome": "done"}, "cancel": {"reason": "not_needed"}, "reassign": {"owner": "wang"}} {
		if a := o.Do(http.MethodPost, "/v1/activities/"+v.ID+"/"+what, o.Sales, b); a.Code() != "activity_completed" {
			t.Errorf("%s: %d %s", what, a.Status, a.Body)
		}
	}
}

// library puts an objection with an answer into the library, and gives the answer's id.
func (o *office) library(code, text string) string {
	o.t.Helper()
	o.Want(http.StatusCreated, http.MethodPost, "/v1/objections", o.manager, body{"code": code, "text": body{"en": code, "zh": code}}, nil)
	return o.answers(code, text)
}

func (o *office) answers(code, text string) string {
	o.t.Helper()
	var v struct {
		ID string `json:"answer_id"`
	}
	o.Want(http.StatusCreated, http.MethodPost, "/v1/objections/"+code+"/answers", o.Sales, body{"text": body{"en": text, "zh": text}}, &v)
	return v.ID
}

func TestWhatAnActivityIsAboutBelongsTogether(t *testing.T) {
	t.Parallel()
	o := start(t)
	customer, twin, other := newID(), newID(), newID()
	o.Accounts("pizza").Merge(twin, customer)
	lead, stranger := o.captured(), o.captured()
	o.Admin(`UPDATE lead SET customer_id = $2 WHERE id = $1`, lead, customer)
	of := o.opened(customer, nil)
	o.Admin(`UPDATE opportunity SET lead_id = $2 WHERE id = $1`, of, lead)
	for name, c := range map[string]struct {
		of       body
		customer uuid.UUID // that it is about
		refused  string
	}{
		"nothing":                             {body{}, uuid.Nil, "body.customer_id subject_missing"},
		"a customer":                          {body{"customer_id": twin}, customer, ""},
		"a lead":                              {body{"lead_id": stranger}, uuid.Nil, ""},
		"a lead who is known":                 {body{"lead_id": lead}, customer, ""},
		"an opportunity":                      {body{"opportunity_id": of}, customer, ""},
		"its customer by another id":          {body{"opportunity_id": of, "customer_id": twin}, customer, ""},
		"all three":                           {body{"opportunity_id": of, "customer_id": customer, "lead_id": lead}, customer, ""},
		"another customer's opportunity":      {body{"opportunity_id": of, "customer_id": other}, uuid.Nil, "body.customer_id customer_differs"},
		"a lead who is another customer":      {body{"lead_id": lead, "customer_id": other}, uuid.Nil, "body.lead_id lead_differs"},
		"a lead that the opportunity was not": {body{"opportunity_id": of, "lead_id": stranger}, uuid.Nil, "body.lead_id lead_differs"},
		"an opportunity that is not there":    {body{"opportunity_id": newID()}, uuid.Nil, "body.opportunity_id opportunity_unknown"},
		"a lead that is not there":            {body{"lead_id": newID()}, uuid.Nil, "body.lead_id lead_unknown"},
	} {
		c.of["kind"], c.of["title"], c.of["due_on"] = "task", "Write", soon(1)
		a := o.Do(http.MethodPost, "/v1/activities", o.Sales, c.of)
		if c.refused != "" {
			if location, code, _ := strings.Cut(c.refused, " "); a.Status != 422 || !strings.Contains(string(a.Body), `"location":"`+location+`","code":"`+code+`"`) {
				t.Errorf("%s: %d %s", name, a.Status, a.Body)
			}
			continue
		}
		var v view
		if a.Decode(t, &v); a.Status != http.StatusCreated || c.customer != uuid.Nil && v.CustomerID != c.customer.String() {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	// A lead that becomes known later takes its activities along.
	o.Admin(`UPDATE lead SET customer_id = $2 WHERE id = $1`, stranger, other)
	if ids := o.list(o.Sales, "customer_id="+other.String()); len(ids) != 1 || o.get(ids[0]).CustomerID != other.String() {
		t.Errorf("%v", ids)
	}
	if ids := o.list(o.Sales, "customer_id="+twin.String()); len(ids) != 5 {
		t.Errorf("by another id of the customer: %v", ids)
	}
	o.Accounts("pizza").Undo(twin, customer)
	if mine, theirs := o.list(o.Sales, "customer_id="+twin.String()), o.list(o.Sales, "customer_id="+customer.String()); len(mine) != 2 || len(theirs) != 3 {
		t.Errorf("each has its own again: %v, %v", mine, theirs)
	}
}

func TestMyDayAndWhatIsLate(t *testing.T) {
	t.Parallel()
	o := start(t)
	customer := newID()
	add := func(days int, more body) string {
		b := body{"customer_id": customer, "due_on": soon(days)}
		for name, value := range more {
			b[name] = value
		}
		return o.create(b).ID
	}
	late, today, later := add(-2, nil), add(0, body{"kind": "visit"}), add(5, nil)
	wangs, done := add(0, body{"owner": "wang"}), add(-1, nil)
	o.do(done, "complete", body{"outcome": "not_reached"})
	end := url.QueryEscape(time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 1).Format(time.RFC3339))
	for query, want := range map[string][]string{
		"owner=me&state=open&due_before=" + end: {late, today},
		"owner=me":                              {late, done, today, later},
		"owner=wang":                            {wangs},
		"overdue=true":                          {late},
		"overdue=true&owner=wang":               nil,
		"kind=visit":                            {today},
		"state=completed":                       {done},
		"customer_id=" + customer.String() + "&due_after=" + end: {later},
		"opportunity_id=" + newID().String():                     nil,
	} {
		got := o.list(o.Sales, query)
		if strings.HasPrefix(query, "owner=me&state") || query == "owner=me" { // those of one day stand in the order of their ids
			slices.Sort(got)
			slices.Sort(want)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", query, got, want)
		}
	}
	var all []string
	for cursor := ""; ; {
		var page struct {
			Items      []view
			NextCursor string `json:"next_cursor"`
		}
		o.Want(http.StatusOK, http.MethodGet, "/v1/activities?limit=2&cursor="+cursor, o.Sales, nil, &page)
		for _, v := range page.Items {
			all = append(all, v.ID)
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if slices.Sort(all); len(slices.Compact(all)) != 5 {
		t.Errorf("page by page: %v", all)
	}
	if v := o.get(late); !v.Overdue {
		t.Errorf("%+v", v)
	}
	if a := o.Do(http.MethodGet, "/v1/activities?overdue=true&state=completed", o.Sales, nil); a.Code() != "filter_empty" {
		t.Error(a.Code())
	}
}

func TestAnswersAreRankedByWhatFollowedInTheHistory(t *testing.T) {
	t.Parallel()
	o := start(t)
	good, poor, fresh := o.library("too_expensive", "It pays for itself"), o.answers("too_expensive", "It is not"), o.answers("too_expensive", "Let us see")
	// given answers at a call on an opportunity; what follows is moved into the past with it.
	given := func(answer string, followed func(opportunity string, customer uuid.UUID)) {
		customer := newID()
		id := o.opened(customer, body{"contacts": []body{}})
		call := o.create(body{"opportunity_id": id})
		o.do(call.ID, "complete", body{"outcome": "undecided", "objection": "too_expensive", "answer_id": answer})
		followed(id, customer)
		o.Admin(`UPDATE activity SET completed_at = now() - interval '30 days' WHERE id = $1`, call.ID)
		o.Admin(`UPDATE activity SET completed_at = now() - interval '25 days' WHERE opportunity_id = $1 AND id <> $2 AND state = 'completed'`, id, call.ID)
		o.Admin(`UPDATE opportunity_stage SET entered_at = now() - interval '28 days' WHERE opportunity_id = $1 AND no > 1`, id)
		o.Admin(`UPDATE opportunity_stage SET entered_at = now() - interval '40 days' WHERE opportunity_id = $1 AND no = 1`, id)
	}
	move := func(stage string) func(string, uuid.UUID) {
		return func(id string, _ uuid.UUID) {
			o.Want(http.StatusOK, http.MethodPost, "/v1/opportunities/"+id+"/move", o.Sales, body{"stage": stage}, nil)
		}
	}
	next := func(outcome string) func(string, uuid.UUID) {
		return func(id string, _ uuid.UUID) {
			o.do(o.create(body{"opportunity_id": id}).ID, "complete", body{"outcome": outcome})
		}
	}
	nothing := func(string, uuid.UUID) {}
	given(good, move("qualified"))
	given(good, next("agreed"))
	given(good, nothing)
	given(poor, next("not_interested"))
	given(poor, next("undecided"))
	given(poor, nothing)
	call := o.create(body{"customer_id": newID()})
	o.do(call.ID, "complete", body{"outcome": "undecided", "objection": "too_expensive", "answer_id": fresh})
	type ranked struct {
		ID                                      string `json:"answer_id"`
		Given, Worked, Failed, Nothing, Waiting int
		Enough                                  bool
		Rate, Low, High                         *float64
	}
	rank := func(query string) (items []ranked) {
		t.Helper()
		var list struct{ Items []ranked }
		o.Want(http.StatusOK, http.MethodGet, "/v1/objections/too_expensive/answers"+query, o.Sales, nil, &list)
		return list.Items
	}
	all := rank("?least=3")
	if len(all) != 3 || all[0].ID != good || all[1].ID != poor || all[2].ID != fresh {
		t.Fatalf("%+v", all)
	}
	if r := all[0]; r.Given != 3 || r.Worked != 2 || r.Nothing != 1 || !r.Enough || *r.Rate != 0.6667 || *r.Low != 0.2077 {
		t.Errorf("%+v", r)
	}
	if r := all[1]; r.Worked != 0 || r.Failed != 1 || r.Nothing != 2 || *r.Low != 0 {
		t.Errorf("%+v", r)
	}
	if r := all[2]; r.Waiting != 1 || r.Enough || r.Rate != nil {
		t.Errorf("%+v", r)
	}
	if r := rank("?window_days=1&least=3")[0]; r.Worked != 0 {
		t.Errorf("within a day nothing of that followed: %+v", r)
	}
	if r := rank("")[0]; r.Enough {
		t.Errorf("three are not five: %+v", r)
	}
	o.Want(http.StatusOK, http.MethodPost, "/v1/objections/too_expensive/answers/"+poor+"/archive", o.manager, nil, nil)
	if got := rank(""); len(got) != 2 {
		t.Errorf("%+v", got)
	}
	if got := rank("?archived=true"); len(got) != 3 {
		t.Errorf("%+v", got)
	}
	busy := o.create(body{"customer_id": newID()})
	if a := o.Do(http.MethodPost, "/v1/activities/"+busy.ID+"/complete", o.Sales, body{"outcome": "done", "objection": "too_expensive", "answer_id": poor}); !strings.Contains(string(a.Body), "answer_unknown") {
		t.Errorf("an archived answer: %d %s", a.Status, a.Body)
	}
	o.Want(http.StatusOK, http.MethodPost, "/v1/objections/too_expensive/answers/"+poor+"/restore", o.manager, nil, nil)
	if got := rank(""); len(got) != 3 {
		t.Errorf("%+v", got)
	}
}

func TestWonAndLostOutweighWhatFollowedBeside(t *testing.T) {
	t.Parallel()
	o := start(t)
	answer := o.library("slow", "It is quick")
	for n, state := range []string{"won", "lost"} {
		id := o.opened(newID(), nil)
		call := o.create(body{"opportunity_id": id})
		o.do(call.ID, "complete", body{"outcome": "undecided", "objection": "slow", "answer_id": answer})
		o.do(o.create(body{"opportunity_id": id}).ID, "complete", body{"outcome": []string{"not_interested", "agreed"}[n]})
		if state == "won" {
			o.Want(http.StatusOK, http.MethodPost, "/v1/opportunities/"+id+"/win", o.Sales, body{}, nil)
		} else {
			o.Want(http.StatusOK, http.MethodPost, "/v1/opportunities/"+id+"/lose", o.Sales, body{"reason": "price"}, nil)
		}
		o.Admin(`UPDATE activity SET completed_at = completed_at - interval '30 days' WHERE opportunity_id = $1`, id)
		o.Admin(`UPDATE opportunity_stage SET entered_at = entered_at - interval '30 days' WHERE opportunity_id = $1`, id)
	}
	var list struct {
		Items []struct{ Worked, Failed int }
	}
	o.Want(http.StatusOK, http.MethodGet, "/v1/objections/slow/answers", o.Sales, nil, &list)
	if list.Items[0].Worked != 1 || list.Items[0].Failed != 1 {
		t.Errorf("%+v", list.Items)
	}
}

func TestTheWordsOfActivitiesGoWithWhoeverTheyMayBeAbout(t *testing.T) {
	t.Parallel()
	o := start(t)
	customer, contact := newID(), newID()
	lead := o.captured()
	o.Admin(`UPDATE lead SET customer_id = $2 WHERE id = $1`, lead, customer)
	deal := o.opened(newID(), body{"contacts": []body{{"customer_id": contact, "role": "coach"}}})
	with := func(name string, of body) string {
		of["title"], of["notes"], of["reminders"] = "Rottluff of "+name, "Rottluff of "+name, []body{{"amount": 1, "unit": "hours"}}
		return o.create(of).ID
	}
	toDo, ofLead, ofDeal, other := with("the customer", body{"customer_id": customer}), with("the lead", body{"lead_id": lead}), with("the deal", body{"opportunity_id": deal}), with("another", body{"customer_id": newID()})
	done := with("the report", body{"customer_id": customer})
	o.do(done, "complete", body{"outcome": "interested", "report": "Rottluff of the report"})
	_, erased := o.AskToErase("pizza", customer)
	if !slices.ContainsFunc(erased, func(e *erasurev1.Erased) bool { return e.GetWhat() == "activity" && e.GetCount() == 3 }) {
		t.Errorf("%v", erased)
	}
	o.Accounts("pizza").Erase(contact)
	if left := o.Mentions("Rottluff of the"); len(left) != 0 {
		t.Errorf("still there: %v", left)
	}
	if v := o.get(toDo); v.State != "cancelled" || v.Reason != "customer_erased" || len(v.Alarms) != 0 || v.ErasedAt == "" {
		t.Errorf("%+v", v)
	}
	if v := o.get(done); v.State != "completed" || v.Report != "" {
		t.Errorf("%+v", v)
	}
	if v := o.get(ofLead); v.Title != "" {
		t.Errorf("%+v", v)
	}
	if v := o.get(other); v.Title == "" || v.ErasedAt != "" {
		t.Errorf("%+v", v)
	}
	v := o.do(ofDeal, "complete", body{"outcome": "interested", "report": "The others are well"})
	if v.Title != "" || v.Report == "" || v.ErasedAt != "" {
		t.Errorf("of the deal, whose customer was not erased, new words may be kept: %+v", v)
	}
	for what, b := range map[string]body{"": {"kind": "call", "title": "Call", "due_on": soon(1), "customer_id": customer}, "/" + toDo + "/complete": {"outcome": "interested"}} {
		if a := o.Do(http.MethodPost, "/v1/activities"+what, o.Sales, b); a.Status != http.StatusGone {
			t.Errorf("%s: %d %s", what, a.Status, a.Body)
		}
	}
}

func TestTheWordsAboutALeadGoWithTheLead(t *testing.T) {
	t.Parallel()
	o := start(t)
	lead := o.captured()
	toDo, done := o.create(body{"lead_id": lead, "title": "Rottluff to do"}), o.create(body{"lead_id": lead, "title": "Rottluff done"})
	o.do(done.ID, "complete", body{"outcome": "undecided", "report": "Rottluff of the report"})
	o.Want(http.StatusNoContent, http.MethodDelete, "/v1/leads/"+lead, o.manager, nil, nil)
	if left := o.Mentions("Rottluff"); len(left) != 0 {
		t.Errorf("still there: %v", left)
	}
	if v := o.get(toDo.ID); v.State != "cancelled" || v.Reason != "lead_erased" {
		t.Errorf("%+v", v)
	}
	if a := o.Do(http.MethodPost, "/v1/activities", o.Sales, body{"kind": "call", "title": "Call", "due_on": soon(1), "lead_id": lead}); a.Code() != "lead_erased" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

func TestOfManyWhoCompleteOneOnlyOneDoes(t *testing.T) {
	t.Parallel()
	o := start(t)
	v := o.create(body{"customer_id": newID()})
	var mutex sync.Mutex
	statuses := map[string]int{}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			a := o.Do(http.MethodPost, "/v1/activities/"+v.ID+"/complete", o.Sales, body{"outcome": "interested"})
			mutex.Lock()
			defer mutex.Unlock()
			statuses[fmt.Sprint(a.Status, a.Code())]++
		})
	}
	wait.Wait()
	if statuses["200"] != 1 || statuses["409activity_completed"] != 7 {
		t.Errorf("%v", statuses)
	}
	if n := len(o.EventsOf("ActivityCompleted", 1)); n != 1 {
		t.Errorf("%d events", n)
	}
}

func TestOutcomesAreTheTenants(t *testing.T) {
	t.Parallel()
	o := start(t)
	var list struct {
		Outcomes []body
		Version  int
	}
	o.Want(http.StatusOK, http.MethodGet, "/v1/activity-outcomes", o.Sales, nil, &list)
	if len(list.Outcomes) != 7 || list.Version != 0 {
		t.Errorf("%+v", list)
	}
	v := o.create(body{"customer_id": newID()})
	own := body{"outcomes": []body{{"code": "signed", "name": body{"en": "Signed", "zh": "已签"}, "effect": "good"}}}
	o.Want(http.StatusOK, http.MethodPut, "/v1/activity-outcomes", o.manager, own, &list, "If-Match", `"0"`)
	if a := o.Do(http.MethodPut, "/v1/activity-outcomes", o.manager, own, "If-Match", `"0"`); a.Status != http.StatusPreconditionFailed {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := o.Do(http.MethodPost, "/v1/activities/"+v.ID+"/complete", o.Sales, body{"outcome": "interested"}); !strings.Contains(string(a.Body), "outcome_unknown") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	o.do(v.ID, "complete", body{"outcome": "signed"})
	o.Want(http.StatusOK, http.MethodGet, "/v1/activity-outcomes", o.Token(auth.RoleSales, "music"), nil, &list)
	if len(list.Outcomes) != 7 {
		t.Errorf("another tenant has %+v", list)
	}
}

func TestWhoMayDoWhatWithActivities(t *testing.T) {
	t.Parallel()
	o := start(t)
	v := o.create(body{"customer_id": newID()})
	answer := o.library("slow", "It is quick")
	music, agent := o.Token(auth.RoleSales, "music"), o.Token(auth.RoleAgent, "pizza")
	for _, c := range []struct {
		name, method, path, token string
		body                      any
		status                    int
	}{
		{"an agent reads", http.MethodGet, "/v1/activities/" + v.ID, agent, nil, 200},
		{"and plans nothing", http.MethodPost, "/v1/activities", agent, body{}, 403},
		{"who sells sets no outcomes", http.MethodPut, "/v1/activity-outcomes", o.Sales, body{}, 403},
		{"and adds no objections", http.MethodPost, "/v1/objections", o.Sales, body{}, 403},
		{"another tenant's is not there", http.MethodGet, "/v1/activities/" + v.ID, music, nil, 404},
		{"nor completed", http.MethodPost, "/v1/activities/" + v.ID + "/complete", music, body{"outcome": "done"}, 404},
		{"nor its objection", http.MethodGet, "/v1/objections/slow", music, nil, 404},
		{"nor the answers", http.MethodGet, "/v1/objections/slow/answers", music, nil, 404},
		{"nor archived", http.MethodPost, "/v1/objections/slow/answers/" + answer + "/archive", o.Token(auth.RoleManager, "music"), nil, 404},
		{"a reminder that is not there", http.MethodPost, "/v1/activities/" + v.ID + "/reminders/1/seen", o.Sales, nil, 404},
	} {
		if a := o.Do(c.method, c.path, c.token, c.body); a.Status != c.status {
			t.Errorf("%s: got %d %s, want %d", c.name, a.Status, a.Body, c.status)
		}
	}
	if ids := o.list(music, ""); len(ids) != 0 {
		t.Errorf("another tenant sees %v", ids)
	}
}

func TestActivitiesRefuseBadInput(t *testing.T) {
	t.Parallel()
	o := start(t)
	customer := newID()
	answer := o.library("slow", "It is quick")
	again := func() string { return "/v1/activities/" + o.create(body{"customer_id": customer}).ID }
	n := 0
	objection := func() string {
		n++
		return fmt.Sprintf(`{"code":"o%d","text":{"en":"x","zh":"x"}}`, n)
	}
	whole := `{"kind":"call","customer_id":"` + customer.String() + `","title":"Call","notes":"x","owner":"li","due_on":"` + soon(3) + `","due_time":"14:30","zone":"Asia/Shanghai","reminders":[{"amount":1,"unit":"days"}]}`
	anyVersion := http.Header{"If-Match": {"*"}}
	for name, target := range map[string]badinput.Target{
		"create":           {Method: http.MethodPost, Path: "/v1/activities", Body: whole, Replay: true, OtherBody: strings.Replace(whole, "Call", "Ring", 1)},
		"list":             {Method: http.MethodGet, Path: "/v1/activities", List: true},
		"get":              {Method: http.MethodGet, Path: again(), Owned: true},
		"change":           {Method: http.MethodPut, Path: again(), Body: `{"title":"Ring","notes":"x","owner":"li","due_on":"` + soon(3) + `","due_time":"14:30","zone":"UTC","reminders":[{"amount":1,"unit":"hours"}]}`, Owned: true, Version: true, Header: anyVersion},
		"reassign":         {Method: http.MethodPost, Path: again() + "/reassign", Body: `{"owner":"wang"}`, Owned: true},
		"complete":         {Method: http.MethodPost, Path: again() + "/complete", Body: `{"outcome":"interested","report":"x","objection":"slow","answer_id":"` + answer + `","completed_at":"2026-01-01T00:00:00Z"}`, Owned: true},
		"cancel":           {Method: http.MethodPost, Path: again() + "/cancel", Body: `{"reason":"not_needed"}`, Owned: true},
		"reminders":        {Method: http.MethodGet, Path: "/v1/activity-reminders", List: true},
		"outcomes":         {Method: http.MethodGet, Path: "/v1/activity-outcomes"},
		"set outcomes":     {Method: http.MethodPut, Path: "/v1/activity-outcomes", Body: `{"outcomes":[{"code":"interested","name":{"en":"x","zh":"x"},"effect":"good","kinds":["task","call","meeting","visit"]}]}`, Version: true, Header: anyVersion},
		"add objection":    {Method: http.MethodPost, Path: "/v1/objections", Body: objection(), Fresh: objection, OtherBody: objection(), Replay: true},
		"objections":       {Method: http.MethodGet, Path: "/v1/objections", List: true},
		"objection":        {Method: http.MethodGet, Path: "/v1/objections/slow", Owned: true, Skip: []string{"path: no UUID"}},
		"change objection": {Method: http.MethodPut, Path: "/v1/objections/slow", Body: `{"text":{"en":"x","zh":"x"},"archived":false}`, Owned: true, Version: true, Header: anyVersion},
		"add answer":       {Method: http.MethodPost, Path: "/v1/objections/slow/answers", Body: `{"text":{"en":"x","zh":"x"}}`, OtherBody: `{"text":{"en":"y","zh":"y"}}`, Owned: true, Replay: true},
		"answers":          {Method: http.MethodGet, Path: "/v1/objections/slow/answers", Owned: true},
		"archive":          {Method: http.MethodPost, Path: "/v1/objections/slow/answers/" + o.answers("slow", "So what") + "/archive", Owned: true},
		"restore":          {Method: http.MethodPost, Path: "/v1/objections/slow/answers/" + answer + "/restore", Owned: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = o.URL, o.manager
			badinput.Check(t, target)
		})
	}
}
