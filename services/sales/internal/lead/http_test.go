package lead_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
)

func TestALeadIsCapturedOnce(t *testing.T) {
	t.Parallel()
	d := start(t)
	ref := body{"system": "fair-app", "id": "17"}
	made := d.Want(http.StatusCreated, http.MethodPost, "/v1/leads", d.Sales, with(lily(), "external_ref", ref), nil)
	golden.JSON(t, "testdata/lead.json", made.Body)
	var l leadView
	made.Decode(t, &l)
	if again := d.capture(http.StatusOK, with(lily(), "external_ref", ref)); again.LeadID != l.LeadID || again.Enquiries != 1 || again.Version != 1 {
		t.Errorf("sent again it is %+v", again)
	}
	other := d.Do(http.MethodPost, "/v1/leads", d.Sales, with(lily(), "external_ref", ref, "message", "Three."))
	if other.Status != http.StatusConflict || other.Code() != "lead_differs" || !strings.Contains(string(other.Body), l.LeadID) {
		t.Errorf("with other content: %d %s", other.Status, other.Body)
	}
	if n := len(d.EventsOf("LeadCaptured", 1)); n != 1 {
		t.Errorf("%d events", n)
	}
}

func TestWhoComesAgainIsAnEnquiryOfTheOpenLead(t *testing.T) {
	t.Parallel()
	d := start(t)
	first := d.capture(http.StatusCreated, lily())
	for name, c := range map[string]struct {
		lead body
		by   string
	}{
		"by the address":      {body{"name": "L. Chen", "email": "LILY@northern-pizza.example"}, "email"},
		"by the phone":        {body{"name": "Chen", "phone": "+86 138-0013-8000"}, "phone"},
		"by company and name": {body{"name": "Chen Lily", "email": "chen@northern-pizza.example"}, "company"},
		"by the website":      {body{"name": "lily chen", "website": "www.northern-pizza.example"}, "company"},
	} {
		if again := d.capture(http.StatusOK, c.lead); again.LeadID != first.LeadID || again.Name != "Lily Chen" {
			t.Errorf("%s: %+v", name, again)
		}
		var page struct {
			Items []struct {
				MatchedBy string `json:"matched_by"`
			}
		}
		d.Want(http.StatusOK, http.MethodGet, "/v1/leads/"+first.LeadID+"/enquiries?limit=1", d.Sales, nil, &page)
		if page.Items[0].MatchedBy != c.by {
			t.Errorf("%s: found by %s", name, page.Items[0].MatchedBy)
		}
	}
	if now := d.get(first.LeadID); now.Enquiries != 5 || now.Version != 5 {
		t.Errorf("%+v", now)
	}
	for name, lead := range map[string]body{
		"a colleague":            {"name": "Hans Maier", "email": "hans@northern-pizza.example"},
		"a namesake elsewhere":   {"name": "Lily Chen", "email": "lily@southern-pizza.example"},
		"a namesake at a mailer": {"name": "Lily Chen", "email": "lily@qq.com"},
	} {
		if made := d.capture(http.StatusCreated, lead); made.LeadID == first.LeadID {
			t.Errorf("%s is the same", name)
		}
	}
	d.do(http.StatusOK, first.LeadID, "lose", body{"reason": "no_need"})
	if anew := d.capture(http.StatusCreated, lily()); anew.LeadID == first.LeadID || anew.Enquiries != 1 {
		t.Errorf("a lost lead took an enquiry: %+v", anew)
	}
	var elsewhere leadView
	d.Want(http.StatusCreated, http.MethodPost, "/v1/leads", d.music, lily(), &elsewhere)
}

