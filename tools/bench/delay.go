package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

const eventsPerSecond = 500

// measureDelay commits events one by one, in an open loop, and takes the time from each commit to the moment when the
// relay has the broker's acknowledgement; beside it, by turns, the time that producing the same records takes by itself.
// The consumers of all services are at work.
func measureDelay(ctx context.Context, b *bench) error {
	if err := b.serve(ctx, withoutRelay); err != nil {
		return err
	}
	if err := b.ensureRawTopic(ctx); err != nil {
		return err
	}
	d := &delays{commits: make(map[uuid.UUID]time.Time), acks: make(map[uuid.UUID]time.Time)}
	p, err := b.newProducer(ctx, d.acknowledged)
	if err != nil {
		return err
	}
	defer p.close()
	stop := p.start(ctx)
	defer stop()
	if err := d.commitAll(ctx, p, eventsPerSecond); err != nil { // warm up
		return err
	}
	from, err := b.topicEnds(ctx, p.outbox.Topic())
	if err != nil {
		return err
	}
	turns, n := length(b, 3, 1), length(b, 7, 2)*eventsPerSecond
	var raw []time.Duration
	for range turns {
		if err := d.commitAll(ctx, p, n); err != nil {
			return err
		}
		if err := d.wait(ctx); err != nil {
			return err
		}
		more, err := b.produceOneByOne(ctx, n/2)
		if err != nil {
			return err
		}
		raw = append(raw, more...)
	}
	relayed, err := d.join(ctx, b, p.outbox.Topic(), from)
	if err != nil {
		return err
	}
	const name, base = "commit to acknowledgement at 500 events/s, ", "produce alone"
	b.add(row{Name: name + "p50", Unit: "ms", Measured: millis(percentile(relayed, 0.5))}.against(base, millis(percentile(raw, 0.5))).atMost(5),
		row{Name: name + "p99", Unit: "ms", Measured: millis(percentile(relayed, 0.99))}.against(base, millis(percentile(raw, 0.99))).atMost(50))
	stop()
	if err := b.serve(ctx, ""); err != nil {
		return err
	}
	return b.settle(ctx)
}

// delays keeps the times of commits, by aggregate, and of acknowledgements, by event: which event is of which aggregate
// stands in the topic.
type delays struct {
	mu      sync.Mutex
	commits map[uuid.UUID]time.Time
	acks    map[uuid.UUID]time.Time
}

func (d *delays) acknowledged(events []uuid.UUID) {
	now := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, id := range events {
		if _, known := d.acks[id]; !known {
			d.acks[id] = now
		}
	}
}

func (d *delays) commitAll(ctx context.Context, p *producer, n int) error {
	return openLoop(ctx, eventsPerSecond, n, func(int, time.Time) error {
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		return p.db.Tx(ctx, tenant, func(tx *pg.Tx) error {
			tx.OnCommit(func() { // before that of the outbox, which wakes the relay
				now := time.Now()
				d.mu.Lock()
				defer d.mu.Unlock()
				d.commits[id] = now
			})
			return p.outbox.Append(ctx, tx, registered(id))
		})
	})
}

// wait waits until every commit is acknowledged.
func (d *delays) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		d.mu.Lock()
		commits, acks := len(d.commits), len(d.acks)
		d.mu.Unlock()
		if acks >= commits {
			return nil
		}
		if err := pause(ctx, 20*time.Millisecond); err != nil {
			return fmt.Errorf("%d of %d commits were acknowledged: %w", acks, commits, err)
		}
	}
}

// join gives the delay of each event that was written to the topic after the offsets.
func (d *delays) join(ctx context.Context, b *bench, topic string, from []int64) ([]time.Duration, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []time.Duration
	err := b.since(ctx, topic, from, func(m bus.Message) error {
		e, err := bus.Decode(m)
		if err != nil {
			return err
		}
		aggregate, err := uuid.Parse(e.AggregateID)
		if err != nil {
			return err
		}
		committed, ours := d.commits[aggregate]
		acknowledged, known := d.acks[e.ID]
		if ours && known {
			list = append(list, acknowledged.Sub(committed))
		}
		return nil
	})
	return list, err
}

// produceOneByOne produces n records like those of the relay, at the same rate, and gives how long each took.
func (b *bench) produceOneByOne(ctx context.Context, n int) ([]time.Duration, error) {
	messages, err := sampleMessages(n)
	if err != nil {
		return nil, err
	}
	took := make([]time.Duration, n)
	err = openLoop(ctx, eventsPerSecond, n, func(i int, _ time.Time) error {
		began := time.Now()
		err := b.bus.Produce(ctx, rawTopic, i%bus.Partitions, messages[i:i+1])
		took[i] = time.Since(began)
		return err
	})
	return took, err
}
