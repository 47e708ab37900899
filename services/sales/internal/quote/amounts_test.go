package quote_test

import (
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/quote"
)

// thursday is when the tests begin: 9:30 in London, 17:30 in Shanghai.
var thursday = time.Date(2026, 11, 26, 9, 30, 0, 0, time.UTC)

func of[T any](v T) *T { return &v }

func codes(faults []problem.Field) (found []string) {
	for _, f := range faults {
		found = append(found, f.Location+" "+f.Code)
	}
	return found
}

// write checks an offer and adds it up.
func write(o quote.Offer, prices map[int]quote.Price) (quote.Written, []problem.Field) {
	o, end, faults := o.Normalise(quote.StandardPolicy(), thursday)
	if len(faults) > 0 {
		return quote.Written{}, faults
	}
	return o.AddUp(prices, end)
}

// kitchen is an oven and two days of fitting it, for 26,000.00.
func kitchen() quote.Offer {
	return quote.Offer{Content: quote.Content{Currency: "CNY"}, Lines: []quote.OfferLine{
		{SKU: "OVEN", Quantity: 1, UnitPrice: of[int64](2_000_000)}, {Text: "Fitting, a day", Quantity: 2, UnitPrice: of[int64](300_000)},
	}}
}

func TestAmountsAreExact(t *testing.T) {
	t.Parallel()
	o := kitchen()
	o.Lines[0].Discount, o.Lines[0].Tax = quote.Discount{Rate: 1250}, quote.Tax{Rate: of[int32](1300)}
	o.Lines[1].Discount, o.Lines[1].Tax = quote.Discount{AmountMinor: 100_001}, quote.Tax{AmountMinor: of[int64](30_000)}
	o.Discount = quote.Discount{Rate: 333}
	w, faults := write(o, nil)
	require.Empty(t, faults)
	// 2,000,000 - 250,000 and 600,000 - 100,001 are 2,249,999 of which 3.33 % are 74,924.9667; of its 74,925 the oven has
	// 58,275.0259 and the fitting 16,649.9741, whose part lost more.
	oven, fitting := w.Lines[0], w.Lines[1]
	require.Equal(t, []int64{2_000_000, 250_000, 58_275, 1_691_725, 219_924, 1_911_649},
		[]int64{oven.AmountMinor, oven.DiscountMinor, oven.SharedMinor, oven.NetMinor, oven.TaxMinor, oven.GrossMinor})
	require.Equal(t, []int64{600_000, 100_001, 16_650, 483_349, 30_000, 513_349},
		[]int64{fitting.AmountMinor, fitting.DiscountMinor, fitting.SharedMinor, fitting.NetMinor, fitting.TaxMinor, fitting.GrossMinor})
	require.Equal(t, quote.Totals{AmountMinor: 2_600_000, DiscountMinor: 350_001, SharedMinor: 74_925, NetMinor: 2_175_074, TaxMinor: 249_924,
		TotalMinor: 2_424_998, BaseMinor: 2_600_000}, w.Totals)
	require.EqualValues(t, 1634, w.Totals.DiscountRate(), "424,926 of 2,600,000 are 16.3433 %%")
}

func TestHalvesAreRoundedAwayFromZero(t *testing.T) {
	t.Parallel()
	for amount, want := range map[int64]int64{1: 1, 2: 1, 3: 2, 4: 2, 5: 3} {
		w, faults := write(quote.Offer{Content: quote.Content{Currency: "JPY"}, Lines: []quote.OfferLine{
			{Text: "x", Quantity: 1, UnitPrice: &amount, Tax: quote.Tax{Rate: of[int32](5000)}},
		}}, nil)
		require.Empty(t, faults)
		require.Equal(t, want, w.Totals.TaxMinor, "half of %d", amount)
	}
}

