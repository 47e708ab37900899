package satisfaction

import (
	"context"

	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/journey"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/rating"
)

// AfterInput is a time, and how long after it is looked at what customers do.
type AfterInput struct {
	PeriodInput
	Days int `query:"within_days" minimum:"1" maximum:"365" default:"90" doc:"So many days after are looked at; customers whose days are not over are left out."`
}

type loyaltyPlotInput struct {
	AfterInput
	Indifference int `query:"indifference_from" minimum:"2" maximum:"5" default:"3" doc:"Scores from here on are in the zone of indifference."`
	Affection    int `query:"affection_from" minimum:"2" maximum:"5" default:"5" doc:"Scores from here on are in the zone of affection."`
}

type satisfactionLoyalty struct {
	Time      satisfactionTime   `json:"time"`
	Days      int                `json:"within_days"`
	Customers int64              `json:"customers" doc:"Sample size: known customers with an answer whose days are over."`
	Open      int64              `json:"open" doc:"Customers none of whose answers is that old yet."`
	Bands     []satisfactionBand `json:"bands" nullable:"false" doc:"By the latest answer whose days are over."`
	Zones     []satisfactionZone `json:"zones" nullable:"false" doc:"After Heskett, Jones, Loveman, Sasser and Schlesinger (1994)."`
}

type satisfactionBand struct {
	Score int  `json:"score"`
	Zone  Zone `json:"zone" enum:"defection,indifference,affection"`
	SatisfactionRate
}

type satisfactionZone struct {
	Zone Zone `json:"zone" enum:"defection,indifference,affection"`
	From int  `json:"from" doc:"Lowest score."`
	To   int  `json:"to" doc:"Highest score."`
	SatisfactionRate
}

// SatisfactionRate is how many of a zone's customers came back, where they are enough to tell.
type SatisfactionRate struct {
	Customers int64            `json:"customers"`
	Enough    bool             `json:"enough" doc:"At least min_n customers."`
	Bought    int64            `json:"bought" doc:"Those with a net purchase within the days after their answer."`
	Rate      *rating.Interval `json:"repurchase,omitempty" doc:"Share of them, with Wilson's 95 % interval."`
}

type satisfactionRecovery struct {
	Time        satisfactionTime       `json:"time"`
	Days        int                    `json:"within_days"`
	Groups      []satisfactionAfter    `json:"groups" nullable:"false"`
	Comparisons []satisfactionContrast `json:"comparisons" nullable:"false" doc:"Of those whose complaint was recovered with others; only where both have customers."`
	Paradox     bool                   `json:"paradox" doc:"Whether those whose complaint was recovered are seen to be satisfied, or to buy again, more often than those who never complained."`
	Note        string                 `json:"note"`
}

type satisfactionAfter struct {
	Group     Group            `json:"group" enum:"recovered,not_recovered,not_judged,never_complained"`
	Customers int64            `json:"customers" doc:"Whose days are over: sample size of repurchase."`
	Open      int64            `json:"open" doc:"Whose days are not over; they are left out."`
	Answered  int64            `json:"answered" doc:"Who answered about their satisfaction with anything but a complaint within the days: sample size of satisfied."`
	Satisfied *rating.Interval `json:"satisfied,omitempty" doc:"Share of those whose latest answer was 4 or 5, with Wilson's 95 % interval."`
	Bought    *rating.Interval `json:"repurchase,omitempty" doc:"Share with a net purchase within the days, with Wilson's 95 % interval."`
}

type satisfactionContrast struct {
	Of         string          `json:"of" enum:"satisfied,repurchase"`
	With       Group           `json:"with" enum:"not_recovered,never_complained"`
	Difference rating.Interval `json:"difference" doc:"Share of the recovered less that of the others, with its 95 % interval (Newcombe 1998, method 10)."`
	Enough     bool            `json:"enough" doc:"At least min_n customers on both sides."`
	Seen       bool            `json:"seen" doc:"Whether there is enough and the interval lies wholly on one side of 0."`
}

const noteRecovery = "Groups came about by themselves, not by lot: a difference may have been there before. Days count from the closing of the latest complaint of the time " +
	"(of one that is open, from its registration), and of those who never complained from their first net purchase of the time."

