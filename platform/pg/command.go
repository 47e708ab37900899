package pg

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Once names what a caller wants done once: the same Subject, Operation and Key of a tenant within 24 hours.
type Once struct {
	Subject   string // who asks, from the token
	Operation string // what for, such as the operation's id
	Key       string // the caller's Idempotency-Key
	BodyHash  []byte // tells a repetition from another request with the same key
}

type onceKey struct{}

// WithOnce makes commands under the context run once.
func WithOnce(ctx context.Context, o Once) context.Context {
	return context.WithValue(ctx, onceKey{}, o)
}

// OnceFrom gives what WithOnce put there.
func OnceFrom(ctx context.Context) (Once, bool) {
	o, ok := ctx.Value(onceKey{}).(Once)
	return o, ok
}

// Result is what a command answers, and answers again when it is repeated.
type Result struct {
	ID       uuid.UUID // the resource that was made or changed; uuid.Nil when there is none
	Status   int       // the HTTP status of the first answer
	Replayed bool      // nothing was done now: this is the first answer again
}

// The conditions that idempotency_begin raises.
const (
	stateInFlight = "GX001"
	stateReplay   = "GX002"
	stateReused   = "GX003"
)

const maxAttempts = 5

// Command is Tx for one use case. When the context holds a Once, its effects happen once: a repetition gives the first
// Result with Replayed set; another body with the same key is the problem idempotency_key_reused (422), and a key that is
// being worked on idempotency_key_in_flight (409), at once. Only success is kept: after an error the key can be used
// again.
//
// fn runs again after a serialization failure, a deadlock or a connection lost before the commit, and it runs in vain
// when its writes are only queued and the key turns out to be known: it must not have effects outside of tx (see
// OnCommit).
func (db *DB) Command(ctx context.Context, tenant string, fn func(tx *Tx) (Result, error)) (Result, error) {
	o := txOptions{tenant: tenant}
	if once, ok := OnceFrom(ctx); ok && once.Key != "" {
		if once.BodyHash == nil {
			once.BodyHash = []byte{} // no body is a body too
		}
		o.once = &once
	}
	for attempt := 1; ; attempt++ {
		var result Result
		err := db.run(ctx, "pg.command", o, func(tx *Tx) (err error) {
			if result, err = fn(tx); err != nil || o.once == nil {
				return err
			}
			var id *uuid.UUID
			if result.ID != uuid.Nil {
				id = &result.ID
			}
			tx.Queue(`INSERT INTO idempotency (tenant_id, subject, operation, key, body_hash, status, resource_id)
				VALUES ($1, $2, $3, $4, $5, $6, $7)`,
				tenant, o.once.Subject, o.once.Operation, o.once.Key, o.once.BodyHash, result.Status, id)
			return nil
		})
		if err == nil {
			return result, nil
		}
		if o.once != nil {
			if first, known, kerr := knownKey(err); known {
				return first, kerr
			}
		}
		if attempt == maxAttempts || !again(err, attempt) || !sleep(ctx, attempt) {
			return Result{}, err
		}
	}
}

// knownKey tells what a raised condition of idempotency_begin means.
func knownKey(err error) (first Result, known bool, _ error) {
	var pe *pgconn.PgError
	if !errors.As(err, &pe) {
		return Result{}, false, nil
	}
	switch pe.Code {
	case stateInFlight:
		return Result{}, true, problem.New(problem.Conflict, "idempotency_key_in_flight",
			"A request with this Idempotency-Key is being worked on. Wait for its answer, or repeat this later.")
	case stateReused:
		return Result{}, true, problem.New(problem.Unprocessable, "idempotency_key_reused",
			"This Idempotency-Key was used with another body. Use a new key for a new request.")
	case stateReplay:
		var kept struct {
			Status int        `json:"status"`
			ID     *uuid.UUID `json:"id"`
		}
		if err := json.Unmarshal([]byte(pe.Detail), &kept); err != nil {
			return Result{}, true, problem.New(problem.Internal, "idempotency_row_unreadable",
				"The first answer to this Idempotency-Key cannot be read.").Because(err)
		}
		first = Result{Status: kept.Status, Replayed: true}
		if kept.ID != nil {
			first.ID = *kept.ID
		}
		return first, true, nil
	}
	return Result{}, false, nil
}

// again tells whether the transaction certainly had no effect and stands a chance now. A lost connection is tried once
// more only: it is either one stale connection of the pool, or the server is away and the caller had better hear of it.
func again(err error, attempt int) bool {
	switch sqlState(err) {
	case "40001", "40P01":
		return true
	case "0A000": // cached plan must not change result type: a migration ran; the statement is prepared anew
		return attempt == 1
	case "57P01", "57P02":
		return attempt == 1 && !errors.Is(err, ErrOutcomeUnknown)
	}
	var lost *lostError
	return errors.As(err, &lost) && attempt == 1 && !errors.Is(err, ErrOutcomeUnknown)
}

// sleep waits up to 10 ms, 20 ms, 40 ms and so on; it gives false when the context ends.
func sleep(ctx context.Context, attempt int) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(rand.N(10 * time.Millisecond << (attempt - 1))):
		return true
	}
}
