package policy_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/policy"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

func TestWhoHasToApprove(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cost     int64
		severity int
		want     policy.Approval
	}{
		{0, 4, policy.None}, {5_000, 2, policy.None}, {5_001, 4, policy.Manager}, {50_000, 4, policy.Manager}, {50_001, 4, policy.Director},
		{0, 1, policy.Manager}, {50_001, 1, policy.Director},
	} {
		if got := policy.Standard().Approval(c.cost, c.severity); got != c.want {
			t.Errorf("cost %d, severity %d: got %s, want %s", c.cost, c.severity, got, c.want)
		}
	}
}

type body = ticketstest.Body

func strict() body {
	return body{"step_seconds": 3600, "customer_seconds": 7200, "reminders": 0, "rounds": 1, "free_minor": 0, "manager_minor": 100, "point_minor": 2}
}

const path = "/v1/complaints/policy"

func TestATenantSetsItsOwnPolicy(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	var v struct {
		StepSeconds  int64 `json:"step_seconds"`
		ManagerMinor int64 `json:"manager_minor"`
	}
	standard := w.Want(http.StatusOK, http.MethodGet, path, w.Agent, nil, &v)
	if tag := standard.Header.Get("ETag"); tag != `"0"` || v.StepSeconds != 2*24*3600 {
		t.Fatalf("%s %+v", tag, v)
	}
	w.Want(http.StatusOK, http.MethodPut, path, w.Director, strict(), nil, "If-Match", `"0"`)
	w.Want(http.StatusPreconditionFailed, http.MethodPut, path, w.Director, strict(), nil, "If-Match", `"0"`)
	w.Want(http.StatusForbidden, http.MethodPut, path, w.Manager, strict(), nil, "If-Match", `"1"`)
	set := w.Want(http.StatusOK, http.MethodGet, path, w.Agent, nil, &v)
	if tag := set.Header.Get("ETag"); tag != `"1"` || v.StepSeconds != 3600 || v.ManagerMinor != 100 {
		t.Fatalf("%s %+v", tag, v)
	}
	w.Want(http.StatusOK, http.MethodGet, path, w.Token("agent", "music"), nil, &v)
	if v.StepSeconds != 2*24*3600 {
		t.Fatalf("another tenant's: %+v", v)
	}
}

func TestOfManyWhoSetItAtOnceOneDoes(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	var set atomic.Int64
	var wait sync.WaitGroup
	for range 10 {
		wait.Go(func() {
			if w.Do(http.MethodPut, path, w.Director, strict(), "If-Match", `"0"`).Status == http.StatusOK {
				set.Add(1)
			}
		})
	}
	wait.Wait()
	if set.Load() != 1 {
		t.Fatalf("%d set it", set.Load())
	}
}

func TestThePolicyRefusesBadInput(t *testing.T) {
	t.Parallel()
	w := ticketstest.Start(t)
	badinput.Check(t, badinput.Target{URL: w.URL, Token: w.Director, Method: http.MethodPut, Path: path, Version: true,
		Header: http.Header{"If-Match": {"*"}},
		Body:   `{"step_seconds":3600,"customer_seconds":7200,"reminders":0,"rounds":1,"free_minor":0,"manager_minor":100,"point_minor":2}`})
	for field, values := range map[string][]int64{
		"step_seconds": {0, -1, 366*24*3600 + 1, 1 << 62}, "customer_seconds": {0, 1 << 62}, "reminders": {-1, 101}, "rounds": {0, 101},
		"free_minor": {-1, 101}, "manager_minor": {-1, 1 << 53}, "point_minor": {-1},
	} {
		for _, value := range values {
			b := strict()
			b[field] = value
			if answer := w.Do(http.MethodPut, path, w.Director, b, "If-Match", "*"); answer.Status != http.StatusUnprocessableEntity {
				t.Errorf("%s %d: got %d %s", field, value, answer.Status, answer.Body)
			}
		}
	}
}
