package journey

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/platform/proportion"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

const tag = "journey"

// journeyShare is a share with its uncertainty.
type journeyShare struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low" doc:"95 % interval (Wilson)"`
	High  float64 `json:"high"`
	Of    int64   `json:"of" doc:"how many it is a share of"`
}

// shareOf gives k of n; nil where there is nobody.
func shareOf(k, n int64) *journeyShare {
	if n == 0 {
		return nil
	}
	v := proportion.Wilson(int(k), int(n))
	return &journeyShare{v.Value, v.Low, v.High, n}
}

// journeySource says what the numbers are of.
type journeySource struct {
	Live   bool       `json:"live" doc:"reckoned for this answer; otherwise read from the last run"`
	RunID  *uuid.UUID `json:"run_id,omitempty" format:"uuid"`
	Until  string     `json:"until,omitempty" format:"date" doc:"last UTC day that counts"`
	KeptAt *time.Time `json:"kept_at,omitempty" doc:"when the run ended"`
	AsOf   *time.Time `json:"as_of" doc:"time of the newest event that analytics has; null when there was none"`
}

func showSource(s Source) journeySource {
	v := journeySource{Live: s.RunID == uuid.Nil && !s.None, AsOf: fact.TimeOrNil(s.AsOf)}
	if s.RunID != uuid.Nil {
		v.RunID, v.KeptAt = &s.RunID, &s.Kept
	}
	if !s.None {
		v.Until = s.Until.AddDate(0, 0, -1).Format(time.DateOnly)
	}
	return v
}

// Why there are no numbers.
const whyNoRun = "no_run"

// MonthsInput is which months of a funnel or of cohorts are asked for.
type MonthsInput struct {
	From    string `query:"from" pattern:"^[0-9]{4}-[0-9]{2}$" doc:"first month, such as 2026-01; the first there is when left out"`
	To      string `query:"to" pattern:"^[0-9]{4}-[0-9]{2}$" doc:"last month, included; the last there is when left out"`
	Channel string `query:"channel" maxLength:"64" doc:"only people who began by it"`
	Live    bool   `query:"live" doc:"Reckon now instead of reading what the last run kept. Of a large tenant that takes too long: query_too_heavy."`
}

func (in MonthsInput) filter(by string) (Filter, error) {
	f := Filter{From: 0, To: MonthOf(time.Date(9999, 12, 1, 0, 0, 0, 0, time.UTC)), Channel: in.Channel, By: by}
	invalid := problem.New(problem.Unprocessable, "validation_failed", "Mend the query.")
	for _, one := range []struct {
		name, text string
		into       *Month
	}{{"query.from", in.From, &f.From}, {"query.to", in.To, &f.To}} {
		if one.text == "" {
			continue
		}
		at, err := time.Parse("2006-01", one.text)
		if err != nil {
			return f, invalid.WithField(one.name, "month", "is not a month of the form 2006-01")
		}
		*one.into = MonthOf(at)
	}
	if f.To < f.From {
		return f, invalid.WithField("query.to", "out_of_range", "lies before from")
	}
	return f, nil
}

type funnelInput struct {
	MonthsInput
	By string `query:"by" enum:"month,channel,month_channel" doc:"of a person's first step; left out: all in one"`
}

type journeyStage struct {
	Stage      string        `json:"stage"`
	People     int64         `json:"people" doc:"who were there, or further"`
	OfFirst    *journeyShare `json:"of_first,omitempty" doc:"of all people of this funnel"`
	WentOn     *journeyShare `json:"went_on,omitempty" doc:"of those here, who came to the next stage or further; absent of the last one"`
	Timed      int64         `json:"timed,omitempty" doc:"people who stood in this stage and then in the next one"`
	MedianDays *int          `json:"median_days,omitempty" doc:"in so many whole days half of them were there"`
	P90Days    *int          `json:"p90_days,omitempty"`
}

