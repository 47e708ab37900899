package satisfaction

import (
	"context"

	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/rating"
)

type touchpointsInput struct {
	PeriodInput
	Order []string `query:"order" maxItems:"50" doc:"Touchpoints in the order of the journey; those not named come after, in the order in which customers come to them."`
}

type satisfactionWay struct {
	Time        satisfactionTime     `json:"time"`
	N           int                  `json:"n" doc:"Answers on satisfaction at touchpoints."`
	Mean        *rating.Interval     `json:"mean,omitempty" doc:"Of all of them, with Student's 95 % interval."`
	Customers   int64                `json:"customers" doc:"Who passed a touchpoint."`
	Touchpoints []satisfactionMoment `json:"touchpoints" nullable:"false" doc:"Along the journey; at most 200, those that most customers pass."`
	More        int                  `json:"more,omitempty" doc:"Touchpoints that are left out."`
	HurtsMost   string               `json:"hurts_most,omitempty" doc:"The touchpoint that takes off most, of those with enough answers whose interval lies above 0; absent where there is none."`
}

type satisfactionMoment struct {
	Touchpoint string           `json:"touchpoint"`
	N          int              `json:"n" doc:"Answers on satisfaction there."`
	Answerers  int64            `json:"answerers" doc:"Known customers who gave an answer on satisfaction there."`
	Enough     bool             `json:"enough" doc:"At least min_n answers there."`
	Mean       *rating.Interval `json:"mean,omitempty" doc:"With Student's 95 % interval."`
	Satisfied  *rating.Interval `json:"satisfied,omitempty" doc:"Share of 4 and 5, with Wilson's 95 % interval."`
	Passed     int64            `json:"passed" doc:"Customers who were there: by an interaction, by being asked about it, or by an answer."`
	Share      *rating.Interval `json:"share,omitempty" doc:"Of customers, with Wilson's 95 % interval."`
	Place      float64          `json:"place,omitempty" doc:"Its mean place among the touchpoints of those who passed it, by when they came there first."`
	Below      *rating.Interval `json:"below,omitempty" doc:"The mean of all less the mean there, with its 95 % interval."`
	Harm       *rating.Interval `json:"harm,omitempty" doc:"The same times the share: what it takes off satisfaction (below 0: adds to it)."`
}

func (q *Queries) touchpointRoutes(api *httpx.API) {
	httpx.Register(api, reading("get-satisfaction-touchpoints", path+"/touchpoints", "Satisfaction along the journey",
		"How satisfied customers are at each touchpoint, how many pass it, and which one hurts most."),
		func(ctx context.Context, in *touchpointsInput) (*struct{ Body satisfactionWay }, error) {
			s, err := in.span(q.now())
			if err != nil {
				return nil, err
			}
			way, err := q.Walk(ctx, s)
			if err != nil {
				return nil, err
			}
			way.Sort(in.Order)
			v := showWay(way, in.MinN)
			v.Time = showTime(s, in.MinN, way.AsOf)
			return &struct{ Body satisfactionWay }{v}, nil
		})
}

func showWay(way Way, minN int64) satisfactionWay {
	var all Counts
	for _, m := range way.Moments {
		all = all.Plus(m.Counts)
	}
	v := satisfactionWay{N: all.N(), Customers: way.Customers, Touchpoints: make([]satisfactionMoment, len(way.Moments)), More: way.More}
	if mean, ok := all.Mean(); ok {
		v.Mean = &mean
	}
	most := 0.0
	for i, m := range way.Moments {
		one := satisfactionMoment{
			Touchpoint: m.Touchpoint, N: m.Counts.N(), Answerers: m.Answerers, Enough: int64(m.Counts.N()) >= minN,
			Passed: m.Passed, Share: share(m.Passed, way.Customers), Place: m.Place,
		}
		if one.N > 0 {
			satisfied := m.Counts.Share(4, 5)
			one.Satisfied = &satisfied
		}
		if mean, ok := m.Counts.Mean(); ok {
			one.Mean = &mean
		}
		if below, harm, ok := Harm(m.Counts, all, m.Passed, way.Customers); ok {
			one.Below, one.Harm = &below, &harm
			if one.Enough && harm.Low > 0 && harm.Value > most {
				most, v.HurtsMost = harm.Value, m.Touchpoint
			}
		}
		v.Touchpoints[i] = one
	}
	return v
}
