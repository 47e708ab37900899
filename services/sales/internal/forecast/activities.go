package forecast

import (
	"context"

	"github.com/jackc/pgx/v5"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// tenantsAtOnce is how many tenants one step of the sweep goes through.
const tenantsAtOnce = 10

// Register registers the workflow and its activity.
func (f *Forecasts) Register(r worker.Registry) {
	r.RegisterWorkflowWithOptions(Weeks, workflow.RegisterOptions{Name: WorkflowName})
	r.RegisterActivityWithOptions(f.round, activity.RegisterOptions{Name: roundActivity})
}

// round goes on from where the sweep stands. A week that has its snapshot gets no second one.
func (f *Forecasts) round(ctx context.Context, s Sweep) (Sweep, error) {
	return flow.Round(ctx, s, f.now, f.Step, Sweep.Ended)
}

// Step takes the snapshots of the next tenants' weeks.
func (f *Forecasts) Step(ctx context.Context, s Sweep) (Sweep, error) {
	var tenants []string
	err := f.db.System(ctx, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT t FROM forecast_tenants($1, $2) AS t`, s.After, tenantsAtOnce)
		if err == nil {
			tenants, err = pgx.CollectRows(rows, pgx.RowTo[string])
		}
		return err
	})
	if err != nil {
		return s, err
	}
	for _, tenant := range tenants {
		taken, err := f.TakeWeek(ctx, tenant)
		if err != nil {
			return s, err
		}
		s.After, s.Tenants = tenant, s.Tenants+1
		if taken {
			s.Taken++
		}
	}
	s.Done = len(tenants) < tenantsAtOnce
	return s, nil
}
