package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// What analytics is measured with: customers who were won over two years, and ten orders each in the mean.
const (
	buyers      = 1_000_000
	shortBuyers = 20_000
)

// measureAnalytics reckons over the orders of very many customers. The facts are written as the consumer of analytics writes
// them, by SQL, since what is measured is what is done with them.
func measureAnalytics(ctx context.Context, b *bench) error {
	conn, err := b.database(ctx, "analytics")
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	n := length(b, buyers, shortBuyers)
	if b.people > 0 {
		n = b.people
	}
	orders, err := b.loadBuyers(ctx, conn, n)
	if err != nil {
		return err
	}
	for _, measure := range []func(context.Context, *pgx.Conn, int, int64) error{
		b.portraits, b.fitPurchases, b.rateAll, b.dashboard, b.preview, b.reach,
	} {
		if err := measure(ctx, conn, n, orders); err != nil {
			return err
		}
	}
	return b.settle(ctx)
}

// loadBuyers makes n customers with their orders: when each was won, how long it kept buying, how often. It takes the place of
// what the tenant had.
func (b *bench) loadBuyers(ctx context.Context, conn *pgx.Conn, n int) (orders int64, err error) {
	b.say(fmt.Sprintf("making the orders of %d customers", n))
	for _, sql := range []string{
		`SET synchronous_commit = off`, `SET work_mem = '256MB'`, `SET maintenance_work_mem = '1GB'`, `SELECT setseed(0.42)`,
		`DELETE FROM live.fact_order WHERE tenant_id = @tenant`, `DELETE FROM live.fact_return WHERE tenant_id = @tenant`,
		`DELETE FROM live.sales_day WHERE tenant_id = @tenant`, `DELETE FROM live.fact_customer WHERE tenant_id = @tenant`,
		`DELETE FROM portrait WHERE tenant_id = @tenant`,
		`CREATE TEMP TABLE buyer AS SELECT i, ('01900000-0000-7000-8000-' || lpad(to_hex(i), 12, '0'))::uuid AS id, first,
			first + random() * (730 - first) * random() AS last, 1 + floor(-9.5 * ln(1 - random()))::int AS orders
			FROM (SELECT i, floor(random() * 730) AS first FROM generate_series(1, @n::int) i) x`,
		`INSERT INTO live.fact_customer (tenant_id, customer_id, kind, source, registered_at)
			SELECT @tenant, id, 'person', (ARRAY['shop', 'web', 'friend'])[1 + i % 3], current_date - 730 + first::int FROM buyer`,
		`INSERT INTO live.fact_order (tenant_id, order_id, customer_id, channel, currency, units, total_minor, placed_at, skus, quantities, amounts)
			SELECT @tenant, ('01910000-' || lpad(to_hex(k % 65536), 4, '0') || '-7000-8000-' || lpad(to_hex(b.i), 12, '0'))::uuid, b.id,
				(ARRAY['shop', 'web', 'phone', 'app'])[1 + (b.i + k) % 4], 'CNY', 1 + k % 3, a.amount,
				current_date - 730 + (b.first + CASE WHEN k = 1 THEN 0 ELSE random() * (b.last - b.first) END) * interval '1 day',
				ARRAY['p' || (b.i * 7 + k * 13) % 500], ARRAY[1 + k % 3], ARRAY[a.amount]
			FROM buyer b CROSS JOIN LATERAL generate_series(1, b.orders) k CROSS JOIN LATERAL (SELECT (900 + (b.i * 31 + k * 17) % 9000)::bigint AS amount) a`,
		`INSERT INTO live.sales_day (tenant_id, currency, channel, day, slot, orders, units, gross_minor)
			SELECT @tenant, currency, channel, (placed_at AT TIME ZONE 'UTC')::date, 0, count(*), sum(units), sum(total_minor)
			FROM live.fact_order WHERE tenant_id = @tenant GROUP BY currency, channel, (placed_at AT TIME ZONE 'UTC')::date`,
		`VACUUM (ANALYZE) live.fact_order`, `VACUUM (ANALYZE) live.fact_customer`, `ANALYZE live.sales_day`, `CHECKPOINT`,
	} {
		var args []any // VACUUM takes none
		if strings.Contains(sql, "@") {
			args = []any{pgx.NamedArgs{"tenant": tenant, "n": n}}
		}
		if _, err := conn.Exec(ctx, sql, args...); err != nil {
			return 0, fmt.Errorf("%s: %w", sql, err)
		}
	}
	err = conn.QueryRow(ctx, `SELECT count(*) FROM live.fact_order WHERE tenant_id = $1`, tenant).Scan(&orders)
	b.say(fmt.Sprintf("%d orders", orders))
	return orders, err
}

// plainly takes how long a statement takes whose answer is thrown away.
func plainly(ctx context.Context, conn *pgx.Conn, sql string) (time.Duration, error) {
	began := time.Now()
	rows, err := conn.Query(ctx, sql, tenant)
	if err != nil {
		return 0, err
	}
	for rows.Next() {
	}
	return time.Since(began), rows.Err()
}

