package forecast

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

type newTargetInput struct{ Body newTargetBody }

type newTargetBody struct {
	Team        string `json:"team,omitempty" maxLength:"64" doc:"Code; either this or owner."`
	Owner       string `json:"owner,omitempty" maxLength:"255" doc:"Subject."`
	Period      string `json:"period" maxLength:"7" doc:"A month, YYYY-MM, or a quarter, YYYY-Qn." example:"2026-Q4"`
	Currency    string `json:"currency" maxLength:"3" example:"CNY"`
	AmountMinor int64  `json:"amount_minor" doc:"More than 0."`
}

type targetAnswer struct {
	ETag string `header:"ETag"`
	Body ForecastTargetView
}

// ForecastTargetView is a target as the API shows it.
type ForecastTargetView struct {
	TargetID    uuid.UUID `json:"target_id" format:"uuid"`
	Team        string    `json:"team,omitempty"`
	Owner       string    `json:"owner,omitempty"`
	Period      string    `json:"period"`
	Currency    string    `json:"currency"`
	AmountMinor int64     `json:"amount_minor"`
	Version     int64     `json:"version" doc:"What If-Match means."`
	ChangedBy   string    `json:"changed_by" doc:"Subject."`
	ChangedAt   time.Time `json:"changed_at"`
}

func showTarget(t Target) ForecastTargetView {
	v := ForecastTargetView{TargetID: t.ID, Period: t.Period, Currency: t.Currency, AmountMinor: t.AmountMinor, Version: t.Version, ChangedBy: t.By, ChangedAt: t.ChangedAt}
	if t.Kind == OfTeam {
		v.Team = t.Who
	} else {
		v.Owner = t.Who
	}
	return v
}

func answeredTarget(t Target, err error) (*targetAnswer, error) {
	if err != nil {
		return nil, err
	}
	return &targetAnswer{httpx.ETag(t.Version), showTarget(t)}, nil
}

func (f *Forecasts) setTargetHTTP(ctx context.Context, in *newTargetInput) (*targetAnswer, error) {
	b := in.Body
	t := Target{Kind: OfTeam, Who: b.Team, Period: b.Period, Currency: b.Currency, AmountMinor: b.AmountMinor}
	if b.Owner != "" {
		t.Kind, t.Who = OfOwner, b.Owner
	}
	if (b.Team == "") == (b.Owner == "") {
		return nil, refused([]problem.Field{{Location: "team", Code: "team_or_owner", Message: "say either a team or an owner"}})
	}
	return answeredTarget(f.SetTarget(ctx, t))
}

type changeTargetInput struct {
	ID      uuid.UUID `path:"target_id" format:"uuid"`
	IfMatch string    `header:"If-Match" doc:"The ETag of the target as it was read."`
	Body    changeTargetBody
}

type changeTargetBody struct {
	AmountMinor int64 `json:"amount_minor" minimum:"1" doc:"More than 0."`
}

type dropTargetInput struct {
	ID      uuid.UUID `path:"target_id" format:"uuid"`
	IfMatch string    `header:"If-Match" doc:"The ETag of the target as it was read."`
}

type attainmentInput struct {
	httpx.Page
	Period string `query:"period" maxLength:"7" doc:"A month or a quarter; left out: all." example:"2026-Q4"`
	Team   string `query:"team" maxLength:"64" doc:"Only this team's."`
	Owner  string `query:"owner" maxLength:"255" doc:"Only this owner's. Without sales.report one sees one's own only."`
}

type attainmentAnswer struct{ Body attainmentPage }

type attainmentPage struct {
	Items      []attainmentView `json:"items" nullable:"false"`
	NextCursor string           `json:"next_cursor,omitempty"`
}

type attainmentView struct {
	ForecastTargetView
	ClosedMinor   int64   `json:"closed_minor" doc:"Won in the period, in the target's currency."`
	Attained      float64 `json:"attained_percent" doc:"What was won, of the target."`
	WeightedMinor int64   `json:"weighted_minor" doc:"Expected of what is open and to close in the period, weighted."`
	Expected      float64 `json:"expected_percent" doc:"What was won and what is expected, of the target."`
	CommitMinor   int64   `json:"commit_minor" doc:"Open and to close in the period, not weighted, by category."`
	BestCaseMinor int64   `json:"best_case_minor"`
	PipelineMinor int64   `json:"pipeline_minor"`
	MissingMinor  int64   `json:"missing_minor" doc:"What is not won yet of the target; 0 where it is reached."`
}

func showAttainment(a Attainment) attainmentView {
	return attainmentView{
		showTarget(a.Target), a.ClosedMinor, a.Percent(a.ClosedMinor), a.WeightedMinor, a.Percent(a.ClosedMinor + a.WeightedMinor),
		a.CommitMinor, a.BestCaseMinor, a.PipelineMinor, max(0, a.AmountMinor-a.ClosedMinor),
	}
}

