package outbox_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

func TestSequencesCountWithoutGapsWithinAnAggregate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, second := uuid.New(), uuid.New()
	b.append(event(first, "a1"), event(second, "b1"), event(first, "a2"))
	b.append(event(second, "b2"), event(first, "a3"))
	require.Error(t, b.app.Tx(context.Background(), tenant, func(tx *pg.Tx) error {
		require.NoError(t, b.outbox.Append(context.Background(), tx, event(first, "never")))
		require.NoError(t, tx.Flush(context.Background()))
		return fmt.Errorf("changed my mind")
	}))
	b.append(event(first, "a4"))

	got := rows[string](b, `SELECT payload_text || '=' || seq FROM (SELECT convert_from(payload, 'UTF8') payload_text, seq, id FROM outbox) o ORDER BY id`)
	require.Equal(t, []string{`"a1"=1`, `"b1"=1`, `"a2"=2`, `"b2"=2`, `"a3"=3`, `"a4"=4`}, got)
}

func TestTheFirstEventsOfAggregatesAreFollowedByTheirSecond(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := func(id uuid.UUID) outbox.Event {
		e := event(id, "first")
		e.First = true
		return e
	}
	one, two, three := uuid.New(), uuid.New(), uuid.New()
	b.append(first(one), first(two))
	b.append(event(one, "second"), event(three, "first"), event(two, "second"), event(two, "third"))
	got := rows[string](b, `SELECT aggregate_id || ' ' || seq FROM outbox ORDER BY id`)
	require.ElementsMatch(t, got[:2], []string{one.String() + " 1", two.String() + " 1"})
	require.Equal(t, []string{one.String() + " 2", three.String() + " 1", two.String() + " 2", two.String() + " 3"}, got[2:])

	err := b.appendAs(context.Background(), tenant, first(uuid.New()), first(two))
	name, _ := pg.Constraint(err)
	require.Equal(t, "outbox_seq_pkey", name, "it was told of before")
	four := uuid.New()
	b.append(first(four), event(four, "second")) // not all are first ones
	require.Equal(t, []string{four.String() + " 1", four.String() + " 2"},
		rows[string](b, `SELECT aggregate_id || ' ' || seq FROM outbox ORDER BY id OFFSET 6`))
}

// Whether they are sent with one header for all or each with its own, the rows say the same.
func TestFirstEventsAreKeptAlikeHoweverTheyAreSent(t *testing.T) {
	t.Parallel()
	b := setup(t)
	at := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for _, other := range []string{"", "time", "aggregate"} {
		var events []outbox.Event
		for n := range 4 {
			e := event(uuid.New(), fmt.Sprint(n))
			e.First, e.Time = true, at
			if n == 2 && other == "time" {
				e.Time = at.Add(time.Second)
			}
			if n == 2 && other == "aggregate" {
				e.Aggregate = "other"
			}
			events = append(events, e)
		}
		b.append(events...)
		for _, sent := range events {
			b.append(outbox.Event{Aggregate: sent.Aggregate, ID: uuid.New(), Message: sent.Message, Time: sent.Time}) // alone
		}
		const what = `SELECT aggregate_type || ' ' || seq || ' ' || topic || ' ' || tenant_id || ' ' || convert_from(payload, 'UTF8') || ' ' || headers::text
			FROM outbox ORDER BY id DESC`
		got := rows[string](b, what)
		require.ElementsMatch(t, got[:4], got[4:8], other)
		ids := rows[string](b, `SELECT aggregate_id || ' ' || shard FROM outbox ORDER BY id DESC OFFSET 4 LIMIT 4`)
		for _, e := range events {
			require.Contains(t, ids, fmt.Sprintf("%s %d", e.ID, bus.Shard(tenant, e.Aggregate, e.ID.String())))
		}
	}
}

func TestConcurrentAppendsToTheSameAggregatesDoNotDeadlock(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := make([]uuid.UUID, 20)
	for i := range ids {
		ids[i] = uuid.New()
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for n := range 10 {
				events := make([]outbox.Event, len(ids))
				for i := range ids { // each goroutine in another order
					events[i] = event(ids[(i*(2*g+1)+n)%len(ids)], "x")
				}
				if err := b.appendAs(context.Background(), tenant, events...); err != nil {
					t.Errorf("append: %v", err)
				}
			}
		})
	}
	wg.Wait()
	gaps := rows[int64](b, `SELECT count(*) FROM (
		SELECT seq, row_number() OVER (PARTITION BY aggregate_id ORDER BY id) AS want FROM outbox) o WHERE seq <> want`)
	require.Equal(t, []int64{0}, gaps, "within an aggregate ids rise with the sequence, and no number is missing")
	require.Equal(t, []int64{8 * 10 * 20}, rows[int64](b, "SELECT count(*) FROM outbox"))
}

