package policy_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/policy"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

func TestWhoHasToApprove(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cost            int64
		severity, level int
		want            policy.Approval
	}{
		{0, 4, 1, policy.None}, {5_000, 2, 1, policy.None}, {5_001, 4, 1, policy.Manager}, {50_000, 4, 1, policy.Manager},
		{50_001, 4, 1, policy.Director}, {0, 1, 1, policy.Manager}, {50_001, 1, 1, policy.Director},
		{0, 4, 2, policy.Manager}, {50_001, 4, 2, policy.Director}, {0, 4, 3, policy.Director},
	} {
		if got := policy.Standard().Approval(c.cost, c.severity, c.level); got != c.want {
			t.Errorf("cost %d, severity %d, level %d: got %s, want %s", c.cost, c.severity, c.level, got, c.want)
		}
	}
	strict := policy.Standard()
	strict.ManagerSeverity, strict.DirectorSeverity = 3, 2
	for severity, want := range map[int]policy.Approval{1: policy.Director, 2: policy.Director, 3: policy.Manager, 4: policy.None} {
		if got := strict.Approval(0, severity, 1); got != want {
			t.Errorf("severity %d under the strict policy: got %s, want %s", severity, got, want)
		}
	}
}

type body = ticketstest.Body

func strict() body {
	return body{"step_seconds": 3600, "customer_seconds": 7200, "reminders": 0, "rounds": 1, "free_minor": 0, "manager_minor": 100, "point_minor": 2}
}

const path = "/v1/complaints/policy"

func TestATenantSetsItsOwnPolicy(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	var v struct {
		StepSeconds  int64 `json:"step_seconds"`
		ManagerMinor int64 `json:"manager_minor"`
	}
	standard := w.Want(http.StatusOK, http.MethodGet, path, w.Agent, nil, &v)
	if tag := standard.Header.Get("ETag"); tag != `"0"` || v.StepSeconds != 2*24*3600 {
		t.Fatalf("%s %+v", tag, v)
	}
	w.Want(http.StatusOK, http.MethodPut, path, w.Director, strict(), nil, "If-Match", `"0"`)
	w.Want(http.StatusPreconditionFailed, http.MethodPut, path, w.Director, strict(), nil, "If-Match", `"0"`)
	w.Want(http.StatusForbidden, http.MethodPut, path, w.Manager, strict(), nil, "If-Match", `"1"`)
	set := w.Want(http.StatusOK, http.MethodGet, path, w.Agent, nil, &v)
	if tag := set.Header.Get("ETag"); tag != `"1"` || v.StepSeconds != 3600 || v.ManagerMinor != 100 {
		t.Fatalf("%s %+v", tag, v)
	}
	w.Want(http.StatusOK, http.MethodGet, path, w.Token("agent", "music"), nil, &v)
	if v.StepSeconds != 2*24*3600 {
		t.Fatalf("another tenant's: %+v", v)
	}
}

func TestOfManyWhoSetItAtOnceOneDoes(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	var set atomic.Int64
	var wait sync.WaitGroup
	for range 10 {
		wait.Go(func() {
			if w.Do(http.MethodPut, path, w.Director, strict(), "If-Match", `"0"`).Status == http.StatusOK {
				set.Add(1)
			}
		})
	}
	wait.Wait()
	if set.Load() != 1 {
		t.Fatalf("%d set it", set.Load())
	}
}

func TestThePolicyRefusesBadInput(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	badinput.Check(t, badinput.Target{URL: w.URL, Token: w.Director, Method: http.MethodPut, Path: path, Version: true,
		Header: http.Header{"If-Match": {"*"}},
		Body:   `{"step_seconds":3600,"customer_seconds":7200,"reminders":0,"rounds":1,"free_minor":0,"manager_minor":100,"point_minor":2}`})
	for field, values := range map[string][]int64{
		"step_seconds": {0, -1, 366*24*3600 + 1, 1 << 62}, "customer_seconds": {0, 1 << 62}, "reminders": {-1, 101}, "rounds": {0, 101},
		"free_minor": {-1, 101}, "manager_minor": {-1, 1 << 53}, "point_minor": {-1},
		"acknowledge_seconds": {0, -1, 1 << 62}, "verify_seconds": {-1, 1 << 62}, "low_score": {0, 5}, "reopens": {-1, 11},
		"manager_severity": {-1, 5}, "director_severity": {5}, "legal_days": {-1, 367},
	} {
		for _, value := range values {
			b := strict()
			b[field] = value
			if answer := w.Do(http.MethodPut, path, w.Director, b, "If-Match", "*"); answer.Status != http.StatusUnprocessableEntity {
				t.Errorf("%s %d: got %d %s", field, value, answer.Status, answer.Body)
			}
		}
	}
}

