package bus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	kafka "github.com/segmentio/kafka-go"
)

const (
	defaultReplication = 3
	metadataPause      = 100 * time.Millisecond // between two looks at the cluster while waiting for it
)

// Topic is what a topic must be.
type Topic struct {
	Name        string
	Partitions  int               // 0: Partitions
	Replication int               // 0: 3, or the number of brokers where there are fewer
	Config      map[string]string // goes over the defaults: retention.ms=-1 (keep everything) and, with 3 replicas, min.insync.replicas=2
}

// EnsureTopics makes the topics that are not there and waits until each partition of all of them has a leader. A topic
// that is there keeps its settings; that it has another number of partitions is an error, since partitions cannot be
// changed without breaking the order of every aggregate. Several services may do this at once. While Kafka is away it
// tries until ctx ends.
func (c *Client) EnsureTopics(ctx context.Context, topics ...Topic) error {
	var last error
	for {
		missing, brokers, ready, err := c.inspect(ctx, topics)
		var wrong *PartitionsError
		switch {
		case errors.As(err, &wrong):
			return err
		case err == nil && ready:
			return nil
		case err == nil && len(missing) > 0:
			if err = c.create(ctx, missing, brokers); errors.Is(err, kafka.TopicAuthorizationFailed) ||
				errors.Is(err, kafka.ClusterAuthorizationFailed) || errors.Is(err, kafka.PolicyViolation) ||
				errors.Is(err, kafka.InvalidConfiguration) || errors.Is(err, kafka.InvalidTopic) {
				return fmt.Errorf("create topics: %w", err)
			}
		}
		if err != nil {
			last = err
		}
		if !sleep(ctx, metadataPause) {
			return fmt.Errorf("topics are not ready: %w", errors.Join(ctx.Err(), last))
		}
	}
}

// PartitionsError says that a topic exists with another number of partitions than it must have.
type PartitionsError struct {
	Topic     string
	Has, Want int
}

// Error says what to do about it.
func (e *PartitionsError) Error() string {
	return fmt.Sprintf("topic %s has %d partitions and must have %d: delete it, or move its events to a new topic; "+
		"adding partitions would break the order of events", e.Topic, e.Has, e.Want)
}

// inspect compares the cluster with what the topics must be.
func (c *Client) inspect(ctx context.Context, topics []Topic) (missing []Topic, brokers int, ready bool, err error) {
	meta, err := c.metadata(ctx)
	if err != nil {
		return nil, 0, false, err
	}
	ready = true
	for _, t := range topics {
		i := slices.IndexFunc(meta.Topics, func(m kafka.Topic) bool { return m.Name == t.Name })
		if i < 0 || errors.Is(meta.Topics[i].Error, kafka.UnknownTopicOrPartition) {
			missing, ready = append(missing, t), false
			continue
		}
		want := t.Partitions
		if want == 0 {
			want = Partitions
		}
		if has := len(meta.Topics[i].Partitions); has != want {
			return nil, 0, false, &PartitionsError{Topic: t.Name, Has: has, Want: want}
		}
		ready = ready && led(meta, meta.Topics[i])
	}
	return missing, len(meta.Brokers), ready, nil
}

// led tells whether each partition has a leader that is alive.
func led(meta *kafka.MetadataResponse, t kafka.Topic) bool {
	for _, p := range t.Partitions {
		if p.Error != nil && !errors.Is(p.Error, kafka.ReplicaNotAvailable) {
			return false
		}
		if !slices.ContainsFunc(meta.Brokers, func(b kafka.Broker) bool { return b.ID == p.Leader.ID && b.Host != "" }) {
			return false
		}
	}
	return t.Error == nil
}

// metadata asks the cluster, not the cache that kafka-go keeps.
func (c *Client) metadata(ctx context.Context) (*kafka.MetadataResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	t := c.newTransport(ctx)
	defer t.CloseIdleConnections()
	fresh := kafka.Client{Addr: c.kafka.Addr, Transport: t}
	return fresh.Metadata(ctx, &kafka.MetadataRequest{})
}

