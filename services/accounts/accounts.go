// Package accounts is the customer master: the organisations that use the platform and the customers of each, found by
// whatever they are recognised by.
//
// Rooms, each importing only those before it:
//
//	tenant          the organisations, their settings, and whether they may write
//	access          what a caller sees of a customer, and who looked at what is sensitive
//	identity        telephone, mail, card, ids of other systems: one form for each
//	field           what a tenant keeps of its customers besides
//	customer        registered, changed, found by an identity
//	name            the forms by which names are found and compared
//	search          customers found by what people know of them
//	matching        customers who may be one: rules, and the queue of pairs
//	consent         what customers allowed and no longer allow
//	preference      what they prefer, said or inferred
//	contact         the one way by which other services reach a person
//	relationship    who stands in which relation to whom
//	asset           installed products: whose, their meters, when they are serviced
//	touchpoint      where customers are met, by the stage of their journey
//	interaction     the single contacts, on any channel
//	customerimport  customers from files
//	customerexport  customers into files, and one customer's whole data
//	merge           two customers who are one, and the way back
//	erasure         the right to be forgotten, in every service
//	insight         what analyses and other systems say of a customer
//	timeline        what all services' events say of a customer
//	profile         a customer whole, as far as the purpose needs it
//	subscription    who reads the platform's events from outside
package accounts

import (
	"context"
	"time"

	"go.temporal.io/sdk/worker"

	"github.com/guanxi-crm/guanxi/platform/app"
	forget "github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/asset"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/consent"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/contact"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customerexport"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customerimport"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/erasure"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/field"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/insight"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/interaction"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/matching"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/merge"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/preference"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/profile"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/relationship"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/search"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/subscription"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/tenant"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/timeline"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/touchpoint"
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
			hashes := consent.NewHashes(d.Config.PrivacyKey())
			consents := consent.New(d.DB, d.Outbox, hashes, d.Clock)
			preferences := preference.New(d.DB, d.Clock)
			contacts := contact.New(d.DB, consents, hashes, d.Clock)
			looks := access.NewLog(d.DB, d.Clock)
			customers := customer.New(d.DB, d.Outbox, looks, d.Clock)
			matches := matching.New(d.DB, d.Clock)
			customers.GuardedBy(matches.Guard)
			starter := starts.New(d.DB, d.Flow)
			erasures := erasure.New(d.DB, d.Outbox, d.Flow, starter, name, holders(), erasers(consents, d.Clock), d.Clock)
			merges := merge.New(d.DB, d.Outbox, relationship.Tangled, erasure.Open, erasures.OnHold, d.Clock)
			eraser := forget.New(d.DB, erasures.Rooms())
			files := customerimport.New(d.DB, d.Outbox, d.Flow, name, d.Clock).Within(d.Turns)
			exports := customerexport.New(d.DB, d.Ops, looks, d.Flow, name, d.Clock, sections()...)
			return app.Parts{
				Routes: []func(*httpx.API){
					tenants.Routes, looks.Routes, field.New(d.DB, d.Clock).Routes, customers.Routes, search.New(d.DB).Routes, matches.Routes,
					consents.Routes, preferences.Routes, contacts.Routes, relationship.New(d.DB, d.Outbox, d.Clock).Routes,
					asset.New(d.DB, d.Outbox, d.Clock).Routes, touchpoint.New(d.DB, d.Clock).Routes, interaction.New(d.DB, d.Outbox, d.Clock).Routes,
					files.Routes, exports.Routes, merges.Routes, erasures.Routes, insight.New(d.DB, looks, d.Clock).Routes,
					timeline.New(d.DB).Routes, profile.New(d.DB, looks, consents, d.Clock).Routes, subscription.New(d.Bus).Routes,
				},
				Consumers: []inbox.Consumer{timeline.Consumer(), customers.Consumer(), customers.Proposals(), eraser.Consumer()},
				Worker: func(r worker.Registry) {
					files.Register(r)
					contacts.Register(r)
					erasures.Register(r)
					eraser.Register(r)
					exports.Worker(r)
				},
				Background: []func(context.Context) error{
					files.Run, starter.Run, search.NewIndexer(d.DB, d.Ops, d.Log, matches.Follow).Run,
					app.Every(5*time.Second, d.Log, "exports that are due", exports.Sweep),
					app.Every(time.Second, d.Log, "customers whom a rule says to be one", merges.Sweep),
					app.Every(erasure.SweepEvery, d.Log, "erasures without a process", erasures.Sweep),
				},
			}, nil
		},
	}
}
