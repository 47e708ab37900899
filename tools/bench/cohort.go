package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/tools/devstack/cdnow"
	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

// measureImport brings a cohort's purchases in over HTTP, first the customers and then the orders, each of its turns in
// a tenant of its own, and takes the time until the file is accepted and until every projection is level with it.
func measureImport(ctx context.Context, b *bench) error {
	root, err := repo()
	if err != nil {
		return err
	}
	source, err := cdnow.Find(root)
	if err != nil {
		return err
	}
	want, err := cdnow.Add(bytes.NewReader(source.Data))
	if err != nil {
		return err
	}
	b.source = source.Name
	b.say(fmt.Sprintf("importing %s: %d rows", source.Name, want.Orders))
	var t importTimes
	for turn := range length(b, 3, 1) {
		if err := b.importTurn(ctx, fmt.Sprintf("cohort-%d", turn+1), source, want, &t); err != nil {
			return err
		}
	}
	b.add(row{Name: "import: upload accepted", Unit: "rows/s", Measured: median(t.accepted)}.
		against("COPY into one table", median(t.copied)).atLeast(5000),
		row{Name: "import: file to every projection level", Unit: "rows/s", Measured: median(t.level)}.
			against("INSERT into one table, 1000 a transaction", median(t.inserted)).atLeast(1500),
		row{Name: "import: customers brought into accounts", Unit: "rows/s", Measured: median(t.customers)},
		row{Name: "import: orders brought into sales", Unit: "rows/s", Measured: median(t.orders)})
	return nil
}

// importTimes are rates, one of each turn, in rows of the file a second.
type importTimes struct {
	accepted, level, customers, orders, copied, inserted []float64
}

func (b *bench) importTurn(ctx context.Context, name string, source cdnow.Source, want cdnow.Sums, t *importTimes) error {
	err := b.operate.EnsureTenant(ctx, client.Tenant{
		TenantID: name, DisplayName: "CD music shop", Region: "US", Language: "en", TimeZone: "America/New_York", Currency: "USD",
	})
	if err != nil {
		return err
	}
	api, err := b.client(name, "admin")
	if err != nil {
		return err
	}
	if err := b.settle(ctx); err != nil {
		return err
	}
	rows := int(want.Orders)
	began, slowest := time.Now(), math.Inf(1)
	for _, file := range []struct {
		kind    string
		mapping []string
		rates   *[]float64
	}{{"customers", cdnow.CustomersMapping(), &t.customers}, {"orders", cdnow.OrdersMapping(), &t.orders}} {
		uploading := time.Now()
		job, err := api.StartImport(ctx, client.ImportRequest{
			Kind: file.kind, Format: "whitespace", Header: true, Policy: "skip", Mapping: file.mapping, Body: bytes.NewReader(source.Data),
		})
		if err != nil {
			return fmt.Errorf("import of %s: %w", file.kind, err)
		}
		slowest = min(slowest, perSecond(rows, time.Since(uploading)))
		if job, err = api.WaitImport(ctx, file.kind, job.ID, nil); err != nil {
			return fmt.Errorf("import of %s: %w", file.kind, err)
		}
		if job.State != "finished" || job.Rejected > 0 || job.Rows != want.Orders {
			return fmt.Errorf("import of %s is %s %s with %d rows, of which %d are rejected", file.kind, job.State, job.Failure, job.Rows, job.Rejected)
		}
		*file.rates = append(*file.rates, perSecond(rows, time.Since(uploading)))
	}
	if err := b.settle(ctx); err != nil {
		return err
	}
	t.level, t.accepted = append(t.level, perSecond(rows, time.Since(began))), append(t.accepted, slowest)
	totals, err := api.AnalyticsTotals(ctx)
	if err != nil {
		return err
	}
	points, err := api.PointsSummary(ctx)
	if err != nil {
		return err
	}
	if got := (cdnow.Sums{
		Customers: totals.Customers, Orders: totals.Orders, Units: totals.Units, RevenueMinor: totals.RevenueMinor, Points: points.Earned,
	}); got != want {
		return fmt.Errorf("analytics and loyalty have %+v where the file has %+v", got, want)
	}
	copied, inserted, err := b.plainRows(ctx, source.Data)
	t.copied, t.inserted = append(t.copied, perSecond(rows, copied)), append(t.inserted, perSecond(rows, inserted))
	return err
}

// plainRows is what cannot be beaten: the rows of the file into one table with a key, as text, in one COPY and then
// again by inserts of as many rows a transaction as an import takes.
func (b *bench) plainRows(ctx context.Context, data []byte) (copied, inserted time.Duration, err error) {
	const batch = 1000
	conn, err := b.database(ctx, "sales")
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	const table = `DROP TABLE IF EXISTS bench_rows; CREATE TABLE bench_rows (line int PRIMARY KEY, customer text, day text, units text, amount text)`
	if _, err := conn.Exec(ctx, table); err != nil {
		return 0, 0, err
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")[1:]
	began := time.Now()
	_, err = conn.CopyFrom(ctx, pgx.Identifier{"bench_rows"}, []string{"line", "customer", "day", "units", "amount"},
		pgx.CopyFromSlice(len(lines), func(i int) ([]any, error) {
			f := strings.Fields(lines[i])
			return []any{i, f[0], f[1], f[2], f[3]}, nil
		}))
	copied = time.Since(began)
	if err != nil {
		return 0, 0, err
	}
	if _, err := conn.Exec(ctx, table); err != nil {
		return 0, 0, err
	}
	began = time.Now()
	for from := 0; from < len(lines); from += batch {
		columns := make([][]string, 4)
		for _, line := range lines[from:min(from+batch, len(lines))] {
			for c, value := range strings.Fields(line) {
				columns[c] = append(columns[c], value)
			}
		}
		_, err := conn.Exec(ctx, `INSERT INTO bench_rows SELECT $1::int + r.n, r.customer, r.day, r.units, r.amount
			FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) WITH ORDINALITY AS r (customer, day, units, amount, n)`,
			from, columns[0], columns[1], columns[2], columns[3])
		if err != nil {
			return 0, 0, err
		}
	}
	inserted = time.Since(began)
	_, err = conn.Exec(ctx, "DROP TABLE bench_rows")
	return copied, inserted, err
}