func TestWhatAPolicyAsksForIsOptionalAndKept(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	full := strict()
	for field, value := range map[string]any{
		"acknowledge_seconds": 7200, "verify_seconds": 86400, "low_score": 3, "reopens": 0, "manager_severity": 2, "director_severity": 1,
		"legal_days": 15, "legal_warn_days": []int{1, 3, 3}, "outside_bodies": []body{{"code": "12315", "name": "全国12315平台", "contact": "12315"}},
	} {
		full[field] = value
	}
	var v struct {
		Acknowledge int64  `json:"acknowledge_seconds"`
		Reopens     int    `json:"reopens"`
		LegalDays   int    `json:"legal_days"`
		Warn        []int  `json:"legal_warn_days"`
		Bodies      []body `json:"outside_bodies"`
	}
	w.Want(http.StatusOK, http.MethodPut, path, w.Director, full, nil, "If-Match", `"0"`)
	w.Want(http.StatusOK, http.MethodGet, path, w.Agent, nil, &v)
	if v.Acknowledge != 7200 || v.Reopens != 0 || v.LegalDays != 15 || len(v.Warn) != 2 || v.Warn[0] != 3 || len(v.Bodies) != 1 {
		t.Fatalf("%+v", v)
	}
	w.Want(http.StatusOK, http.MethodPut, path, w.Director, strict(), nil, "If-Match", `"1"`)
	w.Want(http.StatusOK, http.MethodGet, path, w.Agent, nil, &v)
	if v.Acknowledge != 86400 || v.Reopens != 2 || v.LegalDays != 0 || len(v.Warn) != 2 || v.Warn[0] != 5 || len(v.Bodies) != 0 {
		t.Fatalf("what is left out is as in the standard policy: %+v", v)
	}
	for name, change := range map[string]func(body){
		"a body without a name":     func(b body) { b["outside_bodies"] = []body{{"code": "court", "name": ""}} },
		"a body whose code is none": func(b body) { b["outside_bodies"] = []body{{"code": "The Court", "name": "Court"}} },
		"two bodies of one code": func(b body) {
			b["outside_bodies"] = []body{{"code": "court", "name": "A"}, {"code": "court", "name": "B"}}
		},
		"a warning on no day":       func(b body) { b["legal_warn_days"] = []int{0} },
		"a calendar of no deadline": func(b body) { b["legal_calendar_id"] = "01890000-0000-7000-8000-000000000001" },
	} {
		b := strict()
		change(b)
		if answer := w.Do(http.MethodPut, path, w.Director, b, "If-Match", "*"); answer.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: got %d %s", name, answer.Status, answer.Body)
		}
	}
	unknown := strict()
	unknown["legal_days"], unknown["legal_calendar_id"] = 15, "01890000-0000-7000-8000-000000000001"
	if answer := w.Do(http.MethodPut, path, w.Director, unknown, "If-Match", "*"); answer.Status != http.StatusNotFound {
		t.Errorf("a calendar that is not there: got %d %s", answer.Status, answer.Body)
	}
}

func TestATenantSetsItsOwnMenu(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	const path = "/v1/complaints/menu"
	type menu struct {
		Entries []struct {
			Code, Kind string
			Justice    []string
			CostMinor  int64 `json:"cost_minor"`
			Consent    bool
		}
	}
	var standard, own menu
	w.Want(http.StatusOK, http.MethodGet, path, w.Agent, nil, &standard)
	if len(standard.Entries) != len(policy.Kinds()) {
		t.Fatalf("%+v", standard)
	}
	entry := func(change ...func(body)) body {
		e := body{"code": "dessert", "kind": "free_service", "justice": []string{"outcome", "interaction"}, "cost_minor": 1500, "consent": false}
		for _, c := range change {
			c(e)
		}
		return e
	}
	w.Want(http.StatusForbidden, http.MethodPut, path, w.Manager, body{"entries": []body{entry()}}, nil, "If-Match", `"0"`)
	w.Want(http.StatusOK, http.MethodPut, path, w.Director, body{"entries": []body{entry()}}, nil, "If-Match", `"0"`)
	w.Want(http.StatusPreconditionFailed, http.MethodPut, path, w.Director, body{"entries": []body{entry()}}, nil, "If-Match", `"0"`)
	w.Want(http.StatusOK, http.MethodGet, path, w.Agent, nil, &own)
	if len(own.Entries) != 1 || own.Entries[0].Code != "dessert" || own.Entries[0].CostMinor != 1500 {
		t.Fatalf("%+v", own)
	}
	var other menu
	w.Want(http.StatusOK, http.MethodGet, path, w.Token("agent", "music"), nil, &other)
	if len(other.Entries) != len(standard.Entries) {
		t.Fatalf("another tenant's: %+v", other)
	}
	for name, entries := range map[string][]body{
		"nothing":                 {},
		"a code twice":            {entry(), entry()},
		"a code that is none":     {entry(func(e body) { e["code"] = "Free Dessert" })},
		"a kind that is none":     {entry(func(e body) { e["kind"] = "flowers" })},
		"no justice":              {entry(func(e body) { e["justice"] = []string{} })},
		"a justice that is none":  {entry(func(e body) { e["justice"] = []string{"poetic"} })},
		"a negative cost":         {entry(func(e body) { e["cost_minor"] = -1 })},
		"points of a fixed cost":  {entry(func(e body) { e["kind"] = "points" })},
		"refunds without consent": {entry(func(e body) { e["kind"], e["cost_minor"] = "refund", 0 })},
	} {
		if answer := w.Do(http.MethodPut, path, w.Director, body{"entries": entries}, "If-Match", "*"); answer.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: got %d %s", name, answer.Status, answer.Body)
		}
	}
	badinput.Check(t, badinput.Target{URL: w.URL, Token: w.Director, Method: http.MethodPut, Path: path, Version: true,
		Header: http.Header{"If-Match": {"*"}}, Body: `{"entries":[{"code":"dessert","kind":"apology","justice":["interaction"]}]}`})
}
