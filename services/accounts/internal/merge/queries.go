package merge

import (
	"context"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
)

// Get gives a merge of the caller's tenant.
func (m *Merges) Get(ctx context.Context, id uuid.UUID) (Merge, error) {
	var found Merge
	err := m.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = get(ctx, tx, id)
		return err
	})
	return found, err
}

// Of gives up to limit merges, undone ones included, in which any id of the customer took part, before the one of the given
// id (nil UUID: from the last), the latest first.
func (m *Merges) Of(ctx context.Context, id, before uuid.UUID, limit int) ([]Merge, error) {
	var page []Merge
	err := m.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		ref, err := customer.Resolve(ctx, tx, id)
		if err != nil {
			return err
		}
		page, err = list(ctx, tx, ref.Group(), before, limit)
		return err
	})
	return page, err
}
