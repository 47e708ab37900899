package client

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Tenant is what a tenant is made with.
type Tenant struct {
	TenantID    string `json:"tenant_id"`
	DisplayName string `json:"display_name"`
	Region      string `json:"region"`
	Language    string `json:"language"`
	TimeZone    string `json:"time_zone"`
	Currency    string `json:"currency"`
}

// EnsureTenant makes a tenant, unless there is one of that name.
func (c *Client) EnsureTenant(ctx context.Context, t Tenant) error {
	err := c.Post(ctx, "/v1/tenants", t, nil)
	var p *Problem
	if errors.As(err, &p) && p.Status == http.StatusConflict {
		return nil
	}
	return err
}

// Ref is an id in another system.
type Ref struct {
	System string `json:"system"`
	ID     string `json:"id"`
}

// Order is an order to be placed.
type Order struct {
	ExternalRef *Ref        `json:"external_ref,omitempty"`
	CustomerID  string      `json:"customer_id,omitempty"`
	CustomerRef *Ref        `json:"customer_ref,omitempty"`
	Channel     string      `json:"channel,omitempty"`
	Currency    string      `json:"currency"`
	Lines       []OrderLine `json:"lines"`
	PlacedAt    *time.Time  `json:"placed_at,omitempty"`
}

// OrderLine is one line of an order; the amount is the whole line's, in minor units.
type OrderLine struct {
	SKU         string `json:"sku,omitempty"`
	Quantity    int64  `json:"quantity"`
	AmountMinor int64  `json:"amount_minor"`
}

// PlaceOrder places an order and gives its id.
func (c *Client) PlaceOrder(ctx context.Context, o Order) (id string, err error) {
	var answer struct {
		OrderID string `json:"order_id"`
	}
	err = c.Post(ctx, "/v1/orders", o, &answer)
	return answer.OrderID, err
}

// Totals are what one service knows of the tenant's business, in all currencies together. A service that does not know
// a number leaves it zero.
type Totals struct {
	Customers    int64 `json:"customers"`
	Orders       int64 `json:"orders"`
	Units        int64 `json:"units"`
	RevenueMinor int64 `json:"revenue_minor"`
	// Unresolved counts orders whose customer is not known yet.
	Unresolved int64 `json:"unresolved"`
}

// AccountsTotals asks accounts.
func (c *Client) AccountsTotals(ctx context.Context) (Totals, error) {
	var t Totals
	err := c.Get(ctx, "/v1/customers/summary", nil, &t)
	return t, err
}

// SalesTotals asks sales.
func (c *Client) SalesTotals(ctx context.Context) (Totals, error) {
	var answer struct {
		Orders, Units, Unresolved int64
		Revenue                   []struct {
			RevenueMinor int64 `json:"revenue_minor"`
		}
	}
	err := c.Get(ctx, "/v1/orders/summary", nil, &answer)
	t := Totals{Orders: answer.Orders, Units: answer.Units, Unresolved: answer.Unresolved}
	for _, r := range answer.Revenue {
		t.RevenueMinor += r.RevenueMinor
	}
	return t, err
}

// AnalyticsTotals asks analytics; revenue is before returns.
func (c *Client) AnalyticsTotals(ctx context.Context) (Totals, error) {
	var answer struct {
		Customers int64
		Revenue   []struct {
			Orders, Units int64
			GrossMinor    int64 `json:"gross_minor"`
		}
	}
	err := c.Get(ctx, "/v1/analytics/facts/summary", nil, &answer)
	t := Totals{Customers: answer.Customers}
	for _, r := range answer.Revenue {
		t.Orders += r.Orders
		t.Units += r.Units
		t.RevenueMinor += r.GrossMinor
	}
	return t, err
}
