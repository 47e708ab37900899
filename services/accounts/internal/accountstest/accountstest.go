// Package accountstest begins the tests of the rooms of accounts: the service as it runs, with two tenants. Only tests
// import it.
package accountstest

import (
	"net/http"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/auth"
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
