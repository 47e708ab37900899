package inbox

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Parked is an event, or a message that is none, which waits for people.
type Parked struct {
	ID            uuid.UUID `json:"id"`
	Consumer      string    `json:"consumer"`
	Tenant        string    `json:"tenant,omitempty" doc:"Missing for what could not be decoded, as are the next six."`
	EventID       string    `json:"event_id,omitempty"`
	Type          string    `json:"event_type,omitempty"`
	AggregateType string    `json:"aggregate_type,omitempty"`
	AggregateID   string    `json:"aggregate_id,omitempty"`
	Epoch         int       `json:"epoch,omitempty"`
	Sequence      int64     `json:"sequence,omitempty"`
	Topic         string    `json:"topic"`
	Partition     int       `json:"partition"`
	Offset        int64     `json:"offset"`
	State         string    `json:"state" enum:"parked,queued,releasing" doc:"queued: it waits behind a parked event of its aggregate."`
	Code          string    `json:"code" doc:"Why, for programs: undecodable, sequence_gap, panic, apply_failed, or the code of a problem."`
	Error         string    `json:"error" doc:"Why, for people."`
	Tries         int       `json:"tries"`
	ParkedAt      time.Time `json:"parked_at"`
	QueueLength   int64     `json:"queue_length" doc:"Events of the same aggregate that wait behind it."`

	// Only from Show: the message.
	Headers []bus.Header `json:"-"`
	Key     []byte       `json:"-"`
	Payload []byte       `json:"-"`
	Time    time.Time    `json:"-"`
}

// Filter chooses parked events.
type Filter struct {
	Consumer string // empty: all
	State    string // parked or queued; empty: parked
	Limit    int
	After    uuid.UUID // the last one of the page before; the zero value begins
}

const parkedColumns = `id::text, consumer, coalesce(tenant_id, ''), coalesce(event_id::text, ''), coalesce(event_type, ''),
	coalesce(aggregate_type, ''), coalesce(aggregate_id, ''), coalesce(epoch, 0), coalesce(seq, 0), topic, partition, kafka_offset,
	CASE WHEN release_requested_at IS NOT NULL THEN 'releasing' ELSE state END, code, error, tries, parked_at,
	CASE WHEN ordered AND state = 'parked' THEN (SELECT count(*) FROM inbox_parked q WHERE q.consumer = p.consumer
		AND q.tenant_id = p.tenant_id AND q.topic = p.topic AND q.aggregate_type = p.aggregate_type AND q.aggregate_id = p.aggregate_id
		AND q.ordered AND (q.epoch, q.seq) > (p.epoch, p.seq)) ELSE 0 END`

func (p *Parked) targets(id *string) []any {
	return []any{id, &p.Consumer, &p.Tenant, &p.EventID, &p.Type, &p.AggregateType, &p.AggregateID, &p.Epoch, &p.Sequence,
		&p.Topic, &p.Partition, &p.Offset, &p.State, &p.Code, &p.Error, &p.Tries, &p.ParkedAt, &p.QueueLength}
}

// scoped runs fn for the tenant, or over all tenants when tenant is empty: that is for the platform's own operators.
func scoped(ctx context.Context, db *pg.DB, tenant string, fn func(tx *pg.Tx) error) error {
	if tenant == "" {
		return db.System(ctx, fn)
	}
	return db.Tx(ctx, tenant, fn)
}

// List gives parked events, the oldest first. db is of the app role; an empty tenant means all of them.
func List(ctx context.Context, db *pg.DB, tenant string, f Filter) ([]Parked, error) {
	var list []Parked
	if f.State == "" {
		f.State = "parked"
	}
	if f.Limit <= 0 {
		f.Limit = 50
	}
	err := scoped(ctx, db, tenant, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+parkedColumns+` FROM inbox_parked p
			WHERE ($1 = '' OR consumer = $1) AND state = $2 AND id > $3::uuid ORDER BY id LIMIT $4`,
			f.Consumer, f.State, f.After.String(), f.Limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var p Parked
			var id string
			if err := rows.Scan(p.targets(&id)...); err != nil {
				return err
			}
			if p.ID, err = uuid.Parse(id); err != nil {
				return err
			}
			list = append(list, p)
		}
		return rows.Err()
	})
	return list, err
}

// Show gives one parked or queued event whole.
func Show(ctx context.Context, db *pg.DB, tenant string, id uuid.UUID) (Parked, error) {
	p := Parked{ID: id}
	err := scoped(ctx, db, tenant, func(tx *pg.Tx) error {
		var headers []byte
		err := tx.QueryRow(ctx, `SELECT `+parkedColumns+`, message_key, headers, payload, message_time FROM inbox_parked p WHERE id = $1::uuid`,
			id.String()).Scan(append(p.targets(new(string)), &p.Key, &headers, &p.Payload, &p.Time)...)
		if errors.Is(err, pgx.ErrNoRows) {
			return errNotParked()
		}
		if err != nil {
			return err
		}
		p.Headers, err = decodeHeaders(headers)
		return err
	})
	return p, err
}

func errNotParked() error {
	return problem.New(problem.NotFound, "parked_event_not_found", "No such event is parked. It may have been released or discarded in the meantime.")
}

