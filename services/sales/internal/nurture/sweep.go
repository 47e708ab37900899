package nurture

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
)

const (
	sweepLate = 10 * time.Minute // after its due time nothing has happened: the process is gone
	sweepMost = 500
	tellMost  = 100
)

// Sweep looks once over all tenants for cases whose process was ended by hand or lost, and has it started anew where the case
// stands: those that are overdue, and those whose lead was changed. A process that runs stays as it is. It may be called in any
// number of processes.
func (n *Nurture) Sweep(ctx context.Context) error {
	start := func(tenant string, id uuid.UUID) flow.Start { return n.start(tenant, id) }
	if _, err := n.starter.Revive(ctx, process, start, `SELECT tenant_id, id FROM nurture_overdue($1, $2)`, n.now().Add(-sweepLate), sweepMost); err != nil {
		return err
	}
	_, err := n.starter.Revive(ctx, process, start, `SELECT tenant_id, id FROM nurture_changed($1)`, sweepMost)
	return err
}

// Tell has the processes look at cases whose lead was changed by something else: it came again, its score has risen, or it is no
// longer warmed up. It may be called in any number of processes.
func (n *Nurture) Tell(ctx context.Context) error {
	changed, err := n.db.Across(ctx, `SELECT tenant_id, id FROM nurture_changed($1)`, tellMost)
	if err != nil {
		return fmt.Errorf("nurturings whose lead was changed: %w", err)
	}
	for _, one := range changed {
		n.flow.Poke(auth.With(ctx, auth.Principal{Subject: process, Tenant: one.Tenant}), workflowID(one.Tenant, one.ID))
	}
	return nil
}
