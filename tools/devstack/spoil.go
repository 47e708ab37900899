package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/tools/devstack/demo"
	"github.com/guanxi-crm/guanxi/tools/devstack/stack"
)

// spoil publishes an order whose customer's id is none: it decodes, no consumer of orders can place it, and each sets it aside. So
// people who look after an installation have something to look at.
func spoil(ctx context.Context, s *stack.Stack) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	order, err := uuid.NewV7()
	if err != nil {
		return err
	}
	event := bus.Event{
		ID: id, Type: "guanxi.sales.events.v1.OrderPlaced", Source: "/guanxi/sales", Tenant: demo.Pizza,
		AggregateType: "order", AggregateID: order.String(), Sequence: 1, Epoch: 1, Time: time.Now().UTC(),
		Data: []byte(`{"orderId":"` + order.String() + `","customerId":"nobody","currency":"CNY","placedAt":"2026-01-01T00:00:00Z"}`),
	}
	client := bus.NewClient(bus.Config{Brokers: []string{s.KafkaAddr()}}, slog.New(slog.DiscardHandler))
	defer client.Close()
	shard := bus.Shard(event.Tenant, event.AggregateType, event.AggregateID)
	if err := client.Produce(ctx, bus.TopicFor("sales"), shard, []bus.Message{bus.Encode(event)}); err != nil {
		return fmt.Errorf("publish an order that cannot be placed: %w", err)
	}
	return nil
}
