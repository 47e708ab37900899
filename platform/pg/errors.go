package pg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// ErrOutcomeUnknown is in the chain of the error of a transaction whose connection was lost after COMMIT was sent: it may
// have taken effect. Transient holds for it. Repeating is right only for what is idempotent.
var ErrOutcomeUnknown = errors.New("the connection was lost during the commit: whether it took effect is not known")

// errRolledBack is what remains when the server undid a transaction of which no statement failed.
var errRolledBack = errors.New("the transaction was undone")

// lostError is an error after which the connection was gone.
type lostError struct{ cause error }

func (e *lostError) Error() string { return "connection to PostgreSQL lost: " + e.cause.Error() }
func (e *lostError) Unwrap() error { return e.cause }

// failure names the statement and tells a lost connection from an error of the statement.
func (tx *Tx) failure(err error, sql string) error {
	if tx.conn != nil && tx.conn.Conn().IsClosed() {
		err = &lostError{err}
	}
	return fmt.Errorf("%s: %w", brief(sql), err)
}

// stateCancelled is what the server says of a statement whose time has passed, and of one that was cancelled.
const stateCancelled = "57014"

// tooHeavy makes a statement that ran out of its time a problem of what was asked; a caller who went away is none.
func tooHeavy(ctx context.Context, err error, each time.Duration) error {
	if sqlState(err) != stateCancelled || ctx.Err() != nil {
		return err
	}
	return problem.New(problem.Unprocessable, "query_too_heavy",
		"This question reads more than can be read in %s and was given up. Ask for less: a shorter time, fewer dimensions, "+
			"or a filter that leaves fewer customers.", each).Because(errors.New(err.Error())) // not a cause to try again for
}

func connectFailure(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no connection to PostgreSQL became free in time: %w", err)
	}
	return &lostError{err}
}

func unknownOutcome(err error) error {
	return problem.New(problem.Unavailable, "outcome_unknown",
		"The connection to the database was lost while saving, so it is not known whether this took effect. "+
			"Repeat it with the same Idempotency-Key, or look before you repeat it.").
		Because(fmt.Errorf("%w: %w", ErrOutcomeUnknown, err))
}

// inDoubt tells whether COMMIT may have been done although err came back from a batch that ended with it. A statement
// that the server answered with an error kept COMMIT from being run. COMMIT's own error is a plain one (a deferred
// constraint) or comes from a session that is being ended, when it may be late.
func inDoubt(err error, ofCommit, closed bool) bool {
	if errors.Is(err, errRolledBack) || pgconn.SafeToRetry(err) {
		return false
	}
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return ofCommit && pe.Severity != "ERROR"
	}
	return closed
}

// brief gives the first words of a statement in one line; arguments are never in it.
func brief(sql string) string {
	words := strings.Fields(sql)
	s := strings.Join(words, " ")
	if len(s) > 120 {
		s = strings.ToValidUTF8(s[:120], "") + "…"
	}
	return s
}

func sqlState(err error) string {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return pe.Code
	}
	return ""
}

// Constraint gives the name of the constraint (unique, foreign key, check, exclusion, not null) that the statement broke.
func Constraint(err error) (name string, ok bool) {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) || !strings.HasPrefix(pe.Code, "23") {
		return "", false
	}
	if pe.ConstraintName == "" {
		return pe.ColumnName, true // not null has no name of its own
	}
	return pe.ConstraintName, true
}

// transientClasses are the classes of SQLSTATE that are never the fault of what was asked.
var transientClasses = map[string]bool{
	"08": true, // connection exception
	"28": true, // invalid authorization
	"40": true, // transaction rollback: serialization, deadlock
	"53": true, // insufficient resources: disk, memory, connections
	"57": true, // operator intervention: shutdown, cancel, statement timeout
	"58": true, // system error
	"XX": true, // internal error, corruption
}

// transientStates are single states of other classes. A database, schema, table, column, function or right that is
// missing means that a migration has not run here yet.
var transientStates = map[string]bool{
	"25P03": true, // idle in transaction too long
	"25P04": true, // transaction timeout
	"55P03": true, // lock not available
	"55006": true, // object in use
	"0A000": true, // cached plan must not change result type
	"25006": true, // read only: a standby, or a fail-over under way
	"3D000": true, "3F000": true, "42P01": true, "42703": true, "42883": true, "42501": true,
}

// Transient tells whether infrastructure failed, so that the same may succeed later: retry in place, blame nobody's data.
// It does not hold for what the data caused: broken constraints, values that PostgreSQL cannot take (such as U+0000 in
// text), numbers out of range.
func Transient(err error) bool {
	if err == nil {
		return false
	}
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		// insufficient_privilege is also what row level security says of a row that is not the tenant's.
		if pe.Code == "42501" && strings.Contains(pe.Message, "row-level security") {
			return false
		}
		return len(pe.Code) == 5 && (transientClasses[pe.Code[:2]] || transientStates[pe.Code])
	}
	var lost *lostError
	var connect *pgconn.ConnectError
	var netErr net.Error
	return errors.As(err, &lost) || errors.As(err, &connect) || errors.As(err, &netErr) ||
		errors.Is(err, ErrOutcomeUnknown) || errors.Is(err, errRolledBack) || errors.Is(err, puddle.ErrClosedPool) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}
