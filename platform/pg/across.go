package pg

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Of names one row of one tenant.
type Of struct {
	Tenant string
	ID     uuid.UUID
}

// Across gives the rows of all tenants that the statement lists by tenant and id: it selects from a function of the owner's,
// since under row level security it would see none. What is done about them goes on tenant by tenant.
func (db *DB) Across(ctx context.Context, sql string, args ...any) (all []Of, err error) {
	err = db.System(ctx, func(tx *Tx) error {
		rows, err := tx.Query(ctx, sql, args...)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Of])
		return err
	})
	return all, err
}
