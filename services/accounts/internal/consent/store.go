package consent

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

const columns = `r.id, r.statement_id, r.customer_id, r.purpose, r.channel, r.address_type, r.address, r.state, r.kind, r.basis,
	r.source, r.wording, r.actor, r.guardian_name, r.guardian_relation, r.guardian_until, r.confirms, r.expires_at, r.said_at,
	r.recorded_at, r.erased_at IS NOT NULL`

// insert queues records, in one statement.
func insert(tx *pg.Tx, records ...Record) {
	n := len(records)
	ids, customers := make([]uuid.UUID, n), make([]uuid.UUID, n)
	for i, r := range records {
		ids[i], customers[i] = r.ID, r.Customer
	}
	r := records[0] // all of one statement: they differ in id and customer alone
	tx.Queue(`INSERT INTO consent_record (tenant_id, id, customer_id, statement_id, purpose, channel, address_type, address, state, kind,
			basis, source, wording, actor, guardian_name, guardian_relation, guardian_until, confirms, expires_at, said_at, recorded_at)
		SELECT $1, n.id, n.customer_id, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21
		FROM unnest($2::uuid[], $3::uuid[]) AS n(id, customer_id)`,
		tx.Tenant(), ids, customers, r.Statement, r.Key.Purpose, r.Key.Channel, r.Key.Address.Type, r.Key.Address.Value, r.State, r.Kind,
		r.Basis, r.Source, r.Wording, r.Actor, r.Guardian.Name, r.Guardian.Relation, pg.OrNull(r.Guardian.Until), pg.OrNull(r.Confirms),
		pg.OrNull(r.ExpiresAt), r.SaidAt, r.RecordedAt)
}

func scan(row pgx.CollectableRow) (r Record, err error) {
	var until, expires *time.Time
	var confirms *uuid.UUID
	err = row.Scan(&r.ID, &r.Statement, &r.Customer, &r.Key.Purpose, &r.Key.Channel, &r.Key.Address.Type, &r.Key.Address.Value, &r.State,
		&r.Kind, &r.Basis, &r.Source, &r.Wording, &r.Actor, &r.Guardian.Name, &r.Guardian.Relation, &until, &confirms, &expires,
		&r.SaidAt, &r.RecordedAt, &r.Erased)
	if until != nil {
		r.Guardian.Until = until.UTC()
	}
	if confirms != nil {
		r.Confirms = *confirms
	}
	if expires != nil {
		r.ExpiresAt = expires.UTC()
	}
	r.SaidAt, r.RecordedAt = r.SaidAt.UTC(), r.RecordedAt.UTC()
	return r, err
}

// one reads the only row of a query; found is false where there is none.
func one(ctx context.Context, tx *pg.Tx, sql string, args ...any) (r Record, found bool, err error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return Record{}, false, err
	}
	r, err = pgx.CollectOneRow(rows, scan)
	if errors.Is(err, pgx.ErrNoRows) {
		return Record{}, false, nil
	}
	return r, err == nil, err
}

func get(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Record, error) {
	r, found, err := one(ctx, tx, `SELECT `+columns+` FROM consent_record r WHERE r.tenant_id = $1 AND r.id = $2`, tx.Tenant(), id)
	if err == nil && !found {
		err = problem.New(problem.NotFound, "consent_not_found", "There is no such consent.")
	}
	return r, err
}

// confirmed gives the grant that a pending record became.
func confirmed(ctx context.Context, tx *pg.Tx, pending uuid.UUID) (Record, bool, error) {
	return one(ctx, tx, `SELECT `+columns+` FROM consent_record r WHERE r.tenant_id = $1 AND r.confirms = $2`, tx.Tenant(), pending)
}

