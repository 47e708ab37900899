package relationship

import (
	"context"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
)

// Filter says which of a customer's relations are meant; the zero Filter means all current ones.
type Filter struct {
	Kind   Kind
	Ended  bool      // those that have ended, too
	Before uuid.UUID // only those made before this one
}

// Get gives a relation of the caller's tenant.
func (r *Relationships) Get(ctx context.Context, id uuid.UUID) (found Relationship, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = get(ctx, tx, id)
		return err
	})
	return found, err
}

// List gives whom the id means, and up to limit relations from and to that customer, the latest first.
func (r *Relationships) List(ctx context.Context, id uuid.UUID, f Filter, limit int) (ref customer.Ref, page []Relationship, err error) {
	if f.Before == uuid.Nil {
		f.Before = uuid.Max
	}
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		if ref, err = customer.Resolve(ctx, tx, id); err != nil {
			return err
		}
		page, err = list(ctx, tx, ref.Group(), f, limit)
		return err
	})
	return ref, page, err
}

// Hierarchy is what a customer stands in: those above and those below, the nearest first.
type Hierarchy struct {
	Customer             uuid.UUID
	Above, Below         []Node
	MoreAbove, MoreBelow bool // there are more than MaxNodes
}

// Hierarchy gives the customers who are reached by current relations of the kind, within depth steps: above by going from
// customers to related ones, below the other way.
func (r *Relationships) Hierarchy(ctx context.Context, id uuid.UUID, kind Kind, above, below bool, depth int) (h Hierarchy, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		ref, err := customer.Resolve(ctx, tx, id)
		if err != nil {
			return err
		}
		h.Customer = ref.Root
		walk := func(up bool) ([]Node, bool, error) {
			return Walk(ref.Root, depth, MaxNodes, func(from []uuid.UUID, limit int) ([]Step, error) {
				return steps(ctx, tx, kind, up, from, limit)
			})
		}
		if above {
			if h.Above, h.MoreAbove, err = walk(true); err != nil {
				return err
			}
		}
		if below {
			h.Below, h.MoreBelow, err = walk(false)
		}
		return err
	})
	return h, err
}
