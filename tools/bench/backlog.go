package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/bus"
)

const (
	// relayWorkers and relayBatch are how a relay works by default, and so how the baseline does.
	relayWorkers = 2
	relayBatch   = 500
)

// measureBacklog lets a relay empty a full outbox, once while the consumers of all services apply what it sends and once
// while none runs, each beside a producer that sends the same records from memory.
func measureBacklog(ctx context.Context, b *bench) error {
	if err := b.ensureRawTopic(ctx); err != nil {
		return err
	}
	n := length(b, 100_000, 10_000)
	for _, c := range []struct{ name, roles string }{
		{"consumers running", withoutRelay}, {"no consumers", onlyHTTP},
	} {
		if err := b.serve(ctx, c.roles); err != nil {
			return err
		}
		var rates, baselines, ratios []float64
		for range length(b, 3, 1) {
			drained, raw, err := b.drainTurn(ctx, n)
			if err != nil {
				return err
			}
			rates, baselines, ratios = append(rates, drained), append(baselines, raw), append(ratios, drained/raw)
			if c.roles == withoutRelay {
				if err := b.settle(ctx); err != nil {
					return err
				}
			}
		}
		b.add(row{Name: fmt.Sprintf("backlog of %d events drained, %s", n, c.name), Unit: "events/s", Measured: median(rates), Ratio: median(ratios)}.
			against("produce alone", median(baselines)).atLeast(15_000))
	}
	if err := b.serve(ctx, ""); err != nil {
		return err
	}
	return b.settle(ctx)
}

// drainTurn fills the outbox with n events and gives the rates at which a relay empties it and at which the same records
// are produced from memory.
func (b *bench) drainTurn(ctx context.Context, n int) (drained, raw float64, err error) {
	took, err := b.drain(ctx, n)
	if err != nil {
		return 0, 0, err
	}
	alone, err := b.produceAll(ctx, n)
	if err != nil {
		return 0, 0, err
	}
	return perSecond(n, took), perSecond(n, alone), nil
}

// drain takes the time from the start of a relay to the acknowledgement of the last of n events that waited for it.
func (b *bench) drain(ctx context.Context, n int) (time.Duration, error) {
	var count atomic.Int64
	all := make(chan struct{})
	p, err := b.newProducer(ctx, func(events []uuid.UUID) {
		if count.Add(int64(len(events))) == int64(n) {
			close(all)
		}
	})
	if err != nil {
		return 0, err
	}
	defer p.close()
	if err := p.fill(ctx, n); err != nil {
		return 0, err
	}
	began := time.Now()
	defer p.start(ctx)()
	select {
	case <-all:
		return time.Since(began), nil
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(5 * time.Minute):
		return 0, fmt.Errorf("the relay sent %d of %d events in five minutes", count.Load(), n)
	}
}

// produceAll produces n records like those of the relay with as many workers and records a request.
func (b *bench) produceAll(ctx context.Context, n int) (time.Duration, error) {
	messages, err := sampleMessages(n)
	if err != nil {
		return 0, err
	}
	var next atomic.Int64
	errs := make([]error, relayWorkers)
	var wg sync.WaitGroup
	began := time.Now()
	for w := range relayWorkers {
		wg.Go(func() {
			for errs[w] == nil {
				k := int(next.Add(1)) - 1
				if k*relayBatch >= n {
					return
				}
				batch := messages[k*relayBatch : min((k+1)*relayBatch, n)]
				errs[w] = b.bus.Produce(ctx, rawTopic, k%bus.Partitions, batch)
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	for _, err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return took, nil
}

// sampleMessages are n records as the relay makes them.
func sampleMessages(n int) ([]bus.Message, error) {
	list := make([]bus.Message, n)
	for i := range list {
		id, err := uuid.NewV7()
		if err != nil {
			return nil, err
		}
		data, err := payload(id)
		if err != nil {
			return nil, err
		}
		list[i] = bus.Encode(bus.Event{
			ID: id, Type: registeredType, Source: "/guanxi/accounts", Tenant: tenant, AggregateType: "customer",
			AggregateID: id.String(), Sequence: 1, Epoch: 1, Time: time.Now().UTC(), Schema: "urn:guanxi:jsonschema:" + registeredType,
			Data: data, Topic: rawTopic,
		})
	}
	return list, nil
}
