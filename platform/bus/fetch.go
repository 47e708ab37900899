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

	passed *kafka.Record // the last one, where it was not wanted
}

// fetch reads a partition from offset on, and waits up to fetchWait when there is nothing. Messages that are not wanted are
// left out, but for one at the end; nil wants all.
func (c *Client) fetch(ctx context.Context, topic string, partition int, offset int64, wanted func(kind string) bool) (chunk, error) {
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
		n, err := got.add(topic, partition, batch, wanted)
		if err != nil {
			return chunk{}, fmt.Errorf("read %s/%d at %d: %w", topic, partition, got.next, err)
		}
		seen = seen || n > 0
	}
	got.end(topic, partition)
	if !seen {
		got.next++ // batches that compaction has emptied, of which kafka-go does not tell where they end: step through
	}
	return got, nil
}

// add takes the records of one batch, without those before next: a broker gives whole batches. It tells how many records,
// wanted or not, the batch has.
func (k *chunk) add(topic string, partition int, batch kafka.RecordReader, wanted func(kind string) bool) (n int, err error) {
	_, control := batch.(*protocol.ControlBatch)
	for ; ; n++ {
		r, err := batch.ReadRecord()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		k.passed = nil
		switch {
		case r.Offset < k.next, control, wanted != nil && !wanted(kindOf(r.Headers)):
			if err := drop(r.Key, r.Value); err != nil {
				return n, err
			}
			if r.Offset < k.next {
				continue
			}
			if k.next = r.Offset + 1; !control {
				k.passed = r
			}
		default:
			m := message(topic, partition, r)
			if m.Key, err = readAll(r.Key); err != nil {
				return n, err
			}
			if m.Value, err = readAll(r.Value); err != nil {
				return n, err
			}
			k.next = r.Offset + 1
			k.msgs = append(k.msgs, m)
		}
	}
}

// end adds the last message, of which only the place is kept, when it was not wanted: whoever handles it moves on over all before it.
func (k *chunk) end(topic string, partition int) {
	if k.passed != nil {
		k.msgs = append(k.msgs, Message{Topic: topic, Partition: partition, Offset: k.passed.Offset, Time: k.passed.Time, Passed: true})
		k.passed = nil
	}
}

func message(topic string, partition int, r *kafka.Record) Message {
	m := Message{Topic: topic, Partition: partition, Offset: r.Offset, Time: r.Time}
	if len(r.Headers) > 0 {
		m.Headers = make([]Header, len(r.Headers))
		for i, h := range r.Headers {
			m.Headers[i] = Header{Key: h.Key, Value: h.Value}
		}
	}
	return m
}

// kindOf is the event's type; empty where the record says none.
func kindOf(headers []kafka.Header) string {
	for _, h := range headers {
		if h.Key == headerType {
			return string(h.Value)
		}
	}
	return ""
}

// drop gives kafka-go's pages back.
func drop(all ...kafka.Bytes) (err error) {
	for _, b := range all {
		if b != nil {
			err = errors.Join(err, b.Close())
		}
	}
	return err
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
