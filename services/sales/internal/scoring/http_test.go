package scoring_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
	"github.com/guanxi-crm/guanxi/services/sales/internal/scoring"
)

type body = map[string]any

// scored is a score as the API shows it.
type scored struct {
	CaseID      uuid.UUID `json:"case_id"`
	State       string
	Probability float64
	Automatic   bool
	Reckoned    float64
	SetBy       string  `json:"set_by"`
	PWon        float64 `json:"p_won"`
	Factors     []struct {
		Field, Value string
		Lift         float64
	}
	LeftOut []struct{ Field, Value, Reason string } `json:"left_out"`
	Words   []string
}

// shop is a tenant with a case that was won and one that was lost, and an open one, which is a lead.
func shop(t *testing.T) (d *desk, manager string, lead scoring.Case) {
	t.Helper()
	w := salestest.Start(t)
	d = deskOf(t, w, "pizza")
	web, fair := published{"one", 1, 1, 1, 1}.asCase(), published{"one", 2, 1, 2, 1}.asCase()
	lead = published{"one", 1, 0, 3, 1}.asCase()
	lead.Tags = []string{"hot"}
	id := d.save(web, fair, lead)
	d.close(d.scores.Won, id[0])
	d.close(d.scores.Lost, id[1])
	d.pass()
	return d, w.Token(auth.RoleManager, "pizza"), d.cases[id[2]]
}

func TestAScoreIsSetByHandAndCleared(t *testing.T) {
	t.Parallel()
	d, _, lead := shop(t)
	path := "/v1/leads/" + lead.ID.String() + "/score"
	var got scored
	d.Want(http.StatusOK, http.MethodGet, path, d.Sales, nil, &got)
	// 1.1/2.2 won and lost alike; country 1: (1.1/1.2) to (0.1/1.2).
	if got.CaseID != lead.ID || got.State != "open" || got.Probability != 91.67 || !got.Automatic || got.PWon != 0.5 || len(got.Factors) != 2 {
		t.Fatalf("%+v", got)
	}
	want := []struct{ Field, Value, Reason string }{{"source", "3", "unseen"}, {"tags", "hot", "too_few"}}
	if !slices.Equal(got.LeftOut, want) {
		t.Fatalf("%+v", got.LeftOut)
	}
	if !slices.Contains(got.Words, "Source 3 was not seen in a case that was won or lost and is left out.") ||
		!slices.Contains(got.Words, "Tag hot stands in fewer than 50 cases that were won or lost and is left out.") {
		t.Fatalf("%q", got.Words)
	}
	d.Want(http.StatusOK, http.MethodPut, path, d.Sales, body{"probability": 40.25}, &got)
	if got.Probability != 40.25 || got.Automatic || got.Reckoned != 91.67 || got.SetBy == "" || got.Words[0] != "The score was set to 40.25 % by hand and stays until that is cleared." {
		t.Fatalf("%+v", got)
	}
	d.change(lead.ID, func(c *scoring.Case) { c.Fields["country"] = "2" })
	d.Want(http.StatusOK, http.MethodGet, path, d.Sales, nil, &got)
	if got.Probability != 40.25 || got.Reckoned != 8.33 {
		t.Fatalf("%+v", got)
	}
	d.is(lead.ID, "40.25")
	d.Want(http.StatusNotFound, http.MethodGet, path, d.Token(auth.RoleSales, "music"), nil, nil)
	d.Want(http.StatusNotFound, http.MethodDelete, path, d.Token(auth.RoleSales, "music"), nil, nil)
	d.Want(http.StatusForbidden, http.MethodPut, path, d.Token(auth.RoleAgent, "pizza"), body{"probability": 1}, nil)
	d.Want(http.StatusOK, http.MethodDelete, path, d.Sales, nil, &got)
	if got.Probability != 8.33 || !got.Automatic {
		t.Fatalf("%+v", got)
	}
	d.is(lead.ID, "8.33")

	d.close(d.scores.Lost, lead.ID)
	d.Want(http.StatusOK, http.MethodGet, path, d.Sales, nil, &got)
	if got.Probability != 0 || got.State != "lost" || got.Words[0] != "It is lost, so its score is 0.00 %." {
		t.Fatalf("%+v", got)
	}
	if code := d.Want(http.StatusConflict, http.MethodPut, path, d.Sales, body{"probability": 1}, nil).Code(); code != "case_closed" {
		t.Fatal(code)
	}
}

