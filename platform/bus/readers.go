package bus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	kafka "github.com/segmentio/kafka-go"
)

// Reader is a consumer group and what it reads.
type Reader struct {
	Group   string
	Members []Member  // who is in it now, by client id and host
	Topics  []Reading // by topic, at least one
}

// Member is a program that is in a group.
type Member struct{ ClientID, Host string }

// Reading is how far a group has read a topic. Kafka tells positions, not when they were committed.
type Reading struct {
	Topic      string
	Partitions int   // that the topic has
	Committed  int   // of them, those in which the group has a position
	Lag        int64 // messages behind these positions
	// Oldest is when the first of them was written, in the partition with the most; zero where there are none.
	Oldest time.Time
}

// Readers gives the consumer groups that read some of the topics: those that have a position in one, or a member that is assigned
// a part of one. They are sorted by name. Groups and topics that the broker does not let us describe are not there.
func (c *Client) Readers(ctx context.Context, topic, group func(string) bool) ([]Reader, error) {
	meta, err := c.metadata(ctx)
	if err != nil {
		return nil, fmt.Errorf("topics: %w", err)
	}
	ends := make(map[string][]int64) // where the topics end, as far as they were asked for
	for _, t := range meta.Topics {
		if t.Error == nil && topic(t.Name) {
			ends[t.Name] = nil
		}
	}
	names, err := c.groups(ctx, group)
	if err != nil || len(names) == 0 {
		return nil, err
	}
	ask, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	described, err := c.kafka.DescribeGroups(ask, &kafka.DescribeGroupsRequest{GroupIDs: names})
	if err != nil {
		return nil, fmt.Errorf("describe consumer groups: %w", err)
	}
	readers := make([]Reader, 0, len(names))
	for _, d := range described.Groups {
		r, err := c.reader(ctx, d, ends)
		if err != nil {
			return nil, err
		}
		if len(r.Topics) > 0 {
			readers = append(readers, r)
		}
	}
	slices.SortFunc(readers, func(a, b Reader) int { return cmp.Compare(a.Group, b.Group) })
	return readers, nil
}

// groups gives the names of all consumer groups that are wanted.
func (c *Client) groups(ctx context.Context, wanted func(string) bool) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	res, err := c.kafka.ListGroups(ctx, &kafka.ListGroupsRequest{})
	if err == nil {
		err = res.Error
	}
	if err != nil {
		return nil, fmt.Errorf("list consumer groups: %w", err)
	}
	var names []string
	for _, g := range res.Groups {
		if wanted(g.GroupID) && !slices.Contains(names, g.GroupID) {
			names = append(names, g.GroupID)
		}
	}
	return names, nil
}

// reader says what a group reads of the topics in ends. What the broker does not tell of members, as of groups of a newer protocol,
// is left out: positions are what counts.
func (c *Client) reader(ctx context.Context, d kafka.DescribeGroupsResponseGroup, ends map[string][]int64) (Reader, error) {
	r := Reader{Group: d.GroupID}
	positions, err := c.positions(ctx, d.GroupID, ends)
	if err != nil {
		return Reader{}, err
	}
	for _, m := range d.Members {
		r.Members = append(r.Members, Member{m.ClientID, m.ClientHost})
		for _, t := range m.MemberAssignments.Topics {
			if _, ours := ends[t.Topic]; ours && positions[t.Topic] == nil {
				positions[t.Topic] = map[int]int64{}
			}
		}
	}
	slices.SortFunc(r.Members, func(a, b Member) int {
		return cmp.Or(cmp.Compare(a.ClientID, b.ClientID), cmp.Compare(a.Host, b.Host))
	})
	for topic, next := range positions {
		if ends[topic] == nil {
			if _, ends[topic], err = c.Offsets(ctx, topic); err != nil {
				return Reader{}, err
			}
		}
		r.Topics = append(r.Topics, c.reading(ctx, topic, next, ends[topic]))
	}
	slices.SortFunc(r.Topics, func(a, b Reading) int { return cmp.Compare(a.Topic, b.Topic) })
	return r, nil
}

// positions gives the offset that a group wants next, by topic and partition, in those of the topics where it has any.
func (c *Client) positions(ctx context.Context, group string, topics map[string][]int64) (map[string]map[int]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	res, err := c.kafka.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group}) // no topics: all
	if err == nil {
		err = res.Error
	}
	positions := make(map[string]map[int]int64)
	switch {
	case errors.Is(err, kafka.GroupIdNotFound): // it went while we asked
		return positions, nil
	case err != nil:
		return nil, fmt.Errorf("committed offsets of %s: %w", group, err)
	}
	for topic, partitions := range res.Topics {
		if _, wanted := topics[topic]; !wanted {
			continue
		}
		for _, p := range partitions {
			if p.Error != nil || p.CommittedOffset < 0 {
				continue
			}
			if positions[topic] == nil {
				positions[topic] = make(map[int]int64)
			}
			positions[topic][p.Partition] = p.CommittedOffset
		}
	}
	return positions, nil
}

func (c *Client) reading(ctx context.Context, topic string, next map[int]int64, ends []int64) Reading {
	r := Reading{Topic: topic, Partitions: len(ends), Committed: len(next)}
	most, behind := -1, int64(0)
	for partition, end := range ends {
		at, known := next[partition]
		if !known || at >= end {
			continue
		}
		r.Lag += end - at
		if end-at > behind {
			most, behind = partition, end-at
		}
	}
	if most < 0 {
		return r
	}
	// It is told where it can be: what is next may not be kept any more.
	if got, err := c.fetch(ctx, topic, most, next[most], nil); err == nil && len(got.msgs) > 0 {
		r.Oldest = got.msgs[0].Time
	}
	return r
}
