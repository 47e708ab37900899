package ticket

import (
	"context"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Filter says which tickets are meant; the zero Filter means all.
type Filter struct {
	Status     Status
	CustomerID uuid.UUID
	Before     uuid.UUID // only those opened before this one
}

// Get gives a ticket of the caller's tenant.
func (t *Tickets) Get(ctx context.Context, id uuid.UUID) (Ticket, error) {
	return t.read(ctx, func(tx *pg.Tx) (Ticket, error) { return get(ctx, tx, id) })
}

// ByNumber gives the ticket of a number as people say it.
func (t *Tickets) ByNumber(ctx context.Context, said string) (Ticket, error) {
	number, ok := ParseNumber(said)
	if !ok {
		return Ticket{}, errNotFound
	}
	return t.read(ctx, func(tx *pg.Tx) (Ticket, error) { return byNumber(ctx, tx, number) })
}

func (t *Tickets) read(ctx context.Context, look func(tx *pg.Tx) (Ticket, error)) (found Ticket, err error) {
	err = t.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = look(tx)
		return err
	})
	return found, err
}

// List gives up to limit tickets, the latest first.
func (t *Tickets) List(ctx context.Context, f Filter, limit int) (page []Ticket, err error) {
	err = t.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		page, err = list(ctx, tx, f, limit)
		return err
	})
	return page, err
}
