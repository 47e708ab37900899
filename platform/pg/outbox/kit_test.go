package outbox_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/bustest"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/migrate"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
)

const tenant = "music"

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// bundle is a database with an outbox, and a Kafka.
type bundle struct {
	t        testing.TB
	database *pgtest.TestDatabase
	app      *pg.DB
	client   *bus.Client
	outbox   *outbox.Outbox
}

func setup(t testing.TB) *bundle {
	t.Helper()
	client := bustest.New(t)
	return setupOn(t, client)
}

func setupOn(t testing.TB, client *bus.Client) *bundle {
	t.Helper()
	database := pgtest.Database(t, migrate.Source{Service: "shop"})
	o := outbox.New(bustest.Service(t))
	bustest.Ensure(t, client, bus.Topic{Name: o.Topic()})
	return &bundle{t: t, database: database, app: database.DB(pg.App), client: client, outbox: o}
}

// event is an event of the aggregate whose body is text.
func event(id uuid.UUID, text string) outbox.Event {
	return outbox.Event{Aggregate: "order", ID: id, Message: structpb.NewStringValue(text), Time: noon}
}

func (b *bundle) append(events ...outbox.Event) {
	b.t.Helper()
	require.NoError(b.t, b.appendAs(context.Background(), tenant, events...))
}

func (b *bundle) appendAs(ctx context.Context, tenant string, events ...outbox.Event) error {
	return b.app.Tx(ctx, tenant, func(tx *pg.Tx) error { return b.outbox.Append(ctx, tx, events...) })
}

// relay runs a relay until stop is called, or the test ends.
func (b *bundle) relay(cfg outbox.RelayConfig) (stop func()) {
	b.t.Helper()
	return b.relayLogging(bustest.Log(b.t), cfg)
}

// listens waits until a relay hears the notifications of other processes.
func (b *bundle) listens() {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		return len(rowsAs[int32](b, b.database.AdminURL(),
			"SELECT pid FROM pg_stat_activity WHERE query = 'LISTEN guanxi_outbox' AND datname = current_database()")) > 0
	}, time.Minute, 10*time.Millisecond)
}

func (b *bundle) relayLogging(log *slog.Logger, cfg outbox.RelayConfig) (stop func()) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := outbox.NewRelay(b.database.DB(pg.Relay), b.client, b.outbox, log, cfg)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = r.Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	b.t.Cleanup(stop)
	return stop
}

// empty waits until the outbox is empty.
func (b *bundle) empty() {
	b.t.Helper()
	ops := b.database.DB(pg.Ops)
	require.Eventually(b.t, func() bool {
		rows, _, err := outbox.Backlog(context.Background(), ops)
		return err == nil && rows == 0
	}, time.Minute, 10*time.Millisecond, "the outbox is not emptied")
}

// delivered gives the events that stand in the topic, decoded, each partition in order.
func (b *bundle) delivered() []bus.Event {
	b.t.Helper()
	var events []bus.Event
	for _, m := range bustest.All(b.t, b.client, b.outbox.Topic()) {
		e, err := bus.Decode(m)
		require.NoError(b.t, err)
		events = append(events, e)
	}
	return events
}

// rows runs a query as the owner, whom row level security does not bind, and gives its single column.
func rows[T any](b *bundle, sql string, args ...any) []T {
	b.t.Helper()
	return rowsAs[T](b, b.database.URL(pg.Owner), sql, args...)
}

func rowsAs[T any](b *bundle, url, sql string, args ...any) []T {
	b.t.Helper()
	conn, err := pgx.Connect(context.Background(), url)
	require.NoError(b.t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	r, err := conn.Query(context.Background(), sql, args...)
	require.NoError(b.t, err)
	values, err := pgx.CollectRows(r, pgx.RowTo[T])
	require.NoError(b.t, err)
	return values
}

func text(t testing.TB, e bus.Event) string {
	t.Helper()
	var s string
	require.NoError(t, json.Unmarshal(e.Data, &s))
	return s
}
