package inbox

import (
	"context"
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// verdict is what becomes of an item.
type verdict int

const (
	open    verdict = iota // not decided, or chosen to be applied and not applied yet
	applied                // applied, or passed by since its type is not handled
	dropped                // had before
	parked                 // failed, or held for a gap
	queued                 // waits behind a parked one of its aggregate
)

// item is one message on its way.
type item struct {
	msg     bus.Message
	event   Event
	placed  bool   // the envelope could be read: tenant, aggregate and sequence are known
	handled bool   // its type is one that Apply takes
	broken  error  // why it cannot be decoded
	fault   error  // why it is parked, for people
	code    string // the same for programs
	tries   int
	verdict verdict
	gap     bool
}

func (it *item) key() aggregateKey {
	return aggregateKey{it.event.Tenant, it.event.AggregateType, it.event.AggregateID}
}

func (it *item) at() mark { return mark{it.event.Epoch, it.event.Sequence} }

func (it *item) cannotDecode() { it.verdict, it.code, it.fault = parked, codeUndecodable, it.broken }

// group is the part of a batch that belongs to one tenant.
type group struct {
	tenant string
	items  []*item
}

// batch is some messages of a partition that are applied in one transaction.
type batch struct {
	topic      string
	partition  int
	from, next int64
	items      []*item
	groups     []*group
	aggregates map[aggregateKey]*aggregate
	fresh      map[string]bool // ids of events that an unordered consumer has not seen
	woken      bool            // a gap was closed: something can be released
}

func (e *engine) newBatch(topic string, partition int, from int64, msgs []bus.Message) *batch {
	b := &batch{topic: topic, partition: partition, from: from, next: msgs[len(msgs)-1].Offset + 1}
	b.items = make([]*item, 0, len(msgs))
	store := make([]item, len(msgs))
	byTenant := make(map[string]*group)
	for i, m := range msgs {
		if m.Passed {
			continue
		}
		it := &store[i]
		it.msg = m
		e.decode(it)
		b.items = append(b.items, it)
		if !it.placed {
			continue
		}
		g := byTenant[it.event.Tenant]
		if g == nil {
			g = &group{tenant: it.event.Tenant}
			byTenant[g.tenant] = g
			b.groups = append(b.groups, g)
		}
		g.items = append(g.items, it)
	}
	return b
}

// idle tells whether the batch has nothing that is handled: it moves the consumer on and changes nothing else. What a crash
// takes of that is read again, to no effect, so that its commit need not wait for the disk.
func (b *batch) idle() bool {
	return !slices.ContainsFunc(b.items, func(it *item) bool { return it.handled || !it.placed })
}

// reset forgets what an attempt that was rolled back had decided.
func (b *batch) reset() {
	b.aggregates = make(map[aggregateKey]*aggregate)
	b.fresh = make(map[string]bool)
	b.woken = false
	for _, it := range b.items {
		it.verdict, it.tries, it.fault, it.code, it.gap = open, 0, nil, "", false
	}
}

// transact applies the batch in one transaction. Carefully means under savepoints, so that events at fault can be told
// from others and be parked; otherwise the first error ends it.
func (e *engine) transact(ctx context.Context, b *batch, carefully bool) error {
	b.reset()
	err := e.db.System(ctx, func(tx *pg.Tx) error {
		if err := e.claim(ctx, tx, b); err != nil {
			return err
		}
		for _, g := range b.groups {
			if err := e.applyGroup(ctx, tx, b, g, carefully); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && b.woken {
		e.wakeUp()
	}
	return err
}

// claim moves the position over the batch, which nobody else can do at the same time, and loads what is known of its
// events, all in one round trip.
func (e *engine) claim(ctx context.Context, tx *pg.Tx, b *batch) error {
	mayGoOn := e.begin(tx)
	if (e.derived || b.idle()) && !e.shadow {
		tx.Queue(`SELECT set_config('synchronous_commit', 'off', true)`)
	}
	moved := false
	tx.Queue(`UPDATE inbox_position SET next_offset = $5, moved_at = now()
		WHERE consumer = $1 AND topic = $2 AND partition = $3 AND next_offset = $4`,
		e.consumer.Name, b.topic, b.partition, b.from, b.next).
		Exec(func(tag pgconn.CommandTag) error { moved = tag.RowsAffected() == 1; return nil })
	for _, it := range b.items { // before a tenant is set: these have none
		if !it.placed {
			if e.discarded(it) {
				it.verdict = dropped
				continue
			}
			it.cannotDecode()
			if err := e.park(ctx, tx, it); err != nil {
				return err
			}
		}
	}
	for _, g := range b.groups {
		tx.SetTenant(ctx, g.tenant)
		if e.consumer.Ordered {
			e.loadCursors(tx, b, g)
		} else {
			e.markSeen(tx, b, g)
		}
	}
	if err := tx.Flush(ctx); err != nil {
		return err
	}
	if err := mayGoOn(); err != nil {
		return err
	}
	if moved {
		return nil
	}
	var next int64
	err := tx.QueryRow(ctx, `SELECT next_offset FROM inbox_position WHERE consumer = $1 AND topic = $2 AND partition = $3`,
		e.consumer.Name, b.topic, b.partition).Scan(&next)
	if errors.Is(err, pgx.ErrNoRows) {
		return &movedError{0}
	}
	if err != nil {
		return err
	}
	return &movedError{next}
}

// markSeen inserts the ids of the group's events; those that were new come back. Events of types that are not handled have
// no effect that could come twice: of most of its topic a consumer remembers nothing.
func (e *engine) markSeen(tx *pg.Tx, b *batch, g *group) {
	ids := make([]string, 0, len(g.items))
	for _, it := range g.items {
		if it.handled {
			ids = append(ids, it.event.ID.String())
		}
	}
	if len(ids) == 0 {
		return
	}
	tx.Queue(`INSERT INTO inbox_seen (consumer, event_id) SELECT $1, unnest($2::text[])::uuid ON CONFLICT DO NOTHING RETURNING event_id::text`,
		e.consumer.Name, ids).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return err
			}
			b.fresh[id] = true
		}
		return rows.Err()
	})
}

