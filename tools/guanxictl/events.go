package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/spf13/cobra"

	"github.com/guanxi-crm/guanxi/platform/bus"
)

// selection says which events are meant.
type selection struct {
	topics           []string
	types            []string
	key, tenant      string
	since, from, to  string
	untilNow, follow bool
}

func (s *selection) flags(c *cobra.Command) {
	c.Flags().StringSliceVar(&s.topics, "topic", nil, "topics, or the names of their services (default: all of the platform's)")
	c.Flags().StringSliceVar(&s.types, "type", nil, "event types, in full or their last part, e.g. OrderPlaced")
	c.Flags().StringVar(&s.key, "key", "", "key: the id of the aggregate")
}

// matches tells whether a message is meant. One that is no event is meant only when nothing is asked of events.
func (s *selection) matches(m bus.Message, e bus.Event, err error) bool {
	if s.key != "" && string(m.Key) != s.key {
		return false
	}
	if err != nil {
		return len(s.types) == 0 && s.tenant == ""
	}
	if s.tenant != "" && e.Tenant != s.tenant {
		return false
	}
	return len(s.types) == 0 || slices.ContainsFunc(s.types, func(want string) bool {
		return e.Type == want || strings.HasSuffix(e.Type, "."+want)
	})
}

func (t *tool) eventsCommand() *cobra.Command {
	c := &cobra.Command{Use: "events", Short: "Follow and replay the events in Kafka"}
	c.AddCommand(t.tailCommand(), t.replayCommand())
	return c
}

