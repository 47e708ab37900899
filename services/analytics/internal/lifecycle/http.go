package lifecycle

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/proportion"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

const tag = "lifecycle"

// LifecycleSettings is what a tenant sets; it is exported for the documentation, which leaves out what is embedded otherwise.
type LifecycleSettings struct {
	FamiliarityPurchases int     `json:"familiarity_purchases" minimum:"2" maximum:"1000" doc:"Purchase days from which on a customer is familiar; before, it explores." example:"2"`
	LoyaltyPurchases     int     `json:"loyalty_purchases" minimum:"2" maximum:"1000" doc:"Purchase days from which on it is loyal, if the two next hold as well." example:"4"`
	LoyaltyTenureDays    int     `json:"loyalty_tenure_days" minimum:"0" maximum:"3650" doc:"Days between the first and the last purchase." example:"180"`
	SatisfiedAt          int     `json:"satisfied_at" minimum:"0" maximum:"5" doc:"The latest answer on satisfaction within a year, where there is one; 0: answers do not count." example:"4"`
	SilenceFactor        float64 `json:"silence_factor" minimum:"1" maximum:"100" doc:"A customer has gone that is silent for longer than so many times the median gap between its purchase days," example:"3"`
	SilenceMinDays       int     `json:"silence_min_days" minimum:"1" maximum:"3650" doc:"but for so long at least;" example:"60"`
	SilenceNewDays       int     `json:"silence_new_days" minimum:"1" maximum:"3650" doc:"for so long as long as there is one purchase day. While a paid membership runs nobody is silent." example:"180"`
	EarlyDays            int     `json:"early_days" minimum:"1" maximum:"3650" doc:"Of loyalty: who leaves within them has left early, who is loyal for longer is long kept." example:"365"`
}

type lifecycleSettingsView struct {
	LifecycleSettings
	ChangedBy string     `json:"changed_by,omitempty" doc:"Absent: this is the standard."`
	ChangedAt *time.Time `json:"changed_at,omitempty"`
}

type lifecycleSettingsOutput struct {
	ETag string `header:"ETag"`
	Body lifecycleSettingsView
}

type lifecycleSettingsInput struct {
	IfMatch string `header:"If-Match" doc:"The ETag of the settings as they were read."`
	Body    LifecycleSettings
}

func showSettings(s Settings, err error) (*lifecycleSettingsOutput, error) {
	if err != nil {
		return nil, err
	}
	return &lifecycleSettingsOutput{httpx.ETag(s.Version), lifecycleSettingsView{LifecycleSettings(s.Rules), s.ChangedBy, pg.OrNull(s.ChangedAt)}}, nil
}

type lifecycleRunView struct {
	run.View
	Customers int64 `json:"customers" doc:"Looked at so far."`
	Proposed  int64 `json:"proposed" doc:"Events LifecycleStageProposed."`
}

type lifecycleRunOutput struct {
	Location string `header:"Location"`
	Body     lifecycleRunView
}

func showRun(p Progress) *lifecycleRunOutput {
	return &lifecycleRunOutput{"/v1/analytics/lifecycle/runs/" + p.ID.String(), lifecycleRunView{run.Show(p.Run), p.Customers, p.Proposed}}
}

type lifecycleByID struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

type lifecycleStep struct {
	Stage   string    `json:"stage" enum:"awareness,exploration,familiarity,loyalty,separation"`
	BeganOn string    `json:"began_on" format:"date"`
	SeenAt  time.Time `json:"seen_at"`
	Reasons []string  `json:"reasons" nullable:"false"`
}

type lifecycleView struct {
	CustomerID uuid.UUID       `json:"customer_id" format:"uuid" doc:"Of merged customers, the one who stands for all."`
	Enough     bool            `json:"enough" doc:"Whether the customer was looked at."`
	Why        string          `json:"why,omitempty" enum:"not_looked_at_yet"`
	Stage      string          `json:"stage,omitempty" enum:"awareness,exploration,familiarity,loyalty,separation"`
	Since      string          `json:"since,omitempty" format:"date"`
	Reasons    []string        `json:"reasons" nullable:"false" doc:"Codes: registered, first_purchase, repeat_purchases, regular_purchases, satisfied, dissatisfied, silent, contract_ended, came_back."`
	Pattern    string          `json:"pattern,omitempty" enum:"none,open,left_in_exploration,left_in_familiarity,left_early_in_loyalty,long_kept"`
	AsOf       string          `json:"as_of,omitempty" format:"date"`
	Steps      []lifecycleStep `json:"steps" nullable:"false" doc:"As they were seen, the first first. None is ever changed."`
}

