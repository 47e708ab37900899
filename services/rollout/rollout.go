// Package rollout is how CRM is introduced: phase by phase, unit by unit, through gates that people and measured numbers open.
//
// Rooms, each importing only those before it:
//
//	unit     the units of the organisation
//	gate     when a gate opens, and which numbers can be measured
//	plan     goals, team, phases and risks, and what may be wrong with them
//	rollout  where a rollout stands, and for whom it opens capabilities
//	process  the workflow that leads one
package rollout

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/process"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/rollout"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/unit"
	"github.com/guanxi-crm/guanxi/services/rollout/migrations"
)

const name = "rollout"

// Module is the service.
func Module() app.Module {
	return app.Module{
		Name:       name,
		Title:      "Guanxi rollout",
		Migrations: migrations.FS,
		Peers:      []string{"accounts", "sales", "loyalty", "tickets", "analytics"},
		Build: func(d app.Deps) (app.Parts, error) {
			starter := starts.New(d.DB, d.Flow)
			rollouts := rollout.New(d.DB, d.Outbox, d.Clock).Led(d.Flow, starter, process.DecideUpdate, func(tenant string, id uuid.UUID) flow.Start {
				return process.StartOf(name, tenant, id)
			})
			return app.Parts{
				Routes: []func(*httpx.API){unit.New(d.DB, d.Clock).Routes, rollouts.Routes},
				Worker: process.New(rollouts, process.NewMeasurer(d.Peers, d.Clock).Measure, d.DB).Worker,
				Background: []func(context.Context) error{
					starter.Run, app.Every(5*time.Minute, d.Log, "rollouts without a process", rollouts.Sweep),
				},
			}, nil
		},
	}
}
