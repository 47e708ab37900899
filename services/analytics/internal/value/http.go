package value

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

const tag = "value"

// ValueSettings are settings as they are read and written.
type ValueSettings struct {
	Currency         string           `json:"currency,omitempty" doc:"ISO 4217 of the costs, which count where it is the reporting currency. Left out: that one."`
	Margin           float64          `json:"margin" minimum:"0" maximum:"1" doc:"Share of revenue, net of tax, that is left once the goods are paid."`
	Tax              float64          `json:"tax" minimum:"0" maximum:"1" doc:"Rate that is in the totals of orders, such as 0.13."`
	AnnualRate       float64          `json:"annual_rate" minimum:"0" maximum:"10" doc:"By which money is discounted, such as 0.1."`
	HorizonMonths    int              `json:"horizon_months" minimum:"1" maximum:"240" doc:"Of predicted value and expected purchases."`
	PurchaseModel    string           `json:"purchase_model" enum:"bgnbd,pareto-nbd"`
	TicketMinor      int64            `json:"ticket_minor" minimum:"0" maximum:"9007199254740991" doc:"Cost to serve of a ticket."`
	Touches          map[string]int64 `json:"touches,omitempty" doc:"Cost of a touch by its origin: nurture, retention, survey."`
	Acquisition      map[string]int64 `json:"acquisition,omitempty" doc:"Cost of acquiring a customer by the source of the registration."`
	AcquisitionMinor int64            `json:"acquisition_minor" minimum:"0" maximum:"9007199254740991" doc:"Of other sources."`
}

// valueSettingsView adds what is not written.
type valueSettingsView struct {
	ValueSettings
	Version   int64      `json:"version" doc:"0: nothing was set yet."`
	ChangedAt *time.Time `json:"changed_at,omitempty"`
	ChangedBy string     `json:"changed_by,omitempty"`
}

type valueSettingsOutput struct {
	ETag string `header:"ETag"`
	Body valueSettingsView
}

func showSettings(s Settings) *valueSettingsOutput {
	return &valueSettingsOutput{ETag: httpx.ETag(s.Version), Body: valueSettingsView{
		ValueSettings{
			s.Currency, s.Margin, s.Tax, s.AnnualRate, s.HorizonMonths, s.PurchaseModel, s.TicketMinor, s.Touches, s.Acquisition, s.AcquisitionMinor,
		}, s.Version, pg.OrNull(s.ChangedAt), s.ChangedBy,
	}}
}

type valueSettingsInput struct {
	IfMatch string `header:"If-Match" doc:"The ETag of the settings as they were read."`
	Body    ValueSettings
}

func (b ValueSettings) settings() Settings {
	s := Settings{
		Currency: b.Currency, Margin: b.Margin, Tax: b.Tax, AnnualRate: b.AnnualRate, HorizonMonths: b.HorizonMonths, PurchaseModel: b.PurchaseModel,
		TicketMinor: b.TicketMinor, Touches: b.Touches, Acquisition: b.Acquisition, AcquisitionMinor: b.AcquisitionMinor,
	}
	if s.Touches == nil {
		s.Touches = map[string]int64{}
	}
	if s.Acquisition == nil {
		s.Acquisition = map[string]int64{}
	}
	return s
}

// valueRunView is a run as the API shows it.
type valueRunView struct {
	run.View
	Currency       string     `json:"currency,omitempty"`
	Customers      int64      `json:"customers" doc:"Done so far."`
	Buyers         int64      `json:"buyers" doc:"Of them, those with a purchase."`
	Predicted      int64      `json:"predicted" doc:"Of them, those with a predicted value."`
	Changed        int64      `json:"changed" doc:"Customers whose portrait said something else."`
	Told           int64      `json:"told" doc:"Events CustomerScored."`
	PredictedMinor int64      `json:"predicted_minor"`
	RealisedMinor  int64      `json:"realised_minor"`
	PurchaseModel  *uuid.UUID `json:"purchase_model_id,omitempty" format:"uuid"`
	SpendModel     *uuid.UUID `json:"spend_model_id,omitempty" format:"uuid"`
}

func showRun(r Running) valueRunView {
	return valueRunView{
		View: run.Show(r.Run), Currency: r.currency, Customers: r.customers, Buyers: r.buyers, Predicted: r.predicted, Changed: r.changed, Told: r.told,
		PredictedMinor: r.predictedMinor, RealisedMinor: r.realisedMinor, PurchaseModel: pg.OrNull(r.purchases), SpendModel: pg.OrNull(r.spend),
	}
}

