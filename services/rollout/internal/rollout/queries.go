package rollout

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Get gives a rollout of the caller's tenant: NotFound rollout_not_found.
func (r *Rollouts) Get(ctx context.Context, id uuid.UUID) (found Rollout, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = load(ctx, tx, id, false)
		return err
	})
	return found, err
}

// Standing gives where a rollout stands.
func (r *Rollouts) Standing(ctx context.Context, id uuid.UUID) (Standing, error) {
	found, err := r.Get(ctx, id)
	return found.Standing(), err
}

// List gives rollouts, the latest first: those made before the one of an id, uuid.Max for all.
func (r *Rollouts) List(ctx context.Context, before uuid.UUID, limit int) (all []Rollout, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+columns+from+`WHERE r.tenant_id = $1 AND r.id < $2 ORDER BY r.id DESC LIMIT $3`, tx.Tenant(), before, limit)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, scan)
		return err
	})
	return all, err
}
