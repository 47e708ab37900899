package earning

import (
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/rule"
)

// drawn is a rule with what it gives, told without CEL.
type drawn struct {
	programme.Rule
	fits  func(o *rule.Order) bool
	gives func(o *rule.Order) *big.Rat
	takes func(l rule.Line) bool
}

func ratio(n, d int64) *big.Rat { return big.NewRat(n, d) }

func amountOf(minor int64, digits int) *big.Rat {
	r := ratio(minor, 1)
	for range digits {
		r.Quo(r, ratio(10, 1))
	}
	return r
}

// drawRule draws a rule of a kind.
func drawRule(t *rapid.T, kind string, n int) drawn {
	d := drawn{Rule: programme.Rule{Code: fmt.Sprintf("%s-%d", kind, n), Kind: kind}}
	switch rapid.IntRange(0, 3).Draw(t, "condition") {
	case 0:
		least := rapid.Int64Range(0, 3000).Draw(t, "least")
		d.When, d.fits = fmt.Sprintf("amount >= %d", least), func(o *rule.Order) bool { return amountOf(o.AmountMinor, o.Digits).Cmp(ratio(least, 1)) >= 0 }
	case 1:
		d.When, d.fits = `channel == "web"`, func(o *rule.Order) bool { return o.Channel == "web" }
	default:
		d.fits = func(*rule.Order) bool { return true }
	}
	a, b := rapid.Int64Range(1, 9).Draw(t, "a"), rapid.Int64Range(1, 30).Draw(t, "b")
	switch kind {
	case programme.RuleExclusion:
		d.Lines, d.takes = `line.category == "b" && line.amount > 1`, func(l rule.Line) bool { return l.Category == "b" }
	case programme.RuleMultiplier:
		d.Points, d.gives = fmt.Sprintf("1 + %d / %d", a, b), func(*rule.Order) *big.Rat { return ratio(a+b, b) }
	default:
		switch rapid.IntRange(0, 4).Draw(t, "shape") {
		case 0:
			d.Points, d.gives = fmt.Sprintf("amount * %d / %d", a, b), func(o *rule.Order) *big.Rat {
				return new(big.Rat).Mul(amountOf(o.AmountMinor, o.Digits), ratio(a, b))
			}
		case 1:
			d.Points, d.gives = fmt.Sprintf("floor(amount / %d) * %d.5", b, a), func(o *rule.Order) *big.Rat {
				full := new(big.Rat).Quo(amountOf(o.AmountMinor, o.Digits), ratio(b, 1))
				return new(big.Rat).Mul(new(big.Rat).SetInt(new(big.Int).Quo(full.Num(), full.Denom())), ratio(2*a+1, 2))
			}
		case 2:
			d.Points, d.gives = fmt.Sprintf(`lines.filter(l, l.category == "a").map(l, l.amount).sum() / %d`, b), func(o *rule.Order) *big.Rat {
				sum := new(big.Rat)
				for _, l := range o.Lines {
					if l.Category == "a" {
						sum.Add(sum, amountOf(l.AmountMinor, o.Digits))
					}
				}
				return sum.Quo(sum, ratio(b, 1))
			}
		case 3:
			d.Points, d.gives = fmt.Sprintf("units * %d", a), func(o *rule.Order) *big.Rat { return ratio(o.Units*a, 1) }
		default:
			d.Points, d.gives = fmt.Sprintf("%d / (units - %d)", a, b), func(o *rule.Order) *big.Rat { // may fail, and may be below zero
				if o.Units <= b {
					return nil
				}
				return ratio(a, o.Units-b)
			}
		}
	}
	return d
}

