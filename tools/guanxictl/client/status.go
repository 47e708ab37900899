package client

import "context"

// Services are those of the platform that answer /v1/ops/{service}.
func Services() []string {
	return []string{"accounts", "sales", "loyalty", "tickets", "analytics", "rollout"}
}

// OK is what a service says of a part that is well.
const OK = "ok"

// Status is what a service says of itself and of what it stands on.
type Status struct {
	Service  string `json:"service"`
	Version  string `json:"version"`
	Database string `json:"database"` // OK, or what is wrong; so are the next two
	Kafka    string `json:"kafka"`
	Temporal string `json:"temporal"`
	// OutboxBacklog counts events that are committed and not yet in Kafka.
	OutboxBacklog       int64            `json:"outbox_backlog"`
	OutboxOldestSeconds float64          `json:"outbox_oldest_seconds"`
	OutboxParked        int64            `json:"outbox_parked"`     // refused by Kafka for good
	ProcessesWaiting    int64            `json:"processes_waiting"` // called for by events, not started yet
	Consumers           []ConsumerStatus `json:"consumers"`
	Waiting             []WaitingStatus  `json:"waiting"` // what the service has still to do of its own
}

// WaitingStatus is work of a service's own that is not done.
type WaitingStatus struct {
	Name          string  `json:"name"`
	Count         int64   `json:"count"`
	OldestSeconds float64 `json:"oldest_seconds"`
}

// ConsumerStatus is how far a consumer is behind.
type ConsumerStatus struct {
	Name   string `json:"name"`
	Lag    int64  `json:"lag"` // -1: not known
	Parked int64  `json:"parked"`
}

// Level tells whether nothing is on its way: no event waits to be sent or to be applied, and no process to be started.
func (s Status) Level() bool {
	for _, c := range s.Consumers {
		if c.Lag != 0 {
			return false
		}
	}
	for _, w := range s.Waiting {
		if w.Count != 0 {
			return false
		}
	}
	return s.OutboxBacklog == 0 && s.ProcessesWaiting == 0
}

// GetStatus asks a service.
func (c *Client) GetStatus(ctx context.Context, service string) (Status, error) {
	var s Status
	err := c.Get(ctx, "/v1/ops/"+service+"/status", nil, &s)
	return s, err
}
