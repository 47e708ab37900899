package timeline_test

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/bustest"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	"github.com/guanxi-crm/guanxi/services/accounts"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/timeline"
)

// BenchmarkTheTimelineOfACohort places the events of a cohort that was imported: 23,500 customers and 70,000 orders of
// theirs, which name their customers or come before them.
func BenchmarkTheTimelineOfACohort(b *testing.B) {
	ids, orders := make([]string, 23_500), make([]*salesv1.OrderAttributed, 70_000)
	known, early := make(cohort), make(cohort)
	for i := range ids {
		ids[i] = newID().String()
		registered := &accountsv1.CustomerRegistered{CustomerId: ids[i], Source: "import", RegisteredAt: on(20)}
		known.tell(b, "customer", ids[i], 1, registered)
		early.tell(b, "customer", ids[i], 1, registered)
	}
	for i := range orders {
		id, customer := newID().String(), ids[i*7919%len(ids)]
		order := &salesv1.OrderPlaced{
			OrderId: id, CustomerId: customer, Channel: "web", Currency: "USD", Units: 2, TotalMinor: 2354, PlacedAt: on(1 + i%30),
			Lines: []*salesv1.OrderLine{{LineNo: 1, Quantity: 2, AmountMinor: 2354}},
		}
		known.tell(b, "order", id, 1, order)
		order.CustomerId = ""
		early.tell(b, "order", id, 1, order)
		orders[i] = &salesv1.OrderAttributed{OrderId: id, CustomerId: customer, AttributedAt: on(20)}
	}
	for _, attributed := range orders {
		early.tell(b, "order", attributed.GetOrderId(), 2, attributed)
	}
	for name, c := range map[string]cohort{"customers first": known, "orders first": early} {
		b.Run(name, c.place)
	}
}

// cohort is messages by topic.
type cohort map[string][]bus.Message

// place measures how the consumer takes them from topics where they lie, from its first batch on.
func (c cohort) place(b *testing.B) {
	client := bustest.New(b)
	database := pgtest.Database(b, accounts.Module().Source())
	for _, topic := range timeline.Consumer().Topics {
		bustest.Ensure(b, client, bus.Topic{Name: topic, Partitions: bus.Partitions})
	}
	var n int64
	for topic, messages := range c {
		n += int64(len(messages))
		publish(b, client, topic, messages)
	}
	ctx, stop := context.WithCancel(b.Context())
	runner := inbox.NewRunner(database.DB(pg.App), client, outbox.New("accounts"), "accounts", timeline.Consumer(), slog.New(slog.DiscardHandler))
	done := make(chan error, 1)
	go func() { done <- runner.Derived().Run(ctx) }()
	await(b, database, 1)
	began := time.Now()
	await(b, database, n)
	b.ReportMetric(float64(n)/time.Since(began).Seconds(), "events/s")
	stop()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

// tell adds an event to those of its topic.
func (c cohort) tell(b *testing.B, aggregate, id string, seq int64, m proto.Message) {
	b.Helper()
	data, err := protojson.Marshal(m)
	if err != nil {
		b.Fatal(err)
	}
	d := m.ProtoReflect().Descriptor()
	topic := string(d.ParentFile().Package())
	c[topic] = append(c[topic], bus.Encode(bus.Event{
		ID: uuid.Must(uuid.NewV7()), Type: string(d.FullName()), Source: "/guanxi/test", Tenant: "music", Epoch: 1, Topic: topic,
		AggregateType: aggregate, AggregateID: id, Sequence: seq, Time: heard, Data: data,
	}))
}

// publish writes the messages to the partitions where they belong, some hundreds a request.
func publish(b *testing.B, client *bus.Client, topic string, messages []bus.Message) {
	b.Helper()
	parts := make([][]bus.Message, bus.Partitions)
	for _, m := range messages {
		parts[m.Partition] = append(parts[m.Partition], m)
	}
	for partition, part := range parts {
		for chunk := range slices.Chunk(part, 500) {
			if err := client.Produce(b.Context(), topic, partition, chunk); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// await waits until so many messages were applied.
func await(b *testing.B, database *pgtest.TestDatabase, n int64) {
	b.Helper()
	ops := database.DB(pg.Ops)
	for at := int64(0); at < n; time.Sleep(5 * time.Millisecond) {
		err := ops.System(b.Context(), func(tx *pg.Tx) error {
			return tx.QueryRow(b.Context(), `SELECT coalesce(sum(next_offset), 0)::bigint FROM live.inbox_position`).Scan(&at)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
