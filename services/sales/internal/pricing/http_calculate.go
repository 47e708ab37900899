package pricing

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
)

type calculateInput struct{ Body priceBasket }

// priceBasket is a basket as the API takes it. It has nothing of the customer but the id, by which published benefits are found.
type priceBasket struct {
	Currency   string            `json:"currency" doc:"ISO 4217." example:"CNY"`
	PriceList  string            `json:"price_list,omitempty" maxLength:"64" doc:"Code; left out: the list of the currency that is valid at the time, of several the one whose validity began last."`
	Channel    string            `json:"channel,omitempty" maxLength:"64" example:"shop"`
	CustomerID *uuid.UUID        `json:"customer_id,omitempty" format:"uuid" doc:"Whose published benefits count; left out: nobody's."`
	At         *time.Time        `json:"at,omitempty" doc:"By the prices and rules of when; left out: now."`
	Lines      []priceBasketLine `json:"lines" nullable:"false" minItems:"1" maxItems:"1000"`
}

type priceBasketLine struct {
	SKU      string `json:"sku" maxLength:"64" example:"COLA"`
	Quantity int64  `json:"quantity" minimum:"1" example:"3"`
}

type pricedAnswer struct{ Body pricedBasket }

// pricedBasket is what a basket costs.
type pricedBasket struct {
	Currency      string       `json:"currency"`
	PriceList     string       `json:"price_list" doc:"Code of the list that was used."`
	At            time.Time    `json:"at"`
	Benefits      []string     `json:"benefits" nullable:"false" doc:"Codes of the published benefits that the customer has."`
	Lines         []pricedItem `json:"lines" nullable:"false"`
	ListMinor     int64        `json:"list_minor" doc:"Of all lines by the price list, in minor units."`
	DiscountMinor int64        `json:"discount_minor" doc:"What the rules take off."`
	TotalMinor    int64        `json:"total_minor" doc:"What is left: the sum of the lines' amounts."`
}

type pricedItem struct {
	SKU          string           `json:"sku"`
	Name         string           `json:"name"`
	Quantity     int64            `json:"quantity"`
	UnitMinor    int64            `json:"unit_minor" doc:"Of each unit, by the price list."`
	FromQuantity int64            `json:"from_quantity" doc:"From which quantity on this price of a unit holds."`
	ListMinor    int64            `json:"list_minor" doc:"unit_minor times quantity."`
	Discounts    []pricedDiscount `json:"discounts" nullable:"false" doc:"In the order in which they were taken off."`
	AmountMinor  int64            `json:"amount_minor" doc:"list_minor less the discounts, never below 0."`
}

type pricedDiscount struct {
	Rule        string `json:"rule" doc:"Code of the price rule."`
	Scope       Scope  `json:"scope" doc:"basket: this line's share of what is taken off the whole basket."`
	AmountMinor int64  `json:"amount_minor"`
	Words       string `json:"words" doc:"For people." example:"Autumn sale: 10 % off the line (1.80 CNY)"`
}

func (p *Pricing) calculateRoute(api *httpx.API, tag string) {
	httpx.Register(api, httpx.Operation{
		ID: "calculate-prices", Method: http.MethodPost, Path: "/v1/prices/calculate", Tag: tag, Summary: "Say what a basket costs, and why",
		Description: "Nothing is kept.", Permission: auth.CatalogueRead, Status: http.StatusOK, Errors: []int{http.StatusGone},
	}, func(ctx context.Context, in *calculateInput) (*pricedAnswer, error) {
		b := Basket{Currency: in.Body.Currency, PriceList: in.Body.PriceList, Channel: in.Body.Channel, At: moment(in.Body.At)}
		if in.Body.CustomerID != nil {
			b.CustomerID = *in.Body.CustomerID
		}
		for _, l := range in.Body.Lines {
			b.Lines = append(b.Lines, BasketLine(l))
		}
		priced, err := p.Calculate(ctx, b)
		if err != nil {
			return nil, err
		}
		return &pricedAnswer{showPriced(priced)}, nil
	})
}

func showPriced(p Priced) pricedBasket {
	v := pricedBasket{Currency: p.Currency, PriceList: p.PriceList, At: p.At.UTC(), Benefits: list(p.Benefits), Lines: make([]pricedItem, len(p.Lines)),
		ListMinor: p.ListMinor, DiscountMinor: p.DiscountMinor, TotalMinor: p.TotalMinor}
	for i, l := range p.Lines {
		item := pricedItem{SKU: l.SKU, Name: l.Name, Quantity: l.Quantity, UnitMinor: l.UnitMinor, FromQuantity: l.FromQuantity,
			ListMinor: l.ListMinor, AmountMinor: l.AmountMinor, Discounts: make([]pricedDiscount, len(l.Discounts))}
		for n, d := range l.Discounts {
			item.Discounts[n] = pricedDiscount{d.Rule, d.Scope, d.AmountMinor, d.Words}
		}
		v.Lines[i] = item
	}
	return v
}
