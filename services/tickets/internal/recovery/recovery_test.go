package recovery_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/services/tickets/internal/recovery"
)

// near compares with what was published to so many decimals.
func near(got, want float64, decimals int) bool {
	return math.Abs(got-want) <= 0.5*math.Pow(10, -float64(decimals))+1e-12
}

func TestPairedSharesAreAsPublished(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		both, first, second, neither int
		value, low, high             float64
		decimals                     int
	}{
		"Newcombe (1998), table II":                                        {36, 12, 2, 0, 0.2, 0.0569, 0.3404, 4},
		"Altman et al., Statistics with confidence (2000), table 6.2":      {14, 5, 0, 22, 0.122, 0.011, 0.226, 3},
		"Bentur et al. in Fagerland et al., Statistics in Medicine (2014)": {1, 1, 7, 12, -0.2857, -0.507, -0.026, 3},
	} {
		v := recovery.PairedShares(c.both, c.first, c.second, c.neither)
		if !near(v.Value, c.value, 3) || !near(v.Low, c.low, c.decimals) || !near(v.High, c.high, c.decimals) {
			t.Errorf("%s: got %+v", name, v)
		}
	}
	for _, c := range [][4]int{{30, 0, 0, 0}, {0, 30, 0, 0}, {0, 0, 30, 0}, {0, 0, 0, 30}} {
		v := recovery.PairedShares(c[0], c[1], c[2], c[3])
		if math.IsNaN(v.Low) || v.Low < -1 || v.High > 1 || v.Low > v.Value || v.High < v.Value || v.High-v.Low < 0.05 {
			t.Errorf("%v: got %+v, an interval of 30 pairs is never a point", c, v)
		}
	}
	mirrored := recovery.PairedShares(36, 2, 12, 0)
	if v := recovery.PairedShares(36, 12, 2, 0); !near(v.Low, -mirrored.High, 9) || !near(v.High, -mirrored.Low, 9) {
		t.Errorf("the other way round it is %+v of %+v", mirrored, v)
	}
}

// The extra hours of sleep are those of "Student" (1908): the difference of two drugs in ten patients.
func TestPairedMeansAreAsPublished(t *testing.T) {
	t.Parallel()
	v := recovery.PairedMeans([]float64{1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4})
	if !near(v.Value, 1.58, 2) || !near(v.Low, 0.7001142, 6) || !near(v.High, 2.4598858, 6) {
		t.Errorf("got %+v", v)
	}
}

// The sums are those of what 33 families spent on food, and of their sizes: Cochran (1977), section 2.11, where a person costs
// $7.38 with a standard error of $0.534 before the correction for finite populations.
func TestRatiosAreAsPublished(t *testing.T) {
	t.Parallel()
	v := recovery.Sums{N: 33, Y: 907.2, X: 123, YY: 28224, XX: 533, XY: 3595.5}.Ratio()
	if !near(v.Value, 7.38, 2) || !near((v.High-v.Value)/1.96, 0.534, 3) || !near(v.Value-v.Low, v.High-v.Value, 9) {
		t.Errorf("got %+v", v)
	}
	if v := (recovery.Sums{N: 40, Y: 100, X: 2, YY: 10000, XX: 2, XY: 0}).Ratio(); v.Low != 0 {
		t.Errorf("nothing costs less than nothing: %+v", v)
	}
}

var (
	monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	day    = 24 * time.Hour
)

func id() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// bought is a customer who bought so many days after that Monday.
func bought(days ...int) recovery.Person {
	p := recovery.Person{ID: id()}
	for _, d := range days {
		p.Bought = append(p.Bought, monday.Add(time.Duration(d)*day))
	}
	slices.SortFunc(p.Bought, time.Time.Compare)
	return p
}

// felt adds scores, in turn day and score.
func felt(p recovery.Person, said ...int) recovery.Person {
	for i := 0; i+1 < len(said); i += 2 {
		p.Said = append(p.Said, recovery.Said{At: monday.Add(time.Duration(said[i]) * day), Score: said[i+1]})
	}
	return p
}

