// Package pg is the platform's way to PostgreSQL: one database a service, four login roles a database, transactions that
// carry the tenant for row level security, and commands that run once a key.
package pg

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
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
	// URL is a template with the placeholders {service} and {role}.
	URL string
	// MaxConns bounds the pool; 0 means 10.
	MaxConns int32
}

// DB is a pool of connections of one role to one service's database.
type DB struct{ pool *pgxpool.Pool }

// Open makes the pool. It does not fail when the server is down at this moment.
func Open(ctx context.Context, cfg Config, service string, role Role) (*DB, error) {
	return nil, errors.New("not yet")
}

// Close closes the pool.
func (db *DB) Close() {}

// Pool is the pool beneath, for what Tx cannot do (LISTEN, COPY).
func (db *DB) Pool() *pgxpool.Pool { return db.pool }

// Service is the name of the service whose database this is.
func (db *DB) Service() string { return "" }

// Tx runs fn in a read-write transaction of the tenant.
func (db *DB) Tx(ctx context.Context, tenant string, fn func(tx *Tx) error) error { panic("not yet") }

// Read runs fn in a read-only transaction of the tenant.
func (db *DB) Read(ctx context.Context, tenant string, fn func(tx *Tx) error) error { panic("not yet") }

// System runs fn in a read-write transaction without a tenant.
func (db *DB) System(ctx context.Context, fn func(tx *Tx) error) error { panic("not yet") }

// Once names one attempt of a caller to have something done once.
type Once struct {
	Subject, Operation, Key string
	BodyHash                []byte
}

// WithOnce puts o into the context.
func WithOnce(ctx context.Context, o Once) context.Context { panic("not yet") }

// OnceFrom gives what WithOnce put there.
func OnceFrom(ctx context.Context) (Once, bool) { panic("not yet") }

// Result is what a command answers, and answers again.
type Result struct {
	ID       uuid.UUID
	Status   int
	Replayed bool
}

// Command is Tx with idempotency.
func (db *DB) Command(ctx context.Context, tenant string, fn func(tx *Tx) (Result, error)) (Result, error) {
	panic("not yet")
}

// Tx is one transaction.
type Tx struct{}

// Queue sends the statement with the next Flush, Query or commit.
func (tx *Tx) Queue(sql string, args ...any) *pgx.QueuedQuery { panic("not yet") }

// Flush sends what is queued.
func (tx *Tx) Flush(ctx context.Context) error { panic("not yet") }

// Query flushes and queries.
func (tx *Tx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) { panic("not yet") }

// QueryRow flushes and queries one row.
func (tx *Tx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row { panic("not yet") }

// ExecNow flushes and executes.
func (tx *Tx) ExecNow(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	panic("not yet")
}

// Tenant is the tenant that is set now.
func (tx *Tx) Tenant() string { panic("not yet") }

// SetTenant goes on as another tenant.
func (tx *Tx) SetTenant(ctx context.Context, tenant string) { panic("not yet") }

// Savepoint runs fn and undoes only its effects when it fails.
func (tx *Tx) Savepoint(ctx context.Context, fn func() error) error { panic("not yet") }

// OnCommit runs fn after the commit.
func (tx *Tx) OnCommit(fn func()) { panic("not yet") }

// Constraint names the violated constraint.
func Constraint(err error) (name string, ok bool) { panic("not yet") }

// Transient tells whether infrastructure failed: retry in place.
func Transient(err error) bool { panic("not yet") }
