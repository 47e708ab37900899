package value

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func on(s string) time.Time {
	d, ok := day(s)
	if !ok {
		panic(s)
	}
	return d
}

func TestMonthsAreWholeOnes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from, to string
		want     int
	}{
		{"1997-01-01", "1997-01-31", 0},
		{"1997-01-01", "1997-02-01", 1},
		{"1997-01-31", "1997-02-28", 0},
		{"1997-01-31", "1997-03-01", 1},
		{"1996-02-29", "1997-02-28", 11},
		{"1996-02-29", "1997-03-01", 12},
		{"1997-05-05", "1997-05-05", 0},
	} {
		if got := wholeMonths(on(c.from), on(c.to)); got != c.want {
			t.Errorf("from %s to %s: %d months, want %d", c.from, c.to, got, c.want)
		}
	}
}

func TestRealisedValueIsTheTextbooksSum(t *testing.T) {
	t.Parallel()
	set := Settings{
		Currency: "USD", Margin: 0.4, Tax: 0.25, AnnualRate: 0.21, HorizonMonths: 12, TicketMinor: 50, Touches: map[string]int64{"nurture": 10},
		Acquisition: map[string]int64{"fair": 900}, AcquisitionMinor: 100,
	}
	s := story{
		source: "fair", registered: on("1996-11-20"),
		bought: []bought{{on("1997-01-10"), "USD", 10_000}, {on("1997-01-10"), "EUR", 99_999}, {on("1998-01-10"), "USD", 5000}},
		caused: []caused{{on("1996-12-01"), "nurture", 0}, {on("1997-01-20"), "ticket", 0}, {on("1998-02-01"), "complaint", 300}},
	}
	r := realise(s, set, "USD")
	// Month 0: 8000 revenue, 4800 goods, a touch before the customer was won, a ticket. Month 12: 4000, 2400, a remedy, a year's discount.
	want := -900 + (8000.0 - 4800 - 10 - 50) + (4000.0-2400-300)/1.21
	if r.Minor != roundAway(want) || !r.Begin.Equal(on("1997-01-10")) || r.AcquisitionMinor != 900 {
		t.Errorf("%+v, want %v", r, want)
	}
	if r.RevenueMinor != 12_000 || r.GoodsMinor != 7200 || r.ServiceMinor != 50 || r.RemediesMinor != 300 || r.TouchesMinor != 10 {
		t.Errorf("parts: %+v", r)
	}
	if len(r.Months) != 2 || r.Months[1] != (Month{12, 4000, 2700, roundAway(1300 / 1.21)}) {
		t.Errorf("months: %+v", r.Months)
	}
	if got := realise(s, set, "EUR"); got.Minor != roundAway(99_999/1.25*0.4-300/1.21) || got.AcquisitionMinor != 0 || got.ServiceMinor != 0 {
		t.Errorf("costs of another currency count: %+v", got)
	}
	if got := realise(story{registered: on("1997-01-10").Add(13 * time.Hour)}, set, "USD"); got.Minor != -100 || !got.Begin.Equal(on("1997-01-10")) {
		t.Errorf("who never bought: %+v", got)
	}
}

func TestPredictedValueIsMarginTimesSpendTimesDiscountedPurchases(t *testing.T) {
	t.Parallel()
	set := Settings{Margin: 0.3, Tax: 0.1, AnnualRate: 0.15, HorizonMonths: 24}
	spend := GammaGamma{6.25, 3.74, 15.44}
	m := models{purchases: BGNBD{0.243, 4.414, 0.793, 2.426}, purchaseKind: KindBGNBD, spend: &spend, spendCurrency: "USD"}
	s := story{bought: []bought{{on("1997-01-01"), "USD", 2933}, {on("1997-03-15"), "EUR", 700}, {on("1997-05-01"), "USD", 3373}, {on("1997-05-01"), "EUR", 1}, {on("1997-08-02"), "USD", 1177}}}
	asOf := on("1997-09-30")
	got := predict(s, set, m, "USD", asOf, map[History]foretold{})
	h := History{X: 3, Recency: 213.0 / 7, Age: 272.0 / 7}
	if got.History != h || got.SpendMinor != 2275 {
		t.Fatalf("%+v", got)
	}
	sum, before := 0.0, 0.0
	for k := 1; k <= 24; k++ {
		e := m.purchases.Expected(h, float64(k)*365.25/84)
		sum += (e - before) / math.Pow(1.15, float64(k)/12)
		before = e
	}
	mean, _ := spend.Expected(Spend{2, 22.75})
	want := 0.3 * mean * 100 / 1.1 * sum
	if got.Minor == nil || *got.Minor != roundAway(want) || math.Abs(*got.Discounted-sum) > 1e-12 || math.Abs(*got.Purchases-before) > 1e-12 || got.PAlive == nil {
		t.Errorf("%+v, want %v", got, want)
	}
	for why, change := range map[string]func(m *models, s *story){
		"no_purchase_model":               func(m *models, _ *story) { m.purchases = nil },
		"no_purchase":                     func(_ *models, s *story) { s.bought = nil },
		"no_spend_model":                  func(m *models, _ *story) { m.spend = nil },
		"spend_model_of_another_currency": func(m *models, _ *story) { m.spendCurrency = "EUR" },
		"spend_without_mean":              func(m *models, s *story) { m.spend = &GammaGamma{6, 0.9, 15}; s.bought = s.bought[:1] },
	} {
		m, s := m, s
		change(&m, &s)
		if p := predict(s, set, m, "USD", asOf, map[History]foretold{}); p.Minor != nil || p.Why != why {
			t.Errorf("%s: %+v", why, p)
		}
	}
	m.purchaseCurrency = "USD"
	if p := predict(s, set, m, "USD", asOf, map[History]foretold{}); p.History.X != 2 {
		t.Errorf("only days of the model's currency count: %+v", p.History)
	}
	once := story{bought: s.bought[:1]}
	p := predict(once, set, m, "USD", asOf, map[History]foretold{})
	mean, _ = spend.Mean()
	if p.PAlive != nil || math.Abs(*p.ExpectedSpend-100*mean) > 1e-9 {
		t.Errorf("who never came back is like all: %+v", p)
	}
}

func TestATenthIsATenth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		was, now := rapid.Int64Range(-1e9, 1e9).Draw(t, "was"), rapid.Int64Range(-1e9, 1e9).Draw(t, "now")
		want := was != now && math.Abs(float64(now-was)) >= 0.1*math.Abs(float64(was))
		if tenth(was, now) != want {
			t.Fatalf("from %d to %d", was, now)
		}
	})
	if tenth(100, 109) || !tenth(100, 110) || !tenth(100, 90) || tenth(0, 0) || !tenth(0, 1) {
		t.Error("bounds")
	}
}

func TestMonthsOfEquityAreMovedByAllTheirDays(t *testing.T) {
	t.Parallel()
	rows := []Equity{
		{AsOf: on("1997-01-30"), PredictedMinor: 100, NewMinor: 100},
		{AsOf: on("1997-01-31"), PredictedMinor: 130, NewMinor: 50, LoweredMinor: 20},
		{AsOf: on("1997-02-01"), PredictedMinor: 120, GoneMinor: 30, RaisedMinor: 20},
	}
	got := monthly(rows)
	if len(got) != 2 || got[0].PredictedMinor != 130 || got[0].NewMinor != 150 || got[0].LoweredMinor != 20 || got[1] != rows[2] {
		t.Errorf("%+v", got)
	}
}