// complaint was made that Monday and ended ten days later.
func complaint(customer uuid.UUID, costMinor int64) recovery.Case {
	c := recovery.Case{ID: id(), Customer: customer, RegisteredAt: monday, ClosedAt: monday.Add(10 * day), Outcome: "settled", CostMinor: costMinor}
	if costMinor > 0 {
		c.Currency = "CNY"
	}
	return c
}

func TestCustomersAreMatchedWithThoseAlike(t *testing.T) {
	t.Parallel()
	pool := []recovery.Person{
		bought(-200, -20),           // two orders, lately
		bought(-10, -20),            // two orders, more lately
		bought(-100, -150),          // two orders, long ago
		bought(-20),                 // one
		bought(20, 30),              // none before
		bought(-400, -20),           // one within a year
		bought(-22, -30, -40),       // three
		bought(-20, -25, -26, -150), // several
	}
	for name, c := range map[string]struct {
		who  recovery.Person
		want int // in the pool; -1 nobody
	}{
		"two, one of them 11 days ago":     {bought(-11, -300), 1},
		"two, the last 19 days ago":        {bought(-19, -300), 0},
		"two, the last 110 days ago":       {bought(-110, -300), 2},
		"none":                             {bought(), 4},
		"one, long ago":                    {bought(-300), -1},
		"four: the number before the days": {bought(-22, -30, -40, -50), 7},
		"eleven":                           {bought(-1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11), -1},
	} {
		pairs := recovery.MatchPurchases([]recovery.Case{complaint(c.who.ID, 0)}, []recovery.Person{c.who}, pool)
		got := -1
		if len(pairs) > 0 {
			got = pairs[0].Match
		}
		if got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
	twins := []recovery.Person{bought(-20), bought(-20), bought(-20)}
	pairs := recovery.MatchPurchases([]recovery.Case{complaint(twins[0].ID, 0), complaint(twins[1].ID, 0), complaint(twins[2].ID, 0)}, twins, []recovery.Person{bought(-21), bought(-22)})
	if len(pairs) != 2 || pairs[0].Match == pairs[1].Match {
		t.Errorf("nobody is taken twice: %v", pairs)
	}
}

func TestSatisfactionIsMatchedByTheScoreBefore(t *testing.T) {
	t.Parallel()
	pool := []recovery.Person{
		felt(bought(-20), -30, 5, 20, 5),
		felt(bought(-20), -30, 3, 20, 4),
		felt(bought(-20), -90, 3, 20, 4),
		felt(bought(-20), -30, 2, 120, 4), // after the window
		felt(bought(-20), -30, 1),         // never asked again
	}
	for name, c := range map[string]struct {
		who  recovery.Person
		want int
	}{
		"as unhappy, as lately":         {felt(bought(-20), -31, 3, 40, 5), 1},
		"as unhappy, long ago":          {felt(bought(-20), -100, 3, 40, 5), 2},
		"only the last before counts":   {felt(bought(-20), -50, 1, -31, 3, 40, 5), 1},
		"nobody with the score":         {felt(bought(-20), -31, 4, 40, 5), -1},
		"the other answered too late":   {felt(bought(-20), -31, 2, 40, 5), -1},
		"asked before alone":            {felt(bought(-20), -31, 3), -1},
		"asked while it was open":       {felt(bought(-20), -31, 3, 5, 5), -1},
		"asked more than a year before": {felt(bought(-20), -400, 3, 40, 5), -1},
	} {
		pairs := recovery.MatchFeelings([]recovery.Case{complaint(c.who.ID, 0)}, []recovery.Person{c.who}, pool)
		got := -1
		if len(pairs) > 0 {
			got = pairs[0].Match
		}
		if got != c.want {
			t.Errorf("%s: got %d, want %d", name, got, c.want)
		}
	}
}

func TestEachCustomerCountsOnceAndAfterNinetyDays(t *testing.T) {
	t.Parallel()
	lei, hua, fei := id(), id(), id()
	first, second, late := complaint(lei, 0), complaint(lei, 0), complaint(hua, 0)
	second.RegisteredAt = second.RegisteredAt.Add(day)
	late.ClosedAt = monday.Add(30 * day)
	both := complaint(fei, 0)
	bothLate := complaint(fei, 0)
	bothLate.ClosedAt = monday.Add(50 * day)
	ready, early := recovery.Split([]recovery.Case{late, second, bothLate, first, both}, monday.Add(100*day))
	if len(ready) != 2 || early != 1 || ready[0].ID != first.ID && ready[1].ID != first.ID {
		t.Errorf("%d ready, %d early", len(ready), early)
	}
	if ready, early := recovery.Split([]recovery.Case{first}, monday.Add(100*day).Add(-time.Second)); len(ready) != 0 || early != 1 {
		t.Errorf("a second before: %d ready, %d early", len(ready), early)
	}
}

// crowd is n who complained, of whom every mine-th bought again, and n alike who did not, of whom every theirs-th did.
func crowd(n, mine, theirs int) (cases []recovery.Case, of, pool []recovery.Person) {
	for i := range n {
		a, b := felt(bought(-20), -30, 3), felt(bought(-20), -30, 3)
		if i%mine == 0 {
			a.Bought = append(a.Bought, monday.Add(40*day))
		}
		if i%theirs == 0 {
			b.Bought = append(b.Bought, monday.Add(40*day))
		}
		a, b = felt(a, 30, 4+i%2), felt(b, 30, 3+i%2)
		cases, of, pool = append(cases, complaint(a.ID, 1000)), append(of, a), append(pool, b)
	}
	return cases, of, pool
}

func TestAReportOfMany(t *testing.T) {
	t.Parallel()
	cases, of, pool := crowd(120, 2, 6)
	r := recovery.Measure(cases, of, pool, pool)
	if r.Repurchase.Pairs != 120 || r.Repurchase.Complained.Value != 0.5 || !near(r.Repurchase.Difference.Value, 1.0/3, 9) || r.Repurchase.Difference.Low <= 0 {
		t.Errorf("%+v %+v", r.Repurchase, r.Repurchase.Difference)
	}
	s := r.Satisfaction
	if *s.Before != 3 || *s.After != 4.5 || s.Complained.Value != 1.5 || s.Matched.Value != 0.5 || s.Difference.Value != 1 || s.Difference.Low <= 0 {
		t.Errorf("%+v", s)
	}
	c := r.Costs[0]
	if len(r.Costs) != 1 || c.TotalMinor != 120_000 || c.Recovered != 60 || c.PerRecovered.Value != 2000 || !near(c.PerAdditional.Value, 3000, 6) || c.PerAdditional.Low >= 3000 || c.PerAdditional.High <= 3000 {
		t.Errorf("%+v", c)
	}
	if r := recovery.Measure(crowdOf(120, 3, 3)); r.Costs[0].PerAdditional != nil {
		t.Errorf("there are not more than of those who did not complain: %+v", r.Costs[0].PerAdditional)
	}
}

func crowdOf(n, mine, theirs int) (cases []recovery.Case, of, buyers, speakers []recovery.Person) {
	cases, of, pool := crowd(n, mine, theirs)
	return cases, of, pool, pool
}

func TestAReportOfFewSaysSo(t *testing.T) {
	t.Parallel()
	r := recovery.Measure(crowdOf(29, 2, 6))
	if r.Repurchase.Enough || r.Repurchase.Difference != nil || r.Repurchase.Pairs != 29 || r.Satisfaction.Enough || r.Satisfaction.Difference != nil || r.Costs[0].PerRecovered != nil {
		t.Errorf("%+v", r)
	}
	r = recovery.Measure(crowdOf(30, 2, 6))
	if !r.Repurchase.Enough || r.Repurchase.Difference == nil || !r.Satisfaction.Enough || r.Costs[0].PerRecovered == nil {
		t.Errorf("%+v", r)
	}
	cases, of, pool := crowd(60, 2, 6)
	if r := recovery.Measure(cases, of, pool[:29], nil); r.Repurchase.Enough || r.Repurchase.Unmatched != 31 || r.Satisfaction.Unmatched != 60 {
		t.Errorf("without enough who are alike: %+v %+v", r.Repurchase, r.Satisfaction)
	}
	if r := recovery.Measure(nil, nil, nil, nil); r.Repurchase.Enough || len(r.Costs) != 0 {
		t.Errorf("nobody complained: %+v", r)
	}
}