func (f *Forecasts) attainmentHTTP(ctx context.Context, in *attainmentInput) (*attainmentAnswer, error) {
	if in.Team != "" && in.Owner != "" {
		return nil, invalid("team", "team_or_owner", "say either a team or an owner")
	}
	kind, who := "", ""
	switch {
	case in.Team != "":
		kind, who = OfTeam, in.Team
	case in.Owner != "":
		kind, who = OfOwner, in.Owner
	}
	items, next, err := httpx.PageByID(in.Page, func(after uuid.UUID, limit int) ([]Attainment, error) {
		return f.Attain(ctx, in.Period, kind, who, after, limit)
	}, func(a Attainment) uuid.UUID { return a.ID }, showAttainment)
	return &attainmentAnswer{attainmentPage{items, next}}, err
}

type accuracyInput struct{ ScopeQuery }

type accuracyAnswer struct{ Body accuracyView }

type accuracyView struct {
	From   string             `json:"from" doc:"First month that was looked at."`
	To     string             `json:"to" doc:"Last one: the present one is not over, and is left out."`
	Leads  []accuracyLeadView `json:"leads" nullable:"false" doc:"By currency and lead in time."`
	Months []accuracySaidView `json:"months" nullable:"false" doc:"Each comparison."`
	Reason string             `json:"nothing_to_compare,omitempty" enum:"no_month_over,no_snapshot,nothing_expected" doc:"Why there is nothing to compare; absent where there is."`
}

type accuracyLeadView struct {
	Currency    string   `json:"currency"`
	LeadWeeks   int      `json:"lead_weeks" doc:"Whole weeks that the months still had to go."`
	Months      int      `json:"months" doc:"How many were compared: few say little."`
	SaidMinor   int64    `json:"said_minor"`
	ActualMinor int64    `json:"actual_minor"`
	Error       *float64 `json:"error_percent,omitempty" doc:"Mean error, whichever way, weighted by what came; absent where nothing came."`
	Bias        *float64 `json:"bias_percent,omitempty" doc:"Above 0: forecast too high; absent where nothing came."`
}

type accuracySaidView struct {
	Month       string    `json:"month"`
	Currency    string    `json:"currency"`
	LeadWeeks   int       `json:"lead_weeks"`
	SnapshotID  uuid.UUID `json:"snapshot_id" format:"uuid"`
	TakenAt     time.Time `json:"taken_at"`
	SaidMinor   int64     `json:"said_minor" doc:"What was won by then, and what was open weighted."`
	ActualMinor int64     `json:"actual_minor" doc:"What was won in the month, as it stands now."`
	Error       *float64  `json:"error_percent,omitempty" doc:"Above 0: forecast too high; absent where nothing came."`
}

// orAbsent gives a number that may not be known.
func orAbsent(percent float64, ok bool) *float64 {
	if !ok {
		return nil
	}
	return &percent
}

func (f *Forecasts) judgeHTTP(ctx context.Context, in *accuracyInput) (*accuracyAnswer, error) {
	a, err := f.Judge(ctx, in.scope())
	if err != nil {
		return nil, err
	}
	body := accuracyView{From: a.From, To: a.To, Leads: make([]accuracyLeadView, len(a.Leads)), Months: make([]accuracySaidView, len(a.Each)), Reason: a.Reason}
	for i, l := range a.Leads {
		body.Leads[i] = accuracyLeadView{l.Currency, l.LeadWeeks, l.Months, l.SaidMinor, l.ActualMinor, orAbsent(l.Error()), orAbsent(l.Bias())}
	}
	for i, s := range a.Each {
		body.Months[i] = accuracySaidView{s.Month, s.Currency, s.LeadWeeks, s.SnapshotID, s.TakenAt, s.SaidMinor, s.ActualMinor, orAbsent(s.Error())}
	}
	return &accuracyAnswer{body}, nil
}

func (f *Forecasts) targetRoutes(api *httpx.API, tag string) {
	httpx.Register(api, httpx.Operation{
		ID: "set-forecast-target", Method: http.MethodPost, Path: "/v1/forecast/targets", Tag: tag, Summary: "Set what a team or an owner is to win in a month or a quarter",
		Permission: auth.SalesReport, Status: http.StatusCreated, Errors: []int{http.StatusConflict},
	}, f.setTargetHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "list-forecast-targets", Method: http.MethodGet, Path: "/v1/forecast/targets", Tag: tag, Summary: "List targets with how far they are reached",
		Permission: auth.SalesRead,
	}, f.attainmentHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "change-forecast-target", Method: http.MethodPut, Path: "/v1/forecast/targets/{target_id}", Tag: tag, Summary: "Give a target another amount",
		Permission: auth.SalesReport, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *changeTargetInput) (*targetAnswer, error) {
		return answeredTarget(f.ChangeTarget(ctx, in.ID, in.Body.AmountMinor, in.IfMatch))
	})
	httpx.Register(api, httpx.Operation{
		ID: "drop-forecast-target", Method: http.MethodDelete, Path: "/v1/forecast/targets/{target_id}", Tag: tag, Summary: "Take a target away",
		Permission: auth.SalesReport, Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *dropTargetInput) (*struct{}, error) {
		_, err := f.ChangeTarget(ctx, in.ID, 0, in.IfMatch)
		return nil, err
	})
}
