package unit

import (
	"context"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Get gives a unit of the caller's tenant.
func (u *Units) Get(ctx context.Context, id uuid.UUID) (found Unit, err error) {
	err = u.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = find(ctx, tx, id, false)
		return err
	})
	return found, err
}

// Filter says which units are meant; the zero Filter means all that are not archived.
type Filter struct {
	Under    string // only this unit and those below it
	Code     string // only this one
	Archived bool   // those that were archived too
	After    string // only those whose codes come after this one
}

// List gives up to limit units by their codes.
func (u *Units) List(ctx context.Context, f Filter, limit int) (page []Unit, err error) {
	err = u.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		page, err = list(ctx, tx, f, limit)
		return err
	})
	return page, err
}

// Headcount gives how many users are expected in the units and in those below them, each unit counted once. Archived units
// count no more.
func Headcount(ctx context.Context, tx *pg.Tx, codes []string) (users int, err error) {
	err = tx.QueryRow(ctx, `SELECT coalesce(sum(headcount), 0)::bigint FROM unit
		WHERE tenant_id = $1 AND archived_at IS NULL AND EXISTS (SELECT 1 FROM unnest($2::text[]) AS c(code)
			WHERE unit.code = c.code OR starts_with(unit.code, c.code || '/'))`, tx.Tenant(), codes).Scan(&users)
	return users, err
}

// Known gives which of the codes are those of units that are not archived.
func Known(ctx context.Context, tx *pg.Tx, codes []string) (map[string]bool, error) {
	return known(ctx, tx, codes)
}
