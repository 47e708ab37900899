package revenue

import (
	"context"
	"net/http"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
)

type monthsInput struct {
	Currency string `query:"currency" required:"true" pattern:"^[A-Z]{3}$" doc:"ISO 4217"`
	By       string `query:"by" enum:"month" default:"month" doc:"grain"`
	From     string `query:"from" pattern:"^[0-9]{4}-[0-9]{2}$" doc:"first month, such as 1997-01; the first there is when left out"`
	To       string `query:"to" pattern:"^[0-9]{4}-[0-9]{2}$" doc:"last month, included; the last there is when left out"`
}

type revenueOutput struct {
	Body struct {
		Currency string         `json:"currency"`
		Months   []revenueMonth `json:"months" doc:"UTC months with any business, oldest first"`
		Total    RevenueAmounts `json:"total"`
		AsOf     *time.Time     `json:"as_of" doc:"time of the newest event in these numbers; null when there was none"`
	}
}

type revenueMonth struct {
	Month string `json:"month" doc:"such as 1997-01"`
	RevenueAmounts
}

// RevenueAmounts is the business of some months; a return counts in the month in which it came back.
type RevenueAmounts struct {
	Orders        int64 `json:"orders"`
	Units         int64 `json:"units" doc:"sold"`
	GrossMinor    int64 `json:"gross_minor" doc:"minor units"`
	Returns       int64 `json:"returns"`
	ReturnedUnits int64 `json:"returned_units"`
	ReturnedMinor int64 `json:"returned_minor" doc:"minor units, positive"`
	NetMinor      int64 `json:"net_minor" doc:"gross less returned"`
}

// Routes adds the revenue reads.
func Routes(q *Queries) func(*httpx.API) {
	return func(api *httpx.API) {
		httpx.Register(api, httpx.Operation{
			ID: "get-revenue", Method: http.MethodGet, Path: "/v1/analytics/revenue",
			Summary: "Revenue by month", Tag: "revenue", Permission: auth.AnalyticsRead,
		}, func(ctx context.Context, in *monthsInput) (*revenueOutput, error) {
			from, to, err := in.span()
			if err != nil {
				return nil, err
			}
			months, asOf, err := q.Months(ctx, auth.Tenant(ctx), in.Currency, from, to)
			if err != nil {
				return nil, err
			}
			var out revenueOutput
			out.Body.Currency, out.Body.AsOf = in.Currency, fact.TimeOrNil(asOf)
			out.Body.Total = toAmounts(Total(months))
			out.Body.Months = make([]revenueMonth, len(months))
			for i, m := range months {
				out.Body.Months[i] = revenueMonth{Month: m.First.Format(monthLayout), RevenueAmounts: toAmounts(m)}
			}
			return &out, nil
		})
	}
}

const monthLayout = "2006-01"

// span gives the first days of the first and the last month.
func (in monthsInput) span() (from, to time.Time, err error) {
	from, to = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 1, 0, 0, 0, 0, time.UTC)
	invalid := problem.New(problem.Unprocessable, "invalid", "Mend the query.")
	if in.From != "" {
		if from, err = time.Parse(monthLayout, in.From); err != nil {
			return from, to, invalid.WithField("query.from", "month", "is not a month of the form 2006-01")
		}
	}
	if in.To != "" {
		if to, err = time.Parse(monthLayout, in.To); err != nil {
			return from, to, invalid.WithField("query.to", "month", "is not a month of the form 2006-01")
		}
	}
	if to.Before(from) {
		return from, to, invalid.WithField("query.to", "out_of_range", "lies before from")
	}
	return from, to, nil
}

func toAmounts(m Month) RevenueAmounts {
	return RevenueAmounts{
		Orders: m.Orders, Units: m.Units, GrossMinor: m.GrossMinor,
		Returns: m.Returns, ReturnedUnits: m.ReturnedUnits, ReturnedMinor: m.ReturnedMinor, NetMinor: m.NetMinor(),
	}
}