func (q *Queries) afterRoutes(api *httpx.API) {
	httpx.Register(api, reading("get-satisfaction-loyalty", path+"/loyalty", "Loyalty by satisfaction",
		"Which share of customers buys again, by the score of their latest answer on satisfaction, and in the zones of defection, indifference and affection."),
		func(ctx context.Context, in *loyaltyPlotInput) (*struct{ Body satisfactionLoyalty }, error) {
			s, err := in.span(q.now())
			if err != nil {
				return nil, err
			}
			if in.Affection <= in.Indifference {
				return nil, problem.New(problem.Unprocessable, "validation_failed", "Mend the query.").WithField("query.affection_from", "out_of_range", "must be above indifference_from")
			}
			r, err := q.Repurchases(ctx, s, in.Days)
			if err != nil {
				return nil, err
			}
			v := showLoyalty(r, Bounds{in.Indifference, in.Affection}, in.MinN)
			v.Time, v.Days = showTime(s, in.MinN, r.AsOf), in.Days
			return &struct{ Body satisfactionLoyalty }{v}, nil
		})
	httpx.Register(api, reading("get-satisfaction-recovery", path+"/recovery", "What becomes of customers after complaints",
		"Satisfaction and repurchase of customers whose complaint was recovered, of those whose was not, and of those who never complained: whether there is a recovery paradox."),
		func(ctx context.Context, in *AfterInput) (*struct{ Body satisfactionRecovery }, error) {
			s, err := in.span(q.now())
			if err != nil {
				return nil, err
			}
			r, err := q.Recover(ctx, s, in.Days)
			if err != nil {
				return nil, err
			}
			v := showRecovery(r, in.MinN)
			v.Time, v.Days = showTime(s, in.MinN, r.AsOf), in.Days
			return &struct{ Body satisfactionRecovery }{v}, nil
		})
}

func showLoyalty(r Repurchase, b Bounds, minN int64) satisfactionLoyalty {
	rate := func(c Band) SatisfactionRate {
		return SatisfactionRate{c.Customers, c.Customers >= minN, c.Bought, share(c.Bought, c.Customers)}
	}
	v := satisfactionLoyalty{Open: r.Open}
	zones := map[Zone]Band{}
	for i, c := range r.Bands {
		zone := b.Zone(i + 1)
		v.Customers += c.Customers
		v.Bands = append(v.Bands, satisfactionBand{i + 1, zone, rate(c)})
		zones[zone] = Band{zones[zone].Customers + c.Customers, zones[zone].Bought + c.Bought}
	}
	v.Zones = []satisfactionZone{
		{Defection, 1, b.Indifference - 1, rate(zones[Defection])}, {Indifference, b.Indifference, b.Affection - 1, rate(zones[Indifference])},
		{Affection, b.Affection, 5, rate(zones[Affection])},
	}
	return v
}

func showRecovery(r Recovery, minN int64) satisfactionRecovery {
	v := satisfactionRecovery{Comparisons: []satisfactionContrast{}, Note: noteRecovery}
	for _, g := range Groups {
		a := r.Groups[g]
		v.Groups = append(v.Groups, satisfactionAfter{g, a.Customers, a.Open, a.Answered, share(a.Satisfied, a.Answered), share(a.Bought, a.Customers)})
	}
	well := r.Groups[Recovered]
	for _, g := range []Group{Failed, Never} {
		others := r.Groups[g]
		for _, c := range []struct {
			of   string
			a, b journey.Response
		}{
			{"satisfied", journey.Response{Customers: well.Answered, Responded: well.Satisfied}, journey.Response{Customers: others.Answered, Responded: others.Satisfied}},
			{"repurchase", journey.Response{Customers: well.Customers, Responded: well.Bought}, journey.Response{Customers: others.Customers, Responded: others.Bought}},
		} {
			if c.a.Customers == 0 || c.b.Customers == 0 {
				continue
			}
			d := rating.Interval(journey.Difference(c.a, c.b))
			enough := min(c.a.Customers, c.b.Customers) >= minN
			seen := enough && (d.Low > 0 || d.High < 0)
			v.Comparisons = append(v.Comparisons, satisfactionContrast{c.of, g, d, enough, seen})
			v.Paradox = v.Paradox || seen && g == Never && d.Low > 0
		}
	}
	return v
}
