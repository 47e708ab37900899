package delivery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	firstPause   = time.Second
	longestPause = time.Minute
	// committedAnew is how often positions are written although they have not moved: Kafka forgets those of a group that
	// nobody writes to for offsets.retention.minutes, a week by default.
	committedAnew = time.Hour
	commitTimeout = 10 * time.Second
	polled        = 2000    // events at a time
	fetched       = 8 << 20 // bytes that a job holds at most, beyond one message
)

// partition is one of a source.
type partition struct {
	topic  string
	number int32
}

// sink takes events of one partition in their order. It gives how many of them are dealt with; with an error, those before
// the one that it is about.
type sink func(ctx context.Context, records []*kgo.Record) (int, error)

// worker serves one job.
type worker struct {
	job    Job
	opt    Options
	after  <-chan struct{}    // closed when the job's worker before has ended; nil: there was none
	cancel context.CancelFunc // nil: not launched
	done   chan struct{}

	mu        sync.Mutex
	failing   string
	trouble   map[partition]string // what goes wrong with a partition's first event
	replayed  string
	positions map[partition]int64
	moved     bool // since the last failure
}

// end stops the worker and gives what is closed once nothing is under way any more; nil: nothing ever was.
func (w *worker) end() <-chan struct{} {
	if w.cancel == nil {
		return w.after
	}
	w.cancel()
	return w.done
}

func (w *worker) state() Report {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := Report{Failing: w.failing, Replay: w.replayed}
	for _, p := range slices.SortedFunc(maps.Keys(w.trouble), func(a, b partition) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.number, b.number))
	}) {
		r.Failing = cmp.Or(r.Failing, w.trouble[p])
	}
	return r
}

// troubled notes what goes wrong with a partition; empty: nothing any more.
func (w *worker) troubled(p partition, what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if what == "" {
		delete(w.trouble, p)
		return
	}
	w.trouble[p] = what
}

func (w *worker) run(ctx context.Context) {
	pause := firstPause
	for {
		err := w.serve(ctx)
		if ctx.Err() != nil {
			return
		}
		w.opt.Log.Warn("delivery of events is interrupted", "subscription", w.job.Name, "error", err)
		w.mu.Lock()
		w.failing, w.trouble = err.Error(), nil
		if w.moved {
			pause, w.moved = firstPause, false
		}
		w.mu.Unlock()
		if !sleep(ctx, spread(pause)) {
			return
		}
		pause = min(2*pause, longestPause)
	}
}

// serve delivers until something fails or ctx ends.
func (w *worker) serve(ctx context.Context) error {
	client, err := w.opt.connect(
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.FetchMaxBytes(fetched), kgo.ProducerLinger(0),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())) // of a topic that was made anew
	if err != nil {
		return err
	}
	defer client.CloseAllowingRebalance()
	start, err := w.start(ctx, kadm.NewClient(client))
	if err != nil {
		return err
	}
	deliver, err := w.sink(ctx, client)
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.failing, w.trouble = "", map[partition]string{}
	w.positions = start
	w.mu.Unlock()
	from := map[string]map[int32]kgo.Offset{}
	for p, at := range start {
		if from[p.topic] == nil {
			from[p.topic] = map[int32]kgo.Offset{}
		}
		from[p.topic][p.number] = kgo.NewOffset().At(at)
	}
	client.AddConsumePartitions(from)
	return w.poll(ctx, client, deliver)
}

// start finds out where each partition goes on, and keeps it. A replay sets a position back together with its id, so that a
// partition is set back once, whatever is interrupted.
func (w *worker) start(ctx context.Context, admin *kadm.Client) (map[partition]int64, error) {
	have, err := admin.FetchOffsets(ctx, w.job.Group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("ask Kafka for positions: %w", err)
	}
	ends, err := listed(admin.ListEndOffsets(ctx, w.job.Sources...))
	if err != nil {
		return nil, err
	}
	since, err := listed(admin.ListOffsetsAfterMilli(ctx, max(0, w.job.Since.UnixMilli()), w.job.Sources...))
	if err != nil {
		return nil, err
	}
	again := since
	if w.job.Replay.ID != "" {
		if again, err = listed(admin.ListOffsetsAfterMilli(ctx, max(0, w.job.Replay.From.UnixMilli()), w.job.Sources...)); err != nil {
			return nil, err
		}
	}
	start := map[partition]int64{}
	ends.Each(func(end kadm.ListedOffset) {
		position, known := have.Lookup(end.Topic, end.Partition)
		at := position.At
		switch _, read := have[end.Topic]; {
		case known:
		case read || len(have) == 0:
			first, _ := since.Lookup(end.Topic, end.Partition)
			at = first.Offset
		default: // a topic that the subscription did not name until now
			at = end.Offset
		}
		if w.job.Replay.ID != "" && position.Metadata != w.job.Replay.ID {
			first, _ := again.Lookup(end.Topic, end.Partition)
			at = min(at, first.Offset)
		}
		start[partition{end.Topic, end.Partition}] = at
	})
	if err := w.commit(ctx, admin, start); err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.replayed = w.job.Replay.ID
	w.mu.Unlock()
	return start, nil
}

