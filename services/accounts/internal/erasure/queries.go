package erasure

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
)

// Get gives an erasure of the caller's tenant, with the services' reports.
func (r *Erasures) Get(ctx context.Context, id uuid.UUID) (e Erasure, said []Report, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		if e, err = get(ctx, tx, id, ""); err != nil {
			return err
		}
		said, err = reports(ctx, tx, id)
		return err
	})
	return e, said, err
}

// List gives up to limit erasures before the one of the given id (nil UUID: from the last), the latest first; of one state only unless it is empty.
func (r *Erasures) List(ctx context.Context, state State, before uuid.UUID, limit int) (page []Erasure, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		page, err = list(ctx, tx, state, before, limit)
		return err
	})
	return page, err
}

// Holds gives the legal holds of a customer, lifted ones included.
func (r *Erasures) Holds(ctx context.Context, id uuid.UUID) (all []LegalHold, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		ref, err := customer.Resolve(ctx, tx, id)
		if err != nil {
			return err
		}
		all, err = holdsOf(ctx, tx, ref.Group())
		return err
	})
	return all, err
}

// OnHold tells whether a legal hold of any of the customers, by all ids that mean them, stands.
func (r *Erasures) OnHold(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) (bool, error) {
	all, err := holdsOf(ctx, tx, customers)
	return slices.ContainsFunc(all, func(h LegalHold) bool { return h.stands(r.now()) }), err
}
