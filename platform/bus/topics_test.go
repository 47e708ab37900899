package bus_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	kafka "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/bustest"
)

func TestEnsureTopicsBySeveralServicesAtOnce(t *testing.T) {
	t.Parallel()
	ctx, cluster := within(t), bustest.Start(t)
	name := bus.TopicFor(bustest.Service(t))
	var wg sync.WaitGroup
	for range 5 {
		c := cluster.Client(t)
		wg.Go(func() {
			if err := c.EnsureTopics(ctx, bus.Topic{Name: name}, bus.Topic{Name: bus.DeadLetters(name), Partitions: 1}); err != nil {
				t.Error(err)
			}
			for p := range bus.Partitions { // each has a leader already, though a broker may not have heard yet that it is one
				for c.Produce(ctx, name, p, numbered(0, 1)) != nil && ctx.Err() == nil {
					time.Sleep(50 * time.Millisecond)
				}
			}
		})
	}
	wg.Wait()
	c := cluster.Client(t)
	first, next, err := c.Offsets(ctx, name)
	require.NoError(t, err)
	require.Len(t, first, bus.Partitions)
	for p := range next {
		require.Equal(t, int64(5), next[p])
	}
	client := kafka.Client{Addr: kafka.TCP(cluster.Addrs()...)}
	res, err := client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: name, ConfigNames: []string{"retention.ms", "min.insync.replicas"},
	}}})
	require.NoError(t, err)
	got := map[string]string{}
	for _, entry := range res.Resources[0].ConfigEntries {
		got[entry.ConfigName] = entry.ConfigValue
	}
	require.Equal(t, map[string]string{"retention.ms": "-1", "min.insync.replicas": "2"}, got)
}

func TestEnsureTopicsRefusesAnotherNumberOfPartitions(t *testing.T) {
	t.Parallel()
	ctx, c := within(t), bustest.New(t)
	name := bus.TopicFor(bustest.Service(t))
	bustest.Ensure(t, c, bus.Topic{Name: name, Partitions: 3})
	err := c.EnsureTopics(ctx, bus.Topic{Name: name})
	var wrong *bus.PartitionsError
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, bus.PartitionsError{Topic: name, Has: 3, Want: 16}, *wrong)
}

func TestOffsetsReadAndOffsetAt(t *testing.T) {
	t.Parallel()
	ctx, c := within(t), bustest.New(t)
	topic := bustest.Topic(t, c, "orders")
	begin := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	msgs := numbered(0, 10)
	for i := range msgs {
		msgs[i].Time = begin.Add(time.Duration(i) * time.Minute)
	}
	for i := range msgs { // in batches of their own: brokers look times up by batch, too
		produce(ctx, t, c, topic, 5, msgs[i:i+1])
	}
	for name, q := range map[string]struct {
		at   time.Time
		want int64
	}{
		"before all":     {begin.Add(-time.Minute), 0},
		"exactly one":    {begin.Add(4 * time.Minute), 4},
		"between two":    {begin.Add(4*time.Minute + time.Second), 5},
		"after all":      {begin.Add(time.Hour), 10},
		"the very first": {begin, 0},
	} {
		got, err := c.OffsetAt(ctx, topic, 5, q.at)
		require.NoError(t, err, name)
		require.Equal(t, q.want, got, name)
	}
	got, err := c.OffsetAt(ctx, topic, 6, begin)
	require.NoError(t, err)
	require.Zero(t, got, "an empty partition")

	read := func(from, to int64) (all []int) {
		require.NoError(t, c.Read(ctx, topic, 5, from, to, func(m bus.Message) error {
			all = append(all, values([]bus.Message{m})...)
			return nil
		}))
		return all
	}
	require.Equal(t, []int{3, 4, 5}, read(3, 6))
	require.Empty(t, read(6, 6))
	require.Equal(t, upTo(10), read(0, 10))

	stop := errors.New("enough")
	require.ErrorIs(t, c.Read(ctx, topic, 5, 0, bus.Follow, func(bus.Message) error { return stop }), stop)
	require.ErrorIs(t, c.Read(ctx, topic, 5, 11, bus.Follow, nil), kafka.OffsetOutOfRange)
	_, _, err = c.Offsets(ctx, "guanxi.nobody.events.v1")
	require.ErrorIs(t, err, kafka.UnknownTopicOrPartition)
}

func TestReadFollowsWhatComes(t *testing.T) {
	t.Parallel()
	ctx, c := within(t), bustest.New(t)
	topic := bustest.Topic(t, c, "orders")
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		for i := range 50 {
			for c.Produce(ctx, topic, 0, numbered(i, 1)) != nil && ctx.Err() == nil {
				time.Sleep(50 * time.Millisecond)
			}
		}
	})
	enough := errors.New("enough")
	var got []int
	err := c.Read(ctx, topic, 0, 0, bus.Follow, func(m bus.Message) error {
		got = append(got, values([]bus.Message{m})...)
		if len(got) == 50 {
			return enough
		}
		return nil
	})
	require.ErrorIs(t, err, enough)
	require.Equal(t, upTo(50), got)
}
