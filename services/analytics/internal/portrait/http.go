package portrait

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

const tag = "portraits"

type portraitByID struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

type portraitOutput struct {
	Body struct {
		CustomerID uuid.UUID      `json:"customer_id" format:"uuid" doc:"Whom the id means, after merges."`
		Currency   string         `json:"currency" doc:"The reporting currency; amounts are in its minor units."`
		Fields     map[string]any `json:"fields" doc:"By name, as GET /v1/analytics/fields lists them; null where it is not known."`
		AsOf       *time.Time     `json:"as_of" doc:"Time of the newest event in the facts."`
	}
}

type fieldView struct {
	Name   string `json:"name"`
	Type   string `json:"type" enum:"number,money,text,day,instant,flag,codes"`
	Doc    string `json:"doc"`
	Follow string `json:"follows" enum:"events,today,runs" doc:"When it changes: within a second of an event, with the day, or when a run reckons it."`
}

type fieldsOutput struct {
	Body struct {
		Items []fieldView `json:"items" nullable:"false"`
	}
}

type analyticsSettingsBody struct {
	Currency string `json:"currency" pattern:"^[A-Z]{3}$" doc:"ISO 4217: the reporting currency, in which portraits, grades and values have their amounts."`
}

type analyticsSettingsInput struct {
	IfMatch string `header:"If-Match" doc:"The version that was read."`
	Body    analyticsSettingsBody
}

type analyticsSettingsOutput struct {
	ETag string `header:"ETag"`
	Body struct {
		Currency string `json:"currency" doc:"ISO 4217; empty before the first order."`
		Set      bool   `json:"set" doc:"Somebody set it; otherwise it is the one with the most orders."`
		Version  int64  `json:"version" doc:"0: nothing was set yet."`
	}
}

type portraitRunView struct {
	ID         uuid.UUID  `json:"id" format:"uuid"`
	State      string     `json:"state" enum:"queued,running,done,failed"`
	AskedAt    time.Time  `json:"asked_at"`
	FinishedAt *time.Time `json:"finished_at,omitempty"`
	Failure    string     `json:"failure,omitempty" doc:"Code of why it failed."`
}

type portraitRunOutput struct {
	Status int
	Body   portraitRunView
}

func showRebuild(status int, r run.Run) *portraitRunOutput {
	v := portraitRunView{ID: r.ID, State: string(r.State), AskedAt: r.AskedAt, Failure: r.Failure}
	if !r.FinishedAt.IsZero() {
		v.FinishedAt = &r.FinishedAt
	}
	return &portraitRunOutput{Status: status, Body: v}
}

func showSettings(s Settings) *analyticsSettingsOutput {
	out := &analyticsSettingsOutput{ETag: httpx.ETag(s.Version)}
	out.Body.Currency, out.Body.Set, out.Body.Version = s.Currency, s.Set, s.Version
	return out
}

// Routes adds the operations on portraits.
func (p *Portraits) Routes(api *httpx.API) {
	read := func(id, path, summary string, errors ...int) httpx.Operation {
		return httpx.Operation{ID: id, Method: http.MethodGet, Path: path, Tag: tag, Summary: summary, Permission: auth.AnalyticsRead, Errors: errors}
	}
	httpx.Register(api, read("get-customer-portrait", "/v1/analytics/customers/{id}", "Read all that is known of a customer", http.StatusNotFound, http.StatusGone),
		func(ctx context.Context, in *portraitByID) (*portraitOutput, error) {
			got, err := p.Get(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			var out portraitOutput
			out.Body.CustomerID, out.Body.Currency, out.Body.Fields, out.Body.AsOf = got.CustomerID, got.Currency, got.Values, fact.TimeOrNil(got.AsOf)
			return &out, nil
		})
	httpx.Register(api, read("list-portrait-fields", "/v1/analytics/fields", "List what can be known of customers, and asked of them in filters"),
		func(context.Context, *struct{}) (*fieldsOutput, error) {
			var out fieldsOutput
			for _, f := range Fields() {
				follows := "events"
				if f.Score {
					follows = "runs"
				} else if f.Column == "" {
					follows = "today"
				}
				out.Body.Items = append(out.Body.Items, fieldView{f.Name, string(f.Type), f.Doc, follows})
			}
			return &out, nil
		})
	httpx.Register(api, read("get-analytics-settings", "/v1/analytics/settings", "Read the reporting currency"),
		func(ctx context.Context, _ *struct{}) (*analyticsSettingsOutput, error) {
			s, err := p.Settings(ctx)
			return showSettings(s), err
		})
	httpx.Register(api, httpx.Operation{
		ID: "set-analytics-settings", Method: http.MethodPut, Path: "/v1/analytics/settings", Tag: tag, Summary: "Set the reporting currency",
		Description: "All portraits are made anew.", Permission: auth.AnalyticsManage,
		Errors: []int{http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *analyticsSettingsInput) (*analyticsSettingsOutput, error) {
		s, err := p.SetCurrency(ctx, in.Body.Currency, in.IfMatch)
		if err != nil {
			return nil, err
		}
		return showSettings(s), nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "rebuild-portraits", Method: http.MethodPost, Path: "/v1/analytics/portraits/rebuilds", Tag: tag, Summary: "Make all portraits anew from the facts",
		Description: "After the facts were rebuilt from the topics with another outcome. Portraits follow events by themselves.",
		Permission:  auth.AnalyticsManage, Status: http.StatusAccepted, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, _ *struct{}) (*portraitRunOutput, error) {
		r, err := p.Rebuild(ctx)
		if err != nil {
			return nil, err
		}
		return showRebuild(http.StatusAccepted, r), nil
	})
	httpx.Register(api, read("get-portrait-rebuild", "/v1/analytics/portraits/rebuilds/{id}", "Read how far portraits are made anew", http.StatusNotFound),
		func(ctx context.Context, in *portraitByID) (*portraitRunOutput, error) {
			r, err := p.Rebuilding(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			return showRebuild(http.StatusOK, r), nil
		})
}
