package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/tools/devstack/cdnow"
	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// Figures of sales: how fast orders come in from a file, and one by one.
const (
	ordersLoaded    = 1_000_000
	wantedOrderRate = 20_000
)

// measureOrders brings the music shop's purchases in again and again until there are a million, of customers who are known and
// with sales' imports at work alone, beside COPY of the same columns; then it places orders one by one, beside pgbench with the
// same SQL.
func measureOrders(ctx context.Context, b *bench) error {
	root, err := repo()
	if err != nil {
		return err
	}
	source, err := cdnow.Find(root)
	if err != nil {
		return err
	}
	if err := b.orderImport(ctx, source, length(b, ordersLoaded, 20_000)); err != nil {
		return err
	}
	return b.placeOrders(ctx)
}

// orderImport takes the rate, and what the process and PostgreSQL need for it.
func (b *bench) orderImport(ctx context.Context, source cdnow.Source, n int) error {
	const name = "bench-orders"
	if err := b.ensureTenant(ctx, name); err != nil {
		return err
	}
	api, err := b.client(name, "admin")
	if err != nil {
		return err
	}
	known, err := api.StartImport(ctx, client.ImportRequest{
		Kind: "customers", Format: "whitespace", Header: true, Policy: "skip", Mapping: cdnow.CustomersMapping(), Body: bytes.NewReader(source.Data),
	})
	if err == nil {
		_, err = api.WaitImport(ctx, "customers", known.ID, nil)
	}
	if err != nil {
		return fmt.Errorf("import of customers: %w", err)
	}
	b.say("waiting until sales knows the customers")
	if err := b.settleWithin(ctx, 30*time.Minute); err != nil {
		return err
	}
	lines := purchases(source)
	copied, err := b.copyOrders(ctx, lines, min(n, 200_000))
	if err != nil {
		return err
	}
	if err := b.serve(ctx, "http,workers"); err != nil {
		return err
	}
	most, worked := b.watchMemory(ctx), b.watchProcessors()
	began := time.Now()
	file, w := io.Pipe()
	go func() { _ = w.CloseWithError(writeOrders(w, lines, n)) }()
	job, err := api.StartImport(ctx, client.ImportRequest{
		Kind: "orders", Format: "whitespace", Header: true, Policy: "skip", Mapping: cdnow.OrdersMapping(), Body: file,
	})
	if err != nil {
		return err
	}
	uploaded := time.Now()
	if job, err = api.WaitImport(ctx, "orders", job.ID, nil); err != nil {
		return err
	}
	took, memory := time.Since(began), most()
	program, database := worked()
	if job.State != "finished" || job.Accepted != int64(n) {
		return fmt.Errorf("the import is %s %s: %d of %d rows were taken", job.State, job.Failure, job.Accepted, n)
	}
	title := fmt.Sprintf("import of %d orders, events waiting", n)
	b.add(row{Name: title + ": from the first byte to the last row", Unit: "orders/s", Measured: perSecond(n, took)}.
		against("COPY into one table", copied).atLeast(wantedOrderRate),
		row{Name: title + ": from the accepted file to the last row", Unit: "orders/s", Measured: perSecond(n, time.Since(uploaded))},
		row{Name: title + ": most memory of the process", Unit: "MB", Measured: memory}.atMost(256<<20/1e6),
		row{Name: title + ": processors' time of the program, an order", Unit: "µs", Measured: program / float64(n) * 1e6},
		row{Name: title + ": processors' time of PostgreSQL, an order", Unit: "µs", Measured: database / float64(n) * 1e6})
	if err := b.serve(ctx, ""); err != nil {
		return err
	}
	b.say("waiting until every projection is level with the orders")
	began = time.Now()
	if err := b.settleWithin(ctx, time.Hour); err != nil {
		return err
	}
	b.add(row{Name: "their events, from the table to all services' projections", Unit: "/s", Measured: perSecond(n, time.Since(began))})
	return nil
}