// applyGroup decides on the events of one tenant, applies those whose turn it is and writes down what became of all.
func (e *engine) applyGroup(ctx context.Context, tx *pg.Tx, b *batch, g *group, carefully bool) error {
	tx.SetTenant(ctx, g.tenant)
	turn := e.decide(b, g)
	ctx = auth.With(ctx, auth.Principal{Subject: "consumer:" + e.service + "/" + e.consumer.Name, Tenant: g.tenant})
	if e.shadow {
		ctx = withRebuilding(ctx)
	}
	var err error
	if carefully {
		err = e.applyCarefully(ctx, tx, turn)
	} else {
		err = e.apply(ctx, tx, turn)
	}
	if err != nil {
		return err
	}
	held := false
	for _, it := range g.items {
		if it.verdict == parked || it.verdict == queued {
			held = true
			if err := e.park(ctx, tx, it); err != nil {
				return err
			}
		}
	}
	if e.consumer.Ordered {
		if held {
			e.demote(tx, b, g.tenant)
		}
		e.saveCursors(tx, b, g)
	}
	return nil
}

// decide gives the items whose turn it is, in order of arrival, and a verdict to all others.
func (e *engine) decide(b *batch, g *group) []*item {
	turn := make([]*item, 0, len(g.items))
	for _, it := range g.items {
		switch {
		case e.consumer.Ordered:
			e.decideByCursor(b, it)
		case !it.handled: // passes by
		case !b.fresh[it.event.ID.String()]:
			it.verdict = dropped
		default:
			delete(b.fresh, it.event.ID.String()) // the next one with this id is a duplicate
			if it.broken != nil && !e.discarded(it) {
				it.cannotDecode()
			}
		}
		if it.verdict == open && e.discarded(it) {
			it.verdict = applied // moves the cursor, without effect
			continue
		}
		if it.verdict == open {
			turn = append(turn, it)
		}
	}
	return turn
}

func (e *engine) discarded(it *item) bool {
	return e.skip[place{it.event.Topic, it.event.Partition, it.event.Offset}]
}

func (e *engine) wakeUp() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}