func TestAnOpportunityHasTheScoreOfItsLeadOrOneOfItsOwn(t *testing.T) {
	t.Parallel()
	d, _, lead := shop(t)
	opportunity, own := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	d.change(lead.ID, func(c *scoring.Case) { c.Opportunity, c.Stage = opportunity, "2" })
	d.save(scoring.Case{ID: own, Opportunity: own, Team: "one", Pipeline: "standard", Stage: "1", Stages: []string{"1", "2", "3", "won"}})
	var got scored
	d.Want(http.StatusOK, http.MethodGet, "/v1/opportunities/"+opportunity.String()+"/score", d.Sales, nil, &got)
	if got.CaseID != lead.ID {
		t.Fatalf("%+v", got)
	}
	d.Want(http.StatusOK, http.MethodPut, "/v1/opportunities/"+opportunity.String()+"/score", d.Sales, body{"probability": 12}, nil)
	d.Want(http.StatusOK, http.MethodGet, "/v1/leads/"+lead.ID.String()+"/score", d.Sales, nil, &got)
	if got.Probability != 12 {
		t.Fatalf("%+v", got)
	}
	d.Want(http.StatusOK, http.MethodDelete, "/v1/opportunities/"+opportunity.String()+"/score", d.Sales, nil, nil)
	d.Want(http.StatusOK, http.MethodGet, "/v1/opportunities/"+own.String()+"/score", d.Sales, nil, &got)
	if got.CaseID != own || got.Probability != 50 {
		t.Fatalf("%+v", got)
	}
	d.Want(http.StatusNotFound, http.MethodGet, "/v1/leads/"+own.String()+"/score", d.Sales, nil, nil)
	d.Want(http.StatusNotFound, http.MethodGet, "/v1/opportunities/"+lead.ID.String()+"/score", d.Sales, nil, nil)
}

func TestWhatMakesAScoreIsSetAndOpenCasesAreScoredAgainBehindTheScenes(t *testing.T) {
	t.Parallel()
	d, manager, lead := shop(t)
	const path = "/v1/lead-scoring"
	var got struct{ Fields []string }
	answer := d.Want(http.StatusOK, http.MethodGet, path, d.Token(auth.RoleManager, "music"), nil, &got)
	if !slices.Equal(got.Fields, []string{"source", "country", "email_state", "phone_state", "tags", "stage"}) || answer.Header.Get("ETag") != `"0"` {
		t.Fatalf("%+v", got)
	}
	set := body{"fields": []string{"source", "stage"}}
	d.Want(http.StatusForbidden, http.MethodPut, path, d.Sales, set, nil, "If-Match", `"0"`)
	d.Want(http.StatusPreconditionRequired, http.MethodPut, path, manager, set, nil)
	d.Want(http.StatusOK, http.MethodPut, path, manager, set, &got, "If-Match", `"0"`)
	d.Want(http.StatusPreconditionFailed, http.MethodPut, path, manager, set, nil, "If-Match", `"0"`)
	if len(got.Fields) != 2 {
		t.Fatalf("%+v", got)
	}
	for name, fields := range map[string][]string{"field_unknown": {"source", "salary"}, "field_twice": {"source", "source"}} {
		answer := d.Want(http.StatusUnprocessableEntity, http.MethodPut, path, manager, body{"fields": fields}, nil, "If-Match", `"1"`)
		if answer.Code() != "lead_scoring_invalid" {
			t.Errorf("%s: %s", name, answer.Body)
		}
	}
	d.is(lead.ID, "91.67")
	d.background()
	d.is(lead.ID, "50.00")
}

