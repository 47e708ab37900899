package grade_test

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
	any1 := http.Header{"If-Match": {"*"}}
	for name, target := range map[string]badinput.Target{
		"pyramid":   {Path: "/v1/analytics/grades"},
		"moves":     {Path: "/v1/analytics/grades/moves?from=2026-01-01&to=2026-02-01"},
		"movers":    {Path: "/v1/analytics/grades/moves/customers?from=2026-01-01&to=2026-02-01&grade=top", List: true},
		"scheme":    {Path: "/v1/analytics/grades/scheme"},
		"version":   {Path: "/v1/analytics/grades/schemes/0"},
		"runs":      {Path: "/v1/analytics/grades/runs", List: true},
		"potential": {Path: "/v1/analytics/value-potential"},
		"settings":  {Path: "/v1/analytics/value-potential/settings"},
		"quarter":   {Path: "/v1/analytics/value-potential/customers?current=high&potential=low", List: true},
		"set scheme": {
			Method: http.MethodPut, Path: "/v1/analytics/grades/scheme", Header: any1, Version: true,
			Body: `{"grades":[{"code":"top","share_percent":1},{"code":"rest"}],"window_days":365,"margin_percent":40.5}`,
		},
		"set settings": {
			Method: http.MethodPut, Path: "/v1/analytics/value-potential/settings", Header: any1, Version: true,
			Body: `{"source":"predicted","cells":[{"current":"high","potential":"high","code":"a"},{"current":"high","potential":"low","code":"b"},` +
				`{"current":"low","potential":"high","code":"c"},{"current":"low","potential":"low","code":"d"}]}`,
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
	const nobody = "01890000-0000-7000-8000-0000000000aa"
	for _, c := range []struct {
		name, path string
		status     int
	}{
		{"no days", "/v1/analytics/grades/moves", 422},
		{"a day that is none", "/v1/analytics/grades/moves?from=2026-02-30&to=2026-03-01", 422},
		{"days the wrong way round", "/v1/analytics/grades/moves?from=2026-03-02&to=2026-03-01", 422},
		{"a customer that was never graded", "/v1/analytics/grades/customers/" + nobody, 404},
		{"customers before the first run", "/v1/analytics/grades/customers", 404},
		{"a run that is none", "/v1/analytics/grades/runs/" + nobody, 404},
		{"the result of a run that is none", "/v1/analytics/grades?run_id=" + nobody, 404},
		{"the result of no id", "/v1/analytics/grades?run_id=last", 422},
		{"a version that is none", "/v1/analytics/grades/schemes/99", 404},
		{"a cell that is none", "/v1/analytics/value-potential/customers?current=middle&potential=low", 422},
		{"no cell", "/v1/analytics/value-potential/customers", 422},
	} {
		if answer := s.Do(http.MethodGet, c.path, token, nil); answer.Status != c.status || answer.Code() == "" {
			t.Errorf("%s: got %d %s, want %d and a code", c.name, answer.Status, answer.Body, c.status)
		}
	}
}