func TestWhatASellerGrantsIsMeasuredByThePriceList(t *testing.T) {
	t.Parallel()
	o := kitchen()
	o.Lines[0].UnitPrice = of[int64](1_500_000)
	prices := map[int]quote.Price{0: {UnitMinor: 2_000_000, AmountMinor: 2_000_000, NetMinor: 1_900_000, Rules: []quote.RuleDiscount{{Code: "spring", AmountMinor: 100_000}}}}
	w, faults := write(o, prices)
	require.Empty(t, faults)
	require.EqualValues(t, 2_100_000, w.Totals.TotalMinor)
	require.EqualValues(t, 2_500_000, w.Totals.BaseMinor, "a price typed below the list is a discount; what a rule takes off is none")
	require.EqualValues(t, 1600, w.Totals.DiscountRate())
	require.Empty(t, w.Lines[0].Rules, "a typed price is not changed by rules")

	o.Lines[0].UnitPrice = nil
	w, faults = write(o, prices)
	require.Empty(t, faults)
	require.EqualValues(t, 2_500_000, w.Totals.TotalMinor)
	require.EqualValues(t, 100_000, w.Totals.RuleMinor)
	require.Zero(t, w.Totals.DiscountRate())
	require.Equal(t, "spring", w.Lines[0].Rules[0].Code)

	o.Lines[0].UnitPrice = of[int64](2_200_000)
	w, _ = write(o, prices)
	require.EqualValues(t, 2_800_000, w.Totals.BaseMinor, "a price above the list is no discount")
	require.Zero(t, w.Totals.DiscountRate())
}

