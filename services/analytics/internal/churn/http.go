package churn

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

const tag = "churn"

// ChurnSettings is what a tenant sets; it is exported for the documentation, which leaves out what is embedded otherwise.
type ChurnSettings struct {
	Kind              string  `json:"kind" enum:"silence,contract_end" doc:"silence: bought nothing for longer than factor times the median of the customer's own gaps between purchase days, and min_days at least. contract_end: the last paid membership ended and none runs."`
	Factor            float64 `json:"factor" minimum:"1" maximum:"100" example:"3"`
	MinDays           int     `json:"min_days" minimum:"1" maximum:"3650" example:"30"`
	NewcomerDays      int     `json:"newcomer_days" minimum:"1" maximum:"3650" doc:"How long a customer with one purchase day, whose rhythm is not known, may be silent." example:"90"`
	HorizonDays       int     `json:"horizon_days" minimum:"1" maximum:"3650" doc:"How far models look ahead: the risk is that of counting as gone so many days later." example:"90"`
	ThresholdPermille int     `json:"threshold_permille" minimum:"1" maximum:"1000" doc:"ChurnRiskRaised tells of a risk once each time it gets to this." example:"600"`
	JumpPermille      int     `json:"jump_permille" minimum:"0" maximum:"1000" doc:"It tells as well of a rise by so much above the lowest since it last told; 0: of none." example:"250"`
}

type churnSettingsView struct {
	ChurnSettings
	ChangedBy string     `json:"changed_by,omitempty" doc:"Absent: this is the standard."`
	ChangedAt *time.Time `json:"changed_at,omitempty"`
}

type churnSettingsOutput struct {
	ETag string `header:"ETag"`
	Body churnSettingsView
}

type churnSettingsInput struct {
	IfMatch string `header:"If-Match" doc:"The ETag of the settings as they were read."`
	Body    ChurnSettings
}

func showSettings(s Settings, err error) (*churnSettingsOutput, error) {
	if err != nil {
		return nil, err
	}
	return &churnSettingsOutput{httpx.ETag(s.Version), churnSettingsView{
		ChurnSettings{s.Kind, s.Factor, s.MinDays, s.NewcomerDays, s.HorizonDays, s.ThresholdPermille, s.JumpPermille},
		s.ChangedBy, pg.OrNull(s.ChangedAt),
	}}, nil
}

// churnReasonView is what speaks for or against a customer's going.
type churnReasonView struct {
	Code      string  `json:"code" example:"recency_days"`
	Direction string  `json:"direction" enum:"raises,lowers"`
	Weight    float64 `json:"weight" doc:"What it adds to the logarithm of the odds, against an average customer."`
	Words     string  `json:"words"`
}

// churnRiskView is one customer's risk.
type churnRiskView struct {
	CustomerID   uuid.UUID         `json:"customer_id" format:"uuid" doc:"Of merged customers, the one who stands for all."`
	Enough       bool              `json:"enough" doc:"Whether there is a risk."`
	Why          string            `json:"why,omitempty" enum:"not_scored_yet,gone,no_customer_yet" doc:"Why there is none. gone: by the tenant's definition already; no_customer_yet: bought nothing, or has no contract."`
	RiskPermille *int              `json:"risk_permille,omitempty"`
	AtRisk       bool              `json:"at_risk" doc:"It has got to the tenant's threshold."`
	Reasons      []churnReasonView `json:"reasons" nullable:"false" doc:"The strongest first, at most five."`
	ModelID      *uuid.UUID        `json:"model_id,omitempty" format:"uuid"`
	ModelVersion int64             `json:"model_version,omitempty"`
	AsOf         string            `json:"as_of,omitempty" format:"date" doc:"The day at whose end it was looked at."`
	ToldAt       *time.Time        `json:"told_at,omitempty" doc:"When ChurnRiskRaised last told of it."`
}

func showRisk(r Risk) churnRiskView {
	v := churnRiskView{CustomerID: r.CustomerID, Enough: r.State == Scored, Reasons: []churnReasonView{}, AtRisk: r.State == Scored && r.Above, ToldAt: pg.OrNull(r.ToldAt)}
	if r.State == "" {
		v.Why = "not_scored_yet"
		return v
	}
	v.ModelID, v.ModelVersion, v.AsOf = &r.Model, r.Version, r.AsOf.Format(time.DateOnly)
	switch r.State {
	case Left:
		v.Why = "gone"
	case Unknown:
		v.Why = "no_customer_yet"
	default:
		v.RiskPermille = &r.Permille
		for _, one := range r.Reasons {
			v.Reasons = append(v.Reasons, churnReasonView{one.Code, one.Direction, one.Weight, one.Words()})
		}
	}
	return v
}

type churnRunView struct {
	run.View
	ModelID *uuid.UUID `json:"model_id,omitempty" format:"uuid" doc:"By which it scores; absent: it has not begun."`
	Scored  int64      `json:"scored" doc:"Customers with a risk, so far."`
	Changed int64      `json:"changed" doc:"Whose risk differs from before."`
	Gone    int64      `json:"gone" doc:"Who count as gone already, and have none."`
	Raised  int64      `json:"raised" doc:"Events ChurnRiskRaised."`
}

func showRun(p Progress) churnRunView {
	return churnRunView{run.Show(p.Run), pg.OrNull(p.Model), p.Scored, p.Changed, p.Gone, p.Raised}
}

type churnRunOutput struct {
	Location string `header:"Location"`
	Body     churnRunView
}

