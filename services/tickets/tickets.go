// Package tickets is service: what customers ask and report, and what they complain of, led from the first word to the
// compensation.
//
// Rooms, each importing only those before it:
//
//	calendar   business time
//	category   the tree of what tickets can be about
//	field      what a tenant keeps of its tickets besides
//	sla        what is promised to whom, and how it is measured
//	ticket     matters under a number that people say on the telephone
//	routing    queues, skills, agents: who gets a ticket
//	deadline   warnings and breaches told in time, deadlines explained and reckoned anew
//	attachment files on tickets
//	link       what tickets have to do with each other, and merges of them
//	macro      series of actions that people take with one word
//	bulk       one action on many tickets
//	knowledge  articles, found, suggested on tickets, and judged
//	purchase   what customers bought, as sales tells
//	survey     what customers are asked, and what they answer
//	policy     limits and time limits of complaints
//	complaint  assessed, investigated, remedied: a process of many decisions
//	recovery   whether that left customers happier, and what it cost
//	crisis     bursts of complaints: found, proposed, led
//	report     figures over all of them
package tickets

import (
	"context"
	"time"

	"go.temporal.io/sdk/worker"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/customfield"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/attachment"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/bulk"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/calendar"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/category"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/complaint"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/crisis"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/deadline"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/field"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/knowledge"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/link"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/macro"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/policy"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/purchase"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/recovery"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/report"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/routing"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/sla"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/survey"
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
		Blobs:            true,
		Build: func(d app.Deps) (app.Parts, error) {
			starter := starts.New(d.DB, d.Flow)
			calendars := calendar.New(d.DB, d.Clock)
			levels, deadlines := sla.New(d.DB, d.Clock), deadline.New(d.DB, d.Outbox, d.Clock)
			all := ticket.New(d.DB, d.Outbox, d.Clock)
			router := routing.New(d.DB, d.Outbox, name, d.Clock)
			files := attachment.New(d.DB, d.Blobs, d.Clock, d.Log)
			links := link.New(d.DB, d.Outbox, all, d.Clock)
			macros := macro.New(d.DB, d.Outbox, all, d.Clock)
			many := bulk.New(d.DB, macros, d.Log)
			articles := knowledge.New(d.DB, all, d.Clock)
			policies := policy.New(d.DB)
			eraser := erasure.New(d.DB, erasure.Rooms{Holds: complaint.Holds, Erase: erasure.Each(ticket.EraseWords, sla.Erase, complaint.Erase, survey.Erase, attachment.Erase)})
			surveys := survey.New(d.DB, d.Outbox, starter, d.Clock)
			complaints := complaint.New(d.DB, d.Outbox, d.Flow, starter, name, d.Clock)
			crises := crisis.New(d.DB, d.Outbox, d.Flow, starter, name, d.Clock)
			recoveries := recovery.New(d.DB, name, d.Clock)
			return app.Parts{
				Routes: []func(*httpx.API){calendars.Routes, category.New(d.DB, d.Clock).Routes, customfield.New(field.Kind(), d.DB, d.Clock).Routes, levels.Routes, all.Routes, router.Routes, files.Routes(all), links.Routes, macros.Routes, many.Routes, deadlines.Routes, articles.Routes, policies.Routes, surveys.Routes, complaints.Routes, recoveries.Routes, crises.Routes, report.New(d.DB, d.Clock).Routes},
				Consumers: append([]inbox.Consumer{purchase.Consumer(), alias.With(inbox.Consumer{Name: "customers", Pace: erasure.Pace})},
					lasting(append(sla.Standings(), router.Consumer(), complaints.Processes(), complaints.Facts(), crises.Consumer(), surveys.Triggers(), recoveries.Cases(), eraser.Consumer())...)...),
				Worker: func(r worker.Registry) {
					complaints.Worker(r)
					crises.Worker(r)
					surveys.Worker(r)
					eraser.Register(r)
				},
				Background: []func(context.Context) error{
					app.Every(time.Second, d.Log, "tickets that wait for somebody", router.Pass),
					app.Every(time.Minute, d.Log, "tickets in no queue", router.Again),
					starter.Run, app.Every(time.Minute, d.Log, "complaints without a process", complaints.Sweep),
					app.Every(10*time.Second, d.Log, "files that are to go", files.Sweep),
					app.Every(deadline.ScanEvery, d.Log, "deadlines", deadlines.Scan),
					app.Every(deadline.RecomputeEvery, d.Log, "deadlines that are reckoned anew", deadlines.Recompute),
					app.Every(time.Minute, d.Log, "resolved tickets", all.CloseResolved),
					app.Every(time.Second, d.Log, "what complaints have to hear", complaints.Tell),
					app.Every(time.Minute, d.Log, "bursts of complaints", crises.Scan), app.Every(time.Minute, d.Log, "crises without a process", crises.Sweep),
					app.Every(time.Minute, d.Log, "invitations to surveys without a process", surveys.Sweep),
					app.Every(time.Minute, d.Log, "anonymous answers", surveys.EmptyUrns),
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
