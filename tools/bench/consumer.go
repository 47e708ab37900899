package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/analytics"
	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// measureConsumer lets the consumer of analytics apply events that lie in a topic, and then rebuilds the projection from
// all of them, each beside a plain insert of as many rows into a table of the same shape.
func measureConsumer(ctx context.Context, b *bench) error {
	if err := b.settle(ctx); err != nil {
		return err
	}
	if err := b.serve(ctx, onlyHTTP); err != nil {
		return err
	}
	n := length(b, 100_000, 10_000)
	var rates, baselines, ratios []float64
	for range length(b, 3, 1) {
		if _, err := b.drain(ctx, n); err != nil {
			return err
		}
		rate, err := b.consume(ctx)
		if err != nil {
			return err
		}
		plain, err := b.insertPlain(ctx, n)
		if err != nil {
			return err
		}
		rates, baselines, ratios = append(rates, rate), append(baselines, plain), append(ratios, rate/plain)
	}
	const base = "plain INSERT of the rows"
	b.add(row{Name: "consumer of analytics: events applied", Unit: "events/s", Measured: median(rates), Ratio: median(ratios)}.
		against(base, median(baselines)))
	if err := b.serve(ctx, ""); err != nil {
		return err
	}
	if err := b.settle(ctx); err != nil {
		return err
	}
	rebuilt, err := b.rebuild(ctx)
	if err != nil {
		return err
	}
	b.add(row{Name: fmt.Sprintf("rebuild of analytics: %d events replayed", rebuilt.Events), Unit: "events/s",
		Measured: float64(rebuilt.Events) / rebuilt.Seconds}.against(base, median(baselines)))
	return nil
}

// consume runs the consumer within this process until it is level, and gives the rate from its first batch on: joining
// a group takes its time, however much there is to do.
func (b *bench) consume(ctx context.Context) (rate float64, err error) {
	db, err := b.open(ctx, "analytics", pg.App)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	o := outbox.New("analytics")
	parts, err := analytics.Module().Build(app.Deps{DB: db, Bus: b.bus, Outbox: o, Log: quiet(), Clock: time.Now})
	if err != nil {
		return 0, err
	}
	running, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for _, c := range parts.Consumers {
		wg.Go(func() { _ = inbox.NewRunner(db, b.bus, o, "analytics", c, quiet()).Run(running) })
	}
	defer wg.Wait()
	defer stop()
	return b.watchPositions(ctx)
}

// watchPositions waits until the consumer of what customers and sales say is level.
func (b *bench) watchPositions(ctx context.Context) (rate float64, err error) {
	conn, err := b.database(ctx, "analytics")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	var end int64
	for _, service := range []string{"accounts", "sales"} {
		next, err := b.topicEnds(ctx, bus.TopicFor(service))
		if err != nil {
			return 0, err
		}
		for _, offset := range next {
			end += offset
		}
	}
	var first, begin int64 = -1, 0
	var began time.Time
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	for {
		var at int64
		if err := conn.QueryRow(ctx, `SELECT coalesce(sum(next_offset), 0)::bigint FROM live.inbox_position WHERE consumer = 'facts'`).Scan(&at); err != nil {
			return 0, err
		}
		now := time.Now()
		switch {
		case first < 0:
			first = at
		case began.IsZero() && at > first:
			began, begin = now, at
		case at == end:
			return float64(end-begin) / now.Sub(began).Seconds(), nil
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return 0, fmt.Errorf("the consumer stands at %d of %d: %w", at, end, err)
		}
	}
}

// insertPlain inserts n rows, 500 a transaction, into a table like that of the facts, over as many connections as the
// machine can keep busy.
func (b *bench) insertPlain(ctx context.Context, n int) (rate float64, err error) {
	const connections, batch = 4, 500
	admin, err := b.database(ctx, "analytics")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, admin.Close(context.WithoutCancel(ctx))) }()
	if _, err := admin.Exec(ctx, `DROP TABLE IF EXISTS bench_insert; CREATE TABLE bench_insert (LIKE live.fact_customer INCLUDING ALL)`); err != nil {
		return 0, err
	}
	var conns []*pgx.Conn
	defer func() {
		for _, conn := range conns {
			err = errors.Join(err, conn.Close(context.WithoutCancel(ctx)))
		}
	}()
	for range connections {
		conn, err := b.database(ctx, "analytics")
		if err != nil {
			return 0, err
		}
		conns = append(conns, conn)
	}
	began := time.Now()
	g, gctx := errgroup.WithContext(ctx)
	for _, conn := range conns {
		g.Go(func() error {
			for range n / connections / batch {
				if err := insertBatch(gctx, conn, batch); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return 0, err
	}
	rate = perSecond(n, time.Since(began))
	_, err = admin.Exec(ctx, "DROP TABLE bench_insert")
	return rate, err
}

func insertBatch(ctx context.Context, conn *pgx.Conn, n int) error {
	ids, kinds, times := make([]uuid.UUID, n), make([]string, n), make([]time.Time, n)
	for i := range ids {
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		ids[i], kinds[i], times[i] = id, "person", time.Now()
	}
	_, err := conn.Exec(ctx, `INSERT INTO bench_insert (tenant_id, customer_id, kind, source, registered_at)
		SELECT $1, * FROM unnest($2::uuid[], $3::text[], $3::text[], $4::timestamptz[]) ON CONFLICT DO NOTHING`, tenant, ids, kinds, times)
	return err
}

// rebuild asks for a rebuild of analytics and waits for its end.
func (b *bench) rebuild(ctx context.Context) (inbox.RebuildResult, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	const path = "/v1/ops/analytics/rebuilds"
	var job inbox.RebuildJob
	if _, err := b.operate.Do(ctx, client.Request{Method: "POST", Path: path}, &job); err != nil {
		return inbox.RebuildResult{}, err
	}
	for {
		if err := b.operate.Get(ctx, path+"/"+job.ID.String(), nil, &job); err != nil {
			return inbox.RebuildResult{}, err
		}
		switch {
		case job.State == "failed":
			return inbox.RebuildResult{}, errors.New("the rebuild failed: " + job.Error)
		case job.Result != nil && !job.Result.Equal:
			return inbox.RebuildResult{}, errors.New("the rebuilt projection differs from the one in use")
		case job.Result != nil:
			return *job.Result, nil
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return inbox.RebuildResult{}, err
		}
	}
}
