package inbox

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pace"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/turns"
)

const (
	releasePoll = time.Second
	pruneEvery  = time.Hour
)

// Runner runs one consumer in one process; any number of processes share its partitions.
type Runner struct {
	engine *engine
	bus    *bus.Client
	log    *slog.Logger

	turns *turns.Turns // nil: no bound

	mu       sync.Mutex
	expected map[place]int64 // offset is 0 in the keys
}

// NewRunner makes the runner of the consumer. db is of the app role; o takes the copies for <topic>.dlq.
func NewRunner(db *pg.DB, client *bus.Client, o *outbox.Outbox, service string, c Consumer, log *slog.Logger) *Runner {
	e := newEngine(db, o, service, c, log)
	return &Runner{engine: e, bus: client, log: e.log, expected: make(map[place]int64)}
}

// Derived says that all the consumer writes follows from its topics and that it publishes nothing. Then a batch does not
// wait for the disk: what a crash of the database takes of it, it takes together with the position, and it is read again.
func (r *Runner) Derived() *Runner {
	r.engine.derived = true
	return r
}

// Within has the runner apply a batch only while it has one of the turns, which it may share with others: partitions are
// handled side by side, and without a bound a backlog takes every connection of the pool from the requests.
func (r *Runner) Within(t *turns.Turns) *Runner {
	r.turns = t
	return r
}

// Run consumes, carries out requested releases and prunes, until ctx ends. Outages of the database or of Kafka do not
// end it.
func (r *Runner) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.consume(ctx) })
	g.Go(func() error { return r.release(ctx) })
	if !r.engine.consumer.Ordered {
		g.Go(func() error { return r.prune(ctx) })
	}
	return g.Wait()
}

func (r *Runner) consume(ctx context.Context) error {
	return r.bus.Subscribe(ctx, bus.Subscription{
		Group: bus.GroupFor(r.engine.service, r.engine.consumer.Name), Topics: r.engine.consumer.Topics,
		MaxBatch: MaxBatch, Pace: r.engine.consumer.Pace, Wanted: r.engine.wanted(), Start: r.start, Handle: r.handle,
	})
}

// start gives the position of the partition, which a consumer that is new begins at 0. It is asked again after every
// failed batch, so a position that was changed from outside is picked up here.
func (r *Runner) start(ctx context.Context, topic string, partition int) (int64, error) {
	next, err := r.engine.position(ctx, topic, partition)
	if err != nil {
		return 0, err
	}
	r.mu.Lock()
	r.expected[place{topic, partition, 0}] = next
	r.mu.Unlock()
	return next, nil
}

func (r *Runner) handle(ctx context.Context, topic string, partition int, msgs []bus.Message) error {
	done, err := r.turns.Take(ctx)
	if err != nil {
		return err
	}
	defer done()
	at := place{topic, partition, 0}
	r.mu.Lock()
	expected := r.expected[at]
	r.mu.Unlock()
	next, err := r.engine.process(ctx, topic, partition, expected, msgs)
	r.mu.Lock()
	defer r.mu.Unlock()
	if next > expected && r.expected[at] == expected {
		r.expected[at] = next
	}
	return err
}

// position gives the next offset of the partition and makes its row when there is none.
func (e *engine) position(ctx context.Context, topic string, partition int) (next int64, err error) {
	err = e.db.System(ctx, func(tx *pg.Tx) error {
		mayGoOn := e.begin(tx)
		tx.Queue(`INSERT INTO inbox_position (consumer, topic, partition, next_offset) VALUES ($1, $2, $3, 0) ON CONFLICT DO NOTHING`,
			e.consumer.Name, topic, partition)
		err := tx.QueryRow(ctx, `SELECT next_offset FROM inbox_position WHERE consumer = $1 AND topic = $2 AND partition = $3`,
			e.consumer.Name, topic, partition).Scan(&next)
		if err != nil {
			return err
		}
		return mayGoOn()
	})
	return next, err
}

// release carries out releases that operators, or the closing of a gap, have asked for: at once when this process knows
// of them, within a second otherwise.
func (r *Runner) release(ctx context.Context) error {
	ticker := pace.NewTicker(releasePoll)
	defer ticker.Stop()
	failing := false
	for {
		err := r.engine.releaseRequested(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !failing:
			r.log.Warn("releases of parked events wait", "error", err)
		}
		failing = err != nil
		if failing { // what woke us is still there and would wake us at once
			select {
			case <-ctx.Done():
				return nil
			case <-ticker.C:
			}
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-r.engine.wake:
		}
	}
}

// prune forgets what was seen more than 30 days ago, in small steps.
func (r *Runner) prune(ctx context.Context) error {
	timer := time.NewTimer(time.Minute)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		for ctx.Err() == nil {
			n, err := r.engine.pruneSeen(ctx)
			if err != nil {
				r.log.Warn("pruning waits for its next turn", "error", err)
			}
			if err != nil || n == 0 {
				break
			}
		}
		timer.Reset(pruneEvery)
	}
}

func (e *engine) pruneSeen(ctx context.Context) (n int64, err error) {
	err = e.db.System(ctx, func(tx *pg.Tx) error {
		tag, err := tx.ExecNow(ctx, `DELETE FROM inbox_seen WHERE (consumer, event_id) IN (
			SELECT consumer, event_id FROM inbox_seen WHERE consumer = $1 AND seen_at < now() - interval '30 days' LIMIT 10000)`,
			e.consumer.Name)
		n = tag.RowsAffected()
		return err
	})
	return n, err
}

// ConsumerState is where a consumer stands.
type ConsumerState struct {
	Parked    int64 // events that people must decide on
	Queued    int64 // events that wait behind them
	positions map[place]int64
}

// Position is the next offset that the consumer will apply; 0 where it has not begun.
func (s ConsumerState) Position(topic string, partition int) int64 {
	return s.positions[place{topic, partition, 0}]
}

// State tells where the consumer stands, over all tenants. db is of the ops role.
func State(ctx context.Context, db *pg.DB, c Consumer) (ConsumerState, error) {
	s := ConsumerState{positions: make(map[place]int64)}
	err := db.System(ctx, func(tx *pg.Tx) error {
		tx.Queue(`SELECT topic, partition, next_offset FROM inbox_position WHERE consumer = $1`, c.Name).Query(func(rows pgx.Rows) error {
			for rows.Next() {
				var at place
				var next int64
				if err := rows.Scan(&at.topic, &at.partition, &next); err != nil {
					return err
				}
				s.positions[at] = next
			}
			return rows.Err()
		})
		return tx.QueryRow(ctx, `SELECT count(*) FILTER (WHERE state = 'parked'), count(*) FILTER (WHERE state = 'queued')
			FROM inbox_parked WHERE consumer = $1`, c.Name).Scan(&s.Parked, &s.Queued)
	})
	return s, err
}
