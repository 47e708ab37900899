package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	kafka "github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const (
	// produceTimeout bounds one produce request when the caller's own deadline is later.
	produceTimeout = 10 * time.Second
	// maxRequest bounds the records of one request, in bytes before compression. Brokers take 1 MiB (message.max.bytes) by
	// default; some room is left for the batch's own header.
	maxRequest = 1<<20 - 16<<10
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

// Produce writes msgs to the end of one partition, in order, and returns when every in-sync replica has them all. Topic,
// Partition and Offset of the messages are not looked at; a zero Time becomes the present.
//
// A *[RefusedError] names the first message that the broker will never take: leave it out and go on behind it. Any other
// error means that some or all of the messages may or may not be written: send them all again, in the same order; readers
// drop what they have seen. To keep that order, have no more than one Produce under way for a partition, in the whole
// cluster: the outbox relay holds a lease on the shard for that.
//
// It ends by the deadline of ctx. What was sent by then may still arrive.
func (c *Client) Produce(ctx context.Context, topic string, partition int, msgs []Message) error {
	for done := 0; done < len(msgs); {
		n := fitting(msgs[done:])
		if err := c.write(ctx, topic, partition, msgs[done:done+n]); err != nil {
			return shifted(err, done)
		}
		done += n
	}
	return nil
}

// fitting tells how many of the messages go into one request; at least one.
func fitting(msgs []Message) int {
	size := 0
	for i := range msgs {
		size += 32 + len(msgs[i].Key) + len(msgs[i].Value)
		for _, h := range msgs[i].Headers {
			size += 8 + len(h.Key) + len(h.Value)
		}
		if size > maxRequest && i > 0 {
			return i
		}
	}
	return len(msgs)
}

// write sends the messages in one request and, when the broker refuses them, in halves, from left to right, until the
// culprit stands alone. A broker refuses a batch as a whole, for reasons of one record or of the batch itself (its size).
func (c *Client) write(ctx context.Context, topic string, partition int, msgs []Message) error {
	err := c.send(ctx, topic, partition, msgs)
	switch {
	case err == nil:
		return nil
	case !refused(err):
		return fmt.Errorf("write to %s/%d: %w", topic, partition, err)
	case len(msgs) == 1:
		return &RefusedError{Err: err}
	}
	half := len(msgs) / 2
	if err := c.write(ctx, topic, partition, msgs[:half]); err != nil {
		return err
	}
	return shifted(c.write(ctx, topic, partition, msgs[half:]), half)
}

func shifted(err error, by int) error {
	var r *RefusedError
	if errors.As(err, &r) {
		return &RefusedError{Index: r.Index + by, Err: r.Err}
	}
	return err
}

// refused tells whether the broker said no to the records themselves; anything else may be different next time.
func refused(err error) bool {
	for _, code := range []kafka.Error{
		kafka.MessageSizeTooLarge, kafka.RecordListTooLarge, kafka.InvalidRecord, kafka.InvalidMessage,
		kafka.InvalidMessageSize, kafka.InvalidTimestamp, kafka.PolicyViolation,
	} {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}

func (c *Client) send(ctx context.Context, topic string, partition int, msgs []Message) error {
	ctx, cancel := context.WithTimeout(ctx, produceTimeout)
	defer cancel()
	records := make([]kafka.Record, len(msgs))
	for i, m := range msgs {
		headers := make([]kafka.Header, len(m.Headers))
		for j, h := range m.Headers {
			headers[j] = kafka.Header{Key: h.Key, Value: h.Value}
		}
		records[i] = kafka.Record{Time: m.Time, Key: kafka.NewBytes(m.Key), Value: kafka.NewBytes(m.Value), Headers: headers}
	}
	begin := time.Now()
	res, err := c.producer.Produce(ctx, &kafka.ProduceRequest{
		Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll,
		Records:     kafka.NewRecordReader(records...),
		Compression: kafka.Snappy, // headers repeat in every record; snappy needs no large buffers
	})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		if !refused(err) {
			c.renew()
		}
		return err
	}
	at := metric.WithAttributes(attribute.String("topic", topic))
	c.metrics.latency.Record(ctx, time.Since(begin).Seconds(), at)
	c.metrics.produced.Add(ctx, int64(len(msgs)), at)
	return nil
}
