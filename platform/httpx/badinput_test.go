package httpx_test

import (
	"net/http"
	"testing"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
)

// The table of bad input against the shop. Services run the same table against their own operations, and there, with a
// database, what a key is for as well.
func TestBadInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t, httpx.Config{}, shop(created1))
	targets := map[string]badinput.Target{
		"create": {Method: http.MethodPost, Path: "/v1/things", Body: `{"name":"a","quantity":1,"tags":["b"]}`},
		"change": {
			Method: http.MethodPatch, Path: "/v1/things/1", Body: `{"name":"a"}`,
			Version: true, Header: http.Header{"If-Match": {httpx.ETag(3)}},
		},
		"list":             {Method: http.MethodGet, Path: "/v1/things?limit=10", List: true},
		"act without body": {Method: http.MethodPost, Path: "/v1/shops/music/open", AnyTenant: true},
	}
	for name, target := range targets {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target.URL, target.Token = w.url, w.token(auth.RoleSales)
			if target.AnyTenant {
				target.Token = w.token(auth.RolePlatformAdmin)
			}
			badinput.Check(t, target)
		})
	}
}
