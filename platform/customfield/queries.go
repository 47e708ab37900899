package customfield

import (
	"context"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Get gives a field of the caller's tenant.
func (f *Fields) Get(ctx context.Context, name string) (found Definition, err error) {
	err = f.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = f.kind.get(ctx, tx, name, ``)
		return err
	})
	return found, err
}

// List gives up to limit fields after the one of the given name (empty: from the first), by name.
func (f *Fields) List(ctx context.Context, after string, limit int) (page []Definition, err error) {
	err = f.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		page, err = f.kind.list(ctx, tx, after, limit)
		return err
	})
	return page, err
}
