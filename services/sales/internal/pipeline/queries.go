package pipeline

import (
	"context"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Get gives a pipeline of the caller's tenant.
func (p *Pipelines) Get(ctx context.Context, code string) (found Pipeline, err error) {
	err = p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = Find(ctx, tx, code)
		return err
	})
	return found, err
}

// List gives all pipelines of the caller's tenant, the standard one first and the others by code.
func (p *Pipelines) List(ctx context.Context) (all []Pipeline, err error) {
	err = p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		book := All(tx)
		err := tx.Flush(ctx)
		all = book.All()
		return err
	})
	return all, err
}

// Reasons gives the reasons of the caller's tenant, by code.
func (p *Pipelines) Reasons(ctx context.Context) (all []Reason, err error) {
	err = p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		reasons := AllReasons(tx)
		err := tx.Flush(ctx)
		all = reasons.All()
		return err
	})
	return all, err
}

// Competitors gives the competitors of the caller's tenant, by code.
func (p *Pipelines) Competitors(ctx context.Context) (all []Competitor, err error) {
	err = p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		competitors := AllCompetitors(tx)
		err := tx.Flush(ctx)
		all = competitors.sorted()
		return err
	})
	return all, err
}
