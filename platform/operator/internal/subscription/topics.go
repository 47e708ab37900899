package subscription

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Topics gives the platform's topics of events with their numbers of partitions.
func (k *Kafka) Topics(ctx context.Context) (map[string]int32, error) {
	listed, err := k.admin.ListTopics(ctx)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list the topics of Kafka: %w", err)
	}
	partitions := map[string]int32{}
	for _, topic := range Published(listed.Names()) {
		partitions[topic] = int32(len(listed[topic].Partitions))
	}
	return partitions, nil
}

// EnsureTopic makes a topic that keeps everything, where there is none. One that is there keeps its settings.
func (k *Kafka) EnsureTopic(ctx context.Context, topic string, partitions int32) error {
	listed, err := k.admin.ListTopics(ctx, topic)
	if err != nil {
		return fmt.Errorf("ask Kafka for topic %s: %w", topic, err)
	}
	if listed.Has(topic) {
		return nil
	}
	forever := "-1"
	_, err = k.admin.CreateTopic(ctx, partitions, -1, map[string]*string{"retention.ms": &forever}, topic)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("make topic %s: %w", topic, err)
	}
	return nil
}

// Remove deletes topics and the consumer groups that are named or begin with prefix; without a prefix only those that are
// named. What is not there is no fault.
func (k *Kafka) Remove(ctx context.Context, topics, groups []string, prefix string) error {
	if prefix != "" {
		found, err := k.groups(ctx, prefix)
		if err != nil {
			return err
		}
		groups = append(slices.Clone(groups), found...)
	}
	if len(topics) > 0 {
		gone, err := k.admin.DeleteTopics(ctx, topics...)
		if err != nil {
			return fmt.Errorf("delete topics: %w", err)
		}
		for _, g := range gone {
			if g.Err != nil && !errors.Is(g.Err, kerr.UnknownTopicOrPartition) {
				return fmt.Errorf("delete topic %s: %w", g.Topic, g.Err)
			}
		}
	}
	if len(groups) == 0 {
		return nil
	}
	gone, err := k.admin.DeleteGroups(ctx, groups...)
	if err != nil {
		return fmt.Errorf("delete consumer groups: %w", err)
	}
	for _, g := range gone {
		if g.Err != nil && !errors.Is(g.Err, kerr.GroupIDNotFound) {
			return fmt.Errorf("delete consumer group %s: %w", g.Group, g.Err)
		}
	}
	return nil
}

// groups lists the consumer groups whose names begin with prefix.
func (k *Kafka) groups(ctx context.Context, prefix string) ([]string, error) {
	listed, err := k.admin.ListGroups(ctx)
	if err != nil {
		return nil, fmt.Errorf("list consumer groups: %w", err)
	}
	return slices.DeleteFunc(listed.Groups(), func(g string) bool { return !strings.HasPrefix(g, prefix) }), nil
}

// Lag counts the messages of the topics that the group has not passed. Partitions that it has no position in count from
// their beginning. A group that has no position at all has no lag: ok is false then.
func (k *Kafka) Lag(ctx context.Context, group string, topics []string) (lag int64, ok bool, err error) {
	positions, err := k.admin.FetchOffsets(ctx, group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("ask for the positions of %s: %w", group, err)
	}
	begins, err := k.admin.ListStartOffsets(ctx, topics...)
	if err != nil {
		return 0, false, fmt.Errorf("ask where topics begin: %w", err)
	}
	ends, err := k.admin.ListEndOffsets(ctx, topics...)
	if err != nil {
		return 0, false, fmt.Errorf("ask where topics end: %w", err)
	}
	for _, topic := range topics {
		_, reads := positions[topic]
		ok = ok || reads
	}
	ends.Each(func(end kadm.ListedOffset) {
		begin, _ := begins.Lookup(end.Topic, end.Partition)
		at := begin.Offset
		if position, known := positions.Lookup(end.Topic, end.Partition); known {
			at = max(at, position.At)
		}
		lag += max(0, end.Offset-at)
	})
	return lag, ok, nil
}

// LagOf adds up the lags of the groups whose names begin with prefix, each of the topics that it reads. Without a group that
// reads one of them, ok is false.
func (k *Kafka) LagOf(ctx context.Context, prefix string, topics []string) (lag int64, ok bool, err error) {
	groups, err := k.groups(ctx, prefix)
	if err != nil {
		return 0, false, err
	}
	for _, group := range groups {
		positions, err := k.admin.FetchOffsets(ctx, group)
		if err != nil {
			return 0, false, fmt.Errorf("ask for the positions of %s: %w", group, err)
		}
		read := slices.DeleteFunc(slices.Sorted(maps.Keys(positions)), func(t string) bool { return !slices.Contains(topics, t) })
		if len(read) == 0 {
			continue
		}
		more, _, err := k.Lag(ctx, group, read)
		if err != nil {
			return 0, false, err
		}
		lag, ok = lag+more, true
	}
	return lag, ok, nil
}

// Written counts the messages that were ever written to a topic.
func (k *Kafka) Written(ctx context.Context, topic string) (int64, error) {
	ends, err := k.admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, fmt.Errorf("ask where topic %s ends: %w", topic, err)
	}
	var written int64
	ends.Each(func(end kadm.ListedOffset) { written += end.Offset })
	return written, nil
}
