package insight_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
)

func TestInsightsRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := start(t)
	integrator := w.Token(auth.RoleIntegrator, "pizza")
	w.say(w.lei, "tier", segment("gold", 20, "behaviour"))
	for name, target := range map[string]badinput.Target{
		"put": {Method: http.MethodPut, Path: path(w.lei, "tier"), Owned: true,
			Body: `{"kind":"segment","text":"gold","input_classes":["behaviour"],"computed_at":"2026-11-20T08:00:00Z"}`},
		"list": {Method: http.MethodGet, Path: path(w.lei), Owned: true},
		"get":  {Method: http.MethodGet, Path: path(w.lei, "tier"), Owned: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, integrator
			badinput.Check(t, target)
		})
	}
}

func TestAnInsightThatIsNotRightIsRefused(t *testing.T) {
	t.Parallel()
	w := start(t)
	integrator := w.Token(auth.RoleIntegrator, "pizza")
	erased := w.Customer(t, "pizza", "person", "Jim")
	w.Put(t, "pizza", erased, "erased")
	other := w.Customer(t, "music", "person", "Kate")
	twin := w.Customer(t, "pizza", "person", "Lei Li")
	w.Absorb(t, "pizza", w.lei, twin)
	with := func(changes body) body {
		b := segment("gold", 20, "behaviour")
		maps.Copy(b, changes)
		maps.DeleteFunc(b, func(_ string, v any) bool { return v == nil })
		return b
	}
	for name, c := range map[string]struct {
		body       body
		code, word string // of the problem and of the fault in it
		status     int
	}{
		"no text":                           {with(body{"text": nil}), "insight_invalid", "text_required", 422},
		"a text of blanks":                  {with(body{"text": "  "}), "insight_invalid", "text_required", 422},
		"a text of two lines":               {with(body{"text": "a\nb"}), "insight_invalid", "text_malformed", 422},
		"a text without end":                {with(body{"text": strings.Repeat("x", 501)}), "validation_failed", "", 422},
		"a number for a segment":            {with(body{"number": 1}), "insight_invalid", "text_required", 422},
		"a text for a score":                {with(body{"kind": "score"}), "insight_invalid", "number_required", 422},
		"a score of nothing":                {with(body{"kind": "score", "text": nil}), "insight_invalid", "number_required", 422},
		"a kind that is none":               {with(body{"kind": "guess"}), "validation_failed", "", 422},
		"no inputs":                         {with(body{"input_classes": []string{}}), "validation_failed", "", 422},
		"inputs left out":                   {with(body{"input_classes": nil}), "validation_failed", "", 422},
		"an input that is none":             {with(body{"input_classes": []string{"gossip"}}), "validation_failed", "", 422},
		"computed at no time":               {with(body{"computed_at": nil}), "validation_failed", "", 422},
		"computed in the future":            {with(body{"computed_at": time.Now().Add(time.Hour)}), "insight_invalid", "in_the_future", 422},
		"over before it was computed":       {with(body{"valid_until": "2026-11-20T08:00:00Z"}), "insight_invalid", "out_of_order", 422},
		"about nobody":                      {with(body{"about_customer_id": uuid.NewString()}), "insight_invalid", "customer_not_found", 422},
		"about another tenant's":            {with(body{"about_customer_id": other}), "insight_invalid", "customer_not_found", 422},
		"about one who was erased":          {with(body{"about_customer_id": erased}), "insight_invalid", "customer_erased", 422},
		"about the customer":                {with(body{"about_customer_id": w.lei}), "insight_invalid", "same_customer", 422},
		"about the customer, by another id": {with(body{"about_customer_id": twin}), "insight_invalid", "same_customer", 422},
	} {
		answer := w.Do(http.MethodPut, path(w.lei, "tier"), integrator, c.body)
		if answer.Status != c.status || answer.Code() != c.code || !strings.Contains(string(answer.Body), c.word) {
			t.Errorf("%s: got %d %s, want %d %s %s", name, answer.Status, answer.Body, c.status, c.code, c.word)
		}
	}
	for name, c := range map[string]struct {
		method, path, token, code string
		status                    int
	}{
		"of nobody":                        {"PUT", path(uuid.NewString(), "tier"), integrator, "customer_not_found", 404},
		"of one who was erased":            {"PUT", path(erased, "tier"), integrator, "customer_erased", 410},
		"of another tenant's":              {"PUT", path(other, "tier"), integrator, "customer_not_found", 404},
		"a name in capitals":               {"PUT", path(w.lei, "Tier"), integrator, "validation_failed", 422},
		"by an agent":                      {"PUT", path(w.lei, "tier"), w.Token(auth.RoleAgent, "pizza"), "", 403},
		"taken away by a manager":          {"DELETE", path(w.lei, "tier"), w.Token(auth.RoleManager, "pizza"), "", 403},
		"taken away of nobody":             {"DELETE", path(uuid.NewString(), "tier"), integrator, "customer_not_found", 404},
		"taken away, a name that none has": {"DELETE", path(w.lei, "17"), integrator, "validation_failed", 422},
		"read of nobody":                   {"GET", path(uuid.NewString()), integrator, "customer_not_found", 404},
		"read for a purpose of others":     {"GET", path(w.lei) + "?purpose=credit", w.Token(auth.RoleAgent, "pizza"), "purpose_not_allowed", 403},
		"read with prose for a reason":     {"GET", path(w.lei, "tier") + "?reason=she+asked", integrator, "reason_malformed", 422},
	} {
		var b any
		if c.method == http.MethodPut {
			b = segment("gold", 20, "behaviour")
		}
		if answer := w.Do(c.method, c.path, c.token, b); answer.Status != c.status || c.code != "" && answer.Code() != c.code {
			t.Errorf("%s: got %d %s, want %d %s", name, answer.Status, answer.Body, c.status, c.code)
		}
	}
	if n := w.Count(`SELECT count(*) FROM insight`); n != 0 {
		t.Errorf("%d insights were kept", n)
	}
}
