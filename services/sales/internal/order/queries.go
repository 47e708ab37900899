package order

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Filter says which orders are meant; the zero Filter means all.
type Filter struct {
	CustomerID           uuid.UUID
	PlacedFrom, PlacedTo time.Time // from inclusive, to exclusive
	After                *Spot
}

// Spot is where an order stands in a list: the latest placed first, the latest recorded first among those.
type Spot struct {
	PlacedAt time.Time
	ID       uuid.UUID
}

// Get gives an order of the caller's tenant.
func (o *Orders) Get(ctx context.Context, id uuid.UUID) (Order, error) {
	var found Order
	err := o.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = get(ctx, tx, id)
		return err
	})
	return found, err
}

// List gives up to limit orders, the latest first.
func (o *Orders) List(ctx context.Context, f Filter, limit int) ([]Order, error) {
	var page []Order
	err := o.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		page, err = list(ctx, tx, f, limit)
		return err
	})
	return page, err
}

// Figures are what the orders of one currency come to.
type Figures struct {
	Currency      string
	Orders        int64
	Unresolved    int64 // orders whose customer is not known yet
	Units         int64
	RevenueMinor  int64 // as sold: what came back is not taken off
	ReturnedUnits int64
	ReturnedMinor int64
}

// Summary gives the figures of each currency, by its code.
func (o *Orders) Summary(ctx context.Context) ([]Figures, error) {
	var figures []Figures
	err := o.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		figures, err = summarise(ctx, tx)
		return err
	})
	return figures, err
}