func TestFaultsOfAnOfferAreNamed(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return string(make([]rune, 0)) + string(bytesOf('x', n)) }
	for name, c := range map[string]struct {
		change func(*quote.Offer)
		faults []string
	}{
		"all in order":               {func(*quote.Offer) {}, nil},
		"a currency of the past":     {func(o *quote.Offer) { o.Currency = "DEM" }, []string{"currency currency_unknown"}},
		"a zone of nowhere":          {func(o *quote.Offer) { o.TimeZone = "Asia/Atlantis" }, []string{"time_zone time_zone_unknown"}},
		"valid until yesterday":      {func(o *quote.Offer) { o.ValidUntil = "2026-11-25" }, []string{"valid_until valid_until_past"}},
		"valid until today":          {func(o *quote.Offer) { o.ValidUntil = "2026-11-26" }, nil},
		"today was yesterday there":  {func(o *quote.Offer) { o.ValidUntil, o.TimeZone = "2026-11-26", "Pacific/Kiritimati" }, nil},
		"no day":                     {func(o *quote.Offer) { o.ValidUntil = "2026-02-30" }, []string{"valid_until date_malformed"}},
		"valid for ever":             {func(o *quote.Offer) { o.ValidUntil = "9999-12-31" }, []string{"valid_until valid_until_far"}},
		"no lines":                   {func(o *quote.Offer) { o.Lines = nil }, []string{"lines lines_out_of_range"}},
		"too many lines":             {func(o *quote.Offer) { o.Lines = make([]quote.OfferLine, 501) }, []string{"lines lines_out_of_range"}},
		"a line of nothing":          {func(o *quote.Offer) { o.Lines[0].SKU = " " }, []string{"lines[0].text line_empty"}},
		"words without a price":      {func(o *quote.Offer) { o.Lines[1].UnitPrice = nil }, []string{"lines[1].unit_price_minor price_required"}},
		"an article without a price": {func(o *quote.Offer) { o.Lines[0].UnitPrice = nil }, []string{"lines[0].unit_price_minor price_unknown"}},
		"none of it":                 {func(o *quote.Offer) { o.Lines[0].Quantity = 0 }, []string{"lines[0].quantity quantity_out_of_range"}},
		"less than none":             {func(o *quote.Offer) { o.Lines[0].Quantity = -1 }, []string{"lines[0].quantity quantity_out_of_range"}},
		"the largest integer of it":  {func(o *quote.Offer) { o.Lines[0].Quantity = 1<<63 - 1 }, []string{"lines[0].quantity quantity_out_of_range"}},
		"too many of all":            {func(o *quote.Offer) { o.Lines[0].Quantity, o.Lines[0].UnitPrice = money.Max, of[int64](0) }, []string{"lines quantity_too_large"}},
		"a negative price":           {func(o *quote.Offer) { o.Lines[0].UnitPrice = of[int64](-1) }, []string{"lines[0].unit_price_minor amount_negative"}},
		"a price too large":          {func(o *quote.Offer) { o.Lines[0].UnitPrice = of(money.Max + 1) }, []string{"lines[0].unit_price_minor amount_too_large"}},
		"too much in one line":       {func(o *quote.Offer) { o.Lines[0].Quantity = money.Max - 2 }, []string{"lines[0].quantity amount_too_large"}},
		"too much in all lines":      {func(o *quote.Offer) { o.Lines[0].UnitPrice = of(money.Max) }, []string{"lines amount_too_large"}},
		"too much with taxes":        {func(o *quote.Offer) { o.Lines[0].Tax.AmountMinor = of(money.Max) }, []string{"lines amount_too_large"}},
		"a discount of 101 %":        {func(o *quote.Offer) { o.Lines[0].Discount.Rate = 10_100 }, []string{"lines[0].discount.rate rate_out_of_range"}},
		"all for nothing":            {func(o *quote.Offer) { o.Discount.Rate = 10_000 }, nil},
		"101 % of all":               {func(o *quote.Offer) { o.Discount.Rate = 10_001 }, []string{"discount.rate rate_out_of_range"}},
		"a negative rate":            {func(o *quote.Offer) { o.Discount.Rate = -1 }, []string{"discount.rate rate_out_of_range"}},
		"a negative discount":        {func(o *quote.Offer) { o.Discount.AmountMinor = -1 }, []string{"discount.amount_minor amount_negative"}},
		"more off than it costs":     {func(o *quote.Offer) { o.Lines[0].Discount.AmountMinor = 2_000_001 }, []string{"lines[0].discount.amount_minor discount_too_large"}},
		"more off than all costs":    {func(o *quote.Offer) { o.Discount.AmountMinor = 2_600_001 }, []string{"discount.amount_minor discount_too_large"}},
		"a discount in two ways":     {func(o *quote.Offer) { o.Discount = quote.Discount{Rate: 1, AmountMinor: 1} }, []string{"discount discount_ambiguous"}},
		"a tax of 101 %":             {func(o *quote.Offer) { o.Lines[0].Tax.Rate = of[int32](10_100) }, []string{"lines[0].tax.rate rate_out_of_range"}},
		"a negative tax":             {func(o *quote.Offer) { o.Lines[0].Tax.AmountMinor = of[int64](-1) }, []string{"lines[0].tax.amount_minor amount_negative"}},
		"a tax rounded by somebody": {func(o *quote.Offer) {
			o.Lines[0].Tax = quote.Tax{Rate: of[int32](1300), AmountMinor: of[int64](260_001)}
		}, nil},
		"a tax that is another": {func(o *quote.Offer) {
			o.Lines[0].Tax = quote.Tax{Rate: of[int32](1300), AmountMinor: of[int64](260_002)}
		}, []string{"lines[0].tax.amount_minor tax_differs"}},
		"an endless title":              {func(o *quote.Offer) { o.Title = long(201) }, []string{"title too_long"}},
		"a title with a line end":       {func(o *quote.Offer) { o.Title = "a\nb" }, []string{"title characters_invalid"}},
		"terms with a bell":             {func(o *quote.Offer) { o.Terms = "a\ab" }, []string{"terms characters_invalid"}},
		"terms of some lines":           {func(o *quote.Offer) { o.Terms = "a\r\nb" }, nil},
		"an endless article":            {func(o *quote.Offer) { o.Lines[0].SKU = long(65) }, []string{"lines[0].sku sku_malformed"}},
		"several at once":               {func(o *quote.Offer) { o.Currency, o.Lines[0].Quantity = "x", 0 }, []string{"currency currency_unknown", "lines[0].quantity quantity_out_of_range"}},
		"a name of a list that is long": {func(o *quote.Offer) { o.PriceList = long(65) }, []string{"price_list price_list_unknown"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := kitchen()
			c.change(&o)
			_, faults := write(o, nil)
			require.Equal(t, c.faults, codes(faults))
		})
	}
}

