package bus

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	kafka "github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/guanxi-crm/guanxi/platform/pace"
)

const (
	commitInterval = time.Second
	commitTimeout  = 3 * time.Second
	// handleGrace is how long a batch in hand may take after its partition was lost or the consumer told to stop. It stays
	// well below rebalanceTimeout, or the group would go on without this member.
	handleGrace = 10 * time.Second
	// stallAfter is how long a partition may have messages to read, not be paused and still make no progress.
	stallAfter = 30 * time.Second
)

// generation is the work on the partitions that one generation of the group gave to this member.
type generation struct {
	client  *Client
	sub     *Subscription
	gen     *kafka.Generation
	log     *slog.Logger
	rebuild func() // gives up the membership
}

// run reads all assigned partitions until the generation or the subscription ends. When it returns, nothing is left
// running: the next generation starts only then.
func (g *generation) run(sub, gen context.Context) {
	ctx, cancel := context.WithCancel(sub)
	defer cancel()
	defer context.AfterFunc(gen, cancel)()

	// Handle's context: it is not cut off with ctx, but some time after.
	hand, drop := context.WithCancel(context.WithoutCancel(sub))
	defer drop()
	defer context.AfterFunc(ctx, func() {
		if sleep(hand, handleGrace) {
			g.log.WarnContext(hand, "A batch in hand took too long and was cut off", "grace", handleGrace)
			drop()
		}
	})()

	var workers []*worker
	var wg sync.WaitGroup
	for topic, assigned := range g.gen.Assignments {
		for _, a := range assigned {
			w := newWorker(g, topic, a.ID)
			workers = append(workers, w)
			wg.Go(func() { w.run(ctx, hand) })
		}
	}
	g.log.InfoContext(ctx, "Consuming", "generation", g.gen.ID, "partitions", len(workers))
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		g.watch(ctx, workers, drop)
	}()
	<-ctx.Done()
	wg.Wait()
	<-watched
	g.commit(ctx, workers)
}

// watch commits what was handled, tells the lag, and gives up the membership when a partition stalls.
func (g *generation) watch(ctx context.Context, workers []*worker, drop func()) {
	ticker := pace.NewTicker(commitInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		g.commit(ctx, workers)
		for _, w := range workers {
			w.tellLag(ctx)
			if g.stalled(ctx, w) {
				g.log.ErrorContext(ctx, "A partition has messages and makes no progress; joining the consumer group afresh",
					"topic", w.topic, "partition", w.partition, "position", w.position.Load(), "after", g.client.stall)
				drop()
				g.rebuild()
				return
			}
		}
	}
}

// stalled tells whether a partition stands still although the broker has messages for it. The broker is asked apart from
// the partition's own reading, which may be what hangs; while it does not answer there is nothing to mend here.
func (g *generation) stalled(ctx context.Context, w *worker) bool {
	if w.paused.Load() || time.Since(time.Unix(0, w.progress.Load())) < g.client.stall {
		return false
	}
	_, next, err := g.client.ends(ctx, w.topic, w.partition)
	if err != nil || w.position.Load() >= next {
		w.progress.Store(time.Now().UnixNano()) // look again after the same time
		return false
	}
	return !w.paused.Load()
}

// commit tells Kafka how far the partitions are, for those who watch the lag; nothing is ever read from there. So it may
// be late, and may fail. It does not use the generation's own connection: a commit waits for replicas, and one that takes
// too long there would end the generation.
func (g *generation) commit(ctx context.Context, workers []*worker) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	topics := make(map[string][]kafka.OffsetCommit)
	positions := make([]int64, len(workers))
	for i, w := range workers {
		positions[i] = w.position.Load()
		if positions[i] > w.committed {
			topics[w.topic] = append(topics[w.topic], kafka.OffsetCommit{Partition: w.partition, Offset: positions[i]})
		}
	}
	if len(topics) == 0 {
		return
	}
	res, err := g.client.kafka.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
		GroupID: g.sub.Group, GenerationID: int(g.gen.ID), MemberID: g.gen.MemberID, Topics: topics,
	})
	if err == nil {
		for _, partitions := range res.Topics {
			for _, p := range partitions {
				err = errors.Join(err, p.Error)
			}
		}
	}
	if err != nil {
		g.log.Debug("Committing offsets failed", "error", err)
		return
	}
	for i, w := range workers {
		w.committed = positions[i]
	}
}

func groupAttr(group string) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("group", group))
}
