// Package accountstest begins the tests of the rooms of accounts: the service as it runs, with two tenants. Only tests
// import it.
package accountstest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts"
)

// World is a running service with the tenants pizza (China) and music (United States).
type World struct {
	*apptest.Service
	Root string // a token that may make tenants
}

// Start runs the service until the test ends.
func Start(t *testing.T) *World {
	t.Helper()
	s := apptest.Start(t, accounts.Module())
	w := &World{Service: s, Root: s.Token(auth.RolePlatformAdmin, "")}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/tenants", w.Root, Pizza("pizza"), nil)
	w.Want(http.StatusCreated, http.MethodPost, "/v1/tenants", w.Root, map[string]any{
		"tenant_id": "music", "display_name": "CDNOW", "region": "US", "language": "en", "time_zone": "America/New_York", "currency": "USD",
	}, nil)
	return w
}

// Pizza is a request that makes a Chinese tenant of the id.
func Pizza(id string) map[string]any {
	return map[string]any{
		"tenant_id": id, "display_name": "老王比萨", "region": "CN", "language": "zh-Hans", "time_zone": "Asia/Shanghai", "currency": "CNY",
	}
}

// EventsOf waits until n events of the type (such as CustomerRegistered) were published and gives them, in the order of
// each partition.
func (w *World) EventsOf(name string, n int) []bus.Event {
	var found []bus.Event
	w.Eventually("events "+name, func() bool {
		found = found[:0]
		for _, e := range w.Events(n) {
			if strings.HasSuffix(e.Type, "."+name) {
				found = append(found, e)
			}
		}
		return len(found) >= n
	})
	return found
}

// Count gives what a query that gives one number gives, over all tenants.
func (w *World) Count(t *testing.T, sql string, args ...any) (n int64) {
	t.Helper()
	err := w.Database.DB(pg.Ops).System(t.Context(), func(tx *pg.Tx) error {
		return tx.QueryRow(t.Context(), sql, args...).Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
