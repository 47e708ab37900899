package bus

import "context"

// Subscription is what a consumer wants to hear and what it does with it.
type Subscription struct {
	Group    string
	Topics   []string
	MaxBatch int // most messages in one Handle; 0: 500
	// Start gives the offset of the first message of the partition that was not handled yet; 0 when nothing was.
	Start func(ctx context.Context, topic string, partition int) (offset int64, err error)
	// Handle takes messages of one partition, in order. nil: go on. An error: the same messages again after a back-off.
	Handle func(ctx context.Context, topic string, partition int, msgs []Message) error
}

// Subscribe consumes until ctx ends.
func (c *Client) Subscribe(ctx context.Context, s Subscription) error { panic("soon") }
