package inbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/bustest"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/migrate"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/platform/turns"
	accounts "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
)

// The service of these tests keeps a diary: one row an event that was applied, in the order in which that happened.
const diary = `
-- +goose Up
CREATE TABLE diary (
    tenant_id text NOT NULL,
    event_id  uuid NOT NULL,
    customer  text NOT NULL,
    seq       bigint NOT NULL,
    field     text NOT NULL,
    n         bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (tenant_id, event_id)
);
SELECT guanxi_tenant_table('diary');
`

// projected is the same as a projection: what a rebuild must reach again has no order of its own making.
const projected = `
-- +goose Up
CREATE TABLE diary (
    tenant_id text NOT NULL,
    event_id  uuid NOT NULL,
    customer  text NOT NULL,
    seq       bigint NOT NULL,
    field     text NOT NULL,
    PRIMARY KEY (tenant_id, event_id)
);
SELECT guanxi_tenant_table('diary');
`

const service = "diary"

func plain() migrate.Source {
	return migrate.Source{Service: service, FS: fstest.MapFS{"00001_diary.sql": {Data: []byte(diary)}}}
}

func projection() migrate.Source {
	return migrate.Source{Service: service, Projection: fstest.MapFS{"00001_diary.sql": {Data: []byte(projected)}}}
}

// bundle is what a test has: a database, a consumer that writes the diary, and the means to make it fail.
type bundle struct {
	derived  bool // its runner is told so
	t        testing.TB
	database *pgtest.TestDatabase
	db, ops  *pg.DB
	outbox   *outbox.Outbox
	consumer Consumer
	engine   *engine
	topic    string

	mu      sync.Mutex
	healed  map[string]bool // fields that are poison no more
	batches []int           // sizes of what Apply was given
	fail    error           // what Apply returns, whatever it is given
	next    int64           // offset
	turns   *turns.Turns    // of the runners
}

func setup(t *testing.T, src migrate.Source, ordered bool) *bundle {
	t.Helper()
	b := &bundle{t: t, database: pgtest.Database(t, src), healed: map[string]bool{}, topic: "guanxi.test.events.v1"}
	b.open(ordered)
	return b
}

func (b *bundle) open(ordered bool) {
	b.db, b.ops = b.database.DB(pg.App), b.database.DB(pg.Ops)
	b.outbox = outbox.New(service)
	b.consumer = Consumer{Name: "keeper", Topics: []string{b.topic}, Ordered: ordered,
		Handles: []proto.Message{&accounts.CustomerChanged{}}, Apply: b.apply}
	b.engine = b.newEngine()
	_, err := b.engine.position(b.t.Context(), b.topic, 0)
	require.NoError(b.t, err)
}

// newEngine gives the consumer as another process would have it.
func (b *bundle) newEngine() *engine {
	e := newEngine(b.db, b.outbox, service, b.consumer, bustest.Log(b.t))
	e.pause = func(context.Context, int) {}
	return e
}

func (b *bundle) apply(ctx context.Context, tx *pg.Tx, events []Event) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.batches = append(b.batches, len(events))
	if b.fail != nil {
		return b.fail
	}
	var ids, customers, fields []string
	var seqs []int64
	poison := ""
	for _, e := range events {
		m := e.Message.(*accounts.CustomerChanged)
		field := strings.Join(m.GetChangedFields(), ",")
		if strings.HasPrefix(field, "poison") && !b.healed[field] {
			poison = field
		}
		ids, customers, fields, seqs = append(ids, e.ID.String()), append(customers, m.GetCustomerId()), append(fields, field), append(seqs, e.Sequence)
	}
	tx.Queue(`INSERT INTO diary (tenant_id, event_id, customer, seq, field)
		SELECT $1, u.* FROM unnest($2::text[]::uuid[], $3::text[], $4::bigint[], $5::text[]) u`, tx.Tenant(), ids, customers, seqs, fields)
	switch {
	case strings.HasPrefix(poison, "poison-sql"):
		_, err := tx.ExecNow(ctx, "SELECT 1/0")
		return err
	case strings.HasPrefix(poison, "poison-panic"):
		panic("this customer has no name")
	case poison != "":
		return errors.New("cannot stomach " + poison)
	}
	return nil
}

func (b *bundle) heal(field string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.healed[field] = true
}

func (b *bundle) failWith(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fail = err
}

// change is an event: customer, its sequence number and what changed.
type change struct {
	customer string
	seq      int64
	field    string
	tenant   string // default music
	epoch    int    // default 1
	kind     string // default CustomerChanged
}

