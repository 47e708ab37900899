package revenue_test

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
	for name, target := range map[string]badinput.Target{
		"months": {Path: "/v1/analytics/revenue?currency=USD"},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token, target.Method = s.URL, token, http.MethodGet
			badinput.Check(t, target)
		})
	}
	for _, c := range []struct {
		name, path string
		status     int
	}{
		{"no currency", "/v1/analytics/revenue", 422},
		{"a month that is none", "/v1/analytics/revenue?currency=USD&from=1997-13", 422},
		{"months the wrong way round", "/v1/analytics/revenue?currency=USD&from=1997-02&to=1997-01", 422},
		{"a grain that is none", "/v1/analytics/revenue?currency=USD&by=second", 422},
		{"a misspelt parameter", "/v1/analytics/revenue?currency=USD&form=1997-01", 422},
	} {
		if answer := s.Do(http.MethodGet, c.path, token, nil); answer.Status != c.status || answer.Code() == "" {
			t.Errorf("%s: got %d %s, want %d and a code", c.name, answer.Status, answer.Body, c.status)
		}
	}
}
