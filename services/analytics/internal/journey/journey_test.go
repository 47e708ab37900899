package journey_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/journey"
)

func at(day int) time.Time { return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC).AddDate(0, 0, day) }

func TestAPersonCountsOncePerStageInOrder(t *testing.T) {
	t.Parallel()
	never := time.Time{}
	for _, c := range []struct {
		name    string
		first   [4]time.Time
		month   string
		reached [4]int64
		timed   [3]int64
		median  [3]int
	}{
		{"all four", [4]time.Time{at(0), at(2), at(5), at(40)}, "2026-01", [4]int64{1, 1, 1, 1}, [3]int64{1, 1, 1}, [3]int{2, 3, 35}},
		{"only looked", [4]time.Time{at(0), never, never, never}, "2026-01", [4]int64{1, 0, 0, 0}, [3]int64{}, [3]int{}},
		{"bought at once", [4]time.Time{never, never, never, at(31)}, "2026-02", [4]int64{1, 1, 1, 1}, [3]int64{}, [3]int{}},
		{"visited after buying", [4]time.Time{at(40), never, at(3), at(4)}, "2026-01", [4]int64{1, 1, 1, 1}, [3]int64{0, 0, 1}, [3]int{0, 0, 1}},
		{"half a day is no day", [4]time.Time{at(0), at(0).Add(12 * time.Hour), never, never}, "2026-01", [4]int64{1, 1, 0, 0}, [3]int64{1, 0, 0}, [3]int{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := journey.Funnels{}
			f.Add(journey.Person{First: c.first, Channel: "web"})
			for key, one := range f {
				if key.Month.String() != c.month || key.Channel != "web" || one.Reached != c.reached {
					t.Errorf("%+v: %+v", key, one)
				}
				for stage := range 3 {
					if median, timed := one.Within(stage, 0.5); timed != c.timed[stage] || median != c.median[stage] {
						t.Errorf("stage %d: %d timed, median %d", stage, timed, median)
					}
				}
			}
			if len(f) != 1 {
				t.Error(f)
			}
		})
	}
}

func TestHalfOfThoseTimedWereThereWithinTheMedian(t *testing.T) {
	t.Parallel()
	f := journey.Funnels{}
	for _, days := range []int{1, 1, 4, 8, 20} {
		f.Add(journey.Person{First: [4]time.Time{at(0), at(days)}})
	}
	for _, one := range f {
		median, timed := one.Within(0, 0.5)
		if p90, _ := one.Within(0, 0.9); median != 4 || p90 != 20 || timed != 5 {
			t.Errorf("%d, %d of %d", median, p90, timed)
		}
	}
}

func TestShareOfAnAmountAddUpExactly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		amount, n := rapid.Int64Range(-1_000_000, 1_000_000).Draw(t, "amount"), rapid.IntRange(1, 40).Draw(t, "n")
		sum, low, high := int64(0), int64(math.MaxInt64), int64(math.MinInt64)
		for _, s := range journey.Shares(amount, n) {
			sum, low, high = sum+s, min(low, s), max(high, s)
		}
		if sum != amount || high-low > 1 {
			t.Fatalf("%d in %d: sum %d, from %d to %d", amount, n, sum, low, high)
		}
	})
}

