package matching

import (
	"context"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Rules gives the rules of the caller's tenant.
func (m *Matches) Rules(ctx context.Context) (Rules, error) {
	var rules *Rules
	err := m.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		rules = queueRules(tx)
		return nil
	})
	if err != nil {
		return Rules{}, err
	}
	return *rules, nil
}

// Get gives a pair of the caller's tenant.
func (m *Matches) Get(ctx context.Context, id uuid.UUID) (Pair, error) {
	var p Pair
	err := m.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		p, err = get(ctx, tx, id)
		return err
	})
	return p, err
}

// List gives up to limit pairs of a state behind the place, the surest first.
func (m *Matches) List(ctx context.Context, state State, after place, limit int) ([]Pair, error) {
	var page []Pair
	err := m.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		page, err = list(ctx, tx, state, after, limit)
		return err
	})
	return page, err
}