// list gives up to limit statements of the group that were recorded before the given one (Nil: the latest), the latest
// first, of one purpose only where it is not empty. A statement that was written for several of the group comes once.
func list(ctx context.Context, tx *pg.Tx, group []uuid.UUID, p Purpose, before uuid.UUID, limit int) ([]Record, error) {
	if before == uuid.Nil {
		before = uuid.Max
	}
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM consent_record r
		WHERE r.tenant_id = $1 AND r.customer_id = ANY($2::uuid[]) AND r.id < $3 AND ($4 = '' OR r.purpose = $4)
			AND NOT EXISTS (SELECT 1 FROM consent_record s WHERE s.tenant_id = $1 AND s.statement_id = r.statement_id AND s.id < r.id
				AND s.customer_id = ANY($2::uuid[]))
		ORDER BY r.id DESC LIMIT $5`, tx.Tenant(), group, before, p, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

// queueHistory queues the reading of all that decides what holds for the group, but for suppressions; it is there after the
// next round trip.
func queueHistory(tx *pg.Tx, group []uuid.UUID) *History {
	h := &History{}
	tx.Queue(`SELECT `+columns+` FROM consent_record r WHERE r.tenant_id = $1 AND r.customer_id = ANY($2::uuid[]) ORDER BY r.id`,
		tx.Tenant(), group).Query(func(rows pgx.Rows) (err error) {
		h.Records, err = pgx.CollectRows(rows, scan)
		h.Childhood.Until = childUntil(h.Records)
		return err
	})
	queueMerges(tx, group, h)
	tx.Queue(`SELECT custom ->> '`+birthField+`' FROM customer WHERE tenant_id = $1 AND id = ANY($2::uuid[])`,
		tx.Tenant(), group).Query(func(rows pgx.Rows) error {
		days, err := pgx.CollectRows(rows, pgx.RowTo[*string])
		h.Childhood.born(days)
		return err
	})
	return h
}

// queueMerges queues the reading of the merges that made the group, those that were undone included.
func queueMerges(tx *pg.Tx, group []uuid.UUID, h *History) {
	tx.Queue(`SELECT id, survivor_id, absorbed_id, merged_at, undone_at FROM customer_merge
		WHERE tenant_id = $1 AND (survivor_id = ANY($2::uuid[]) OR absorbed_id = ANY($2::uuid[])) ORDER BY merged_at, id`,
		tx.Tenant(), group).Query(func(rows pgx.Rows) (err error) {
		h.Merges, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (m Merge, err error) {
			var undone *time.Time
			err = row.Scan(&m.ID, &m.Survivor, &m.Absorbed, &m.At, &undone)
			if m.At = m.At.UTC(); undone != nil {
				m.UndoneAt = undone.UTC()
			}
			return m, err
		})
		return err
	})
}

// Load gives all that decides what holds for the customer, with the suppressions of the addresses.
func (c *Consents) Load(ctx context.Context, tx *pg.Tx, ref customer.Ref, addresses []identity.Identity) (History, error) {
	return c.load(ctx, tx, ref.Group(), addresses)
}

func (c *Consents) load(ctx context.Context, tx *pg.Tx, group []uuid.UUID, addresses []identity.Identity) (History, error) {
	h := queueHistory(tx, group)
	var err error
	h.Suppressions, err = c.Suppressions(ctx, tx, addresses)
	return *h, err
}

// insertConfirmation queues the token of a pending record.
func insertConfirmation(tx *pg.Tx, token string, r Record) {
	tx.Queue(`INSERT INTO consent_confirmation (tenant_id, token_hash, consent_id, customer_id) VALUES ($1, $2, $3, $4)`,
		tx.Tenant(), digest(token), r.ID, r.Customer)
}

// findConfirmation gives the pending record that the token is of, or confirmation_not_found.
func findConfirmation(ctx context.Context, tx *pg.Tx, token string) (Record, error) {
	r, found, err := one(ctx, tx, `SELECT `+columns+` FROM consent_confirmation t
		JOIN LATERAL (SELECT * FROM consent_record WHERE tenant_id = t.tenant_id AND id = t.consent_id) r ON true
		WHERE t.tenant_id = $1 AND t.token_hash = $2`, tx.Tenant(), digest(token))
	if err == nil && !found {
		err = problem.New(problem.NotFound, "confirmation_not_found", "Nothing waits for this token.")
	}
	return r, err
}

// lockConfirmation queues the wait for others who use the token.
func lockConfirmation(tx *pg.Tx, token string) {
	tx.Queue(`SELECT 1 FROM consent_confirmation WHERE tenant_id = $1 AND token_hash = $2 FOR UPDATE`, tx.Tenant(), digest(token))
}

// reachable gives the telephone numbers and mail addresses that the customers have or had, and those that their records name.
func reachable(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]identity.Identity, error) {
	rows, err := tx.Query(ctx, `SELECT type, value FROM customer_identity
			WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[]) AND type IN ('phone', 'email')
		UNION SELECT address_type, address FROM consent_record
			WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[]) AND address <> ''
		ORDER BY 1, 2`, tx.Tenant(), customers)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[identity.Identity])
}

// Suppress queues that nothing is to be sent to the addresses any more, unless a later grant names them. A suppression
// that is there already is renewed.
func (c *Consents) Suppress(tx *pg.Tx, suppressions ...Suppression) error {
	n := len(suppressions)
	hashes, purposes, channels, at := make([][]byte, n), make([]Purpose, n), make([]Channel, n), make([]time.Time, n)
	for i, s := range suppressions {
		var err error
		if hashes[i], err = c.hashes.Of(tx.Tenant(), s.Address); err != nil {
			return err
		}
		purposes[i], channels[i], at[i] = s.Purpose, s.Channel, s.At
	}
	tx.Queue(`INSERT INTO consent_suppression AS s (tenant_id, address_hash, purpose, channel, suppressed_at)
		SELECT $1, n.* FROM unnest($2::bytea[], $3::text[], $4::text[], $5::timestamptz[]) AS n(hash, purpose, channel, at)
		ORDER BY n.hash, n.purpose, n.channel
		ON CONFLICT (tenant_id, address_hash, purpose, channel) DO UPDATE SET suppressed_at = greatest(s.suppressed_at, excluded.suppressed_at)`,
		tx.Tenant(), hashes, purposes, channels, at)
	return nil
}

// Erase takes addresses and guardians out of the records of customers who are being erased, and suppresses every address
// that they have or had. It reads their identities, so it comes before these are erased. Done again it finds nothing.
func (c *Consents) Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) (map[string]int64, error) {
	addresses, err := reachable(ctx, tx, customers)
	if err != nil {
		return nil, err
	}
	h, err := c.load(ctx, tx, customers, addresses)
	if err != nil {
		return nil, err
	}
	now := c.now()
	var lasting []Suppression
	for _, id := range customers { // those who are aliases have no states of their own
		lasting = append(lasting, h.Standing(id, now).lasting(addresses)...)
	}
	if lasting = distinct(lasting, now); len(lasting) > 0 {
		if err := c.Suppress(tx, lasting...); err != nil {
			return nil, err
		}
	}
	var records int64
	tx.Queue(`SELECT consent_erase($1)`, customers).QueryRow(func(row pgx.Row) error { return row.Scan(&records) })
	tag, err := tx.ExecNow(ctx, `DELETE FROM consent_confirmation WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[])`, tx.Tenant(), customers)
	return map[string]int64{"consent_record": records, "consent_confirmation": tag.RowsAffected()}, err
}

// distinct gives each suppression once, as of the time.
func distinct(all []Suppression, at time.Time) []Suppression {
	seen := map[Suppression]bool{}
	var out []Suppression
	for _, s := range all {
		if s.At = at; !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

// Portable gives what the customer allowed and no longer allows, by all ids that mean the customer, for the customer to take along.
func Portable(ctx context.Context, tx *pg.Tx, group []uuid.UUID) (json.RawMessage, error) {
	return customer.Rows(ctx, tx, group, "consent_record", "customer_id", "recorded_at, id")
}
