package satisfaction

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
	"github.com/guanxi-crm/guanxi/services/analytics/internal/rating"
)

const (
	path = "/v1/analytics/satisfaction"
	// longest is how many days one answer is about at most.
	longest = 3 * 366
)

// PeriodInput is the time that a question is about, and when there is enough to answer it.
type PeriodInput struct {
	From string `query:"from" format:"date" doc:"First UTC day; left out: 364 days before the last one."`
	To   string `query:"to" format:"date" doc:"Last UTC day, included; left out: today."`
	MinN int64  `query:"min_n" minimum:"2" maximum:"100000" default:"10" doc:"With fewer than so many, enough is false."`
}

func (in PeriodInput) span(now time.Time) (s Span, err error) {
	s.To = now.UTC().Truncate(24 * time.Hour)
	invalid := problem.New(problem.Unprocessable, "validation_failed", "Mend the query.")
	if in.To != "" {
		if s.To, err = time.Parse(time.DateOnly, in.To); err != nil {
			return s, invalid.WithField("query.to", "date", "is not a date of the form 2006-01-02")
		}
	}
	s.From = s.To.AddDate(0, 0, -364)
	if in.From != "" {
		if s.From, err = time.Parse(time.DateOnly, in.From); err != nil {
			return s, invalid.WithField("query.from", "date", "is not a date of the form 2006-01-02")
		}
	}
	switch {
	case s.To.Before(s.From):
		err = invalid.WithField("query.to", "out_of_range", "lies before from")
	case s.To.Sub(s.From) > longest*24*time.Hour:
		err = invalid.WithField("query.from", "out_of_range", "lies more than three years before to")
	}
	return s, err
}

// satisfactionTime is the time that an answer is about.
type satisfactionTime struct {
	From string     `json:"from" format:"date"`
	To   string     `json:"to" format:"date"`
	MinN int64      `json:"min_n" doc:"With fewer than so many, enough is false: intervals then say how little is known."`
	AsOf *time.Time `json:"as_of" doc:"Time of the newest event in these numbers; null when there was none."`
}

func showTime(s Span, minN int64, asOf time.Time) satisfactionTime {
	return satisfactionTime{s.From.Format(time.DateOnly), s.To.Format(time.DateOnly), minN, fact.TimeOrNil(asOf)}
}

type satisfactionInput struct {
	PeriodInput
	Grain      string    `query:"grain" enum:"day,week,month" doc:"Also a trend, by stretches of this length; weeks begin on Mondays."`
	By         string    `query:"by" enum:"touchpoint,survey,channel,grade" doc:"Also by this; the grade is that of the customer now, empty for nobody who is known."`
	Survey     uuid.UUID `query:"survey_id" format:"uuid" doc:"Only this survey."`
	Touchpoint string    `query:"touchpoint" maxLength:"64" doc:"Only this touchpoint."`
	Channel    string    `query:"channel" maxLength:"64" doc:"Only those asked by this channel."`
}

type satisfactionAnswer struct {
	Time      satisfactionTime      `json:"time"`
	Scores    SatisfactionScores    `json:"scores" doc:"Of the whole time."`
	Trend     []satisfactionStretch `json:"trend,omitempty"`
	Groups    []satisfactionGroup   `json:"groups,omitempty" doc:"At most 200, those with the most answers first."`
	More      int                   `json:"more,omitempty" doc:"Groups that are left out."`
	Responses []satisfactionAsked   `json:"responses" nullable:"false" doc:"How many answered, by kind, by touchpoint and by channel; empty for one survey, for of those asked it is not known by which."`
}

// SatisfactionScores are the three scores of some answers.
type SatisfactionScores struct {
	CSAT satisfactionScore `json:"csat" doc:"From 1 to 5; 4 and 5 are satisfied."`
	NPS  satisfactionScore `json:"nps" doc:"From 0 to 10."`
	CES  satisfactionScore `json:"ces" doc:"From 1 to 7; 5 to 7 found it easy."`
}

type satisfactionScore struct {
	N         int              `json:"n" doc:"Answers."`
	Customers int64            `json:"customers" doc:"Known customers who gave them."`
	Enough    bool             `json:"enough" doc:"At least min_n answers."`
	Share     *rating.Interval `json:"share,omitempty" doc:"Of csat the satisfied, of ces those who found it easy, with Wilson's 95 % interval."`
	Mean      *rating.Interval `json:"mean,omitempty" doc:"With Student's 95 % interval; absent for fewer than two answers."`
	Net       *rating.Interval `json:"net,omitempty" doc:"Of nps: the percentage of 9 and 10 less that of 0 to 6, with its 95 % interval."`
	Counts    []int64          `json:"counts" nullable:"false" doc:"How often each score was given, from the lowest to the highest."`
}

