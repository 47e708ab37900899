// Package outbox keeps events in the transaction that caused them and carries them to Kafka after it. Nothing is lost when
// a process dies at any moment, an aggregate's events keep their order, and each may arrive more than once.
package outbox

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Event is one fact about one aggregate.
type Event struct {
	Aggregate string    // the aggregate's type, such as customer
	ID        uuid.UUID // the aggregate's id
	Message   proto.Message
	Time      time.Time // when it happened
	// First says that nothing was told of the aggregate before, nor can be by somebody else: its id was drawn in this
	// transaction. Where all events of one append are, their aggregates need not be looked for.
	First bool
}

// Outbox is the outbox of one service. It is safe for concurrent use; make one a process and service, so that an append
// can wake the relay of the same process.
type Outbox struct {
	service string
	relays  atomic.Int32  // that run in this process
	wake    chan struct{} // somebody committed, or it is time to look
	notify  atomic.Bool   // a notification is on its way
}

// New makes the outbox of the service.
func New(service string) *Outbox {
	return &Outbox{service: service, wake: make(chan struct{}, defaultWorkers)}
}

// Topic is the topic that the events go to.
func (o *Outbox) Topic() string { return bus.TopicFor(o.service) }

// appendSQL takes the last sequence number of each aggregate ($3 type, $4 id, $5 how many events) and stores the events.
// The aggregates come sorted, so that two transactions that append to the same ones wait for each other instead of
// deadlocking. outbox.id is drawn after the aggregates' rows are locked, so that within an aggregate ids rise with seq.
const appendSQL = `
WITH bumped AS (
    INSERT INTO outbox_seq AS s (tenant_id, topic, aggregate_type, aggregate_id, seq)
    SELECT $1, $2, a.type, a.id, a.events
      FROM unnest($3::text[], $4::uuid[], $5::bigint[]) WITH ORDINALITY AS a (type, id, events, n)
     ORDER BY a.n
    ON CONFLICT (tenant_id, topic, aggregate_type, aggregate_id) DO UPDATE SET seq = s.seq + excluded.seq
    RETURNING aggregate_type, aggregate_id, seq
), last AS (
    SELECT array_agg(seq ORDER BY aggregate_type COLLATE "C", aggregate_id) AS seq FROM bumped
)
INSERT INTO outbox (shard, event_id, tenant_id, aggregate_type, aggregate_id, seq, topic, headers, payload)
SELECT e.shard, e.event_id, $1, e.type, e.id, last.seq[e.aggregate] - e.later, $2, e.headers::json, e.payload
  FROM last, unnest($6::smallint[], $7::uuid[], $8::text[], $9::text[], $10::int[], $11::bigint[], $12::text[], $13::bytea[])
       WITH ORDINALITY AS e (shard, event_id, type, id, aggregate, later, headers, payload, n)
 ORDER BY e.n`

// appendFirstSQL is appendSQL for events each of which is the first of its aggregate ($4 type, $5 id). One that was told of
// before breaks the key of outbox_seq.
const appendFirstSQL = `
WITH begun AS (
    INSERT INTO outbox_seq (tenant_id, topic, aggregate_type, aggregate_id, seq)
    SELECT $1, $2, a.type, a.id, 1 FROM unnest($4::text[], $5::uuid[]) AS a (type, id)
)
INSERT INTO outbox (shard, event_id, tenant_id, aggregate_type, aggregate_id, seq, topic, headers, payload)
SELECT e.shard, e.event_id, $1, e.type, e.id::text, 1, $2, e.headers::json, e.payload
  FROM unnest($3::smallint[], $6::uuid[], $4::text[], $5::uuid[], $7::text[], $8::bytea[]) AS e (shard, event_id, type, id, headers, payload)`

// appendAlikeSQL is appendFirstSQL for aggregates of one type ($4) and events of the same headers ($7), which are twice as
// long as most events.
const appendAlikeSQL = `
WITH begun AS (
    INSERT INTO outbox_seq (tenant_id, topic, aggregate_type, aggregate_id, seq) SELECT $1, $2, $4, a.id, 1 FROM unnest($5::uuid[]) AS a (id)
)
INSERT INTO outbox (shard, event_id, tenant_id, aggregate_type, aggregate_id, seq, topic, headers, payload)
SELECT e.shard, e.event_id, $1, $4, e.id::text, 1, $2, h.headers, e.payload
  FROM unnest($3::smallint[], $6::uuid[], $5::uuid[], $8::bytea[]) AS e (shard, event_id, id, payload), (SELECT $7::text::json) AS h (headers)`

// appendOneSQL is appendSQL for one event. Without arrays the server keeps one plan for it instead of planning anew each
// time, since the plan does not depend on their length.
const appendOneSQL = `
WITH bumped AS (
    INSERT INTO outbox_seq AS s (tenant_id, topic, aggregate_type, aggregate_id, seq) VALUES ($1, $2, $3, $4, 1)
    ON CONFLICT (tenant_id, topic, aggregate_type, aggregate_id) DO UPDATE SET seq = s.seq + 1
    RETURNING seq
)
INSERT INTO outbox (shard, event_id, tenant_id, aggregate_type, aggregate_id, seq, topic, headers, payload)
SELECT $5, $6, $1, $3, $7, seq, $2, $8::text::json, $9 FROM bumped`

