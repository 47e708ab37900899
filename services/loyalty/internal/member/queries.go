package member

import (
	"context"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Get gives a member of the caller's tenant.
func (m *Members) Get(ctx context.Context, id uuid.UUID) (Seen, error) {
	var found Seen
	err := m.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = See(ctx, tx, id)
		return err
	})
	return found, err
}

// Filter says which members are meant; the zero Filter means all.
type Filter struct {
	CustomerID uuid.UUID // whoever this id means since merges
	CardNumber string    // of whoever has the card, or had it before it was replaced
	Programme  string
	State      State
	After      uuid.UUID // only those enrolled after this one
}

// Blocked gives the card of the number if it was replaced; ok is false where nothing is known of it, or somebody has it.
func (m *Members) Blocked(ctx context.Context, number string) (c BlockedCard, ok bool, err error) {
	err = m.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		c, ok, err = findBlocked(ctx, tx, number)
		return err
	})
	return c, ok, err
}

// List gives up to limit members, in the order of their enrolment.
func (m *Members) List(ctx context.Context, f Filter, limit int) ([]Seen, error) {
	var page []Seen
	err := m.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		page, err = list(ctx, tx, f, limit)
		return err
	})
	return page, err
}