// Cohorts lose nothing: by calendar month, triangle and rest are the revenue.
func TestCohortsAndTheRestAreAllRevenue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := journey.NewCohorts()
		gross, back := map[string]int64{}, map[string]int64{}
		customers := rapid.IntRange(1, 5).Draw(t, "customers")
		for who := range customers {
			id := uuid.Nil
			if who > 0 {
				id = uuid.Must(uuid.NewV7())
			}
			day := 0
			var purchases []journey.Purchase
			for range rapid.IntRange(0, 6).Draw(t, "orders") {
				day += rapid.IntRange(0, 60).Draw(t, "days")
				p := journey.Purchase{Channel: "shop", At: at(day), TotalMinor: rapid.Int64Range(0, 1000).Draw(t, "total"), Whole: rapid.Bool().Draw(t, "whole")}
				gross[p.At.Format("2006-01")] += p.TotalMinor
				if rapid.Bool().Draw(t, "back") {
					when := at(day + rapid.IntRange(-40, 90).Draw(t, "later"))
					p.Back = append(p.Back, journey.Back{Month: journey.MonthOf(when), AmountMinor: p.TotalMinor / 2})
					back[when.Format("2006-01")] += p.TotalMinor / 2
				}
				purchases = append(purchases, p)
			}
			c.Add(id, "USD", purchases)
		}
		size := map[string]int64{}
		for key, cell := range c.Cells {
			when := key.Month.First().AddDate(0, key.Age, 0).Format("2006-01")
			gross[when] -= cell.GrossMinor
			back[when] -= cell.ReturnedMinor
			if key.Age == 0 {
				size[key.Month.String()] = cell.Customers
			}
			if key.Age < 0 {
				t.Fatalf("%+v", key)
			}
		}
		for key, cell := range c.Cells {
			if cell.Customers > size[key.Month.String()] {
				t.Fatalf("%d of %d customers are active", cell.Customers, size[key.Month.String()])
			}
		}
		for key, cell := range c.Rest {
			gross[key.Month.String()] -= cell.GrossMinor
			back[key.Month.String()] -= cell.ReturnedMinor
		}
		for month, left := range gross {
			if left != 0 {
				t.Fatalf("%s: %d are nowhere", month, left)
			}
		}
		for month, left := range back {
			if left != 0 {
				t.Fatalf("%s: %d that came back are nowhere", month, left)
			}
		}
	})
}

// The differences and intervals are those of R. G. Newcombe, Statistics in Medicine 17 (1998) 873–890, table II, method 10.
func TestDifferencesOfRatesAreAsPublished(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		k1, n1, k2, n2 int64
		low, high      float64
	}{
		{56, 70, 48, 80, 0.0524, 0.3339}, {9, 10, 3, 10, 0.1705, 0.8090}, {6, 7, 2, 7, 0.0582, 0.8062},
	} {
		t.Run(fmt.Sprintf("%d of %d and %d of %d", c.k1, c.n1, c.k2, c.n2), func(t *testing.T) {
			t.Parallel()
			d := journey.Difference(journey.Response{Customers: c.n1, Responded: c.k1}, journey.Response{Customers: c.n2, Responded: c.k2})
			value := float64(c.k1)/float64(c.n1) - float64(c.k2)/float64(c.n2)
			if math.Abs(d.Value-value) > 1e-12 || math.Abs(d.Low-c.low) > 0.00006 || math.Abs(d.High-c.high) > 0.00006 {
				t.Errorf("%+v", d)
			}
		})
	}
}

func TestStrataWeighWhatWasTouchedInThem(t *testing.T) {
	t.Parallel()
	// Within each stratum touching does nothing; the touched are mostly in the one that buys more.
	strata := []journey.Stratum{
		{Touched: journey.Response{Customers: 900, Responded: 450}, Untouched: journey.Response{Customers: 100, Responded: 50}},
		{Touched: journey.Response{Customers: 100, Responded: 10}, Untouched: journey.Response{Customers: 900, Responded: 90}},
		{Touched: journey.Response{Customers: 7, Responded: 7}},
	}
	d := journey.Standardised(strata)
	touched, untouched, out := journey.Matched(strata)
	if math.Abs(d.Value) > 1e-12 || d.Low > 0 || d.High < 0 || touched.Customers != 1000 || untouched.Responded != 140 || out != 7 {
		t.Errorf("%+v %+v %+v %d", d, touched, untouched, out)
	}
	if crude := journey.Difference(touched, untouched); crude.Low < 0.2 {
		t.Errorf("the crude difference ought to mislead: %+v", crude)
	}
}

func TestRulesOfAMappingAreChecked(t *testing.T) {
	t.Parallel()
	if faults := journey.StandardMapping().Check(); len(faults) > 0 {
		t.Errorf("the standard one: %+v", faults)
	}
	for _, c := range []struct {
		name     string
		rule     journey.Rule
		location string
	}{
		{"no such stage", journey.Rule{Stage: "fan", On: "order"}, "rules[0].stage"},
		{"about nothing", journey.Rule{Stage: "buyer", On: "dream"}, "rules[0].on"},
		{"an outcome of an order", journey.Rule{Stage: "buyer", On: "order", Outcome: "x"}, "rules[0].outcome"},
		{"a channel of a lead", journey.Rule{Stage: "buyer", On: "lead", Channel: "x"}, "rules[0].channel"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if faults := (journey.Mapping{Rules: []journey.Rule{c.rule}}).Check(); len(faults) != 1 || faults[0].Location != c.location {
				t.Errorf("%+v", faults)
			}
		})
	}
}