func TestTenThousandEventsAreOneStatement(t *testing.T) {
	t.Parallel()
	b := setup(t)
	events := make([]outbox.Event, 10_000)
	for i := range events {
		events[i] = event(uuid.New(), "x")
	}
	ctx := context.Background()
	require.NoError(t, b.app.Tx(ctx, tenant, func(tx *pg.Tx) error {
		// The number of statements that the session has run is what the server counts.
		var before, after int64
		count := "SELECT calls FROM (SELECT count(*) AS calls FROM pg_prepared_statements WHERE statement LIKE '%outbox_seq%') s"
		if err := tx.QueryRow(ctx, count).Scan(&before); err != nil {
			return err
		}
		if err := b.outbox.Append(ctx, tx, events...); err != nil {
			return err
		}
		queued := tx.Queue("SELECT 1")
		_ = queued
		if err := tx.QueryRow(ctx, count).Scan(&after); err != nil {
			return err
		}
		require.Equal(t, before+1, after)
		return nil
	}))
	require.Equal(t, []int64{10_000}, rows[int64](b, "SELECT count(*) FROM outbox"))
}

func TestTheEventCarriesTheTraceOfItsCommand(t *testing.T) {
	t.Parallel()
	b := setup(t)
	traceID, _ := trace.TraceIDFromHex("0af7651916cd43dd8448eb211c80319c")
	spanID, _ := trace.SpanIDFromHex("b7ad6b7169203331")
	ctx := trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: traceID, SpanID: spanID, TraceFlags: trace.FlagsSampled,
	}))
	id := uuid.New()
	require.NoError(t, b.appendAs(ctx, tenant, event(id, "hello")))
	b.relay(outbox.RelayConfig{})
	b.empty()

	events := b.delivered()
	require.Len(t, events, 1)
	e := events[0]
	require.Equal(t, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", e.Trace["traceparent"])
	require.Equal(t, tenant, e.Tenant)
	require.Equal(t, "google.protobuf.Value", e.Type)
	require.Equal(t, "order", e.AggregateType)
	require.Equal(t, id.String(), e.AggregateID)
	require.Equal(t, int64(1), e.Sequence)
	require.Equal(t, 1, e.Epoch)
	require.Equal(t, noon, e.Time)
	require.Equal(t, bus.Shard(tenant, "order", id.String()), e.Partition)
	require.Equal(t, "hello", text(t, e))
}

func TestAppendRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cases := []struct {
		name  string
		event outbox.Event
		check func(t *testing.T, err error)
	}{
		{"what no broker would take", event(uuid.New(), strings.Repeat("x", 900<<10)), func(t *testing.T, err error) {
			require.Equal(t, problem.TooLarge, problem.KindOf(err))
			require.Equal(t, "event_too_large", problem.From(err).Code)
		}},
		{"an event of nothing", outbox.Event{Aggregate: "order", Time: noon, Message: event(uuid.Nil, "").Message}, func(t *testing.T, err error) {
			require.Equal(t, problem.Internal, problem.KindOf(err), "it is a fault of the program")
		}},
		{"an event of no time", outbox.Event{Aggregate: "order", ID: uuid.New(), Message: event(uuid.Nil, "").Message}, func(t *testing.T, err error) {
			require.ErrorContains(t, err, "lacks its aggregate, id, message or time")
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := b.appendAs(context.Background(), tenant, c.event)
			require.Error(t, err)
			c.check(t, err)
		})
	}
}

func TestRolesOfTheOutbox(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := context.Background()
	b.append(event(uuid.New(), "x"))

	t.Run("the app cannot read it", func(t *testing.T) {
		_, err := b.app.Pool().Exec(ctx, "SELECT FROM outbox")
		require.ErrorContains(t, err, "permission denied")
	})
	t.Run("the app cannot append for another tenant", func(t *testing.T) {
		err := b.app.Tx(ctx, tenant, func(tx *pg.Tx) error {
			tx.Queue(`INSERT INTO outbox (shard, event_id, tenant_id, aggregate_type, aggregate_id, seq, topic, headers, payload)
				VALUES (0, gen_random_uuid(), 'pizza', '', '', 0, '', '{}', '')`)
			return nil
		})
		require.ErrorContains(t, err, "row-level security")
		require.False(t, pg.Transient(err))
	})
	t.Run("the relay sees nothing else", func(t *testing.T) {
		relay := b.database.DB(pg.Relay)
		may := []string{"outbox", "outbox_shard", "outbox_parked", "outbox_epoch"}
		r, err := relay.Pool().Query(ctx, `SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
			AND c.relkind IN ('r', 'p', 'v') AND has_table_privilege(c.oid, 'SELECT')`)
		require.NoError(t, err)
		seen, err := pgx.CollectRows(r, pgx.RowTo[string])
		require.NoError(t, err)
		require.ElementsMatch(t, may, seen)
	})
	t.Run("the backlog is for ops", func(t *testing.T) {
		n, oldest, err := outbox.Backlog(ctx, b.database.DB(pg.Ops))
		require.NoError(t, err)
		require.Equal(t, int64(1), n)
		require.False(t, oldest.IsZero())
	})
}
