package client

import (
	"context"
	"net/url"
	"time"
)

// Erasure is a request to erase a customer, and how far it is.
type Erasure struct {
	ErasureID   string          `json:"erasure_id"`
	CustomerID  string          `json:"customer_id"`
	State       string          `json:"state"` // requested, held, erasing, erased or cancelled
	Reason      string          `json:"reason"`
	Holds       []ErasureHold   `json:"holds"`
	RequestedAt time.Time       `json:"requested_at"`
	RequestedBy string          `json:"requested_by"`
	ErasedAt    *time.Time      `json:"erased_at,omitempty"`
	Reports     []ErasureReport `json:"reports,omitempty"` // of one erasure that is read by itself
}

// ErasureHold is something that keeps a customer from being erased.
type ErasureHold struct {
	Service     string `json:"service"`
	Code        string `json:"code"`
	ReferenceID string `json:"reference_id"`
}

// ErasureReport is what a service did in one round.
type ErasureReport struct {
	Service string         `json:"service"`
	Round   int            `json:"round"`
	Erased  []ErasureCount `json:"erased"`
}

// ErasureCount is what became of one kind of thing.
type ErasureCount struct {
	What  string `json:"what"`
	Count int64  `json:"count"`
	Left  int64  `json:"left"` // found when it was looked again; 0
}

const erasuresPath = "/v1/erasures"

// ListErasures calls each with the erasures, the latest first; state may be empty.
func (c *Client) ListErasures(ctx context.Context, state string, each func(Erasure) error) error {
	query := url.Values{}
	if state != "" {
		query.Set("state", state)
	}
	return c.List(ctx, erasuresPath, "items", query, decoded(each))
}

// GetErasure reads an erasure with the services' reports.
func (c *Client) GetErasure(ctx context.Context, id string) (Erasure, error) {
	var e Erasure
	err := c.Get(ctx, erasuresPath+"/"+url.PathEscape(id), nil, &e)
	return e, err
}

// EraseCustomer asks for a customer's erasure; reason is a code.
func (c *Client) EraseCustomer(ctx context.Context, customerID, reason string) (Erasure, error) {
	var e Erasure
	err := c.Post(ctx, "/v1/customers/"+url.PathEscape(customerID)+"/erasures", map[string]string{"reason": reason}, &e)
	return e, err
}

// RecheckErasure has the process look now whether something still holds.
func (c *Client) RecheckErasure(ctx context.Context, id string) (Erasure, error) {
	return c.decideErasure(ctx, id, "recheck")
}

// CancelErasure ends an erasure that has not begun.
func (c *Client) CancelErasure(ctx context.Context, id string) (Erasure, error) {
	return c.decideErasure(ctx, id, "cancel")
}

func (c *Client) decideErasure(ctx context.Context, id, action string) (Erasure, error) {
	var e Erasure
	err := c.Post(ctx, erasuresPath+"/"+url.PathEscape(id)+"/"+action, nil, &e)
	return e, err
}