func drawOrder(t *rapid.T) rule.Order {
	o := rule.Order{
		Digits: rapid.SampledFrom([]int{0, 2, 3}).Draw(t, "digits"), Currency: "CNY", Channel: rapid.SampledFrom([]string{"web", "shop"}).Draw(t, "channel"),
		PlacedAt: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC), Zone: time.UTC,
	}
	for range rapid.IntRange(0, 5).Draw(t, "lines") {
		l := rule.Line{
			Category: rapid.SampledFrom([]string{"a", "b", ""}).Draw(t, "category"), Quantity: rapid.Int64Range(0, 9).Draw(t, "quantity"),
			AmountMinor: rapid.Int64Range(1001, 400_000).Draw(t, "amount"),
		}
		o.Lines, o.Units, o.TotalMinor = append(o.Lines, l), o.Units+l.Quantity, o.TotalMinor+l.AmountMinor
	}
	return o
}

// reference reckons what an order is worth slowly: fractions all the way, and caps point by point.
func reference(e programme.Earning, rules []drawn, o rule.Order, used map[string]int64) (points, qualifying int64, parts map[string]int64) {
	o.AmountMinor = o.TotalMinor
	for _, r := range rules {
		if r.Kind != programme.RuleExclusion || !r.fits(&rule.Order{AmountMinor: o.TotalMinor, Digits: o.Digits, Channel: o.Channel}) {
			continue
		}
		o.Lines = slices.DeleteFunc(slices.Clone(o.Lines), func(l rule.Line) bool {
			if r.takes(l) {
				o.AmountMinor, o.Units = o.AmountMinor-l.AmountMinor, o.Units-l.Quantity
			}
			return r.takes(l)
		})
	}
	type got struct {
		code  string
		exact *big.Rat
	}
	var all []got
	of := func(kind string) (some []drawn) {
		for _, r := range rules {
			if r.Kind == kind && r.fits(&o) && r.gives(&o) != nil {
				some = append(some, r)
			}
		}
		return some
	}
	now := map[string]*big.Rat{}
	base := new(big.Rat)
	for _, r := range of(programme.RuleBase) {
		all, now[r.Code] = append(all, got{r.Code, r.gives(&o)}), r.gives(&o)
		base.Add(base, r.gives(&o))
	}
	fit := of(programme.RuleMultiplier)
	covers := func(r drawn, code string) bool { return len(r.Of) == 0 || slices.Contains(r.Of, code) }
	for _, r := range fit {
		more := new(big.Rat)
		for code, was := range now {
			best := slices.MaxFunc(append(slices.Clone(fit), drawn{}), func(a, b drawn) int { // the first of the highest
				value := func(d drawn) *big.Rat {
					if d.Code == "" || !covers(d, code) {
						return new(big.Rat)
					}
					return d.gives(&o)
				}
				return value(a).Cmp(value(b))
			})
			if !covers(r, code) || e.Multipliers == programme.MultiplyHighest && best.Code != r.Code {
				continue
			}
			after := new(big.Rat).Mul(was, r.gives(&o))
			more.Add(more, new(big.Rat).Sub(after, was))
			now[code] = after
		}
		all = append(all, got{r.Code, more})
	}
	for _, r := range of(programme.RuleBonus) {
		all = append(all, got{r.Code, r.gives(&o)})
	}
	rounded := func(r *big.Rat) int64 {
		switch e.Rounding {
		case programme.RoundHalfUp:
			r = new(big.Rat).Add(r, ratio(1, 2))
		case programme.RoundUp:
			r = new(big.Rat).Neg(r)
			n, m := new(big.Int).DivMod(r.Num(), r.Denom(), new(big.Int))
			_ = m
			return -n.Int64()
		}
		return new(big.Int).Div(r.Num(), r.Denom()).Int64()
	}
	parts = map[string]int64{}
	sum := new(big.Rat)
	for _, g := range all {
		next := new(big.Rat).Add(sum, g.exact)
		parts[g.code] += rounded(next) - rounded(sum)
		sum = next
	}
	counted := func(c programme.Cap) (n int64) {
		for code, p := range parts {
			if len(c.Rules) == 0 || slices.Contains(c.Rules, code) {
				n += p
			}
		}
		return n
	}
	sorted := append(slices.DeleteFunc(slices.Clone(e.Caps), func(c programme.Cap) bool { return len(c.Rules) == 0 }),
		slices.DeleteFunc(slices.Clone(e.Caps), func(c programme.Cap) bool { return len(c.Rules) > 0 })...)
	for _, c := range sorted {
		for i := len(all) - 1; i >= 0; {
			code := all[i].code
			if counted(c) <= max(0, c.Points-used[c.Code]) {
				break
			}
			if parts[code] == 0 || len(c.Rules) > 0 && !slices.Contains(c.Rules, code) {
				i--
				continue
			}
			parts[code]--
		}
	}
	for _, p := range parts {
		points += p
	}
	return points, rounded(base), parts
}

