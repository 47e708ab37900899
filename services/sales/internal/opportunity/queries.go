package opportunity

import (
	"context"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Read gives an opportunity of the caller's tenant.
func (o *Opportunities) Read(ctx context.Context, id uuid.UUID) (Opportunity, error) {
	return read(ctx, o, func(tx *pg.Tx) (Opportunity, error) { return Get(ctx, tx, id) })
}

// read gives what a reading transaction of the caller's tenant gives.
func read[T any](ctx context.Context, o *Opportunities, of func(tx *pg.Tx) (T, error)) (found T, err error) {
	err = o.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = of(tx)
		return err
	})
	return found, err
}
