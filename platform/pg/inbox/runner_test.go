package inbox

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/bustest"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/platform/turns"
)

// patience bounds how long a test waits for what happens beside it; it asserts nothing about speed.
const patience = time.Minute

// overKafka is a bundle whose events come from a real topic.
func overKafka(t *testing.T, database *pgtest.TestDatabase, ordered bool) (*bundle, *bus.Client) {
	t.Helper()
	client := bustest.New(t)
	b := &bundle{t: t, database: database, healed: map[string]bool{}, topic: bustest.Topic(t, client, "test")}
	b.open(ordered)
	return b, client
}

// run starts a runner of the consumer and gives the function that stops it and waits for its end.
func (b *bundle) run(client *bus.Client) (stop func()) {
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan error, 1)
	// Groups are shared on a Kafka that tests share.
	name := service + "-" + b.topic
	go func() {
		runner := NewRunner(b.db, client, b.outbox, name, b.consumer, bustest.Log(b.t)).Within(b.turns)
		if b.derived {
			runner.Derived()
		}
		done <- runner.Run(ctx)
	}()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			require.NoError(b.t, <-done)
		}
	}
	b.t.Cleanup(stop)
	return stop
}

// publish writes the changes to the topic, each to its aggregate's partition.
func (b *bundle) publish(client *bus.Client, changes ...change) {
	b.t.Helper()
	byPartition := map[int][]bus.Message{}
	for _, c := range changes {
		m := bus.Encode(c.event())
		byPartition[m.Partition] = append(byPartition[m.Partition], m)
	}
	for p, msgs := range byPartition {
		// A relay tries again, too: not every broker of a cluster knows at once who leads a new topic.
		require.Eventually(b.t, func() bool { return client.Produce(b.t.Context(), b.topic, p, msgs) == nil }, patience, 20*time.Millisecond)
	}
}

// applied waits until the diary has n entries.
func (b *bundle) applied(n int64) {
	b.t.Helper()
	require.Eventually(b.t, func() bool { return b.tryCount("SELECT count(*) FROM diary") == n }, patience, 20*time.Millisecond)
}

// tryCount is count without a verdict on an outage.
func (b *bundle) tryCount(sql string) (n int64) {
	err := b.ops.System(b.t.Context(), func(tx *pg.Tx) error { return tx.QueryRow(b.t.Context(), sql).Scan(&n) })
	if err != nil {
		return -1
	}
	return n
}

func customers(n, events int) []change {
	var all []change
	for seq := range events {
		for c := range n {
			all = append(all, change{customer: fmt.Sprintf("c%d-", c), seq: int64(seq + 1), tenant: []string{"music", "pizza"}[c%2]})
		}
	}
	return all
}

func TestABacklogLeavesConnectionsForOthers(t *testing.T) {
	t.Parallel()
	b, client := overKafka(t, pgtest.Database(t, plain()), true)
	b.turns = turns.New(2)
	apply := b.consumer.Apply
	var now, most atomic.Int64
	b.consumer.Apply = func(ctx context.Context, tx *pg.Tx, events []Event) error {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		time.Sleep(5 * time.Millisecond) // so that partitions would meet
		return apply(ctx, tx, events)
	}
	b.publish(client, customers(40, 2)...) // over many partitions
	b.run(client)
	b.applied(80)
	require.LessOrEqual(t, most.Load(), int64(2))
}

func TestRunnersShareATopicAndApplyEachEventOnce(t *testing.T) {
	t.Parallel()
	b, client := overKafka(t, pgtest.Database(t, plain()), true)
	stop := b.run(client)
	all := customers(40, 5)
	b.publish(client, all...)
	b.run(client) // a second process joins in
	b.publish(client, all...)
	b.applied(200)
	stop() // and the first one leaves
	b.publish(client, change{customer: "late", seq: 1})
	b.applied(201)
	require.Zero(t, b.count("SELECT count(*) FROM inbox_parked"))
	require.Zero(t, b.count(`SELECT count(*) FROM (SELECT seq - lag(seq, 1, 0) OVER (PARTITION BY tenant_id, customer ORDER BY n) AS step FROM diary) s WHERE step <> 1`),
		"each aggregate in order")

	state, err := State(t.Context(), b.ops, b.consumer)
	require.NoError(t, err)
	_, ends, err := client.Offsets(t.Context(), b.topic)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		state, err = State(t.Context(), b.ops, b.consumer)
		require.NoError(t, err)
		for p, end := range ends {
			if state.Position(b.topic, p) != end {
				return false
			}
		}
		return true
	}, patience, 20*time.Millisecond, "every partition is at its end")
}

func TestARunnerReleasesWhatAnyReplicaAskedFor(t *testing.T) {
	t.Parallel()
	b, client := overKafka(t, pgtest.Database(t, plain()), true)
	b.run(client)
	b.publish(client, change{customer: "a", seq: 1, field: "poison"}, change{customer: "a", seq: 2}, change{customer: "b", seq: 1})
	b.applied(1)
	require.Eventually(t, func() bool { return len(b.held()) == 2 }, patience, 20*time.Millisecond)
	b.heal("poison")
	_, err := Release(t.Context(), b.db, "", b.parked().ID, "root")
	require.NoError(t, err)
	b.applied(3)
	require.Empty(t, b.held())
}

func TestAnOutageOfPostgreSQLParksNothing(t *testing.T) {
	t.Parallel()
	for name, derived := range map[string]bool{
		"every batch is on disk before the next":            false,
		"batches of a projection go down with the position": true,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, client := overKafka(t, pgtest.OwnServer(t, plain()), true)
			b.derived = derived
			b.run(client)
			b.publish(client, customers(10, 1)...)
			b.applied(10)
			require.NoError(t, b.database.Server().Stop(pgtest.Immediate)) // right after the commit
			b.publish(client, customers(10, 3)...)
			time.Sleep(2 * time.Second) // longer than all tries of an event
			require.NoError(t, b.database.Server().Start(t.Context()))
			b.applied(30)
			require.Zero(t, b.count("SELECT count(*) FROM inbox_parked"))
		})
	}
}

func TestAKilledSessionParksNothingAndLosesNothing(t *testing.T) {
	t.Parallel()
	b, client := overKafka(t, pgtest.Database(t, plain()), true)
	b.run(client)
	for range 10 {
		b.publish(client, customers(20, 10)...)
		_, err := b.database.Terminate(t.Context(), pg.App)
		require.NoError(t, err)
	}
	b.applied(200)
	require.Zero(t, b.count("SELECT count(*) FROM inbox_parked"))
}

func TestARunnerPassesOverWhatItDoesNotHandleAndParksNothing(t *testing.T) {
	t.Parallel()
	b, client := overKafka(t, pgtest.Database(t, plain()), false)
	all := customers(40, 10)
	for n := range all {
		if n%9 != 0 {
			all[n].kind = "guanxi.accounts.events.v1.CustomerRegistered"
		}
	}
	b.publish(client, all...)
	require.NoError(t, client.Produce(t.Context(), b.topic, 0, []bus.Message{{Key: []byte("k"), Value: []byte("no event")}}))
	b.run(client)
	b.applied(45)
	_, ends, err := client.Offsets(t.Context(), b.topic)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		state, err := State(t.Context(), b.ops, b.consumer)
		require.NoError(t, err)
		for p, end := range ends {
			if state.Position(b.topic, p) != end {
				return false
			}
		}
		return true
	}, patience, 20*time.Millisecond, "every partition is at its end")
	require.Equal(t, int64(1), b.count("SELECT count(*) FROM inbox_parked"), "what is no event, and nothing else")
}
