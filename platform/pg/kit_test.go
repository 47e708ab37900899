package pg_test

import (
	"context"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/migrate"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
)

const (
	pizza = "pizza"
	music = "music"
)

// shop is a service with one tenant's table and one that belongs to none.
func shop() migrate.Source {
	return migrate.Source{Service: "shop", FS: fstest.MapFS{"00001_item.sql": {Data: []byte(`
-- +goose Up
CREATE TABLE item (
    tenant_id text NOT NULL,
    id        uuid NOT NULL DEFAULT gen_random_uuid(),
    name      text NOT NULL,
    stock     integer NOT NULL DEFAULT 0 CONSTRAINT item_stock_not_negative CHECK (stock >= 0),
    parent    uuid,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT item_name_unique UNIQUE (tenant_id, name),
    CONSTRAINT item_parent_exists FOREIGN KEY (tenant_id, parent) REFERENCES item DEFERRABLE INITIALLY DEFERRED
);
SELECT guanxi_tenant_table('item');
CREATE TABLE setting (name text PRIMARY KEY, value text NOT NULL);
SELECT guanxi_plain_table('setting');
`)}}}
}

const addItem = "INSERT INTO item (tenant_id, name) VALUES ($1, $2)"

// names gives the names of all items whatever their tenant, sorted.
func names(t *testing.T, d *pgtest.TestDatabase) []string {
	t.Helper()
	return column[string](t, d, "SELECT name FROM item ORDER BY name")
}

// column gives the single column of a query by the owner, whom row level security does not bind.
func column[T any](t *testing.T, d *pgtest.TestDatabase, sql string) []T {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), d.URL(pg.Owner))
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	rows, err := conn.Query(context.Background(), sql)
	require.NoError(t, err)
	values, err := pgx.CollectRows(rows, pgx.RowTo[T])
	require.NoError(t, err)
	return values
}

// create is the usual command: one row, one answer.
func create(ctx context.Context, db *pg.DB, tenant, name string) (pg.Result, error) {
	return db.Command(ctx, tenant, func(tx *pg.Tx) (pg.Result, error) {
		id, err := uuid.NewV7()
		if err != nil {
			return pg.Result{}, err
		}
		tx.Queue("INSERT INTO item (tenant_id, id, name) VALUES ($1, $2, $3)", tenant, id, name)
		return pg.Result{ID: id, Status: 201}, nil
	})
}

// counter stands between pgx and the server and counts round trips: how often the client waits, which is each Sync and
// each simple Query. It can cut connections.
type counter struct {
	server *url.URL
	addr   string
	trips  atomic.Int64
	// cutCommit says when to break a connection on which a COMMIT comes along.
	cutCommit atomic.Int32

	mu    sync.Mutex
	conns []net.Conn
}

const (
	cutNever int32 = iota
	cutBeforeServer
	cutAfterServer
)

// through gives a pool of the app role whose connections pass a counter.
func through(t *testing.T, d *pgtest.TestDatabase) (*pg.DB, *counter) {
	t.Helper()
	server, err := url.Parse(d.URL(pg.App))
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	c := &counter{server: server, addr: listener.Addr().String()}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go c.serve(conn)
		}
	}()
	proxied := *server
	proxied.Host, proxied.RawQuery = c.addr, "sslmode=disable"
	db, err := pg.Open(context.Background(), pg.Config{URL: proxied.String(), MaxConns: 1}, "shop", pg.App)
	require.NoError(t, err)
	t.Cleanup(db.Close)
	return db, c
}

func (c *counter) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("unix", c.server.Query().Get("host")+"/.s.PGSQL.5432")
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	c.mu.Lock()
	c.conns = append(c.conns, client, server)
	c.mu.Unlock()
	down := make(chan struct{})
	go func() {
		defer close(down)
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
	c.up(client, server)
	<-down
}

// up passes what the client says to the server, message by message.
func (c *counter) up(client, server net.Conn) {
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
			if inBatch && c.cutCommit.Load() == cutBeforeServer {
				_, _ = client.Close(), server.Close()
				return
			}
		case *pgproto3.Sync:
			c.trips.Add(1)
			if inBatch {
				inBatch = false
				if c.cutCommit.Load() == cutAfterServer {
					_ = client.Close()
				}
			}
		case *pgproto3.Query:
			c.trips.Add(1)
		}
		if !send(m) {
			return
		}
	}
}

// cut breaks every connection.
func (c *counter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}
