package pg

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

const setTenantSQL = "SELECT set_config('app.tenant_id', $1, true)"

// Tx runs fn in a read-write transaction (read committed) that sees the tenant's rows and no others, and commits when fn
// returns nil. When ctx ends the server is asked to cancel; the connection survives. Errors of infrastructure are
// problems of kind Unavailable for which Transient holds; one with the code outcome_unknown says that the connection was
// lost during the commit.
func (db *DB) Tx(ctx context.Context, tenant string, fn func(tx *Tx) error) error {
	return db.run(ctx, "pg.tx", txOptions{tenant: tenant}, fn)
}

// Read runs fn in a read-only transaction of the tenant. Each statement sees what was committed before it. When fn only
// queues statements with callbacks, it is a single round trip.
func (db *DB) Read(ctx context.Context, tenant string, fn func(tx *Tx) error) error {
	return db.run(ctx, "pg.read", txOptions{tenant: tenant, readOnly: true}, fn)
}

// ReadWithin is Read for questions whose size is chosen by who asks: each statement is given up after the duration, and
// the error is then the problem query_too_heavy (422), which says how to ask for less and is not Transient. More time than
// any transaction of the app has is not given.
func (db *DB) ReadWithin(ctx context.Context, tenant string, each time.Duration, fn func(tx *Tx) error) error {
	each = min(each, statementTimeout)
	return tooHeavy(ctx, db.run(ctx, "pg.read", txOptions{tenant: tenant, readOnly: true, within: each}, fn), each)
}

// System runs fn in a read-write transaction without a tenant: it sees tables that belong to none, and whatever its role
// may see of all tenants.
func (db *DB) System(ctx context.Context, fn func(tx *Tx) error) error {
	return db.run(ctx, "pg.system", txOptions{}, fn)
}

type txOptions struct {
	tenant   string
	readOnly bool
	within   time.Duration // of each statement; 0 is what the role has
	once     *Once
}

func (db *DB) run(ctx context.Context, name string, o txOptions, fn func(tx *Tx) error) (err error) {
	ctx, end := db.span(ctx, name)
	defer func() { end(err) }()

	tx := &Tx{db: db, tenant: o.tenant, readOnly: o.readOnly, batch: &pgx.Batch{}}
	if o.readOnly {
		tx.batch.Queue("BEGIN READ ONLY")
	} else {
		tx.batch.Queue("BEGIN")
	}
	tx.batch.Queue(setTenantSQL, o.tenant)
	if o.within > 0 {
		tx.batch.Queue("SELECT set_config('statement_timeout', $1, true)", strconv.FormatInt(max(1, o.within.Milliseconds()), 10))
	}
	if o.once != nil {
		tx.batch.Queue("SELECT idempotency_begin($1, $2, $3, $4, $5)",
			o.tenant, o.once.Subject, o.once.Operation, o.once.Key, o.once.BodyHash)
	}
	tx.fresh = tx.batch.Len()
	defer tx.end(ctx) // also when fn panics
	if err = fn(tx); err == nil {
		err = tx.commit(ctx)
	}
	if err != nil {
		return presentable(err)
	}
	tx.end(ctx)
	for _, hook := range tx.onCommit {
		hook()
	}
	return nil
}

// presentable makes errors of infrastructure problems that a caller can act upon; it leaves all others alone.
func presentable(err error) error {
	var p *problem.Error
	if errors.As(err, &p) || !Transient(err) || errors.Is(err, context.Canceled) {
		return err
	}
	return problem.New(problem.Unavailable, "database_unavailable",
		"The database cannot be reached or is overloaded. Nothing was changed. Try again later.").Because(err)
}

// span makes one span a transaction, and none for what runs outside of any trace, such as polling.
func (db *DB) span(ctx context.Context, name string) (context.Context, func(error)) {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx, func(error) {}
	}
	ctx, span := otel.Tracer("github.com/guanxi-crm/guanxi/platform/pg").Start(ctx, name,
		trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(
			attribute.String("db.system.name", "postgresql"),
			attribute.String("guanxi.service", db.service),
			attribute.String("guanxi.role", string(db.role))))
	return ctx, func(err error) {
		if err != nil {
			// The text of an error of the server can quote values; its code cannot.
			code := sqlState(err)
			if code == "" {
				code = string(problem.KindOf(err))
			}
			span.SetStatus(codes.Error, code)
			span.SetAttributes(attribute.String("db.response.status_code", code))
		}
		span.End()
	}
}