func showRelationship(r Relationship) lifecycleView {
	v := lifecycleView{CustomerID: r.CustomerID, Enough: r.Known, Reasons: []string{}, Steps: make([]lifecycleStep, len(r.Steps))}
	if !r.Known {
		v.Why = "not_looked_at_yet"
		return v
	}
	v.Stage, v.Since, v.Reasons, v.Pattern, v.AsOf = r.Stage, r.Since.Format(time.DateOnly), r.Reasons, r.Pattern, r.AsOf.Format(time.DateOnly)
	for i, s := range r.Steps {
		v.Steps[i] = lifecycleStep{s.Stage, s.BeganOn.Format(time.DateOnly), s.SeenAt.UTC(), s.Reasons}
	}
	return v
}

type stageLength struct {
	Spells     int      `json:"spells" doc:"Times that somebody was in the stage."`
	Ended      int      `json:"ended" doc:"Of which so many are over; the others are censored at as_of."`
	Median     *float64 `json:"median_days,omitempty" doc:"After Kaplan and Meier; absent: more than half last longer than can be seen."`
	MedianLow  *float64 `json:"median_low,omitempty" doc:"Of the 95 % interval."`
	MedianHigh *float64 `json:"median_high,omitempty" doc:"Absent: without end."`
}

type stageView struct {
	Stage          string      `json:"stage" enum:"awareness,exploration,familiarity,loyalty,separation"`
	Customers      int64       `json:"customers"`
	PredictedMinor int64       `json:"predicted_value_minor" doc:"Their part of customer equity, in the reporting currency; see /v1/analytics/value/equity for what moved it."`
	Length         stageLength `json:"length"`
}

type lifecycleOverview struct {
	Enough bool        `json:"enough"`
	Why    string      `json:"why,omitempty" enum:"no_run"`
	AsOf   string      `json:"as_of,omitempty" format:"date" doc:"The day up to which everybody was looked at."`
	Stages []stageView `json:"stages" nullable:"false"`
}

func (l *Lifecycle) overviewHTTP(ctx context.Context, _ *struct{}) (*struct{ Body lifecycleOverview }, error) {
	all, asOf, err := l.Overview(ctx)
	if err != nil {
		return nil, err
	}
	out := lifecycleOverview{Enough: !asOf.IsZero(), Stages: make([]stageView, len(all))}
	if out.Enough {
		out.AsOf = asOf.Format(time.DateOnly)
	} else {
		out.Why = "no_run"
	}
	for i, s := range all {
		out.Stages[i] = stageView{s.Stage, s.Customers, s.PredictedMinor, stageLength{
			s.Length.N, s.Length.Ended, finite(s.Length.Median), finite(s.Length.MedianLow), finite(s.Length.MedianHigh),
		}}
	}
	return &struct{ Body lifecycleOverview }{out}, nil
}

type patternView struct {
	Pattern   string  `json:"pattern" enum:"left_in_exploration,left_in_familiarity,left_early_in_loyalty,long_kept"`
	Customers int64   `json:"customers"`
	Share     float64 `json:"share" doc:"Of those whose pattern is decided."`
	Low       float64 `json:"low" doc:"Of its 95 % interval after Wilson."`
	High      float64 `json:"high"`
}

type patternsView struct {
	Enough   bool          `json:"enough" doc:"Whether anybody's pattern is decided."`
	Why      string        `json:"why,omitempty" enum:"no_run,nothing_decided"`
	AsOf     string        `json:"as_of,omitempty" format:"date"`
	Decided  int64         `json:"decided"`
	Open     int64         `json:"open" doc:"Relationships that have not ended, and have not been loyal for long."`
	None     int64         `json:"none" doc:"Customers who never bought anything."`
	Patterns []patternView `json:"patterns" nullable:"false" doc:"Empty where nothing is decided."`
}

