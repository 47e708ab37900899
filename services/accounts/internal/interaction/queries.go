package interaction

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/touchpoint"
)

// Filter says which of a customer's interactions are meant; the zero Filter means all.
type Filter struct {
	Channel             touchpoint.Channel
	Direction           Direction
	Touchpoint, Outcome string    // codes
	From, Until         time.Time // of OccurredAt: From is in, Until is not
	BeforeAt            time.Time // only those before the one of this time and
	Before              uuid.UUID // this id
}

// Get gives an interaction of the caller's tenant. One with a customer who was erased is Gone.
func (i *Interactions) Get(ctx context.Context, id uuid.UUID) (found Interaction, err error) {
	err = i.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if found, err = get(ctx, tx, id); err != nil {
			return err
		}
		ref, err := customer.Resolve(ctx, tx, found.Customer)
		found.Root = ref.Root
		return err
	})
	return found, err
}

// List gives whom the id means, and up to limit interactions with that customer, the latest first.
func (i *Interactions) List(ctx context.Context, id uuid.UUID, f Filter, limit int) (ref customer.Ref, page []Interaction, err error) {
	err = i.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		if ref, err = customer.Resolve(ctx, tx, id); err != nil {
			return err
		}
		page, err = list(ctx, tx, ref.Group(), f, limit)
		for n := range page {
			page[n].Root = ref.Root
		}
		return err
	})
	return ref, page, err
}
