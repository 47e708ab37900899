package lead

import (
	"context"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Get gives a lead of the caller's tenant.
func (s *Leads) Get(ctx context.Context, id uuid.UUID) (l Lead, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		l, err = Get(ctx, tx, id)
		return err
	})
	return l, err
}
