// Package sales leads from the first word of somebody who may want to buy to the order, and to what comes back of it; orders
// from tills, shops and files come in here too.
//
// Rooms, each importing only those before it:
//
//	customerref  whom other systems mean by their ids, as accounts tells
//	catalogue    products, the tree of their categories, price lists
//	pricing      price rules and published benefits: what a basket costs
//	team         who sells together, and when each of them is at work
//	scoring      how likely leads and opportunities are to be won
//	pipeline     pipelines and their stages; reasons for losses, competitors
//	leadfield    what a tenant wants to know of its leads besides
//	lead         who may want to buy, from their first word until they are a customer or lost; forms on websites
//	leadimport   leads from files, with what became of them
//	opportunity  what customers may buy, from its opening until it is won or lost
//	c139         what has to be clear of a great opportunity: the card, signs, gaps, win rates
//	activity     tasks, calls, meetings, visits; what customers object, and what to answer
//	assignment   who gets a lead: rules of territory, turns, loads, working hours
//	order        placed, attributed to customers, taken back
//	orderimport  orders from files
//	quote        what customers are offered: versions, approval, paper, and the order that comes of it
//	forecast     what opportunities will bring: weighted, snapshots of weeks, targets, accuracy
//	funnel       how many go from step to step, and how long that takes
//	conversion   leads become customers with opportunities, and that is undone
//	nurture      leads warmed up by marketing and handed over to sales
package sales

import (
	"context"
	"time"

	"go.temporal.io/sdk/worker"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/customfield"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/services/sales/internal/activity"
	"github.com/guanxi-crm/guanxi/services/sales/internal/assignment"
	"github.com/guanxi-crm/guanxi/services/sales/internal/c139"
	"github.com/guanxi-crm/guanxi/services/sales/internal/catalogue"
	"github.com/guanxi-crm/guanxi/services/sales/internal/conversion"
	"github.com/guanxi-crm/guanxi/services/sales/internal/forecast"
	"github.com/guanxi-crm/guanxi/services/sales/internal/funnel"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
	"github.com/guanxi-crm/guanxi/services/sales/internal/leadfield"
	"github.com/guanxi-crm/guanxi/services/sales/internal/leadimport"
	"github.com/guanxi-crm/guanxi/services/sales/internal/nurture"
	"github.com/guanxi-crm/guanxi/services/sales/internal/opportunity"
	"github.com/guanxi-crm/guanxi/services/sales/internal/order"
	"github.com/guanxi-crm/guanxi/services/sales/internal/orderimport"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pricing"
	"github.com/guanxi-crm/guanxi/services/sales/internal/quote"
	"github.com/guanxi-crm/guanxi/services/sales/internal/scoring"
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
		Peers:      []string{"accounts"},
		Build: func(d app.Deps) (app.Parts, error) {
			var (
				starter       = starts.New(d.DB, d.Flow)
				goods, prices = catalogue.New(d.DB, d.Clock), pricing.New(d.DB, d.Clock)
				teams         = team.New(d.DB, d.Clock)
				pipelines     = pipeline.New(d.DB, opportunity.Uses(), d.Clock)
				scores        = scoring.New(d.DB, d.Clock)
				fields        = customfield.New(leadfield.Kind(), d.DB, d.Clock)
				leads         = lead.New(d.DB, d.Outbox, scores, d.Clock).Forgetting(activity.EraseLeads)
				leadFiles     = leadimport.New(d.DB, d.Outbox, d.Flow, name, leads, d.Clock).Within(d.Turns)
				opportunities = opportunity.New(d.DB, d.Outbox, scores, d.Clock).Following(d.Flow, starter, name)
				cards         = c139.New(d.DB, d.Clock)
				activities    = activity.New(d.DB, d.Ops, d.Outbox, d.Clock)
				assignments   = assignment.New(d.DB, d.Outbox, leads, d.Clock)
				orders        = order.New(d.DB, d.Outbox, d.Clock)
				orderFiles    = orderimport.New(d.DB, d.Outbox, d.Flow, name, d.Clock).Within(d.Turns)
				forecasts     = forecast.New(d.DB, d.Outbox, d.Clock)
				funnels       = funnel.New(d.DB, d.Clock)
				conversions   = conversion.New(d.DB, d.Outbox, leads, opportunities, d.Peers, starter, name, d.Clock)
				nurturing     = nurture.New(d.DB, d.Outbox, d.Flow, starter, leads, name, d.Clock)
				// Cards and activities are found by leads and by the contacts of opportunities, so they are emptied before those.
				eraser = erasure.New(d.DB, erasure.Rooms{Erase: erasure.Each(quote.Erase, conversion.Erase, activity.Erase, c139.Erase, opportunity.Erase,
					order.Erase, pricing.Erase, leads.EraseCustomers)})
			)
			fonts, err := quote.OpenFonts(d.Config.PDFFonts())
			if err != nil {
				return app.Parts{}, err
			}
			quotes := quote.New(d.DB, d.Outbox, d.Flow, starter, quote.Rooms{Pricing: prices, Orders: orders, Opportunities: opportunities}, fonts, name, d.Clock)
			return app.Parts{
				Routes: []func(*httpx.API){
					goods.Routes, prices.Routes, orders.Routes, orderFiles.Routes, teams.Routes, pipelines.Routes, scores.Routes, fields.Routes, leads.Routes,
					assignments.Routes, nurturing.Routes, leadFiles.Routes, opportunities.Routes, cards.Routes, activities.Routes, quotes.Routes,
					conversions.Routes, forecasts.Routes, funnels.Routes,
				},
				// One consumer for all that is told of customers: in the stream of one the erasure comes after every name.
				Consumers: []inbox.Consumer{alias.With(eraser.With(orders.Customers())), prices.Tiers(), opportunities.Consumer(), cards.Consumer(), quotes.Consumer()},
				Worker: func(r worker.Registry) {
					for _, register := range []func(worker.Registry){
						eraser.Register, orderFiles.Register, leadFiles.Register, orders.Register, conversions.Worker, nurturing.Worker, opportunities.Worker,
						quotes.Worker, forecasts.Register,
					} {
						register(r)
					}
				},
				Schedules: []flow.Schedule{forecast.Schedule()},
				Background: []func(context.Context) error{
					orderFiles.Run, leadFiles.Run, starter.Run,
					app.Every(time.Second, d.Log, "leads who may be customers", conversions.Match),
					app.Every(time.Minute, d.Log, "conversions without a process", conversions.Sweep),
					app.Every(time.Second, d.Log, "opportunities that may have stalled", opportunities.Scan),
					app.Every(time.Minute, d.Log, "follow-ups without a process", opportunities.Sweep),
					app.Every(activity.RemindEvery, d.Log, "reminders of activities", activities.Remind),
					app.Every(time.Second, d.Log, "leads that nobody has", assignments.Pass),
					app.Every(5*time.Second, d.Log, "leads that are warmed up and were changed", nurturing.Tell),
					app.Every(time.Minute, d.Log, "nurturings without a process", nurturing.Sweep),
					app.Every(time.Second, d.Log, "quotes that were not answered in time", quotes.Expire),
					app.Every(time.Minute, d.Log, "quotes without a process", quotes.Sweep),
					app.Every(time.Second, d.Log, "scores of leads and opportunities", scores.Background),
				},
			}, nil
		},
	}
}
