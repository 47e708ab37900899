package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/tools/devstack/stack"
	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"

	"github.com/guanxi-crm/guanxi/platform/freeport"
)

// maxTrips is how many round trips a command may take.
const maxTrips = 3

// operation is a POST that writes to the database of one service.
type operation struct {
	service string
	tenant  string // of those who call it while it is recorded
	name    string
	// serial gives the number, of eight digits, that tells one request's data from another's. Where it is always the same,
	// requests differ in what is made of them only.
	serial func() string
	path   func(serial string) string
	body   func(serial string) string
}

// recording is what an operation sends to PostgreSQL.
type recording struct {
	trips    []trip
	script   *script
	settings map[string]string // of the connections
}

// rows tells of round trips and statements.
func (r *recording) rows(name string) []row {
	statements := 0
	for _, t := range r.trips {
		statements += len(t)
	}
	return []row{
		row{Name: name + ": round trips", Unit: "trips", Measured: float64(len(r.trips))}.atMost(maxTrips),
		{Name: name + ": statements, BEGIN and COMMIT included", Unit: "statements", Measured: float64(statements)},
	}
}

// registration registers customers.
func registration() operation {
	return operation{
		service: "accounts", tenant: tenant, name: "POST /v1/customers", serial: newSerial,
		path: func(string) string { return "/v1/customers" }, body: customer,
	}
}

// measureCommand compares POST /v1/customers with pgbench, which sends the same statements in the same batches over as
// many connections, by turns and with relay and consumers at work on what either writes.
func measureCommand(ctx context.Context, b *bench) error {
	return b.createThroughput(ctx, registration().name)
}

func (b *bench) createThroughput(ctx context.Context, name string) error {
	op := registration()
	recorded, err := b.record(ctx, op)
	if err != nil {
		return err
	}
	b.add(recorded.rows(name)...)
	p, err := newPgbench(b.dir, b.appURL(op.service), recorded, 10_000_000+callersSerials, 99_999_999)
	if err != nil {
		return err
	}
	callers, closeAll, err := b.callers(ctx, tenant, b.addr(), b.clients)
	defer closeAll()
	if err != nil {
		return err
	}
	c, err := b.compare(ctx, p, callers, func(c *caller) error { return c.post("/v1/customers", customer(newSerial())) })
	if err != nil {
		return err
	}
	b.add(c.row(name).shareReached())
	return b.settle(ctx)
}

// comparison is of an operation with pgbench, by turns.
type comparison struct {
	rates, baselines, ratios []float64
	done                     int // operations in all, those to warm up included
}

func (c comparison) row(name string) row {
	return row{Name: name, Unit: "/s", Measured: median(c.rates), Ratio: median(c.ratios)}.against("pgbench, same SQL", median(c.baselines))
}

// compare lets the callers send as fast as they can and pgbench work, by turns.
func (b *bench) compare(ctx context.Context, p *pgbench, callers []*caller, send func(*caller) error) (c comparison, err error) {
	window, turns := length(b, 5*time.Second, time.Second), length(b, 6, 1)
	if c.done, _, err = repeat(ctx, callers, window, send); err != nil { // warm up
		return c, err
	}
	for range turns {
		if err := b.settle(ctx); err != nil {
			return c, err
		}
		n, took, err := repeat(ctx, callers, window, send)
		c.done += n
		if err != nil {
			return c, err
		}
		if err := b.settle(ctx); err != nil {
			return c, err
		}
		tps, err := p.run(ctx, b.clients, window)
		if err != nil {
			return c, err
		}
		c.rates, c.baselines = append(c.rates, perSecond(n, took)), append(c.baselines, tps)
		c.ratios = append(c.ratios, perSecond(n, took)/tps)
	}
	return c, nil
}

func (b *bench) appURL(service string) string {
	return pg.Config{URL: b.setting("GUANXI_PG_URL")}.For(service, pg.App)
}

// addr is where the platform answers HTTP.
func (b *bench) addr() string { return strings.TrimPrefix(b.stack.ServerURL(), "http://") }

