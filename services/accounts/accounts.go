// Package accounts is the customer master: the organisations that use the platform and the customers of each, found by
// whatever they are recognised by.
//
// Rooms, each importing only those before it:
//
//	tenant          the organisations, their settings, and whether they may write
//	access          what a caller sees of a customer, and who looked at what is sensitive
//	identity        telephone, mail, card, ids of other systems: one form for each
//	customer        registered, changed, found by an identity
//	consent         what customers allowed and no longer allow
//	relationship    who stands in which relation to whom
//	customerimport  customers from files
//	customerexport  customers into files, and one customer's whole data
//	merge           two customers who are one, and the way back
//	insight         what analyses and other systems say of a customer
//	timeline        what all services' events say of a customer
package accounts

import (
	"context"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/worker"

	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/consent"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customerexport"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customerimport"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/insight"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/merge"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/relationship"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/tenant"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/timeline"
	"github.com/guanxi-crm/guanxi/services/accounts/migrations"
	"github.com/guanxi-crm/guanxi/services/accounts/projection"
)

const name = "accounts"

// Module is the service.
func Module() app.Module {
	return app.Module{
		Name:             name,
		Title:            "Guanxi accounts",
		Migrations:       migrations.FS,
		Projection:       projection.FS,
		ProjectionTables: []string{"timeline_entry", "timeline_unresolved", "timeline_fact", "timeline_as_of"},
		Build: func(d app.Deps) (app.Parts, error) {
			tenants := tenant.New(d.DB, d.Ops, d.Outbox, d.Clock)
			consents := consent.New(d.DB, d.Outbox, consent.NewHashes([]byte(d.Config.Flow.Key)), d.Clock)
			customers := customer.New(d.DB, d.Outbox, d.Clock)
			merges := merge.New(d.DB, d.Outbox, untangled, d.Clock)
			relationships := relationship.New(d.DB, d.Outbox, d.Clock)
			looks := access.NewLog(d.DB, d.Clock)
			insights := insight.New(d.DB, looks, d.Clock)
			imports := customerimport.New(d.DB, d.Outbox, d.Flow, name, d.Clock)
			exports := customerexport.New(d.DB, d.Ops, looks, d.Flow, name, d.Clock)
			return app.Parts{
				Routes:    []func(*httpx.API){tenants.Routes, looks.Routes, customers.Routes, consents.Routes, insights.Routes, relationships.Routes, imports.Routes, exports.Routes, merges.Routes, timeline.New(d.DB).Routes},
				Consumers: []inbox.Consumer{timeline.Consumer()},
				Worker: func(r worker.Registry) {
					imports.Register(r)
					exports.Worker(r)
				},
				Background: []func(context.Context) error{
					imports.Run, app.Every(5*time.Second, d.Log, "exports that are due", exports.Sweep),
				},
			}, nil
		},
	}
}

// untangled finds nothing that keeps two customers from being merged.
func untangled(context.Context, *pg.Tx, []uuid.UUID, []uuid.UUID) ([]string, error) { return nil, nil }
