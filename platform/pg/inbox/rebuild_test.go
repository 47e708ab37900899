package inbox

import (
	"context"
	"errors"
	"fmt"
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
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	accounts "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
)

func (b *bundle) opsOf(client *bus.Client) Ops {
	return Ops{Service: service, DB: b.db, OpsDB: b.ops, Bus: client, Outbox: b.outbox, Consumers: []Consumer{b.consumer},
		ProjectionTables: []string{"diary"}, Log: bustest.Log(b.t)}
}

// level waits until the consumer is at the end of its topic.
func (b *bundle) level(client *bus.Client) {
	b.t.Helper()
	_, ends, err := client.Offsets(b.t.Context(), b.topic)
	require.NoError(b.t, err)
	require.Eventually(b.t, func() bool {
		state, err := State(b.t.Context(), b.ops, b.consumer)
		require.NoError(b.t, err)
		for p, end := range ends {
			if state.Position(b.topic, p) < end {
				return false
			}
		}
		return true
	}, patience, 20*time.Millisecond)
}

func TestARebuildComesToTheSame(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		given  []change
		decide func(b *bundle) // what people do meanwhile
		diary  int64
		parked int64
	}{
		{"of plain events", customers(30, 4), nil, 120, 0},
		{"of duplicates and late events", append(append(customers(10, 2), customers(10, 3)...),
			change{customer: "late", seq: 2}, change{customer: "late", seq: 3}, change{customer: "late", seq: 1}), nil, 33, 0},
		{"of events that are parked", append(customers(5, 1), change{customer: "a", seq: 1, field: "poison"}, change{customer: "a", seq: 2}), nil, 5, 2},
		{"of events that were parked and released", []change{{customer: "a", seq: 1, field: "poison"}, {customer: "a", seq: 2}}, func(b *bundle) {
			b.heal("poison")
			_, err := Release(b.t.Context(), b.db, "", b.parked().ID, "root")
			require.NoError(b.t, err)
			b.applied(2)
		}, 2, 0},
		{"of events that were discarded", []change{{customer: "a", seq: 1, field: "poison"}, {customer: "a", seq: 2}}, func(b *bundle) {
			_, err := Discard(b.t.Context(), b.db, "", b.parked().ID, "root", "a test")
			require.NoError(b.t, err)
			b.applied(1)
			b.heal("poison") // even if it could be applied now
		}, 1, 0},
		{"of a gap that was accepted", []change{{customer: "a", seq: 1}, {customer: "a", seq: 3}, {customer: "a", seq: 4}}, func(b *bundle) {
			_, err := Release(b.t.Context(), b.db, "", b.parked().ID, "root")
			require.NoError(b.t, err)
			b.applied(3)
		}, 3, 0},
		{"of a gap that is open", []change{{customer: "a", seq: 1}, {customer: "a", seq: 3}}, nil, 1, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b, client := overKafka(t, pgtest.Database(t, projection()), true)
			b.run(client)
			b.publish(client, c.given...)
			b.level(client)
			if c.decide != nil {
				c.decide(b)
			}
			b.applied(c.diary) // what was held for a gap follows by itself
			before, err := List(t.Context(), b.db, "", Filter{})
			require.NoError(t, err)

			res, err := NewRebuilder(b.opsOf(client)).Rebuild(t.Context())
			require.NoError(t, err)
			require.True(t, res.Equal)
			require.Equal(t, res.HashLive, res.HashRebuilt)
			require.EqualValues(t, len(c.given), res.Events)
			require.Equal(t, c.parked, res.Parked)
			require.Equal(t, c.diary, b.count("SELECT count(*) FROM diary"))
			after, err := List(t.Context(), b.db, "", Filter{})
			require.NoError(t, err)
			require.Len(t, after, len(before))
			for i := range before {
				require.Equal(t, before[i].ID, after[i].ID, "an operator finds it under the same id")
			}

			b.publish(client, change{customer: "after", seq: 1}) // the live consumer goes on where the rebuild ended
			b.applied(c.diary + 1)
		})
	}
}