func (l *Lifecycle) patternsHTTP(ctx context.Context, _ *struct{}) (*struct{ Body patternsView }, error) {
	counts, asOf, err := l.Patterns(ctx)
	if err != nil {
		return nil, err
	}
	decided := []string{LeftExploring, LeftFamiliar, LeftEarlyLoyal, LongKept}
	out := patternsView{Open: counts[Open], None: counts[NoRelationship], Patterns: []patternView{}, Why: "no_run"}
	if !asOf.IsZero() {
		out.AsOf, out.Why = asOf.Format(time.DateOnly), "nothing_decided"
	}
	for _, p := range decided {
		out.Decided += counts[p]
	}
	if out.Decided > 0 {
		out.Enough, out.Why = true, ""
		for _, p := range decided {
			share := proportion.Wilson(int(counts[p]), int(out.Decided))
			out.Patterns = append(out.Patterns, patternView{p, counts[p], share.Value, share.Low, share.High})
		}
	}
	return &struct{ Body patternsView }{out}, nil
}

// Routes adds the operations on stages.
func (l *Lifecycle) Routes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "get-lifecycle-settings", Method: http.MethodGet, Path: "/v1/analytics/lifecycle/settings", Tag: tag, Summary: "Read where the stages of relationships begin", Permission: auth.AnalyticsRead,
	}, func(ctx context.Context, _ *struct{}) (*lifecycleSettingsOutput, error) {
		return showSettings(l.Settings(ctx))
	})
	httpx.Register(api, httpx.Operation{
		ID: "set-lifecycle-settings", Method: http.MethodPut, Path: "/v1/analytics/lifecycle/settings", Tag: tag, Summary: "Say where the stages of relationships begin",
		Description: "A run over all customers is asked for with it. Stages that were seen before stay in the history.",
		Permission:  auth.AnalyticsManage, Errors: []int{http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *lifecycleSettingsInput) (*lifecycleSettingsOutput, error) {
		return showSettings(l.Set(ctx, Settings{Rules: Rules(in.Body)}, in.IfMatch))
	})
	httpx.Register(api, httpx.Operation{
		ID: "ask-lifecycle-run", Method: http.MethodPost, Path: "/v1/analytics/lifecycle/runs", Tag: tag, Summary: "Have every customer's stage reckoned now",
		Description: "As the run of each day does it, in steps. 409 run_open while one that was asked for is not done.", Permission: auth.AnalyticsManage,
		Status: http.StatusAccepted, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, _ *struct{}) (*lifecycleRunOutput, error) {
		r, err := l.Ask(ctx)
		if err != nil {
			return nil, err
		}
		return showRun(Progress{Run: r}), nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-lifecycle-run", Method: http.MethodGet, Path: "/v1/analytics/lifecycle/runs/{id}", Tag: tag, Summary: "Read how far a run is", Permission: auth.AnalyticsRead,
		Errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *lifecycleByID) (*lifecycleRunOutput, error) {
		p, err := l.Run(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return showRun(p), nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-customer-lifecycle", Method: http.MethodGet, Path: "/v1/analytics/lifecycle/customers/{id}", Tag: tag, Summary: "Read how far the relationship with a customer has come",
		Permission: auth.AnalyticsRead, Errors: []int{http.StatusNotFound, http.StatusGone},
	}, func(ctx context.Context, in *lifecycleByID) (*struct{ Body lifecycleView }, error) {
		r, err := l.Of(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return &struct{ Body lifecycleView }{showRelationship(r)}, nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "get-lifecycle-stages", Method: http.MethodGet, Path: "/v1/analytics/lifecycle/stages", Tag: tag, Summary: "Count customers by stage, and say how long stages last",
		Permission: auth.AnalyticsRead, Timeout: 40 * time.Second,
	}, l.overviewHTTP)
	httpx.Register(api, httpx.Operation{
		ID: "get-lifecycle-patterns", Method: http.MethodGet, Path: "/v1/analytics/lifecycle/patterns", Tag: tag, Summary: "Count relationships by the four patterns of their life",
		Description: "Left in exploration, left in familiarity, left early in loyalty, long kept.", Permission: auth.AnalyticsRead, Timeout: 40 * time.Second,
	}, l.patternsHTTP)
	l.survivalRoutes(api)
}
