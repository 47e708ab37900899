package outbox

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/propagation"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// maxPayload leaves room for headers below the 1 MiB that brokers take by default.
const maxPayload = 900 << 10

// storedHeaders is what stands in the column headers: of an event what the other columns do not tell, of a forwarded
// message everything but its value.
type storedHeaders struct {
	Type        string    `json:"type,omitempty"`
	Time        time.Time `json:"time,omitzero"`
	Schema      string    `json:"schema,omitempty"`
	TraceParent string    `json:"traceparent,omitempty"`
	TraceState  string    `json:"tracestate,omitempty"`

	Raw     bool         `json:"raw,omitempty"`
	Key     []byte       `json:"key,omitempty"`
	Headers []bus.Header `json:"headers,omitempty"`
}

// appended are the arguments of appendSQL: one array a column.
type appended struct {
	types  []string   // of the distinct aggregates, sorted with ids
	ids    [][16]byte //
	counts []int64    // events of each

	shards       []int16
	eventIDs     [][16]byte
	eventTypes   []string // the aggregate's type of each event
	aggregateIDs []string
	aggregates   []int32 // 1-based place among the distinct aggregates
	later        []int64 // how many events of the same aggregate follow
	headers      []string
	payloads     [][]byte

	first bool       // each event is the first of its aggregate
	alike bool       // they are of one type of aggregate and have the same headers
	each  [][16]byte // the aggregate of each event
}

type aggregate struct {
	kind string
	id   uuid.UUID
}

func (o *Outbox) encode(ctx context.Context, tenant string, events []Event) (*appended, error) {
	trace := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, trace)
	n := len(events)
	b := &appended{
		shards: make([]int16, n), eventIDs: make([][16]byte, n), eventTypes: make([]string, n),
		aggregateIDs: make([]string, n), aggregates: make([]int32, n), later: make([]int64, n),
		headers: make([]string, n), payloads: make([][]byte, n), each: make([][16]byte, n), first: true, alike: true,
	}
	count := map[aggregate]int64{}
	for i := range events {
		e := &events[i]
		if err := b.set(i, e, &events[max(i-1, 0)], tenant, trace); err != nil {
			return nil, err
		}
		b.first = b.first && e.First
		b.alike = b.alike && b.headers[i] == b.headers[0] && b.eventTypes[i] == b.eventTypes[0]
		count[aggregate{e.Aggregate, e.ID}]++
	}
	b.first = b.first && len(count) == n
	place := b.distinct(count)
	for i := n - 1; i >= 0; i-- {
		a := aggregate{events[i].Aggregate, events[i].ID}
		b.aggregates[i] = place[a]
		b.later[i] = b.counts[place[a]-1] - count[a]
		count[a]--
	}
	return b, nil
}

// distinct fills the arrays of aggregates in bytewise order and gives the place of each.
func (b *appended) distinct(count map[aggregate]int64) map[aggregate]int32 {
	all := make([]aggregate, 0, len(count))
	for a := range count {
		all = append(all, a)
	}
	slices.SortFunc(all, func(x, y aggregate) int {
		return cmp.Or(cmp.Compare(x.kind, y.kind), bytes.Compare(x.id[:], y.id[:]))
	})
	place := make(map[aggregate]int32, len(all))
	for i, a := range all {
		b.types, b.ids, b.counts = append(b.types, a.kind), append(b.ids, a.id), append(b.counts, count[a])
		place[a] = int32(i + 1)
	}
	return place
}

// set fills the place of the event. Before is the one before it, whose headers are the same where type and time are.
func (b *appended) set(i int, e, before *Event, tenant string, trace propagation.MapCarrier) error {
	if e.Aggregate == "" || e.ID == uuid.Nil || e.Message == nil || e.Time.IsZero() {
		return fmt.Errorf("event %d of an append lacks its aggregate, id, message or time: %+v", i, e)
	}
	payload, err := protojson.Marshal(e.Message)
	if err != nil {
		return fmt.Errorf("event %s as JSON: %w", e.Message.ProtoReflect().Descriptor().FullName(), err)
	}
	name := string(e.Message.ProtoReflect().Descriptor().FullName())
	if len(payload) > maxPayload {
		return problem.New(problem.TooLarge, "event_too_large",
			"The event %s would have %d bytes, of which at most %d can be published. Do it in smaller portions.",
			name, len(payload), maxPayload)
	}
	var headers string
	if i > 0 && e.Time.Equal(before.Time) && e.Message.ProtoReflect().Descriptor() == before.Message.ProtoReflect().Descriptor() {
		headers = b.headers[i-1]
	} else {
		raw, err := json.Marshal(storedHeaders{
			Type: name, Time: e.Time.UTC(), Schema: "urn:guanxi:jsonschema:" + name,
			TraceParent: trace["traceparent"], TraceState: trace["tracestate"],
		})
		if err != nil {
			return err
		}
		headers = string(raw)
	}
	eventID, err := uuid.NewV7()
	if err != nil {
		return err
	}
	id := e.ID.String()
	b.each[i] = e.ID
	b.shards[i] = int16(bus.Shard(tenant, e.Aggregate, id))
	b.eventIDs[i], b.eventTypes[i], b.aggregateIDs[i] = eventID, e.Aggregate, id
	b.headers[i], b.payloads[i] = headers, payload
	return nil
}

// message makes the Kafka record of a row.
func (o *Outbox) message(r *row) (bus.Message, storedHeaders, error) {
	var h storedHeaders
	if err := json.Unmarshal(r.headers, &h); err != nil {
		return bus.Message{}, h, fmt.Errorf("headers of outbox row %d/%d: %w", r.shard, r.id, err)
	}
	if h.Raw {
		return bus.Message{
			Topic: r.topic, Partition: int(r.shard), Key: h.Key, Value: r.payload, Headers: h.Headers,
		}, h, nil
	}
	m := bus.Encode(bus.Event{
		ID: r.eventID, Type: h.Type, Source: "/guanxi/" + o.service, Tenant: r.tenant,
		AggregateType: r.aggregateType, AggregateID: r.aggregateID, Sequence: r.seq, Epoch: int(r.epoch), Time: h.Time,
		Schema: h.Schema, Trace: map[string]string{"traceparent": h.TraceParent, "tracestate": h.TraceState},
		Data: r.payload, Topic: r.topic,
	})
	m.Partition = int(r.shard)
	return m, h, nil
}