func TestARebuildMendsWhatWasWrong(t *testing.T) {
	t.Parallel()
	b, client := overKafka(t, pgtest.Database(t, projection()), true)
	b.run(client)
	b.publish(client, customers(10, 2)...)
	b.publish(client, change{customer: "a", seq: 1, field: "poison"})
	b.level(client)
	b.admin("DELETE FROM live.diary WHERE customer = 'c1-'")
	b.heal("poison")
	res, err := NewRebuilder(b.opsOf(client)).Rebuild(t.Context())
	require.NoError(t, err)
	require.False(t, res.Equal)
	require.EqualValues(t, 1, res.ParkedLive)
	require.Zero(t, res.Parked)
	require.EqualValues(t, 21, b.count("SELECT count(*) FROM diary"))
	res, err = NewRebuilder(b.opsOf(client)).Rebuild(t.Context())
	require.NoError(t, err)
	require.True(t, res.Equal, "the second time nothing is left to mend")
}

func TestARebuildUnderLoadIsSeenAtOnce(t *testing.T) {
	t.Parallel()
	b, client := overKafka(t, pgtest.Database(t, projection()), true)
	b.run(client)
	b.publish(client, customers(50, 20)...)
	b.level(client)

	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan int64)
	go func() { // a reader that must never see less than there was
		least := int64(1000)
		for ctx.Err() == nil {
			if n := b.tryCount("SELECT count(*) FROM diary"); n >= 0 {
				least = min(least, n)
			}
		}
		watched <- least
	}()
	fed := make(chan struct{})
	go func() { // a producer that does not stop for it
		defer close(fed)
		for seq := range 40 {
			m := bus.Encode(change{customer: "busy", seq: int64(seq + 1)}.event())
			if err := client.Produce(t.Context(), b.topic, m.Partition, []bus.Message{m}); err != nil {
				t.Error(err)
			}
		}
	}()
	for range 3 {
		res, err := NewRebuilder(b.opsOf(client)).Rebuild(t.Context())
		require.NoError(t, err)
		require.True(t, res.Equal)
	}
	<-fed
	b.applied(1040)
	cancel()
	require.EqualValues(t, 1000, <-watched)
	require.Zero(t, b.count("SELECT count(*) FROM inbox_parked"))
}

func TestALastingConsumerIsLeftAlone(t *testing.T) {
	t.Parallel()
	b, client := overKafka(t, pgtest.Database(t, projection()), true)
	ops := b.opsOf(client)
	lasting := b.consumer
	lasting.Name, lasting.Lasting, lasting.Ordered = "postman", true, false
	lasting.Apply = func(context.Context, *pg.Tx, []Event) error { t.Error("a letter is sent twice"); return nil }
	ops.Consumers = append(ops.Consumers, lasting)
	b.admin(fmt.Sprintf(`INSERT INTO live.inbox_position VALUES ('postman', '%s', 3, 77)`, b.topic))
	b.admin(`INSERT INTO live.inbox_seen VALUES ('postman', '0192f3a1-0000-7000-8000-000000000001')`)
	_, err := NewRebuilder(ops).Rebuild(t.Context())
	require.NoError(t, err)
	state, err := State(t.Context(), b.ops, lasting)
	require.NoError(t, err)
	require.EqualValues(t, 77, state.Position(b.topic, 3))
	require.EqualValues(t, 1, b.count("SELECT count(*) FROM inbox_seen WHERE consumer = 'postman'"))
}

func TestARebuildPublishesNothing(t *testing.T) {
	t.Parallel()
	b, client := overKafka(t, pgtest.Database(t, projection()), true)
	apply, o := b.consumer.Apply, outbox.New(service)
	var careful atomic.Bool
	b.consumer.Apply = func(ctx context.Context, tx *pg.Tx, events []Event) error {
		if err := apply(ctx, tx, events); err != nil || careful.Load() && Rebuilding(ctx) {
			return err
		}
		return o.Append(ctx, tx, outbox.Event{Aggregate: "page", ID: uuid.New(), Message: &accounts.CustomerChanged{}, Time: time.Now()})
	}
	b.run(client)
	b.publish(client, change{customer: "a", seq: 1})
	b.applied(1)
	require.EqualValues(t, 1, b.count("SELECT count(*) FROM outbox"))

	_, err := NewRebuilder(b.opsOf(client)).Rebuild(t.Context())
	require.ErrorContains(t, err, "Consumer keeper publishes events while it is rebuilt")
	require.EqualValues(t, 1, b.count("SELECT count(*) FROM diary"), "nothing was swapped")

	careful.Store(true)
	res, err := NewRebuilder(b.opsOf(client)).Rebuild(t.Context())
	require.NoError(t, err)
	require.True(t, res.Equal)
	require.EqualValues(t, 1, b.count("SELECT count(*) FROM outbox"))
}

