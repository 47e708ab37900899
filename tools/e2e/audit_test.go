package e2e_test

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/bus"
)

// findings is what is wrong between a service's database, which is the truth, and its topic.
type findings struct {
	events      int // distinct events in the topic
	repetitions int // sent more than once, which is allowed: at least once is what the relay promises
	lost        int // in the database's sequences, and not in the topic
	phantom     int // in the topic, and not in the database's sequences
	orderBreaks int // a sequence that was skipped when it was first heard
}

// stream is one aggregate's events as the topic tells them.
type stream struct {
	ids []uuid.UUID // by sequence, from 1
}

// audit reads a service's whole topic and compares it with the sequences that its database committed. The service may work on
// meanwhile, as analytics and whoever hears of it do for a while after everything else: what was committed before is in the topic
// once the outbox was empty, and what is in the topic was committed after it was read.
func (in *installation) audit(ctx context.Context, service string) (findings, error) {
	var f findings
	topic := bus.TopicFor(service)
	before, err := in.sequences(ctx, service, topic)
	if err != nil {
		return f, err
	}
	in.eventually(time.Minute, func() error {
		status, err := in.operate.GetStatus(ctx, service)
		if err == nil && status.OutboxBacklog > 0 {
			err = fmt.Errorf("%d events of %s are not in its topic yet", status.OutboxBacklog, service)
		}
		return err
	})
	streams := make(map[string]*stream)
	first, next, err := in.bus.Offsets(ctx, topic)
	if err != nil {
		return f, err
	}
	for partition := range next {
		err := in.bus.Read(ctx, topic, partition, first[partition], next[partition], func(m bus.Message) error {
			e, err := bus.Decode(m)
			if err != nil {
				return err
			}
			key := fmt.Sprintf("%s/%s/%s", e.Tenant, e.AggregateType, e.AggregateID)
			s := streams[key]
			if s == nil {
				s = &stream{}
				streams[key] = s
			}
			s.hear(e, &f)
			return nil
		})
		if err != nil {
			return f, err
		}
	}
	after, err := in.sequences(ctx, service, topic)
	if err != nil {
		return f, err
	}
	for key, committed := range before {
		f.lost += max(0, committed-streams[key].told())
	}
	for key, s := range streams {
		f.phantom += max(0, s.told()-after[key])
	}
	return f, nil
}

// told is how many events of the aggregate are in the topic.
func (s *stream) told() int {
	if s == nil {
		return 0
	}
	return len(s.ids)
}

// hear takes one event: the next of its aggregate, or one that was heard before.
func (s *stream) hear(e bus.Event, f *findings) {
	switch at := int(e.Sequence); {
	case at == len(s.ids)+1:
		s.ids = append(s.ids, e.ID)
		f.events++
	case at < 1 || at > len(s.ids)+1:
		f.orderBreaks++
	case s.ids[at-1] != e.ID:
		f.phantom++ // two events claim the same place
	default:
		f.repetitions++
	}
}

// sequences gives how many events of each aggregate a service's database has committed.
func (in *installation) sequences(ctx context.Context, service, topic string) (map[string]int, error) {
	db, err := in.database(ctx, service)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close(ctx) }()
	rows, err := db.Query(ctx, `SELECT tenant_id || '/' || aggregate_type || '/' || aggregate_id, seq FROM outbox_seq WHERE topic = $1`, topic)
	if err != nil {
		return nil, err
	}
	committed := make(map[string]int)
	var key string
	var seq int
	_, err = pgx.ForEachRow(rows, []any{&key, &seq}, func() error {
		committed[key] = seq
		return nil
	})
	return committed, err
}