// Append queues the events in the transaction, in order, in one statement for any number. Each gets the next sequence
// number of its aggregate and the trace of ctx. An event of more than 900 KiB is refused with the problem
// event_too_large. After the commit the relay is woken.
func (o *Outbox) Append(ctx context.Context, tx *pg.Tx, events ...Event) error {
	b, err := o.Encode(ctx, tx.Tenant(), events...)
	if err != nil {
		return err
	}
	o.AppendEncoded(tx, b)
	return nil
}

// Encoded are events of one tenant as the outbox keeps them.
type Encoded struct {
	tenant string
	*appended
}

// Encode does of Append what needs no transaction, so that it can be done while the database is busy with other things.
func (o *Outbox) Encode(ctx context.Context, tenant string, events ...Event) (Encoded, error) {
	b, err := o.encode(ctx, tenant, events)
	return Encoded{tenant, b}, err
}

// AppendEncoded is Append of what was encoded for the tenant of the transaction.
func (o *Outbox) AppendEncoded(tx *pg.Tx, b Encoded) {
	if b.tenant != tx.Tenant() {
		panic("outbox: events of the tenant " + b.tenant + " in a transaction of " + tx.Tenant())
	}
	switch len(b.payloads) {
	case 0:
		return
	case 1:
		tx.Queue(appendOneSQL, tx.Tenant(), o.Topic(), b.types[0], b.ids[0],
			b.shards[0], b.eventIDs[0], b.aggregateIDs[0], b.headers[0], b.payloads[0])
	default:
		if b.first && b.alike {
			tx.Queue(appendAlikeSQL, tx.Tenant(), o.Topic(), b.shards, b.eventTypes[0], b.each, b.eventIDs, b.headers[0], b.payloads)
			break
		}
		if b.first {
			tx.Queue(appendFirstSQL, tx.Tenant(), o.Topic(), b.shards, b.eventTypes, b.each, b.eventIDs, b.headers, b.payloads)
			break
		}
		tx.Queue(appendSQL, tx.Tenant(), o.Topic(), b.types, b.ids, b.counts,
			b.shards, b.eventIDs, b.eventTypes, b.aggregateIDs, b.aggregates, b.later, b.headers, b.payloads)
	}
	o.wakeAfter(tx)
}

// Forward queues messages as they stand for another topic, into the partitions they were read from: dead letters. The
// rows belong to the transaction's tenant, if it has one.
func (o *Outbox) Forward(_ context.Context, tx *pg.Tx, topic string, messages ...bus.Message) error {
	if len(messages) == 0 {
		return nil
	}
	shards, ids := make([]int16, len(messages)), make([][16]byte, len(messages))
	headers, payloads := make([]string, len(messages)), make([][]byte, len(messages))
	for i, m := range messages {
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		raw, err := json.Marshal(storedHeaders{Raw: true, Key: m.Key, Headers: m.Headers})
		if err != nil {
			return fmt.Errorf("headers of a message for %s: %w", topic, err)
		}
		shards[i], ids[i], headers[i], payloads[i] = int16(m.Partition), id, string(raw), m.Value
		if m.Value == nil {
			payloads[i] = []byte{}
		}
	}
	tx.Queue(`INSERT INTO outbox (shard, event_id, tenant_id, aggregate_type, aggregate_id, seq, topic, headers, payload)
		SELECT e.shard, e.id, $1, '', '', 0, $2, e.headers::json, e.payload
		  FROM unnest($3::smallint[], $4::uuid[], $5::text[], $6::bytea[]) WITH ORDINALITY AS e (shard, id, headers, payload, n)
		 ORDER BY e.n`, tx.Tenant(), topic, shards, ids, headers, payloads)
	o.wakeAfter(tx)
	return nil
}

// Backlog tells how many rows wait for the relay, and since when the oldest does; the zero time when there is none. db has
// the role Relay, Ops or Owner.
func Backlog(ctx context.Context, db *pg.DB) (rows int64, oldest time.Time, err error) {
	var since *time.Time
	err = db.Read(ctx, "", func(tx *pg.Tx) error {
		tx.Queue("SELECT count(*), min(created_at) FROM outbox").QueryRow(func(row pgx.Row) error {
			return row.Scan(&rows, &since)
		})
		return nil
	})
	if since != nil {
		oldest = *since
	}
	return rows, oldest, err
}

// Parked counts the rows that Kafka refused for good; consumers hold what follows them in their aggregates. db is of the
// role relay, ops or owner.
func Parked(ctx context.Context, db *pg.DB) (rows int64, err error) {
	err = db.Read(ctx, "", func(tx *pg.Tx) error {
		return tx.QueryRow(ctx, "SELECT count(*) FROM outbox_parked").Scan(&rows)
	})
	return rows, err
}
