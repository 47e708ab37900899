package bus

import (
	"context"
	"errors"
	"fmt"

	kafka "github.com/segmentio/kafka-go"
)

// Follow as the end of [Client.Read] means: never end, wait for what comes.
const Follow int64 = -1

// maxFetchTries bounds the wait between two tries to read: a broker that is back should be noticed within seconds.
const maxFetchTries = 5 // backoff(5) is at most 1.6 s

// Read gives the messages of one partition with offsets from from up to, and without, to, in order, and waits for those
// that are not written yet. It outlives broker outages and stops at the first error of fn or when ctx ends. Reading from
// an offset that is no longer kept, or not there yet at all, is an error: see [Client.Offsets].
func (c *Client) Read(ctx context.Context, topic string, partition int, from, to int64, fn func(Message) error) error {
	for failures := 0; to == Follow || from < to; {
		got, err := c.fetch(ctx, topic, partition, from, nil)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, kafka.OffsetOutOfRange):
			return err
		case err != nil:
			failures++
			c.log.WarnContext(ctx, "Reading a topic failed; trying again", "topic", topic, "partition", partition, "error", err)
			if !sleep(ctx, backoff(min(failures, maxFetchTries))) {
				return fmt.Errorf("%w: %w", ctx.Err(), err)
			}
			continue
		}
		failures = 0
		for _, m := range got.msgs {
			if to != Follow && m.Offset >= to {
				return nil
			}
			if err := fn(m); err != nil {
				return err
			}
		}
		from = got.next
	}
	return nil
}