func TestATenantSaysByWhatLeadsAreTheSame(t *testing.T) {
	t.Parallel()
	d := start(t)
	const path = "/v1/lead-settings"
	golden.JSON(t, "testdata/settings.json", d.Want(http.StatusOK, http.MethodGet, path, d.Sales, nil, nil).Body)
	d.Want(http.StatusOK, http.MethodPut, path, d.manager, body{"dedupe": []string{"phone"}, "region": "DE"}, nil, "If-Match", `"0"`)
	d.Want(http.StatusPreconditionFailed, http.MethodPut, path, d.manager, body{"dedupe": []string{}, "region": "DE"}, nil, "If-Match", `"0"`)
	first := d.capture(http.StatusCreated, body{"name": "Hans", "email": "hans@example.com", "phone": "030 901820"})
	if first.Phone != "+4930901820" || first.Country != "DE" {
		t.Errorf("%+v", first)
	}
	d.capture(http.StatusCreated, body{"name": "Hans", "email": "hans@example.com"})
	d.capture(http.StatusOK, body{"name": "Hans", "phone": "+49 30 901820"})
	d.Want(http.StatusOK, http.MethodPut, path, d.manager, body{"dedupe": []string{}, "region": "DE"}, nil, "If-Match", `"1"`)
	d.capture(http.StatusCreated, body{"name": "Hans", "phone": "+49 30 901820"})
}

func TestCapturesOfOnePersonAtOnceAreOneLead(t *testing.T) {
	t.Parallel()
	d := start(t)
	var made atomic.Int64
	var wait sync.WaitGroup
	for n := range 12 {
		wait.Go(func() {
			one := []body{
				{"name": "Lily Chen", "email": "lily@northern-pizza.example", "phone": "138 0013 8000"},
				{"name": "Lily", "phone": "138 0013 8000", "email": "lily@northern-pizza.example"},
				{"name": "Lily Chen", "email": "lily@northern-pizza.example"},
			}[n%3]
			switch answer := d.Do(http.MethodPost, "/v1/leads", d.Sales, one); answer.Status {
			case http.StatusCreated:
				made.Add(1)
			case http.StatusOK:
			default:
				t.Errorf("got %d %s", answer.Status, answer.Body)
			}
		})
	}
	wait.Wait()
	if n := d.Count(`SELECT count(*) FROM lead`); made.Load() != 1 || n != 1 {
		t.Errorf("%d were answered as new, %d leads", made.Load(), n)
	}
	if n := d.Count(`SELECT enquiries FROM lead`); n != 12 {
		t.Errorf("%d enquiries", n)
	}
}

func TestAReplyToACampaignIsOfACustomerOrOfWords(t *testing.T) {
	t.Parallel()
	d := start(t)
	customer, survivor := newID(), newID()
	const path = "/v1/leads/campaign-replies"
	var l, again leadView
	d.Want(http.StatusCreated, http.MethodPost, path, d.Sales, body{"campaign": "autumn-26", "customer_id": customer}, &l)
	if l.Capture != "campaign_reply" || l.Campaign != "autumn-26" || l.CustomerID != customer.String() {
		t.Errorf("%+v", l)
	}
	d.Accounts("pizza").Merge(customer, survivor)
	d.Want(http.StatusOK, http.MethodPost, path, d.Sales, body{"campaign": "winter-26", "customer_id": survivor, "message": "Call me"}, &again)
	if again.LeadID != l.LeadID || again.CustomerID != survivor.String() || again.Enquiries != 2 {
		t.Errorf("after the merge: %+v", again)
	}
	if got := d.list(d.Sales, url.Values{"customer_id": {survivor.String()}}); len(got) != 1 {
		t.Errorf("the survivor has %v", got)
	}
	d.Want(http.StatusCreated, http.MethodPost, path, d.Sales, body{"campaign": "winter-26", "email": "new@example.com"}, nil)
	d.Want(http.StatusUnprocessableEntity, http.MethodPost, path, d.Sales, body{"campaign": "winter-26", "message": "Call me"}, nil)
	d.Accounts("pizza").Erase(survivor)
	if gone := d.Do(http.MethodPost, path, d.Sales, body{"campaign": "winter-26", "customer_id": survivor}); gone.Status != http.StatusGone || gone.Code() != "customer_erased" {
		t.Errorf("of an erased customer: %d %s", gone.Status, gone.Body)
	}
}