func (c *Client) create(ctx context.Context, topics []Topic, brokers int) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req := &kafka.CreateTopicsRequest{}
	for _, t := range topics {
		cfg := kafka.TopicConfig{Topic: t.Name, NumPartitions: t.Partitions, ReplicationFactor: t.Replication}
		if cfg.NumPartitions == 0 {
			cfg.NumPartitions = Partitions
		}
		if cfg.ReplicationFactor == 0 {
			cfg.ReplicationFactor = min(defaultReplication, max(brokers, 1))
		}
		settings := map[string]string{"retention.ms": "-1"}
		if cfg.ReplicationFactor >= defaultReplication {
			settings["min.insync.replicas"] = "2" // an acknowledged event outlives the loss of any one broker
		}
		for k, v := range t.Config {
			settings[k] = v
		}
		for k, v := range settings {
			cfg.ConfigEntries = append(cfg.ConfigEntries, kafka.ConfigEntry{ConfigName: k, ConfigValue: v})
		}
		req.Topics = append(req.Topics, cfg)
	}
	res, err := c.kafka.CreateTopics(ctx, req)
	if err != nil {
		c.renew()
		return err
	}
	var errs []error
	for name, err := range res.Errors {
		if err != nil && !errors.Is(err, kafka.TopicAlreadyExists) { // another service was faster
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// Offsets gives, for each partition, the offset of the first message that is kept and the offset that the next one will get.
func (c *Client) Offsets(ctx context.Context, topic string) (first, next []int64, err error) {
	meta, err := c.metadata(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("offsets of %s: %w", topic, err)
	}
	i := slices.IndexFunc(meta.Topics, func(m kafka.Topic) bool { return m.Name == topic })
	if i < 0 {
		return nil, nil, fmt.Errorf("offsets of %s: %w", topic, kafka.UnknownTopicOrPartition)
	}
	n := len(meta.Topics[i].Partitions)
	asks := make([]kafka.OffsetRequest, 0, 2*n)
	for p := range n {
		asks = append(asks, kafka.FirstOffsetOf(p), kafka.LastOffsetOf(p))
	}
	got, err := c.listOffsets(ctx, topic, asks...)
	if err != nil {
		return nil, nil, err
	}
	first, next = make([]int64, n), make([]int64, n)
	for _, p := range got {
		first[p.Partition], next[p.Partition] = p.FirstOffset, p.LastOffset
	}
	return first, next, nil
}

// ends gives the first kept and the next offset of one partition.
func (c *Client) ends(ctx context.Context, topic string, partition int) (first, next int64, err error) {
	got, err := c.listOffsets(ctx, topic, kafka.FirstOffsetOf(partition), kafka.LastOffsetOf(partition))
	if err != nil {
		return 0, 0, err
	}
	return got[0].FirstOffset, got[0].LastOffset, nil
}

// OffsetAt gives the offset of the first message of a partition that was written at or after t, or the next offset when
// there is none.
func (c *Client) OffsetAt(ctx context.Context, topic string, partition int, t time.Time) (int64, error) {
	got, err := c.listOffsets(ctx, topic, kafka.TimeOffsetOf(partition, t))
	if err != nil {
		return 0, err
	}
	for offset := range got[0].Offsets {
		if offset >= 0 {
			return offset, nil
		}
	}
	_, next, err := c.ends(ctx, topic, partition)
	return next, err
}

// listOffsets asks the leaders of a topic's partitions; the answer has at least one entry.
func (c *Client) listOffsets(ctx context.Context, topic string, asks ...kafka.OffsetRequest) ([]kafka.PartitionOffsets, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	res, err := c.kafka.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: asks}})
	if err == nil {
		for _, p := range res.Topics[topic] {
			err = errors.Join(err, p.Error)
		}
		if len(res.Topics[topic]) == 0 {
			err = kafka.UnknownTopicOrPartition
		}
	}
	if err != nil {
		c.renew()
		return nil, fmt.Errorf("offsets of %s: %w", topic, err)
	}
	return res.Topics[topic], nil
}

// Lag gives, for each topic and partition, how many messages the group has not committed yet. Commits are some seconds
// old: see the positions in the consumer's database for the exact state.
func (c *Client) Lag(ctx context.Context, group string, topics ...string) (map[string][]int64, error) {
	lag := make(map[string][]int64, len(topics)) // of a group that has committed nothing: all that is kept
	ends := make(map[string][]int64, len(topics))
	ask := make(map[string][]int, len(topics))
	for _, topic := range topics {
		first, next, err := c.Offsets(ctx, topic)
		if err != nil {
			return nil, err
		}
		ends[topic] = next
		for p := range next {
			lag[topic] = append(lag[topic], next[p]-first[p])
			ask[topic] = append(ask[topic], p)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	res, err := c.kafka.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: ask})
	if err == nil {
		err = res.Error
	}
	if errors.Is(err, kafka.GroupIdNotFound) { // it never came
		return lag, nil
	}
	if err != nil {
		return nil, fmt.Errorf("committed offsets of %s: %w", group, err)
	}
	for topic, partitions := range res.Topics {
		for _, p := range partitions {
			if p.Error != nil {
				return nil, fmt.Errorf("committed offset of %s in %s/%d: %w", group, topic, p.Partition, p.Error)
			}
			if p.CommittedOffset >= 0 {
				lag[topic][p.Partition] = max(0, ends[topic][p.Partition]-p.CommittedOffset)
			}
		}
	}
	return lag, nil
}
