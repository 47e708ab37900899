package pgtest

import (
	"context"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Wire stands between a pool and the server, counts round trips and can cut connections.
type Wire struct {
	server *url.URL
	trips  atomic.Int64
	cut    atomic.Int32

	mu    sync.Mutex
	conns []net.Conn
}

// Cut says when a connection breaks on which a COMMIT comes along.
type Cut int32

// When it breaks.
const (
	CutNever        Cut = iota
	CutBeforeServer     // the server does not see the COMMIT
	CutAfterServer      // the client does not see the answer
)

// Wired gives a pool of the app role, of one connection, whose connections pass a Wire.
func (d *TestDatabase) Wired(t testing.TB) (*pg.DB, *Wire) {
	t.Helper()
	server, err := url.Parse(d.URL(pg.App))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	w := &Wire{server: server}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go w.serve(conn)
		}
	}()
	proxied := *server
	proxied.Host, proxied.RawQuery = listener.Addr().String(), "sslmode=disable"
	db, err := pg.Open(context.Background(), pg.Config{URL: proxied.String(), MaxConns: 1}, d.service, pg.App)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db, w
}

// Trips is how often a client waited for the server until now: each Sync and each simple Query.
func (w *Wire) Trips() int64 { return w.trips.Load() }

// CutCommits has the connections of the commits from now on break, or no more.
func (w *Wire) CutCommits(when Cut) { w.cut.Store(int32(when)) }

// Break breaks every connection.
func (w *Wire) Break() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, conn := range w.conns {
		_ = conn.Close()
	}
	w.conns = nil
}

func (w *Wire) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("unix", w.server.Query().Get("host")+"/.s.PGSQL.5432")
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	w.mu.Lock()
	w.conns = append(w.conns, client, server)
	w.mu.Unlock()
	down := make(chan struct{})
	go func() {
		defer close(down)
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
	w.up(client, server)
	<-down
}

// up passes what the client says to the server, message by message.
func (w *Wire) up(client, server net.Conn) {
	backend := pgproto3.NewBackend(client, client)
	startup, err := backend.ReceiveStartupMessage()
	if err != nil {
		return
	}
	send := func(m pgproto3.FrontendMessage) bool {
		b, err := m.Encode(nil)
		if err == nil {
			_, err = server.Write(b)
		}
		return err == nil
	}
	if !send(startup) {
		return
	}
	commit := map[string]bool{} // prepared statements that commit
	inBatch := false
	for {
		m, err := backend.Receive()
		if err != nil {
			_ = server.Close()
			return
		}
		switch m := m.(type) {
		case *pgproto3.Parse:
			commit[m.Name] = m.Query == "COMMIT"
		case *pgproto3.Bind:
			inBatch = inBatch || commit[m.PreparedStatement]
			// The server does not wait for Sync: it commits when it reads the Execute that follows.
			if inBatch && w.cut.Load() == int32(CutBeforeServer) {
				_, _ = client.Close(), server.Close()
				return
			}
		case *pgproto3.Sync:
			w.trips.Add(1)
			if inBatch {
				inBatch = false
				if w.cut.Load() == int32(CutAfterServer) {
					_ = client.Close()
				}
			}
		case *pgproto3.Query:
			w.trips.Add(1)
		}
		if !send(m) {
			return
		}
	}
}