func bytesOf(b byte, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = b
	}
	return out
}

func TestTheLastDayEndsInTheQuotesTimeZone(t *testing.T) {
	t.Parallel()
	for zone, want := range map[string]string{
		"UTC": "2026-12-01T00:00:00Z", "Asia/Shanghai": "2026-11-30T16:00:00Z", "America/New_York": "2026-12-01T05:00:00Z",
	} {
		o := kitchen()
		o.TimeZone, o.ValidUntil = zone, "2026-11-30"
		w, faults := write(o, nil)
		require.Empty(t, faults)
		require.Equal(t, want, w.ExpiresAt.Format(time.RFC3339))
	}
	o := kitchen()
	o.TimeZone, o.ValidUntil = "Africa/Cairo", "2027-04-29" // on the 30th the clock goes from 00:00 to 01:00
	w, _ := write(o, nil)
	require.Equal(t, "2027-04-29T22:00:00Z", w.ExpiresAt.Format(time.RFC3339))
	o = kitchen()
	w, _ = write(o, nil)
	require.Equal(t, "2026-12-26", w.ValidUntil, "30 days, where nothing else is said")
}

// drawOffer draws an offer in a currency without, with two and with three decimals.
func drawOffer(t *rapid.T) (o quote.Offer, prices map[int]quote.Price) {
	amount := rapid.OneOf(rapid.Int64Range(0, 1000), rapid.Int64Range(0, 1_000_000_000_000))
	rate := rapid.OneOf(rapid.SampledFrom([]int32{0, 1, 333, 5000, 9999, 10000}), rapid.Int32Range(0, 10000))
	o.Currency = rapid.SampledFrom([]string{"JPY", "CNY", "KWD"}).Draw(t, "currency")
	prices = map[int]quote.Price{}
	for i := range rapid.IntRange(1, 8).Draw(t, "lines") {
		l := quote.OfferLine{SKU: "X", Quantity: rapid.Int64Range(1, 50).Draw(t, "quantity"), Discount: quote.Discount{Rate: rate.Draw(t, "discount")}}
		price := amount.Draw(t, "price")
		if rapid.Bool().Draw(t, "listed") {
			p := quote.Price{UnitMinor: price, AmountMinor: price * l.Quantity}
			p.NetMinor = p.AmountMinor - rapid.Int64Range(0, p.AmountMinor).Draw(t, "rules")
			prices[i] = p
		}
		if _, listed := prices[i]; !listed || rapid.Bool().Draw(t, "typed") {
			l.UnitPrice = &price
		}
		if rapid.Bool().Draw(t, "taxed") {
			l.Tax.Rate = of(rate.Draw(t, "tax"))
		}
		o.Lines = append(o.Lines, l)
	}
	if rapid.Bool().Draw(t, "amount") {
		o.Discount.AmountMinor = amount.Draw(t, "off")
	} else {
		o.Discount.Rate = rate.Draw(t, "off all")
	}
	return o, prices
}

// half gives a/b rounded half away from zero, in integers of any size.
func half(a, b *big.Int) *big.Int {
	twice := new(big.Int).Mul(a, big.NewInt(2))
	return twice.Add(twice, b).Div(twice, new(big.Int).Mul(b, big.NewInt(2)))
}

// tooMuch gives what a discount that was refused takes off, and what it is taken off.
func tooMuch(t *rapid.T, o quote.Offer, w quote.Written, location string) (off, most int64) {
	if location == "discount.amount_minor" {
		for _, l := range w.Lines {
			most += l.NetMinor
		}
		return o.Discount.AmountMinor, most
	}
	var line int
	if _, err := fmt.Sscanf(location, "lines[%d].discount.amount_minor", &line); err != nil {
		t.Fatalf("%s: %v", location, err)
	}
	l := w.Lines[line]
	return o.Lines[line].Discount.AmountMinor, l.AmountMinor - l.RuleMinor
}

