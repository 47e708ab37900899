package pg

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Tx is one transaction, sent as a pipeline: what is queued travels with the next statement that needs an answer, BEGIN
// and the tenant in the first batch, COMMIT in the last. Queued writes alone are one round trip, a lock followed by
// queued writes are two. A connection is taken from the pool at the first batch. A Tx is not safe for concurrent use.
type Tx struct {
	db       *DB
	readOnly bool
	tenant   string
	conn     *pgxpool.Conn
	batch    *pgx.Batch
	begun    bool // a batch was sent
	fresh    int  // statements in the first batch that are ours: BEGIN, tenant, key
	open     *batchRows
	err      error // why nothing can be sent any more; a savepoint that is undone clears it
	depth    int   // of savepoints
	onCommit []func()
}

// Queue sends the statement with the next Flush, Query, QueryRow, ExecNow or with the commit, whose error is then that
// statement's. A callback set on the result runs when the answer is read. As a callback may refuse, callbacks are read
// before COMMIT is sent, which costs one round trip more when they stand in the last batch of a read-write transaction.
func (tx *Tx) Queue(sql string, args ...any) *pgx.QueuedQuery { return tx.batch.Queue(sql, args...) }

// Flush sends what is queued and gives the first error, which names its statement.
func (tx *Tx) Flush(ctx context.Context) error {
	if tx.batch.Len() == 0 {
		return tx.err
	}
	_, err := tx.send(ctx, flushOnly)
	return err
}

// Query sends what is queued and then sql, in one round trip. The rows are closed by reading them to the end, by Close,
// or by the next statement of tx.
func (tx *Tx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	tx.batch.Queue(sql, args...)
	rows, err := tx.send(ctx, keepLast)
	if err != nil {
		return failedRows{err}, err
	}
	return rows, nil
}

// QueryRow is Query for one row; Scan gives pgx.ErrNoRows when there is none.
func (tx *Tx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, err := tx.Query(ctx, sql, args...)
	return row{rows: rows, err: err}
}

// ExecNow sends what is queued and then sql, in one round trip, and waits for the answer.
func (tx *Tx) ExecNow(ctx context.Context, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	tx.batch.Queue(sql, args...).Exec(func(ct pgconn.CommandTag) error {
		tag = ct
		return nil
	})
	err = tx.Flush(ctx)
	return tag, err
}

// Tenant is the tenant that is set now; empty in System.
func (tx *Tx) Tenant() string { return tx.tenant }

// DB is the pool that the transaction runs on.
func (tx *Tx) DB() *DB { return tx.db }

// SetTenant goes on as another tenant from the next queued statement on.
func (tx *Tx) SetTenant(_ context.Context, tenant string) {
	tx.tenant = tenant
	tx.Queue(setTenantSQL, tenant)
}

// PlanForAny has the transaction's statements planned for any values instead of, the first times, for those at hand. It is
// for sets looked up by their whole key again and again: of a tenant that is new to the statistics the planner thinks
// that it has no rows, and reads all of them each time.
func (tx *Tx) PlanForAny() {
	tx.Queue(`SELECT set_config('plan_cache_mode', 'force_generic_plan', true)`)
}

// WaitAtMost bounds how long a statement of the transaction waits for a lock of somebody else; longer is a Transient error. It
// is for transactions that wait for each other in the program: the database does not see a circle that goes through it.
func (tx *Tx) WaitAtMost(d time.Duration) {
	tx.Queue(`SELECT set_config('lock_timeout', $1, true)`, strconv.FormatInt(d.Milliseconds(), 10))
}

// OnCommit runs fn after the commit, in the order of the calls. fn must not block. It is dropped when the savepoint in
// which it was given, or the transaction, is undone.
func (tx *Tx) OnCommit(fn func()) { tx.onCommit = append(tx.onCommit, fn) }

// Savepoint runs fn and, when it fails, undoes its effects and no others, and returns its error. The transaction can go
// on, except after an error for which Transient holds.
func (tx *Tx) Savepoint(ctx context.Context, fn func() error) error {
	if tx.err != nil {
		return tx.err
	}
	if tx.open != nil {
		tx.open.Close()
	}
	name := "s" + strconv.Itoa(tx.depth)
	mark, tenant, hooks, batch := tx.batch.Len(), tx.tenant, len(tx.onCommit), tx.batch
	tx.batch.Queue("SAVEPOINT " + name)
	tx.depth++
	err := fn()
	if err == nil {
		err = tx.Flush(ctx) // so that an error of what fn queued is fn's
	}
	tx.depth--
	if err == nil {
		tx.batch.Queue("RELEASE SAVEPOINT " + name)
		return nil
	}
	tx.tenant, tx.onCommit = tenant, tx.onCommit[:hooks]
	if tx.batch == batch { // the savepoint was never sent
		tx.batch.QueuedQueries = tx.batch.QueuedQueries[:mark]
		return err
	}
	return errors.Join(err, tx.undo(ctx, name))
}

