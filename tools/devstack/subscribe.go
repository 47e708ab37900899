package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/tools/devstack/demo"
	"github.com/guanxi-crm/guanxi/tools/devstack/stack"
)

// The subscriptions that somebody from outside has to the events of tenant pizza, by the names that the operator would give: a program
// that has read three messages of its topic, and is gone since two more came; and a webhook, which follows customers.
const (
	subscribed       = "guanxi.sub.dev.events." + demo.Pizza + ".shop.erp"
	subscriber       = "sub.shop.erp.main"
	hook             = "guanxi.sub.dev.hook." + demo.Pizza + ".shop.till"
	readOf, unreadOf = 3, 2
)

// subscribe has outsiders read events, so that who looks after an installation has subscriptions to look at. The webhook reads until stop.
func subscribe(ctx context.Context, s *stack.Stack) (stop func(), err error) {
	client := bus.NewClient(bus.Config{Brokers: []string{s.KafkaAddr()}}, slog.New(slog.DiscardHandler))
	defer func() {
		if err != nil {
			client.Close()
		}
	}()
	if err := client.EnsureTopics(ctx, bus.Topic{Name: subscribed}); err != nil {
		return nil, fmt.Errorf("make the topic of a subscription: %w", err)
	}
	if err := publish(ctx, client, readOf); err != nil {
		return nil, err
	}
	leave := follow(ctx, client, subscriber, subscribed)
	err = readAll(ctx, client)
	leave()
	if err != nil {
		return nil, err
	}
	if err := publish(ctx, client, unreadOf); err != nil {
		return nil, err
	}
	leave = follow(ctx, client, hook, bus.TopicFor("accounts"))
	return func() {
		leave()
		client.Close()
	}, nil
}

func publish(ctx context.Context, client *bus.Client, n int) error {
	if err := client.Produce(ctx, subscribed, 0, slices.Repeat([]bus.Message{{Key: []byte("k"), Value: []byte("{}")}}, n)); err != nil {
		return fmt.Errorf("write into the topic of a subscription: %w", err)
	}
	return nil
}

// follow reads a topic as a member of a group until it leaves.
func follow(ctx context.Context, client *bus.Client, group, topic string) (leave func()) {
	ctx, cancel := context.WithCancel(ctx)
	left := make(chan struct{})
	go func() {
		defer close(left)
		_ = client.Subscribe(ctx, bus.Subscription{
			Group: group, Topics: []string{topic},
			Start:  func(context.Context, string, int) (int64, error) { return 0, nil },
			Handle: func(context.Context, string, int, []bus.Message) error { return nil },
		})
	}()
	return func() {
		cancel()
		<-left
	}
}

// readAll waits until the subscriber has said that it has read its topic to the end.
func readAll(ctx context.Context, client *bus.Client) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		readers, err := client.Readers(ctx, func(topic string) bool { return topic == subscribed }, func(group string) bool { return group == subscriber })
		if err == nil && len(readers) == 1 && readers[0].Topics[0].Committed > 0 && readers[0].Topics[0].Lag == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the group %s to read its topic: %w", subscriber, context.Cause(ctx))
		case <-time.After(200 * time.Millisecond):
		}
	}
}
