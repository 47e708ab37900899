package journey_test

import (
	"net/http"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
)

func TestBadInput(t *testing.T) {
	t.Parallel()
	w := start(t)
	run := w.Do(http.MethodPost, "/v1/analytics/journey/runs", w.Marketing, body{"kind": "cohorts"}).Header.Get("Location")
	for name, target := range map[string]badinput.Target{
		"funnel":      {Path: "/v1/analytics/journey/funnel?by=month"},
		"cohorts":     {Path: "/v1/analytics/cohorts?currency=USD"},
		"mapping":     {Path: "/v1/analytics/journey/mapping"},
		"run":         {Path: run, Owned: true},
		"conversions": {Path: "/v1/analytics/campaigns/conversions"},
		"attribution": {Path: "/v1/analytics/campaigns/attribution?currency=USD"},
		"effect":      {Path: "/v1/analytics/campaigns/effect?campaign=spring"},
		"sources":     {Path: "/v1/analytics/opportunities/sources?currency=USD"},
		"set mapping": {Method: http.MethodPut, Path: "/v1/analytics/journey/mapping", Body: `{"rules":[{"stage":"buyer","on":"order"}]}`, Version: true,
			Header: http.Header{"If-Match": {"*"}}},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.Marketing
			if target.Method == "" {
				target.Method = http.MethodGet
			}
			badinput.Check(t, target)
		})
	}
	rule := func(r body) body { return body{"rules": []body{r}} }
	for _, c := range []struct {
		name, method, path string
		in                 any
		status             int
	}{
		{"a month that is none", http.MethodGet, "/v1/analytics/journey/funnel?from=2026-13", nil, 422},
		{"months the wrong way round", http.MethodGet, "/v1/analytics/cohorts?currency=USD&from=2026-02&to=2026-01", nil, 422},
		{"a currency that is none", http.MethodGet, "/v1/analytics/cohorts?currency=dollars", nil, 422},
		{"a split that is none", http.MethodGet, "/v1/analytics/cohorts?currency=USD&by=mood", nil, 422},
		{"an age that is none", http.MethodGet, "/v1/analytics/cohorts?currency=USD&max_age=-1", nil, 422},
		{"a date that is none", http.MethodGet, "/v1/analytics/campaigns/conversions?from=2026-02-30", nil, 422},
		{"days the wrong way round", http.MethodGet, "/v1/analytics/campaigns/attribution?from=2026-02-02&to=2026-02-01", nil, 422},
		{"more than three years", http.MethodGet, "/v1/analytics/campaigns/conversions?from=2000-01-01&to=2026-01-01", nil, 422},
		{"within no days", http.MethodGet, "/v1/analytics/campaigns/conversions?within_days=0", nil, 422},
		{"within two years", http.MethodGet, "/v1/analytics/campaigns/effect?campaign=spring&within_days=730", nil, 422},
		{"the effect of nothing", http.MethodGet, "/v1/analytics/campaigns/effect", nil, 422},
		{"a run of what is none", http.MethodPost, "/v1/analytics/journey/runs", body{"kind": "marathon"}, 422},
		{"a run that is not there", http.MethodGet, "/v1/analytics/journey/runs/01890000-0000-7000-8000-0000000000aa", nil, 404},
		{"a mapping without rules", http.MethodPut, "/v1/analytics/journey/mapping", body{"rules": []body{}}, 422},
		{"a stage that is none", http.MethodPut, "/v1/analytics/journey/mapping", rule(body{"stage": "fan", "on": "order"}), 422},
		{"a rule about nothing", http.MethodPut, "/v1/analytics/journey/mapping", rule(body{"stage": "buyer", "on": "dream"}), 422},
		{"an outcome of an order", http.MethodPut, "/v1/analytics/journey/mapping", rule(body{"stage": "buyer", "on": "order", "outcome": "basket"}), 422},
	} {
		if answer := w.Do(c.method, c.path, w.Marketing, c.in, "If-Match", "*"); answer.Status != c.status || answer.Code() == "" {
			t.Errorf("%s: got %d %s, want %d", c.name, answer.Status, answer.Body, c.status)
		}
	}
	for _, path := range []string{"/v1/analytics/journey/runs"} {
		if answer := w.Do(http.MethodPost, path, w.Sales, body{"kind": "funnel"}); answer.Status != http.StatusForbidden {
			t.Errorf("who may only read asks for a run: %d", answer.Status)
		}
	}
	// Words of rules are values, whatever they look like.
	injected := rule(body{"stage": "buyer", "on": "order", "channel": "x' OR true --"})
	if answer := w.Do(http.MethodPut, "/v1/analytics/journey/mapping", w.Marketing, injected, "If-Match", "*"); answer.Status != http.StatusOK {
		t.Errorf("%d: %s", answer.Status, answer.Body)
	}
	w.get("/v1/analytics/journey/funnel?live=true", http.StatusOK, nil)
}
