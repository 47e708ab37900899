package sla

import (
	"context"
	"math"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Get gives a policy of the caller's tenant as it is at present.
func (p *Policies) Get(ctx context.Context, id uuid.UUID) (s Stored, err error) {
	err = p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		s, err = get(ctx, tx, id)
		return err
	})
	return s, err
}

// List gives the policies that pick tickets, in the order in which they are tried.
func (p *Policies) List(ctx context.Context) (all []Stored, err error) {
	err = p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		all, err = present(ctx, tx)
		return err
	})
	return all, err
}

// Versions gives up to limit versions of a policy, the latest first; before is the version above them, 0 for none.
func (p *Policies) Versions(ctx context.Context, id uuid.UUID, before int64, limit int) (all []Stored, err error) {
	if before == 0 {
		before = math.MaxInt64
	}
	err = p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if _, err := get(ctx, tx, id); err != nil {
			return err
		}
		all, err = versions(ctx, tx, id, before, limit)
		return err
	})
	return all, err
}

// Standing gives how a customer stands with the tenant.
func (p *Policies) Standing(ctx context.Context, customer uuid.UUID) (Standing, error) {
	var found *Standing
	err := p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		found = StandingOf(tx, customer)
		return tx.Flush(ctx)
	})
	if err != nil {
		return Standing{}, err
	}
	return *found, nil
}
