package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/guanxi-crm/guanxi/platform/bus"
)

// replayBatch is how many messages are sent at once.
const replayBatch = 500

// replayed counts the messages of one partition.
type replayed struct {
	Topic     string `json:"topic"`
	Partition int    `json:"partition"`
	Messages  int    `json:"messages"`
}

func (t *tool) replayCommand() *cobra.Command {
	var s selection
	var yes bool
	c := &cobra.Command{
		Use:   "replay",
		Short: "Send events that stand in a topic once more",
		Long: `Replay appends the selected events once more to the end of their own topic and partition, unchanged: the same
id, sequence, key and contents. A consumer that keeps its positions and sequences, as the platform's own do, drops them
as repetitions; one that lost events without noticing gets them again.

Without --yes it only counts what it would send.`,
		Example: `  guanxictl events replay --topic sales --type OrderPlaced --from 2026-01-31T08:00:00Z --to 2026-01-31T09:00:00Z
  guanxictl events replay --topic sales --from start --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(s.topics) == 0 {
				return errors.New("--topic is needed: what to replay is a decision for each topic")
			}
			s.tenant = t.tenant
			return t.replay(cmd, &s, yes)
		},
	}
	s.flags(c)
	c.Flags().StringVar(&s.from, "from", "start", "a time (RFC 3339), a duration before now (10m) or start")
	c.Flags().StringVar(&s.to, "to", "", "a time or a duration before now (default: what is there now)")
	c.Flags().BoolVar(&yes, "yes", false, "send, do not only count")
	return c
}

func (t *tool) replay(cmd *cobra.Command, s *selection, yes bool) error {
	client, err := t.bus()
	if err != nil {
		return err
	}
	defer client.Close()
	// The ends are taken before anything is sent, so that a replay never meets its own messages.
	ranges, err := s.ranges(cmd.Context(), t.kafka, client)
	if err != nil {
		return err
	}
	counts := make([]replayed, 0, len(ranges))
	total := 0
	for _, r := range ranges {
		n, err := replayPartition(cmd.Context(), client, s, r, yes)
		if err != nil {
			return fmt.Errorf("%s partition %d, after %d messages: %w", r.topic, r.partition, n, err)
		}
		if n > 0 {
			counts = append(counts, replayed{r.topic, r.partition, n})
		}
		total += n
	}
	return t.print(cmd, map[string]any{"sent": yes, "messages": total, "partitions": counts}, func(p *table) {
		p.row("TOPIC", "PARTITION", "MESSAGES")
		for _, c := range counts {
			p.row(c.Topic, c.Partition, c.Messages)
		}
		if yes {
			p.line(fmt.Sprintf("%d messages were sent once more.", total))
		} else {
			p.line(fmt.Sprintf("%d messages would be sent once more; --yes sends them.", total))
		}
	})
}

// patience is how long a replay waits for a broker that does not take a batch: longer than a leader takes to move.
const patience = time.Minute

// sendPatiently sends a batch, again and again where the broker cannot take it at this moment, as reading does: half a replay is
// none. What is written twice by that is dropped as all of a replay is.
func sendPatiently(ctx context.Context, client *bus.Client, r span, batch []bus.Message) error {
	for deadline := time.Now().Add(patience); ; {
		err := client.Produce(ctx, r.topic, r.partition, batch)
		var refused *bus.RefusedError
		if err == nil || errors.As(err, &refused) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func replayPartition(ctx context.Context, client *bus.Client, s *selection, r span, yes bool) (int, error) {
	var batch []bus.Message
	sent := 0
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		if yes {
			if err := sendPatiently(ctx, client, r, batch); err != nil {
				return err
			}
		}
		sent += len(batch)
		batch = batch[:0]
		return nil
	}
	err := client.Read(ctx, r.topic, r.partition, r.from, r.to, func(m bus.Message) error {
		e, fault := bus.Decode(m)
		if !s.matches(m, e, fault) {
			return nil
		}
		if batch = append(batch, m); len(batch) == replayBatch {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	return sent, err
}
