package rollout

import (
	"context"
	"math"
	"slices"

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

// Filter says which rollouts are meant.
type Filter struct {
	State      State     // empty: all
	ExternalID string    // empty: all
	Before     uuid.UUID // only those made before this one; Nil: all
}

// List gives rollouts, the latest first.
func (r *Rollouts) List(ctx context.Context, f Filter, limit int) (all []Rollout, err error) {
	if f.Before == uuid.Nil {
		f.Before = uuid.Max
	}
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+columns+from+`WHERE r.tenant_id = $1 AND r.id < $2 AND ($3 = '' OR r.state = $3) AND ($4 = '' OR r.external_id = $4)
			ORDER BY r.id DESC LIMIT $5`, tx.Tenant(), f.Before, f.State, f.ExternalID, limit)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, scan)
		return err
	})
	return all, err
}

// PlanOf gives a version of the plan of a rollout; 0: the present one.
func (r *Rollouts) PlanOf(ctx context.Context, id uuid.UUID, version int) (found Kept, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		is, err := load(ctx, tx, id, false)
		if err != nil {
			return err
		}
		if version == 0 {
			version = is.PlanVersion
		}
		found, err = planOf(ctx, tx, id, version)
		return err
	})
	return found, err
}

// History gives the steps of a rollout with what was said with them, the latest first: those before the one of a number.
func (r *Rollouts) History(ctx context.Context, id uuid.UUID, before, limit int) (all []Said, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if _, err := load(ctx, tx, id, false); err != nil {
			return err
		}
		all, err = history(ctx, tx, id, before, limit)
		return err
	})
	return all, err
}

// Whole gives a rollout with all of its steps, the first one first.
func (r *Rollouts) Whole(ctx context.Context, id uuid.UUID) (found Rollout, steps []Said, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		if found, err = load(ctx, tx, id, false); err != nil {
			return err
		}
		steps, err = history(ctx, tx, id, 0, math.MaxInt32)
		slices.Reverse(steps)
		return err
	})
	return found, steps, err
}

// Going gives the rollouts that withhold capabilities from units that are not live.
func (r *Rollouts) Going(ctx context.Context) (all []Rollout, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+columns+from+`WHERE r.tenant_id = $1 AND r.state IN ('running', 'paused') ORDER BY r.id`, tx.Tenant())
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, scan)
		return err
	})
	return all, err
}
