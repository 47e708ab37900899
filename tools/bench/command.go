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
)

// maxTrips is how many round trips a command may take.
const maxTrips = 3

// measureCommand compares POST /v1/customers with pgbench, which sends the same statements in the same batches over as
// many connections, by turns and with relay and consumers at work on what either writes.
func measureCommand(ctx context.Context, b *bench) error {
	recorded, s, settings, err := b.recordCommand(ctx)
	if err != nil {
		return err
	}
	statements := 0
	for _, t := range recorded {
		statements += len(t)
	}
	b.add(row{Name: "POST /v1/customers: round trips", Unit: "trips", Measured: float64(len(recorded))}.atMost(maxTrips),
		row{Name: "POST /v1/customers: statements, BEGIN and COMMIT included", Unit: "statements", Measured: float64(statements)})
	p, err := newPgbench(b.dir, b.appURL(), settings, s)
	if err != nil {
		return err
	}
	callers, closeAll, err := b.callers(ctx, strings.TrimPrefix(b.stack.ServerURL(), "http://"), b.clients)
	defer closeAll()
	if err != nil {
		return err
	}
	window, turns := length(b, 5*time.Second, time.Second), length(b, 6, 1)
	if _, _, err := register(ctx, callers, window); err != nil { // warm up
		return err
	}
	var rates, baselines, ratios []float64
	for range turns {
		if err := b.settle(ctx); err != nil {
			return err
		}
		n, took, err := register(ctx, callers, window)
		if err != nil {
			return err
		}
		if err := b.settle(ctx); err != nil {
			return err
		}
		tps, err := p.run(ctx, b.clients, window)
		if err != nil {
			return err
		}
		rates, baselines = append(rates, perSecond(n, took)), append(baselines, tps)
		ratios = append(ratios, perSecond(n, took)/tps)
	}
	b.add(row{Name: "POST /v1/customers", Unit: "/s", Measured: median(rates), Ratio: median(ratios)}.
		against("pgbench, same SQL", median(baselines)).ratioAtLeast(0.6))
	return b.settle(ctx)
}

func (b *bench) appURL() string {
	return pg.Config{URL: b.setting("GUANXI_PG_URL")}.For("accounts", pg.App)
}

// recordCommand lets a second process of the platform, whose way to PostgreSQL is listened to, register customers until
// its connections have prepared all statements, and turns two further requests into a script. It has a relay, as the
// all-in-one process has: without one, a notification of other processes' relays would follow some commands.
func (b *bench) recordCommand(ctx context.Context) (command []trip, s *script, settings map[string]string, err error) {
	u, err := url.Parse(b.appURL())
	if err != nil {
		return nil, nil, nil, err
	}
	t, err := newTap(u.Host, u.User.Username())
	if err != nil {
		return nil, nil, nil, err
	}
	defer t.close()
	addr, err := freeAddr()
	if err != nil {
		return nil, nil, nil, err
	}
	probe, err := client.New("http://"+addr, nil)
	if err != nil {
		return nil, nil, nil, err
	}
	process := b.stack.Run(stack.Program{Name: "tapped", Path: b.program, Args: []string{"serve", "--run=http,relay"}, Ready: probe.Ready,
		Env: append(append([]string{}, b.env...), "GUANXI_HTTP_ADDR="+addr, "GUANXI_PG_ADMIN_URL=",
			"GUANXI_PG_URL="+strings.Replace(b.setting("GUANXI_PG_URL"), u.Host, t.addr(), 1))})
	defer process.Stop()
	if err := process.WaitReady(ctx); err != nil {
		return nil, nil, nil, err
	}
	callers, closeAll, err := b.callers(ctx, addr, 1)
	defer closeAll()
	if err != nil {
		return nil, nil, nil, err
	}
	const warm = 10
	var commands [][]trip
	var serials []string
	for range warm {
		serial := newSerial()
		if err := callers[0].post("/v1/customers", customer(serial)); err != nil {
			return nil, nil, nil, err
		}
		commands, serials = append(commands, t.take()), append(serials, serial)
	}
	// Two in a row are alike once the connections have prepared everything, unless the pool looks in between whether a
	// connection that had nothing to do still lives.
	for n := warm - 1; n > 0; n-- {
		first, second := commands[n-1], commands[n]
		if err = sameShape(first, second); err == nil && len(first) > 0 {
			s = newScript(serials[n-1], serials[n])
			return first, s, t.settings, b.translate(ctx, s, first, second)
		}
	}
	return nil, nil, nil, errors.Join(errors.New("no two requests in a row sent the same to PostgreSQL"), err)
}

// translate fills the script. The server itself says of what type each parameter is and how it reads as text.
func (b *bench) translate(ctx context.Context, s *script, first, second []trip) error {
	conn, err := pgconn.Connect(ctx, b.appURL()+"&search_path=live,public")
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
				if a == nil || z == nil {
					list[n] = s.null(name)
				} else {
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
