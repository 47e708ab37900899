package inbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// maxTries is how often an event is tried before it is parked.
const maxTries = 5

// swapLock is the advisory lock that every transaction on live inbox tables shares and that the swap of a rebuild takes
// alone.
const swapLock int64 = 0x67785f73776170 // "gx_swap"

// errSwapping says that a rebuilt projection is taking over at this moment. It passes within seconds.
var errSwapping = problem.New(problem.Unavailable, "projection_swapping",
	"A rebuilt projection is taking over right now. Try again in a few seconds.")

// engine applies messages for one consumer: to the tables in use, or to the shadow of a rebuild.
type engine struct {
	db       *pg.DB
	outbox   *outbox.Outbox
	service  string
	consumer Consumer
	types    map[string]protoreflect.MessageType
	log      *slog.Logger
	metrics  *metrics
	shadow   bool
	derived  bool           // see Runner.Derived
	skip     map[place]bool // discarded by people before: only a rebuild meets them again
	wake     chan struct{}  // something was asked to be released
	pause    func(ctx context.Context, try int)
}

// place is where a message stands.
type place struct {
	topic     string
	partition int
	offset    int64
}

func newEngine(db *pg.DB, o *outbox.Outbox, service string, c Consumer, log *slog.Logger) *engine {
	e := &engine{
		db: db, outbox: o, service: service, consumer: c, metrics: newMetrics(service, c.Name),
		log:   log.With("consumer", c.Name),
		types: make(map[string]protoreflect.MessageType, len(c.Handles)),
		wake:  make(chan struct{}, 1),
		pause: backOff,
	}
	for _, m := range c.Handles {
		e.types[string(m.ProtoReflect().Descriptor().FullName())] = m.ProtoReflect().Type()
	}
	return e
}

// backOff waits a little longer before each of the tries of an event: 20 ms before the second, 160 ms before the fifth.
func backOff(ctx context.Context, try int) {
	if try >= maxTries {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(20 * time.Millisecond << (try - 1)):
	}
}

// movedError says that the position is not where the batch begins: another process, or an earlier attempt whose answer
// was lost, has been here.
type movedError struct{ next int64 }

func (e *movedError) Error() string {
	return fmt.Sprintf("the position has moved to offset %d", e.next)
}

// errRestart says that the position was set back, or to where these messages do not begin: it must be read from there.
var errRestart = errors.New("the position was changed from outside; reading begins there again")

// process applies messages of one partition, of which the first that is not applied yet stands at expected or after it.
// It gives the offset after what is applied now. Unless ctx ended, an error means infrastructure (nothing is applied;
// try the same again) or errRestart.
func (e *engine) process(ctx context.Context, topic string, partition int, expected int64, msgs []bus.Message) (int64, error) {
	for {
		for len(msgs) > 0 && msgs[0].Offset < expected {
			msgs = msgs[1:]
		}
		if len(msgs) == 0 {
			return expected, nil
		}
		b := e.newBatch(topic, partition, expected, msgs[:min(len(msgs), MaxBatch)])
		err := e.run(ctx, b)
		var moved *movedError
		switch {
		case err == nil:
			expected = b.next
		case errors.As(err, &moved) && moved.next > expected && moved.next > msgs[0].Offset:
			expected = moved.next
		case errors.As(err, &moved):
			return expected, errRestart
		default:
			return expected, err
		}
	}
}

// run applies one batch: all at once, and, when that fails by the fault of an event, again and carefully.
func (e *engine) run(ctx context.Context, b *batch) error {
	ctx, span := e.startSpan(ctx, b)
	defer span.end()
	err := e.transact(ctx, b, false)
	var moved *movedError
	if err != nil && !errors.As(err, &moved) && !e.blameless(ctx, err) {
		e.log.Warn("a batch failed; looking for the event at fault", "topic", b.topic, "partition", b.partition,
			"offset", b.from, "error", err)
		err = e.transact(ctx, b, true)
	}
	if err != nil {
		span.fail(err)
		return err
	}
	e.report(ctx, b)
	return nil
}

// begin queues what every transaction on inbox tables starts with and gives a function that tells, after a flush,
// whether it may go on.
func (e *engine) begin(tx *pg.Tx) func() error {
	if e.shadow {
		// What a crash takes from the shadow is rebuilt anyway.
		tx.Queue(`SELECT set_config('search_path', 'shadow, public', true), set_config('synchronous_commit', 'off', true),
			set_config('guanxi.rebuilding', 'on', true)`)
		return func() error { return nil }
	}
	return beginLive(tx)
}

// beginLive queues the shared lock against the swap. Trying is enough: who is refused comes again.
func beginLive(tx *pg.Tx) func() error {
	var free bool
	tx.Queue(`SELECT pg_try_advisory_xact_lock_shared($1)`, swapLock).QueryRow(func(row pgx.Row) error { return row.Scan(&free) })
	return func() error {
		if !free {
			return errSwapping
		}
		return nil
	}
}

// wanted tells which types of events have to be read at all: those that are handled, and what does not say what it is. A
// consumer that needs order has to see every event of an aggregate, and nil says so.
func (e *engine) wanted() func(kind string) bool {
	if e.consumer.Ordered {
		return nil
	}
	return func(kind string) bool { return kind == "" || e.types[kind] != nil }
}

// decode reads the message of an event that the consumer handles.
func (e *engine) decode(it *item) {
	event, err := bus.Decode(it.msg)
	it.event.Event = event
	if err != nil {
		it.event.Topic, it.event.Partition, it.event.Offset = it.msg.Topic, it.msg.Partition, it.msg.Offset
		it.broken = err
		return
	}
	it.placed = true
	kind, ok := e.types[event.Type]
	if !ok {
		return
	}
	it.handled = true
	m := kind.New().Interface()
	// Fields that a newer producer has added are none of ours.
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(event.Data, m); err != nil {
		it.broken = fmt.Errorf("the value is not a %s: %w", event.Type, err)
		return
	}
	it.event.Message = m
}

// publishes tells whether err says that Apply appended to the outbox during a rebuild: the mistake of a consumer, which
// ought to be Lasting or to ask Rebuilding.
func publishes(err error) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && pe.Code == "42501" && strings.Contains(pe.Message, "rebuild_publishes_nothing")
}

// blameless tells whether err is not the fault of an event.
func (e *engine) blameless(ctx context.Context, err error) bool {
	return Infrastructure(ctx, err) || e.shadow && publishes(err)
}

// Infrastructure tells whether err, which Apply returned, is not the fault of an event: [pg.Transient], the end of ctx, or
// a problem of kind Unavailable or TooMany. Such an error never parks an event; the batch waits and is tried again.
func Infrastructure(ctx context.Context, err error) bool {
	if ctx.Err() != nil || pg.Transient(err) {
		return true
	}
	kind := problem.KindOf(err)
	return kind == problem.Unavailable || kind == problem.TooMany
}
