package erasure

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
	// SweepEvery is how often it is looked whether an erasure has no process.
	SweepEvery = 10 * time.Minute
	// quiet is for how long nothing was heard of an erasure that may have none. Most of these wait, for a day or for another
	// service, and their process is there: to be told so again costs it nothing.
	quiet     = 10 * time.Minute
	sweepMost = 500 // read at once
	process   = "erasure"
)

// Sweep looks once over all tenants for erasures whose process was ended by hand or lost, and has it started anew where the
// erasure stands. A process that runs stays as it is. It may be called in any number of processes.
func (r *Erasures) Sweep(ctx context.Context) error {
	var after uuid.UUID
	var errs []error
	for {
		all, err := r.quiet(ctx, after)
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("erasures without a process: %w", err))...)
		}
		for _, one := range all {
			after = one.id
			ctx := auth.With(ctx, auth.Principal{Subject: process, Tenant: one.tenant})
			err := r.db.Tx(ctx, one.tenant, func(tx *pg.Tx) error { return r.starter.Queue(ctx, tx, r.start(one.tenant, one.id)) })
			if err != nil {
				errs = append(errs, fmt.Errorf("erasure %s: %w", one.id, err))
			}
		}
		if len(all) < sweepMost {
			return errors.Join(errs...)
		}
	}
}

type quietErasure struct {
	tenant string
	id     uuid.UUID
}

// quiet gives erasures of all tenants that are to go on and that nothing was heard of for a while, behind one.
func (r *Erasures) quiet(ctx context.Context, after uuid.UUID) (all []quietErasure, err error) {
	err = r.db.System(ctx, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT tenant_id, id FROM erasure_quiet($1, $2, $3)`, r.now().Add(-quiet), after, sweepMost)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (q quietErasure, err error) { return q, row.Scan(&q.tenant, &q.id) })
		return err
	})
	return all, err
}
