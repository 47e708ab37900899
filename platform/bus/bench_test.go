package bus_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/bustest"
)

// BenchmarkBacklog reads events that stand in all partitions already, in batches of 500; the figure that counts is events/s.
func BenchmarkBacklog(b *testing.B) {
	c := bustest.New(b)
	topic := bustest.Topic(b, c, "orders")
	ctx := context.Background()
	batch := make([]bus.Message, 500)
	for i := range batch {
		batch[i] = bus.Encode(orderPlaced())
	}
	const each = 20
	for p := range bus.Partitions {
		for range each {
			require.NoError(b, c.Produce(ctx, topic, p, batch))
		}
	}
	total := int64(bus.Partitions * each * len(batch))
	for b.Loop() {
		ctx, cancel := context.WithCancel(ctx)
		var seen atomic.Int64
		_ = c.Subscribe(ctx, bus.Subscription{
			Group: bustest.Service(b), Topics: []string{topic},
			Start: func(context.Context, string, int) (int64, error) { return 0, nil },
			Handle: func(_ context.Context, _ string, _ int, msgs []bus.Message) error {
				for _, m := range msgs {
					if _, err := bus.Decode(m); err != nil {
						b.Error(err)
					}
				}
				if seen.Add(int64(len(msgs))) == total {
					cancel()
				}
				return nil
			},
		})
	}
	b.ReportMetric(float64(total)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkProduceToHandle is the time from Produce to Handle of one event when nothing else goes on.
func BenchmarkProduceToHandle(b *testing.B) {
	c := bustest.New(b)
	topic := bustest.Topic(b, c, "orders")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	arrived := make(chan struct{}, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.Subscribe(ctx, bus.Subscription{
			Group: bustest.Service(b), Topics: []string{topic},
			Start: func(context.Context, string, int) (int64, error) { return 0, nil },
			Handle: func(context.Context, string, int, []bus.Message) error {
				arrived <- struct{}{}
				return nil
			},
		})
	}()
	event := []bus.Message{bus.Encode(orderPlaced())}
	require.NoError(b, c.Produce(ctx, topic, 0, event))
	<-arrived
	time.Sleep(100 * time.Millisecond) // the group has settled
	for b.Loop() {
		require.NoError(b, c.Produce(ctx, topic, 0, event))
		<-arrived
	}
	cancel()
	<-done
}
