// Package tickets is service: what customers ask and report, and what they complain of, led from the first word to the
// compensation.
//
// Rooms, each importing only those before it:
//
//	ticket     matters under a number that people say on the telephone
//	purchase   what customers bought, as sales tells
//	policy     limits and time limits of complaints
//	complaint  assessed, investigated, remedied: a process of many decisions
package tickets

import (
	"context"
	"time"

	"go.temporal.io/sdk/worker"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/complaint"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/policy"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/purchase"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
	"github.com/guanxi-crm/guanxi/services/tickets/migrations"
	"github.com/guanxi-crm/guanxi/services/tickets/projection"
)

const name = "tickets"

// Module is the service.
func Module() app.Module {
	return app.Module{
		Name:             name,
		Title:            "Guanxi tickets",
		Migrations:       migrations.FS,
		Projection:       projection.FS,
		ProjectionTables: append(purchase.Tables(), alias.Table),
		Aliases:          true,
		Build: func(d app.Deps) (app.Parts, error) {
			starter := starts.New(d.DB, d.Flow)
			all := ticket.New(d.DB, d.Outbox, d.Clock)
			policies := policy.New(d.DB)
			eraser := erasure.New(d.DB, erasure.Rooms{Holds: complaint.Holds, Erase: complaint.Erase})
			complaints := complaint.New(d.DB, d.Outbox, d.Flow, starter, name, d.Clock)
			return app.Parts{
				Routes: []func(*httpx.API){all.Routes, policies.Routes, complaints.Routes},
				Consumers: append([]inbox.Consumer{purchase.Consumer(), alias.With(inbox.Consumer{Name: "customers", Pace: erasure.Pace})},
					lasting(complaints.Processes(), eraser.Consumer())...),
				Worker: func(r worker.Registry) {
					complaints.Worker(r)
					eraser.Register(r)
				},
				Background: []func(context.Context) error{
					starter.Run, app.Every(time.Minute, d.Log, "complaints without a process", complaints.Sweep),
				},
			}, nil
		},
	}
}

// lasting says of consumers that what they do is no part of the projection: a rebuild must not run them.
func lasting(consumers ...inbox.Consumer) []inbox.Consumer {
	for i := range consumers {
		consumers[i].Lasting = true
	}
	return consumers
}
