package matrix_test

import (
	"net/http"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/analytics"
)

func TestBadInput(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, analytics.Module())
	token := s.Token("manager", "music")
	const root = "/v1/analytics/matrices"
	for name, target := range map[string]badinput.Target{
		"settings":               {Path: root + "/settings"},
		"satisfaction":           {Path: root + "/satisfaction"},
		"satisfaction customers": {Path: root + "/satisfaction/customers?product=high&relationship=low", List: true},
		"loyalty":                {Path: root + "/loyalty"},
		"loyalty customers":      {Path: root + "/loyalty/customers?attitude=high&repeat=low", List: true},
		"growth":                 {Path: root + "/growth?currency=USD&from=2026-01-01&to=2026-01-31"},
		"growth customers":       {Path: root + "/growth/customers?currency=USD&from=2026-01-01&to=2026-01-31&customer=old&product=new", List: true},
		"set settings": {
			Method: http.MethodPut, Path: root + "/settings", Header: http.Header{"If-Match": {"*"}}, Version: true,
			Body: `{"within_days":365,"rules":[{"about":"product","kind":"csat","satisfied_from":4.5},{"about":"relationship","kind":"nps","satisfied_from":9.5}],` +
				`"attitude_question":"relative_attitude","attitude_from":4.5,"cohort":"month"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if target.Method == "" {
				target.Method = http.MethodGet
			}
			target.URL, target.Token = s.URL, token
			badinput.Check(t, target)
		})
	}
	for _, c := range []struct {
		name, path string
		status     int
	}{
		{"a day that is none", "/satisfaction?as_of=2026-02-30", 422},
		{"a cell that is none", "/satisfaction/customers?product=middle&relationship=low", 422},
		{"half a cell", "/loyalty/customers?attitude=high", 422},
		{"no period", "/growth?currency=USD", 422},
		{"no currency", "/growth?from=2026-01-01&to=2026-01-31", 422},
		{"a period the wrong way round", "/growth?currency=USD&from=2026-02-01&to=2026-01-31", 422},
		{"a period without end", "/growth?currency=USD&from=1900-01-01&to=2026-01-31", 422},
		{"days that are none", "/growth?currency=USD&from=2026-02-30&to=2026-03-31", 422},
		{"a growth cell that is none", "/growth/customers?currency=USD&from=2026-01-01&to=2026-01-31&customer=high&product=new", 422},
	} {
		if answer := s.Do(http.MethodGet, root+c.path, token, nil); answer.Status != c.status || answer.Code() == "" {
			t.Errorf("%s: got %d %s, want %d and a code", c.name, answer.Status, answer.Body, c.status)
		}
	}
}
