package value

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

type valueCustomerInput struct {
	ID   uuid.UUID `path:"id" format:"uuid"`
	AsOf string    `query:"as_of" format:"date" doc:"UTC day; today when left out."`
}

// customerWorth is the value of one customer with its parts.
type customerWorth struct {
	CustomerID uuid.UUID      `json:"customer_id" format:"uuid" doc:"Of merged customers, the one who stands for all."`
	AsOf       string         `json:"as_of" format:"date"`
	Currency   string         `json:"currency" doc:"The reporting currency; all amounts are in its minor units."`
	Realised   realisedWorth  `json:"realised" doc:"−acquisition + Σ (revenue − cost)/(1+i)^t over whole months t since the customer was won."`
	Predicted  predictedWorth `json:"predicted" doc:"margin · expected spend/(1+tax) · discounted purchases."`
	Settings   ValueSettings  `json:"settings" doc:"By which it was reckoned."`
}

type realisedWorth struct {
	ValueMinor       int64   `json:"value_minor"`
	WonOn            string  `json:"won_on,omitempty" format:"date" doc:"Day of the first net purchase, else of the registration."`
	AcquisitionMinor int64   `json:"acquisition_minor"`
	RevenueMinor     int64   `json:"revenue_minor" doc:"Net of returns and tax; like the costs, not discounted."`
	GoodsMinor       int64   `json:"goods_minor" doc:"What is not margin of it."`
	ServiceMinor     int64   `json:"service_minor" doc:"Tickets."`
	RemediesMinor    int64   `json:"remedies_minor" doc:"Of complaints."`
	TouchesMinor     int64   `json:"touches_minor"`
	Months           []Month `json:"months" nullable:"false" doc:"The terms of the sum, those of nothing left out."`
}

type predictedWorth struct {
	ValueMinor          *int64   `json:"value_minor" doc:"null where it cannot be told."`
	Missing             string   `json:"missing,omitempty" enum:"no_purchase_model,no_purchase,no_spend_model,spend_model_of_another_currency,spend_without_mean" doc:"What it cannot be told for."`
	Models              string   `json:"models,omitempty" doc:"Versions of the models in use." example:"bgnbd/2+gamma-gamma/1"`
	Frequency           int64    `json:"frequency" doc:"Distinct purchase days after the first."`
	RecencyWeeks        float64  `json:"recency_weeks" doc:"From the first purchase to the last."`
	AgeWeeks            float64  `json:"age_weeks" doc:"From the first purchase to as_of."`
	MeanSpendMinor      int64    `json:"mean_spend_minor" doc:"Of the purchase days after the first."`
	PAlive              *float64 `json:"p_alive" doc:"How likely the customer still buys; null where it is not defined: by BG/NBD without a purchase day after the first."`
	ExpectedPurchases   *float64 `json:"expected_purchases" doc:"Purchase days within the horizon."`
	DiscountedPurchases *float64 `json:"discounted_purchases" doc:"Σ ΔE[Y(k·365.25/84)]/(1+i)^k over months k."`
	ExpectedSpendMinor  *float64 `json:"expected_spend_minor" doc:"Of a purchase day, tax included."`
}

func showWorth(w Worth) customerWorth {
	r, p := w.Realised, w.Predicted
	out := customerWorth{
		CustomerID: w.Customer, AsOf: w.AsOf.Format(time.DateOnly), Currency: w.Currency, Settings: showSettings(w.Settings).Body.ValueSettings,
		Realised: realisedWorth{
			r.Minor, "", r.AcquisitionMinor, r.RevenueMinor, r.GoodsMinor, r.ServiceMinor, r.RemediesMinor, r.TouchesMinor, append([]Month{}, r.Months...),
		},
		Predicted: predictedWorth{
			p.Minor, p.Why, w.Model, p.History.X, p.History.Recency, p.History.Age, p.SpendMinor, p.PAlive, p.Purchases, p.Discounted, p.ExpectedSpend,
		},
	}
	if !r.Begin.IsZero() {
		out.Realised.WonOn = r.Begin.Format(time.DateOnly)
	}
	return out
}

type valueSpreadInput struct {
	Value string `query:"value" enum:"predicted,realised" default:"predicted"`
}

// valueSpread is how a value is spread over customers.
type valueSpread struct {
	Value    string  `json:"value"`
	Currency string  `json:"currency"`
	Without  int64   `json:"without" doc:"Customers who have none."`
	Tenths   []Tenth `json:"tenths" nullable:"false" doc:"Tenths of the customers, by value; fewer where there are fewer customers."`
}

