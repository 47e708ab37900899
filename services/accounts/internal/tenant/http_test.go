package tenant_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/accountstest"
)

type tenantView struct {
	TenantID string `json:"tenant_id"`
	Currency string `json:"currency"`
	State    string `json:"state"`
	Version  int64  `json:"version"`
}

func TestATenantIsCreatedReadAndChanged(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)

	var tenant tenantView
	created := w.Want(http.StatusCreated, http.MethodPost, "/v1/tenants", w.Root, accountstest.Pizza("pizza-2"), &tenant)
	if created.Header.Get("ETag") != `"1"` || tenant.State != "active" {
		t.Fatalf("ETag %s: %+v", created.Header.Get("ETag"), tenant)
	}
	read := w.Want(http.StatusOK, http.MethodGet, "/v1/tenants/pizza-2", w.Root, nil, nil)
	golden.JSON(t, "testdata/tenant.json", read.Body)
	if string(created.Body) != string(read.Body) {
		t.Fatalf("created %s, read %s", created.Body, read.Body)
	}

	change := map[string]any{"currency": "HKD", "region": "hk"}
	w.Want(http.StatusPreconditionRequired, http.MethodPatch, "/v1/tenants/pizza-2", w.Root, change, nil)
	changed := w.Want(http.StatusOK, http.MethodPatch, "/v1/tenants/pizza-2", w.Root, change, &tenant, "If-Match", `"1"`)
	if changed.Header.Get("ETag") != `"2"` || tenant.Currency != "HKD" {
		t.Fatalf("ETag %s: %+v", changed.Header.Get("ETag"), tenant)
	}
	stale := w.Want(http.StatusPreconditionFailed, http.MethodPatch, "/v1/tenants/pizza-2", w.Root, change, nil, "If-Match", `"1"`)
	if stale.Code() != "version_stale" {
		t.Fatalf("got %s", stale.Code())
	}
	bad := w.Want(http.StatusUnprocessableEntity, http.MethodPatch, "/v1/tenants/pizza-2", w.Root,
		map[string]any{"currency": "DEM", "time_zone": "Mars/Olympus"}, nil, "If-Match", `"2"`)
	golden.JSON(t, "testdata/tenant_invalid.json", bad.Body)

	taken := w.Want(http.StatusConflict, http.MethodPost, "/v1/tenants", w.Root, accountstest.Pizza("pizza-2"), nil)
	if taken.Code() != "tenant_exists" {
		t.Fatalf("got %s", taken.Code())
	}
}

