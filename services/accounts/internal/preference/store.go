package preference

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
)

// save queues a preference. One that was stated later and is there already stays.
func save(tx *pg.Tx, p Preference) {
	tx.Queue(`INSERT INTO preference AS p (tenant_id, customer_id, key, source, value, confidence, at, recorded_at, recorded_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (tenant_id, customer_id, key, source) DO UPDATE SET value = excluded.value, confidence = excluded.confidence,
			at = excluded.at, recorded_at = excluded.recorded_at, recorded_by = excluded.recorded_by WHERE p.at <= excluded.at`,
		tx.Tenant(), p.Customer, p.Key, p.Source, p.Value, p.Confidence, p.At, p.RecordedAt, p.RecordedBy)
}

// stated gives all that is stated by the ids of a customer, of one key where it is not empty, sorted by key.
func stated(ctx context.Context, tx *pg.Tx, group []uuid.UUID, key string) ([]Preference, error) {
	rows, err := tx.Query(ctx, `SELECT customer_id, key, value, source, confidence, at, recorded_at, recorded_by FROM preference
		WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[]) AND ($3 = '' OR key = $3)
		ORDER BY key COLLATE "C", source DESC, at DESC, customer_id`, tx.Tenant(), group, key)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (p Preference, err error) {
		err = row.Scan(&p.Customer, &p.Key, &p.Value, &p.Source, &p.Confidence, &p.At, &p.RecordedAt, &p.RecordedBy)
		p.At, p.RecordedAt = p.At.UTC(), p.RecordedAt.UTC()
		return p, err
	})
}

// remove takes away what is stated of a key by all ids of a customer, of one source where it is not empty, and says how
// much that was.
func remove(ctx context.Context, tx *pg.Tx, group []uuid.UUID, key string, source Source) (int64, error) {
	tag, err := tx.ExecNow(ctx, `DELETE FROM preference
		WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[]) AND key = $3 AND ($4 = '' OR source = $4)`, tx.Tenant(), group, key, source)
	return tag.RowsAffected(), err
}

// Erase takes away the preferences of customers who are being erased. Done again it finds nothing.
func Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) (map[string]int64, error) {
	tag, err := tx.ExecNow(ctx, `DELETE FROM preference WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[])`, tx.Tenant(), customers)
	return map[string]int64{"preference": tag.RowsAffected()}, err
}

// Portable gives what the customer prefers, by all ids that mean the customer, for the customer to take along.
func Portable(ctx context.Context, tx *pg.Tx, group []uuid.UUID) (json.RawMessage, error) {
	return customer.Rows(ctx, tx, group, "preference", "customer_id", "key, source")
}
