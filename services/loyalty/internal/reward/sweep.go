package reward

import (
	"context"
	"time"
)

const (
	sweepLate = 5 * time.Minute // after it ought to have done something the process has not: it is gone
	sweepMost = 500
)

// Sweep looks once over all tenants for redemptions whose process was ended by hand or lost, and has it started anew where the
// redemption stands. A process that runs stays as it is. It may be called in any number of processes.
func (r *Rewards) Sweep(ctx context.Context) error {
	_, err := r.starter.Revive(ctx, process, r.start, `SELECT tenant_id, id FROM redemption_late($1, $2)`, r.now().Add(-sweepLate), sweepMost)
	return err
}