func (t *tool) tailCommand() *cobra.Command {
	var s selection
	c := &cobra.Command{
		Use:   "tail",
		Short: "Show events as they come, or since a time",
		Long: `Tail follows the topics from now on, or from --since. Within a partition events come in their order; those of
different partitions are mixed. With --until-now it ends once it has shown what is there.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s.tenant, s.from, s.follow = t.tenant, s.since, !s.untilNow
			if s.from == "" && s.untilNow {
				s.from = "start"
			}
			return t.tail(cmd, &s)
		},
	}
	s.flags(c)
	c.Flags().StringVar(&s.since, "since", "", "a time (RFC 3339), a duration before now (10m) or start")
	c.Flags().BoolVar(&s.untilNow, "until-now", false, "end once what is there is shown")
	return c
}

func (t *tool) tail(cmd *cobra.Command, s *selection) error {
	ctx := cmd.Context()
	client, err := t.bus()
	if err != nil {
		return err
	}
	defer client.Close()
	ranges, err := s.ranges(ctx, t.kafka, client)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	var wait sync.WaitGroup
	failures := make([]error, len(ranges))
	for i, r := range ranges {
		wait.Go(func() {
			failures[i] = client.Read(ctx, r.topic, r.partition, r.from, r.to, func(m bus.Message) error {
				e, err := bus.Decode(m)
				if !s.matches(m, e, err) {
					return nil
				}
				mu.Lock()
				defer mu.Unlock()
				return t.showEvent(cmd, m, e, err)
			})
			if failures[i] != nil {
				cancel() // one partition that cannot be read ends all: a gap would not be seen
			}
		})
	}
	wait.Wait()
	if cmd.Context().Err() != nil {
		return nil // Ctrl-C
	}
	return errors.Join(failures...)
}

// shownEvent is an event as JSON.
type shownEvent struct {
	Topic     string            `json:"topic"`
	Partition int               `json:"partition"`
	Offset    int64             `json:"offset"`
	Key       string            `json:"key"`
	Headers   map[string]string `json:"headers"`
	Data      json.RawMessage   `json:"data,omitempty"`
	Fault     string            `json:"fault,omitempty"`
}

func (t *tool) showEvent(cmd *cobra.Command, m bus.Message, e bus.Event, fault error) error {
	out := cmd.OutOrStdout()
	if t.output == "json" {
		shown := shownEvent{Topic: m.Topic, Partition: m.Partition, Offset: m.Offset, Key: string(m.Key), Headers: map[string]string{}}
		for _, h := range m.Headers {
			shown.Headers[h.Key] = string(h.Value)
		}
		if json.Valid(m.Value) {
			shown.Data = m.Value
		}
		if fault != nil {
			shown.Fault = fault.Error()
		}
		return json.NewEncoder(out).Encode(shown)
	}
	place := fmt.Sprintf("%s[%d]@%d", m.Topic, m.Partition, m.Offset)
	if fault != nil {
		_, err := fmt.Fprintf(out, "%s  %s  NOT AN EVENT: %v\n", m.Time.UTC().Format(time.RFC3339), place, fault)
		return err
	}
	_, err := fmt.Fprintf(out, "%s  %s  %s  %s  %s/%s #%d  %s\n", e.Time.Format(time.RFC3339Nano), place, e.Tenant,
		e.Type[strings.LastIndexByte(e.Type, '.')+1:], e.AggregateType, e.AggregateID, e.Sequence, m.Value)
	return err
}

func (t *tool) bus() (*bus.Client, error) {
	cfg := bus.Config{Brokers: t.kafka}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return bus.NewClient(cfg, slog.New(slog.DiscardHandler)), nil
}

// span is a stretch of one partition; to may be bus.Follow.
type span struct {
	topic     string
	partition int
	from, to  int64
}

// ranges finds the offsets of the selection's times in every partition of its topics.
func (s *selection) ranges(ctx context.Context, brokers []string, client *bus.Client) ([]span, error) {
	topics, err := s.resolveTopics(ctx, brokers)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	from, err := parseTime(s.from, now)
	if err != nil {
		return nil, err
	}
	to, err := parseTime(s.to, now)
	if err != nil {
		return nil, err
	}
	var all []span
	for _, topic := range topics {
		first, next, err := client.Offsets(ctx, topic)
		if err != nil {
			return nil, fmt.Errorf("topic %s: %w", topic, err)
		}
		for partition := range next {
			r := span{topic: topic, partition: partition, from: next[partition], to: next[partition]}
			switch {
			case s.from == "start":
				r.from = first[partition]
			case s.from != "":
				if r.from, err = client.OffsetAt(ctx, topic, partition, from); err != nil {
					return nil, err
				}
			}
			switch {
			case s.follow:
				r.to = bus.Follow
			case s.to != "":
				if r.to, err = client.OffsetAt(ctx, topic, partition, to); err != nil {
					return nil, err
				}
			}
			if r.to == bus.Follow || r.from < r.to {
				all = append(all, r)
			}
		}
	}
	return all, nil
}

// resolveTopics turns names of services into their topics; without names it asks Kafka for all of ours.
func (s *selection) resolveTopics(ctx context.Context, brokers []string) ([]string, error) {
	if len(s.topics) > 0 {
		topics := make([]string, len(s.topics))
		for i, name := range s.topics {
			if topics[i] = name; !strings.Contains(name, ".") {
				topics[i] = bus.TopicFor(name)
			}
		}
		return topics, nil
	}
	client := &kafka.Client{Addr: kafka.TCP(brokers...), Timeout: 10 * time.Second}
	answer, err := client.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return nil, fmt.Errorf("Kafka at %s does not answer: %w", strings.Join(brokers, ", "), err)
	}
	var topics []string
	for _, topic := range answer.Topics {
		if strings.HasPrefix(topic.Name, "guanxi.") && !strings.HasSuffix(topic.Name, ".dlq") {
			topics = append(topics, topic.Name)
		}
	}
	if len(topics) == 0 {
		return nil, errors.New("Kafka has none of the platform's topics yet")
	}
	slices.Sort(topics)
	return topics, nil
}

// parseTime reads an RFC 3339 time or a duration before now. The empty text and "start" give the zero time.
func parseTime(text string, now time.Time) (time.Time, error) {
	if text == "" || text == "start" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is neither a time like 2026-01-31T08:00:00Z nor a duration like 10m nor start", text)
	}
	return at, nil
}
