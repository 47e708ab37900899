package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// ordersPerSecond is a moderate rate: 180,000 orders an hour.
const ordersPerSecond = 50

// measureVisible places orders over HTTP and takes the time until each stands in the facts of analytics, beside the time
// that its own answer took. The clock starts when the order was due to be sent.
func measureVisible(ctx context.Context, b *bench) error {
	conn, err := b.database(ctx, "analytics")
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	w := &watcher{pending: make(map[string]time.Time), sql: `SELECT f.order_id::text FROM unnest($2::text[]) p (id)
		JOIN live.fact_order f ON f.tenant_id = $1 AND f.order_id = p.id::uuid`}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, 1)
	go func() { failed <- w.watch(watching, conn) }()

	if err := w.place(ctx, b, ordersPerSecond); err != nil { // warm up
		return err
	}
	if err := w.wait(ctx); err != nil {
		return err
	}
	w.answered, w.seen = nil, nil
	if err := w.place(ctx, b, length(b, 30, 3)*ordersPerSecond); err != nil {
		return err
	}
	if err := w.wait(ctx); err != nil {
		return err
	}
	stop()
	if err := <-failed; err != nil {
		return err
	}
	const name, base = "POST /v1/orders to visible in analytics at 50/s, ", "its own answer"
	b.add(row{Name: name + "p50", Unit: "ms", Measured: millis(percentile(w.seen, 0.5))}.against(base, millis(percentile(w.answered, 0.5))),
		row{Name: name + "p99", Unit: "ms", Measured: millis(percentile(w.seen, 0.99))}.against(base, millis(percentile(w.answered, 0.99))).atMost(250))
	return b.settle(ctx)
}

// watcher waits for what was done to become visible.
type watcher struct {
	sql            string // gives those of the ids ($2) that are visible
	mu             sync.Mutex
	pending        map[string]time.Time // when it was due, by its id
	answered, seen []time.Duration
}

func (w *watcher) place(ctx context.Context, b *bench, n int) error {
	return openLoop(ctx, ordersPerSecond, n, func(i int, due time.Time) error {
		id, err := b.api.PlaceOrder(ctx, client.Order{
			ExternalRef: &client.Ref{System: "bench", ID: fmt.Sprintf("%d-%d", due.UnixNano(), i)},
			CustomerRef: &client.Ref{System: "bench", ID: fmt.Sprint(i % 1000)}, Channel: "bench", Currency: "CNY",
			Lines: []client.OrderLine{{SKU: "A", Quantity: 1, AmountMinor: 5800}, {SKU: "B", Quantity: 2, AmountMinor: 3600}},
		})
		w.mu.Lock()
		defer w.mu.Unlock()
		w.answered = append(w.answered, time.Since(due))
		w.pending[id] = due
		return err
	})
}

// watch asks every two milliseconds which of what is pending is there.
func (w *watcher) watch(ctx context.Context, conn *pgx.Conn) error {
	for pause(ctx, 2*time.Millisecond) == nil {
		w.mu.Lock()
		ids := make([]string, 0, len(w.pending))
		for id := range w.pending {
			ids = append(ids, id)
		}
		w.mu.Unlock()
		if len(ids) == 0 {
			continue
		}
		rows, err := conn.Query(context.WithoutCancel(ctx), w.sql, tenant, ids)
		if err != nil {
			return err
		}
		there, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		now := time.Now()
		w.mu.Lock()
		for _, id := range there {
			w.seen = append(w.seen, now.Sub(w.pending[id]))
			delete(w.pending, id)
		}
		w.mu.Unlock()
	}
	return nil
}

// wait waits until nothing is pending.
func (w *watcher) wait(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		w.mu.Lock()
		n := len(w.pending)
		w.mu.Unlock()
		if n == 0 {
			return nil
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return fmt.Errorf("%d did not become visible: %w", n, err)
		}
	}
}