type equityInput struct {
	From string `query:"from" format:"date" doc:"UTC day; left out: from the first on."`
	To   string `query:"to" format:"date" doc:"UTC day, included; today when left out."`
	Per  string `query:"per" enum:"day,month" default:"month" doc:"month: its last row, moved by what moved all of it."`
}

// equityRow is customer equity on a day.
type equityRow struct {
	AsOf           string     `json:"as_of" format:"date"`
	Currency       string     `json:"currency"`
	Customers      int64      `json:"customers"`
	Buyers         int64      `json:"buyers"`
	Predicted      int64      `json:"predicted" doc:"Customers with a predicted value."`
	PredictedMinor int64      `json:"predicted_minor" doc:"Customer equity: the sum of predicted values."`
	RealisedMinor  int64      `json:"realised_minor" doc:"The sum of realised values."`
	NewMinor       *int64     `json:"new_minor" doc:"Of customers who had no predicted value before; like the three that follow null where the day was over when it was reckoned."`
	RaisedMinor    *int64     `json:"raised_minor" doc:"By which values rose."`
	LoweredMinor   *int64     `json:"lowered_minor" doc:"By which values fell."`
	GoneMinor      *int64     `json:"gone_minor" doc:"Of customers who have no predicted value any more."`
	PurchaseModel  *uuid.UUID `json:"purchase_model_id,omitempty" format:"uuid"`
	SpendModel     *uuid.UUID `json:"spend_model_id,omitempty" format:"uuid"`
	ReckonedAt     time.Time  `json:"reckoned_at"`
}

type equityBody struct {
	Items []equityRow `json:"items" nullable:"false" doc:"By day. predicted_minor is that of the row before + new + raised − lowered − gone, over the rows that have them."`
}

func showEquity(e Equity) equityRow {
	row := equityRow{
		AsOf: e.AsOf.Format(time.DateOnly), Currency: e.Currency, Customers: e.Customers, Buyers: e.Buyers, Predicted: e.Predicted, PredictedMinor: e.PredictedMinor,
		RealisedMinor: e.RealisedMinor, PurchaseModel: pg.OrNull(e.PurchaseModel), SpendModel: pg.OrNull(e.SpendModel), ReckonedAt: e.ReckonedAt,
	}
	if e.Moved {
		row.NewMinor, row.RaisedMinor, row.LoweredMinor, row.GoneMinor = &e.NewMinor, &e.RaisedMinor, &e.LoweredMinor, &e.GoneMinor
	}
	return row
}

func (v *Values) readRoutes(api *httpx.API) {
	read := func(id, path, summary, description string) httpx.Operation {
		return httpx.Operation{ID: id, Method: http.MethodGet, Path: path, Tag: tag, Summary: summary, Description: description, Permission: auth.AnalyticsRead}
	}
	httpx.Register(api, read("get-customer-value", "/v1/analytics/value/customers/{id}", "Explain what a customer was worth and will be",
		"Reckoned when it is asked for, by the models in use and the settings of now. What was and what is to come are two metrics."),
		func(ctx context.Context, in *valueCustomerInput) (*struct{ Body customerWorth }, error) {
			asOf, err := queryDay("as_of", in.AsOf, v.today())
			if err != nil {
				return nil, err
			}
			w, err := v.Customer(ctx, in.ID, asOf)
			if err != nil {
				return nil, err
			}
			return &struct{ Body customerWorth }{showWorth(w)}, nil
		})
	spread := read("get-value-distribution", "/v1/analytics/value/distribution", "How value is spread over customers", "As the last run left it.")
	spread.Timeout = 20 * time.Second
	httpx.Register(api, spread, func(ctx context.Context, in *valueSpreadInput) (*struct{ Body valueSpread }, error) {
		s, currency, err := v.Distribution(ctx, in.Value == "predicted")
		if err != nil {
			return nil, err
		}
		return &struct{ Body valueSpread }{valueSpread{in.Value, currency, s.Without, s.Tenths}}, nil
	})
	httpx.Register(api, read("get-customer-equity", "/v1/analytics/value/equity", "Customer equity over time, and what moved it", "One row for each day with a run, or the last of each month."),
		func(ctx context.Context, in *equityInput) (*struct{ Body equityBody }, error) {
			from, err := queryDay("from", in.From, time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC))
			if err != nil {
				return nil, err
			}
			to, err := queryDay("to", in.To, v.today())
			if err != nil {
				return nil, err
			}
			rows, err := v.Equity(ctx, from, to, in.Per == "month")
			if err != nil {
				return nil, err
			}
			out := equityBody{Items: make([]equityRow, len(rows))}
			for i, e := range rows {
				out.Items[i] = showEquity(e)
			}
			return &struct{ Body equityBody }{out}, nil
		})
}