func TestALeadIsWorkedOn(t *testing.T) {
	t.Parallel()
	d := start(t)
	d.team("north", "hans", "ida")
	l := d.capture(http.StatusCreated, lily())
	d.do(http.StatusOK, l.LeadID, "assign", body{"team": "north", "owner": "hans"})
	if again := d.do(http.StatusOK, l.LeadID, "assign", body{"owner": "hans"}); again.Version != 2 || again.Team != "north" {
		t.Errorf("given to who has it: %+v", again)
	}
	for name, to := range map[string]body{"no team": {"team": "nowhere"}, "another team's": {"team": "north", "owner": "zoe"}} {
		if refused := d.Do(http.MethodPost, "/v1/leads/"+l.LeadID+"/assign", d.Sales, to); refused.Status != http.StatusUnprocessableEntity || refused.Code() != "lead_invalid" {
			t.Errorf("%s: %d %s", name, refused.Status, refused.Body)
		}
	}
	released := d.do(http.StatusOK, l.LeadID, "release", nil)
	if released.Owner != "" || released.Team != "north" {
		t.Errorf("%+v", released)
	}
	d.do(http.StatusConflict, l.LeadID, "release", nil)
	found := d.do(http.StatusOK, l.LeadID, "qualify", body{"need": "Two ovens", "budget_minor": 5000000, "budget_currency": "CNY", "authority": "decision_maker", "decide_by": "2026-12-31"})
	if found.State != "qualified" || found.Need != "Two ovens" || *found.Budget != 5000000 || found.DecideBy != "2026-12-31" || found.Qualified == "" {
		t.Errorf("%+v", found)
	}
	d.do(http.StatusConflict, l.LeadID, "qualify", body{})
	d.do(http.StatusUnprocessableEntity, l.LeadID, "lose", body{"reason": "nonsense"})
	d.do(http.StatusUnprocessableEntity, l.LeadID, "lose", body{"reason": ""})
	if lost := d.do(http.StatusOK, l.LeadID, "lose", body{"reason": "no_budget"}); lost.State != "lost" || lost.LostReason != "no_budget" {
		t.Errorf("%+v", lost)
	}
	for what, b := range map[string]any{"lose": body{"reason": "no_need"}, "qualify": body{}, "assign": body{"team": "north"}, "release": nil} {
		if refused := d.Do(http.MethodPost, "/v1/leads/"+l.LeadID+"/"+what, d.Sales, b); refused.Status != http.StatusConflict {
			t.Errorf("%s of a lost lead: %d %s", what, refused.Status, refused.Body)
		}
	}
	if again := d.do(http.StatusOK, l.LeadID, "reopen", nil); again.State != "open" || again.LostReason != "" || again.Need != "Two ovens" {
		t.Errorf("%+v", again)
	}
	d.do(http.StatusConflict, l.LeadID, "reopen", nil)
	golden.JSON(t, "testdata/history.json", d.Want(http.StatusOK, http.MethodGet, "/v1/leads/"+l.LeadID+"/history", d.Sales, nil, nil).Body)
	for _, name := range []string{"LeadCaptured", "LeadAssigned", "LeadQualified", "LeadLost", "LeadReopened"} {
		event := d.EventsOf(name, 1)[0]
		golden.JSON(t, "testdata/"+strings.ToLower(name[:4]+"_"+name[4:])+".json", event.Data)
		if event.AggregateType != "lead" || event.AggregateID != l.LeadID {
			t.Errorf("%+v", event)
		}
	}
	d.capture(http.StatusOK, lily())
	golden.JSON(t, "testdata/lead_enquired.json", d.EventsOf("LeadEnquired", 1)[0].Data)
}