type valueRunInput struct {
	Body *struct {
		AsOf string `json:"as_of,omitempty" format:"date" doc:"UTC day up to and including which facts are looked at; left out: today."`
	}
}

type valueRunByID struct {
	ID uuid.UUID `path:"run_id" format:"uuid"`
}

type valueRunPage struct {
	Items      []valueRunView `json:"items" nullable:"false"`
	NextCursor string         `json:"next_cursor,omitempty"`
}

type valueRunAnswer struct {
	Status int
	Body   valueRunView
}

// Routes adds the operations on values.
func (v *Values) Routes(api *httpx.API) {
	v.readRoutes(api)
	read := func(id, path, summary string) httpx.Operation {
		return httpx.Operation{ID: id, Method: http.MethodGet, Path: path, Tag: tag, Summary: summary, Permission: auth.AnalyticsRead}
	}
	httpx.Register(api, read("get-value-settings", "/v1/analytics/value/settings", "Read by what values are reckoned"),
		func(ctx context.Context, _ *struct{}) (*valueSettingsOutput, error) {
			s, err := v.Settings(ctx)
			return showSettings(s), err
		})
	httpx.Register(api, httpx.Operation{
		ID: "set-value-settings", Method: http.MethodPut, Path: "/v1/analytics/value/settings", Tag: tag, Summary: "Set by what values are reckoned",
		Description: "All customers are valued anew.", Permission: auth.AnalyticsManage,
	}, func(ctx context.Context, in *valueSettingsInput) (*valueSettingsOutput, error) {
		s, err := v.SetSettings(ctx, in.Body.settings(), in.IfMatch)
		if err != nil {
			return nil, err
		}
		return showSettings(s), nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "start-value-run", Method: http.MethodPost, Path: "/v1/analytics/value/runs", Tag: tag, Summary: "Have every customer valued behind the scenes",
		Description: "There is one every day by itself, and one when a model comes into use or a setting changes. One of a day that is over leaves portraits as they are: it tells what customer equity was.",
		Permission:  auth.AnalyticsManage, Status: http.StatusAccepted, Errors: []int{http.StatusConflict},
	}, v.startRun)
	httpx.Register(api, read("list-value-runs", "/v1/analytics/value/runs", "List runs, the newest first"),
		func(ctx context.Context, in *struct{ httpx.Page }) (*struct{ Body valueRunPage }, error) {
			items, next, err := httpx.PageByID(in.Page, func(before uuid.UUID, limit int) ([]Running, error) { return v.Runs(ctx, before, limit) },
				func(one Running) uuid.UUID { return one.ID }, showRun)
			return &struct{ Body valueRunPage }{valueRunPage{items, next}}, err
		})
	httpx.Register(api, read("get-value-run", "/v1/analytics/value/runs/{run_id}", "Read how far a run is"),
		func(ctx context.Context, in *valueRunByID) (*valueRunAnswer, error) {
			r, err := v.Run(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			return &valueRunAnswer{Status: http.StatusOK, Body: showRun(r)}, nil
		})
}

func (v *Values) startRun(ctx context.Context, in *valueRunInput) (*valueRunAnswer, error) {
	asOf := v.today()
	if in.Body != nil && in.Body.AsOf != "" {
		var ok bool
		if asOf, ok = day(in.Body.AsOf); !ok {
			return nil, problem.InvalidBody("validation_failed", "Some of what was sent is not valid; errors says what.",
				[]problem.Field{{Location: "as_of", Code: "date", Message: "is not a day of the form 2006-01-02"}})
		}
	}
	r, err := v.Start(ctx, asOf)
	if err != nil {
		return nil, err
	}
	return &valueRunAnswer{Status: http.StatusAccepted, Body: showRun(r)}, nil
}

// queryDay reads a day of the query, the other where it is left out.
func queryDay(name, s string, otherwise time.Time) (time.Time, error) {
	if s == "" {
		return otherwise, nil
	}
	if d, ok := day(s); ok {
		return d, nil
	}
	return otherwise, problem.New(problem.Unprocessable, "validation_failed", "Some of what was sent is not valid; errors says what.").
		WithField("query."+name, "date", "is not a day of the form 2006-01-02")
}
