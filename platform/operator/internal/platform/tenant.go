package platform

import (
	"context"
	"net/http"
	"net/url"
	"sync"
)

const accounts = "accounts"

// tenants are those that are known to be there: none ever goes.
type tenants struct {
	mu    sync.Mutex
	there map[string]bool
}

// Tenant tells that there is such a tenant, or else why not: 404 tenant_not_found. Other services do not ask: they would keep what
// they are given for a tenant of whom nobody will ever hear.
func (c *Client) Tenant(ctx context.Context, tenant string) error {
	c.tenants.mu.Lock()
	known := c.tenants.there[tenant]
	c.tenants.mu.Unlock()
	if known {
		return nil
	}
	var is struct {
		ID string `json:"tenant_id"`
	}
	if err := c.do(ctx, tenant, call{service: accounts, method: http.MethodGet, path: "/v1/tenants/" + url.PathEscape(tenant)}, &is); err != nil {
		return err
	}
	c.tenants.mu.Lock()
	defer c.tenants.mu.Unlock()
	c.tenants.there[tenant] = true
	return nil
}
