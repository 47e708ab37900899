package bus

import (
	"context"
	"time"
)

// Topic is what a topic must be.
type Topic struct {
	Name        string
	Partitions  int               // 0: Partitions
	Replication int               // 0: 3, or the number of brokers where there are fewer
	Config      map[string]string // besides retention.ms=-1, which keeps everything, and may be overridden here
}

// EnsureTopics makes the topics that are not there and waits until each partition has a leader.
func (c *Client) EnsureTopics(ctx context.Context, topics ...Topic) error { panic("soon") }

// Offsets gives, for each partition, the offset of the first message that is kept and the offset that the next one will get.
func (c *Client) Offsets(ctx context.Context, topic string) (first, next []int64, err error) { panic("soon") }

// OffsetAt gives the offset of the first message at or after t, or the next offset when there is none.
func (c *Client) OffsetAt(ctx context.Context, topic string, partition int, t time.Time) (int64, error) {
	panic("soon")
}

// Lag gives, for each topic and partition, how many messages the group has not committed yet.
func (c *Client) Lag(ctx context.Context, group string, topics ...string) (map[string][]int64, error) {
	panic("soon")
}