func TestOfTwoWhoEndALeadAtOnceOneDoes(t *testing.T) {
	t.Parallel()
	d := start(t)
	l := d.capture(http.StatusCreated, lily())
	statuses := make([]int, 8)
	var wait sync.WaitGroup
	for n := range statuses {
		wait.Go(func() {
			what, b := "lose", body{"reason": "no_need"}
			if n%2 == 1 {
				what, b = "qualify", body{}
			}
			statuses[n] = d.Do(http.MethodPost, "/v1/leads/"+l.LeadID+"/"+what, d.Sales, b).Status
		})
	}
	wait.Wait()
	lost, qualified := 0, 0
	for n, status := range statuses {
		switch {
		case status == http.StatusOK && n%2 == 0:
			lost++
		case status == http.StatusOK:
			qualified++
		case status != http.StatusConflict:
			t.Errorf("got %d", status)
		}
	}
	now := d.get(l.LeadID)
	if lost != 1 || qualified > 1 || now.State != "lost" || now.Version != int64(2+qualified) {
		t.Errorf("lost %d, qualified %d times: %+v", lost, qualified, now)
	}
	if n := d.Count(`SELECT sum(lost)::bigint FROM scoring_count WHERE field = 'source'`); n != 1 {
		t.Errorf("it counts as lost %d times", n)
	}
}

func TestWhatIsSaidOfALeadIsChangedAsItWasRead(t *testing.T) {
	t.Parallel()
	d := start(t)
	d.Want(http.StatusCreated, http.MethodPost, "/v1/lead-fields", d.manager, body{"name": "ovens", "title": "Ovens", "type": "integer"}, nil)
	l := d.capture(http.StatusCreated, with(lily(), "custom_fields", body{"ovens": 2}))
	path := "/v1/leads/" + l.LeadID
	var now leadView
	changed := d.Want(http.StatusOK, http.MethodPatch, path, d.Sales, body{
		"company": "Northern Pizza Ltd", "phone": "", "tags": []string{"hot"}, "custom_fields": body{"ovens": 3}, "budget_minor": 100, "budget_currency": "CNY",
	}, &now, "If-Match", `"1"`)
	if now.Company != "Northern Pizza Ltd" || now.Phone != "" || now.Name != "Lily Chen" || !slices.Equal(now.Tags, []string{"hot"}) ||
		fmt.Sprint(now.Custom) != "map[ovens:3]" || *now.Budget != 100 || changed.Header.Get("ETag") != `"2"` {
		t.Errorf("%+v %v", now, changed.Header)
	}
	if same := d.Want(http.StatusOK, http.MethodPatch, path, d.Sales, body{"company": "Northern Pizza Ltd"}, nil, "If-Match", `"2"`); same.Header.Get("ETag") != `"2"` {
		t.Errorf("no change made a version: %s", same.Header.Get("ETag"))
	}
	d.Want(http.StatusPreconditionFailed, http.MethodPatch, path, d.Sales, body{"company": "x"}, nil, "If-Match", `"1"`)
	d.Want(http.StatusPreconditionRequired, http.MethodPatch, path, d.Sales, body{"company": "x"}, nil)
	now = leadView{}
	d.Want(http.StatusOK, http.MethodPatch, path, d.Sales, body{"clear": []string{"budget"}, "custom_fields": body{"ovens": nil}}, &now, "If-Match", `"2"`)
	if now.Budget != nil || len(now.Custom) != 0 {
		t.Errorf("%+v", now)
	}
	for name, c := range map[string]struct {
		change   body
		location string
	}{
		"no address":       {body{"email": "x"}, "body.email"},
		"half a budget":    {body{"budget_minor": 1}, "body.budget_minor"},
		"no currency":      {body{"budget_minor": 1, "budget_currency": "XXX"}, "body.budget_currency"},
		"no day":           {body{"decide_by": "2026-02-30"}, "body.decide_by"},
		"no field":         {body{"custom_fields": body{"size": 1}}, "body.custom_fields.size"},
		"a value unfit":    {body{"custom_fields": body{"ovens": "many"}}, "body.custom_fields.ovens"},
		"nobody":           {body{"name": "", "company": "", "email": "", "phone": ""}, "body.name"},
		"no pipeline":      {body{"pipeline": "nowhere"}, "body.pipeline"},
		"no authority":     {body{"authority": "boss"}, "body.authority"},
		"an unknown clear": {body{"clear": []string{"name"}}, "body.clear[0]"},
	} {
		refused := d.Do(http.MethodPatch, path, d.Sales, c.change, "If-Match", `"3"`)
		if refused.Status != http.StatusUnprocessableEntity || !strings.Contains(string(refused.Body), `"`+c.location+`"`) {
			t.Errorf("%s: %d %s", name, refused.Status, refused.Body)
		}
	}
}

