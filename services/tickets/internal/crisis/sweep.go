package crisis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

const (
	sweepLate = 10 * time.Minute // after its due time nothing has happened: the process is gone
	sweepMost = 500
)

// Scan looks once over all tenants for bursts and proposes them. It may be called in any number of processes: of one series
// one crisis is proposed.
func (c *Crises) Scan(ctx context.Context) error {
	var tenants []string
	err := c.db.System(ctx, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT crisis_scanned($1)`, c.now().AddDate(0, 0, -mostWindow))
		if err != nil {
			return err
		}
		tenants, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return fmt.Errorf("tenants with complaints: %w", err)
	}
	var errs []error
	for _, tenant := range tenants {
		if _, err := c.ScanTenant(auth.With(ctx, auth.Principal{Subject: process, Tenant: tenant})); err != nil {
			errs = append(errs, fmt.Errorf("bursts of complaints of %s: %w", tenant, err))
		}
	}
	return errors.Join(errs...)
}

// ScanTenant looks at all series of the caller's tenant and proposes a crisis for each that raises an alarm, unless one of the
// series is proposed or led already. It gives what it proposed.
func (c *Crises) ScanTenant(ctx context.Context) (proposed []Crisis, err error) {
	now := c.now()
	err = c.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		proposed = nil
		known, err := read(ctx, tx, now)
		if err != nil {
			return err
		}
		for _, at := range known.standing { // what sales told of later than of the complaint
			if at.stage == Declared {
				linkAll(tx, at.id, now)
			}
		}
		for _, f := range known.look().Findings {
			if _, stands := known.standing[seriesKey{f.Dimension, f.Value}]; !f.Alarm || stands {
				continue
			}
			made, err := c.propose(ctx, tx, f, now)
			if err != nil {
				return err
			}
			proposed = append(proposed, made...)
		}
		return nil
	})
	return proposed, err
}

// propose makes a crisis of an alarm; nothing, where another process has in the same moment.
func (c *Crises) propose(ctx context.Context, tx *pg.Tx, f Finding, now time.Time) ([]Crisis, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	made := ProposeCrisis(id, f, now)
	err = tx.Savepoint(ctx, func() error {
		insert(tx, made, map[string]string{})
		return c.outbox.Append(ctx, tx, proposedEvent(made))
	})
	if name, _ := pg.Constraint(err); name == seriesIndex {
		return nil, nil
	}
	return []Crisis{made}, err
}

// Sweep looks once over all tenants for crises whose process was ended by hand or lost, and has it started anew where the
// crisis stands. A process that runs stays as it is. It may be called in any number of processes.
func (c *Crises) Sweep(ctx context.Context) error {
	_, err := c.starter.Revive(ctx, process, func(tenant string, id uuid.UUID) flow.Start { return c.start(tenant, Crisis{ID: id}) },
		`SELECT tenant_id, id FROM crisis_overdue($1, $2)`, c.now().Add(-sweepLate), sweepMost)
	return err
}
