package outbox_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/bustest"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
)

// requireWhole checks that every aggregate's events stand in the topic in order, without a gap, up to the number given
// for it. Repetitions are allowed, as consumers drop them, but not out of order: once a sequence was seen, only ones up
// to the next may follow.
func requireWhole(t *testing.T, events []bus.Event, want map[uuid.UUID]int64) {
	t.Helper()
	last := map[string]int64{}
	for _, e := range events {
		if e.Sequence > last[e.AggregateID]+1 {
			t.Fatalf("aggregate %s: %d follows %d", e.AggregateID, e.Sequence, last[e.AggregateID])
		}
		last[e.AggregateID] = max(last[e.AggregateID], e.Sequence)
	}
	for id, n := range want {
		require.Equal(t, n, last[id.String()], "aggregate %s", id)
	}
	require.Len(t, last, len(want))
}

// Relays are ended at will, by their context and by the server, while many goroutines append to 200 aggregates.
func TestKilledRelaysLoseNothingAndKeepOrder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const writers, appends, aggregates = 12, 120, 200
	ids := make([]uuid.UUID, aggregates)
	for i := range ids {
		ids[i] = uuid.New()
	}
	counts := make([]atomic.Int64, aggregates)
	writing, stopKilling := context.WithCancel(context.Background())
	var killing sync.WaitGroup
	for range 2 { // relays of two processes
		killing.Go(func() {
			for writing.Err() == nil {
				stop := b.relayLogging(bustest.Log(t), outbox.RelayConfig{Batch: 50})
				time.Sleep(time.Duration(20+rand.N(80)) * time.Millisecond)
				stop()
			}
		})
	}
	killing.Go(func() {
		for writing.Err() == nil {
			_, err := b.database.Terminate(context.Background(), pg.Relay)
			if err != nil {
				t.Errorf("terminate: %v", err)
			}
			time.Sleep(time.Duration(rand.N(60)) * time.Millisecond)
		}
	})
	var writersDone sync.WaitGroup
	for range writers {
		writersDone.Go(func() {
			for range appends {
				var events []outbox.Event
				for range 1 + rand.N(5) {
					i := rand.N(aggregates)
					counts[i].Add(1)
					events = append(events, event(ids[i], "x"))
				}
				if err := b.appendAs(context.Background(), tenant, events...); err != nil {
					t.Errorf("append: %v", err)
				}
			}
		})
	}
	writersDone.Wait()
	stopKilling()
	killing.Wait()
	b.relay(outbox.RelayConfig{})
	b.empty()

	want := map[uuid.UUID]int64{}
	for i := range ids {
		if n := counts[i].Load(); n > 0 {
			want[ids[i]] = n
		}
	}
	requireWhole(t, b.delivered(), want)
	require.Empty(t, rows[int64](b, "SELECT id FROM outbox_parked"))
}

func TestARefusedRowIsParkedAndTheShardGoesOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := uuid.New()
	b.append(event(id, "first"), event(id, "second"), event(id, "third"))
	// What no append lets through: as if the broker's limit had been lowered.
	rows[int64](b, `UPDATE outbox SET payload = convert_to((SELECT '"' || string_agg(md5(n::text), '') || '"'
		FROM generate_series(1, 100000) n), 'UTF8') WHERE seq = 2 RETURNING id`)
	b.relay(outbox.RelayConfig{})
	b.empty()

	var got []string
	for _, e := range b.delivered() {
		got = append(got, fmt.Sprintf("%d %s", e.Sequence, text(t, e)))
	}
	require.True(t, slices.Equal([]string{"1 first", "3 third"}, got))
	reasons := rows[string](b, "SELECT reason FROM outbox_parked WHERE seq = 2")
	require.Len(t, reasons, 1)
	require.NotEmpty(t, reasons[0])
	parked, err := outbox.Parked(t.Context(), b.database.DB(pg.Ops))
	require.NoError(t, err)
	require.EqualValues(t, 1, parked)
}

func TestABrokerThatIsAwayLosesAndParksNothing(t *testing.T) { //nolint:paralleltest // Alone decides
	bustest.Alone(t)
	cluster := bustest.Start(t)
	b := setupOn(t, cluster.Client(t))
	id := uuid.New()
	b.relay(outbox.RelayConfig{ProduceTimeout: time.Second})
	b.append(event(id, "before"))
	b.empty()
	for n := range cluster.Addrs() {
		cluster.KillBroker(t, n)
	}
	for i := range 20 {
		b.append(event(id, fmt.Sprint(i)))
	}
	require.Eventually(t, func() bool {
		return len(rows[int64](b, "SELECT attempts FROM outbox_shard WHERE attempts > 1")) > 0
	}, time.Minute, 20*time.Millisecond, "the shard backs off")
	for n := range cluster.Addrs() {
		cluster.StartBrokerAgain(t, n)
	}
	b.empty()
	requireWhole(t, b.delivered(), map[uuid.UUID]int64{id: 21})
	require.Empty(t, rows[int64](b, "SELECT id FROM outbox_parked"))
}

func TestAnotherProcessIsToldOfACommit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	relayed := *b
	relayed.outbox = outbox.New(strings.TrimSuffix(strings.TrimPrefix(b.outbox.Topic(), "guanxi."), ".events.v1"))
	relayed.relay(outbox.RelayConfig{Poll: time.Hour})
	relayed.listens()
	b.append(event(uuid.New(), "hello")) // by an outbox that knows of no relay
	b.empty()
	require.Len(t, b.delivered(), 1)
}

func TestARelayThatIsToldOfCommitsSeldomLooksByItself(t *testing.T) {
	t.Parallel()
	const poll, polls = 5 * time.Millisecond, 600
	b := setup(t)
	b.relay(outbox.RelayConfig{Poll: poll})
	b.listens()
	transactions := func() int64 {
		return rowsAs[int64](b, b.database.AdminURL(), "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")[0]
	}
	before := transactions()
	time.Sleep(polls * poll)
	require.Less(t, transactions()-before, int64(polls/2), "each time that it looks is a transaction")
}

func TestForwardedMessagesStayAsTheyAre(t *testing.T) {
	t.Parallel()
	b := setup(t)
	topic := bustest.Topic(t, b.client, "letters")
	read := bus.Message{
		Topic: "elsewhere", Partition: 5, Key: []byte{0xff, 0}, Value: []byte{1, 2, 0},
		Headers: []bus.Header{{Key: "x", Value: []byte{0xfe}}, {Key: "x", Value: nil}},
	}
	ctx := context.Background()
	require.NoError(t, b.app.System(ctx, func(tx *pg.Tx) error {
		return b.outbox.Forward(ctx, tx, topic, read, bus.Message{Partition: 5})
	}))
	b.relay(outbox.RelayConfig{})
	b.empty()
	got := bustest.All(t, b.client, topic)
	require.Len(t, got, 2)
	require.Equal(t, 5, got[0].Partition)
	require.Equal(t, read.Key, got[0].Key)
	require.Equal(t, read.Value, got[0].Value)
	require.Len(t, got[0].Headers, 2)
	require.Equal(t, []byte{0xfe}, got[0].Headers[0].Value)
}

func TestAnEpochIsRaisedAfterARestore(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.database.DB(pg.Ops).Pool().Exec(context.Background(), "UPDATE outbox_epoch SET epoch = epoch + 1")
	require.NoError(t, err)
	b.append(event(uuid.New(), "x"))
	b.relay(outbox.RelayConfig{})
	b.empty()
	require.Equal(t, 2, b.delivered()[0].Epoch)
}