func listed(offsets kadm.ListedOffsets, err error) (kadm.ListedOffsets, error) {
	if err == nil {
		err = offsets.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("ask Kafka where topics begin and end: %w", err)
	}
	return offsets, nil
}

func (w *worker) commit(ctx context.Context, admin *kadm.Client, positions map[partition]int64) error {
	var offsets kadm.Offsets
	for p, at := range positions {
		offsets.Add(kadm.Offset{Topic: p.topic, Partition: p.number, At: at, LeaderEpoch: -1, Metadata: w.job.Replay.ID})
	}
	if err := admin.CommitAllOffsets(ctx, w.job.Group, offsets); err != nil {
		return fmt.Errorf("keep positions in Kafka: %w", err)
	}
	return nil
}

// poll has each partition's events delivered beside those of the others. While events of a partition are under way, no more of
// it are fetched, so that one that stands still holds up nothing but itself.
func (w *worker) poll(ctx context.Context, client *kgo.Client, deliver sink) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var under sync.WaitGroup
	defer under.Wait() // before the client is closed
	defer cancel(nil)
	under.Go(func() {
		if err := w.keep(ctx, kadm.NewClient(client)); err != nil {
			cancel(err)
		}
	})
	for {
		fetches := client.PollRecords(ctx, polled)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		for _, e := range fetches.Errors() {
			return fmt.Errorf("read %s: %w", e.Topic, e.Err)
		}
		fetches.EachPartition(func(f kgo.FetchTopicPartition) {
			if len(f.Records) == 0 {
				return
			}
			one := map[string][]int32{f.Topic: {f.Partition}}
			client.PauseFetchPartitions(one)
			under.Go(func() {
				if err := w.pass(ctx, kadm.NewClient(client), deliver, f.Records); err != nil {
					cancel(err)
					return
				}
				client.ResumeFetchPartitions(one)
			})
		})
	}
}

// pass delivers records of one partition and moves its position behind what has arrived.
func (w *worker) pass(ctx context.Context, admin *kadm.Client, deliver sink, records []*kgo.Record) error {
	p := partition{records[0].Topic, records[0].Partition}
	for len(records) > 0 {
		n, failed := deliver(ctx, records)
		if n > 0 {
			at := records[n-1].Offset + 1
			// What has arrived is kept even while the operator stops.
			kept, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
			err := w.move(kept, admin, p, at)
			cancel()
			if err != nil {
				return err
			}
			records = records[n:]
		}
		if failed != nil {
			return failed
		}
	}
	return nil
}

// move keeps a position of which everything before has arrived.
func (w *worker) move(ctx context.Context, admin *kadm.Client, p partition, at int64) error {
	if err := w.commit(ctx, admin, map[partition]int64{p: at}); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.positions[p], w.moved = at, true
	return nil
}

// keep writes all positions from time to time. One that moves meanwhile may be set back by some events: they come twice then,
// should the worker end before the next move.
func (w *worker) keep(ctx context.Context, admin *kadm.Client) error {
	for sleep(ctx, committedAnew) {
		w.mu.Lock()
		positions := maps.Clone(w.positions)
		w.mu.Unlock()
		if err := w.commit(ctx, admin, positions); err != nil {
			return err
		}
	}
	return nil
}

// wants tells whether the subscription hears of an event.
func (j *Job) wants(r *kgo.Record) bool {
	if j.Tenant != "" && header(r, "ce_tenant") != j.Tenant {
		return false
	}
	kind := header(r, "ce_type")
	return slices.ContainsFunc(j.Types, func(t string) bool {
		if topic, all := strings.CutSuffix(t, ".*"); all {
			return r.Topic == topic
		}
		return kind == t
	})
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// sleep waits, and tells whether ctx has not ended.
func sleep(ctx context.Context, length time.Duration) bool {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// spread makes a length up to a fifth shorter or longer, so that not everybody comes at the same time.
func spread(length time.Duration) time.Duration {
	return time.Duration(float64(length) * (0.8 + 0.4*rand.Float64()))
}
