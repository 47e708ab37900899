package rfm_test

import (
	"net/http"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/analytics"
)

const houseCells = `{"cells":[` +
	`{"r":1,"f":1,"cell":"lost"},{"r":1,"f":2,"cell":"lost"},{"r":1,"f":3,"cell":"lost"},{"r":1,"f":4,"cell":"lost"},{"r":1,"f":5,"cell":"lost"},` +
	`{"r":2,"f":1,"cell":"lost"},{"r":2,"f":2,"cell":"lost"},{"r":2,"f":3,"cell":"lost"},{"r":2,"f":4,"cell":"lost"},{"r":2,"f":5,"cell":"lost"},` +
	`{"r":3,"f":1,"cell":"lost"},{"r":3,"f":2,"cell":"lost"},{"r":3,"f":3,"cell":"lost"},{"r":3,"f":4,"cell":"lost"},{"r":3,"f":5,"cell":"lost"},` +
	`{"r":4,"f":1,"cell":"lost"},{"r":4,"f":2,"cell":"lost"},{"r":4,"f":3,"cell":"lost"},{"r":4,"f":4,"cell":"lost"},{"r":4,"f":5,"cell":"lost"},` +
	`{"r":5,"f":1,"cell":"lost"},{"r":5,"f":2,"cell":"lost"},{"r":5,"f":3,"cell":"lost"},{"r":5,"f":4,"cell":"lost"},{"r":5,"f":5,"cell":"lost"}]}`

func TestBadInput(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, analytics.Module())
	token := s.Token("manager", "music")
	any1 := http.Header{"If-Match": {"*"}}
	for name, target := range map[string]badinput.Target{
		"list":         {Path: "/v1/analytics/rfm?currency=USD", List: true},
		"cells":        {Path: "/v1/analytics/rfm/cells?currency=USD"},
		"cell map":     {Path: "/v1/analytics/rfm/cell-map"},
		"cell maps":    {Path: "/v1/analytics/rfm/cell-maps", List: true},
		"a cell map":   {Path: "/v1/analytics/rfm/cell-maps/1"},
		"set cell map": {Method: http.MethodPut, Path: "/v1/analytics/rfm/cell-map", Body: houseCells, Header: http.Header{"If-Match": {`"1", "2"`}}, Version: true},
		"schemes":      {Path: "/v1/analytics/rfm/schemes", List: true},
		"scheme":       {Path: "/v1/analytics/rfm/schemes/USD"},
		"set scheme": {
			Method: http.MethodPut, Path: "/v1/analytics/rfm/schemes/USD", Header: any1, Version: true,
			Body: `{"window_days":365,"recency_days":[180,90,30,7],"frequency":[2,3,4,5],"net_minor":[100,200,300,400]}`,
		},
		"runs": {Path: "/v1/analytics/rfm/runs", List: true},
		"ask":  {Method: http.MethodPost, Path: "/v1/analytics/rfm/runs", Body: `{"currency":"USD","as_of":"1998-06-30","window_days":365}`, Skip: []string{"empty body"}},
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
		{"no currency", "/v1/analytics/rfm", 422},
		{"a currency that is none", "/v1/analytics/rfm?currency=dollars", 422},
		{"a date that is none", "/v1/analytics/rfm?currency=USD&as_of=1997-02-30", 422},
		{"a negative window", "/v1/analytics/rfm?currency=USD&window_days=-1", 422},
		{"a source that is none", "/v1/analytics/rfm?currency=USD&source=guess", 422},
		{"another list's cursor", "/v1/analytics/rfm?currency=USD&cursor=YWJj", 400},
		{"a customer that bought nothing", "/v1/analytics/rfm/customers/01890000-0000-7000-8000-0000000000aa?currency=USD", 404},
		{"a run that is none", "/v1/analytics/rfm/runs/01890000-0000-7000-8000-0000000000aa", 404},
		{"a version that is none", "/v1/analytics/rfm/cell-maps/9", 404},
		{"version zero", "/v1/analytics/rfm/cell-maps/0", 422},
		{"a version of a scheme that is none", "/v1/analytics/rfm/schemes/USD?version=99", 404},
	} {
		if answer := s.Do(http.MethodGet, c.path, token, nil); answer.Status != c.status || answer.Code() == "" {
			t.Errorf("%s: got %d %s, want %d and a code", c.name, answer.Status, answer.Body, c.status)
		}
	}
}