func TestATenantIsSuspendedAndResumedOnce(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	for range 2 {
		var tenant tenantView
		w.Want(http.StatusOK, http.MethodPost, "/v1/tenants/pizza/suspend", w.Root, nil, &tenant)
		if tenant.State != "suspended" || tenant.Version != 2 {
			t.Fatalf("%+v", tenant)
		}
	}
	customer := map[string]any{"display_name": "李雷"}
	agent := w.Token(auth.RoleAgent, "pizza")
	if refused := w.Want(http.StatusForbidden, http.MethodPost, "/v1/customers", agent, customer, nil); refused.Code() != "tenant_suspended" {
		t.Fatalf("got %s", refused.Code())
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/customers", agent, nil, nil)
	w.Want(http.StatusOK, http.MethodPost, "/v1/tenants/pizza/resume", w.Root, nil, nil)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/customers", agent, customer, nil)
}

func TestTenantEventsSayWhatChanged(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	w.Want(http.StatusOK, http.MethodPatch, "/v1/tenants/pizza", w.Root, map[string]any{"currency": "HKD"}, nil, "If-Match", `"1"`)
	w.Want(http.StatusOK, http.MethodPatch, "/v1/tenants/pizza", w.Root, map[string]any{"currency": "HKD"}, nil, "If-Match", `"2"`)
	w.Want(http.StatusOK, http.MethodPost, "/v1/tenants/pizza/suspend", w.Root, nil, nil)

	for _, e := range w.EventsOf("TenantCreated", 2) {
		if e.Tenant == "pizza" {
			golden.JSON(t, "testdata/tenant_created.json", e.Data)
		}
	}
	events := w.EventsOf("TenantChanged", 2) // the change to the same currency is none
	golden.JSON(t, "testdata/tenant_changed.json", events[0].Data)
	golden.JSON(t, "testdata/tenant_suspended.json", events[1].Data)
	for n, e := range events {
		if e.AggregateType != "tenant" || e.Sequence != int64(n+2) || e.Tenant != "pizza" {
			t.Errorf("event %d: %+v", n, e)
		}
	}
}

func TestTenantsAreListedInPages(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	for n := range 3 {
		w.Want(http.StatusCreated, http.MethodPost, "/v1/tenants", w.Root, accountstest.Pizza(fmt.Sprintf("branch-%d", n)), nil)
	}
	var ids []string
	for cursor := ""; ; {
		var page struct {
			Items      []tenantView
			NextCursor string `json:"next_cursor"`
		}
		w.Want(http.StatusOK, http.MethodGet, "/v1/tenants?limit=2&cursor="+cursor, w.Root, nil, &page)
		for _, tenant := range page.Items {
			ids = append(ids, tenant.TenantID)
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	if !slices.Equal(ids, []string{"branch-0", "branch-1", "branch-2", "music", "pizza"}) {
		t.Fatalf("got %v", ids)
	}
}

func TestWhoMaySeeAndChangeATenant(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	manager := w.Token(auth.RoleManager, "pizza")
	w.Want(http.StatusOK, http.MethodGet, "/v1/tenants/pizza", manager, nil, nil)
	cases := []struct {
		name, method, path, token string
		body                      any
		status                    int
		code                      string
	}{
		{"another tenant's is not there", http.MethodGet, "/v1/tenants/music", manager, nil, 404, "tenant_not_found"},
		{"nor one that never was", http.MethodGet, "/v1/tenants/nobody", w.Root, nil, 404, "tenant_not_found"},
		{"nor one that cannot be", http.MethodGet, "/v1/tenants/No%20Body", w.Root, nil, 404, "tenant_not_found"},
		{"nor can it be suspended", http.MethodPost, "/v1/tenants/nobody/suspend", w.Root, nil, 404, "tenant_not_found"},
		{"agents do not read tenants", http.MethodGet, "/v1/tenants/pizza", w.Token(auth.RoleAgent, "pizza"), nil, 403, ""},
		{"managers do not make tenants", http.MethodPost, "/v1/tenants", manager, accountstest.Pizza("more"), 403, ""},
		{"nor list all", http.MethodGet, "/v1/tenants", manager, nil, 403, ""},
		{"nor suspend their own", http.MethodPost, "/v1/tenants/pizza/suspend", manager, nil, 403, ""},
		{"nor change it", http.MethodPatch, "/v1/tenants/pizza", manager, map[string]any{"currency": "USD"}, 403, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			answer := w.Do(c.method, c.path, c.token, c.body)
			if answer.Status != c.status || (c.code != "" && answer.Code() != c.code) {
				t.Fatalf("got %d %s, want %d %s", answer.Status, answer.Code(), c.status, c.code)
			}
		})
	}
}

func TestTenantsRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := accountstest.Start(t)
	var made atomic.Int64
	body := func() string {
		raw, err := json.Marshal(accountstest.Pizza(fmt.Sprintf("t-%d", made.Add(1))))
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	t.Run("create", func(t *testing.T) {
		badinput.Check(t, badinput.Target{
			URL: w.URL, Method: http.MethodPost, Path: "/v1/tenants", Token: w.Root, Body: body(), AnyTenant: true,
			Replay: true, Fresh: body, OtherBody: body(),
		})
	})
	t.Run("list", func(t *testing.T) {
		badinput.Check(t, badinput.Target{URL: w.URL, Method: http.MethodGet, Path: "/v1/tenants", Token: w.Root, AnyTenant: true, List: true})
	})
	t.Run("change", func(t *testing.T) {
		badinput.Check(t, badinput.Target{
			URL: w.URL, Method: http.MethodPatch, Path: "/v1/tenants/pizza", Token: w.Root, AnyTenant: true, Version: true,
			Body: `{"display_name":"老王比萨"}`, Header: http.Header{"If-Match": {`"1"`}},
		})
	})
}
