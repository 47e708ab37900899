package customer

import (
	"context"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/tenant"
)

// Get gives a customer of the caller's tenant.
func (c *Customers) Get(ctx context.Context, id uuid.UUID) (Customer, error) {
	var found Customer
	err := c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = get(ctx, tx, id)
		return err
	})
	return found, err
}

// List gives up to limit customers after the one of the given id (nil UUID: from the first), in the order of
// registration.
func (c *Customers) List(ctx context.Context, after uuid.UUID, limit int) ([]Customer, error) {
	var page []Customer
	err := c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		page, err = list(ctx, tx, after, limit)
		return err
	})
	return page, err
}

// maxFound bounds what a lookup answers: a number that more customers share tells nothing about who is calling.
const maxFound = 20

// Lookup gives up to 20 customers who are recognised by the identity, the likeliest first. The value is brought to its
// one form as on writing; one that has none is Unprocessable.
func (c *Customers) Lookup(ctx context.Context, kind, value string) ([]Customer, error) {
	var found []Customer
	err := c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		region, err := tenant.Region(ctx, tx)
		if err != nil {
			return err
		}
		i, fault := identity.Normalise(kind, value, region)
		if fault != nil {
			return problem.New(problem.Unprocessable, "identity_invalid", "This cannot be looked up: mend the parameter named here.").
				WithField("query."+fault.Field, fault.Code, fault.Message)
		}
		found, err = lookup(ctx, tx, i, maxFound)
		return err
	})
	return found, err
}

// Count gives the number of the tenant's customers.
func (c *Customers) Count(ctx context.Context) (int64, error) {
	var n int64
	err := c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		return tx.QueryRow(ctx, `SELECT count(*) FROM customer WHERE tenant_id = $1`, tx.Tenant()).Scan(&n)
	})
	return n, err
}
