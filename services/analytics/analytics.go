// Package analytics tells what customers are worth, want and will do. It is fed by topics alone, and all it keeps can
// be rebuilt from them.
//
// Rooms, each importing only those before it:
//
//	fact     what topics say, as customers, orders and returns
//	revenue  revenue by month
//	run      long reckonings over all customers, in steps
//	portrait one row a customer with all that is known of it; what follows a customer at once
//	rfm      recency, frequency and monetary value, scored
//	tag      the tree of tags that customers have by a fact, a rule or a model
//	segment  customers chosen by filters or by hand, who follow what becomes of them
//	model    models that were fitted: versions, which is in use, jobs
//	value    what customers were worth and will be: BG/NBD, Pareto/NBD, Gamma-Gamma, sBG; customer equity
//	grade    the customer pyramid, moves between grades, current against potential value
//	churn    how likely customers go, and why; trees that explain who somebody is
//	lifecycle stages of relationships, how long they last, and how they end
//	rating   what surveys were answered in numbers
//	kano     what attributes are to customers
//	ahp      weights of criteria that are compared in pairs
//	index    indices of satisfaction, in systems of several levels
//	strength how strong relationships are, and how loyal customers
//	matrix   customers and revenue in matrices of two by two
//	mining   what is bought together and recommended, customers who are alike
//	journey  the way to the purchase and after: funnel, cohorts, what campaigns and channels do
//	satisfaction  how satisfied customers are, where they are not, what moves it and what comes of it
//	metric   the catalogue of numbers, and the one place that reckons them
//	report   reports of metrics, on a schedule and kept
package analytics

import (
	"context"
	"errors"
	"time"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pdf"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/ahp"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/churn"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/grade"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/index"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/journey"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/kano"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/lifecycle"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/matrix"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/metric"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/mining"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/report"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/revenue"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/rfm"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/satisfaction"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/segment"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/strength"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/tag"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/value"
	"github.com/guanxi-crm/guanxi/services/analytics/migrations"
	"github.com/guanxi-crm/guanxi/services/analytics/projection"
)

// Module is the service.
func Module() app.Module {
	return app.Module{
		Name:             "analytics",
		Title:            "Guanxi analytics",
		Migrations:       migrations.FS,
		Projection:       projection.FS,
		ProjectionTables: append(fact.Tables(), alias.Table),
		Aliases:          true,
		Build: func(d app.Deps) (app.Parts, error) {
			models := model.New(d.DB, d.Ops, d.Outbox, d.Log, d.Clock)
			values := value.New(d.DB, d.Outbox, run.New(d.DB, d.Ops, d.Clock), d.Clock)
			values.Offer(models)
			finds := mining.New(d.DB, d.Ops, d.Clock)
			model.Take(models, finds.RulesOffer())
			model.Take(models, finds.ClustersOffer())
			churns := churn.New(d.DB, d.Ops, d.Outbox, run.New(d.DB, d.Ops, d.Clock), d.Clock, segment.Meaning)
			model.Take(models, churns.Offer())
			stages := lifecycle.New(d.DB, d.Outbox, run.New(d.DB, d.Ops, d.Clock), d.Clock)
			ratings := rfm.New(d.DB, d.Outbox, run.New(d.DB, d.Ops, d.Clock), d.Clock)
			bonds := strength.New(d.DB, run.New(d.DB, d.Ops, d.Clock), d.Clock)
			matrices := matrix.New(d.DB, d.Clock)
			pyramid := grade.New(d.DB, d.Outbox, run.New(d.DB, d.Ops, d.Clock), d.Clock)
			ways := journey.New(d.DB, run.New(d.DB, d.Ops, d.Clock), d.Clock)
			numbers := metric.NewQueries(d.DB, d.Clock, segment.Resolve)
			fonts, err := pdf.OpenFonts(d.Config.PDFFonts())
			if err != nil {
				return app.Parts{}, err
			}
			reports := report.New(d.DB, d.Ops, numbers, fonts, d.Clock)
			segments := segment.New(d.DB, d.Ops, d.Outbox, d.Clock)
			tags := tag.New(d.DB, d.Ops, run.New(d.DB, d.Ops, d.Clock), d.Clock)
			// Runs of the day are asked for in the order in which they are worked off: what others go by comes first.
			daily := func(ctx context.Context) (failed error) {
				for _, ask := range []func(context.Context) error{
					ratings.Daily, stages.Daily, bonds.Daily, values.Daily, pyramid.Daily, churns.Daily, tags.Daily, ways.Daily,
				} {
					failed = errors.Join(failed, ask(ctx))
				}
				return failed
			}
			portraits := portrait.New(d.DB, d.Ops, d.Outbox, d.Clock, ratings.Follow, stages.Follow, finds.Follow, tags.Follow, segments.Follow)
			return app.Parts{
				Routes: []func(*httpx.API){
					fact.Routes(fact.NewQueries(d.DB)),
					revenue.Routes(revenue.NewQueries(d.DB)),
					portraits.Routes, ratings.Routes, tags.Routes, segments.Routes,
					models.Routes, values.Routes, pyramid.Routes, matrices.Routes, churns.Routes, stages.Routes, finds.Routes, ways.Routes,
					bonds.Routes, ahp.Routes, index.New(d.DB, d.Clock).Routes, kano.Routes(kano.NewQueries(d.DB)), satisfaction.NewQueries(d.DB, d.Clock).Routes,
					metric.Routes(metric.New(d.DB, d.Clock), numbers), reports.Routes,
				},
				Consumers: fact.Consumers(),
				Waiting:   portraits.Waiting,
				Background: []func(context.Context) error{
					app.Every(10*time.Second, d.Log, "reports that are due", reports.Pass),
					app.Every(time.Second, d.Log, "runs of the day", daily),
					app.Every(100*time.Millisecond, d.Log, "portraits that are due", portraits.Background),
					app.Every(time.Second, d.Log, "portraits that are made anew", portraits.Rebuilds),
					app.Every(time.Second, d.Log, "ratings of customers", ratings.Background),
					app.Every(time.Second, d.Log, "tags of customers", tags.Background),
					app.Every(time.Second, d.Log, "segments that are judged anew", segments.Background),
					app.Every(time.Second, d.Log, "fits that wait", models.Pass),
					app.Every(time.Second, d.Log, "values of customers", values.Background),
					app.Every(time.Second, d.Log, "grades of customers", pyramid.Background),
					app.Every(time.Second, d.Log, "clusters of portraits", finds.Assign),
					app.Every(time.Second, d.Log, "funnel and cohorts", ways.Background),
					app.Every(time.Second, d.Log, "scores of churn", churns.Background),
					app.Every(time.Second, d.Log, "strength of relationships", bonds.Background),
					app.Every(time.Second, d.Log, "stages of relationships", stages.Background),
				},
				Worker: erasure.New(d.DB, erasure.Rooms{Erase: fact.Erase}).Register,
			}, nil
		},
	}
}
