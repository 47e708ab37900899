package profile_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
)

func TestTheProfileRefusesBadInput(t *testing.T) {
	t.Parallel()
	w := start(t)
	path := "/v1/customers/" + w.lei + "/profile"
	agent, admin := w.Token(auth.RoleAgent, "pizza"), w.Token(auth.RoleAdmin, "pizza")
	badinput.Check(t, badinput.Target{URL: w.URL, Method: http.MethodGet, Path: path, Token: agent, Owned: true})
	for name, c := range map[string]struct {
		path, token, code string
		status            int
	}{
		"a customer of whom nobody knows":         {"/v1/customers/" + newID().String() + "/profile", agent, "customer_not_found", 404},
		"the same, with a reason":                 {"/v1/customers/" + newID().String() + "/profile?reason=T-1", admin, "customer_not_found", 404},
		"another tenant's customer":               {path + "?reason=T-1", w.Token(auth.RoleAdmin, "music"), "customer_not_found", 404},
		"an id that is none":                      {"/v1/customers/17/profile", agent, "validation_failed", 422},
		"a purpose that is none":                  {path + "?purpose=curiosity", agent, "purpose_unknown", 422},
		"a purpose of others":                     {path + "?purpose=credit", agent, "purpose_not_allowed", 403},
		"a purpose without end":                   {path + "?purpose=" + strings.Repeat("p", 65), agent, "validation_failed", 422},
		"prose for a reason":                      {path + "?reason=she+asked", agent, "reason_malformed", 422},
		"a telephone that is none":                {path + "?calling=my+phone", agent, "calling_malformed", 422},
		"such a telephone, with a reason":         {path + "?calling=my+phone&reason=T-1", admin, "calling_malformed", 422},
		"a telephone without end":                 {path + "?calling=" + strings.Repeat("1", 65), agent, "validation_failed", 422},
		"somebody who has no customers":           {path, w.Root, "", 403},
		"a parameter that is not there":           {path + "?color=red", agent, "", 422},
		"a purpose that is named twice":           {path + "?purpose=service&purpose=order_taking", agent, "", 422},
		"a purpose of several words in one":       {path + "?purpose=service,care", agent, "purpose_unknown", 422},
		"a purpose that another of them may have": {path + "?purpose=administration", agent, "purpose_not_allowed", 403},
	} {
		if answer := w.Do(http.MethodGet, c.path, c.token, nil); answer.Status/100 != 4 || c.code != "" && (answer.Code() != c.code || answer.Status != c.status) {
			t.Errorf("%s: got %d %s, want %d %s", name, answer.Status, answer.Body, c.status, c.code)
		}
	}
	if n := w.Count(`SELECT count(*) FROM access_log`); n != 0 {
		t.Errorf("%d looks are logged, and nothing was shown", n)
	}
}