func TestCountsAreMadeAnewOnRequest(t *testing.T) {
	t.Parallel()
	d, manager, _ := shop(t)
	const path = "/v1/lead-scoring/rebuild"
	type rebuild struct {
		RebuildID string `json:"rebuild_id"`
		State     string
		Outcomes  int
	}
	var got, again rebuild
	was := d.counts()
	d.Want(http.StatusForbidden, http.MethodPost, path, d.Sales, body{}, nil)
	future := d.Want(http.StatusUnprocessableEntity, http.MethodPost, path, manager, body{"start_at": time.Now().Add(48 * time.Hour)}, nil)
	if future.Code() != "rebuild_invalid" {
		t.Fatal(future.Code())
	}
	d.Want(http.StatusAccepted, http.MethodPost, path, manager, body{}, &got, "Idempotency-Key", "once")
	d.Want(http.StatusAccepted, http.MethodPost, path, manager, body{}, &again, "Idempotency-Key", "once")
	if again.RebuildID != got.RebuildID {
		t.Fatal(again, got)
	}
	running := d.Want(http.StatusConflict, http.MethodPost, path, manager, body{}, nil)
	if got.State != "queued" || running.Code() != "rebuild_running" {
		t.Fatal(got, running.Code())
	}
	d.background()
	d.Want(http.StatusOK, http.MethodGet, "/v1/lead-scoring/rebuilds/"+got.RebuildID, d.Sales, nil, &got)
	if is := d.counts(); got.State != "done" || got.Outcomes != 2 || len(is) != len(was) || is["one|country|1"] != "1.1/0.1" {
		t.Fatal(got, is)
	}
	d.Want(http.StatusNotFound, http.MethodGet, "/v1/lead-scoring/rebuilds/"+got.RebuildID, d.Token(auth.RoleManager, "music"), nil, nil)

	// From now on, nothing counts that was before.
	d.Want(http.StatusAccepted, http.MethodPost, path, manager, body{"start_at": time.Now()}, &got)
	d.background()
	if is := d.counts(); len(is) != 0 {
		t.Fatal(is)
	}
}

func TestCountsAreListedInPages(t *testing.T) {
	t.Parallel()
	d, manager, _ := shop(t)
	type page struct {
		Items []struct {
			Team, Field, Value string
			Won, Lost          float64
		}
		NextCursor string `json:"next_cursor"`
	}
	var seen []string
	for cursor, more := "", true; more; {
		var p page
		d.Want(http.StatusOK, http.MethodGet, "/v1/lead-scoring/counts?limit=4&cursor="+url.QueryEscape(cursor), manager, nil, &p)
		for _, c := range p.Items {
			seen = append(seen, c.Team+"|"+c.Field+"|"+c.Value)
		}
		cursor, more = p.NextCursor, p.NextCursor != ""
	}
	if all := d.counts(); len(seen) != len(all) || !slices.IsSorted(seen) {
		t.Fatal(seen, all)
	}
	var p page
	d.Want(http.StatusOK, http.MethodGet, "/v1/lead-scoring/counts?team=one&field=country", manager, nil, &p)
	if len(p.Items) != 2 || p.Items[0].Won != 1.1 || p.Items[0].Lost != 0.1 {
		t.Fatalf("%+v", p)
	}
	d.Want(http.StatusOK, http.MethodGet, "/v1/lead-scoring/counts?team=two", manager, nil, &p)
	if len(p.Items) != 0 {
		t.Fatalf("%+v", p)
	}
}