func TestARebuildIsBegunAgainAfterAKill(t *testing.T) {
	t.Parallel()
	b, client := overKafka(t, pgtest.Database(t, projection()), true)
	b.run(client)
	b.publish(client, customers(20, 10)...)
	b.level(client)
	asked, err := RequestRebuild(t.Context(), b.db, "", "root")
	require.NoError(t, err)
	_, err = RequestRebuild(t.Context(), b.db, "", "root")
	require.ErrorContains(t, err, asked.ID.String(), "one at a time")

	ops := b.opsOf(client)
	reached := make(chan struct{})
	var once sync.Once
	apply := b.consumer.Apply
	ops.Consumers[0].Apply = func(ctx context.Context, tx *pg.Tx, events []Event) error {
		once.Do(func() {
			close(reached)
			<-ctx.Done() // killed in the middle
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return apply(ctx, tx, events)
	}
	ctx, kill := context.WithCancel(t.Context())
	died := make(chan error)
	go func() { died <- NewRebuilder(ops).Run(ctx) }()
	<-reached
	_, err = NewRebuilder(b.opsOf(client)).Rebuild(t.Context())
	require.True(t, errors.Is(err, errRebuilding), err)
	kill()
	require.NoError(t, <-died)

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- NewRebuilder(b.opsOf(client)).Run(ctx) }()
	var job RebuildJob
	require.Eventually(t, func() bool {
		job, err = FindRebuild(t.Context(), b.db, asked.ID)
		require.NoError(t, err)
		return job.State == "done"
	}, patience, 50*time.Millisecond)
	stop()
	require.NoError(t, <-ended)
	require.True(t, job.Result.Equal)
	require.EqualValues(t, 200, job.Result.Events)
	require.Equal(t, 2, job.Runs)
}

func TestStateHashKnowsContentAndNotOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, projection(), true)
	insert := func(schema string, customers ...string) {
		for _, c := range customers {
			b.admin(fmt.Sprintf(`INSERT INTO %s.diary VALUES ('music', md5('%s')::uuid, '%s', 1, 'f')`, schema, c, c))
		}
	}
	hash := func(schema string) string {
		h, err := StateHash(t.Context(), b.ops, schema, "diary")
		require.NoError(t, err)
		return h
	}
	require.Equal(t, hash("live"), hash("shadow"), "both empty")
	insert("live", "a", "b", "c")
	insert("shadow", "c", "a")
	require.NotEqual(t, hash("live"), hash("shadow"), "a row is missing")
	insert("shadow", "b")
	require.Equal(t, hash("live"), hash("shadow"), "another order")
	b.admin("UPDATE shadow.diary SET seq = 2 WHERE customer = 'a'")
	require.NotEqual(t, hash("live"), hash("shadow"), "one column of one row")
}

// BenchmarkRebuild replays 50,000 events of two tenants; it reports events a second.
func BenchmarkRebuild(b *testing.B) {
	bench := &bundle{t: b, database: pgtest.Database(b, projection()), healed: map[string]bool{}}
	client := bustest.New(b)
	bench.topic = bustest.Topic(b, client, "test")
	bench.open(true)
	bench.publish(client, customers(5000, 10)...)
	bench.run(client)
	bench.level(client)
	b.ResetTimer()
	for b.Loop() {
		res, err := NewRebuilder(bench.opsOf(client)).Rebuild(b.Context())
		require.NoError(b, err)
		require.True(b, res.Equal)
		b.ReportMetric(float64(res.Events)/res.Seconds, "events/s")
	}
}
