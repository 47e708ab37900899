package tenant

import (
	"context"
	"errors"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Get gives a tenant to its own people and to platform administrators; for all others it is not there.
func (t *Tenants) Get(ctx context.Context, id string) (Tenant, error) {
	if who, ok := auth.From(ctx); !ok || (who.Tenant != id && !who.PlatformAdmin()) {
		return Tenant{}, errNotFound
	}
	var found Tenant
	err := t.db.Read(ctx, id, func(tx *pg.Tx) (err error) {
		found, err = read(ctx, tx)
		return err
	})
	return found, err
}

// List gives up to limit tenants after the one of the given id (empty: from the first), by id.
func (t *Tenants) List(ctx context.Context, after string, limit int) ([]Tenant, error) {
	var page []Tenant
	err := t.ops.System(ctx, func(tx *pg.Tx) (err error) {
		page, err = list(ctx, tx, after, limit)
		return err
	})
	return page, err
}

// ForWrite gives the tenant of the transaction to a command that is about to write for it. A tenant that was never
// created here and one that is suspended are refused.
func ForWrite(ctx context.Context, tx *pg.Tx) (Tenant, error) {
	t, err := read(ctx, tx)
	if errors.Is(err, errNotFound) {
		return Tenant{}, problem.New(problem.Forbidden, "tenant_unknown",
			"The token names a tenant that does not exist. A platform administrator has to create it first.")
	}
	if err != nil {
		return Tenant{}, err
	}
	return t, t.Writable()
}

// Region gives the country whose national telephone numbers the tenant of the transaction means.
func Region(ctx context.Context, tx *pg.Tx) (string, error) {
	t, err := read(ctx, tx)
	return t.Region, err
}

// Today gives the day that it is at the time where the tenant of the transaction is, as a midnight in UTC.
func Today(ctx context.Context, tx *pg.Tx, now time.Time) (time.Time, error) {
	t, err := read(ctx, tx)
	return t.Day(now), err
}
