package preference

import (
	"context"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
)

// Stated is what is stated of one key, and whom the customer's id means.
type Stated struct {
	Root uuid.UUID
	All  []Preference // what was said first, of each source the latest first
}

// Get gives what is stated of a key, or preference_not_found.
func (c *Preferences) Get(ctx context.Context, id uuid.UUID, key string) (found Stated, err error) {
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		ref, err := customer.Resolve(ctx, tx, id)
		if err != nil {
			return err
		}
		all, err := stated(ctx, tx, ref.Group(), key)
		if err == nil && len(all) == 0 {
			err = errNotFound
		}
		found = Stated{Root: ref.Root, All: all}
		return err
	})
	return found, err
}

// List gives the preferences of a customer that count, by key.
func (c *Preferences) List(ctx context.Context, id uuid.UUID) (counting []Preference, err error) {
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		ref, err := customer.Resolve(ctx, tx, id)
		if err != nil {
			return err
		}
		counting, err = Of(ctx, tx, ref.Group())
		return err
	})
	return counting, err
}

// Of gives the preferences that count of all ids of a customer, by key.
func Of(ctx context.Context, tx *pg.Tx, group []uuid.UUID) ([]Preference, error) {
	all, err := stated(ctx, tx, group, "")
	if err != nil {
		return nil, err
	}
	var counting []Preference
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].Key == all[0].Key {
			n++
		}
		p, _ := Effective(all[:n])
		counting, all = append(counting, p), all[n:]
	}
	return counting, nil
}
