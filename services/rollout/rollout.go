// Package rollout is how CRM is introduced: phase by phase, unit by unit, through gates that people and measured numbers open.
//
// Rooms, each importing only those before it:
//
//	unit     the units of the organisation
//	gate     when a gate opens, and which numbers can be measured
//	plan     goals, team, phases and risks, and what may be wrong with them
//	rollout  where a rollout stands, and for whom it opens capabilities
package rollout

import (
	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/httpx"
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
		Build: func(d app.Deps) (app.Parts, error) {
			return app.Parts{Routes: []func(*httpx.API){unit.New(d.DB, d.Clock).Routes}}, nil
		},
	}
}
