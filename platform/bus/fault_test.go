package bus_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/bustest"
)

// These run against the in-process Kafka in `make test` and against Apache Kafka in `make test-kafka`. Those that break
// the cluster are not parallel: the others, which share a real one, expect it to be whole.

// relay produces batches of ten to some partitions, each again until it is acknowledged, while disturb goes on; it gives
// how many messages each partition was told.
func relay(ctx context.Context, t *testing.T, c *bus.Client, topic string, partitions []int, disturb func()) []int {
	t.Helper()
	var over atomic.Bool
	told := make([]int, len(partitions))
	done := make(chan struct{})
	for i, p := range partitions {
		go func() {
			defer func() { done <- struct{}{} }()
			for !over.Load() && ctx.Err() == nil {
				produce(ctx, t, c, topic, p, numbered(told[i], 10))
				told[i] += 10
				time.Sleep(5 * time.Millisecond)
			}
		}()
	}
	disturb()
	over.Store(true)
	for range partitions {
		<-done
	}
	return told
}

func TestNothingIsLostOrReorderedWhenABrokerIsKilled(t *testing.T) { //nolint:paralleltest // breaks the cluster that others share
	ctx, cluster := within(t), bustest.Start(t)
	c := cluster.Client(t)
	topic, group, l := bustest.Topic(t, c, "orders"), bustest.Service(t), newLedger()
	subscribe(t, c, l.subscription("only", group, topic))
	partitions := []int{0, 1, 2, 3, 4, 5}
	told := relay(ctx, t, c, topic, partitions, func() {
		for n := range 2 {
			eventually(t, "messages arrive", func() bool { return len(l.of(topic, 0)) > 20*(n+1) })
			cluster.KillBroker(t, n)
			time.Sleep(time.Second)
			cluster.StartBrokerAgain(t, n)
			before := l.count()
			eventually(t, "messages arrive again", func() bool { return l.count() > before+100 })
		}
	})
	for i, p := range partitions {
		l.arrives(t, topic, p, told[i])
	}
}

func TestNothingIsLostOrReorderedWhenTheLeaderMoves(t *testing.T) { //nolint:paralleltest // breaks the cluster that others share
	ctx, cluster := within(t), bustest.Start(t)
	c := cluster.Client(t)
	topic, l := bustest.Topic(t, c, "orders"), newLedger()
	subscribe(t, c, l.subscription("only", bustest.Service(t), topic))
	told := relay(ctx, t, c, topic, []int{7}, func() {
		for range 3 {
			before := l.count()
			eventually(t, "messages arrive", func() bool { return l.count() > before+50 })
			cluster.MoveLeader(t, topic, 7)
		}
	})
	l.arrives(t, topic, 7, told[0])
}

// Someone who is told to stop while the broker is away must not wait for it.
func TestSubscribeStopsWhileTheBrokerIsAway(t *testing.T) { //nolint:paralleltest // Alone decides
	bustest.Alone(t)
	cluster := bustest.Start(t)
	if cluster.Real() {
		return // two brokers of three stay
	}
	c := cluster.Client(t)
	topic, l := bustest.Topic(t, c, "orders"), newLedger()
	produce(within(t), t, c, topic, 0, numbered(0, 1))
	stop := subscribe(t, c, l.subscription("only", bustest.Service(t), topic))
	eventually(t, "the message arrives", func() bool { return l.count() == 1 })
	cluster.KillBroker(t, 0)
	stop()
}
