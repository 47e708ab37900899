package outbox

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// row is one row of the outbox, with the epoch that it is sent in.
type row struct {
	shard         int16
	id            int64
	eventID       uuid.UUID
	tenant        string
	aggregateType string
	aggregateID   string
	seq           int64
	topic         string
	headers       []byte
	payload       []byte
	createdAt     time.Time
	epoch         int32
}

// outcome is what became of the rows of a batch; rows in neither stay where they are.
type outcome struct {
	acknowledged []int64
	parked       []int64
	reasons      []string
	failed       error // the broker could not be reached, or did not want them now
}

// batch leases a shard, carries its first rows and deletes what the broker has. It gives the shard and how many rows it
// took. The shard's lock is held meanwhile, so nobody else produces from it. The end of ctx does not break it off.
func (r *Relay) batch(ctx context.Context, after int) (shard, taken int, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.cfg.ProduceTimeout+2*settleTimeout)
	defer cancel()
	var out outcome
	err = r.db.System(ctx, func(tx *pg.Tx) error {
		rows, err := r.lease(ctx, tx, after)
		if err != nil || len(rows) == 0 {
			return err
		}
		shard, taken = int(rows[0].shard), len(rows)
		out = r.carry(ctx, rows)
		settle(tx, shard, out)
		return nil
	})
	r.tell(ctx, shard, out)
	return shard, taken, err
}

func (r *Relay) lease(ctx context.Context, tx *pg.Tx, after int) ([]row, error) {
	found, err := tx.Query(ctx, `SELECT shard, id, event_id, tenant_id, aggregate_type, aggregate_id, seq, topic, headers,
		payload, created_at, epoch FROM outbox_lease($1, $2, $3)`, after, r.cfg.Batch, maxBatchBytes)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var rows []row
	for found.Next() {
		var w row
		err := found.Scan(&w.shard, &w.id, &w.eventID, &w.tenant, &w.aggregateType, &w.aggregateID, &w.seq, &w.topic,
			&w.headers, &w.payload, &w.createdAt, &w.epoch)
		if err != nil {
			return nil, err
		}
		rows = append(rows, w)
	}
	return rows, found.Err()
}

// carry produces the rows, topic by topic, each in the order of id.
func (r *Relay) carry(ctx context.Context, rows []row) outcome {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.ProduceTimeout)
	defer cancel()
	var out outcome
	var topics []string
	byTopic := map[string][]int{}
	messages := make([]bus.Message, len(rows))
	links := newLinks(len(rows))
	for i := range rows {
		m, h, err := r.outbox.message(&rows[i])
		if err != nil { // nobody can ever send it
			out.park(rows[i].id, err.Error())
			continue
		}
		messages[i] = m
		links.add(h)
		if byTopic[m.Topic] == nil {
			topics = append(topics, m.Topic)
		}
		byTopic[m.Topic] = append(byTopic[m.Topic], i)
	}
	ctx, end := links.span(ctx, r.outbox.service, len(rows))
	for _, topic := range topics {
		r.produce(ctx, topic, rows, messages, byTopic[topic], &out)
	}
	end(out.failed)
	return out
}

// produce sends the rows at the places idx, which are of one topic. A row that is refused for good is parked, and those
// after it go on; after any other failure the rest stays.
func (r *Relay) produce(ctx context.Context, topic string, rows []row, messages []bus.Message, idx []int, out *outcome) {
	for len(idx) > 0 {
		batch := make([]bus.Message, len(idx))
		for i, at := range idx {
			batch[i] = messages[at]
		}
		err := r.client.Produce(ctx, topic, int(rows[idx[0]].shard), batch)
		if err == nil {
			r.acknowledge(ctx, rows, idx, out)
			return
		}
		refused, ok := asRefused(err, len(idx))
		if !ok {
			out.failed = err
			return
		}
		r.acknowledge(ctx, rows, idx[:refused.Index], out)
		out.park(rows[idx[refused.Index]].id, refused.Err.Error())
		idx = idx[refused.Index+1:]
	}
}

func (r *Relay) acknowledge(ctx context.Context, rows []row, idx []int, out *outcome) {
	now := time.Now()
	events := make([]uuid.UUID, len(idx))
	for i, at := range idx {
		out.acknowledged = append(out.acknowledged, rows[at].id)
		events[i] = rows[at].eventID
		r.metrics.delay(ctx, now.Sub(rows[at].createdAt))
	}
	if r.cfg.Acknowledged != nil && len(events) > 0 {
		r.cfg.Acknowledged(events)
	}
}

func (out *outcome) park(id int64, reason string) {
	out.parked = append(out.parked, id)
	out.reasons = append(out.reasons, reason)
}

// settle queues what the outcome means for the tables.
func settle(tx *pg.Tx, shard int, out outcome) {
	if len(out.acknowledged) > 0 {
		tx.Queue("DELETE FROM outbox WHERE shard = $1 AND id = ANY($2)", shard, out.acknowledged)
	}
	if len(out.parked) > 0 {
		tx.Queue(`WITH gone AS (DELETE FROM outbox WHERE shard = $1 AND id = ANY($2) RETURNING *)
			INSERT INTO outbox_parked (shard, id, event_id, tenant_id, aggregate_type, aggregate_id, seq, topic, headers, payload, created_at, reason)
			SELECT g.shard, g.id, g.event_id, g.tenant_id, g.aggregate_type, g.aggregate_id, g.seq, g.topic, g.headers, g.payload, g.created_at, p.reason
			  FROM gone g JOIN unnest($2::bigint[], $3::text[]) AS p (id, reason) ON p.id = g.id`,
			shard, out.parked, out.reasons)
	}
	if out.failed != nil {
		tx.Queue(`UPDATE outbox_shard SET attempts = attempts + 1,
			not_before = clock_timestamp() + least($2::float8 * 2 ^ least(attempts, 20), $3::float8) * interval '1 millisecond'
			WHERE shard = $1`, shard, firstBackoff.Milliseconds(), maxBackoff.Milliseconds())
		return
	}
	tx.Queue("UPDATE outbox_shard SET attempts = 0, not_before = '-infinity' WHERE shard = $1 AND attempts > 0", shard)
}

// tell counts, and says what went wrong: of an outage only its begin and end.
func (r *Relay) tell(ctx context.Context, shard int, out outcome) {
	r.metrics.sent(ctx, len(out.acknowledged))
	for i, id := range out.parked {
		r.metrics.parked(ctx)
		r.log.ErrorContext(ctx, "the broker refuses an event for good; it is parked in outbox_parked",
			"row", fmt.Sprintf("%d/%d", shard, id), "reason", out.reasons[i])
	}
	if out.failed != nil {
		r.metrics.failed(ctx)
		if !r.failing[shard].Swap(true) {
			r.log.WarnContext(ctx, "events cannot be produced; going on trying", "shard", shard, "error", out.failed)
		}
	} else if len(out.acknowledged) > 0 && r.failing[shard].Swap(false) {
		r.log.InfoContext(ctx, "events can be produced again", "shard", shard)
	}
}
