package inbox

import (
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// aggregateKey names an aggregate within a topic.
type aggregateKey struct{ tenant, kind, id string }

// mark is a point in the stream of an aggregate.
type mark struct {
	epoch int
	seq   int64
}

func (m mark) less(o mark) bool { return m.epoch < o.epoch || m.epoch == o.epoch && m.seq < o.seq }

// follows tells whether m is the next event after last. A raised epoch begins anew wherever it begins: the producer was
// restored, and what its sequence was is not known. Without a last event the first epoch begins at 1.
func (m mark) follows(last mark) bool {
	switch {
	case m.epoch == last.epoch:
		return m.seq == last.seq+1
	case last == mark{}:
		return m.seq == 1 || m.epoch > 1
	default:
		return m.epoch > last.epoch
	}
}

// aggregate is how far the consumer is with one aggregate.
type aggregate struct {
	last mark  // what stands in the cursor; zero: nothing yet
	plan mark  // the same once everything whose turn it is has been applied
	head *mark // the first event that is held: parked, or queued behind a parked one
}

// decideByCursor gives the item its verdict, or leaves it open when it is its turn.
func (e *engine) decideByCursor(b *batch, it *item) {
	a := b.aggregates[it.key()]
	at := it.at()
	switch {
	case !a.plan.less(at):
		it.verdict = dropped
	case a.head != nil && *a.head == at:
		it.verdict = dropped // it is parked already
	case a.head != nil && a.head.less(at):
		it.verdict = queued
	case !at.follows(a.plan):
		it.verdict, it.code, it.fault, it.gap = parked, codeGap, gapError(a.plan, at), true
		a.hold(at)
	case it.broken != nil && !e.discarded(it):
		it.cannotDecode()
		a.hold(at)
	default:
		a.plan = at
	}
}

// Codes of what is parked by the platform itself; other codes are those of the problem that Apply returned.
const (
	codeGap         = "sequence_gap"
	codeUndecodable = "undecodable"
	codePanic       = "panic"
	codeFailed      = "apply_failed"
)

func gapError(last, at mark) error {
	return fmt.Errorf("event %d of epoch %d came while %d of epoch %d was the last one: events between them are missing, and this one waits for them",
		at.seq, at.epoch, last.seq, last.epoch)
}

func (a *aggregate) hold(at mark) {
	if a.head == nil || at.less(*a.head) {
		a.head = &at
	}
}

// loadCursors queues one query for all aggregates of the group. Each is looked for by its whole key: a plain join would,
// planned while the table was new and empty, read all cursors of the topic for every batch.
func (e *engine) loadCursors(tx *pg.Tx, b *batch, g *group) {
	var kinds, ids []string
	for _, it := range g.items {
		if b.aggregates[it.key()] == nil {
			b.aggregates[it.key()] = &aggregate{}
			kinds, ids = append(kinds, it.event.AggregateType), append(ids, it.event.AggregateID)
		}
	}
	tenant := g.tenant
	tx.Queue(`SELECT a.kind, a.id, coalesce(c.epoch, 0), coalesce(c.last_seq, 0), p.epoch, p.seq
		FROM unnest($4::text[], $5::text[]) AS a(kind, id)
		LEFT JOIN LATERAL (SELECT k.epoch, k.last_seq FROM inbox_cursor k
			WHERE k.tenant_id = $1 AND k.consumer = $2 AND k.topic = $3 AND k.aggregate_type = a.kind AND k.aggregate_id = a.id
			LIMIT 1) c ON true
		LEFT JOIN LATERAL (SELECT h.epoch, h.seq FROM inbox_parked h
			WHERE h.consumer = $2 AND h.tenant_id = $1 AND h.topic = $3 AND h.aggregate_type = a.kind
				AND h.aggregate_id = a.id AND h.ordered
			ORDER BY h.epoch, h.seq LIMIT 1) p ON true
		WHERE c.epoch IS NOT NULL OR p.seq IS NOT NULL`,
		tenant, e.consumer.Name, b.topic, kinds, ids).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var kind, id string
			var last mark
			var epoch *int
			var seq *int64
			if err := rows.Scan(&kind, &id, &last.epoch, &last.seq, &epoch, &seq); err != nil {
				return err
			}
			a := b.aggregates[aggregateKey{tenant, kind, id}]
			a.last, a.plan = last, last
			if seq != nil {
				a.head = &mark{*epoch, *seq}
			}
		}
		return rows.Err()
	})
}

// saveCursors queues one upsert for the aggregates of the group that moved, and asks for the release of what was held
// only for an event that is there now.
func (e *engine) saveCursors(tx *pg.Tx, b *batch, g *group) {
	final := make(map[aggregateKey]mark)
	for _, it := range g.items {
		switch it.verdict {
		case applied:
			final[it.key()] = it.at()
		case parked:
			b.aggregates[it.key()].hold(it.at())
		}
	}
	if len(final) == 0 {
		return
	}
	kinds, ids := make([]string, 0, len(final)), make([]string, 0, len(final))
	epochs, seqs := make([]int32, 0, len(final)), make([]int64, 0, len(final))
	for key, at := range final {
		kinds, ids = append(kinds, key.kind), append(ids, key.id)
		epochs, seqs = append(epochs, int32(at.epoch)), append(seqs, at.seq)
		if head := b.aggregates[key].head; head != nil && head.follows(at) && waits(g, key, *head) {
			b.woken = true
			e.requestRelease(tx, b.topic, key, *head)
		}
	}
	e.upsertCursors(tx, g.tenant, b.topic, kinds, ids, epochs, seqs)
}

// waits tells whether the held event waits only for its turn, and not because it failed in this very batch.
func waits(g *group, key aggregateKey, head mark) bool {
	for _, it := range g.items {
		if it.key() == key && it.at() == head && it.verdict == parked {
			return it.gap
		}
	}
	return true
}

func (e *engine) upsertCursors(tx *pg.Tx, tenant, topic string, kinds, ids []string, epochs []int32, seqs []int64) {
	tx.Queue(`INSERT INTO inbox_cursor (tenant_id, consumer, topic, aggregate_type, aggregate_id, epoch, last_seq)
		SELECT $1, $2, $3, u.kind, u.id, u.epoch, u.seq FROM unnest($4::text[], $5::text[], $6::int[], $7::bigint[]) AS u(kind, id, epoch, seq)
		ON CONFLICT (tenant_id, consumer, topic, aggregate_type, aggregate_id)
		DO UPDATE SET epoch = excluded.epoch, last_seq = excluded.last_seq`,
		tenant, e.consumer.Name, topic, kinds, ids, epochs, seqs)
}