func TestLeadsAreListedAsTheyAreLookedFor(t *testing.T) {
	t.Parallel()
	d := start(t)
	d.team("north", "hans")
	for n, name := range []string{"Ann", "Bob", "Cai", "Dan", "Eve"} {
		l := d.capture(http.StatusCreated, body{
			"name": name, "company": fmt.Sprintf("Firm %d", n%2), "source": []string{"web", "fair"}[n%2], "tags": []string{fmt.Sprint("t", n%3)}, "email": name + "@example" + name + ".com",
		})
		switch name {
		case "Bob":
			d.do(http.StatusOK, l.LeadID, "lose", body{"reason": "no_need"})
		case "Cai":
			d.do(http.StatusOK, l.LeadID, "assign", body{"team": "north", "owner": "hans"})
		}
	}
	for name, c := range map[string]struct {
		filter url.Values
		want   []string
	}{
		"all, the latest first":   {url.Values{}, []string{"Eve", "Dan", "Cai", "Bob", "Ann"}},
		"open ones":               {url.Values{"state": {"open"}}, []string{"Eve", "Dan", "Cai", "Ann"}},
		"of somebody":             {url.Values{"owner": {"hans"}}, []string{"Cai"}},
		"of nobody":               {url.Values{"unassigned": {"true"}, "state": {"open"}}, []string{"Eve", "Dan", "Ann"}},
		"of a team":               {url.Values{"team": {"north"}}, []string{"Cai"}},
		"of a source":             {url.Values{"source": {"fair"}}, []string{"Dan", "Bob"}},
		"of a tag":                {url.Values{"tag": {"T0"}}, []string{"Dan", "Ann"}},
		"that begin with a name":  {url.Values{"begins": {"cA"}}, []string{"Cai"}},
		"or with a company":       {url.Values{"begins": {"firm 1"}}, []string{"Dan", "Bob"}},
		"that begin with nothing": {url.Values{"begins": {"firm%"}}, nil},
		"several":                 {url.Values{"begins": {"firm"}, "source": {"web"}, "state": {"open"}}, []string{"Eve", "Cai", "Ann"}},
	} {
		if got := d.list(d.Sales, c.filter); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
	if got := d.list(d.music, url.Values{}); len(got) > 0 {
		t.Errorf("another tenant sees %v", got)
	}
	for query, status := range map[string]int{"state=closed": 422, "customer_id=17": 422, "owner=hans&unassigned=true": 422, "order=name": 422, "no_such=1": 422} {
		if answer := d.Do(http.MethodGet, "/v1/leads?"+query, d.Sales, nil); answer.Status != status {
			t.Errorf("%s: got %d %s", query, answer.Status, answer.Body)
		}
	}
}

func TestNotesAreWrittenDownOfALead(t *testing.T) {
	t.Parallel()
	d := start(t)
	l := d.capture(http.StatusCreated, lily())
	path := "/v1/leads/" + l.LeadID + "/notes"
	var first, again struct {
		NoteID string `json:"note_id"`
		Words  string
	}
	d.Want(http.StatusCreated, http.MethodPost, path, d.Sales, body{"words": " Called, nobody there. "}, &first, "Idempotency-Key", "n")
	d.Want(http.StatusCreated, http.MethodPost, path, d.Sales, body{"words": " Called, nobody there. "}, &again, "Idempotency-Key", "n")
	if first != again || first.Words != "Called, nobody there." {
		t.Errorf("%+v, then %+v", first, again)
	}
	d.Want(http.StatusUnprocessableEntity, http.MethodPost, path, d.Sales, body{"words": " "}, nil)
	d.Want(http.StatusCreated, http.MethodPost, path, d.Sales, body{"words": "Called again."}, nil)
	var page struct{ Items []struct{ Words string } }
	d.Want(http.StatusOK, http.MethodGet, path, d.Sales, nil, &page)
	if len(page.Items) != 2 || page.Items[0].Words != "Called again." || d.get(l.LeadID).Version != 1 {
		t.Errorf("%+v", page)
	}
}

func TestWhoMaySeeAndChangeALead(t *testing.T) {
	t.Parallel()
	d := start(t)
	l := d.capture(http.StatusCreated, lily())
	path := "/v1/leads/" + l.LeadID
	agent := d.Token(auth.RoleAgent, "pizza")
	for _, c := range []struct {
		name, method, path, token string
		body                      any
		status                    int
	}{
		{"another tenant's is not there", http.MethodGet, path, d.music, nil, 404},
		{"nor to be worked on", http.MethodPost, path + "/qualify", d.music, body{}, 404},
		{"nor its history", http.MethodGet, path + "/history", d.music, nil, 404},
		{"nor its enquiries", http.MethodGet, path + "/enquiries", d.music, nil, 404},
		{"nor its notes", http.MethodPost, path + "/notes", d.music, body{"words": "x"}, 404},
		{"nor to be erased", http.MethodDelete, path, d.Token(auth.RoleManager, "music"), nil, 404},
		{"one that never was", http.MethodGet, "/v1/leads/" + uuid.NewString(), d.Sales, nil, 404},
		{"an agent reads", http.MethodGet, path, agent, nil, 200},
		{"an agent captures nothing", http.MethodPost, "/v1/leads", agent, lily(), 403},
		{"a seller erases nothing", http.MethodDelete, path, d.Sales, nil, 403},
		{"a seller sets nothing", http.MethodPut, "/v1/lead-settings", d.Sales, body{"dedupe": []string{}, "region": "CN"}, 403},
		{"a seller makes no forms", http.MethodPost, "/v1/lead-forms", d.Sales, offer(), 403},
		{"a seller imports nothing", http.MethodPost, "/v1/leads/imports", d.Sales, nil, 403},
		{"marketing captures", http.MethodPost, "/v1/leads", d.Token(auth.RoleMarketing, "pizza"), body{"name": "x"}, 201},
	} {
		t.Run(c.name, func(t *testing.T) {
			if answer := d.Do(c.method, c.path, c.token, c.body); answer.Status != c.status {
				t.Errorf("got %d %s, want %d", answer.Status, answer.Body, c.status)
			}
		})
	}
}

func TestLeadsRefuseBadInput(t *testing.T) {
	t.Parallel()
	d := start(t)
	d.team("north", "hans")
	var made atomic.Int64
	capture := func() string {
		n := made.Add(1)
		return fmt.Sprintf(`{"name":"N%d","email":"n%d@x%d.example","source":"web","tags":["a"],"custom_fields":{}}`, n, n, n)
	}
	reply := func() string {
		return fmt.Sprintf(`{"campaign":"autumn","name":"R","email":"r%d@y.example"}`, made.Add(1))
	}
	form := func() string {
		return fmt.Sprintf(`{"code":"f%d","name":"F","origins":["https://x.example"],"fields":[{"name":"email"}],"per_minute":5}`, made.Add(1))
	}
	l := d.capture(http.StatusCreated, lily())
	path := "/v1/leads/" + l.LeadID
	var f formView
	d.Want(http.StatusCreated, http.MethodPost, "/v1/lead-fields", d.manager, body{"name": "ovens", "title": "Ovens", "type": "integer"}, nil)
	d.Want(http.StatusCreated, http.MethodPost, "/v1/lead-forms", d.manager, offer(), &f)
	forms := "/v1/lead-forms/" + f.FormID
	any1 := http.Header{"If-Match": {"*"}}
	for name, target := range map[string]badinput.Target{
		"capture":     {Method: http.MethodPost, Path: "/v1/leads", Body: capture(), Replay: true, Fresh: capture, OtherBody: capture()},
		"reply":       {Method: http.MethodPost, Path: "/v1/leads/campaign-replies", Body: reply(), Replay: true, Fresh: reply, OtherBody: reply()},
		"list":        {Method: http.MethodGet, Path: "/v1/leads", List: true},
		"by score":    {Method: http.MethodGet, Path: "/v1/leads?order=score", List: true},
		"get":         {Method: http.MethodGet, Path: path, Owned: true},
		"change":      {Method: http.MethodPatch, Path: path, Body: `{"name":"Lily Chen","tags":["a"],"budget_minor":1,"budget_currency":"CNY"}`, Version: true, Owned: true, Header: any1},
		"assign":      {Method: http.MethodPost, Path: path + "/assign", Body: `{"team":"north","owner":"hans"}`, Owned: true},
		"note":        {Method: http.MethodPost, Path: path + "/notes", Body: `{"words":"x"}`, Owned: true, Replay: true, OtherBody: `{"words":"y"}`},
		"notes":       {Method: http.MethodGet, Path: path + "/notes", List: true, Owned: true},
		"history":     {Method: http.MethodGet, Path: path + "/history", List: true, Owned: true},
		"enquiries":   {Method: http.MethodGet, Path: path + "/enquiries", List: true, Owned: true},
		"settings":    {Method: http.MethodGet, Path: "/v1/lead-settings"},
		"set up":      {Method: http.MethodPut, Path: "/v1/lead-settings", Body: `{"dedupe":["email"],"region":"CN"}`, Version: true, Header: any1},
		"define form": {Method: http.MethodPost, Path: "/v1/lead-forms", Body: form(), Replay: true, Fresh: form, OtherBody: form()},
		"forms":       {Method: http.MethodGet, Path: "/v1/lead-forms", List: true},
		"form":        {Method: http.MethodGet, Path: forms, Owned: true},
		"change form": {Method: http.MethodPut, Path: forms, Body: `{"name":"F","origins":["https://x.example"],"fields":[{"name":"email"}],"per_minute":5}`, Version: true, Owned: true, Header: any1},
		"renew a key": {Method: http.MethodPost, Path: forms + "/renew-key", Version: true, Owned: true, Header: any1},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = d.URL, d.manager
			badinput.Check(t, target)
		})
	}
	// What can be done once: the bad input comes first, and the good request last.
	for _, c := range []struct{ what, body string }{
		{"qualify", `{"need":"x","budget_minor":1,"budget_currency":"CNY"}`}, {"lose", `{"reason":"no_need"}`}, {"reopen", ``}, {"release", ``},
	} {
		t.Run(c.what, func(t *testing.T) {
			badinput.Check(t, badinput.Target{URL: d.URL, Token: d.manager, Method: http.MethodPost, Path: path + "/" + c.what, Body: c.body, Owned: true})
		})
	}
	t.Run("erase", func(t *testing.T) {
		badinput.Check(t, badinput.Target{URL: d.URL, Token: d.manager, Method: http.MethodDelete, Path: path, Owned: true})
	})
}