// undo goes back to a savepoint that the server may know. It is sent alone: in a failed transaction the server refuses to
// prepare whatever else would travel with it.
func (tx *Tx) undo(ctx context.Context, name string) error {
	tx.batch = &pgx.Batch{}
	if tx.open != nil {
		tx.open.Close()
	}
	if tx.conn == nil || tx.conn.Conn().IsClosed() {
		return nil // tx.err says so already
	}
	if _, err := tx.conn.Exec(ctx, "ROLLBACK TO SAVEPOINT "+name+"; RELEASE SAVEPOINT "+name); err != nil {
		tx.err = tx.failure(err, "ROLLBACK TO SAVEPOINT")
		return tx.err
	}
	tx.err = nil
	return nil
}

type sendMode int

const (
	flushOnly  sendMode = iota
	keepLast            // leave the rows of the last statement open
	withCommit          // the last statement is COMMIT
)

// send sends the batch and reads the answers.
func (tx *Tx) send(ctx context.Context, mode sendMode) (rows *batchRows, err error) {
	if tx.open != nil {
		tx.open.Close()
	}
	if tx.err != nil {
		return nil, tx.err
	}
	if tx.conn == nil {
		if tx.conn, err = tx.db.pool.Acquire(ctx); err != nil {
			tx.err = connectFailure(err)
			return nil, tx.err
		}
	}
	batch := tx.batch
	tx.batch = &pgx.Batch{}
	tx.begun = true
	queries := batch.QueuedQueries
	results := tx.conn.SendBatch(ctx, batch)
	if mode == keepLast {
		queries = queries[:len(queries)-1]
	}
	for i, q := range queries {
		commit := mode == withCommit && i == len(queries)-1
		if err = answer(results, q, commit); err != nil {
			for _, rest := range batch.QueuedQueries[i:] {
				rest.Fn = nil // Close would run them
			}
			_ = results.Close()
			tx.err = tx.failure(err, q.SQL)
			if mode == withCommit && inDoubt(err, commit, tx.conn.Conn().IsClosed()) {
				tx.err = unknownOutcome(err)
			}
			return nil, tx.err
		}
	}
	if mode != keepLast {
		if err = results.Close(); err != nil {
			tx.err = tx.failure(err, "end of batch")
			if mode == withCommit {
				tx.err = nil // COMMIT was answered; what is broken now is only the connection
			}
		}
		return nil, tx.err
	}
	last := batch.QueuedQueries[len(batch.QueuedQueries)-1]
	r, _ := results.Query() // its error comes out of the rows
	tx.open = &batchRows{Rows: r, results: results, tx: tx, sql: last.SQL}
	if r.Err() != nil {
		tx.open.Close()
		return nil, tx.err
	}
	return tx.open, nil
}

func answer(results pgx.BatchResults, q *pgx.QueuedQuery, commit bool) error {
	switch {
	case commit:
		tag, err := results.Exec()
		if err == nil && tag.String() != "COMMIT" {
			return fmt.Errorf("%w: the server answered %s to COMMIT", errRolledBack, tag)
		}
		return err
	case q.Fn != nil:
		return q.Fn(results)
	default:
		_, err := results.Exec()
		return err
	}
}

// commit sends what is left together with COMMIT.
func (tx *Tx) commit(ctx context.Context) error {
	if !tx.begun && tx.batch.Len() == tx.fresh {
		return tx.err // nothing was asked of the database
	}
	if tx.open != nil {
		tx.open.Close()
	}
	if !tx.readOnly && tx.mayRefuse() {
		if err := tx.Flush(ctx); err != nil {
			return err
		}
	}
	if tx.err != nil {
		return tx.err
	}
	tx.batch.Queue("COMMIT")
	_, err := tx.send(ctx, withCommit)
	return err
}

func (tx *Tx) mayRefuse() bool {
	for _, q := range tx.batch.QueuedQueries {
		if q.Fn != nil {
			return true
		}
	}
	return false
}

// end gives the connection back, after a rollback where a transaction is open.
func (tx *Tx) end(ctx context.Context) {
	if tx.open != nil {
		tx.open.Close()
	}
	if tx.conn == nil {
		return
	}
	if c := tx.conn.Conn(); !c.IsClosed() && c.PgConn().TxStatus() != 'I' {
		rctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelDeadline)
		_, _ = c.Exec(rctx, "ROLLBACK") // when it fails the pool throws the connection away
		cancel()
	}
	tx.conn.Release()
	tx.conn = nil
}
