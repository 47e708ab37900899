package customerexport

import (
	"context"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Get gives an export of the caller's tenant.
func (e *Exports) Get(ctx context.Context, id uuid.UUID) (Export, error) {
	s, err := e.find(ctx, id)
	return s.Export, err
}

func (e *Exports) find(ctx context.Context, id uuid.UUID) (s stored, err error) {
	err = e.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		s, err = load(ctx, tx, id, false)
		return err
	})
	return s, err
}

// List gives up to limit exports that are older than the one of the given id (the greatest id: all), the newest first.
func (e *Exports) List(ctx context.Context, before uuid.UUID, limit int) (all []Export, err error) {
	err = e.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		found, err := listBefore(ctx, tx, before, limit)
		for _, s := range found {
			all = append(all, s.Export)
		}
		return err
	})
	return all, err
}

// chunk gives a part of a file, counted from 0.
func (e *Exports) chunk(ctx context.Context, id uuid.UUID, n int) (content []byte, err error) {
	err = e.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		content, err = chunk(ctx, tx, id, n)
		return err
	})
	return content, err
}
