// Package rollout is how CRM is introduced: phase by phase, unit by unit, through gates that people and measured numbers open.
package rollout

import (
	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/services/rollout/migrations"
)

const name = "rollout"

// Module is the service.
func Module() app.Module {
	return app.Module{
		Name:       name,
		Title:      "Guanxi rollout",
		Migrations: migrations.FS,
		Build: func(app.Deps) (app.Parts, error) {
			return app.Parts{}, nil
		},
	}
}