type journeyFunnel struct {
	Month   string         `json:"month,omitempty"`
	Channel *string        `json:"channel,omitempty" doc:"empty: of a first step without one"`
	Stages  []journeyStage `json:"stages"`
}

type funnelAnswer struct {
	Enough bool            `json:"enough"`
	Why    string          `json:"why,omitempty" enum:"no_run,nobody"`
	Source journeySource   `json:"source"`
	Items  []journeyFunnel `json:"items" nullable:"false"`
}

type cohortsInput struct {
	MonthsInput
	Currency string `query:"currency" pattern:"^[A-Z]{3}$" doc:"ISO 4217; only what was bought in it counts. Left out: the reporting currency"`
	By       string `query:"by" enum:"month,month_channel" default:"month" doc:"of the first net purchase"`
	MaxAge   int    `query:"max_age" minimum:"0" maximum:"120" default:"24" doc:"months after the first that are shown"`
}

type cohortCell struct {
	Age           int           `json:"age" doc:"months after the first purchase"`
	Month         string        `json:"month"`
	Complete      bool          `json:"complete" doc:"the month was over"`
	Customers     int64         `json:"customers" doc:"with a net purchase in the month"`
	Retention     *journeyShare `json:"retention,omitempty"`
	Orders        int64         `json:"orders"`
	GrossMinor    int64         `json:"gross_minor"`
	ReturnedMinor int64         `json:"returned_minor" doc:"that came back in the month"`
	NetMinor      int64         `json:"net_minor"`
}

type cohortRow struct {
	Month     string       `json:"month"`
	Channel   *string      `json:"channel,omitempty"`
	Customers int64        `json:"customers" doc:"size of the cohort"`
	NetMinor  int64        `json:"net_minor" doc:"of the cells that are shown"`
	Cells     []cohortCell `json:"cells"`
}

type journeyMoney struct {
	Orders        int64 `json:"orders"`
	GrossMinor    int64 `json:"gross_minor"`
	ReturnedMinor int64 `json:"returned_minor"`
	NetMinor      int64 `json:"net_minor"`
}

func showMoney(c Cell) journeyMoney {
	return journeyMoney{c.Orders, c.GrossMinor, c.ReturnedMinor, c.GrossMinor - c.ReturnedMinor}
}

type cohortsAnswer struct {
	Enough   bool          `json:"enough"`
	Why      string        `json:"why,omitempty" enum:"no_run,nobody"`
	Source   journeySource `json:"source"`
	Currency string        `json:"currency"`
	Items    []cohortRow   `json:"items" nullable:"false"`
	Triangle journeyMoney  `json:"triangle" doc:"of all cohorts, whatever is shown"`
	Rest     journeyMoney  `json:"rest" doc:"what is of no cohort: of nobody who is known, of orders that came back whole, and what came back before a first purchase"`
	Total    journeyMoney  `json:"total" doc:"both: all revenue in the currency"`
}

type mappingView struct {
	Rules     []Rule     `json:"rules" minItems:"1" maxItems:"100" nullable:"false"`
	Version   int64      `json:"version" doc:"0: the house's own rules"`
	ChangedBy string     `json:"changed_by,omitempty"`
	ChangedAt *time.Time `json:"changed_at,omitempty"`
}

type mappingOutput struct {
	ETag string `header:"ETag"`
	Body mappingView
}

func showMapping(m Mapping) *mappingOutput {
	out := &mappingOutput{ETag: httpx.ETag(m.Version), Body: mappingView{Rules: m.Rules, Version: m.Version, ChangedBy: m.ChangedBy}}
	if !m.ChangedAt.IsZero() {
		out.Body.ChangedAt = &m.ChangedAt
	}
	return out
}

type setMappingInput struct {
	IfMatch string `header:"If-Match" doc:"ETag of the version that is replaced."`
	Body    struct {
		Rules []Rule `json:"rules" minItems:"1" maxItems:"100" nullable:"false"`
	}
}