// Release asks for the event to be tried again, and what waits behind it after it. A process that runs the consumer does
// so within a second; when it fails again it stays parked with the new error. Releasing an event that is held for a gap
// accepts the gap: should the missing events come later, they are dropped.
func Release(ctx context.Context, db *pg.DB, tenant string, id uuid.UUID, actor string) (pg.Result, error) {
	return db.Command(ctx, tenant, func(tx *pg.Tx) (pg.Result, error) {
		d, err := lockDecided(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		tx.Queue(`UPDATE inbox_parked SET release_requested_at = now(), release_requested_by = $2 WHERE id = $1::uuid`, d.id, actor)
		return pg.Result{ID: id, Status: http.StatusAccepted}, d.audit(tx, "release", actor, "")
	})
}

// Discard drops the event for good; what waits behind it takes its turn. The event is kept in inbox_discarded with who
// dropped it and why, and a rebuild passes over it as well.
func Discard(ctx context.Context, db *pg.DB, tenant string, id uuid.UUID, actor, reason string) (pg.Result, error) {
	if strings.TrimSpace(reason) == "" {
		return pg.Result{}, problem.New(problem.Unprocessable, "reason_required", "Say why the event is dropped: the reason is kept.").
			WithField("body.reason", "required", "is required")
	}
	return db.Command(ctx, tenant, func(tx *pg.Tx) (pg.Result, error) {
		d, err := lockDecided(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		return pg.Result{ID: id, Status: http.StatusNoContent}, d.discard(ctx, tx, actor, reason)
	})
}

// decided is a parked event that a person decides on.
type decided struct {
	id       string
	consumer string
	tenant   *string
	topic    string
	ordered  bool
	eventID  *string
	key      aggregateKey
	at       mark
}

// lockDecided locks the event's partition against its consumer and against a rebuild that takes over, and then the event.
func lockDecided(ctx context.Context, tx *pg.Tx, id uuid.UUID) (*decided, error) {
	d := &decided{id: id.String()}
	mayGoOn := beginLive(tx)
	tx.Queue(`SELECT 1 FROM inbox_position p JOIN inbox_parked h USING (consumer, topic, partition) WHERE h.id = $1::uuid FOR UPDATE OF p`, d.id)
	var state string
	err := tx.QueryRow(ctx, `SELECT consumer, tenant_id, topic, ordered, state, event_id::text,
			 coalesce(tenant_id, ''), coalesce(aggregate_type, ''), coalesce(aggregate_id, ''), coalesce(epoch, 0), coalesce(seq, 0)
		FROM inbox_parked WHERE id = $1::uuid FOR UPDATE`, d.id).
		Scan(&d.consumer, &d.tenant, &d.topic, &d.ordered, &state, &d.eventID,
			&d.key.tenant, &d.key.kind, &d.key.id, &d.at.epoch, &d.at.seq)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errNotParked()
	}
	if err != nil {
		return nil, err
	}
	if err := mayGoOn(); err != nil {
		return nil, err
	}
	if state == "queued" {
		return nil, problem.New(problem.Conflict, "queued_behind_another",
			"This event waits behind a parked one of the same aggregate. Decide on that one first; this one follows by itself.")
	}
	return d, nil
}

func (d *decided) audit(tx *pg.Tx, action, actor, reason string) error {
	id, err := newID()
	if err != nil {
		return err
	}
	tx.Queue(`INSERT INTO inbox_audit (id, tenant_id, actor, action, consumer, parked_id, event_id, reason)
		VALUES ($1::uuid, $2, $3, $4, $5, $6::uuid, $7::uuid, $8)`,
		id, d.tenant, actor, action, d.consumer, d.id, d.eventID, storable(reason))
	return nil
}

func (d *decided) discard(ctx context.Context, tx *pg.Tx, actor, reason string) error {
	if err := d.audit(tx, "discard", actor, reason); err != nil {
		return err
	}
	tx.Queue(`WITH gone AS (DELETE FROM inbox_parked WHERE id = $1::uuid RETURNING *)
		INSERT INTO inbox_discarded (id, consumer, tenant_id, topic, partition, kafka_offset, event_id, event_type, aggregate_type,
			aggregate_id, epoch, seq, headers, payload, code, error, parked_at, discarded_by, reason)
		SELECT id, consumer, tenant_id, topic, partition, kafka_offset, event_id, event_type, aggregate_type,
			aggregate_id, epoch, seq, headers, payload, code, error, parked_at, $2, $3 FROM gone`, d.id, actor, storable(reason))
	if !d.ordered || d.tenant == nil {
		return nil
	}
	tx.SetTenant(ctx, d.key.tenant)
	tx.Queue(`INSERT INTO inbox_cursor (tenant_id, consumer, topic, aggregate_type, aggregate_id, epoch, last_seq)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (tenant_id, consumer, topic, aggregate_type, aggregate_id)
		DO UPDATE SET epoch = excluded.epoch, last_seq = excluded.last_seq
		WHERE (inbox_cursor.epoch, inbox_cursor.last_seq) < (excluded.epoch, excluded.last_seq)`,
		d.key.tenant, d.consumer, d.topic, d.key.kind, d.key.id, d.at.epoch, d.at.seq)
	_, err := advance(ctx, tx, d.consumer, d.topic, d.key, d.at)
	return err
}