// TestPointsAreThoseOfASlowReckoning compares what rules give with a reckoning that knows no CEL and takes no shortcut.
func TestPointsAreThoseOfASlowReckoning(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var (
			rules []drawn
			e     programme.Earning
			codes []string
		)
		for kind, most := range map[string]int{programme.RuleBase: 3, programme.RuleMultiplier: 3, programme.RuleBonus: 2, programme.RuleExclusion: 1} {
			least := 0
			if kind == programme.RuleBase {
				least = 1
			}
			for n := range rapid.IntRange(least, most).Draw(t, kind) {
				r := drawRule(t, kind, n)
				if kind == programme.RuleMultiplier && rapid.Bool().Draw(t, "of one") {
					r.Of = []string{"base-0"}
				}
				rules, e.Rules = append(rules, r), append(e.Rules, r.Rule)
				if kind != programme.RuleExclusion {
					codes = append(codes, r.Code)
				}
			}
		}
		e.Rounding = rapid.SampledFrom([]string{"", programme.RoundHalfUp, programme.RoundUp}).Draw(t, "rounding")
		e.Multipliers = rapid.SampledFrom([]string{"", programme.MultiplyHighest}).Draw(t, "multipliers")
		used := map[string]int64{}
		for n := range rapid.IntRange(0, 3).Draw(t, "caps") {
			c := programme.Cap{Code: fmt.Sprintf("cap-%d", n), Period: programme.PeriodMonth, Points: rapid.Int64Range(0, 3000).Draw(t, "cap")}
			if rapid.Bool().Draw(t, "of some") {
				c.Rules = []string{rapid.SampledFrom(codes).Draw(t, "capped"), codes[0]}
			}
			used[c.Code] = rapid.Int64Range(0, 1500).Draw(t, "used")
			e.Caps = append(e.Caps, c)
		}
		if faults := (programme.Terms{Earning: e}).Faults(); len(faults) > 0 {
			t.Fatalf("%+v", faults)
		}
		o := drawOrder(t)
		points, qualifying, parts := reference(e, rules, o, used)
		got := evaluate(e, &o, func(c programme.Cap, _, _ time.Time) int64 { return used[c.Code] })
		if got.Points != points || got.Qualifying != qualifying {
			t.Fatalf("got %d and %d, want %d and %d: %+v", got.Points, got.Qualifying, points, qualifying, got)
		}
		for _, p := range got.Parts {
			if parts[p.Rule] != p.Points || p.Points < 0 {
				t.Fatalf("%s: got %d, want %d", p.Rule, p.Points, parts[p.Rule])
			}
		}
		for _, c := range got.Caps {
			most := e.Caps[slices.IndexFunc(e.Caps, func(one programme.Cap) bool { return one.Code == c.Cap })].Points
			if c.Used > max(0, most-used[c.Cap]) || c.Left < 0 || c.Used+c.Left+used[c.Cap] != max(most, used[c.Cap]) {
				t.Fatalf("%+v of %d, %d used", c, most, used[c.Cap])
			}
		}
	})
}