// record lets a second process of the platform, whose way to PostgreSQL is listened to, carry the operation out until
// its connections have prepared all statements, and turns two further requests into a script. It has a relay, as the
// all-in-one process has: without one, a notification of other processes' relays would follow some commands.
func (b *bench) record(ctx context.Context, op operation) (*recording, error) {
	u, err := url.Parse(b.appURL(op.service))
	if err != nil {
		return nil, err
	}
	t, err := newTap(u.Host, u.User.Username())
	if err != nil {
		return nil, err
	}
	defer t.close()
	ports, err := freeport.Reserve(1)
	if err != nil {
		return nil, err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", ports[0])
	probe, err := client.New("http://"+addr, nil)
	if err != nil {
		return nil, err
	}
	process := b.stack.Run(stack.Program{Name: "tapped", Path: b.program, Args: []string{"serve", "--run=http,relay"}, Ready: probe.Ready,
		Env: append(append([]string{}, b.env...), "GUANXI_HTTP_ADDR="+addr, "GUANXI_PG_ADMIN_URL=",
			"GUANXI_PG_URL="+strings.Replace(b.setting("GUANXI_PG_URL"), u.Host, t.addr(), 1))})
	defer process.Stop()
	if err := process.WaitReady(ctx); err != nil {
		return nil, err
	}
	callers, closeAll, err := b.callers(ctx, op.tenant, addr, 1)
	defer closeAll()
	if err != nil {
		return nil, err
	}
	const warm = 10
	var commands [][]trip
	var serials []string
	for range warm {
		serial := op.serial()
		if err := callers[0].post(op.path(serial), op.body(serial)); err != nil {
			return nil, err
		}
		commands, serials = append(commands, t.take()), append(serials, serial)
	}
	// Two in a row are alike once the connections have prepared everything, unless the pool looks in between whether a
	// connection that had nothing to do still lives.
	for n := warm - 1; n > 0; n-- {
		first, second := commands[n-1], commands[n]
		if err = sameShape(first, second); err == nil && len(first) > 0 {
			s := newScript(serials[n-1], serials[n])
			return &recording{first, s, t.settings}, b.translate(ctx, op.service, s, first, second)
		}
	}
	return nil, errors.Join(errors.New("no two requests in a row sent the same to PostgreSQL"), err)
}

// translate fills the script. The server itself says of what type each parameter is and how it reads as text.
func (b *bench) translate(ctx context.Context, service string, s *script, first, second []trip) error {
	conn, err := pgconn.Connect(ctx, b.appURL(service)+"&search_path=live,public")
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for i, batch := range first {
		var statements []string
		var values [][]string
		for k, st := range batch {
			described, err := conn.Prepare(ctx, "", st.sql, nil)
			if err != nil {
				return fmt.Errorf("%s: %w", st.sql, err)
			}
			list := make([]string, len(st.params))
			for n, kind := range described.ParamOIDs {
				other := second[i][k]
				name, a, err := asText(ctx, conn, kind, st.params[n], st.formats[n])
				if err != nil {
					return err
				}
				_, z, err := asText(ctx, conn, kind, other.params[n], other.formats[n])
				if err != nil {
					return err
				}
				switch {
				case a == nil || z == nil:
					list[n] = s.null(name)
				case name == "smallint" && !strings.Contains(st.sql, "outbox"): // a code of the row, and no shard of events
					list[n] = "(" + s.constant(string(a)) + ")::smallint"
				default:
					list[n] = s.value(name, string(a), string(z))
				}
			}
			statements, values = append(statements, st.sql), append(values, list)
		}
		s.trip(statements, values)
	}
	return nil
}

// asText gives the name of a type and a value of it as text; nil for NULL.
func asText(ctx context.Context, conn *pgconn.PgConn, kind uint32, value []byte, format int16) (name string, text []byte, err error) {
	r := conn.ExecParams(ctx, "SELECT format_type($1::oid, NULL), $2::text", [][]byte{[]byte(fmt.Sprint(kind)), value},
		[]uint32{0, kind}, []int16{0, format}, nil).Read()
	if r.Err != nil {
		return "", nil, fmt.Errorf("a parameter as text: %w", r.Err)
	}
	return string(r.Rows[0][0]), r.Rows[0][1], nil
}

// splitHost gives the parts of an address that a URL names.
func splitHost(u *url.URL) (host, port string) {
	host, port, err := net.SplitHostPort(u.Host)
	if err != nil {
		return u.Host, "5432"
	}
	return host, port
}
