package inbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

const (
	// rebuildLock is held by the session of whoever rebuilds.
	rebuildLock int64 = 0x67785f72656275 // "gx_rebu"
	// atOnce is how many partitions are replayed side by side: enough for all cores, and few enough to leave
	// connections to the consumers that go on meanwhile.
	atOnce = 6
	// fewLeft is how many messages may be left for the time in which the live consumers stand still.
	fewLeft = 2000
	// maxPasses bounds how long the rebuild runs after producers that are as fast as itself.
	maxPasses = 50
)

// errRebuilding says that another process rebuilds at this moment.
var errRebuilding = problem.New(problem.Conflict, "rebuild_running", "The projection is being rebuilt already. Wait until that is done.")

// RebuildResult is what a rebuild has come to.
type RebuildResult struct {
	Events      int64   `json:"events" doc:"Messages replayed."`
	Seconds     float64 `json:"seconds"`
	HashLive    string  `json:"hash_live" doc:"Hash of the projection that was in use."`
	HashRebuilt string  `json:"hash_rebuilt" doc:"Hash of the one that is in use now."`
	Equal       bool    `json:"equal"`
	ParkedLive  int64   `json:"parked_live" doc:"Events that were parked or queued before."`
	Parked      int64   `json:"parked" doc:"Events that are parked or queued now. Where the two differ, the hashes may differ rightly."`
}

// Rebuilder fills a service's projection anew from its topics, beside the one in use, and swaps the two.
type Rebuilder struct {
	ops Ops
	log *slog.Logger
}

// NewRebuilder makes the rebuilder of a service with a projection.
func NewRebuilder(o Ops) *Rebuilder {
	return &Rebuilder{ops: o, log: o.Log.With("part", "rebuild")}
}

// rebuild is one run.
type rebuild struct {
	*Rebuilder
	engines  []*engine
	conn     *pgx.Conn // holds the locks and swaps; once it is gone, nothing is swapped
	events   atomic.Int64
	progress func(phase string, events, total int64)
}

// Rebuild runs the consumers that are not lasting against the schema shadow, from the start of their topics up to where
// the live ones are, and swaps. The live ones go on meanwhile, but for the last moments. Nothing is published. When it
// is killed or fails, nothing has changed and it can begin again. One at a time: while another runs, it gives a Conflict.
func (r *Rebuilder) Rebuild(ctx context.Context) (RebuildResult, error) {
	return r.run(ctx, func(string, int64, int64) {}, nil)
}

// run is Rebuild; done is called in the transaction that swaps.
func (r *Rebuilder) run(ctx context.Context, progress func(phase string, events, total int64),
	done func(ctx context.Context, tx pgx.Tx, res RebuildResult) error) (res RebuildResult, err error) {
	started := time.Now()
	b := &rebuild{Rebuilder: r, progress: progress}
	if err := b.open(ctx); err != nil {
		return RebuildResult{}, err
	}
	defer b.close()
	progress("starting", 0, 0)
	if _, err := b.conn.Exec(ctx, "SELECT guanxi_clear_shadow()"); err != nil {
		return RebuildResult{}, fmt.Errorf("empty the shadow: %w", err)
	}
	if err := b.followUp(ctx); err != nil {
		return RebuildResult{}, err
	}

	// From here on the live consumers stand still.
	progress("taking over", b.events.Load(), b.events.Load())
	if _, err := b.conn.Exec(ctx, "SELECT pg_advisory_lock($1)", swapLock); err != nil {
		return RebuildResult{}, fmt.Errorf("stop the live consumers: %w", err)
	}
	if err := b.finish(ctx); err != nil {
		return RebuildResult{}, err
	}
	if res, err = b.compare(ctx); err != nil {
		return RebuildResult{}, err
	}
	res.Events, res.Seconds = b.events.Load(), time.Since(started).Seconds()
	if err := b.swap(ctx, res, done); err != nil {
		return RebuildResult{}, err
	}
	r.log.Info("the projection is rebuilt", "events", res.Events, "seconds", res.Seconds, "equal", res.Equal, "parked", res.Parked)
	return res, nil
}

// open takes a session of its own and the lock that only one rebuild has.
func (b *rebuild) open(ctx context.Context) error {
	pooled, err := b.ops.DB.Pool().Acquire(ctx)
	if err != nil {
		return fmt.Errorf("no connection for the rebuild: %w", err)
	}
	b.conn = pooled.Hijack()
	var free bool
	_, err = b.conn.Exec(ctx, "SET statement_timeout = 0")
	if err == nil {
		err = b.conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", rebuildLock).Scan(&free)
	}
	if err == nil && !free {
		err = errRebuilding
	}
	if err != nil {
		b.close()
		return err
	}
	for _, c := range b.ops.Consumers {
		if c.Lasting {
			continue
		}
		e := newEngine(b.ops.DB, nil, b.ops.Service, c, b.log)
		e.shadow = true
		b.engines = append(b.engines, e)
	}
	return nil
}

