package bus_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/bustest"
)

func TestSubscribeGetsAllInOrderInBatches(t *testing.T) {
	t.Parallel()
	ctx, c := within(t), bustest.New(t)
	orders, customers := bustest.Topic(t, c, "orders"), bustest.Topic(t, c, "customers")
	for p := range bus.Partitions {
		produce(ctx, t, c, orders, p, numbered(0, 700))
	}
	l := newLedger()
	s := l.subscription("only", bustest.Service(t), orders, customers)
	s.MaxBatch = 200
	var largest atomic.Int64
	apply := s.Handle
	s.Handle = func(ctx context.Context, topic string, partition int, msgs []bus.Message) error {
		largest.Store(max(largest.Load(), int64(len(msgs))))
		return apply(ctx, topic, partition, msgs)
	}
	stop := subscribe(t, c, s)
	produce(ctx, t, c, customers, 2, numbered(0, 1))
	eventually(t, "all messages arrive", func() bool { return l.count() == 700*bus.Partitions+1 })
	for p := range bus.Partitions {
		got := l.of(orders, p)
		require.Equal(t, upTo(700), values(got))
		require.Equal(t, orders, got[0].Topic)
		require.Equal(t, p, got[0].Partition)
		require.Equal(t, "v", string(got[0].Headers[0].Value))
	}
	require.Equal(t, int64(200), largest.Load())

	eventually(t, "what was handled is committed", func() bool {
		lag, err := c.Lag(ctx, s.Group, orders, customers)
		return err == nil && slices.Max(lag[orders]) == 0 && slices.Max(lag[customers]) == 0
	})
	stop()
	produce(ctx, t, c, orders, 1, numbered(700, 3))
	lag, err := c.Lag(ctx, s.Group, orders)
	require.NoError(t, err)
	require.Equal(t, int64(3), lag[orders][1])
	lag, err = c.Lag(ctx, "nobody-"+s.Group, customers)
	require.NoError(t, err)
	require.Equal(t, int64(1), lag[customers][2], "of a group that never committed: everything")
}

func TestSubscribeBeginsWhereThePositionIs(t *testing.T) {
	t.Parallel()
	ctx, c := within(t), bustest.New(t)
	topic := bustest.Topic(t, c, "orders")
	produce(ctx, t, c, topic, 0, numbered(0, 100))
	l := newLedger()
	l.position[at(topic, 0)] = 40
	group := bustest.Service(t)
	stop := subscribe(t, c, l.subscription("first", group, topic))
	eventually(t, "the rest arrives", func() bool { return l.count() == 60 })
	stop()

	produce(ctx, t, c, topic, 0, numbered(100, 10))
	subscribe(t, c, l.subscription("second", group, topic))
	eventually(t, "the new ones arrive", func() bool { return l.count() == 70 })
	require.Equal(t, upTo(110)[40:], values(l.of(topic, 0)))
}

func TestSubscribeWaitsForItsTopic(t *testing.T) {
	t.Parallel()
	ctx, c := within(t), bustest.New(t)
	topic := bus.TopicFor(bustest.Service(t))
	l := newLedger()
	subscribe(t, c, l.subscription("early", bustest.Service(t), topic))
	bustest.Ensure(t, c, bus.Topic{Name: topic})
	produce(ctx, t, c, topic, 9, numbered(0, 1))
	eventually(t, "the message arrives", func() bool { return l.count() == 1 })
}

func TestSubscribeRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	c := bustest.New(t)
	require.Error(t, c.Subscribe(context.Background(), bus.Subscription{Group: "g", Topics: []string{"t"}}))
	require.Error(t, c.Subscribe(context.Background(), newLedger().subscription("m", "", "t")))
	require.Error(t, c.Subscribe(context.Background(), newLedger().subscription("m", "g")))
}