func TestBadInputOfScoresIsRefused(t *testing.T) {
	t.Parallel()
	d, manager, lead := shop(t)
	opportunity := uuid.Must(uuid.NewV7())
	d.change(lead.ID, func(c *scoring.Case) { c.Opportunity = opportunity })
	version := http.Header{"If-Match": {"*"}}
	for name, target := range map[string]badinput.Target{
		"read a lead's score":          {Method: http.MethodGet, Path: "/v1/leads/" + lead.ID.String() + "/score", Token: d.Sales, Owned: true},
		"set a lead's score":           {Method: http.MethodPut, Path: "/v1/leads/" + lead.ID.String() + "/score", Token: d.Sales, Owned: true, Body: `{"probability": 50.5}`},
		"clear a lead's score":         {Method: http.MethodDelete, Path: "/v1/leads/" + lead.ID.String() + "/score", Token: d.Sales, Owned: true},
		"read an opportunity's score":  {Method: http.MethodGet, Path: "/v1/opportunities/" + opportunity.String() + "/score", Token: d.Sales, Owned: true},
		"set an opportunity's score":   {Method: http.MethodPut, Path: "/v1/opportunities/" + opportunity.String() + "/score", Token: d.Sales, Owned: true, Body: `{"probability": 50.5}`},
		"clear an opportunity's score": {Method: http.MethodDelete, Path: "/v1/opportunities/" + opportunity.String() + "/score", Token: d.Sales, Owned: true},
		"read the setting":             {Method: http.MethodGet, Path: "/v1/lead-scoring", Token: d.Sales},
		"change the setting": {
			Method: http.MethodPut, Path: "/v1/lead-scoring", Token: manager, Body: `{"fields": ["source"]}`, Header: version, Version: true,
		},
		"list counts": {Method: http.MethodGet, Path: "/v1/lead-scoring/counts", Token: d.Sales, List: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target.URL = d.URL
			badinput.Check(t, target)
		})
	}
	for name, probability := range map[string]any{"101": 101, "100": 100, "nothing": 0, "less than nothing": -1, "three decimals": 33.333, "words": "likely"} {
		t.Run("a probability of "+name, func(t *testing.T) {
			t.Parallel()
			d.Want(http.StatusUnprocessableEntity, http.MethodPut, "/v1/leads/"+lead.ID.String()+"/score", d.Sales, body{"probability": probability}, nil)
		})
	}
}

// TestALeadIsScoredFromItsCaptureToItsLoss goes the whole way of a lead, through the rooms that own it.
func TestALeadIsScoredFromItsCaptureToItsLoss(t *testing.T) {
	t.Parallel()
	w := salestest.Start(t)
	d := deskOf(t, w, "pizza")
	var lead struct {
		LeadID string `json:"lead_id"`
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/leads", w.Sales, body{"name": "Lily Chen", "email": "lily@northern.example", "source": "fair", "country": "CN"}, &lead)
	path := "/v1/leads/" + lead.LeadID
	var got scored
	w.Want(http.StatusOK, http.MethodGet, path+"/score", w.Sales, nil, &got)
	if got.State != "open" || got.Probability != 0 || got.Words[0] != "There is nothing to reckon with yet: no case of this pipeline was won or lost." {
		t.Fatalf("%+v", got)
	}
	w.Want(http.StatusOK, http.MethodPost, path+"/lose", w.Sales, body{"reason": "no_budget"}, nil)
	d.count("", "source", "fair", "0.1/1.1")
	d.count("", "stage", "standard/new", "0.1/1.1")
	d.count("", "stage", "standard/qualified", "")
	d.count("", "email_state", "correct", "0.1/1.1")
	w.Want(http.StatusOK, http.MethodPost, path+"/reopen", w.Sales, nil, nil)
	d.count("", "source", "fair", "0.1/0.1")
	w.Want(http.StatusOK, http.MethodGet, path+"/score", w.Sales, nil, &got)
	if got.State != "open" || got.Probability != 50 {
		t.Fatalf("%+v", got)
	}
}