func placeRun(p Progress) *churnRunOutput {
	return &churnRunOutput{"/v1/analytics/churn/runs/" + p.ID.String(), showRun(p)}
}

type churnByID struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

type churnRunPage struct {
	Items      []churnRunView `json:"items" nullable:"false"`
	NextCursor string         `json:"next_cursor,omitempty"`
}

type churnRiskOutput struct{ Body churnRiskView }

type churnRisksInput struct {
	httpx.Page
	Least int `query:"least_permille" minimum:"1" maximum:"1000" doc:"The lowest risk to be listed; left out: the tenant's threshold."`
}

type churnRiskPage struct {
	Items      []churnRiskView `json:"items" nullable:"false"`
	NextCursor string          `json:"next_cursor,omitempty"`
}

// risksHTTP lists customers at risk by risk, then id.
func (c *Churn) risksHTTP(ctx context.Context, in *churnRisksInput) (*struct{ Body churnRiskPage }, error) {
	parts, err := httpx.DecodeCursor(in.Cursor, 2)
	if err != nil {
		return nil, err
	}
	below, after := 1000, uuid.Nil
	if parts != nil {
		if below, err = strconv.Atoi(parts[0]); err != nil || below < 0 || below > 1000 {
			return nil, httpx.CursorInvalid()
		}
		if after, err = uuid.Parse(parts[1]); err != nil {
			return nil, httpx.CursorInvalid()
		}
	}
	least := in.Least
	if least == 0 {
		s, err := c.Settings(ctx)
		if err != nil {
			return nil, err
		}
		least = s.ThresholdPermille
	}
	found, err := c.Highest(ctx, least, below, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	var out churnRiskPage
	page, next := httpx.NextPage(found, in.Limit, func(last Risk) []string { return []string{strconv.Itoa(last.Permille), last.CustomerID.String()} })
	out.NextCursor, out.Items = next, make([]churnRiskView, len(page))
	for i, r := range page {
		out.Items[i] = showRisk(r)
	}
	return &struct{ Body churnRiskPage }{out}, nil
}

// Routes adds the operations on churn.
func (c *Churn) Routes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "get-churn-settings", Method: http.MethodGet, Path: "/v1/analytics/churn/settings", Tag: tag, Summary: "Read when customers count as gone", Permission: auth.AnalyticsRead,
	}, func(ctx context.Context, _ *struct{}) (*churnSettingsOutput, error) {
		return showSettings(c.Settings(ctx))
	})
	httpx.Register(api, httpx.Operation{
		ID: "set-churn-settings", Method: http.MethodPut, Path: "/v1/analytics/churn/settings", Tag: tag, Summary: "Say when customers count as gone, and which risks are told of",
		Description: "Models keep the definition that they were fitted by: fit a new one afterwards. What is told of holds from the next run on.",
		Permission:  auth.AnalyticsManage, Errors: []int{http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *churnSettingsInput) (*churnSettingsOutput, error) {
		b := in.Body
		return showSettings(c.Set(ctx, Settings{
			Definition: Definition{b.Kind, b.Factor, b.MinDays, b.NewcomerDays, b.HorizonDays}, ThresholdPermille: b.ThresholdPermille, JumpPermille: b.JumpPermille,
		}, in.IfMatch))
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-customers-at-risk", Method: http.MethodGet, Path: "/v1/analytics/churn/customers", Tag: tag, Summary: "List customers who are likely to go, the likeliest first",
		Permission: auth.AnalyticsRead,
	}, c.risksHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "get-customer-churn", Method: http.MethodGet, Path: "/v1/analytics/churn/customers/{id}", Tag: tag, Summary: "Read how likely a customer goes, and why",
		Permission: auth.AnalyticsRead, Errors: []int{http.StatusNotFound, http.StatusGone},
	}, func(ctx context.Context, in *churnByID) (*churnRiskOutput, error) {
		r, err := c.Of(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return &churnRiskOutput{showRisk(r)}, nil
	})
	c.runRoutes(api)
	c.treeRoutes(api)
}

func (c *Churn) runRoutes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "run-churn", Method: http.MethodPost, Path: "/v1/analytics/churn/runs", Tag: tag, Summary: "Have every customer scored now",
		Description: "It is done by itself once a day, and when a model is put to use.", Permission: auth.AnalyticsManage, Status: http.StatusAccepted, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, _ *struct{}) (*churnRunOutput, error) {
		r, err := c.Ask(ctx)
		if err != nil {
			return nil, err
		}
		return placeRun(Progress{Run: r}), nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "list-churn-runs", Method: http.MethodGet, Path: "/v1/analytics/churn/runs", Tag: tag, Summary: "List runs that score customers, the newest first", Permission: auth.AnalyticsRead,
	}, func(ctx context.Context, in *httpx.Page) (*struct{ Body churnRunPage }, error) {
		items, next, err := httpx.PageByID(*in, func(before uuid.UUID, limit int) ([]Progress, error) { return c.Runs(ctx, before, limit) },
			func(p Progress) uuid.UUID { return p.ID }, showRun)
		return &struct{ Body churnRunPage }{churnRunPage{items, next}}, err
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-churn-run", Method: http.MethodGet, Path: "/v1/analytics/churn/runs/{id}", Tag: tag, Summary: "Read how far a run is", Permission: auth.AnalyticsRead, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *churnByID) (*churnRunOutput, error) {
		p, err := c.Run(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return placeRun(p), nil
	})
}
