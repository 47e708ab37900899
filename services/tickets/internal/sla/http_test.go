package sla_test

import (
	"encoding/json"
	"fmt"
	"net/http"
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

type policy struct {
	ID        string `json:"policy_id"`
	Version   int64
	Name      string
	Condition string
	Archived  bool
}

// gold is a policy for customers of the tier gold.
func gold(name string) body {
	return body{
		"name": name, "position": 10, "condition": `tier == "gold"`,
		"targets": body{"p1": body{"first_response_seconds": 900}, "p3": body{"first_response_seconds": 3600, "resolution_seconds": 28800}},
	}
}

func with(b body, key string, value any) body {
	made := body{}
	for k, v := range b {
		made[k] = v
	}
	if made[key] = value; value == nil {
		delete(made, key)
	}
	return made
}

func create(t *testing.T, w *ticketstest.World, b body) (p policy) {
	t.Helper()
	w.Want(http.StatusCreated, http.MethodPost, "/v1/sla-policies", w.Manager, b, &p)
	return p
}

func match(version int64) []string {
	return []string{"If-Match", fmt.Sprintf("%q", fmt.Sprint(version))}
}

func TestAPolicyIsKeptInVersions(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	p := create(t, w, gold(" Gold "))
	path := "/v1/sla-policies/" + p.ID
	read := w.Want(http.StatusOK, http.MethodGet, path, w.Agent, nil, &p)
	golden.JSON(t, "testdata/policy.json", read.Body)

	stale := w.Want(http.StatusPreconditionFailed, http.MethodPut, path, w.Manager, gold("Gold"), nil, match(7)...)
	if stale.Code() != "version_stale" {
		t.Errorf("%s", stale.Body)
	}
	w.Want(http.StatusOK, http.MethodPut, path, w.Manager, with(gold("Gold"), "condition", `tier in ["gold", "platinum"]`), &p, match(1)...)
	if p.Version != 2 {
		t.Errorf("%+v", p)
	}
	var versions struct {
		Items      []policy
		NextCursor string `json:"next_cursor"`
	}
	w.Want(http.StatusOK, http.MethodGet, path+"/versions?limit=1", w.Agent, nil, &versions)
	if len(versions.Items) != 1 || versions.Items[0].Version != 2 || versions.NextCursor == "" {
		t.Errorf("%+v", versions)
	}
	w.Want(http.StatusOK, http.MethodGet, path+"/versions?cursor="+versions.NextCursor, w.Agent, nil, &versions)
	if len(versions.Items) != 1 || versions.Items[0].Condition != `tier == "gold"` {
		t.Errorf("%+v", versions)
	}

	taken := w.Want(http.StatusConflict, http.MethodPost, "/v1/sla-policies", w.Manager, gold("Gold"), nil)
	if taken.Code() != "sla_policy_name_taken" {
		t.Errorf("%s", taken.Body)
	}
	w.Want(http.StatusOK, http.MethodPost, path+"/archive", w.Manager, nil, &p, match(2)...)
	if again := w.Want(http.StatusConflict, http.MethodPut, path, w.Manager, gold("Gold"), nil, match(2)...); again.Code() != "sla_policy_archived" {
		t.Errorf("%s", again.Body)
	}
	create(t, w, gold("Gold")) // the name is free again
	w.Want(http.StatusNotFound, http.MethodGet, path, w.Token(auth.RoleAgent, "music"), nil, nil)
	w.Want(http.StatusForbidden, http.MethodPost, "/v1/sla-policies", w.Agent, gold("x"), nil)
}

func TestPoliciesAreTriedInTheirOrder(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	rest := create(t, w, with(with(gold("Rest"), "position", 20), "condition", nil))
	first := create(t, w, gold("Gold"))
	create(t, w, with(with(gold("Archived"), "position", 1), "condition", nil))
	w.Want(http.StatusOK, http.MethodPost, "/v1/sla-policies/"+lastOf(t, w, "Archived")+"/archive", w.Manager, nil, nil, match(1)...)
	var list struct{ Items []policy }
	w.Want(http.StatusOK, http.MethodGet, "/v1/sla-policies", w.Agent, nil, &list)
	if len(list.Items) != 2 || list.Items[0].ID != first.ID || list.Items[1].ID != rest.ID {
		t.Errorf("%+v", list.Items)
	}
	other := w.Token(auth.RoleManager, "music")
	if w.Want(http.StatusOK, http.MethodGet, "/v1/sla-policies", other, nil, &list); len(list.Items) != 0 {
		t.Errorf("another tenant has %+v", list.Items)
	}
	var verdict struct {
		Fits   bool
		Reason string
		Cost   int
		Name   string `json:"policy_name"`
	}
	try := func(condition string, facts body) {
		t.Helper()
		verdict.Reason, verdict.Name = "", ""
		w.Want(http.StatusOK, http.MethodPost, "/v1/sla-policies/check", w.Manager, body{"condition": condition, "facts": facts}, &verdict)
	}
	if try(`priority < 3`, body{"priority": 2, "tier": "gold"}); !verdict.Fits || verdict.Name != "Gold" || verdict.Cost == 0 {
		t.Errorf("%+v", verdict)
	}
	if try(`custom.seats > 10`, body{"tier": "silver"}); verdict.Fits || verdict.Name != "Rest" || !strings.Contains(verdict.Reason, "seats") {
		t.Errorf("%+v", verdict)
	}
	if try(`custom.seats > 10`, body{"custom": body{"seats": 11}}); !verdict.Fits {
		t.Errorf("%+v", verdict)
	}
}

func lastOf(t *testing.T, w *ticketstest.World, name string) string {
	t.Helper()
	var list struct{ Items []policy }
	w.Want(http.StatusOK, http.MethodGet, "/v1/sla-policies", w.Agent, nil, &list)
	for _, p := range list.Items {
		if p.Name == name {
			return p.ID
		}
	}
	t.Fatalf("there is no policy %s", name)
	return ""
}

func TestATicketIsMeasuredByTheStandingOfItsCustomer(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	feed := w.Token(auth.RoleIntegrator, "pizza")
	create(t, w, gold("Gold"))
	customer := uuid.NewString()
	open := func() (policy struct {
		Grade, Tier string
		Policy      struct{ Name string }
	}) {
		t.Helper()
		var made struct {
			ID string `json:"ticket_id"`
		}
		w.Want(http.StatusCreated, http.MethodPost, "/v1/tickets", w.Agent, body{
			"kind": "incident", "channel": "phone", "subject": "x", "impact": 2, "urgency": 2, "customer_id": customer}, &made)
		w.Want(http.StatusOK, http.MethodGet, "/v1/tickets/"+made.ID+"/sla", w.Agent, nil, &policy)
		return policy
	}
	if got := open(); got.Policy.Name != "" {
		t.Errorf("%+v", got)
	}
	path := "/v1/customer-standings/" + customer
	w.Want(http.StatusOK, http.MethodPut, path, feed, body{"grade": "A", "tier": "gold"}, nil)
	w.Want(http.StatusOK, http.MethodPut, path, w.Token(auth.RoleIntegrator, "music"), body{"grade": "C", "tier": ""}, nil)
	w.Want(http.StatusForbidden, http.MethodPut, path, w.Agent, body{"grade": "A", "tier": "gold"}, nil)
	if got := open(); got.Policy.Name != "Gold" || got.Grade != "A" || got.Tier != "gold" {
		t.Errorf("%+v", got)
	}
	var standing struct{ Grade, Tier string }
	w.Want(http.StatusOK, http.MethodGet, path, w.Agent, nil, &standing)
	if standing.Grade != "A" || standing.Tier != "gold" {
		t.Errorf("%+v", standing)
	}
	bad := w.Want(http.StatusUnprocessableEntity, http.MethodPut, path, feed, body{"grade": "A+", "tier": "very gold"}, nil)
	if bad.Code() != "standing_invalid" {
		t.Errorf("%s", bad.Body)
	}
	w.AskToErase("pizza", uuid.MustParse(customer))
	if n := w.Count(`SELECT count(*) FROM customer_standing WHERE customer_id = $1 AND tenant_id = 'pizza'`, customer); n != 0 {
		t.Errorf("%d standings of an erased customer", n)
	}
}

func TestPoliciesThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	target := func(seconds any) any { return body{"p2": body{"resolution_seconds": seconds}} }
	step := func(b body) any { return []any{b} }
	for _, c := range []struct {
		name, key string
		value     any
		location  string
		code      string
	}{
		{"without a name", "name", " ", "body.name", "name_malformed"},
		{"a name of two lines", "name", "a\nb", "body.name", "name_malformed"},
		{"a target of nothing", "targets", target(0), "body.targets.p2.resolution_seconds", "target_out_of_range"},
		{"a target before the creation", "targets", target(-60), "body.targets.p2.resolution_seconds", "target_out_of_range"},
		{"a target of ages", "targets", target(int64(9e18)), "body.targets.p2.resolution_seconds", "target_out_of_range"},
		{"no targets", "targets", body{}, "body.targets", "targets_missing"},
		{"a word that is no fact", "condition", `colour == "red"`, "body.condition", "condition_malformed"},
		{"half a condition", "condition", `tier == `, "body.condition", "condition_malformed"},
		{"a number", "condition", `priority`, "body.condition", "condition_not_bool"},
		{"a condition that runs long", "condition", `tags.all(a, tags.all(b, tags.all(c, a + b == c)))`, "body.condition", "condition_too_costly"},
		{"a status that is none", "pausing", body{"resolution": []any{"asleep"}}, "body.pausing.resolution[0]", "status_unknown"},
		{"paused once resolved", "pausing", body{"resolution": []any{"resolved"}}, "body.pausing.resolution[0]", "status_unknown"},
		{"always paused", "pausing", body{"resolution": []any{"new", "open", "pending", "on_hold"}}, "body.pausing.resolution", "always_paused"},
		{"a calendar that is not there", "calendar_id", uuid.NewString(), "body.calendar_id", "calendar_not_found"},
		{"a step to no queue", "steps", step(body{"percent": 100, "action": "assign_queue"}), "body.steps[0].queue", "queue_malformed"},
		{"a warning in a queue", "steps", step(body{"percent": 100, "action": "warn", "queue": "second"}), "body.steps[0].queue", "queue_unexpected"},
		{"a step twice", "steps", []any{body{"percent": 80, "action": "warn"}, body{"percent": 80, "action": "warn"}}, "body.steps[1]", "step_twice"},
		{"a step at nothing", "steps", step(body{"percent": 0, "action": "warn"}), "body.steps[0].percent", ""},
		{"an action that is none", "steps", step(body{"percent": 80, "action": "shout"}), "body.steps[0].action", ""},
		{"another word for reopening", "reopening", "second", "body.reopening", ""},
		{"a correction of nothing", "correction", true, "body.correction", "correction_unfit"},
		{"a position below", "position", -1, "body.position", "out_of_range"},
		{"a manager that is no code", "managed_by", "Git & co", "body.managed_by", "managed_by_malformed"},
		{"an external id of nobody", "external_id", "7", "body.external_id", "external_id_unexpected"},
	} {
		got := w.Want(http.StatusUnprocessableEntity, http.MethodPost, "/v1/sla-policies", w.Manager, with(gold("x"), c.key, c.value), nil)
		var problem struct {
			Errors []struct{ Location, Code string }
		}
		if err := json.Unmarshal(got.Body, &problem); err != nil || len(problem.Errors) == 0 || problem.Errors[0].Location != c.location || c.code != "" && problem.Errors[0].Code != c.code {
			t.Errorf("%s: %s", c.name, got.Body)
		}
	}
	broken := w.Want(http.StatusUnprocessableEntity, http.MethodPost, "/v1/sla-policies/check", w.Manager, body{"condition": "tier ==\n  colour"}, nil)
	if !strings.Contains(string(broken.Body), "line 2, column 3") {
		t.Errorf("%s", broken.Body)
	}
}