// work asks for something that is done behind the scenes and waits for its end.
func (b *bench) work(ctx context.Context, start, look string, in any) (took time.Duration, err error) {
	began := time.Now()
	var job struct {
		ID    string
		RunID string `json:"run_id"`
		State string
	}
	if err := b.api.Post(ctx, start, in, &job); err != nil {
		return 0, err
	}
	for job.State != "done" {
		if job.State == "failed" || time.Since(began) > 30*time.Minute {
			return 0, fmt.Errorf("%s is %s", start, job.State)
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return 0, err
		}
		if err := b.api.Get(ctx, look+"/"+cmp.Or(job.ID, job.RunID), nil, &job); err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}

// portraits has every portrait made.
func (b *bench) portraits(ctx context.Context, conn *pgx.Conn, n int, _ int64) error {
	const path = "/v1/analytics/portraits/rebuilds"
	took, err := b.work(ctx, path, path, nil)
	if err != nil {
		return err
	}
	plain, err := plainly(ctx, conn, `SELECT customer_id, count(*), sum(total_minor), min(placed_at), max(placed_at) FROM live.fact_order WHERE tenant_id = $1 GROUP BY 1`)
	if err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, `VACUUM (ANALYZE) portrait`); err != nil {
		return err
	}
	b.add(row{Name: fmt.Sprintf("portraits of %d customers made", n), Unit: "s", Measured: took.Seconds()}.
		against("one SELECT that groups the orders", plain.Seconds()))
	return nil
}

