package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// Parked is an event that waits for a person to decide.
type Parked struct {
	ID          string    `json:"id"`
	Consumer    string    `json:"consumer"`
	Tenant      string    `json:"tenant,omitempty"` // missing, as are the next five, of what could not be decoded
	EventID     string    `json:"event_id,omitempty"`
	EventType   string    `json:"event_type,omitempty"`
	Aggregate   string    `json:"aggregate,omitempty"`
	AggregateID string    `json:"aggregate_id,omitempty"`
	Sequence    int64     `json:"sequence,omitempty"`
	Epoch       int       `json:"epoch,omitempty"`
	Topic       string    `json:"topic"`
	Partition   int       `json:"partition"`
	Offset      int64     `json:"offset"`
	State       string    `json:"state"` // parked, queued or releasing
	Code        string    `json:"code"`
	Error       string    `json:"error"`
	Tries       int       `json:"tries"`
	ParkedAt    time.Time `json:"parked_at"`
	QueueLength int64     `json:"queue_length"` // events of the same aggregate behind it

	// Of a single one only.
	Headers []ParkedHeader `json:"headers,omitempty"`
	Payload string         `json:"payload,omitempty"`
}

// ParkedHeader is one header of a parked message.
type ParkedHeader struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func parkedPath(service, id string) string { return "/v1/ops/" + service + "/parked/" + id }

// ListParked lists what a service has parked, the oldest first. State is parked or queued, consumer may be empty.
func (c *Client) ListParked(ctx context.Context, service, consumer, state string) ([]Parked, error) {
	query := url.Values{"state": {state}}
	if consumer != "" {
		query.Set("consumer", consumer)
	}
	list := []Parked{}
	err := c.List(ctx, "/v1/ops/"+service+"/parked", "parked", query, func(raw []byte) error {
		var p Parked
		if err := json.Unmarshal(raw, &p); err != nil {
			return err
		}
		list = append(list, p)
		return nil
	})
	return list, err
}

// GetParked reads one with its headers and payload.
func (c *Client) GetParked(ctx context.Context, service, id string) (Parked, error) {
	var p Parked
	err := c.Get(ctx, parkedPath(service, id), nil, &p)
	return p, err
}

// ReleaseParked has one tried again, and what waits behind it after it.
func (c *Client) ReleaseParked(ctx context.Context, service, id string) error {
	_, err := c.Do(ctx, Request{Method: http.MethodPost, Path: parkedPath(service, id) + "/release"}, nil)
	return err
}

// DiscardParked drops one for good. The reason is kept.
func (c *Client) DiscardParked(ctx context.Context, service, id, reason string) error {
	return c.Post(ctx, parkedPath(service, id)+"/discard", map[string]string{"reason": reason}, nil)
}

// Rebuild is a projection being filled anew from its topics.
type Rebuild struct {
	ID     string         `json:"id"`
	State  string         `json:"state"` // requested, running, done or failed
	Phase  string         `json:"phase,omitempty"`
	Events int64          `json:"events"`
	Total  int64          `json:"total"`
	Runs   int            `json:"runs"`
	Result *RebuildResult `json:"result,omitempty"` // when done
	Error  string         `json:"error,omitempty"`
}

// RebuildResult is what a rebuild came to.
type RebuildResult struct {
	Events      int64   `json:"events"`
	Seconds     float64 `json:"seconds"`
	HashLive    string  `json:"hash_live"`
	HashRebuilt string  `json:"hash_rebuilt"`
	Equal       bool    `json:"equal"`
	ParkedLive  int64   `json:"parked_live"`
	Parked      int64   `json:"parked"`
}

// StartRebuild asks a service to rebuild its projection.
func (c *Client) StartRebuild(ctx context.Context, service string) (Rebuild, error) {
	var r Rebuild
	_, err := c.Do(ctx, Request{Method: http.MethodPost, Path: "/v1/ops/" + service + "/rebuilds"}, &r)
	return r, err
}

// WaitRebuild follows a rebuild until it is done or failed, calling progress (which may be nil) each time.
func (c *Client) WaitRebuild(ctx context.Context, service, id string, progress func(Rebuild)) (Rebuild, error) {
	read := func() (Rebuild, error) {
		var now Rebuild
		err := c.Get(ctx, "/v1/ops/"+service+"/rebuilds/"+id, nil, &now)
		return now, err
	}
	return follow(ctx, read, func(r Rebuild) bool { return r.State == "done" || r.State == "failed" }, progress)
}
