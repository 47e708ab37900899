package e2e_test

import (
	"context"
	"fmt"

	"github.com/google/uuid"

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

// audit reads a service's whole topic and compares it with the sequences that its database committed.
func (in *installation) audit(ctx context.Context, service string) (findings, error) {
	var f findings
	topic := bus.TopicFor(service)
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
	return f, in.compareSequences(ctx, service, topic, streams, &f)
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

func (in *installation) compareSequences(ctx context.Context, service, topic string, streams map[string]*stream, f *findings) error {
	db, err := in.database(ctx, service)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close(ctx) }()
	rows, err := db.Query(ctx, `SELECT tenant_id, aggregate_type, aggregate_id::text, seq FROM outbox_seq WHERE topic = $1`, topic)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var tenant, aggregate, id string
		var committed int
		if err := rows.Scan(&tenant, &aggregate, &id, &committed); err != nil {
			return err
		}
		key := fmt.Sprintf("%s/%s/%s", tenant, aggregate, id)
		told := 0
		if s := streams[key]; s != nil {
			told = len(s.ids)
			delete(streams, key)
		}
		f.lost += max(0, committed-told)
		f.phantom += max(0, told-committed)
	}
	for _, s := range streams {
		f.phantom += len(s.ids)
	}
	return rows.Err()
}