type satisfactionStretch struct {
	From string `json:"from" format:"date" doc:"First day of the stretch; at the ends of the time it may be cut."`
	SatisfactionScores
}

type satisfactionGroup struct {
	Key string `json:"key"`
	SatisfactionScores
}

type satisfactionAsked struct {
	By       string           `json:"by" enum:"kind,touchpoint,channel"`
	Key      string           `json:"key" doc:"Of a channel, empty: asked by hand, or anonymous."`
	Asked    int64            `json:"asked" doc:"Invitations of the time."`
	Answered int64            `json:"answered" doc:"Answers of the time, some to earlier invitations."`
	Rate     *rating.Interval `json:"rate,omitempty" doc:"With Wilson's 95 % interval; absent where nobody was asked, or more answered than were asked in the time."`
}

// Routes adds the operations.
func (q *Queries) Routes(api *httpx.API) {
	httpx.Register(api, reading("get-satisfaction", path, "How satisfied customers are",
		"Satisfaction (csat), recommendation (nps) and effort (ces) with their uncertainty, as a trend and by groups, and how many answer. Answers of nobody who is known count as well."),
		func(ctx context.Context, in *satisfactionInput) (*struct{ Body satisfactionAnswer }, error) {
			s, err := in.span(q.now())
			if err != nil {
				return nil, err
			}
			got, err := q.Stand(ctx, Asked{Span: s, Survey: in.Survey, Touchpoint: in.Touchpoint, Channel: in.Channel, By: By(in.By), Grain: Grain(in.Grain)})
			if err != nil {
				return nil, err
			}
			return &struct{ Body satisfactionAnswer }{showStanding(got, s, in.MinN)}, nil
		})
	q.driverRoutes(api)
	q.touchpointRoutes(api)
	q.afterRoutes(api)
}

func reading(id, path, summary, description string) httpx.Operation {
	return httpx.Operation{ID: id, Method: http.MethodGet, Path: path, Tag: "Satisfaction", Summary: summary, Description: description, Permission: auth.AnalyticsRead}
}

func showStanding(s Standing, span Span, minN int64) satisfactionAnswer {
	v := satisfactionAnswer{Time: showTime(span, minN, s.AsOf), Scores: showScores(s.All, minN), More: s.More, Responses: make([]satisfactionAsked, len(s.Responses))}
	for _, one := range s.Trend {
		v.Trend = append(v.Trend, satisfactionStretch{one.From.Format(time.DateOnly), showScores(one, minN)})
	}
	for _, one := range s.Groups {
		v.Groups = append(v.Groups, satisfactionGroup{one.Key, showScores(one, minN)})
	}
	for i, r := range s.Responses {
		a := satisfactionAsked{Asked: r.Asked, Answered: r.Answered}
		switch {
		case r.Kind != nil:
			a.By, a.Key = "kind", *r.Kind
		case r.Touchpoint != nil:
			a.By, a.Key = "touchpoint", *r.Touchpoint
		case r.Channel != nil:
			a.By, a.Key = "channel", *r.Channel
		}
		if r.Asked > 0 && r.Answered <= r.Asked {
			a.Rate = share(r.Answered, r.Asked)
		}
		v.Responses[i] = a
	}
	return v
}

// share gives k of n with Wilson's interval; nil where there is none.
func share(k, n int64) *rating.Interval {
	if n == 0 {
		return nil
	}
	i := rating.Interval(proportion.Wilson(int(k), int(n)))
	return &i
}

func showScores(s Scores, minN int64) SatisfactionScores {
	one := func(kind string, low, high, good int) satisfactionScore {
		c := s.Counts[kind]
		v := satisfactionScore{N: c.N(), Customers: s.Customers[kind], Enough: int64(c.N()) >= minN, Counts: c[low : high+1]}
		if v.N == 0 {
			return v
		}
		if mean, ok := c.Mean(); ok {
			v.Mean = &mean
		}
		if kind == NPS {
			net := c.Promoters()
			v.Net = &net
			return v
		}
		i := c.Share(good, high)
		v.Share = &i
		return v
	}
	return SatisfactionScores{one(CSAT, 1, 5, 4), one(NPS, 0, 10, 9), one(CES, 1, 7, 5)}
}
