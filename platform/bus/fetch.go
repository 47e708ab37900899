package bus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	kafka "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

const (
	// fetchWait is how long a broker holds a fetch while there is nothing to give. It answers at once when a message comes
	// (MinBytes 1), so a long wait costs no latency; it only keeps idle partitions from asking often.
	fetchWait = 3 * time.Second
	// fetchBytes bounds one answer, compressed: some 250 to 1,000 events. A single batch may be larger. Every partition of every
	// consumer may hold that much while it waits for its turn.
	fetchBytes = 128 << 10
	// fetchGrace is how much later than fetchWait an answer may come before the connection counts as broken.
	fetchGrace = 5 * time.Second
)

// chunk is what one fetch gave.
type chunk struct {
	msgs []Message
	next int64 // where to go on: behind the last record, markers and holes included
	high int64 // the offset that the next message written to the partition will get
}

// fetch reads a partition from offset on, and waits up to fetchWait when there is nothing.
func (c *Client) fetch(ctx context.Context, topic string, partition int, offset int64) (chunk, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchWait+fetchGrace)
	defer cancel()
	res, err := c.kafka.Fetch(ctx, &kafka.FetchRequest{
		Topic: topic, Partition: partition, Offset: offset, MinBytes: 1, MaxBytes: fetchBytes, MaxWait: fetchWait,
	})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		if !errors.Is(err, kafka.OffsetOutOfRange) && ctx.Err() == nil {
			c.renew()
		}
		return chunk{}, fmt.Errorf("read %s/%d at %d: %w", topic, partition, offset, err)
	}
	got := chunk{next: offset, high: res.HighWatermark}
	stream, ok := res.Records.(*protocol.RecordStream)
	if !ok {
		return got, nil // nothing there
	}
	seen := false
	for _, batch := range stream.Records { // kafka-go's own walk over them passes over markers without telling their offsets
		n, err := got.add(topic, partition, batch)
		if err != nil {
			return chunk{}, fmt.Errorf("read %s/%d at %d: %w", topic, partition, got.next, err)
		}
		seen = seen || n > 0
	}
	if !seen {
		got.next++ // batches that compaction has emptied, of which kafka-go does not tell where they end: step through
	}
	return got, nil
}

// add takes the records of one batch, without those before next: a broker gives whole batches. It tells how many records,
// wanted or not, the batch has.
func (k *chunk) add(topic string, partition int, batch kafka.RecordReader) (n int, err error) {
	_, control := batch.(*protocol.ControlBatch)
	for ; ; n++ {
		r, err := batch.ReadRecord()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		key, err := readAll(r.Key)
		if err != nil {
			return n, err
		}
		value, err := readAll(r.Value)
		if err != nil {
			return n, err
		}
		if r.Offset < k.next {
			continue
		}
		k.next = r.Offset + 1
		if control {
			continue
		}
		m := Message{Topic: topic, Partition: partition, Offset: r.Offset, Key: key, Value: value, Time: r.Time}
		if len(r.Headers) > 0 {
			m.Headers = make([]Header, len(r.Headers))
			for i, h := range r.Headers {
				m.Headers[i] = Header{Key: h.Key, Value: h.Value}
			}
		}
		k.msgs = append(k.msgs, m)
	}
}

// readAll copies bytes out of kafka-go's pages and gives those back.
func readAll(b kafka.Bytes) ([]byte, error) {
	if b == nil {
		return nil, nil
	}
	data, err := kafka.ReadAll(b)
	return data, errors.Join(err, b.Close())
}

const (
	minBackoff = 100 * time.Millisecond
	maxBackoff = 10 * time.Second
)

// backoff is how long to wait after the n-th failure in a row (from 1): doubling, with jitter, so that many do not come
// back at the same moment.
func backoff(n int) time.Duration {
	d := maxBackoff
	if n < 8 {
		d = min(maxBackoff, minBackoff<<(n-1))
	}
	return d/2 + rand.N(d/2)
}

// sleep waits; false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
