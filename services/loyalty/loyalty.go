// Package loyalty is what customers get for coming back: members, and the points that they earn and spend.
//
// Rooms, each importing only those before it:
//
//	rule        rules that users write about orders, in CEL with exact numbers
//	programme   the terms: what a purchase is worth, when points run out, tiers and all else, in versions
//	member      who collects points: cards, suspended, left
//	ledger      the points: entries, lots, balances; what runs out
//	tier        qualifying points, levels, their review
//	earning     points for what sales tells of orders, and what drafts of terms would have done
//	growth      the growth score: what members do apart from points
//	referral    codes by which members bring customers, and what both get for it
//	reward      what points can be redeemed for, and redemptions, led to their end
//	membership  memberships that are paid for; leaving
//	retention   who is about to go or has gone, kept and won back, measured against a hold-out
//	grant       points that other services' workflows give
//	audit       the auditor's check of the ledger
package loyalty

import (
	"context"
	"time"

	"go.temporal.io/sdk/worker"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/audit"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/earning"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/grant"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/growth"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/membership"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/referral"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/retention"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/reward"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/tier"
	"github.com/guanxi-crm/guanxi/services/loyalty/migrations"
)

const name = "loyalty"

// Module is the service.
func Module() app.Module {
	return app.Module{
		Name:       name,
		Title:      "Guanxi loyalty",
		Migrations: migrations.FS,
		Aliases:    true,
		Build: func(d app.Deps) (app.Parts, error) {
			var (
				programmes  = programme.New(d.DB, d.Clock)
				members     = member.New(d.DB, d.Outbox, d.Clock)
				points      = ledger.New(d.DB, d.Outbox, d.Clock)
				expiry      = ledger.NewExpirer(points, d.Ops, d.Log, name)
				tiers       = tier.New(d.DB, d.Ops, d.Outbox, d.Clock)
				reviews     = tiers.Reviewer(d.Log)
				earnings    = earning.New(d.DB, d.Ops, d.Clock)
				growths     = growth.New(d.DB, d.Ops, d.Outbox, tiers.Score, d.Clock)
				referrals   = referral.New(d.DB, points, growths, d.Clock)
				starter     = starts.New(d.DB, d.Flow)
				rewards     = reward.New(d.DB, d.Outbox, points, d.Flow, starter, name, d.Clock)
				memberships = membership.New(d.DB, d.Ops, d.Outbox, points, tiers, d.Clock)
				retentions  = retention.New(d.DB, d.Outbox, d.Flow, starter, points, name, d.Clock)
				grants      = grant.New(d.DB, points)
				auditor     = audit.New(d.DB, d.Ops, d.Clock)
				// Cases are locked before members, by everybody.
				eraser = erasure.New(d.DB, erasure.Rooms{Erase: erasure.Each(retentions.Erase, memberships.Erase, member.Erase, earning.Erase, reward.Erase)})
			)
			return app.Parts{
				Routes: []func(*httpx.API){
					programmes.Routes, members.Routes, points.Routes, expiry.Routes(d.Flow), tiers.Routes, earnings.Routes, growths.Routes,
					referrals.Routes, rewards.Routes, memberships.Routes, retentions.Routes, auditor.Routes,
				},
				Consumers: []inbox.Consumer{
					earning.Consumer(points, tiers), growths.Orders(referrals.Judge), growths.Signals(), rewards.Consumer(),
					retentions.Orders(), retentions.Triggers(), retentions.Processes(), retentions.Assets(),
					alias.With(eraser.With(inbox.Consumer{Name: "customers", Pace: erasure.Pace})),
				},
				Worker: func(r worker.Registry) {
					for _, register := range []func(worker.Registry){
						eraser.Register, grants.Register, growths.Register, reviews.Register, rewards.Worker, retentions.Worker, expiry.Register,
						auditor.Activities(d.Log).Register,
					} {
						register(r)
					}
				},
				Schedules: []flow.Schedule{ledger.ExpirySchedule(), tier.Schedule(), audit.Schedule(), growth.Schedule(), retention.Schedule()},
				Background: []func(context.Context) error{
					starter.Run,
					app.Every(time.Second, d.Log, "locked points that are due", ledger.NewReleaser(points, d.Ops, name).ReleaseAll),
					app.Every(time.Second, d.Log, "dry runs of terms", earnings.DryRuns),
					app.Every(time.Second, d.Log, "what processes of retention cases have to hear", retentions.Tell),
					app.Every(time.Minute, d.Log, "retention cases without a process", retentions.Sweep),
					app.Every(time.Minute, d.Log, "redemptions without a process", rewards.Sweep),
					app.Every(membership.ScanEvery, d.Log, "memberships that end", memberships.Scan),
				},
			}, nil
		},
	}
}
