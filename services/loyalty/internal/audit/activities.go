package audit

import (
	"context"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Activities is the check of all tenants, as the workflow asks for it.
type Activities struct {
	auditor *Auditor
	log     *slog.Logger
}

// Activities gives the auditor's activities.
func (a *Auditor) Activities(log *slog.Logger) *Activities { return &Activities{auditor: a, log: log} }

// Register registers the workflow and its activity.
func (a *Activities) Register(r worker.Registry) {
	r.RegisterWorkflowWithOptions(Audit, workflow.RegisterOptions{Name: WorkflowName})
	r.RegisterActivityWithOptions(a.Check, activity.RegisterOptions{Name: activityName})
}

// progress is how far the check is; a worker that takes over from a killed one goes on there.
type progress struct {
	Tenant string    `json:"tenant"`
	After  uuid.UUID `json:"after"`
	Report Report    `json:"report"`
}

// Check checks the ledgers of all tenants and logs every difference that the report lists.
func (a *Activities) Check(ctx context.Context) (Report, error) {
	var p progress
	if !activity.HasHeartbeatDetails(ctx) || activity.GetHeartbeatDetails(ctx, &p) != nil {
		p = progress{After: last, Report: Report{CheckedAt: a.auditor.clock().UTC().Truncate(time.Microsecond)}}
	}
	for {
		done, err := a.step(ctx, &p)
		if err != nil || done {
			return p.Report, err
		}
		activity.RecordHeartbeat(ctx, p)
	}
}

// step checks one page, and tells whether there is none left.
func (a *Activities) step(ctx context.Context, p *progress) (done bool, err error) {
	var part Report
	err = a.auditor.ops.System(ctx, func(tx *pg.Tx) (err error) {
		if p.After == last {
			if p.Tenant, err = nextTenant(ctx, tx, p.Tenant); err != nil || p.Tenant == "" {
				return err
			}
			p.After = uuid.Nil
		}
		part, p.After, err = page(ctx, tx, p.Tenant, p.After)
		return err
	})
	if err != nil || p.Tenant == "" {
		return err == nil, err
	}
	for _, d := range part.Differences {
		a.log.ErrorContext(ctx, "the ledger differs", "tenant", p.Tenant, "member", d.MemberID, "about", d.About, "what", d.What,
			"wanted", d.Wanted, "found", d.Found)
	}
	p.Report.add(part)
	return false, nil
}
