package touchpoint

import (
	"context"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Filter says which touchpoints are meant; the zero Filter means all that are not archived.
type Filter struct {
	Stage    Stage
	Archived bool   // those in the archive, too
	After    string // only those after this code
}

// Get gives a touchpoint of the caller's tenant.
func (t *Touchpoints) Get(ctx context.Context, code string) (found Touchpoint, err error) {
	err = t.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = get(ctx, tx, code)
		return err
	})
	return found, err
}

// List gives up to limit touchpoints, by code.
func (t *Touchpoints) List(ctx context.Context, f Filter, limit int) (page []Touchpoint, err error) {
	err = t.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		page, err = list(ctx, tx, f, limit)
		return err
	})
	return page, err
}
