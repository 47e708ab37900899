package churn

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// Risk is how likely a customer goes.
type Risk struct {
	CustomerID uuid.UUID // of merged customers, the one who stands for all
	State      string    // Scored, Left, Unknown; empty: no run has looked at the customer
	Permille   int
	Reasons    []Reason // the strongest first
	Model      uuid.UUID
	Version    int64 // of the model
	Above      bool  // it passed the threshold
	AsOf       time.Time
	ToldAt     time.Time // zero: never
}

const riskColumns = `customer_id, state, permille, reasons, model_id, model_version, above, as_of, told_at`

func scanRisk(row pgx.CollectableRow) (Risk, error) {
	var (
		r    Risk
		raw  []byte
		told *time.Time
	)
	err := row.Scan(&r.CustomerID, &r.State, &r.Permille, &raw, &r.Model, &r.Version, &r.Above, &r.AsOf, &told)
	if err == nil {
		err = json.Unmarshal(raw, &r.Reasons)
	}
	if told != nil {
		r.ToldAt = told.UTC()
	}
	return r, err
}

// Settings gives the settings of the caller's tenant.
func (c *Churn) Settings(ctx context.Context) (s Settings, err error) {
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		s, err = settings(ctx, tx)
		return err
	})
	return s, err
}

// Of gives the risk of the customer whom the id means; Gone customer_erased, NotFound customer_not_found.
func (c *Churn) Of(ctx context.Context, id uuid.UUID) (r Risk, err error) {
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		root := alias.Root(tx, id)
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		var known bool
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM portrait WHERE tenant_id = $1 AND customer_id = $2)`, tx.Tenant(), *root).Scan(&known); err != nil {
			return err
		}
		if !known {
			return fact.Missing(ctx, tx, *root)
		}
		rows, err := tx.Query(ctx, `SELECT `+riskColumns+` FROM churn_risk WHERE tenant_id = $1 AND customer_id = $2`, tx.Tenant(), *root)
		if err != nil {
			return err
		}
		r, err = pgx.CollectExactlyOneRow(rows, scanRisk)
		if errors.Is(err, pgx.ErrNoRows) {
			r, err = Risk{CustomerID: *root}, nil
		}
		return err
	})
	return r, err
}

// Highest gives customers with a risk of at least so much, the highest first, from a place in that order on.
func (c *Churn) Highest(ctx context.Context, least, below int, after uuid.UUID, limit int) (all []Risk, err error) {
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+riskColumns+` FROM churn_risk r WHERE tenant_id = $1 AND state = 'scored' AND permille >= $2
			AND permille <= $3 AND (permille < $3 OR customer_id > $4)
			AND EXISTS (SELECT FROM portrait p WHERE p.tenant_id = $1 AND p.customer_id = r.customer_id)
			ORDER BY permille DESC, customer_id LIMIT $5`, tx.Tenant(), least, below, after, limit)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, scanRisk)
		return err
	})
	return all, err
}

// Run gives a run of the caller's tenant.
func (c *Churn) Run(ctx context.Context, id uuid.UUID) (p Progress, err error) {
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		found, err := run.Find(ctx, tx, Kind, id)
		if err != nil {
			return err
		}
		all, err := progresses(ctx, tx, []run.Run{found})
		if err == nil {
			p = all[0]
		}
		return err
	})
	return p, err
}

// Runs gives up to limit runs before the given id, the newest first.
func (c *Churn) Runs(ctx context.Context, before uuid.UUID, limit int) (all []Progress, err error) {
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		found, err := run.List(ctx, tx, Kind, before, limit)
		if err == nil {
			all, err = progresses(ctx, tx, found)
		}
		return err
	})
	return all, err
}
