package matrix

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
)

// GrowthPeriod is the period whose revenue is put into the matrix.
type GrowthPeriod struct {
	Currency string `query:"currency" required:"true" pattern:"^[A-Z]{3}$" doc:"ISO 4217"`
	From     string `query:"from" required:"true" format:"date" doc:"UTC day: what was bought and sold before it is old"`
	To       string `query:"to" required:"true" format:"date" doc:"UTC day, included"`
}

// longest is the longest period, in days.
const longest = 3660

func (in GrowthPeriod) period() (p Period, err error) {
	p.Currency = in.Currency
	if p.From, err = time.Parse(time.DateOnly, in.From); err != nil {
		return p, badDay("from")
	}
	if p.To, err = time.Parse(time.DateOnly, in.To); err != nil {
		return p, badDay("to")
	}
	invalid := problem.New(problem.Unprocessable, "invalid", "Mend the query.")
	if p.To.Before(p.From) {
		return p, invalid.WithField("query.to", "out_of_range", "lies before from")
	}
	if p.To.Sub(p.From) > longest*24*time.Hour {
		return p, invalid.WithField("query.to", "out_of_range", "must be at most ten years after from")
	}
	return p, nil
}

type growthAnswer struct {
	Body struct {
		Enough               bool         `json:"enough" doc:"whether anything was sold in the period"`
		Why                  string       `json:"why,omitempty" enum:"no_orders" doc:"why there is not enough"`
		Currency             string       `json:"currency"`
		From                 string       `json:"from" format:"date"`
		To                   string       `json:"to" format:"date"`
		PreviousFrom         string       `json:"previous_from" format:"date" doc:"the period before, of the same length, that growth is against"`
		PreviousTo           string       `json:"previous_to" format:"date"`
		FactsAsOf            *time.Time   `json:"facts_as_of" doc:"time of the newest event in these numbers; null when there was none"`
		Orders               int64        `json:"orders" doc:"sample size"`
		RevenueMinor         int64        `json:"revenue_minor" doc:"sold, before returns: the cells and the two that are unknown come to it exactly"`
		PreviousMinor        int64        `json:"previous_minor"`
		Growth               *float64     `json:"growth,omitempty" doc:"revenue against that of the period before, less 1; absent where that had none"`
		UnknownCustomerMinor int64        `json:"unknown_customer_minor" doc:"of orders whose customer is not known"`
		UnknownProductMinor  int64        `json:"unknown_product_minor" doc:"of lines that name no product"`
		PreviousUnknownMinor int64        `json:"previous_unknown_minor" doc:"both, of the period before"`
		Cells                []growthCell `json:"cells" nullable:"false"`
	}
}

type growthCell struct {
	Customer      string   `json:"customer" enum:"old,new" doc:"old: with a net purchase before the period"`
	Product       string   `json:"product" enum:"old,new" doc:"old: sold by us before the period"`
	Name          string   `json:"name" enum:"loyalty,expansion,acquisition,diversification"`
	Customers     int64    `json:"customers"`
	RevenueMinor  int64    `json:"revenue_minor"`
	PreviousMinor int64    `json:"previous_minor" doc:"of the period before, in which others were old"`
	Growth        *float64 `json:"growth,omitempty" doc:"absent where the period before had none"`
}

type growthCustomersInput struct {
	httpx.Page
	GrowthPeriod
	Customer string `query:"customer" required:"true" enum:"old,new"`
	Product  string `query:"product" required:"true" enum:"old,new"`
}

type growthCustomersAnswer struct{ Body growthCustomersPage }

type growthCustomersPage struct {
	Items      []growthCustomerView `json:"items" nullable:"false"`
	NextCursor string               `json:"next_cursor,omitempty"`
}

type growthCustomerView struct {
	CustomerID   uuid.UUID `json:"customer_id" format:"uuid" doc:"of merged customers, the one who stands for all"`
	RevenueMinor int64     `json:"revenue_minor" doc:"in this cell"`
}

func (m *Matrices) growthRoutes(api *httpx.API) {
	httpx.Register(api, read("get-growth-matrix", path+"/growth", "The revenue of a period by old and new customers and products"),
		func(ctx context.Context, in *GrowthPeriod) (*growthAnswer, error) {
			p, err := in.period()
			if err != nil {
				return nil, err
			}
			g, err := m.Growth(ctx, p)
			if err != nil {
				return nil, err
			}
			return showGrowth(g, p), nil
		})
	httpx.Register(api, read("list-growth-matrix-customers", path+"/growth/customers", "List the customers of a cell of growth with what they bought in it"),
		func(ctx context.Context, in *growthCustomersInput) (*growthCustomersAnswer, error) {
			p, err := in.period()
			if err != nil {
				return nil, err
			}
			items, next, err := httpx.PageByID(in.Page, func(after uuid.UUID, limit int) ([]GrowthCustomer, error) {
				return m.GrowthCustomers(ctx, p, in.Customer == "old", in.Product == "old", after, limit)
			}, func(c GrowthCustomer) uuid.UUID { return c.CustomerID }, func(c GrowthCustomer) growthCustomerView { return growthCustomerView(c) })
			return &growthCustomersAnswer{growthCustomersPage{items, next}}, err
		})
}

func showGrowth(g GrowthMatrix, p Period) *growthAnswer {
	var out growthAnswer
	b := &out.Body
	if b.Enough = g.Orders > 0; !b.Enough {
		b.Why = "no_orders"
	}
	b.Currency, b.From, b.To = p.Currency, p.From.Format(time.DateOnly), p.To.Format(time.DateOnly)
	b.PreviousFrom, b.PreviousTo, b.FactsAsOf = g.PreviousFrom.Format(time.DateOnly), g.PreviousTo.Format(time.DateOnly), fact.TimeOrNil(g.FactsAsOf)
	b.Orders, b.RevenueMinor, b.PreviousMinor, b.Growth = g.Orders, g.RevenueMinor, g.PreviousMinor, grown(g.RevenueMinor, g.PreviousMinor)
	b.UnknownCustomerMinor, b.UnknownProductMinor, b.PreviousUnknownMinor = g.UnknownCustomerMinor, g.UnknownProductMinor, g.PreviousUnknownCustomer+g.PreviousUnknownProduct
	age := map[bool]string{true: "old", false: "new"}
	for _, c := range g.Cells {
		b.Cells = append(b.Cells, growthCell{
			age[c.OldCustomer], age[c.OldProduct], Growth(c.OldCustomer, c.OldProduct), c.Customers, c.RevenueMinor, c.PreviousMinor, grown(c.RevenueMinor, c.PreviousMinor),
		})
	}
	return &out
}

// grown is the growth from before to now; nil where there was nothing.
func grown(now, before int64) *float64 {
	if before == 0 {
		return nil
	}
	g := rounded(float64(now)/float64(before) - 1)
	return &g
}
