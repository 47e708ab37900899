package macro

import (
	"context"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Get gives a macro of the caller's tenant.
func (m *Macros) Get(ctx context.Context, id uuid.UUID) (found Macro, err error) {
	err = m.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = get(ctx, tx, id, false)
		return err
	})
	return found, err
}

// List gives up to limit macros, the latest first, those before the id unless it is Nil; archived ones only where they are
// asked for.
func (m *Macros) List(ctx context.Context, archived bool, before uuid.UUID, limit int) (found []Macro, err error) {
	err = m.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = list(ctx, tx, archived, before, limit)
		return err
	})
	return found, err
}
