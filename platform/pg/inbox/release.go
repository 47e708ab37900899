package inbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// byPlatform stands for an actor where the platform itself asks for a release: what an event waited for has come.
const byPlatform = "platform"

// held is a row of inbox_parked on its way out.
type held struct {
	id     string
	state  string
	tenant string // empty: it could not be decoded when it was parked
	by     string // who asked for the release
	item
}

// requestRelease queues the release of an event that waited only for its turn.
func (e *engine) requestRelease(tx *pg.Tx, topic string, key aggregateKey, at mark) {
	tx.Queue(`UPDATE inbox_parked SET release_requested_at = now(), release_requested_by = $8
		WHERE consumer = $1 AND tenant_id = $2 AND topic = $3 AND aggregate_type = $4 AND aggregate_id = $5 AND epoch = $6 AND seq = $7
			AND ordered AND release_requested_at IS NULL`,
		e.consumer.Name, key.tenant, topic, key.kind, key.id, at.epoch, at.seq, byPlatform)
}

// releaseRequested carries out all releases that are asked for. The error is infrastructure's; they stay asked for.
func (e *engine) releaseRequested(ctx context.Context) error {
	for {
		var ids []string
		err := e.db.System(ctx, func(tx *pg.Tx) error {
			mayGoOn := e.begin(tx)
			rows, err := tx.Query(ctx, `SELECT id::text FROM inbox_parked
				WHERE consumer = $1 AND release_requested_at IS NOT NULL ORDER BY release_requested_at, id LIMIT 100`, e.consumer.Name)
			if err != nil {
				return err
			}
			if ids, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
				return err
			}
			return mayGoOn()
		})
		if err != nil || len(ids) == 0 {
			return err
		}
		for _, id := range ids {
			for id != "" { // one after the other, each in a transaction of its own
				if id, err = e.releaseOne(ctx, id); err != nil {
					return err
				}
			}
		}
	}
}

// releaseOne tries a held event again and gives the id of the one behind it whose turn it is then.
func (e *engine) releaseOne(ctx context.Context, id string) (next string, err error) {
	err = e.db.System(ctx, func(tx *pg.Tx) error {
		next = ""
		mayGoOn := e.begin(tx)
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		if err := mayGoOn(); err != nil {
			return err
		}
		h, err := e.lockHeld(ctx, tx, id)
		if err != nil || h == nil {
			return err
		}
		if h.placed {
			if h.tenant == "" {
				if known, err := e.settleIn(ctx, tx, h); err != nil || known {
					return err
				}
			}
			tx.SetTenant(ctx, h.event.Tenant)
		}
		next, err = e.tryHeld(ctx, tx, h)
		return err
	})
	return next, err
}

// settleIn gives the row of a message that could not be decoded, but can be now, its tenant and its place in the stream.
// known: the event has been had in the meantime, or is held, from another place in the topic; the row is gone.
func (e *engine) settleIn(ctx context.Context, tx *pg.Tx, h *held) (known bool, err error) {
	ev := h.event
	var fresh int64
	if e.consumer.Ordered {
		err = tx.QueryRow(ctx, `SELECT count(*) FROM inbox_parked WHERE consumer = $1 AND tenant_id = $2 AND topic = $3
			AND aggregate_type = $4 AND aggregate_id = $5 AND ordered AND epoch = $6 AND seq = $7`,
			e.consumer.Name, ev.Tenant, h.msg.Topic, ev.AggregateType, ev.AggregateID, ev.Epoch, ev.Sequence).Scan(&fresh)
		fresh = 1 - fresh
	} else {
		var tag pgconn.CommandTag
		tag, err = tx.ExecNow(ctx, `INSERT INTO inbox_seen (consumer, event_id) VALUES ($1, $2::uuid) ON CONFLICT DO NOTHING`,
			e.consumer.Name, ev.ID.String())
		fresh = tag.RowsAffected()
	}
	if err != nil {
		return false, err
	}
	if fresh == 0 {
		tx.Queue(`DELETE FROM inbox_parked WHERE id = $1::uuid`, h.id)
		return true, nil
	}
	tx.Queue(`UPDATE inbox_parked SET tenant_id = $2, event_id = $3::uuid, event_type = $4, aggregate_type = $5, aggregate_id = $6,
		epoch = $7, seq = $8 WHERE id = $1::uuid`,
		h.id, ev.Tenant, ev.ID.String(), ev.Type, ev.AggregateType, ev.AggregateID, ev.Epoch, ev.Sequence)
	return false, nil
}

// lockHeld locks the partition of the held event against the consumer, and then its row. nil: it is not to be released
// any more, or another process is at it.
func (e *engine) lockHeld(ctx context.Context, tx *pg.Tx, id string) (*held, error) {
	h := &held{id: id}
	var headers []byte
	var by *string
	err := tx.QueryRow(ctx, `SELECT next_offset FROM inbox_position p JOIN inbox_parked h USING (consumer, topic, partition)
		WHERE h.id = $1::uuid FOR UPDATE OF p`, id).Scan(new(int64))
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m := &h.msg
	err = tx.QueryRow(ctx, `SELECT topic, partition, kafka_offset, message_key, headers, payload, message_time, state, code, tries,
			coalesce(tenant_id, ''), release_requested_by
		FROM inbox_parked WHERE id = $1::uuid AND consumer = $2 AND release_requested_at IS NOT NULL FOR UPDATE SKIP LOCKED`, id, e.consumer.Name).
		Scan(&m.Topic, &m.Partition, &m.Offset, &m.Key, &headers, &m.Value, &m.Time, &h.state, &h.code, &h.tries, &h.tenant, &by)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if by != nil {
		h.by = *by
	}
	if m.Headers, err = decodeHeaders(headers); err != nil {
		return nil, fmt.Errorf("headers of parked event %s: %w", id, err)
	}
	e.decode(&h.item)
	return h, nil
}