// close gives back the locks and ends the session. A session that was cut off loses its locks as soon as the server
// notices; one that ends by itself would, without the unlocking, keep them for a moment longer.
func (b *rebuild) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, _ = b.conn.Exec(ctx, "SELECT pg_advisory_unlock_all()")
	_ = b.conn.Close(ctx)
}

// followUp replays until little is left between the shadow and where the live consumers are.
func (b *rebuild) followUp(ctx context.Context) error {
	for pass := range maxPasses {
		if err := b.learnDiscarded(ctx); err != nil {
			return err
		}
		spans, left, err := b.spans(ctx)
		if err != nil {
			return err
		}
		if pass > 0 && left < fewLeft {
			return nil
		}
		if err := b.replay(ctx, spans, b.events.Load()+left); err != nil {
			return err
		}
	}
	return nil
}

// finish brings the shadow to exactly where the live consumers stand still, and gives what is parked there, and need not
// be, another chance.
func (b *rebuild) finish(ctx context.Context) error {
	if err := b.learnDiscarded(ctx); err != nil {
		return err
	}
	spans, left, err := b.spans(ctx)
	if err != nil {
		return err
	}
	if err := b.replay(ctx, spans, b.events.Load()+left); err != nil {
		return err
	}
	if err := b.acceptGaps(ctx); err != nil {
		return err
	}
	for _, e := range b.engines {
		if err := e.releaseAll(ctx); err != nil {
			return err
		}
	}
	return nil
}

// span is what is to be replayed of a partition.
type span struct {
	engine    *engine
	topic     string
	partition int
	from, to  int64
}

// spans gives what lies between the shadow's positions and the live ones.
func (b *rebuild) spans(ctx context.Context) (list []span, left int64, err error) {
	err = b.ops.DB.System(ctx, func(tx *pg.Tx) error {
		list, left = nil, 0
		rows, err := tx.Query(ctx, `SELECT l.consumer, l.topic, l.partition, coalesce(s.next_offset, 0), l.next_offset
			FROM live.inbox_position l LEFT JOIN shadow.inbox_position s USING (consumer, topic, partition) ORDER BY 1, 2, 3`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var consumer string
			var s span
			if err := rows.Scan(&consumer, &s.topic, &s.partition, &s.from, &s.to); err != nil {
				return err
			}
			i := slices.IndexFunc(b.engines, func(e *engine) bool { return e.consumer.Name == consumer })
			if i < 0 { // lasting, or of a version that is gone
				continue
			}
			s.engine = b.engines[i]
			list = append(list, s)
			left += s.to - s.from
		}
		return rows.Err()
	})
	return list, left, err
}

// replay applies the spans, several at a time.
func (b *rebuild) replay(ctx context.Context, spans []span, total int64) error {
	watch, stop := context.WithCancel(ctx)
	defer stop()
	go b.tell(watch, total)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for _, s := range spans {
		g.Go(func() error { return b.replaySpan(ctx, s) })
	}
	return g.Wait()
}

func (b *rebuild) tell(ctx context.Context, total int64) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			b.progress("replaying", b.events.Load(), total)
		}
	}
}

// replaySpan applies one span. Outages are waited out.
func (b *rebuild) replaySpan(ctx context.Context, s span) error {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := b.tryReplay(ctx, s)
		if err == nil || ctx.Err() != nil || errors.Is(err, errRestart) {
			return err
		}
		if publishes(err) {
			return problem.New(problem.Internal, "rebuild_publishes",
				"Consumer %s publishes events while it is rebuilt. Make it Lasting, or let it ask inbox.Rebuilding.", s.engine.consumer.Name).Because(err)
		}
		b.log.Warn("the rebuild waits", "topic", s.topic, "partition", s.partition, "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

func (b *rebuild) tryReplay(ctx context.Context, s span) error {
	next, err := s.engine.position(ctx, s.topic, s.partition)
	if err != nil {
		return err
	}
	msgs := make([]bus.Message, 0, MaxBatch)
	flush := func() error {
		next, err = s.engine.process(ctx, s.topic, s.partition, next, msgs)
		if err != nil {
			return err
		}
		b.events.Add(int64(len(msgs)))
		msgs = msgs[:0]
		return nil
	}
	if next < s.to {
		err := b.ops.Bus.Read(ctx, s.topic, s.partition, next, s.to, func(m bus.Message) error {
			if msgs = append(msgs, m); len(msgs) == MaxBatch {
				return flush()
			}
			return nil
		})
		if err == nil && len(msgs) > 0 {
			err = flush()
		}
		if err != nil {
			return err
		}
	}
	if next == s.to {
		return nil
	}
	// The last offsets are holes. The position moves over them, as the live one did.
	return s.engine.db.System(ctx, func(tx *pg.Tx) error {
		_ = s.engine.begin(tx)
		tx.Queue(`UPDATE inbox_position SET next_offset = $4 WHERE consumer = $1 AND topic = $2 AND partition = $3 AND next_offset < $4`,
			s.engine.consumer.Name, s.topic, s.partition, s.to)
		return nil
	})
}
