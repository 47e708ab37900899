package journey

import (
	"context"
	"time"

	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
)

// SpanInput is the time that a question is about.
type SpanInput struct {
	From string `query:"from" format:"date" doc:"first UTC day; left out: 90 days before the last one"`
	To   string `query:"to" format:"date" doc:"last UTC day, included; left out: today"`
	Days int    `query:"within_days" minimum:"1" maximum:"365" default:"30" doc:"so many days after a touch a purchase counts as its response"`
}

// longest is how many days one answer is about at most.
const longest = 3 * 366

func (in SpanInput) span(now time.Time) (s Span, err error) {
	s = Span{To: now.UTC().Truncate(24 * time.Hour), Days: in.Days}
	invalid := problem.New(problem.Unprocessable, "validation_failed", "Mend the query.")
	if in.To != "" {
		if s.To, err = time.Parse(time.DateOnly, in.To); err != nil {
			return s, invalid.WithField("query.to", "date", "is not a date of the form 2006-01-02")
		}
	}
	s.From = s.To.AddDate(0, 0, -90)
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

// journeyTime is the time that an answer is about.
type journeyTime struct {
	From       string     `json:"from" format:"date"`
	To         string     `json:"to" format:"date"`
	WithinDays int        `json:"within_days,omitempty"`
	AsOf       *time.Time `json:"as_of" doc:"time of the newest event in these numbers; null when there was none"`
}

func showSpan(s Span, asOf time.Time) journeyTime {
	return journeyTime{s.From.Format(time.DateOnly), s.To.Format(time.DateOnly), s.Days, fact.TimeOrNil(asOf)}
}

type conversionsInput struct {
	SpanInput
	By string `query:"by" enum:"campaign,channel,origin,touch" default:"campaign"`
}

type conversionView struct {
	Key       string        `json:"key"`
	Touches   int64         `json:"touches" doc:"whose days are over"`
	Converted int64         `json:"converted" doc:"that a net purchase of the customer followed within the days"`
	Rate      *journeyShare `json:"rate,omitempty" doc:"of touches"`
	Customers int64         `json:"customers"`
	Buyers    int64         `json:"buyers" doc:"customers who bought within the days of any of their touches"`
	BuyerRate *journeyShare `json:"buyer_rate,omitempty" doc:"of customers"`
	Open      int64         `json:"open" doc:"touches whose days are not over; they do not count yet"`
}

type conversionsAnswer struct {
	Time  journeyTime      `json:"time"`
	Items []conversionView `json:"items" nullable:"false"`
	Note  string           `json:"note"`
}

type attributionInput struct {
	SpanInput
	By       string `query:"by" enum:"campaign,channel,origin,touch" default:"campaign"`
	Currency string `query:"currency" pattern:"^[A-Z]{3}$" doc:"ISO 4217; left out: the reporting currency"`
}

type attributionView struct {
	Key         string `json:"key"`
	Touches     int64  `json:"touches" doc:"before purchases; one before two purchases counts twice"`
	Orders      int64  `json:"orders" doc:"with such a touch before them"`
	LastMinor   int64  `json:"last_touch_minor" doc:"all to the last touch"`
	FirstMinor  int64  `json:"first_touch_minor" doc:"all to the first touch"`
	LinearMinor int64  `json:"linear_minor" doc:"the same to each touch; what cannot be parted goes to the earlier ones"`
}

type attributionAnswer struct {
	Time            journeyTime       `json:"time"`
	Currency        string            `json:"currency"`
	Items           []attributionView `json:"items" nullable:"false"`
	Orders          int64             `json:"orders" doc:"net purchases of the time"`
	TouchedOrders   int64             `json:"touched_orders" doc:"with a touch in the days before them"`
	TotalMinor      int64             `json:"total_minor" doc:"of the orders, less what came back of them until now"`
	AttributedMinor int64             `json:"attributed_minor" doc:"each column of items adds up to it"`
	NotMinor        int64             `json:"not_attributed_minor"`
	Note            string            `json:"note"`
}

type effectInput struct {
	SpanInput
	Campaign string `query:"campaign" maxLength:"200" doc:"Touches of this campaign; it may have a control group: customers with a touch named control."`
	Channel  string `query:"channel" maxLength:"64" doc:"Touches by this channel."`
}

// journeyDifference is a difference of two rates with its uncertainty.
type journeyDifference struct {
	Touched journeyShare `json:"touched"`
	Others  journeyShare `json:"others" doc:"of the control group, or of comparable customers"`
	Value   float64      `json:"value" doc:"touched less others; of comparable customers each stratum weighs as many as were touched in it"`
	Low     float64      `json:"low" doc:"95 % interval (Newcombe, method 10; over strata by Zou and Donner)"`
	High    float64      `json:"high"`
}

type effectAnswer struct {
	Time        journeyTime        `json:"time"`
	Enough      bool               `json:"enough"`
	Why         string             `json:"why,omitempty" enum:"nobody_touched,nobody_comparable"`
	Comparison  string             `json:"comparison,omitempty" enum:"control_group,comparable_customers"`
	After       *journeyDifference `json:"after,omitempty" doc:"bought within the days after"`
	Before      *journeyDifference `json:"before,omitempty" doc:"bought within the days before: how they differed already"`
	Strata      int                `json:"strata" doc:"groups by how lately and on how many days customers had bought, within which they are compared"`
	NotMatched  int64              `json:"not_matched" doc:"touched customers to whom nobody untouched is comparable; they are left out"`
	Open        int64              `json:"open" doc:"touched customers whose days are not over; they are left out"`
	Sampled     bool               `json:"sampled" doc:"a random sample of 20,000 of a side was looked at"`
	ProvesCause bool               `json:"proves_cause" doc:"true only with a control group, if it was drawn at random"`
	Note        string             `json:"note"`
}

type sourcesInput struct {
	From     string `query:"from" format:"date" doc:"first UTC day on which opportunities were opened; left out: 90 days before the last one"`
	To       string `query:"to" format:"date" doc:"last UTC day, included; left out: today"`
	Currency string `query:"currency" pattern:"^[A-Z]{3}$" doc:"ISO 4217; left out: the reporting currency"`
}

type sourceView struct {
	Source       string        `json:"source" doc:"empty: none was named"`
	Opened       int64         `json:"opened"`
	Open         int64         `json:"open"`
	Won          int64         `json:"won"`
	Lost         int64         `json:"lost"`
	Withdrawn    int64         `json:"withdrawn"`
	WinRate      *journeyShare `json:"win_rate,omitempty" doc:"of those won or lost"`
	WonMinor     int64         `json:"won_minor"`
	WonElsewhere int64         `json:"won_in_other_currencies"`
	MedianDays   *float64      `json:"median_days_to_win,omitempty"`
}

type sourcesAnswer struct {
	Time     journeyTime  `json:"time"`
	Currency string       `json:"currency"`
	Items    []sourceView `json:"items" nullable:"false"`
}

const (
	noteAttribution = "Attribution says what came before a purchase, not what caused it."
	noteControl     = "The others are the campaign's stated control group. If it was drawn at random, the difference after is the effect of the campaign, within its interval."
	noteComparable  = "The others were not drawn at random: they are untouched customers who had bought about as lately and as often. The difference is no proof of an effect; it needs a random control group. Look at how they differed before."
)

func (j *Journey) campaignRoutes(api *httpx.API) {
	httpx.Register(api, reading("get-touch-conversions", "/v1/analytics/campaigns/conversions", "What touches of campaigns led to",
		"Touches of the time whose days are over, and those that a net purchase of the customer followed within the days. Control groups are left out."),
		func(ctx context.Context, in *conversionsInput) (*struct{ Body conversionsAnswer }, error) {
			s, err := in.span(j.now())
			if err != nil {
				return nil, err
			}
			all, asOf, err := j.Conversions(ctx, in.By, s)
			if err != nil {
				return nil, err
			}
			body := conversionsAnswer{Time: showSpan(s, asOf), Items: make([]conversionView, len(all)), Note: noteAttribution}
			for i, c := range all {
				body.Items[i] = conversionView{c.Key, c.Touches, c.Converted, shareOf(c.Converted, c.Touches), c.Customers, c.Buyers, shareOf(c.Buyers, c.Customers), c.Open}
			}
			return &struct{ Body conversionsAnswer }{body}, nil
		})
	httpx.Register(api, reading("get-attribution", "/v1/analytics/campaigns/attribution", "Revenue by the touches before it",
		"Net revenue of the net purchases of the time, put down to the customer's touches in the days before each by last touch, first touch and linear; each adds up to the attributed revenue exactly."),
		func(ctx context.Context, in *attributionInput) (*struct{ Body attributionAnswer }, error) {
			s, err := in.span(j.now())
			if err != nil {
				return nil, err
			}
			a, err := j.Attribute(ctx, in.Currency, in.By, s)
			if err != nil {
				return nil, err
			}
			body := attributionAnswer{
				Time: showSpan(s, a.AsOf), Currency: a.Currency, Items: make([]attributionView, len(a.Rows)), Orders: a.Orders, TouchedOrders: a.TouchedOrders,
				TotalMinor: a.TotalMinor, AttributedMinor: a.AttributedMinor, NotMinor: a.NotMinor, Note: noteAttribution,
			}
			for i, r := range a.Rows {
				body.Items[i] = attributionView(r)
			}
			return &struct{ Body attributionAnswer }{body}, nil
		})
	httpx.Register(api, reading("get-campaign-effect", "/v1/analytics/campaigns/effect", "How customers whom a campaign or a channel touched differ from others",
		"Customers by their first such touch of the time: whether they bought within the days after it, and within the days before it; beside the campaign's control group, or comparable customers who were not touched, around the day by which half of the touched were. "+
			"Without a random control group the difference is no proof."),
		func(ctx context.Context, in *effectInput) (*struct{ Body effectAnswer }, error) {
			body, err := j.answerEffect(ctx, in)
			return &struct{ Body effectAnswer }{body}, err
		})
	httpx.Register(api, reading("get-opportunity-sources", "/v1/analytics/opportunities/sources", "What became of opportunities, by their source", ""),
		func(ctx context.Context, in *sourcesInput) (*struct{ Body sourcesAnswer }, error) {
			s, err := SpanInput{From: in.From, To: in.To}.span(j.now())
			if err != nil {
				return nil, err
			}
			all, currency, asOf, err := j.Sources(ctx, in.Currency, s)
			if err != nil {
				return nil, err
			}
			body := sourcesAnswer{Time: showSpan(s, asOf), Currency: currency, Items: make([]sourceView, len(all))}
			for i, c := range all {
				body.Items[i] = sourceView{c.Source, c.Opened, c.Open, c.Won, c.Lost, c.Withdrawn, shareOf(c.Won, c.Won+c.Lost), c.WonMinor, c.WonOther, c.MedianDays}
			}
			return &struct{ Body sourcesAnswer }{body}, nil
		})
}

func (j *Journey) answerEffect(ctx context.Context, in *effectInput) (out effectAnswer, err error) {
	s, err := in.span(j.now())
	if err != nil {
		return out, err
	}
	if in.Campaign == "" && in.Channel == "" {
		return out, problem.New(problem.Unprocessable, "validation_failed", "Mend the query.").WithField("query.campaign", "required", "name a campaign, a channel, or both")
	}
	e, err := j.Effect(ctx, Treatment{in.Campaign, in.Channel}, s)
	if err != nil {
		return out, err
	}
	out = effectAnswer{Time: showSpan(s, e.AsOf), Open: e.Open, Sampled: e.Sampled, Note: noteComparable, Comparison: "comparable_customers"}
	if e.Controlled {
		out.Note, out.Comparison, out.ProvesCause = noteControl, "control_group", true
	}
	touched, others, leftOut := Matched(e.After)
	out.NotMatched = leftOut
	switch {
	case touched.Customers+leftOut == 0:
		out.Why, out.Comparison, out.ProvesCause = "nobody_touched", "", false
		return out, nil
	case others.Customers == 0:
		out.Why = "nobody_comparable"
		return out, nil
	}
	for _, stratum := range e.After {
		if stratum.comparable() {
			out.Strata++
		}
	}
	out.Enough = true
	out.After, out.Before = difference(e.After, touched, others), nil
	touched, others, _ = Matched(e.Before)
	out.Before = difference(e.Before, touched, others)
	return out, nil
}

func difference(strata []Stratum, touched, others Response) *journeyDifference {
	d := Standardised(strata)
	return &journeyDifference{*shareOf(touched.Responded, touched.Customers), *shareOf(others.Responded, others.Customers), d.Value, d.Low, d.High}
}