func TestAFailingHandlePausesItsPartitionOnly(t *testing.T) {
	t.Parallel()
	ctx, c := within(t), bustest.New(t)
	topic := bustest.Topic(t, c, "orders")
	for p := range bus.Partitions {
		produce(ctx, t, c, topic, p, numbered(0, 50))
	}
	l := newLedger()
	s := l.subscription("only", bustest.Service(t), topic)
	apply := s.Handle
	var mended atomic.Bool
	var tries [][]int
	s.Handle = func(ctx context.Context, topic string, partition int, msgs []bus.Message) error {
		if partition == 4 {
			tries = append(tries, values(msgs))
			if !mended.Load() {
				return errors.New("the database is away")
			}
		}
		return apply(ctx, topic, partition, msgs)
	}
	stop := subscribe(t, c, s)
	eventually(t, "the other partitions go on", func() bool { return l.count() == 50*(bus.Partitions-1) })
	produce(ctx, t, c, topic, 5, numbered(50, 50))
	eventually(t, "and on", func() bool { return l.count() == 50*bus.Partitions })
	mended.Store(true)
	eventually(t, "the paused one follows", func() bool { return l.count() == 50*(bus.Partitions+1) })
	stop()
	require.Equal(t, upTo(50), values(l.of(topic, 4)), "nothing twice, nothing lost")
	require.Greater(t, len(tries), 1)
	for _, try := range tries {
		require.Equal(t, tries[0], try, "the same messages each time")
	}
}

func TestAPositionThatCannotBeReadPausesThePartition(t *testing.T) {
	t.Parallel()
	ctx, c := within(t), bustest.New(t)
	topic := bustest.Topic(t, c, "orders")
	produce(ctx, t, c, topic, 4, numbered(0, 5))
	l := newLedger()
	s := l.subscription("only", bustest.Service(t), topic)
	var asked atomic.Int64
	s.Start = func(ctx context.Context, topic string, partition int) (int64, error) {
		if partition == 4 && asked.Add(1) < 4 {
			return 0, errors.New("the database is away")
		}
		return l.start(ctx, topic, partition)
	}
	subscribe(t, c, s)
	eventually(t, "all messages arrive", func() bool { return l.count() == 5 })
	require.Equal(t, int64(4), asked.Load())
}

// A consumer that was fenced, or whose position an operator moved, reads on where its database says.
func TestHandleMayMoveThePosition(t *testing.T) {
	t.Parallel()
	ctx, c := within(t), bustest.New(t)
	topic := bustest.Topic(t, c, "orders")
	produce(ctx, t, c, topic, 0, numbered(0, 100))
	l := newLedger()
	s := l.subscription("only", bustest.Service(t), topic)
	s.MaxBatch = 10
	apply := s.Handle
	s.Handle = func(ctx context.Context, topic string, partition int, msgs []bus.Message) error {
		if msgs[0].Offset == 30 {
			l.mu.Lock()
			l.position[at(topic, partition)] = 70
			l.mu.Unlock()
			return errFenced
		}
		return apply(ctx, topic, partition, msgs)
	}
	subscribe(t, c, s)
	eventually(t, "the rest arrives", func() bool { return l.count() == 60 })
	require.Equal(t, append(upTo(30), upTo(100)[70:]...), values(l.of(topic, 0)))
}

func TestMessagesBeginAtTheEarliestWhenThePositionIsGone(t *testing.T) {
	t.Parallel()
	ctx, c := within(t), bustest.New(t)
	topic := bustest.Topic(t, c, "orders")
	produce(ctx, t, c, topic, 0, numbered(0, 5))
	l := newLedger()
	s := l.subscription("only", bustest.Service(t), topic)
	s.Start = func(context.Context, string, int) (int64, error) { return 1000, nil } // of a topic that was made anew
	s.Handle = func(ctx context.Context, topic string, partition int, msgs []bus.Message) error {
		known, _ := l.start(ctx, topic, partition)
		return l.apply("only", known, topic, partition, msgs)
	}
	subscribe(t, c, s)
	eventually(t, "all messages arrive", func() bool { return l.count() == 5 })
	require.Equal(t, upTo(5), values(l.of(topic, 0)))
}

