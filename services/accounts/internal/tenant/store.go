package tenant

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

const columns = `tenant_id, id, version, display_name, region, language, time_zone, currency, state, created_at, changed_at`

// errNotFound is the same for a tenant that is not there and for one that the caller may not see.
var errNotFound = problem.New(problem.NotFound, "tenant_not_found", "There is no such tenant.")

// insert queues the new row. A tenant of that id violates the constraint tenant_pkey.
func insert(tx *pg.Tx, t Tenant) {
	tx.Queue(`INSERT INTO tenant (`+columns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		t.ID, t.StreamID, t.Version, t.DisplayName, t.Region, t.Language, t.TimeZone, t.Currency, t.State, t.CreatedAt, t.ChangedAt)
}

// update queues the new state of a row that is locked.
func update(tx *pg.Tx, t Tenant) {
	tx.Queue(`UPDATE tenant SET version = $2, display_name = $3, region = $4, language = $5, time_zone = $6, currency = $7,
		state = $8, changed_at = $9 WHERE tenant_id = $1`,
		t.ID, t.Version, t.DisplayName, t.Region, t.Language, t.TimeZone, t.Currency, t.State, t.ChangedAt)
}

// read gives the tenant of the transaction, or errNotFound.
func read(ctx context.Context, tx *pg.Tx) (Tenant, error) {
	return one(tx.QueryRow(ctx, `SELECT `+columns+` FROM tenant WHERE tenant_id = $1`, tx.Tenant()))
}

// lock is read, and holds the row until the transaction ends.
func lock(ctx context.Context, tx *pg.Tx) (Tenant, error) {
	return one(tx.QueryRow(ctx, `SELECT `+columns+` FROM tenant WHERE tenant_id = $1 FOR UPDATE`, tx.Tenant()))
}

// list gives up to limit tenants after the given one, by id. The transaction is of the ops role, which sees them all.
func list(ctx context.Context, tx *pg.Tx, after string, limit int) ([]Tenant, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM tenant WHERE tenant_id > $1 ORDER BY tenant_id LIMIT $2`, after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Tenant, error) { return one(row) })
}

func one(row pgx.Row) (Tenant, error) {
	var t Tenant
	err := row.Scan(&t.ID, &t.StreamID, &t.Version, &t.DisplayName, &t.Region, &t.Language, &t.TimeZone, &t.Currency,
		&t.State, &t.CreatedAt, &t.ChangedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return Tenant{}, errNotFound
	}
	return t, err
}