type journeyRunView struct {
	run.View
	Kind string `json:"kind" enum:"cohorts,funnel"`
}

type journeyRunOutput struct {
	Location string `header:"Location"`
	Body     journeyRunView
}

func showRun(r run.Run) *journeyRunOutput {
	kind := "cohorts"
	if r.Kind == KindFunnel {
		kind = "funnel"
	}
	return &journeyRunOutput{Location: "/v1/analytics/journey/runs/" + r.ID.String(), Body: journeyRunView{run.Show(r), kind}}
}

func reading(id, path, summary, description string) httpx.Operation {
	return httpx.Operation{ID: id, Method: http.MethodGet, Path: path, Tag: tag, Summary: summary, Description: description, Permission: auth.AnalyticsRead}
}

// Routes adds the operations.
func (j *Journey) Routes(api *httpx.API) {
	httpx.Register(api, reading("get-journey-funnel", "/v1/analytics/journey/funnel", "The funnel from visitor to buyer",
		"A person counts once in each stage, by standing in it or by passing it over, in the month and by the channel of its first step. Which stage what puts a person into is set by the mapping. "+
			"A lead of whom no customer is known is a person. Read from the run of the day, or reckoned with live=true."),
		func(ctx context.Context, in *funnelInput) (*struct{ Body funnelAnswer }, error) {
			body, err := j.answerFunnel(ctx, in)
			return &struct{ Body funnelAnswer }{body}, err
		})
	httpx.Register(api, reading("get-cohorts", "/v1/analytics/cohorts", "Cohorts of customers by the month of their first purchase",
		"For each cohort and each month since: customers with a net purchase, the share they are of the cohort, orders and revenue. A return counts in the month in which it came back. "+
			"Triangle and rest add up to all revenue in the currency. Read from the run of the day, or reckoned with live=true."),
		func(ctx context.Context, in *cohortsInput) (*struct{ Body cohortsAnswer }, error) {
			body, err := j.answerCohorts(ctx, in)
			return &struct{ Body cohortsAnswer }{body}, err
		})
	httpx.Register(api, reading("get-journey-mapping", "/v1/analytics/journey/mapping", "Read what counts as which stage of the funnel", ""),
		func(ctx context.Context, _ *struct{}) (*mappingOutput, error) {
			m, err := j.Mapping(ctx)
			return showMapping(m), err
		})
	httpx.Register(api, httpx.Operation{
		ID: "set-journey-mapping", Method: http.MethodPut, Path: "/v1/analytics/journey/mapping", Tag: tag, Summary: "Set what counts as which stage of the funnel",
		Description: "A rule fits what has all the values it names; of several that fit, the latest stage counts. A run of the funnel is asked for with it.",
		Permission:  auth.AnalyticsManage,
	}, func(ctx context.Context, in *setMappingInput) (*mappingOutput, error) {
		m, err := j.SetMapping(ctx, in.IfMatch, in.Body.Rules)
		if err != nil {
			return nil, err
		}
		return showMapping(m), nil
	})
	httpx.Register(api, httpx.Operation{
		ID: "ask-journey-run", Method: http.MethodPost, Path: "/v1/analytics/journey/runs", Tag: tag, Summary: "Have cohorts or the funnel reckoned now",
		Description: "As the run of each day does it, in steps. 409 run_open while one that was asked for is not done.", Permission: auth.AnalyticsManage,
		Status: http.StatusAccepted, Errors: []int{http.StatusConflict},
	}, func(ctx context.Context, in *struct {
		Body struct {
			Kind string `json:"kind" enum:"cohorts,funnel"`
		}
	}) (*journeyRunOutput, error) {
		kind := KindCohorts
		if in.Body.Kind == "funnel" {
			kind = KindFunnel
		}
		r, err := j.Ask(ctx, kind)
		if err != nil {
			return nil, err
		}
		return showRun(r), nil
	})
	op := reading("get-journey-run", "/v1/analytics/journey/runs/{id}", "Read how far a run is", "")
	op.Errors = []int{http.StatusNotFound}
	httpx.Register(api, op, func(ctx context.Context, in *struct {
		ID uuid.UUID `path:"id" format:"uuid"`
	}) (*journeyRunOutput, error) {
		r, err := j.Run(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return showRun(r), nil
	})
	j.campaignRoutes(api)
}

func (j *Journey) answerFunnel(ctx context.Context, in *funnelInput) (out funnelAnswer, err error) {
	filter, err := in.filter(in.By)
	if err != nil {
		return out, err
	}
	f, s, err := j.Funnels(ctx, in.Live)
	if err != nil {
		return out, err
	}
	out = funnelAnswer{Source: showSource(s), Items: []journeyFunnel{}}
	for _, one := range f.Shown(filter) {
		v := journeyFunnel{}
		if in.By == ByMonth || in.By == ByMonthChannel {
			v.Month = one.Month.String()
		}
		if in.By == ByChannel || in.By == ByMonthChannel {
			v.Channel = &one.Channel
		}
		for i, code := range stages {
			stage := journeyStage{Stage: code, People: one.Reached[i], OfFirst: shareOf(one.Reached[i], one.Reached[0])}
			if i+1 < len(stages) {
				stage.WentOn = shareOf(one.Reached[i+1], one.Reached[i])
				if median, timed := one.Within(i, 0.5); timed > 0 {
					p90, _ := one.Within(i, 0.9)
					stage.Timed, stage.MedianDays, stage.P90Days = timed, &median, &p90
				}
			}
			v.Stages = append(v.Stages, stage)
		}
		out.Items = append(out.Items, v)
	}
	out.Enough, out.Why = enough(s, len(out.Items))
	return out, nil
}

func enough(s Source, n int) (bool, string) {
	switch {
	case s.None:
		return false, whyNoRun
	case n == 0:
		return false, "nobody"
	default:
		return true, ""
	}
}

func (j *Journey) answerCohorts(ctx context.Context, in *cohortsInput) (out cohortsAnswer, err error) {
	filter, err := in.filter(in.By)
	if err != nil {
		return out, err
	}
	c, currency, s, err := j.Cohorts(ctx, in.Currency, in.Live)
	if err != nil {
		return out, err
	}
	c.only(currency)
	out = cohortsAnswer{Source: showSource(s), Currency: currency, Items: []cohortRow{}}
	var rows []Cohort
	var triangle, rest Cell
	if !s.None {
		rows, triangle, rest = c.Shown(filter, MonthOf(s.Until.AddDate(0, 0, -1)), in.MaxAge)
	}
	for _, row := range rows {
		v := cohortRow{Month: row.Month.String(), Customers: row.Ages[0].Customers}
		if in.By == ByMonthChannel {
			v.Channel = &row.Channel
		}
		for age, cell := range row.Ages {
			m := row.Month + Month(age)
			one := cohortCell{
				Age: age, Month: m.String(), Complete: !s.Until.Before((m + 1).First()), Customers: cell.Customers, Retention: shareOf(cell.Customers, v.Customers),
				Orders: cell.Orders, GrossMinor: cell.GrossMinor, ReturnedMinor: cell.ReturnedMinor, NetMinor: cell.GrossMinor - cell.ReturnedMinor,
			}
			v.NetMinor += one.NetMinor
			v.Cells = append(v.Cells, one)
		}
		out.Items = append(out.Items, v)
	}
	out.Triangle, out.Rest = showMoney(triangle), showMoney(rest)
	triangle.plus(rest)
	out.Total = showMoney(triangle)
	out.Enough, out.Why = enough(s, len(out.Items))
	return out, nil
}

// only forgets other currencies.
func (c *Cohorts) only(currency string) {
	for key := range c.Cells {
		if key.Currency != currency {
			delete(c.Cells, key)
		}
	}
	for key := range c.Rest {
		if key.Currency != currency {
			delete(c.Rest, key)
		}
	}
}
