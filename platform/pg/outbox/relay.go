package outbox

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pace"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// RelayConfig tunes a relay; every zero value is replaced by the default.
type RelayConfig struct {
	// Workers is how many shards are carried at once by this process; default 2.
	Workers int
	// Batch is how many rows a worker takes at once; default 500.
	Batch int
	// Poll is how often a relay looks by itself, for what no call told it of, while a shard backs off or notifications are
	// not heard; default 100 ms. In quiet times it does so every tenth time.
	Poll time.Duration
	// ProduceTimeout bounds one call of the broker, during which a database transaction is open; default 10 s. It must be
	// below the 15 s after which the server ends an idle transaction.
	ProduceTimeout time.Duration
	// Acknowledged, when set, is called with the ids of events as soon as the broker has them, possibly more than once
	// for an event, by several goroutines.
	Acknowledged func(events []uuid.UUID)
}

const (
	defaultWorkers = 2
	maxBatchBytes  = 900 << 10 // that a broker takes 500 rows in one request
	settleTimeout  = 5 * time.Second
	firstBackoff   = 100 * time.Millisecond
	maxBackoff     = 2 * time.Second
	quietPolls     = 10 // of so many polls one is made while nothing is wrong
)

func (c RelayConfig) withDefaults() RelayConfig {
	if c.Workers <= 0 {
		c.Workers = defaultWorkers
	}
	if c.Batch <= 0 {
		c.Batch = 500
	}
	if c.Poll <= 0 {
		c.Poll = 100 * time.Millisecond
	}
	if c.ProduceTimeout <= 0 {
		c.ProduceTimeout = 10 * time.Second
	}
	return c
}

// Relay carries a service's outbox to Kafka. Any number may run, in any number of processes.
type Relay struct {
	db      *pg.DB
	client  *bus.Client
	outbox  *Outbox
	log     *slog.Logger
	cfg     RelayConfig
	metrics metrics
	failing [bus.Partitions]atomic.Bool // shards whose outage was logged
	heard   atomic.Bool                 // the notifications of other processes reach this one
}

// NewRelay makes a relay; db has the role Relay.
func NewRelay(db *pg.DB, client *bus.Client, o *Outbox, log *slog.Logger, cfg RelayConfig) *Relay {
	return &Relay{
		db: db, client: client, outbox: o, log: log.With("service", o.service), cfg: cfg.withDefaults(),
		metrics: newMetrics(o.service),
	}
}

// Run carries until ctx ends, then finishes the batches under way. It survives outages of the database and the broker,
// during which nothing is lost and nothing parked. It gives nil.
func (r *Relay) Run(ctx context.Context) error {
	r.outbox.relays.Add(1)
	defer r.outbox.relays.Add(-1)
	var wg sync.WaitGroup
	for i := range r.cfg.Workers {
		wg.Go(func() { r.work(ctx, i*bus.Partitions/r.cfg.Workers-1) })
	}
	wg.Go(func() { r.poll(ctx) })
	wg.Go(func() { r.listen(ctx) })
	wg.Wait()
	return nil
}

// work carries one batch after the other and waits when there is none. after is the shard that was carried last: others
// have their turn first.
func (r *Relay) work(ctx context.Context, after int) {
	failures := 0
	for ctx.Err() == nil {
		shard, rows, err := r.batch(ctx, after)
		if err != nil {
			if failures++; failures == 1 {
				r.log.WarnContext(ctx, "the outbox cannot be read; going on trying", "error", err)
			}
			pause(ctx, min(firstBackoff<<min(failures-1, 10), maxBackoff))
			continue
		}
		if failures > 0 {
			r.log.InfoContext(ctx, "the outbox can be read again", "failures", failures)
			failures = 0
		}
		if rows > 0 {
			after = shard
			if rows == r.cfg.Batch {
				r.outbox.wakeOne() // there is work for more than one
			}
			continue
		}
		select {
		case <-ctx.Done():
		case <-r.outbox.wake:
		}
	}
}

// poll wakes a worker now and then: for commits of other processes whose notification got lost, and for shards whose
// time of backing off is over.
func (r *Relay) poll(ctx context.Context) {
	tick := pace.NewTicker(r.cfg.Poll)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if r.due(n) {
				r.outbox.wakeOne()
			}
		}
	}
}

// due says whether the n-th poll is made. What is lost in quiet times is the notification of a process that was killed as
// it sent it: that may wait a little, so that services with nothing to do leave the database alone.
func (r *Relay) due(n int) bool {
	if n%quietPolls == 0 || !r.heard.Load() {
		return true
	}
	for shard := range r.failing {
		if r.failing[shard].Load() {
			return true
		}
	}
	return false
}

// listen wakes a worker when another process commits.
func (r *Relay) listen(ctx context.Context) {
	for ctx.Err() == nil {
		err := r.hear(ctx)
		if ctx.Err() == nil {
			r.log.DebugContext(ctx, "the outbox's notifications are not heard; polling goes on", "error", err)
			pause(ctx, maxBackoff)
		}
	}
}

func (r *Relay) hear(ctx context.Context) error {
	pooled, err := r.db.Pool().Acquire(ctx)
	if err != nil {
		return err
	}
	conn := pooled.Hijack() // it listens for good, so it is no good for the pool
	defer func() {
		cctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(cctx)
	}()
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	r.heard.Store(true)
	defer r.heard.Store(false)
	r.outbox.wakeOne() // for what was committed before anybody listened
	// The server has nothing to cancel in a session that only waits, so the end of ctx would be waited for until the
	// client gives up on it: seconds of every shutdown.
	defer context.AfterFunc(ctx, func() { _ = conn.PgConn().Conn().Close() })()
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
		r.outbox.wakeOne()
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// asRefused gives the broker's final no, if err is one that names a message of the batch.
func asRefused(err error, n int) (*bus.RefusedError, bool) {
	var refused *bus.RefusedError
	ok := errors.As(err, &refused) && refused.Index >= 0 && refused.Index < n
	return refused, ok
}
