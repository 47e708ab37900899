package complaint

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/flow"
)

const (
	sweepLate = 10 * time.Minute // after its due time nothing has happened: the process is gone
	sweepMost = 500
)

// Sweep looks once over all tenants for complaints whose process was ended by hand or lost, and has it started anew where
// the complaint stands. A process that runs stays as it is. It may be called in any number of processes.
func (c *Complaints) Sweep(ctx context.Context) error {
	_, err := c.starter.Revive(ctx, process, func(tenant string, id uuid.UUID) flow.Start { return c.start(tenant, Complaint{ID: id}) },
		`SELECT tenant_id, id FROM complaint_overdue($1, $2)`, c.now().Add(-sweepLate), sweepMost)
	return err
}
