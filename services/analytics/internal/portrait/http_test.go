package portrait_test

import (
	"net/http"
	"testing"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
)

func TestWhatCannotBeRightIsRefused(t *testing.T) {
	t.Parallel()
	w := analyticstest.Start(t)
	const settings = "/v1/analytics/settings"
	for _, c := range []struct {
		name, method, path, token string
		body                      any
		status                    int
	}{
		{"an id that is none", http.MethodGet, "/v1/analytics/customers/17", w.Sales, nil, 422},
		{"a customer nobody heard of", http.MethodGet, "/v1/analytics/customers/" + analyticstest.ID().String(), w.Sales, nil, 404},
		{"a run that is none", http.MethodGet, "/v1/analytics/portraits/rebuilds/" + analyticstest.ID().String(), w.Sales, nil, 404},
		{"a rebuild by who may only read", http.MethodPost, "/v1/analytics/portraits/rebuilds", w.Sales, nil, 403},
		{"settings by who may only read", http.MethodPut, settings, w.Sales, analyticstest.Body{"currency": "EUR"}, 403},
		{"settings without a version", http.MethodPut, settings, w.Marketing, analyticstest.Body{"currency": "EUR"}, 428},
		{"fields of an agent", http.MethodGet, "/v1/analytics/fields", w.Token("agent", "music"), nil, 403},
	} {
		if answer := w.Do(c.method, c.path, c.token, c.body); answer.Status != c.status || answer.Code() == "" {
			t.Errorf("%s: got %d %s, want %d", c.name, answer.Status, answer.Body, c.status)
		}
	}
	put := func(currency, version string) int {
		return w.Do(http.MethodPut, settings, w.Marketing, analyticstest.Body{"currency": currency}, "If-Match", version).Status
	}
	if got := put("XYZ", `"0"`); got != http.StatusUnprocessableEntity {
		t.Errorf("no currency: got %d", got)
	}
	if got := put("EUR", `"0"`); got != http.StatusOK {
		t.Errorf("the first setting: got %d", got)
	}
	if got := put("USD", `"0"`); got != http.StatusPreconditionFailed {
		t.Errorf("an old version: got %d", got)
	}
	var fields struct {
		Items []struct{ Name, Type, Doc string }
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/fields", w.Sales, nil, &fields)
	if len(fields.Items) < 40 {
		t.Errorf("%d fields", len(fields.Items))
	}
}
