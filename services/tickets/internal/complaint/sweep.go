package complaint

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

const (
	sweepLate = 10 * time.Minute // after its due time nothing has happened: the process is gone
	sweepMost = 500
)

// Sweep looks once over all tenants for complaints whose process was ended by hand or lost, and has it started anew where
// the complaint stands. A process that runs stays as it is. It may be called in any number of processes.
func (c *Complaints) Sweep(ctx context.Context) error {
	type left struct {
		tenant string
		id     uuid.UUID
	}
	var all []left
	err := c.db.System(ctx, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT tenant_id, id FROM complaint_overdue($1, $2)`, c.now().Add(-sweepLate), sweepMost)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (l left, err error) { return l, row.Scan(&l.tenant, &l.id) })
		return err
	})
	if err != nil {
		return fmt.Errorf("complaints without a process: %w", err)
	}
	var errs []error
	for _, l := range all {
		ctx := auth.With(ctx, auth.Principal{Subject: process, Tenant: l.tenant})
		err := c.db.Tx(ctx, l.tenant, func(tx *pg.Tx) error {
			return c.starter.Queue(ctx, tx, c.start(l.tenant, Complaint{ID: l.id}))
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("complaint %s: %w", l.id, err))
		}
	}
	return errors.Join(errs...)
}