// tryHeld decides on a held event as the consumer would now, applies it when it is its turn and writes down the outcome.
func (e *engine) tryHeld(ctx context.Context, tx *pg.Tx, h *held) (next string, err error) {
	before := h.tries
	h.tries = 0
	last := mark{}
	if h.placed && e.consumer.Ordered {
		if last, err = e.lastOf(ctx, tx, h); err != nil {
			return "", err
		}
	}
	// Whoever releases an event that is held for a gap accepts the gap; nobody else may skip over one.
	accepted := h.code == codeGap && h.by != byPlatform
	switch {
	case e.discarded(&h.item):
		h.verdict = applied
	case h.broken != nil:
		h.cannotDecode()
	case e.consumer.Ordered && !last.less(h.at()):
		return e.settle(ctx, tx, h, last)
	case e.consumer.Ordered && !h.at().follows(last) && !accepted:
		h.verdict, h.code, h.fault, h.gap = parked, codeGap, gapError(last, h.at()), true
	default:
		ctx := auth.With(ctx, auth.Principal{Subject: "consumer:" + e.service + "/" + e.consumer.Name, Tenant: h.event.Tenant})
		if e.shadow {
			ctx = withRebuilding(ctx)
		}
		if err := e.applyCarefully(ctx, tx, []*item{&h.item}); err != nil {
			return "", err
		}
	}
	if h.verdict == applied {
		e.log.InfoContext(ctx, "a held event is applied", "event", h.event.ID.String(), "topic", h.msg.Topic, "released_by", h.by)
		if !e.shadow {
			e.metrics.applied.Add(ctx, 1, e.metrics.attrs)
		}
		return e.settle(ctx, tx, h, h.at())
	}
	return "", e.keep(ctx, tx, h, before)
}

// lastOf reads the cursor of the held event's aggregate.
func (e *engine) lastOf(ctx context.Context, tx *pg.Tx, h *held) (last mark, err error) {
	err = tx.QueryRow(ctx, `SELECT epoch, last_seq FROM inbox_cursor
		WHERE tenant_id = $1 AND consumer = $2 AND topic = $3 AND aggregate_type = $4 AND aggregate_id = $5`,
		h.event.Tenant, e.consumer.Name, h.msg.Topic, h.event.AggregateType, h.event.AggregateID).Scan(&last.epoch, &last.seq)
	if errors.Is(err, pgx.ErrNoRows) {
		return mark{}, nil
	}
	return last, err
}

// settle removes a held event that is done with, moves the cursor to last and sees whose turn it is.
func (e *engine) settle(ctx context.Context, tx *pg.Tx, h *held, last mark) (next string, err error) {
	tx.Queue(`DELETE FROM inbox_parked WHERE id = $1::uuid`, h.id)
	if !e.consumer.Ordered || !h.placed {
		return "", nil
	}
	ev := h.event
	e.upsertCursors(tx, ev.Tenant, h.msg.Topic, []string{ev.AggregateType}, []string{ev.AggregateID}, []int32{int32(last.epoch)}, []int64{last.seq})
	return advance(ctx, tx, e.consumer.Name, h.msg.Topic, aggregateKey{ev.Tenant, ev.AggregateType, ev.AggregateID}, last)
}

// advance looks at what is held first of the aggregate: when it is its turn after last, its release is asked for and its
// id given; otherwise it is now what is held for a gap.
func advance(ctx context.Context, tx *pg.Tx, consumer, topic string, key aggregateKey, last mark) (next string, err error) {
	var id string
	var at mark
	err = tx.QueryRow(ctx, `SELECT id::text, epoch, seq FROM inbox_parked
		WHERE consumer = $1 AND tenant_id = $2 AND topic = $3 AND aggregate_type = $4 AND aggregate_id = $5 AND ordered
		ORDER BY epoch, seq LIMIT 1`, consumer, key.tenant, topic, key.kind, key.id).Scan(&id, &at.epoch, &at.seq)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if at.follows(last) || !last.less(at) {
		tx.Queue(`UPDATE inbox_parked SET release_requested_at = now(), release_requested_by = $2 WHERE id = $1::uuid`, id, byPlatform)
		return id, nil
	}
	tx.Queue(`UPDATE inbox_parked SET state = 'parked', code = $2, error = $3 WHERE id = $1::uuid`, id, codeGap, gapError(last, at).Error())
	return "", nil
}

// keep writes down that the held event failed again. One that had been waiting in a queue is parked now, for the first
// time, with a copy for integrators.
func (e *engine) keep(ctx context.Context, tx *pg.Tx, h *held, before int) error {
	tx.Queue(`UPDATE inbox_parked SET state = 'parked', code = $2, error = $3, tries = $4,
		release_requested_at = NULL, release_requested_by = NULL WHERE id = $1::uuid`,
		h.id, storable(h.code), storable(h.fault.Error()), before+h.tries)
	e.logParked(ctx, &h.item)
	if h.state == "queued" && !h.gap {
		if !e.shadow {
			e.metrics.parked.Add(ctx, 1, e.metrics.attrs)
		}
		return e.deadLetter(ctx, tx, &h.item)
	}
	return nil
}

// newID gives a UUIDv7 as text.
func newID() (string, error) {
	id, err := uuid.NewV7()
	return id.String(), err
}