func TestTwoMembersShareThePartitionsWithoutLoss(t *testing.T) {
	t.Parallel()
	ctx, cluster := within(t), bustest.Start(t)
	topic, group, l := "", bustest.Service(t), newLedger()
	c := cluster.Client(t)
	topic = bustest.Topic(t, c, "orders")
	const each = 1500
	produced := make(chan struct{})
	go func() {
		defer close(produced)
		for i := 0; i < each; i += 50 {
			for p := range bus.Partitions {
				produce(ctx, t, c, topic, p, numbered(i, 50))
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
	works := func(member string, partitions int) func() bool {
		return func() bool {
			l.mu.Lock()
			defer l.mu.Unlock()
			return len(l.by[member]) >= partitions
		}
	}
	leaveFirst := subscribe(t, cluster.Client(t), l.subscription("first", group, topic))
	eventually(t, "the first member has all partitions", works("first", bus.Partitions))
	subscribe(t, cluster.Client(t), l.subscription("second", group, topic))
	eventually(t, "the second member has its half", works("second", bus.Partitions/2))
	leaveFirst()
	eventually(t, "the second member has them all", works("second", bus.Partitions))
	<-produced
	for p := range bus.Partitions {
		l.arrives(t, topic, p, each)
	}
}

func TestShutdownFinishesTheBatchInHand(t *testing.T) {
	t.Parallel()
	ctx, c := within(t), bustest.New(t)
	topic := bustest.Topic(t, c, "orders")
	produce(ctx, t, c, topic, 0, numbered(0, 3))
	l := newLedger()
	s := l.subscription("only", bustest.Service(t), topic)
	apply := s.Handle
	inHand, goOn := make(chan struct{}), make(chan struct{})
	s.Handle = func(ctx context.Context, topic string, partition int, msgs []bus.Message) error {
		close(inHand)
		select {
		case <-goOn:
		case <-ctx.Done():
			return ctx.Err()
		}
		return apply(ctx, topic, partition, msgs)
	}
	stop := subscribe(t, c, s)
	<-inHand
	left := make(chan struct{})
	go func() {
		defer close(left)
		stop()
	}()
	close(goOn)
	<-left
	require.Equal(t, upTo(3), values(l.of(topic, 0)))
}

func TestTheWatchdogRebuildsAGroupThatStandsStill(t *testing.T) {
	t.Parallel()
	ctx, c := within(t), bustest.New(t)
	bus.SetStall(c, 2*time.Second)
	topic := bustest.Topic(t, c, "orders")
	produce(ctx, t, c, topic, 0, numbered(0, 5))
	produce(ctx, t, c, topic, 1, numbered(0, 5))
	l := newLedger()
	s := l.subscription("only", bustest.Service(t), topic)
	apply := s.Handle
	var hung atomic.Bool
	s.Handle = func(ctx context.Context, topic string, partition int, msgs []bus.Message) error {
		if partition == 1 && hung.CompareAndSwap(false, true) {
			<-ctx.Done() // as if a connection had died without a word
			return ctx.Err()
		}
		return apply(ctx, topic, partition, msgs)
	}
	subscribe(t, c, s)
	eventually(t, "all messages arrive", func() bool { return l.count() == 10 })
	require.Equal(t, upTo(5), values(l.of(topic, 1)))
}

func TestTheWatchdogLeavesPausedPartitionsAlone(t *testing.T) {
	t.Parallel()
	ctx, c := within(t), bustest.New(t)
	bus.SetStall(c, time.Second)
	topic := bustest.Topic(t, c, "orders")
	produce(ctx, t, c, topic, 0, numbered(0, 1))
	var starts, tries atomic.Int64
	s := bus.Subscription{
		Group: bustest.Service(t), Topics: []string{topic},
		Start: func(_ context.Context, _ string, partition int) (int64, error) {
			if partition == 3 {
				starts.Add(1) // an idle partition: asked once an assignment
			}
			return 0, nil
		},
		Handle: func(context.Context, string, int, []bus.Message) error {
			tries.Add(1)
			return errors.New("the database is away")
		},
	}
	subscribe(t, c, s)
	eventually(t, "it is tried again for longer than the watchdog waits", func() bool { return tries.Load() >= 6 })
	require.Equal(t, int64(1), starts.Load(), "still the first membership")
}

func TestMessagesOfOneBatchAreNotChangedByTheNext(t *testing.T) {
	t.Parallel()
	ctx, c := within(t), bustest.New(t)
	topic := bustest.Topic(t, c, "orders")
	for i := range 30 {
		produce(ctx, t, c, topic, 0, numbered(i*100, 100))
	}
	l := newLedger() // keeps the messages' own slices
	subscribe(t, c, l.subscription("only", bustest.Service(t), topic))
	eventually(t, "all messages arrive", func() bool { return l.count() == 3000 })
	got := values(l.of(topic, 0))
	require.True(t, slices.IsSorted(got))
	require.Equal(t, upTo(3000), got)
}

// TestSubscribeKeepsAPace holds it to what a pace promises on a machine of any speed: so many hand-overs in so much time.
func TestSubscribeKeepsAPace(t *testing.T) {
	t.Parallel()
	ctx, c := within(t), bustest.New(t)
	topic := bustest.Topic(t, c, "orders")
	l := newLedger()
	s := l.subscription("only", bustest.Service(t), topic)
	s.Pace = 200 * time.Millisecond
	var handed atomic.Int64
	apply := s.Handle
	s.Handle = func(ctx context.Context, topic string, partition int, msgs []bus.Message) error {
		handed.Add(1)
		return apply(ctx, topic, partition, msgs)
	}
	subscribe(t, c, s)
	began := time.Now()
	for n := range 50 {
		produce(ctx, t, c, topic, 0, numbered(n, 1))
	}
	eventually(t, "all messages arrive", func() bool { return l.count() == 50 })
	require.Equal(t, upTo(50), values(l.of(topic, 0)))
	require.LessOrEqual(t, handed.Load(), 1+int64(time.Since(began)/s.Pace))
}

func TestABacklogKeepsNoPace(t *testing.T) {
	t.Parallel()
	ctx, c := within(t), bustest.New(t)
	topic := bustest.Topic(t, c, "orders")
	produce(ctx, t, c, topic, 0, numbered(0, 700))
	l := newLedger()
	s := l.subscription("only", bustest.Service(t), topic)
	s.MaxBatch, s.Pace = 100, time.Hour
	subscribe(t, c, s)
	eventually(t, "all messages arrive", func() bool { return l.count() == 700 })
}

func TestWhatIsNotWantedIsPassedOverAndThePositionMoves(t *testing.T) {
	t.Parallel()
	ctx, c := within(t), bustest.New(t)
	topic := bustest.Topic(t, c, "orders")
	const each = 500
	for n := range each {
		kind := "guanxi.test.v1.Wanted"
		if n%10 != 3 {
			kind = "guanxi.test.v1.Other"
		}
		m := numbered(n, 1)
		m[0].Headers = append(m[0].Headers, bus.Header{Key: "ce_type", Value: []byte(kind)})
		if n%100 == 7 {
			m[0].Headers = nil // says nothing of itself
		}
		produce(ctx, t, c, topic, 0, m)
	}
	l := newLedger()
	s := l.subscription("only", bustest.Service(t), topic)
	s.Wanted = func(kind string) bool { return kind == "guanxi.test.v1.Wanted" || kind == "" }
	var position, handed atomic.Int64
	apply := s.Handle
	s.Handle = func(ctx context.Context, topic string, partition int, msgs []bus.Message) error {
		var whole []bus.Message
		for _, m := range msgs {
			if m.Value != nil {
				whole = append(whole, m)
			}
		}
		handed.Add(int64(len(msgs)))
		if err := apply(ctx, topic, partition, whole); err != nil {
			return err
		}
		position.Store(msgs[len(msgs)-1].Offset + 1)
		return nil
	}
	subscribe(t, c, s)
	eventually(t, "the position moves over all", func() bool { return position.Load() == each })
	var want []int
	for n := range each {
		if n%10 == 3 || n%100 == 7 {
			want = append(want, n)
		}
	}
	require.Equal(t, want, values(l.of(topic, 0)))
	require.Less(t, handed.Load(), int64(each), "most of the others are not handed over")
}