func (c change) event() bus.Event {
	if c.tenant == "" {
		c.tenant = "music"
	}
	if c.epoch == 0 {
		c.epoch = 1
	}
	if c.field == "" {
		c.field = "f"
	}
	if c.kind == "" {
		c.kind = "guanxi.accounts.events.v1.CustomerChanged"
	}
	data, err := protojson.Marshal(&accounts.CustomerChanged{CustomerId: c.customer, ChangedFields: []string{c.field}})
	if err != nil {
		panic(err)
	}
	// The id follows from what it names, so that the same change is the same event wherever it stands.
	name := fmt.Sprint(c.tenant, c.customer, c.epoch, c.seq)
	return bus.Event{ID: uuid.NewSHA1(uuid.NameSpaceOID, []byte(name)), Type: c.kind, Source: "/guanxi/test", Tenant: c.tenant,
		AggregateType: "customer", AggregateID: c.customer, Sequence: c.seq, Epoch: c.epoch, Time: time.Now(), Data: data}
}

// messages puts the changes at the end of partition 0.
func (b *bundle) messages(changes ...change) []bus.Message {
	out := make([]bus.Message, len(changes))
	for i, c := range changes {
		out[i] = b.place(bus.Encode(c.event()))
	}
	return out
}

func (b *bundle) place(m bus.Message) bus.Message {
	m.Topic, m.Partition, m.Offset, m.Time = b.topic, 0, b.next, time.Now()
	b.next++
	return m
}

// give hands messages to the consumer as the bus does, and wants it to take them.
func (b *bundle) give(msgs ...bus.Message) {
	b.t.Helper()
	require.NoError(b.t, b.try(msgs...))
}

func (b *bundle) try(msgs ...bus.Message) error {
	next, err := b.engine.process(b.t.Context(), b.topic, 0, b.position(), msgs)
	if err == nil {
		require.Equal(b.t, msgs[len(msgs)-1].Offset+1, next)
	}
	return err
}

func (b *bundle) changes(changes ...change) {
	b.t.Helper()
	b.give(b.messages(changes...)...)
}

func (b *bundle) position() int64 {
	next, err := b.engine.position(b.t.Context(), b.topic, 0)
	require.NoError(b.t, err)
	return next
}

// release carries out what was asked for, as the runner does within a second.
func (b *bundle) release() {
	b.t.Helper()
	require.NoError(b.t, b.engine.releaseRequested(b.t.Context()))
}

// diary gives what was applied, in order, as customer+sequence.
func (b *bundle) diary(tenant string) []string {
	b.t.Helper()
	var list []string
	err := b.db.Read(b.t.Context(), tenant, texts(b.t.Context(), &list, "SELECT customer || seq FROM diary ORDER BY n"))
	require.NoError(b.t, err)
	return list
}

// texts reads rows of one text.
func texts(ctx context.Context, list *[]string, sql string) func(*pg.Tx) error {
	return func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, sql)
		if err != nil {
			return err
		}
		*list, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	}
}

// of gives the diary of one customer.
func of(list []string, customer string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return !strings.HasPrefix(s, customer) })
}

// held gives what is parked and queued, as state:customer+sequence, in the order of the aggregate.
func (b *bundle) held() []string {
	b.t.Helper()
	var list []string
	err := b.ops.System(b.t.Context(), texts(b.t.Context(), &list, `SELECT state || ':' || coalesce(aggregate_id || seq, '?')
		FROM inbox_parked ORDER BY tenant_id, aggregate_id, epoch, seq, kafka_offset`))
	require.NoError(b.t, err)
	return list
}

// parked gives the one event that is parked.
func (b *bundle) parked() Parked {
	b.t.Helper()
	list, err := List(b.t.Context(), b.db, "", Filter{})
	require.NoError(b.t, err)
	require.Len(b.t, list, 1)
	return list[0]
}

func (b *bundle) cursor(tenant, customer string) (last mark) {
	b.t.Helper()
	err := b.ops.System(b.t.Context(), func(tx *pg.Tx) error {
		return tx.QueryRow(b.t.Context(), `SELECT epoch, last_seq FROM inbox_cursor WHERE tenant_id = $1 AND aggregate_id = $2`, tenant, customer).
			Scan(&last.epoch, &last.seq)
	})
	require.NoError(b.t, err)
	return last
}

func (b *bundle) count(sql string, args ...any) (n int64) {
	b.t.Helper()
	err := b.ops.System(b.t.Context(), func(tx *pg.Tx) error { return tx.QueryRow(b.t.Context(), sql, args...).Scan(&n) })
	require.NoError(b.t, err)
	return n
}

// admin runs a statement that no role of the service may.
func (b *bundle) admin(sql string) {
	b.t.Helper()
	conn, err := pgx.Connect(b.t.Context(), b.database.AdminURL())
	require.NoError(b.t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	_, err = conn.Exec(b.t.Context(), sql)
	require.NoError(b.t, err)
}