// purchases are the rows of a history.
func purchases(source cdnow.Source) []string {
	return strings.Split(strings.TrimSpace(string(source.Data)), "\n")[1:]
}

// writeOrders writes a file of n orders: the history over and over, each row a purchase of its own by its line.
func writeOrders(w io.Writer, lines []string, n int) error {
	if _, err := io.WriteString(w, " customer_id date number_of_cds dollar_value\r\n"); err != nil {
		return err
	}
	var block bytes.Buffer
	for i := range n {
		block.WriteString(lines[i%len(lines)])
		block.WriteByte('\n')
		if block.Len() > 1<<18 || i == n-1 {
			if _, err := block.WriteTo(w); err != nil {
				return err
			}
		}
	}
	return nil
}

// copyOrders is what cannot be beaten: the columns of n rows, as text, into one table with a key, in one COPY.
func (b *bench) copyOrders(ctx context.Context, lines []string, n int) (rate float64, err error) {
	conn, err := b.database(ctx, "sales")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	if _, err := conn.Exec(ctx, `DROP TABLE IF EXISTS bench_orders;
		CREATE TABLE bench_orders (line int PRIMARY KEY, customer text, day text, units text, amount text)`); err != nil {
		return 0, err
	}
	began := time.Now()
	_, err = conn.CopyFrom(ctx, pgx.Identifier{"bench_orders"}, []string{"line", "customer", "day", "units", "amount"},
		pgx.CopyFromSlice(n, func(i int) ([]any, error) {
			f := strings.Fields(lines[i%len(lines)])
			return []any{i, f[0], f[1], f[2], f[3]}, nil
		}))
	rate = perSecond(n, time.Since(began))
	if err != nil {
		return 0, err
	}
	_, err = conn.Exec(ctx, `DROP TABLE bench_orders`)
	return rate, err
}

// placing places orders of a customer whom the shop knows by name. Their names are UUIDs: no two of pgbench's may be alike.
func placing() operation {
	return operation{
		service: "sales", tenant: tenant, name: "POST /v1/orders", serial: newSerial,
		path: func(string) string { return "/v1/orders" }, body: placed,
	}
}

// buyer is by which name the shop knows the customer.
const buyer = "bench-orders"

func placed(string) string {
	return `{"external_ref":{"system":"shop","id":"` + uuid.NewString() + `"},"customer_ref":{"system":"shop","id":"` + buyer + `"},"channel":"shop",` +
		`"currency":"CNY","placed_at":"2026-11-20T19:30:00Z","lines":[{"sku":"MARGHERITA","quantity":2,"amount_minor":13800},` +
		`{"sku":"COLA","quantity":3,"amount_minor":1000}]}`
}

// placeOrders compares POST /v1/orders with pgbench, which sends the same statements in the same batches.
func (b *bench) placeOrders(ctx context.Context) error {
	err := b.api.Post(ctx, "/v1/customers", map[string]any{
		"kind": "person", "display_name": "Bench buyer", "source": "bench",
		"identities": []map[string]string{{"type": "external:shop", "value": buyer}},
	}, nil)
	if err != nil {
		return err
	}
	if err := b.settle(ctx); err != nil {
		return err
	}
	op := placing()
	recorded, err := b.record(ctx, op)
	if err != nil {
		return err
	}
	b.add(recorded.rows(op.name)...)
	p, err := newPgbench(b.dir, b.appURL(op.service), recorded, 10_000_000+callersSerials, 99_999_999)
	if err != nil {
		return err
	}
	callers, closeAll, err := b.callers(ctx, tenant, b.addr(), b.clients) // not before: one that says nothing for long is cut off
	defer closeAll()
	if err != nil {
		return err
	}
	c, err := b.compare(ctx, p, callers, func(c *caller) error { return c.post("/v1/orders", placed("")) })
	if err != nil {
		return err
	}
	b.add(c.row(op.name).shareReached())
	return b.settle(ctx)
}
