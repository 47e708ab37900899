package fact_test

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
		"summary": {Path: "/v1/analytics/facts/summary"},
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
		{"an id that is none", "/v1/analytics/facts/customers/17", 422},
		{"a customer that never was", "/v1/analytics/facts/customers/01890000-0000-7000-8000-0000000000aa", 404},
	} {
		if answer := s.Do(http.MethodGet, c.path, token, nil); answer.Status != c.status || answer.Code() == "" {
			t.Errorf("%s: got %d %s, want %d and a code", c.name, answer.Status, answer.Body, c.status)
		}
	}
	if answer := s.Do(http.MethodGet, "/v1/analytics/facts/summary", s.Token("agent", "music"), nil); answer.Status != http.StatusForbidden {
		t.Errorf("a role that may not look at figures got %d", answer.Status)
	}
}
