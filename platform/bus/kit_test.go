package bus_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/bus"
)

// numbered makes messages whose values are from, from+1, ...
func numbered(from, n int) []bus.Message {
	msgs := make([]bus.Message, n)
	for i := range msgs {
		msgs[i] = bus.Message{Key: []byte("k"), Value: []byte(strconv.Itoa(from + i)), Headers: []bus.Header{{Key: "h", Value: []byte("v")}}}
	}
	return msgs
}

func values(msgs []bus.Message) []int {
	got := make([]int, len(msgs))
	for i, m := range msgs {
		got[i], _ = strconv.Atoi(string(m.Value))
	}
	return got
}

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// produce sends again until it works, as the relay does.
func produce(ctx context.Context, t *testing.T, c *bus.Client, topic string, partition int, msgs []bus.Message) {
	t.Helper()
	for {
		err := c.Produce(ctx, topic, partition, msgs)
		if err == nil {
			return
		}
		require.NoError(t, ctx.Err(), "last error: %v", err)
		time.Sleep(50 * time.Millisecond)
	}
}

var errFenced = errors.New("the position has moved: somebody else has the partition")

// ledger stands for a consumer's database: positions moved by compare-and-set together with the effect.
type ledger struct {
	mu       sync.Mutex
	position map[string]int64
	effects  map[string][]bus.Message
	by       map[string]map[string]int // member -> partition -> messages
}

func newLedger() *ledger {
	return &ledger{position: map[string]int64{}, effects: map[string][]bus.Message{}, by: map[string]map[string]int{}}
}

func at(topic string, partition int) string { return fmt.Sprintf("%s/%d", topic, partition) }

func (l *ledger) start(_ context.Context, topic string, partition int) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.position[at(topic, partition)], nil
}

// apply has the effect of the messages that the position has not passed yet, or is fenced.
func (l *ledger) apply(member string, known int64, topic string, partition int, msgs []bus.Message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := at(topic, partition)
	if l.position[key] != known {
		return errFenced
	}
	if msgs[0].Offset < known {
		return fmt.Errorf("message %d was handled before", msgs[0].Offset)
	}
	l.effects[key] = append(l.effects[key], msgs...)
	l.position[key] = msgs[len(msgs)-1].Offset + 1
	if l.by[member] == nil {
		l.by[member] = map[string]int{}
	}
	l.by[member][key] += len(msgs)
	return nil
}

func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, msgs := range l.effects {
		n += len(msgs)
	}
	return n
}

func (l *ledger) of(topic string, partition int) []bus.Message {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]bus.Message(nil), l.effects[at(topic, partition)]...)
}

// arrives waits for the numbers 0 to n-1 and checks that they first came in that order. What was sent again, because its
// fate was unknown, may stand there twice, later: readers drop what they have seen.
func (l *ledger) arrives(t *testing.T, topic string, partition, n int) {
	t.Helper()
	var got []int
	eventually(t, "everything arrives", func() bool {
		got = values(l.of(topic, partition))
		return slices.Contains(got, n-1)
	})
	next := 0
	for i, v := range got {
		require.LessOrEqual(t, v, next, "%s/%d: at %d, before it was its turn", topic, partition, i)
		if v == next {
			next++
		}
	}
	require.Equal(t, n, next)
}

// subscription reads topics into the ledger as a member of the group.
func (l *ledger) subscription(member, group string, topics ...string) bus.Subscription {
	return bus.Subscription{
		Group: group, Topics: topics, Start: l.start,
		Handle: func(ctx context.Context, topic string, partition int, msgs []bus.Message) error {
			known, _ := l.start(ctx, topic, partition)
			return l.apply(member, known, topic, partition, msgs)
		},
	}
}

// subscribe consumes until the test ends or stop is called, which returns when the member has left.
func subscribe(t *testing.T, c *bus.Client, s bus.Subscription) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Subscribe(ctx, s) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("subscribe: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	require.Eventually(t, ok, 2*time.Minute, 20*time.Millisecond, what)
}
