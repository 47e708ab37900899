package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	accountsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/accounts/events/v1"
	referencev1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/reference/v1"
)

// The parts of the platform that do something to every partition or with every CPU are measured without the others; so
// are those whose begin or end cannot be seen from outside.
const (
	withoutRelay = "http,consumers,workers"
	onlyHTTP     = "http"
)

// producer is accounts' outbox and its relay, within this process: what a service is made of, where each step can be
// timed. The platform's own relay must not run.
type producer struct {
	db, relayDB *pg.DB
	outbox      *outbox.Outbox
	relay       *outbox.Relay
}

func (b *bench) newProducer(ctx context.Context, acknowledged func([]uuid.UUID)) (*producer, error) {
	db, err := b.open(ctx, "accounts", pg.App)
	if err != nil {
		return nil, err
	}
	relayDB, err := b.open(ctx, "accounts", pg.Relay)
	if err != nil {
		db.Close()
		return nil, err
	}
	p := &producer{db: db, relayDB: relayDB, outbox: outbox.New("accounts")}
	p.relay = outbox.NewRelay(relayDB, b.bus, p.outbox, quiet(), outbox.RelayConfig{Acknowledged: acknowledged})
	return p, nil
}

func (p *producer) close() {
	p.db.Close()
	p.relayDB.Close()
}

// start runs the relay until the returned function is called.
func (p *producer) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { _ = p.relay.Run(ctx) }) // it gives nil
	return func() {
		cancel()
		wg.Wait()
	}
}

// registered is the event of a new customer.
func registered(id uuid.UUID) outbox.Event {
	now := time.Now().UTC()
	return outbox.Event{Aggregate: "customer", ID: id, Time: now, Message: &accountsv1.CustomerRegistered{
		CustomerId: id.String(), Kind: accountsv1.CustomerKind_CUSTOMER_KIND_PERSON, Source: "bench",
		ExternalRefs: []*referencev1.ExternalRef{{System: "bench", Id: id.String()}}, RegisteredAt: timestamppb.New(now),
	}}
}

// fill commits n events of as many customers.
func (p *producer) fill(ctx context.Context, n int) error {
	const chunk = 1000
	for done := 0; done < n; done += chunk {
		err := p.db.Tx(ctx, tenant, func(tx *pg.Tx) error {
			events := make([]outbox.Event, 0, chunk)
			for range min(chunk, n-done) {
				id, err := uuid.NewV7()
				if err != nil {
					return err
				}
				events = append(events, registered(id))
			}
			return p.outbox.Append(ctx, tx, events...)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// topicEnds are the offsets that the next records of a topic will get.
func (b *bench) topicEnds(ctx context.Context, topic string) ([]int64, error) {
	_, next, err := b.bus.Offsets(ctx, topic)
	return next, err
}

// since reads what was written to the topic after the offsets.
func (b *bench) since(ctx context.Context, topic string, from []int64, each func(bus.Message) error) error {
	to, err := b.topicEnds(ctx, topic)
	if err != nil {
		return err
	}
	for partition := range from {
		if err := b.bus.Read(ctx, topic, partition, from[partition], to[partition], each); err != nil {
			return fmt.Errorf("%s/%d: %w", topic, partition, err)
		}
	}
	return nil
}

// rawTopic is for producing the same records without the platform; nobody consumes it.
const rawTopic = "bench.raw"

func (b *bench) ensureRawTopic(ctx context.Context) error {
	return b.bus.EnsureTopics(ctx, bus.Topic{Name: rawTopic, Partitions: bus.Partitions})
}

// registeredType is the wire's name of the event of a new customer.
const registeredType = "guanxi.accounts.events.v1.CustomerRegistered"

// payload is the value of the event's record.
func payload(id uuid.UUID) ([]byte, error) { return protojson.Marshal(registered(id).Message) }
