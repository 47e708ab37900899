package bus

import (
	"context"
	"fmt"
)

// RefusedError says that the broker will never take a message, however often it is tried.
type RefusedError struct {
	Index int   // which of the messages; those before it are written and acknowledged, those after it were not sent
	Err   error // what the broker said
}

// Error gives the index and the broker's reason.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("Kafka refuses message %d of the batch for good: %v", e.Index, e.Err)
}

// Unwrap gives the broker's reason.
func (e *RefusedError) Unwrap() error { return e.Err }

// Produce writes msgs to the end of one partition, in order.
func (c *Client) Produce(ctx context.Context, topic string, partition int, msgs []Message) error {
	panic("soon")
}
