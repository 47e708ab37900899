package assignment_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
)

func TestBadInput(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.team("north", "round_robin", 9, "ann")
	o.all("north")
	id := o.lead(nil)
	anyVersion := http.Header{"If-Match": {"*"}}
	for name, target := range map[string]badinput.Target{
		"get": {Method: http.MethodGet, Path: "/v1/assignment-rules"},
		"set": {Method: http.MethodPut, Path: "/v1/assignment-rules", Version: true, Header: anyVersion,
			Body: `{"rules":[{"name":"x","condition":"country == \"CN\"","team":"north","person":"ann","skills":["tea"]}]}`},
		"try":       {Method: http.MethodPost, Path: "/v1/assignment-rules/try", Body: `{"lead_id":"` + id + `","rules":[{"team":"north"}]}`, Owned: true},
		"explain":   {Method: http.MethodGet, Path: "/v1/leads/" + id + "/assignment", Owned: true},
		"waiting":   {Method: http.MethodGet, Path: "/v1/waiting-leads", List: true},
		"hand over": {Method: http.MethodPost, Path: "/v1/sellers/ann/hand-over", Body: `{}`, OtherBody: `{"to":""}`, Owned: true, Replay: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = o.URL, o.manager
			badinput.Check(t, target)
		})
	}
}

func TestRulesThatAreNotAccepted(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.team("north", "round_robin", 9, "ann")
	o.put("/v1/sellers/gone", body{"capacity": 1, "archived": true})
	o.put("/v1/teams/old", body{"name": "old", "members": []string{}, "archived": true})
	id := o.lead(nil)
	for _, c := range []struct {
		rule           body
		location, code string
	}{
		{body{"team": "none"}, "team", "team_unknown"}, {body{"team": "old"}, "team", "team_archived"},
		{body{"team": "north", "person": "eve"}, "person", "seller_unknown"}, {body{"team": "north", "person": "gone"}, "person", "seller_archived"},
		{body{"team": "north", "skills": []string{"A B"}}, "skills[0]", "code_malformed"},
		{body{"team": "north", "name": "a\u0007"}, "name", "name_malformed"},
		{body{"team": "north", "condition": "country =="}, "condition", "condition_malformed"},
		{body{"team": "north", "condition": "score"}, "condition", "condition_not_bool"},
		{body{"team": "north", "condition": `email == "lily@example.com"`}, "condition", "condition_malformed"}, // who they are is no criterion
		{body{"team": "north", "condition": "tags.all(a, tags.all(b, tags.all(c, a == b && b == c)))"}, "condition", "condition_too_costly"},
	} {
		for i, answer := range []struct{ body []byte }{
			{o.Want(http.StatusUnprocessableEntity, http.MethodPut, "/v1/assignment-rules", o.manager, body{"rules": []body{c.rule}}, nil, "If-Match", "*").Body},
			{o.Want(http.StatusUnprocessableEntity, http.MethodPost, "/v1/assignment-rules/try", o.manager, body{"lead_id": id, "rules": []body{c.rule}}, nil).Body},
		} {
			for _, want := range []string{`"body.rules[0].` + c.location + `"`, c.code} {
				if !strings.Contains(string(answer.body), want) {
					t.Errorf("%d %v: %s", i, c.rule, answer.body)
				}
			}
		}
	}
	o.Want(http.StatusForbidden, http.MethodPut, "/v1/assignment-rules", o.Sales, body{"rules": []body{}}, nil, "If-Match", "*")
	o.Want(http.StatusPreconditionFailed, http.MethodPut, "/v1/assignment-rules", o.manager, body{"rules": []body{}}, nil, "If-Match", `"3"`)
	o.Want(http.StatusNotFound, http.MethodPost, "/v1/assignment-rules/try", o.manager, body{"lead_id": uuid.NewString()}, nil)
}
