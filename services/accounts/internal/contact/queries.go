package contact

import (
	"context"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
)

// List gives up to limit contacts of a customer before the given one (Nil: the latest), the latest first.
func (c *Contacts) List(ctx context.Context, id, before uuid.UUID, limit int) (page []Contact, err error) {
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		ref, err := customer.Resolve(ctx, tx, id)
		if err != nil {
			return err
		}
		page, err = list(ctx, tx, ref.Group(), before, limit)
		return err
	})
	return page, err
}
