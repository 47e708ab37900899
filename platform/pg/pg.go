// Package pg is the platform's way to PostgreSQL: one database a service, four login roles a database, transactions that
// carry the tenant for row level security and travel in as few round trips as they can, and commands that run once a key.
package pg

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"
	pgxuuid "github.com/vgarvardt/pgx-google-uuid/v5"
)

// Role is a login role of a service's database.
type Role string

// The roles; the login's name is <service>_<role>.
const (
	Owner Role = "owner" // owns the tables: migrations and dumps, not bound by row level security
	App   Role = "app"   // serves requests and consumers, bound by row level security
	Relay Role = "relay" // reads and empties the outbox, sees nothing else
	Ops   Role = "ops"   // looks over all tenants: what is due, audit, pruning
)

// Config says where the databases are.
type Config struct {
	// URL is a template with the placeholders {service} and {role}, such as
	// postgres://{service}_{role}:secret@127.0.0.1:5432/guanxi_{service}?sslmode=disable.
	URL string
	// MaxConns bounds the pool of each role; 0 means 10.
	MaxConns int32
}

// For gives the URL of a role of a service.
func (c Config) For(service string, role Role) string {
	return strings.NewReplacer("{service}", service, "{role}", string(role)).Replace(c.URL)
}

const (
	defaultMaxConns  = 10
	connectTimeout   = 5 * time.Second
	statementTimeout = 30 * time.Second // of App and Relay; one of Ops may take ten times as long, and of Owner any time
	idleInTxTimeout  = 15 * time.Second // a held snapshot keeps the outbox from being vacuumed
	cancelDelay      = 50 * time.Millisecond
	cancelDeadline   = 5 * time.Second
)

// DB is a pool of connections of one role to one service's database. It is safe for concurrent use.
type DB struct {
	pool    *pgxpool.Pool
	service string
	role    Role
}

// Open makes the pool. It does not connect, so it does not fail when the server is down at this moment; it fails when the
// URL cannot be read.
func Open(ctx context.Context, cfg Config, service string, role Role) (*DB, error) {
	pc, err := pgxpool.ParseConfig(cfg.For(service, role))
	if err != nil {
		// The error of the parser has the password removed.
		return nil, fmt.Errorf("the PostgreSQL URL of %s for role %s cannot be read: %w", service, role, err)
	}
	pc.MaxConns = cfg.MaxConns
	if pc.MaxConns <= 0 {
		pc.MaxConns = defaultMaxConns
	}
	pc.MinConns = 0
	pc.MaxConnLifetime = time.Hour
	pc.MaxConnLifetimeJitter = 5 * time.Minute
	pc.MaxConnIdleTime = 5 * time.Minute
	cc := pc.ConnConfig
	if cc.ConnectTimeout == 0 {
		cc.ConnectTimeout = connectTimeout
	}
	// By default a cancelled context breaks the connection, so a burst of impatient clients would empty the pool. Here it
	// asks the server to cancel, and breaks the connection only when the server does not answer.
	cc.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{
			Conn: c, CancelRequestDelay: cancelDelay, DeadlineDelay: cancelDeadline,
		}
	}
	for name, value := range sessionParams(service, role) {
		if _, set := cc.RuntimeParams[name]; !set {
			cc.RuntimeParams[name] = value
		}
	}
	// Without it each id would go through its text, both ways: a seventh of a program's time where there are many.
	pc.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		pgxuuid.Register(conn.TypeMap())
		return nil
	}
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("open the PostgreSQL pool of %s for role %s: %w", service, role, err)
	}
	return &DB{pool: pool, service: service, role: role}, nil
}

func sessionParams(service string, role Role) map[string]string {
	millis := func(d time.Duration) string { return fmt.Sprintf("%d", d.Milliseconds()) }
	p := map[string]string{
		"application_name":                    "guanxi-" + service + "-" + string(role),
		"timezone":                            "UTC",
		"idle_in_transaction_session_timeout": millis(idleInTxTimeout),
		"statement_timeout":                   millis(statementTimeout),
	}
	switch role {
	case App:
		p["search_path"] = "live, public" // a schema that does not exist is passed over
	case Ops:
		p["search_path"] = "live, public"
		p["statement_timeout"] = millis(10 * statementTimeout)
	case Owner:
		p["statement_timeout"] = "0"
	case Relay:
		// A row that is deleted but comes back after a crash is sent again, which consumers cope with.
		p["synchronous_commit"] = "off"
	}
	return p
}

// Close closes the pool and waits until its connections have been given back.
func (db *DB) Close() { db.pool.Close() }

// Pool is the pool beneath, for what Tx cannot do, such as LISTEN. What runs on it has no tenant and sees no tenant's row.
func (db *DB) Pool() *pgxpool.Pool { return db.pool }

// Service is the name of the service whose database this is.
func (db *DB) Service() string { return db.service }

// Role is the role that this pool's connections have.
func (db *DB) Role() Role { return db.role }
