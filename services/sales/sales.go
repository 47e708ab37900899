// Package sales is what customers buy: orders from the till, the shop or a file, and what comes back of them.
//
// Rooms, each importing only those before it:
//
//	customerref  whom other systems mean by their ids, as accounts tells
//	team         who sells together, and when each of them is at work
//	order        placed, attributed to customers, taken back
//	orderimport  orders from files
package sales

import (
	"context"

	"go.temporal.io/sdk/worker"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/services/sales/internal/order"
	"github.com/guanxi-crm/guanxi/services/sales/internal/orderimport"
	"github.com/guanxi-crm/guanxi/services/sales/internal/team"
	"github.com/guanxi-crm/guanxi/services/sales/migrations"
)

const name = "sales"

// Module is the service.
func Module() app.Module {
	return app.Module{
		Name:       name,
		Title:      "Guanxi sales",
		Migrations: migrations.FS,
		Aliases:    true,
		Build: func(d app.Deps) (app.Parts, error) {
			orders := order.New(d.DB, d.Outbox, d.Clock)
			imports := orderimport.New(d.DB, d.Outbox, d.Flow, name, d.Clock).Within(d.Turns)
			teams := team.New(d.DB, d.Clock)
			eraser := erasure.New(d.DB, erasure.Rooms{Erase: order.Erase})
			return app.Parts{
				Routes: []func(*httpx.API){orders.Routes, imports.Routes, teams.Routes},
				// One consumer for all that is told of customers: in the stream of one the erasure comes after every name.
				Consumers: []inbox.Consumer{alias.With(eraser.With(orders.Customers()))},
				Worker: func(r worker.Registry) {
					eraser.Register(r)
					imports.Register(r)
					orders.Register(r)
				},
				Background: []func(context.Context) error{imports.Run},
			}, nil
		},
	}
}
