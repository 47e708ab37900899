package fact

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

type factsSummaryOutput struct {
	Body struct {
		Customers int64             `json:"customers"`
		Revenue   []CurrencyRevenue `json:"revenue" doc:"by currency"`
		AsOf      *time.Time        `json:"as_of" doc:"time of the newest event in these numbers; null when there was none"`
	}
}

// CurrencyRevenue is the business done in one currency, in its minor units.
type CurrencyRevenue struct {
	Currency      string `json:"currency" doc:"ISO 4217"`
	Orders        int64  `json:"orders"`
	Units         int64  `json:"units" doc:"less those that came back"`
	GrossMinor    int64  `json:"gross_minor" doc:"minor units"`
	ReturnedMinor int64  `json:"returned_minor" doc:"minor units, positive"`
	NetMinor      int64  `json:"net_minor" doc:"gross less returned"`
}

type customerInput struct {
	ID uuid.UUID `path:"id"`
}

type customerFactsOutput struct {
	Body struct {
		CustomerID uuid.UUID         `json:"customer_id" doc:"whom the id means, after merges"`
		Known      bool              `json:"known" doc:"accounts has spoken of the customer"`
		Revenue    []customerRevenue `json:"revenue" doc:"by currency"`
		AsOf       *time.Time        `json:"as_of" doc:"time of the newest event in these numbers"`
	}
}

type customerRevenue struct {
	CurrencyRevenue
	FirstPlacedAt time.Time `json:"first_placed_at"`
	LastPlacedAt  time.Time `json:"last_placed_at"`
}

// Routes adds the facts' reads.
func Routes(q *Queries) func(*httpx.API) {
	return func(api *httpx.API) {
		httpx.Register(api, httpx.Operation{
			ID: "get-facts-summary", Method: http.MethodGet, Path: "/v1/analytics/facts/summary",
			Summary: "Customers, orders, units and revenue of the tenant", Tag: "facts", Permission: auth.AnalyticsRead,
		}, func(ctx context.Context, _ *struct{}) (*factsSummaryOutput, error) {
			s, err := q.Summary(ctx, auth.Tenant(ctx))
			if err != nil {
				return nil, err
			}
			var out factsSummaryOutput
			out.Body.Customers, out.Body.AsOf = s.Customers, TimeOrNil(s.AsOf)
			out.Body.Revenue = make([]CurrencyRevenue, len(s.Revenue))
			for i, r := range s.Revenue {
				out.Body.Revenue[i] = toBody(r)
			}
			return &out, nil
		})
		httpx.Register(api, httpx.Operation{
			ID: "get-customer-facts", Method: http.MethodGet, Path: "/v1/analytics/facts/customers/{id}",
			Summary: "What one customer bought", Tag: "facts", Permission: auth.AnalyticsRead, Errors: []int{http.StatusNotFound, http.StatusGone},
		}, func(ctx context.Context, in *customerInput) (*customerFactsOutput, error) {
			c, err := q.Customer(ctx, auth.Tenant(ctx), in.ID)
			if err != nil {
				return nil, err
			}
			var out customerFactsOutput
			out.Body.CustomerID, out.Body.Known, out.Body.AsOf = c.CustomerID, c.Known, TimeOrNil(c.AsOf)
			out.Body.Revenue = make([]customerRevenue, len(c.Revenue))
			for i, r := range c.Revenue {
				out.Body.Revenue[i] = customerRevenue{
					CurrencyRevenue: toBody(Revenue{Currency: r.Currency, Orders: r.Orders, Units: r.Units, GrossMinor: r.GrossMinor, ReturnedMinor: r.ReturnedMinor}),
					FirstPlacedAt:   r.FirstPlacedAt.UTC(), LastPlacedAt: r.LastPlacedAt.UTC(),
				}
			}
			return &out, nil
		})
	}
}

func toBody(r Revenue) CurrencyRevenue {
	return CurrencyRevenue{
		Currency: r.Currency, Orders: r.Orders, Units: r.Units,
		GrossMinor: r.GrossMinor, ReturnedMinor: r.ReturnedMinor, NetMinor: r.NetMinor(),
	}
}

// TimeOrNil is how an "as of" is answered: null before the first event.
func TimeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
