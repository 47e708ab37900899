package contact

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
)

var errNotFound = problem.New(problem.NotFound, "contact_not_found", "There is no such contact.")

const columns = `c.id, c.key, c.input_hash, c.customer_id, c.purpose, c.asked, c.reason_type, c.reason_id, c.asked_by, c.asked_at,
	c.refusal, c.channel, c.address_hash, c.valid_until, v.at, v.by`

// revealed is the one attempt that was given the address, of a contact c.
const revealed = `LEFT JOIN LATERAL (SELECT at, by FROM contact_reveal
		WHERE tenant_id = c.tenant_id AND contact_id = c.id AND outcome = 'given' LIMIT 1) v ON true`

// insert queues a contact. One whose key is there already violates contact_log_key.
func insert(tx *pg.Tx, c Contact) {
	tx.Queue(`INSERT INTO contact_log (tenant_id, id, key, input_hash, customer_id, purpose, asked, reason_type, reason_id, asked_by, asked_at,
			refusal, channel, address_hash, valid_until)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		tx.Tenant(), c.ID, c.Key, c.inputHash, c.Customer, c.Purpose, c.Channel, c.ReasonType, c.ReasonID, c.AskedBy, c.AskedAt,
		c.Refusal, c.By, c.AddressHash, pg.OrNull(c.ValidUntil))
}

func scan(row pgx.Row) (c Contact, err error) {
	var until, at *time.Time
	var by *string
	err = row.Scan(&c.ID, &c.Key, &c.inputHash, &c.Customer, &c.Purpose, &c.Channel, &c.ReasonType, &c.ReasonID, &c.AskedBy, &c.AskedAt,
		&c.Refusal, &c.By, &c.AddressHash, &until, &at, &by)
	if errors.Is(err, pgx.ErrNoRows) {
		return Contact{}, errNotFound
	}
	c.AskedAt = c.AskedAt.UTC()
	if until != nil {
		c.ValidUntil = until.UTC()
	}
	if at != nil && by != nil {
		c.RevealedAt, c.RevealedBy = at.UTC(), *by
	}
	return c, err
}

func get(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Contact, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM contact_log c `+revealed+` WHERE c.tenant_id = $1 AND c.id = $2`, tx.Tenant(), id))
}

// find gives the contact of a key, or errNotFound.
func find(ctx context.Context, tx *pg.Tx, key string) (Contact, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM contact_log c `+revealed+` WHERE c.tenant_id = $1 AND c.key = $2`, tx.Tenant(), key))
}

// list gives up to limit contacts of all ids of a customer before the given one (Nil: the latest), the latest first.
func list(ctx context.Context, tx *pg.Tx, group []uuid.UUID, before uuid.UUID, limit int) ([]Contact, error) {
	if before == uuid.Nil {
		before = uuid.Max
	}
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM contact_log c `+revealed+`
		WHERE c.tenant_id = $1 AND c.customer_id = ANY($2::uuid[]) AND c.id < $3 ORDER BY c.id DESC LIMIT $4`, tx.Tenant(), group, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Contact, error) { return scan(row) })
}

// addresses gives the identities by which the customer can be reached at the time: those that are verified first, the latest
// verification before older ones, then those that were added last.
func addresses(ctx context.Context, tx *pg.Tx, group []uuid.UUID, at time.Time) ([]identity.Identity, error) {
	of := make([]identity.Type, len(types))
	for n, t := range types {
		of[n] = t.of
	}
	rows, err := tx.Query(ctx, `SELECT type, value FROM customer_identity
		WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[]) AND type = ANY($3::text[])
			AND (valid_from IS NULL OR valid_from <= $4) AND (valid_to IS NULL OR valid_to > $4)
		ORDER BY verified_at DESC NULLS LAST, added_at DESC, type, value`, tx.Tenant(), group, of, at)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[identity.Identity])
}

// attempt queues what became of an attempt to fetch an address. A second one that was given violates contact_reveal_once.
func attempt(tx *pg.Tx, contact, id uuid.UUID, by string, at time.Time, o Outcome) {
	tx.Queue(`INSERT INTO contact_reveal (tenant_id, contact_id, id, at, by, outcome) VALUES ($1, $2, $3, $4, $5, $6)`,
		tx.Tenant(), contact, id, at, by, o)
}

// Erase takes out of the log by which of their addresses customers who are being erased were reached. Done again it finds
// nothing.
func Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) (map[string]int64, error) {
	var n int64
	err := tx.QueryRow(ctx, `SELECT contact_erase($1)`, customers).Scan(&n)
	return map[string]int64{"contact": n}, err
}

// Portable gives when the customer was reached, or was not, by all ids that mean the customer, for the customer to take along.
func Portable(ctx context.Context, tx *pg.Tx, group []uuid.UUID) (json.RawMessage, error) {
	return customer.Rows(ctx, tx, group, "contact_log", "customer_id", "id")
}