// fitPurchases fits BG/NBD to all customers.
func (b *bench) fitPurchases(ctx context.Context, conn *pgx.Conn, n int, _ int64) error {
	plain, err := plainly(ctx, conn, `SELECT x, t_x, t, count(*) FROM (
		SELECT customer_id, count(DISTINCT placed_at::date) - 1 AS x, max(placed_at::date) - min(placed_at::date) AS t_x, current_date - min(placed_at::date) AS t
		FROM live.fact_order WHERE tenant_id = $1 GROUP BY customer_id) c GROUP BY 1, 2, 3`)
	if err != nil {
		return err
	}
	began := time.Now()
	var answer struct {
		Job struct {
			ID, State, Reason string
			ModelID           string `json:"model_id"`
		}
	}
	if err := b.api.Post(ctx, "/v1/models/bgnbd/fit", map[string]any{"source": "facts", "later": true}, &answer); err != nil {
		return err
	}
	for job := &answer.Job; job.State != "done"; {
		if job.State == "failed" {
			return errors.New("the fit failed: " + job.Reason)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
		if err := b.api.Get(ctx, "/v1/models/jobs/"+job.ID, nil, job); err != nil {
			return err
		}
	}
	b.add(row{Name: fmt.Sprintf("BG/NBD fitted to the facts of %d customers", n), Unit: "s", Measured: time.Since(began).Seconds()}.
		against("one SELECT of (x, t_x, T)", plain.Seconds()).atMost(10))
	return nil
}

// rateAll rates everybody by RFM.
func (b *bench) rateAll(ctx context.Context, conn *pgx.Conn, n int, orders int64) error {
	plain, err := plainly(ctx, conn, `SELECT customer_id, max(placed_at), count(DISTINCT placed_at::date), sum(total_minor) FROM live.fact_order WHERE tenant_id = $1 GROUP BY 1`)
	if err != nil {
		return err
	}
	const path = "/v1/analytics/rfm/runs"
	took, err := b.work(ctx, path, path, map[string]any{"currency": "CNY"})
	if err != nil {
		return err
	}
	var reading float64
	err = conn.QueryRow(ctx, `SELECT extract(epoch FROM r.reckoned_at - a.started_at) FROM rfm_run r JOIN analytics_run a USING (tenant_id, run_id)
		WHERE tenant_id = $1 ORDER BY r.reckoned_at DESC NULLS LAST LIMIT 1`, tenant).Scan(&reading)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("RFM over %d orders of %d customers, into their portraits", orders, n)
	b.add(row{Name: name, Unit: "s", Measured: took.Seconds()}.against("one SELECT of R, F and M", plain.Seconds()).atMost(20),
		row{Name: name + ": until the scores are known", Unit: "s", Measured: reading})
	return nil
}

// dashboard asks for what dashboards show.
func (b *bench) dashboard(ctx context.Context, _ *pgx.Conn, _ int, orders int64) error {
	asked := url.Values{"metrics": {"net_revenue,orders,average_order_value"}, "by": {"channel"}, "grain": {"month"}, "currency": {"CNY"},
		"from": {time.Now().AddDate(-2, 0, 0).Format(time.DateOnly)}, "to": {time.Now().Format(time.DateOnly)}}
	return b.ask(ctx, question{
		name: fmt.Sprintf("GET /v1/metrics/query by channel and month over %d orders", orders), atMost: 300, rate: 10, service: "analytics",
		path:    func(*bench, int) (string, error) { return "/v1/metrics/query?" + asked.Encode(), nil },
		against: "SELECT from the days",
		sql: `SELECT channel, date_trunc('month', day), sum(orders), sum(gross_minor - returned_minor) FROM live.sales_day
			WHERE tenant_id = $1 AND currency = $2 GROUP BY 1, 2 ORDER BY 1, 2`,
		args: func(*bench, int) ([]any, error) { return []any{"CNY"}, nil },
	})
}

// preview counts a segment that is being thought of.
func (b *bench) preview(ctx context.Context, conn *pgx.Conn, n int, _ int64) error {
	plain, err := plainly(ctx, conn, `SELECT count(*) FROM portrait WHERE tenant_id = $1 AND orders >= 10 AND last_purchase_on >= current_date - 90 AND net_minor > 20000`)
	if err != nil {
		return err
	}
	var each []time.Duration
	for range length(b, 20, 5) {
		began := time.Now()
		err := b.api.Post(ctx, "/v1/segments/preview", map[string]any{"filter_text": "orders >= 10 and last_purchase_on within 90 days and net_minor > 20000"}, nil)
		if err != nil {
			return err
		}
		each = append(each, time.Since(began))
	}
	b.add(row{Name: fmt.Sprintf("preview of a segment of %d customers, slowest of %d", n, len(each)), Unit: "ms", Measured: millis(percentile(each, 1))}.
		against("SELECT count(*)", millis(plain)).atMost(1000))
	return nil
}

// reach places orders of new customers, and takes how long after each was due its customer is in a live segment.
func (b *bench) reach(ctx context.Context, conn *pgx.Conn, n int, _ int64) error {
	var segment struct{ ID string }
	err := b.api.Post(ctx, "/v1/segments", map[string]any{"code": "bench_new", "name": "Bench", "kind": "live", "filter_text": `last_channel = "bench" and orders >= 1`}, &segment)
	if err != nil {
		return err
	}
	// The runs of the day begin with the first event: here, and not in the middle of what is measured.
	_, err = conn.Exec(ctx, `INSERT INTO live.fact_as_of (tenant_id, topic, slot, newest_at) VALUES ($1, 'bench', 0, now()) ON CONFLICT DO NOTHING`, tenant)
	if err != nil {
		return err
	}
	if err := pause(ctx, 5*time.Second); err != nil {
		return err
	}
	if err := rested(ctx, conn); err != nil {
		return err
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	w := &watcher{pending: make(map[string]time.Time), sql: `SELECT m.customer_id::text FROM unnest($2::text[]) p (id)
		JOIN segment_member m ON m.tenant_id = $1 AND m.customer_id = p.id::uuid AND m.segment_id = '` + segment.ID + `'`}
	failed := make(chan error, 1)
	go func() { failed <- w.watch(watching, conn) }()
	for _, count := range []int{ordersPerSecond, length(b, 30, 3) * ordersPerSecond} {
		w.answered, w.seen = nil, nil // the first are to warm up
		if err := w.buy(ctx, b, count); err != nil {
			return err
		}
		if err := w.wait(ctx); err != nil {
			return err
		}
	}
	stop()
	if err := <-failed; err != nil {
		return err
	}
	b.add(row{Name: fmt.Sprintf("POST /v1/orders to the customer's entry into a segment of %d at 50/s, p99", n), Unit: "ms", Measured: millis(percentile(w.seen, 0.99))}.
		against("its own answer", millis(percentile(w.answered, 0.99))).atMost(1000))
	_, err = b.api.Do(ctx, client.Request{Method: http.MethodPost, Path: "/v1/segments/" + segment.ID + "/retire", IfMatch: `"1"`}, nil)
	return err
}

// rested waits until no reckoning over all customers is under way: those of the day begin as soon as there are facts, and an
// installation has them at night.
func rested(ctx context.Context, conn *pgx.Conn) error {
	for began := time.Now(); ; {
		var open int
		err := conn.QueryRow(ctx, `SELECT (SELECT count(*) FROM analytics_run WHERE state IN ('queued', 'running') OR settling)
			+ (SELECT count(*) FROM segment_run WHERE state IN ('queued', 'running')) + (SELECT count(*) FROM segment_due)`).Scan(&open)
		if err != nil || open == 0 {
			return err
		}
		if time.Since(began) > 20*time.Minute {
			return fmt.Errorf("%d reckonings are not done", open)
		}
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
}

// buy places orders of a new customer each.
func (w *watcher) buy(ctx context.Context, b *bench, n int) error {
	customers := make([]string, n)
	for i := range customers {
		customers[i] = uuid.Must(uuid.NewV7()).String()
	}
	return openLoop(ctx, ordersPerSecond, n, func(i int, due time.Time) error {
		w.mu.Lock()
		w.pending[customers[i]] = due
		w.mu.Unlock()
		_, err := b.api.PlaceOrder(ctx, client.Order{
			ExternalRef: &client.Ref{System: "bench", ID: customers[i]}, CustomerID: customers[i], Channel: "bench", Currency: "CNY",
			Lines: []client.OrderLine{{SKU: "A", Quantity: 1, AmountMinor: 5800}},
		})
		w.mu.Lock()
		defer w.mu.Unlock()
		w.answered = append(w.answered, time.Since(due))
		return err
	})
}
