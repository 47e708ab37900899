package funnel

import (
	"context"
	"math"
	"net/http"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

type funnelInput struct {
	Of       string `query:"of" enum:"leads,opportunities" default:"leads" doc:"Leads with the opportunities that came of them, or opportunities, of leads or not."`
	Mode     string `query:"mode" enum:"cohort,period" default:"cohort" doc:"cohort: what came in then, whatever became of it since; period: what happened then, whenever it came in."`
	Pipeline string `query:"pipeline" maxLength:"64" default:"standard" doc:"Code."`
	Source   string `query:"source" maxLength:"64" doc:"Code."`
	Owner    string `query:"owner" maxLength:"255" doc:"Subject. Without sales.report one sees one's own only, which need not be said."`
	Team     string `query:"team" maxLength:"64" doc:"Code."`
	By       string `query:"by" enum:"source,owner,team,month" doc:"By what funnels are split; month: in which it came in, of a cohort."`
	From     string `query:"from" maxLength:"10" doc:"First day, YYYY-MM-DD; left out: 90 days before to." example:"2026-09-01"`
	To       string `query:"to" maxLength:"10" doc:"Last day; left out: today." example:"2026-11-30"`
}

type funnelAnswer struct{ Body funnelReport }

type funnelReport struct {
	From  string       `json:"from"`
	To    string       `json:"to"`
	Zone  string       `json:"zone" doc:"In which days and months begin."`
	Items []funnelView `json:"items" nullable:"false" doc:"One, or one of each source, owner, team or month: at most 200."`
}

type funnelView struct {
	Key   string           `json:"key,omitempty" doc:"The source, owner, team or month; absent: of all, or of what has none."`
	Steps []funnelStepView `json:"steps" nullable:"false"`
}

type funnelStepView struct {
	Step      string            `json:"step" doc:"captured, qualified, converted, won, or the code of a stage." example:"qualified"`
	Stage     bool              `json:"stage" doc:"It is a stage of the pipeline."`
	Reached   int64             `json:"reached" doc:"How many came to the step or passed it over; of a period: then."`
	WentOn    int64             `json:"went_on" doc:"To a later step; of a period: then."`
	Lost      int64             `json:"lost" doc:"There; of a period: then."`
	Open      int64             `json:"open" doc:"Still there: they may yet go on."`
	OfReached *float64          `json:"went_on_percent,omitempty" doc:"Of those that reached it, so far; absent where none did, and of a period."`
	OfDecided *float64          `json:"went_on_percent_of_decided,omitempty" doc:"Of those that went on or were lost; absent where none was."`
	ToNext    *funnelTimeToView `json:"to_next,omitempty" doc:"Time from this step to the next one; absent where nobody stood in both."`
}

type funnelTimeToView struct {
	Cases  int64 `json:"cases" doc:"That stood in both, one after the other. Those that are still open are not among them."`
	Median int64 `json:"median_seconds"`
	Mean   int64 `json:"mean_seconds"`
	P90    int64 `json:"p90_seconds" doc:"Nine of ten took at most so long."`
}

const dayFormat = "2006-01-02"

// query reads the parameters; days that are none are Unprocessable.
func (in *funnelInput) query(today time.Time) (Query, error) {
	q := Query{Of: in.Of, Mode: in.Mode, Pipeline: in.Pipeline, Source: in.Source, Owner: in.Owner, Team: in.Team, By: in.By, To: today}
	p := problem.New(problem.Unprocessable, "funnel_invalid", "There is no such funnel: mend the parameters named here.")
	read := func(name, text string, into *time.Time) {
		if text == "" {
			return
		}
		at, err := time.Parse(dayFormat, text)
		if err != nil || at.Year() < 1900 {
			p = p.WithField("query."+name, "day_malformed", "must be a day such as 2026-11-30")
		}
		*into = at
	}
	read("to", in.To, &q.To)
	q.From = q.To.AddDate(0, 0, -90)
	read("from", in.From, &q.From)
	if len(p.Fields) > 0 {
		return q, p
	}
	return q, nil
}

func (f *Funnels) askHTTP(ctx context.Context, in *funnelInput) (*funnelAnswer, error) {
	q, err := in.query(f.clock().UTC().Truncate(24 * time.Hour))
	if err != nil {
		return nil, err
	}
	all, zone, err := f.Ask(ctx, q)
	if err != nil {
		return nil, err
	}
	body := funnelReport{From: q.From.Format(dayFormat), To: q.To.Format(dayFormat), Zone: zone, Items: make([]funnelView, len(all))}
	for i, one := range all {
		v := funnelView{Key: one.Key, Steps: make([]funnelStepView, len(one.Steps))}
		for j, s := range one.Steps {
			v.Steps[j] = showStep(s, q.Mode, j == len(one.Steps)-1)
		}
		body.Items[i] = v
	}
	return &funnelAnswer{body}, nil
}

func showStep(s Step, mode string, last bool) funnelStepView {
	v := funnelStepView{Step: s.Code, Stage: s.Stage, Reached: s.Reached, WentOn: s.WentOn, Lost: s.Lost, Open: s.Open}
	if last {
		return v
	}
	if percent, ok := s.OfReached(); ok && mode == Cohort {
		v.OfReached = &percent
	}
	if percent, ok := s.OfDecided(); ok {
		v.OfDecided = &percent
	}
	if s.Timed > 0 {
		v.ToNext = &funnelTimeToView{s.Timed, int64(math.Round(s.Median)), int64(math.Round(s.Mean)), int64(math.Round(s.P90))}
	}
	return v
}

// Routes adds the operation.
func (f *Funnels) Routes(api *httpx.API) {
	httpx.Register(api, httpx.Operation{
		ID: "get-funnel", Method: http.MethodGet, Path: "/v1/funnel", Tag: "Funnel", Summary: "Count how leads and opportunities go from step to step, and how long that takes",
		Description: "What is still open may yet go on: it is counted by itself, and times are of what went on only.",
		Permission:  auth.SalesRead, Errors: []int{http.StatusNotFound}, Timeout: 40 * time.Second,
	}, f.askHTTP)
}
