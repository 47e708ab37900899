package quote

import (
	"context"
	"net/http"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/businesstime"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

// quotePolicy is a policy as the API takes and shows it.
type quotePolicy struct {
	DiscountUpTo int32                       `json:"discount_up_to" doc:"What a seller grants by themselves at most, in hundredths of a percent." example:"1000"`
	AmountsUpTo  map[string]int64            `json:"amounts_up_to,omitempty" doc:"What the customer pays at most for that, by currency, in minor units. None: any amount; otherwise nothing in another currency." example:"{\"CNY\": 10000000}"`
	Levels       []quoteLevel                `json:"levels" nullable:"false" maxItems:"20" doc:"Who is asked beyond that, the lowest level first."`
	Silence      Silence                     `json:"silence" enum:"reject,ask_again" doc:"What becomes of it where the last level is silent."`
	Twice        bool                        `json:"approve_twice,omitempty" doc:"Whether one person may approve on two levels."`
	TimeZone     string                      `json:"time_zone" maxLength:"64" example:"Asia/Shanghai"`
	WorkingHours businesstime.CalendarWeek   `json:"working_hours" doc:"In that time zone."`
	Years        []businesstime.CalendarYear `json:"years,omitempty" nullable:"false" maxItems:"50" doc:"Holidays and openings."`
	ValidityDays int                         `json:"validity_days" doc:"Of a quote that names no last day." example:"30"`
	Issuer       string                      `json:"issuer,omitempty" maxLength:"1000" doc:"Who quotes, as it stands on the paper."`
	Language     Language                    `json:"language" enum:"en,zh" doc:"Of the paper's own words."`
}

type quoteLevel struct {
	Code          string           `json:"code" maxLength:"64" example:"manager"`
	Name          string           `json:"name" maxLength:"200" example:"Manager"`
	DiscountUpTo  int32            `json:"discount_up_to" example:"2500"`
	AmountsUpTo   map[string]int64 `json:"amounts_up_to,omitempty"`
	Approvers     []string         `json:"approvers,omitempty" nullable:"false" maxItems:"100" doc:"Subjects, each of whom needs quotes.approve; none: anybody who has it."`
	AnswerSeconds int64            `json:"answer_seconds" doc:"The time to answer; then the next level is asked." example:"28800"`
	Working       bool             `json:"working,omitempty" doc:"Whether that is time within the working hours."`
}

type quotePolicyAnswer struct {
	ETag string `header:"ETag"`
	Body quotePolicy
}

type setQuotePolicy struct {
	IfMatch string `header:"If-Match" doc:"The ETag of the policy as it was read."`
	Body    quotePolicy
}

func (b quotePolicy) policy() Policy {
	p := Policy{Own: Limits{b.DiscountUpTo, b.AmountsUpTo}, Silence: b.Silence, Twice: b.Twice, TimeZone: b.TimeZone,
		Hours: businesstime.ReadHours(b.WorkingHours, b.Years), ValidityDays: b.ValidityDays, Issuer: b.Issuer, Language: b.Language}
	for _, l := range b.Levels {
		within := time.Duration(max(-1, min(l.AnswerSeconds, int64(2*mostTime/time.Second)))) * time.Second
		p.Levels = append(p.Levels, Level{Code: l.Code, Name: l.Name, Limits: Limits{l.DiscountUpTo, l.AmountsUpTo}, Approvers: l.Approvers, Within: within, Working: l.Working})
	}
	return p
}

func answeredPolicy(p Policy, err error) (*quotePolicyAnswer, error) {
	if err != nil {
		return nil, err
	}
	b := quotePolicy{DiscountUpTo: p.Own.Discount, AmountsUpTo: p.Own.Amounts, Levels: make([]quoteLevel, len(p.Levels)), Silence: p.Silence, Twice: p.Twice,
		TimeZone: p.TimeZone, WorkingHours: businesstime.ShowWeek(p.Hours.Week), Years: businesstime.ShowYears(p.Hours.Years), ValidityDays: p.ValidityDays,
		Issuer: p.Issuer, Language: p.Language}
	for i, l := range p.Levels {
		b.Levels[i] = quoteLevel{l.Code, l.Name, l.Limits.Discount, l.Limits.Amounts, l.Approvers, int64(l.Within / time.Second), l.Working}
	}
	return &quotePolicyAnswer{ETag: httpx.ETag(p.Version), Body: b}, nil
}

func (s *Quotes) policyRoutes(api *httpx.API) {
	const path = "/v1/quote-policy"
	httpx.Register(api, httpx.Operation{
		ID: "get-quote-policy", Method: http.MethodGet, Path: path, Tag: tagQuotes, Summary: "Read who has to approve what", Permission: auth.SalesRead,
	}, func(ctx context.Context, _ *struct{}) (*quotePolicyAnswer, error) {
		return answeredPolicy(s.Policy(ctx))
	})
	httpx.Register(api, httpx.Operation{
		ID: "set-quote-policy", Method: http.MethodPut, Path: path, Tag: tagQuotes, Summary: "Set who has to approve what",
		Description: "What was submitted before goes on by the policy of then.",
		Permission:  auth.SalesConfigure, Errors: []int{http.StatusPreconditionFailed, http.StatusPreconditionRequired},
	}, func(ctx context.Context, in *setQuotePolicy) (*quotePolicyAnswer, error) {
		return answeredPolicy(s.SetPolicy(ctx, in.Body.policy(), func(version int64) error { return httpx.IfMatch(in.IfMatch, version) }))
	})
}
