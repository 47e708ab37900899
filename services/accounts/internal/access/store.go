package access

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// lockHead gives where the tenant's log ends, and keeps it there until the transaction ends.
func lockHead(ctx context.Context, tx *pg.Tx) (h head, err error) {
	err = tx.QueryRow(ctx, `INSERT INTO access_log_head AS h (tenant_id, entries, last_hash) VALUES ($1, 0, '')
		ON CONFLICT (tenant_id) DO UPDATE SET entries = h.entries RETURNING entries, last_hash`, tx.Tenant()).Scan(&h.entries, &h.hash)
	return h, err
}

func moveHead(tx *pg.Tx, h head) {
	tx.Queue(`UPDATE access_log_head SET entries = $2, last_hash = $3 WHERE tenant_id = $1`, tx.Tenant(), h.entries, h.hash)
}

const columns = `seq, at, subject, roles, purpose, reason, view, customer_id, classes, hash`

// insert queues entries, in one statement.
func insert(tx *pg.Tx, entries []Entry) {
	n := len(entries)
	seqs, at, customers, hashes := make([]int64, n), make([]time.Time, n), make([]uuid.UUID, n), make([][]byte, n)
	subjects, roles, purposes := make([]string, n), make([]string, n), make([]string, n)
	reasons, views, classes := make([]string, n), make([]string, n), make([]string, n)
	for i, e := range entries {
		seqs[i], at[i], customers[i], hashes[i] = e.Seq, e.At, e.Customer, e.Hash
		subjects[i], roles[i], purposes[i], reasons[i], views[i], classes[i] = e.Subject, e.Roles, e.Purpose, e.Reason, e.View, e.Classes
	}
	tx.Queue(`INSERT INTO access_log (tenant_id, `+columns+`)
		SELECT $1, * FROM unnest($2::bigint[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::uuid[],
			$10::text[], $11::bytea[])`,
		tx.Tenant(), seqs, at, subjects, roles, purposes, reasons, views, customers, classes, hashes)
}

// Filter keeps some entries of the log.
type Filter struct {
	Customer uuid.UUID // also by an id that means the same customer now; nil UUID: of all
	Subject  string    // empty: of all
}

// Each id of the customer by the index: what comes before may be long.
const ofCustomerSQL = `SELECT ` + columns + ` FROM (SELECT DISTINCT unnest($4::uuid || coalesce((SELECT r.aliases || r.id
		FROM (SELECT coalesce(root_id, id) AS root FROM customer WHERE tenant_id = $1 AND id = $4 LIMIT 1) c
		CROSS JOIN LATERAL (SELECT id, aliases FROM customer WHERE tenant_id = $1 AND id = c.root LIMIT 1) r), '{}')) AS id) g
	CROSS JOIN LATERAL (SELECT * FROM access_log WHERE tenant_id = $1 AND customer_id = g.id AND seq < $2 AND ($5 = '' OR subject = $5)
		ORDER BY seq DESC LIMIT $3) e
	ORDER BY seq DESC LIMIT $3`

// list gives up to limit entries that come before the one of the given number, the latest first.
func list(ctx context.Context, tx *pg.Tx, f Filter, before int64, limit int) ([]Entry, error) {
	switch {
	case f.Customer != uuid.Nil:
		return collect(ctx, tx, ofCustomerSQL, tx.Tenant(), before, limit, f.Customer, f.Subject)
	case f.Subject != "":
		return collect(ctx, tx, `SELECT `+columns+` FROM access_log WHERE tenant_id = $1 AND subject = $4 AND seq < $2
			ORDER BY seq DESC LIMIT $3`, tx.Tenant(), before, limit, f.Subject)
	default:
		return collect(ctx, tx, `SELECT `+columns+` FROM access_log WHERE tenant_id = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3`,
			tx.Tenant(), before, limit)
	}
}

// following gives up to limit entries from the given number on, in order.
func following(ctx context.Context, tx *pg.Tx, from int64, limit int) ([]Entry, error) {
	return collect(ctx, tx, `SELECT `+columns+` FROM access_log WHERE tenant_id = $1 AND seq >= $2 ORDER BY seq LIMIT $3`,
		tx.Tenant(), from, limit)
}

func collect(ctx context.Context, tx *pg.Tx, sql string, args ...any) ([]Entry, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Entry])
}

// end gives where the tenant's log says that it ends, and the number of its last entry, both as of one moment.
func end(ctx context.Context, tx *pg.Tx) (h head, last int64, err error) {
	err = tx.QueryRow(ctx, `SELECT coalesce((SELECT entries FROM access_log_head WHERE tenant_id = $1), 0),
			coalesce((SELECT last_hash FROM access_log_head WHERE tenant_id = $1), ''),
			coalesce((SELECT max(seq) FROM access_log WHERE tenant_id = $1), 0)`, tx.Tenant()).Scan(&h.entries, &h.hash, &last)
	return h, last, err
}
