package pricing

import (
	"context"
	"fmt"
	"math/bits"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/catalogue"
)

// Price says what a basket costs by the prices, rules and benefits of the transaction's tenant, or names what is wrong with the
// basket, by its place in the JSON of it: lines[2].sku. It writes nothing and takes two round trips.
func (p *Pricing) Price(ctx context.Context, tx *pg.Tx, b Basket) (Priced, []problem.Field, error) {
	if b.At.IsZero() {
		b.At = p.now()
	}
	if f := b.faults(); len(f) > 0 {
		return Priced{}, f, nil
	}
	skus := make([]string, len(b.Lines))
	for i, l := range b.Lines {
		skus[i] = l.SKU
	}
	products, list := catalogue.Find(tx, skus), catalogue.FindList(tx, b.PriceList, b.Currency, b.At)
	rules, benefits, tier := rulesAt(tx, b.At, b.Currency), publishedAt(tx, b.At), tierOf(tx, b.CustomerID)
	if err := tx.Flush(ctx); err != nil {
		return Priced{}, nil, err
	}
	prices := catalogue.FindPrices(tx, list.Code, skus)
	if err := tx.Flush(ctx); err != nil {
		return Priced{}, nil, err
	}
	if f := b.listFaults(*list); len(f) > 0 {
		return Priced{}, f, nil
	}
	priced, f := b.atList(*list, *products, *prices)
	if len(f) > 0 {
		return Priced{}, f, nil
	}
	for _, benefit := range *benefits {
		if benefit.heldBy(*tier) {
			priced.Benefits = append(priced.Benefits, benefit.Code)
		}
	}
	priced.reduce(*rules, ask(priced, b.Channel).fits)
	return priced, nil, nil
}

// faults names what is wrong with the basket by itself.
func (b Basket) faults() (f faults) {
	if _, ok := money.Digits(b.Currency); !ok {
		f.add("currency", "currency_unknown", "must be an ISO 4217 currency code, such as CNY")
	}
	if len(b.Lines) < 1 || len(b.Lines) > maxLines {
		f.add("lines", "lines_out_of_range", fmt.Sprintf("must be 1 to %d", maxLines))
	}
	if len(b.Channel) > 0 && !words(b.Channel, longCode) {
		f.add("channel", "channel_malformed", "must be a code of at most 64 characters")
	}
	return f
}

// listFaults names what is wrong with the price list that was found for the basket.
func (b Basket) listFaults(l catalogue.PriceList) (f faults) {
	switch {
	case l.Version == 0 && b.PriceList == "":
		f.add("price_list", "price_list_missing", "must be given: no price list of this currency is valid at that time")
	case l.Version == 0:
		f.add("price_list", "price_list_unknown", "is no price list")
	case l.Currency != b.Currency:
		f.add("currency", "currency_differs", "must be the price list's: "+l.Currency)
	case !l.ValidAt(b.At):
		f.add("price_list", "price_list_not_valid", "is not valid at that time")
	}
	return f
}

// atList gives what the basket costs by the list, before any rule.
func (b Basket) atList(l catalogue.PriceList, products map[string]catalogue.Product, prices map[string]catalogue.Price) (Priced, faults) {
	var (
		f            faults
		minor, units int64
		p            = Priced{Currency: l.Currency, PriceList: l.Code, At: b.At, Lines: make([]PricedLine, 0, len(b.Lines))}
		tooLarge     = fmt.Sprintf("must be small enough that all lines together come to at most %d", money.Max)
	)
	for i, line := range b.Lines {
		at := fmt.Sprintf("lines[%d].", i)
		product, there := products[line.SKU]
		price, priced := prices[line.SKU]
		switch {
		case !there:
			f.add(at+"sku", "sku_unknown", "is no product")
		case product.Archived:
			f.add(at+"sku", "sku_archived", "is a product that is sold no more")
		case !priced:
			f.add(at+"sku", "price_missing", "has no price in the list "+l.Code)
		}
		if line.Quantity < 1 || line.Quantity > money.Max {
			f.add(at+"quantity", "quantity_out_of_range", "must be more than 0")
		}
		if len(f) > 0 {
			continue
		}
		unit, from := price.For(line.Quantity)
		amount, ok := times(unit, line.Quantity)
		if minor, ok = added(minor, amount, ok); ok {
			units, ok = money.Add(units, line.Quantity)
		}
		if !ok {
			f.add(at+"quantity", "amount_too_large", tooLarge)
			return p, f
		}
		p.Lines = append(p.Lines, PricedLine{SKU: line.SKU, Name: product.Name, Category: product.Category, Path: product.Path,
			Quantity: line.Quantity, UnitMinor: unit, FromQuantity: from, ListMinor: amount, AmountMinor: amount})
	}
	return p, f
}

// times multiplies amounts of at most money.Max; ok is false where the product is larger.
func times(a, b int64) (product int64, ok bool) {
	high, low := bits.Mul64(uint64(a), uint64(b))
	if high > 0 || low > uint64(money.Max) {
		return 0, false
	}
	return int64(low), true
}

// added is money.Add of an amount that is only good where ok.
func added(sum, amount int64, ok bool) (int64, bool) {
	if !ok {
		return sum, false
	}
	return money.Add(sum, amount)
}
