package rfm_test

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
		"list":  {Path: "/v1/analytics/rfm?currency=USD", List: true},
		"cells": {Path: "/v1/analytics/rfm/cells?currency=USD"},
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
		{"no currency", "/v1/analytics/rfm", 422},
		{"a currency that is none", "/v1/analytics/rfm?currency=dollars", 422},
		{"a date that is none", "/v1/analytics/rfm?currency=USD&as_of=1997-02-30", 422},
		{"a negative window", "/v1/analytics/rfm?currency=USD&window_days=-1", 422},
		{"another list's cursor", "/v1/analytics/rfm?currency=USD&cursor=YWJj", 400},
		{"a customer that bought nothing", "/v1/analytics/rfm/customers/01890000-0000-7000-8000-0000000000aa?currency=USD", 404},
	} {
		if answer := s.Do(http.MethodGet, c.path, token, nil); answer.Status != c.status || answer.Code() == "" {
			t.Errorf("%s: got %d %s, want %d and a code", c.name, answer.Status, answer.Body, c.status)
		}
	}
}