func TestAHundredPoliciesAreEnough(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 14 {
				w.Do(http.MethodPost, "/v1/sla-policies", w.Manager, gold(fmt.Sprintf("p%d-%d", i, n)))
			}
		})
	}
	wg.Wait()
	if n := w.Count(`SELECT count(*) FROM sla_policy`); n != 100 {
		t.Errorf("%d policies", n)
	}
	if full := w.Want(http.StatusConflict, http.MethodPost, "/v1/sla-policies", w.Manager, gold("x"), nil); full.Code() != "sla_policies_too_many" {
		t.Errorf("%s", full.Body)
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	n := 0
	fresh := func() string {
		n++
		return fmt.Sprintf(`{"name":"p%d","position":1,"targets":{"p1":{"resolution_seconds":60}}}`, n)
	}
	path := "/v1/sla-policies/" + create(t, w, gold("kept")).ID
	for name, target := range map[string]badinput.Target{
		"create":   {Method: http.MethodPost, Path: "/v1/sla-policies", Body: fresh(), Fresh: fresh, OtherBody: fresh(), Replay: true},
		"get":      {Method: http.MethodGet, Path: path, Owned: true},
		"versions": {Method: http.MethodGet, Path: path + "/versions", Owned: true, List: true},
		"change":   {Method: http.MethodPut, Path: path, Body: `{"name":"kept","position":1,"targets":{"p1":{"resolution_seconds":60}}}`, Version: true, Owned: true, Header: http.Header{"If-Match": {`"1"`}}},
		"archive":  {Method: http.MethodPost, Path: "/v1/sla-policies/" + create(t, w, gold("archived")).ID + "/archive", Version: true, Owned: true, Header: http.Header{"If-Match": {`"1"`}}},
		"release":  {Method: http.MethodPost, Path: "/v1/sla-policies/" + create(t, w, gold("released")).ID + "/release", Version: true, Owned: true, Header: http.Header{"If-Match": {`"1"`}}},
		"check":    {Method: http.MethodPost, Path: "/v1/sla-policies/check", Body: `{"condition":"true"}`},
		"standing": {Method: http.MethodPut, Path: "/v1/customer-standings/" + uuid.NewString(), Body: `{"grade":"A","tier":"gold"}`},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.Director
			badinput.Check(t, target)
		})
	}
}
