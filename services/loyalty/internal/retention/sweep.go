package retention

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

const (
	sweepLate = 10 * time.Minute // after its due time nothing has happened: the process is gone
	sweepMost = 500
	tellMost  = 100
)

// Sweep looks once over all tenants for cases whose process was ended by hand or lost, and has it started anew where the case
// stands. A process that runs stays as it is. It may be called in any number of processes.
func (r *Retention) Sweep(ctx context.Context) error {
	_, err := r.starter.Revive(ctx, process, func(tenant string, id uuid.UUID) flow.Start { return r.start(tenant, Case{ID: id}) },
		`SELECT tenant_id, id FROM retention_overdue($1, $2)`, r.now().Add(-sweepLate), sweepMost)
	return err
}

// Tell has the processes look at cases that something else has changed: a purchase, an exclusion, an erasure. One that is gone
// is started anew by that. It may be called in any number of processes.
func (r *Retention) Tell(ctx context.Context) error {
	for {
		due, err := r.db.Across(ctx, `SELECT tenant_id, id FROM retention_untold($1)`, tellMost)
		if err != nil {
			return fmt.Errorf("cases that processes have to look at: %w", err)
		}
		var errs []error
		for _, one := range due {
			if err := r.tellOne(auth.With(ctx, auth.Principal{Subject: process, Tenant: one.Tenant}), one); err != nil {
				errs = append(errs, fmt.Errorf("retention case %s: %w", one.ID, err))
			}
		}
		if len(due) < tellMost || len(errs) > 0 {
			return errors.Join(errs...)
		}
	}
}

func (r *Retention) tellOne(ctx context.Context, one pg.Of) error {
	var c Case
	err := r.db.Read(ctx, one.Tenant, func(tx *pg.Tx) (err error) {
		c, err = load(ctx, tx, one.ID, false)
		return err
	})
	if err != nil {
		return err
	}
	// The same news have the same id, however often they are told.
	id := uuid.NewSHA1(decisions, fmt.Appendf(nil, "look %s %d", one.ID, c.Version))
	err = r.flow.Decide(ctx, flow.Decision{Start: r.start(one.Tenant, c), Name: LookUpdate, ID: id.String()}, nil)
	if err != nil {
		return err
	}
	return r.db.Tx(ctx, one.Tenant, func(tx *pg.Tx) error {
		tx.Queue(`UPDATE retention_case SET untold = false WHERE tenant_id = $1 AND id = $2 AND version = $3`, one.Tenant, one.ID, c.Version)
		return nil
	})
}
