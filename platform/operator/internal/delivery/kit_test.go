package delivery

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	sales   = "guanxi.sales.events.v1"
	tickets = "guanxi.tickets.events.v1"
	placed  = sales + ".OrderPlaced"
	paid    = sales + ".OrderPaid"
	opened  = tickets + ".TicketOpened"
	own     = "guanxi.sub.c1.events.erp.stock"
	dead    = "guanxi.sub.c1.dead.erp.stock"
)

// kit is a broker with the topics of two services, and who writes to them.
type kit struct {
	*testing.T
	broker *kfake.Cluster
	client *kgo.Client
	ctx    context.Context
	seq    map[string]int // of each aggregate
}

func newKit(t *testing.T) *kit {
	t.Helper()
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, sales, tickets, own), kfake.SeedTopics(1, dead))
	require.NoError(t, err)
	t.Cleanup(broker.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return &kit{t, broker, client, ctx, map[string]int{}}
}

func (k *kit) options() Options {
	return Options{Kafka: []kgo.Opt{kgo.SeedBrokers(k.broker.ListenAddrs()...)}}
}

// start has jobs carried out until the returned function is called.
func (k *kit) start(d *Deliveries) (stop func()) {
	k.Helper()
	ctx, cancel := context.WithCancel(k.ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = d.Start(ctx)
	}()
	stop = func() {
		cancel()
		<-ended
	}
	k.Cleanup(stop)
	return stop
}

// publish writes the next event of an aggregate, which is named by its tenant and a number, and gives its id.
func (k *kit) publish(tenant string, aggregate int, kind string) string {
	k.Helper()
	key := fmt.Sprintf("%s-%d", tenant, aggregate)
	k.seq[key]++
	id := key + "/" + strconv.Itoa(k.seq[key])
	topic := kind[:len(sales)]
	if kind == opened {
		topic = tickets
	}
	h := func(key, value string) kgo.RecordHeader { return kgo.RecordHeader{Key: key, Value: []byte(value)} }
	require.NoError(k, k.client.ProduceSync(k.ctx, &kgo.Record{Topic: topic, Partition: int32(aggregate % 3), Key: []byte(key), Value: []byte(`{"amount": 1}`),
		Headers: []kgo.RecordHeader{h("content-type", "application/json"), h("ce_specversion", "1.0"), h("ce_id", id), h("ce_type", kind), h("ce_tenant", tenant), h("ce_partitionkey", key)}}).FirstErr())
	return id
}

// read gives the ids of the first n or more events of a topic, in the order of each partition, and then those that came with them.
func (k *kit) read(topic string, n int) []string {
	k.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(k.broker.ListenAddrs()...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(k, err)
	defer c.Close()
	var ids []string
	for len(ids) < n {
		fetched := c.PollFetches(k.ctx)
		require.NoError(k, fetched.Err(), "%d of %d", len(ids), n)
		fetched.EachRecord(func(r *kgo.Record) { ids = append(ids, header(r, "ce_id")) })
	}
	return ids
}

// written counts what stands in a topic.
func (k *kit) written(topic string) int {
	k.Helper()
	ends, err := kadm.NewClient(k.client).ListEndOffsets(k.ctx, topic)
	require.NoError(k, err)
	n := 0
	ends.Each(func(o kadm.ListedOffset) { n += int(o.Offset) })
	return n
}

// level waits until everything that was published is dealt with.
func (k *kit) level(group string, topics ...string) {
	k.Helper()
	admin := kadm.NewClient(k.client)
	require.Eventually(k, func() bool {
		ends, err := admin.ListEndOffsets(k.ctx, topics...)
		require.NoError(k, err)
		have, err := admin.FetchOffsets(k.ctx, group)
		if err != nil {
			return false
		}
		level := true
		ends.Each(func(o kadm.ListedOffset) {
			position, ok := have.Lookup(o.Topic, o.Partition)
			level = level && ok && position.At == o.Offset
		})
		return level
	}, 30*time.Second, 20*time.Millisecond)
}

// inOrder drops doubles and tells whether each aggregate's events, which are numbered, come in their order.
func inOrder(t *testing.T, ids []string) []string {
	t.Helper()
	var first []string
	last := map[string]int{}
	for _, id := range ids {
		if slices.Contains(first, id) {
			continue
		}
		first = append(first, id)
		var key string
		i := slices.Index([]byte(id), '/')
		key = id[:i]
		n, err := strconv.Atoi(id[i+1:])
		require.NoError(t, err)
		require.Greater(t, n, last[key], "an event of %s after a later one", key)
		last[key] = n
	}
	return first
}
