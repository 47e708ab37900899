package member

import (
	"context"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Get gives a member of the caller's tenant.
func (m *Members) Get(ctx context.Context, id uuid.UUID) (Member, error) {
	var found Member
	err := m.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = Find(ctx, tx, id)
		return err
	})
	return found, err
}

// List gives up to limit members after the given one, in the order of their enrolment; of one customer only where
// customer is not Nil.
func (m *Members) List(ctx context.Context, customer, after uuid.UUID, limit int) ([]Member, error) {
	var page []Member
	err := m.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		page, err = list(ctx, tx, customer, after, limit)
		return err
	})
	return page, err
}
