package erasure

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
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
		listed, err := r.starter.Revive(ctx, process, r.start, `SELECT tenant_id, id FROM erasure_quiet($1, $2, $3)`,
			r.now().Add(-quiet), after, sweepMost)
		errs = append(errs, err)
		if len(listed) < sweepMost {
			return errors.Join(errs...)
		}
		after = listed[len(listed)-1].ID
	}
}
