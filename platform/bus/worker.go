package bus

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	kafka "github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// worker reads and handles one partition.
//
// It reads by kafka.Client.Fetch, one request at a time, and not by kafka.Reader: a Reader keeps a queue and a buffered
// connection a partition, reads message by message, and hides where markers end. Here an idle partition costs two
// goroutines and a connection that waits at the broker; a message is handed over as soon as the broker has it; and under
// load each answer brings hundreds, while the next is fetched during Handle.
type worker struct {
	client    *Client
	sub       *Subscription
	topic     string
	partition int
	log       *slog.Logger
	attrs     metric.MeasurementOption

	position  atomic.Int64 // next offset to handle
	high      atomic.Int64 // next offset to be written, as far as known
	progress  atomic.Int64 // when position last moved, in Unix nanoseconds
	paused    atomic.Bool  // waits to try again: not stalled
	committed int64        // of the generation's watch
}

func newWorker(g *generation, topic string, partition int) *worker {
	w := &worker{
		client: g.client, sub: g.sub, topic: topic, partition: partition,
		log: g.log.With("topic", topic, "partition", partition),
		attrs: metric.WithAttributes(attribute.String("group", g.sub.Group), attribute.String("topic", topic),
			attribute.Int("partition", partition)),
		committed: -1,
	}
	w.position.Store(-1)
	w.progress.Store(time.Now().UnixNano())
	return w
}

// run works until ctx ends; hand is the context of Start and Handle.
func (w *worker) run(ctx, hand context.Context) {
	for failures := 0; ctx.Err() == nil; {
		at, err := w.sub.Start(hand, w.topic, w.partition)
		if err != nil {
			failures++
			w.log.WarnContext(ctx, "The consumer's position cannot be read; trying again", "attempt", failures, "error", err)
			w.pause(ctx, failures)
			continue
		}
		failures = 0
		w.moveTo(at)
		w.consume(ctx, hand, at)
	}
}

// consume hands over messages from offset at on, until ctx ends or the consumer's own position turns out to be elsewhere.
func (w *worker) consume(ctx, hand context.Context, at int64) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	f := newFeed(at, w.sub.MaxBatch)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.fetchAll(ctx, f)
	}()
	defer func() {
		stop()
		<-done
	}()
	var began time.Time
	handed := 0
	for {
		if d := w.sub.rest(handed, time.Since(began)); d > 0 && !sleep(ctx, d) {
			return
		}
		msgs, next, ok := f.take(ctx)
		if !ok {
			return
		}
		began, handed = time.Now(), len(msgs)
		if len(msgs) > 0 && !w.handle(ctx, hand, at, msgs) {
			return
		}
		if len(msgs) > 0 {
			at = msgs[len(msgs)-1].Offset + 1
			w.client.metrics.consumed.Add(ctx, int64(len(msgs)), groupAttr(w.sub.Group))
		}
		w.moveTo(next)
	}
}

// rest is how long to wait before the next batch, when the one before had so many messages and began so long ago.
func (s *Subscription) rest(messages int, ago time.Duration) time.Duration {
	if messages == 0 || messages >= s.MaxBatch {
		return 0
	}
	return max(0, s.Pace-ago)
}

// handle tries until the messages are handled; false when ctx ended or the position is no longer at.
func (w *worker) handle(ctx, hand context.Context, at int64, msgs []Message) bool {
	for failures := 0; ctx.Err() == nil; {
		err := w.sub.Handle(hand, w.topic, w.partition, msgs)
		if err == nil {
			return true
		}
		failures++
		w.log.WarnContext(ctx, "Messages could not be handled; the partition pauses", "offset", msgs[0].Offset,
			"messages", len(msgs), "attempt", failures, "error", err)
		for {
			w.pause(ctx, failures)
			if ctx.Err() != nil {
				return false
			}
			now, err := w.sub.Start(hand, w.topic, w.partition)
			if err == nil {
				if now != at {
					w.log.WarnContext(ctx, "The consumer's position has moved meanwhile", "from", at, "to", now)
					return false
				}
				break
			}
			failures++
			w.log.WarnContext(ctx, "The consumer's position cannot be read; trying again", "attempt", failures, "error", err)
		}
	}
	return false
}

// pause waits after the n-th failure in a row.
func (w *worker) pause(ctx context.Context, n int) {
	w.paused.Store(true)
	w.client.metrics.paused.Add(ctx, 1, groupAttr(w.sub.Group))
	sleep(ctx, backoff(n))
	w.client.metrics.paused.Add(ctx, -1, groupAttr(w.sub.Group))
	w.progress.Store(time.Now().UnixNano())
	w.paused.Store(false)
}

func (w *worker) moveTo(at int64) {
	w.position.Store(at)
	w.progress.Store(time.Now().UnixNano())
}

func (w *worker) tellLag(ctx context.Context) {
	if at := w.position.Load(); at >= 0 {
		w.client.metrics.lag.Record(ctx, max(0, w.high.Load()-at), w.attrs)
	}
}

// fetchAll fills the feed until ctx ends.
func (w *worker) fetchAll(ctx context.Context, f *feed) {
	for failures := 0; f.room(ctx); {
		from := f.next()
		got, err := w.client.fetch(ctx, w.topic, w.partition, from, w.sub.Wanted)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, kafka.OffsetOutOfRange):
			if from, err = w.earliest(ctx, from); err == nil {
				f.skip(from)
				continue
			}
		}
		if err != nil {
			failures++
			level := slog.LevelDebug // an outage of the broker is told once, by the group
			if failures >= worthTelling && failures&(failures-1) == 0 {
				level = slog.LevelWarn
			}
			w.log.Log(ctx, level, "Reading a partition failed; trying again", "attempt", failures, "error", err)
			sleep(ctx, backoff(min(failures, maxFetchTries)))
			continue
		}
		if failures >= worthTelling {
			w.log.InfoContext(ctx, "Reading a partition works again", "attempts", failures)
		}
		failures = 0
		w.high.Store(got.high)
		f.put(got)
	}
}

// worthTelling is after how many failures in a row, some seconds, a partition that cannot be read is told of.
const worthTelling = 8

// errNotYet says that a new leader did not know yet how far the partition goes.
var errNotYet = errors.New("the leader does not have the offset yet")

// earliest is where to go on when the partition does not have an offset: messages were deleted before they were handled,
// or the topic was made anew. Either way somebody should look.
func (w *worker) earliest(ctx context.Context, missing int64) (int64, error) {
	first, next, err := w.client.ends(ctx, w.topic, w.partition)
	if err != nil {
		return 0, err
	}
	if missing >= first && missing <= next {
		return 0, errNotYet
	}
	w.log.ErrorContext(ctx, "THE PARTITION DOES NOT HAVE THE CONSUMER'S POSITION: starting at the earliest message there is",
		"position", missing, "first", first, "next", next)
	return first, nil
}
