package quote

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/catalogue"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pricing"
)

// channel is the code under which price rules and orders know what is sold by quotes.
const channel = "quote"

// write makes a version of an offer, with the prices of this moment.
func (s *Quotes) write(ctx context.Context, tx *pg.Tx, customer uuid.UUID, o Offer, p Policy, at time.Time) (Written, error) {
	o, end, wrong := o.Normalise(p, at)
	if len(wrong) > 0 {
		return Written{}, invalid(wrong)
	}
	prices, wrong, err := s.prices(ctx, tx, customer, &o, at)
	if err != nil {
		return Written{}, err
	}
	if len(wrong) > 0 {
		return Written{}, invalid(wrong)
	}
	w, wrong := o.AddUp(prices, end)
	if len(wrong) > 0 {
		return Written{}, invalid(wrong)
	}
	return w, nil
}

// prices gives what catalogue and price rules say of the lines that name articles, by their places, and fills in the articles'
// names and the price list. An article whose price was typed may have none in the price list; a list that somebody names must
// be one of the currency.
func (s *Quotes) prices(ctx context.Context, tx *pg.Tx, customer uuid.UUID, o *Offer, at time.Time) (map[int]Price, []problem.Field, error) {
	var places []int
	var skus []string
	for i, l := range o.Lines {
		if l.SKU != "" {
			places, skus = append(places, i), append(skus, l.SKU)
		}
	}
	products := catalogue.Find(tx, skus)
	if err := tx.Flush(ctx); err != nil {
		return nil, nil, err
	}
	var f faults
	for _, i := range places {
		product, there := (*products)[o.Lines[i].SKU]
		switch {
		case !there:
			f.add(fmt.Sprintf("lines[%d].sku", i), "sku_unknown", "is no product")
		case product.Archived:
			f.add(fmt.Sprintf("lines[%d].sku", i), "sku_archived", "is a product that is sold no more")
		case o.Lines[i].Text == "":
			o.Lines[i].Text = product.Name
		}
	}
	if len(f) > 0 || len(places) == 0 {
		return nil, f, nil
	}
	return s.listed(ctx, tx, customer, o, places, at)
}

// listed asks for the prices of the lines at the places; those whose price was typed are left out where the list does not have
// them.
func (s *Quotes) listed(ctx context.Context, tx *pg.Tx, customer uuid.UUID, o *Offer, places []int, at time.Time) (map[int]Price, []problem.Field, error) {
	for {
		basket := pricing.Basket{Currency: o.Currency, PriceList: o.PriceList, Channel: channel, CustomerID: customer, At: at}
		for _, i := range places {
			basket.Lines = append(basket.Lines, pricing.BasketLine{SKU: o.Lines[i].SKU, Quantity: o.Lines[i].Quantity})
		}
		priced, wrong, err := s.pricing.Price(ctx, tx, basket)
		if err != nil {
			return nil, nil, err
		}
		if len(wrong) == 0 {
			o.PriceList = priced.PriceList
			return found(priced, places), nil, nil
		}
		left, wrong := unlisted(*o, places, wrong)
		if len(wrong) > 0 || len(left) == 0 {
			return nil, wrong, nil
		}
		places = left
	}
}

func found(p pricing.Priced, places []int) map[int]Price {
	prices := make(map[int]Price, len(places))
	for n, l := range p.Lines {
		price := Price{UnitMinor: l.UnitMinor, AmountMinor: l.ListMinor, NetMinor: l.AmountMinor}
		for _, d := range l.Discounts {
			price.Rules = append(price.Rules, RuleDiscount{Code: d.Rule, Words: d.Words, AmountMinor: d.AmountMinor})
		}
		prices[places[n]] = price
	}
	return prices
}

// unlisted gives the places of the lines that the price list has, and what is wrong with an offer, by its own lines: a price that
// is missing is not where one was typed.
func unlisted(o Offer, places []int, wrong []problem.Field) (left []int, f faults) {
	without := map[int]bool{}
	for _, w := range wrong {
		index, field, ok := strings.Cut(strings.TrimPrefix(w.Location, "lines["), "].")
		n, err := strconv.Atoi(index)
		if !ok || err != nil || n < 0 || n >= len(places) {
			if w.Code == "price_list_missing" && allTyped(o, places) {
				return nil, nil
			}
			f.add(w.Location, w.Code, "%s", w.Message)
			continue
		}
		i := places[n]
		if w.Code == "price_missing" && o.Lines[i].UnitPrice != nil {
			without[i] = true
			continue
		}
		f.add(fmt.Sprintf("lines[%d].%s", i, field), w.Code, "%s", w.Message)
	}
	for _, i := range places {
		if !without[i] {
			left = append(left, i)
		}
	}
	return left, f
}

func allTyped(o Offer, places []int) bool {
	for _, i := range places {
		if o.Lines[i].UnitPrice == nil {
			return false
		}
	}
	return true
}