func TestRulesThatCannotBeReckonedGiveNothing(t *testing.T) {
	t.Parallel()
	r := func(code, kind, points string) programme.Rule {
		return programme.Rule{Code: code, Kind: kind, Points: points}
	}
	e := programme.Earning{Rules: []programme.Rule{
		r("good", "base", "amount / 10"), r("zero", "base", "1 / (units - units)"), r("negative", "base", "0 - amount"), r("huge", "base", "9e15 * 2"),
		r("overflow", "base", "9223372036854775807 * (units + 1)"), r("missing", "base", "lines[99].amount"),
		r("less", "multiplier", "0.5"), r("wild", "multiplier", "1001"), r("twice", "multiplier", "2"), r("full", "bonus", "9007199254740991"),
		{Code: "unasked", Kind: "bonus", When: "1 / (units - units) > 0", Points: "7"},
		{Code: "off", Kind: "exclusion", Lines: "lines[99].amount > 1"},
	}}
	if faults := (programme.Terms{Earning: e}).Faults(); len(faults) > 0 {
		t.Fatalf("%+v", faults)
	}
	o := rule.Order{TotalMinor: 13890, Digits: 2, Units: 1, Lines: []rule.Line{{SKU: "x", Quantity: 1, AmountMinor: 13890}}, Zone: time.UTC}
	got := evaluate(e, &o, nil)
	if got.Points != 27 || got.Exact != "1389/50" {
		t.Fatalf("%+v", got)
	}
	why := map[string]string{}
	for _, f := range got.Failed {
		why[f.Rule] = f.Why
	}
	for code, want := range map[string]string{
		"zero": "division by zero", "negative": "below zero", "huge": "too large", "overflow": "integer overflow", "missing": "index out of bounds: 99",
		"less": "below 1", "wild": "too large", "full": "too large", "unasked": "division by zero", "off": "index out of bounds: 99",
	} {
		if why[code] != want {
			t.Errorf("%s: %q, want %q", code, why[code], want)
		}
	}
	if len(why) != 10 {
		t.Errorf("%v", why)
	}
}

func TestTheLargestOrderEarnsExactly(t *testing.T) {
	t.Parallel()
	o := rule.Order{TotalMinor: money.Max, Zone: time.UTC}
	e := programme.Earning{Rules: []programme.Rule{{Code: "all", Kind: "base", Points: "amount"}, {Code: "third", Kind: "bonus", Points: "amount_minor / 3"}}}
	if got := evaluate(e, &o, nil); got.Points != money.Max || len(got.Failed) != 1 || got.Failed[0].Rule != "third" {
		t.Fatalf("%+v", got)
	}
}

func TestAWholeOrderIsExcluded(t *testing.T) {
	t.Parallel()
	e := programme.Earning{Rules: []programme.Rule{{Code: "wholesale", Kind: "exclusion", When: `channel == "wholesale"`}}}
	for channel, want := range map[string]int64{"wholesale": 0, "shop": 138} {
		o := rule.Order{TotalMinor: 13890, Digits: 2, Channel: channel, Zone: time.UTC}
		if got := evaluate(e, &o, nil); got.Points != want || (want == 0) != (len(got.Excluded) == 1) || got.Qualifying != want {
			t.Errorf("%s: %+v", channel, got)
		}
	}
}

func TestPeriodsOfCapsAreThoseOfTheZone(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 30, 17, 0, 0, 0, time.UTC) // the first of December there, a Tuesday
	for period, want := range map[string][2]string{
		"day":   {"2026-12-01", "2026-12-02"},
		"week":  {"2026-11-30", "2026-12-07"},
		"month": {"2026-12-01", "2027-01-01"},
		"year":  {"2026-01-01", "2027-01-01"},
	} {
		from, until, ok := programme.Cap{Period: period}.Window(at, zone)
		if got := [2]string{from.In(zone).Format(time.DateOnly), until.In(zone).Format(time.DateOnly)}; !ok || got != want || from.In(zone).Hour() != 0 {
			t.Errorf("%s: %v", period, got)
		}
	}
	begin, end := at.Add(time.Hour), at.Add(2*time.Hour)
	if _, _, ok := (programme.Cap{Period: "campaign", From: &begin, Until: &end}).Window(at, zone); ok {
		t.Error("a campaign that has not begun")
	}
}
