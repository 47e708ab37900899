package client

import (
	"context"
	"encoding/json"
	"net/url"
	"time"
)

// Customer is a customer as far as the tools look at one.
type Customer struct {
	CustomerID  string `json:"customer_id"`
	DisplayName string `json:"display_name"`
}

// LookupCustomers finds customers by an identity (phone, email, card or external:<system>), the likeliest first.
func (c *Client) LookupCustomers(ctx context.Context, kind, value string) ([]Customer, error) {
	var answer struct{ Items []Customer }
	err := c.Get(ctx, "/v1/customers/lookup", url.Values{"type": {kind}, "value": {value}}, &answer)
	return answer.Items, err
}

// Timeline is what happened with a customer, in all services, and the facts that follow.
type Timeline struct {
	Items []TimelineEntry `json:"items"` // the latest first
	Facts []Fact          `json:"facts"`
	AsOf  []AsOf          `json:"as_of"`
}

// TimelineEntry is one event of a customer.
type TimelineEntry struct {
	EventID     string                     `json:"event_id"`
	At          time.Time                  `json:"at"`
	Service     string                     `json:"service"`
	Title       string                     `json:"title"` // a code, such as order_placed
	Aggregate   string                     `json:"aggregate"`
	AggregateID string                     `json:"aggregate_id"`
	Details     map[string]json.RawMessage `json:"details"`
}

// Fact is a number that is kept of a customer.
type Fact struct {
	Name  string `json:"name"`
	Unit  string `json:"unit,omitempty"` // such as a currency
	Value int64  `json:"value"`
}

// AsOf is the time of the newest event of a service that is on the timelines.
type AsOf struct {
	Service string    `json:"service"`
	At      time.Time `json:"at"`
}

// Fact gives the value of a fact, in all units together; 0 where nothing is known.
func (t Timeline) Fact(name string) (sum int64) {
	for _, f := range t.Facts {
		if f.Name == name {
			sum += f.Value
		}
	}
	return sum
}

// Count tells how many entries have the title.
func (t Timeline) Count(title string) (n int64) {
	for _, e := range t.Items {
		if e.Title == title {
			n++
		}
	}
	return n
}

// Points adds up the points that were given for a reason.
func (t Timeline) Points(reasonID string) (sum int64) {
	for _, e := range t.Items {
		var reason string
		var points int64
		if e.Title != "points_earned" || json.Unmarshal(e.Details["reason_id"], &reason) != nil || reason != reasonID {
			continue
		}
		if json.Unmarshal(e.Details["points"], &points) == nil {
			sum += points
		}
	}
	return sum
}

// GetTimeline reads the whole timeline of a customer, page by page; facts and times are those of the last page.
func (c *Client) GetTimeline(ctx context.Context, customerID string) (Timeline, error) {
	var whole Timeline
	query := url.Values{"limit": {"200"}}
	for {
		var page struct {
			Timeline
			NextCursor string `json:"next_cursor"`
		}
		if err := c.Get(ctx, "/v1/customers/"+url.PathEscape(customerID)+"/timeline", query, &page); err != nil {
			return whole, err
		}
		page.Items = append(whole.Items, page.Items...)
		if whole = page.Timeline; page.NextCursor == "" {
			return whole, nil
		}
		query.Set("cursor", page.NextCursor)
	}
}

// CustomerTotals adds up the orders that sales has of a customer; revenue is before returns, in all currencies together.
func (c *Client) CustomerTotals(ctx context.Context, customerID string) (Totals, error) {
	t := Totals{Customers: 1}
	err := c.List(ctx, "/v1/orders", "items", url.Values{"customer_id": {customerID}}, func(raw []byte) error {
		var o struct {
			Units      int64 `json:"units"`
			TotalMinor int64 `json:"total_minor"`
		}
		if err := json.Unmarshal(raw, &o); err != nil {
			return err
		}
		t.Orders++
		t.Units += o.Units
		t.RevenueMinor += o.TotalMinor
		return nil
	})
	return t, err
}