func TestTheTotalIsTheSumOfTheLines(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o, prices := drawOffer(t)
		w, faults := write(o, prices)
		if len(faults) == 1 && faults[0].Code == "discount_too_large" {
			off, most := tooMuch(t, o, w, faults[0].Location)
			require.Greater(t, off, most, "only what is more than it costs is refused")
			return
		}
		require.Empty(t, faults)
		var sum quote.Totals
		var left int64
		for i, l := range w.Lines {
			require.Equal(t, l.AmountMinor-l.RuleMinor-l.DiscountMinor-l.SharedMinor, l.NetMinor)
			require.Equal(t, l.NetMinor+l.TaxMinor, l.GrossMinor)
			require.GreaterOrEqual(t, l.NetMinor, int64(0))
			require.GreaterOrEqual(t, l.BaseMinor, l.NetMinor)
			require.Equal(t, l.AmountMinor, l.UnitMinor*l.Quantity)
			if rate := o.Lines[i].Tax.Rate; rate != nil {
				want := half(new(big.Int).Mul(big.NewInt(l.NetMinor), big.NewInt(int64(*rate))), big.NewInt(10_000))
				require.Equal(t, want.Int64(), l.TaxMinor)
			}
			sum.AmountMinor, sum.RuleMinor, sum.DiscountMinor = sum.AmountMinor+l.AmountMinor, sum.RuleMinor+l.RuleMinor, sum.DiscountMinor+l.DiscountMinor
			sum.SharedMinor, sum.NetMinor, sum.TaxMinor = sum.SharedMinor+l.SharedMinor, sum.NetMinor+l.NetMinor, sum.TaxMinor+l.TaxMinor
			sum.TotalMinor, sum.BaseMinor = sum.TotalMinor+l.GrossMinor, sum.BaseMinor+l.BaseMinor
			left += l.NetMinor + l.SharedMinor
		}
		require.Equal(t, sum, w.Totals)
		off := o.Discount.AmountMinor
		if o.Discount.Rate > 0 {
			off = half(new(big.Int).Mul(big.NewInt(left), big.NewInt(int64(o.Discount.Rate))), big.NewInt(10_000)).Int64()
		}
		require.Equal(t, off, w.Totals.SharedMinor, "what is taken off all is what the lines have of it")
		for _, l := range w.Lines { // no line is further than one minor unit from its exact part
			if left > 0 {
				floor := new(big.Int).Div(new(big.Int).Mul(big.NewInt(off), big.NewInt(l.NetMinor+l.SharedMinor)), big.NewInt(left)).Int64()
				require.Contains(t, []int64{floor, floor + 1}, l.SharedMinor)
			}
		}
		if w.Totals.BaseMinor > 0 {
			want := half(new(big.Int).Mul(big.NewInt(w.Totals.GrantedMinor()), big.NewInt(10_000)), big.NewInt(w.Totals.BaseMinor))
			require.Equal(t, want.Int64(), int64(w.Totals.DiscountRate()))
		}
	})
}

func TestLimitsAreExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.Int64Range(0, money.Max).Draw(t, "base")
		totals := quote.Totals{BaseMinor: base, NetMinor: rapid.Int64Range(0, base).Draw(t, "net")}
		limit := rapid.Int32Range(0, 10_000).Draw(t, "limit")
		granted := new(big.Int).Mul(big.NewInt(totals.GrantedMinor()), big.NewInt(10_000))
		most := new(big.Int).Mul(big.NewInt(base), big.NewInt(int64(limit)))
		require.Equal(t, granted.Cmp(most) <= 0, quote.Limits{Discount: limit}.Cover("CNY", totals))
	})
}
