package inbox

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// maxError bounds the text of an error that is kept, in bytes.
const maxError = 4000

// park queues the insert of an item that is parked or queued, and, for a parked one, the copy for integrators. An event
// that is held already, from another place in the topic, stays as it is.
func (e *engine) park(ctx context.Context, tx *pg.Tx, it *item) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	headers, err := encodeHeaders(it.msg.Headers)
	if err != nil {
		return err
	}
	state, text := "parked", ""
	if it.verdict == queued {
		state = "queued"
	}
	if it.fault != nil {
		text = storable(it.fault.Error())
	}
	var tenant, eventID, kind, aggregateType, aggregateID *string
	var epoch *int
	var seq *int64
	if it.placed {
		ev := it.event
		s := ev.ID.String()
		tenant, eventID, kind, aggregateType, aggregateID = &ev.Tenant, &s, &ev.Type, &ev.AggregateType, &ev.AggregateID
		epoch, seq = &ev.Epoch, &ev.Sequence
	}
	tx.Queue(`INSERT INTO inbox_parked (id, consumer, ordered, tenant_id, topic, partition, kafka_offset, event_id, event_type,
			aggregate_type, aggregate_id, epoch, seq, message_time, message_key, headers, payload, state, code, error, tries)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
		ON CONFLICT DO NOTHING`,
		id.String(), e.consumer.Name, e.consumer.Ordered, tenant, it.msg.Topic, it.msg.Partition, it.msg.Offset, eventID, kind,
		aggregateType, aggregateID, epoch, seq, it.msg.Time, it.msg.Key, headers, it.msg.Value, state, storable(it.code), text, it.tries)
	if it.verdict == parked && !it.gap {
		return e.deadLetter(ctx, tx, it)
	}
	return nil
}

// demote queues what keeps one parked event an aggregate, the first: those behind it wait.
func (e *engine) demote(tx *pg.Tx, b *batch, tenant string) {
	tx.Queue(`UPDATE inbox_parked p SET state = 'queued'
		WHERE p.consumer = $1 AND p.tenant_id = $2 AND p.topic = $3 AND p.partition = $4 AND p.ordered AND p.state = 'parked'
			AND EXISTS (SELECT FROM inbox_parked h WHERE h.consumer = p.consumer AND h.tenant_id = p.tenant_id AND h.topic = p.topic
				AND h.aggregate_type = p.aggregate_type AND h.aggregate_id = p.aggregate_id AND h.ordered
				AND (h.epoch, h.seq) < (p.epoch, p.seq))`,
		e.consumer.Name, tenant, b.topic, b.partition)
}

// deadLetter queues a copy of a parked message to the dead letters of its topic. What is held for a gap gets none: it is
// not at fault. The copy says who could not apply it and by which code, but not the text of the error, which may quote
// what is not for everybody. A rebuild publishes nothing.
func (e *engine) deadLetter(ctx context.Context, tx *pg.Tx, it *item) error {
	if e.shadow || e.outbox == nil {
		return nil
	}
	m := it.msg
	m.Headers = slices.Clone(m.Headers)
	for _, h := range [][2]string{
		{"guanxi_dead_consumer", e.service + "/" + e.consumer.Name},
		{"guanxi_dead_code", it.code},
		{"guanxi_dead_topic", m.Topic},
		{"guanxi_dead_partition", strconv.Itoa(m.Partition)},
		{"guanxi_dead_offset", strconv.FormatInt(m.Offset, 10)},
	} {
		m.Headers = append(m.Headers, bus.Header{Key: h[0], Value: []byte(h[1])})
	}
	return e.outbox.Forward(ctx, tx, bus.DeadLetters(m.Topic), m)
}

// storable makes text out of anything: PostgreSQL takes neither U+0000 nor broken UTF-8.
func storable(s string) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
	if len(s) > maxError {
		s = strings.ToValidUTF8(s[:maxError], "") + "…"
	}
	return s
}

// encodeHeaders writes headers so that any bytes come back as they were.
func encodeHeaders(headers []bus.Header) ([]byte, error) {
	if headers == nil {
		headers = []bus.Header{}
	}
	return json.Marshal(headers)
}

func decodeHeaders(raw []byte) ([]bus.Header, error) {
	var headers []bus.Header
	err := json.Unmarshal(raw, &headers)
	return headers, err
}
