package pricing

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

func codes(f []problem.Field) (all []string) {
	for _, one := range f {
		all = append(all, one.Location+" "+one.Code)
	}
	return all
}

// priced is a basket of lines of these amounts, one unit each.
func priced(amounts ...int64) Priced {
	p := Priced{Currency: "CNY", PriceList: "shops"}
	for i, a := range amounts {
		p.Lines = append(p.Lines, PricedLine{SKU: fmt.Sprint("S", i), Quantity: 1, UnitMinor: a, FromQuantity: 1, ListMinor: a, AmountMinor: a})
	}
	return p
}

func always(Rule, int) bool { return true }

func amounts(p Priced) (all []int64) {
	for _, l := range p.Lines {
		all = append(all, l.AmountMinor)
	}
	return all
}

func TestRulesTakeOffInTheirOrder(t *testing.T) {
	t.Parallel()
	tenth := Rule{Code: "tenth", Name: "Sale", Scope: Line, PercentHundredths: 1000}
	half := Rule{Code: "half", Name: "Half", Scope: Line, PercentHundredths: 5000}
	coupon := Rule{Code: "coupon", Name: "Coupon", Scope: Whole, AmountMinor: 1000, Currency: "CNY"}
	alone := func(r Rule) Rule { r.Exclusive = true; return r }
	for name, c := range map[string]struct {
		lines []int64
		rules []Rule
		want  []int64
	}{
		"none":                                  {[]int64{100, 50}, nil, []int64{100, 50}},
		"a half of a minor unit is rounded up":  {[]int64{5, 4, 15}, []Rule{tenth}, []int64{4, 4, 13}},
		"each of what the one before left":      {[]int64{1000}, []Rule{tenth, half}, []int64{450}},
		"an amount of the whole line":           {[]int64{700, 300}, []Rule{{Code: "a", Scope: Line, AmountMinor: 500, Currency: "CNY"}}, []int64{200, 0}},
		"a coupon is spread":                    {[]int64{1000, 1000, 1000}, []Rule{coupon}, []int64{666, 667, 667}},
		"by what is left, not by the list":      {[]int64{2000, 1000}, []Rule{{Code: "a", Scope: Line, AmountMinor: 1000, Currency: "CNY"}, coupon}, []int64{0, 0}},
		"more than all takes all":               {[]int64{400, 300}, []Rule{coupon}, []int64{0, 0}},
		"to the line that lost most":            {[]int64{1, 1, 8}, []Rule{{Code: "c", Scope: Whole, AmountMinor: 5, Currency: "CNY"}}, []int64{0, 1, 4}},
		"an exclusive line rule ends its lines": {[]int64{1000, 500}, []Rule{alone(tenth), half}, []int64{900, 450}},
		"and comes too late after another":      {[]int64{1000}, []Rule{half, alone(tenth)}, []int64{500}},
		"what it ended bears no coupon":         {[]int64{5000}, []Rule{alone(tenth), coupon}, []int64{4500}},
		"an exclusive basket rule ends all":     {[]int64{5000, 5000}, []Rule{alone(coupon), tenth}, []int64{4500, 4500}},
		"and comes too late after any":          {[]int64{5000, 5000}, []Rule{tenth, alone(coupon)}, []int64{4500, 4500}},
		"what takes nothing ends nothing":       {[]int64{0, 1000}, []Rule{alone(tenth), half}, []int64{0, 900}},
	} {
		p := priced(c.lines...)
		p.reduce(c.rules, always)
		if got := amounts(p); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

func TestADiscountExplainsItself(t *testing.T) {
	t.Parallel()
	p := priced(1999, 1000)
	p.reduce([]Rule{
		{Code: "sale", Name: "Autumn sale", Scope: Line, PercentHundredths: 1250},
		{Code: "coupon", Name: "Coupon", Scope: Whole, AmountMinor: 500, Currency: "CNY"},
	}, func(r Rule, line int) bool { return r.Scope == Whole || line == 0 })
	var got []string
	for _, l := range p.Lines {
		for _, d := range l.Discounts {
			got = append(got, d.Rule+": "+d.Words)
		}
	}
	want := []string{
		"sale: Autumn sale: 12.5 % off the line (2.50 CNY)",
		"coupon: Coupon: 5.00 CNY off the basket, this line's share (3.18 CNY)",
		"coupon: Coupon: 5.00 CNY off the basket, this line's share (1.82 CNY)",
	}
	if !slices.Equal(got, want) || p.ListMinor != 2999 || p.DiscountMinor != 750 || p.TotalMinor != 2249 {
		t.Errorf("%q\n%+v", got, p)
	}
	for currency, want := range map[string]string{"JPY": "1234", "KWD": "1.234", "USD": "12.34"} {
		if got := major(1234, currency); got != want {
			t.Errorf("%s: %s", currency, got)
		}
	}
	if percent(1205) != "12.05 %" || percent(1000) != "10 %" {
		t.Error(percent(1205), percent(1000))
	}
}

// drawRules draws rules of every kind.
func drawRules(t *rapid.T) []Rule {
	rules := make([]Rule, rapid.IntRange(0, 8).Draw(t, "rules"))
	for i := range rules {
		r := Rule{Code: fmt.Sprint("r", i), Name: "R", Scope: rapid.SampledFrom([]Scope{Line, Whole}).Draw(t, "scope"), Exclusive: rapid.IntRange(0, 3).Draw(t, "exclusive") == 0}
		if rapid.Bool().Draw(t, "percent?") {
			r.PercentHundredths = rapid.Int32Range(1, hundred).Draw(t, "percent")
		} else {
			r.AmountMinor, r.Currency = rapid.Int64Range(1, money.Max).Draw(t, "amount"), "CNY"
			if rapid.Bool().Draw(t, "small") {
				r.AmountMinor = r.AmountMinor%1000 + 1
			}
		}
		rules[i] = r
	}
	return rules
}

func drawAmounts(t *rapid.T) []int64 {
	n := rapid.IntRange(1, 12).Draw(t, "lines")
	most := rapid.SampledFrom([]int64{10, 1000, money.Max / int64(n)}).Draw(t, "most")
	return rapid.SliceOfN(rapid.Int64Range(0, most), n, n).Draw(t, "amounts")
}

func TestTheTotalIsTheSumOfTheLinesWhateverTheRulesAre(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		lines, rules := drawAmounts(t), drawRules(t)
		holds := rapid.Uint64().Draw(t, "holds")
		p := priced(lines...)
		p.reduce(rules, func(r Rule, line int) bool {
			return holds>>((uint(slices.IndexFunc(rules, func(o Rule) bool { return o.Code == r.Code }))*7+uint(line+1))%64)&1 == 1
		})
		var list, off, total int64
		for i, l := range p.Lines {
			if l.AmountMinor < 0 || l.ListMinor != lines[i] {
				t.Fatalf("line %d: %+v", i, l)
			}
			left := l.ListMinor
			for _, d := range l.Discounts {
				if d.AmountMinor <= 0 {
					t.Fatalf("line %d: %+v", i, d)
				}
				left -= d.AmountMinor
			}
			if left != l.AmountMinor {
				t.Fatalf("line %d: the discounts leave %d, the amount is %d", i, left, l.AmountMinor)
			}
			list, total = list+l.ListMinor, total+l.AmountMinor
			off += l.ListMinor - l.AmountMinor
		}
		if p.ListMinor != list || p.TotalMinor != total || p.DiscountMinor != off {
			t.Fatalf("%+v, want %d - %d = %d", p, list, off, total)
		}
	})
}

// exactly rounds a fraction half away from zero with integers of any size: another way than the one that is tested.
func exactly(amount, part, whole int64) int64 {
	twice := new(big.Int).Mul(big.NewInt(2*part), big.NewInt(amount))
	twice.Add(twice, big.NewInt(whole))
	return twice.Quo(twice, new(big.Int).Mul(big.NewInt(2), big.NewInt(whole))).Int64()
}

func TestAPercentageIsRoundedHalfAwayFromZero(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		amount, percent := rapid.Int64Range(0, money.Max).Draw(t, "amount"), rapid.Int64Range(0, hundred).Draw(t, "percent")
		if got, want := portion(amount, percent, hundred), exactly(amount, percent, hundred); got != want {
			t.Fatalf("%d of %d: got %d, want %d", percent, amount, got, want)
		}
	})
}

func TestABasketsDiscountIsSpreadByLargestRemainder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		weights := drawAmounts(t)
		var sum int64
		for _, w := range weights {
			sum += w
		}
		amount := rapid.Int64Range(0, sum).Draw(t, "amount")
		shares := spread(amount, weights)
		var total int64
		for i, s := range shares {
			total += s
			// Nobody is further than one unit from the exact share, and nobody bears more than there is.
			exact := new(big.Rat)
			if sum > 0 {
				exact.SetFrac(new(big.Int).Mul(big.NewInt(amount), big.NewInt(weights[i])), big.NewInt(sum))
			}
			apart := new(big.Rat).Sub(new(big.Rat).SetInt64(s), exact)
			if s < 0 || s > weights[i] || apart.Abs(apart).Cmp(big.NewRat(1, 1)) >= 0 {
				t.Fatalf("share %d of %d is %d, exactly %s", i, weights[i], s, exact)
			}
			for j := range shares { // the larger weight never bears less
				if weights[i] > weights[j] && s < shares[j] {
					t.Fatalf("%d of %d but %d of %d", s, weights[i], shares[j], weights[j])
				}
			}
		}
		if total != amount {
			t.Fatalf("%v come to %d, not %d", shares, total, amount)
		}
	})
}

func TestARuleThatReadsTheCustomerIsUnfair(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`grade == "A"`, `tier == "gold"`, `risk > 3`, `device == "ios"`, `customer.grade == "A"`, `customer["tier"] == "gold"`, `customer_id != ""`,
		`has(customer.age)`, `profile.income > 1`, `age < 30`, `.tier == "gold"`, `quantity > 1 && segment == "rich"`, `[grade].exists(g, g == "A")`,
		`skus.exists(s, tier == s)`, `{"a": tier}["a"] == "x"`, `quantity > (tier == "gold" ? 1 : 2)`, `size(string(score)) > 1`, `orders > 3`, `c139 == 3`,
		`size(benefits) > 0`, `benefits == ["a"]`, `benefits[0] == "a"`, `benefits.exists(b, b == "a")`, `channel in benefits`, `sku in benefits`,
		`("a" + "b") in benefits`, `[benefits].all(b, size(b) > 1)`, `"a" in (quantity > 1 ? benefits : [])`, `!("a" in benefits) && size(benefits) == 0`,
		`channel.startsWith("i")`, `size(channel) > 3`, `channel == sku`, `channel.matches("i.*")`, `channel == "ios"`, `channel in ["shop", "android_app"]`,
		`"iPhone" == channel`, `channel != "vip-shop"`, `price_list == "tier-1"`, `price_list.contains("x")`, `channel + "x" == "iosx"`, `channel < "j"`,
		`channel in skus`, `["ios"].exists(c, channel == c)`,
	} {
		_, _, f := check(text, Line)
		if len(f) == 0 || slices.ContainsFunc(f, func(one problem.Field) bool {
			return one.Code != codeUnfair || one.Location != "condition" || one.Message == ""
		}) {
			t.Errorf("%s: %v", text, f)
		}
	}
}

func TestARuleMayReadTheSale(t *testing.T) {
	t.Parallel()
	for text, benefits := range map[string][]string{
		"": nil, `quantity >= 3 && line_minor > 1000`: nil, `"drinks" in path`: nil, `category == "pizza"`: nil, `skus.exists(s, s == "COLA")`: nil,
		`channel == "shop" || channel in ["web", "till"]`: nil, `price_list != "shops"`: nil, `"birthday" in benefits`: {"birthday"},
		`!("a" in benefits) || "b" in benefits`: {"a", "b"}, `skus.exists(tier, tier == "COLA")`: nil, // a name of its own, that reads nothing
		`basket_minor > 10000 && basket_units < 5 && currency == "CNY" && "food" in categories`: nil, `int(unit_minor) > 5`: nil,
	} {
		got, _, f := check(text, Line)
		if len(f) > 0 || !slices.Equal(got, benefits) {
			t.Errorf("%s: %v, benefits %q", text, f, got)
		}
	}
	for text, code := range map[string]string{
		`quantity >`: "condition_malformed", `quantity + 1`: "condition_not_bool", `quantity == "a"`: "condition_malformed", `nothing(quantity)`: "condition_malformed",
		strings.Repeat(" ", 2001): "condition_too_long", `skus.all(a, skus.all(b, skus.all(c, a != b)))`: "condition_too_costly",
	} {
		if _, _, f := check(text, Line); len(f) == 0 || f[0].Code != code {
			t.Errorf("%.40s: %v, want %s", text, f, code)
		}
	}
	if _, _, f := check(`quantity > 1`, Whole); len(f) == 0 {
		t.Error("a rule of the basket reads a line")
	}
}

func TestConditionsAreAskedOfTheBasketAsItCostsByTheList(t *testing.T) {
	t.Parallel()
	p := priced(1000, 3000)
	p.Lines[0].Category, p.Lines[0].Path, p.Benefits = "cola", []string{"drinks", "cola"}, []string{"birthday"}
	facts := ask(p, "shop")
	p.reduce([]Rule{{Code: "a", Scope: Line, PercentHundredths: 5000}}, always) // changes no answer
	for text, want := range map[string][3]bool{                                 // of the two lines and of the basket
		`basket_minor == 4000 && basket_units == 2`:                  {true, true, true},
		`"drinks" in categories`:                                     {true, true, true},
		`"birthday" in benefits && channel == "shop"`:                {true, true, true},
		`"other" in benefits`:                                        {false, false, false},
		`price_list == "shops" && currency == "CNY" && "S1" in skus`: {true, true, true},
		`1 / (basket_units - 2) == 1`:                                {false, false, false}, // cannot answer
	} {
		for line := -1; line < 2; line++ {
			r := Rule{Scope: Line, Condition: text}
			at := line
			if line < 0 {
				r.Scope, at = Whole, 2
			}
			if got := facts.fits(r, line); got != want[at] {
				t.Errorf("%s of %d: %v", text, line, got)
			}
		}
	}
	for text, want := range map[string][2]bool{
		`"drinks" in path && category == "cola"`: {true, false}, `line_minor == 3000 && unit_minor == 3000 && quantity == 1 && sku == "S1"`: {false, true},
	} {
		for line := range 2 {
			if got := facts.fits(Rule{Scope: Line, Condition: text}, line); got != want[line] {
				t.Errorf("%s of %d: %v", text, line, got)
			}
		}
	}
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestARuleIsReadCritically(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Rule)
		want   []string
	}{
		"all in order":              {func(*Rule) {}, nil},
		"an amount":                 {func(r *Rule) { r.PercentHundredths, r.AmountMinor, r.Currency = 0, 500, "JPY" }, nil},
		"a code in capitals":        {func(r *Rule) { r.Code = "Sale" }, []string{"code code_malformed"}},
		"no name":                   {func(r *Rule) { r.Name = "" }, []string{"name name_malformed"}},
		"neither":                   {func(r *Rule) { r.PercentHundredths = 0 }, []string{"percent_hundredths discount_required"}},
		"both":                      {func(r *Rule) { r.AmountMinor, r.Currency = 5, "CNY" }, []string{"percent_hundredths discount_required"}},
		"more than all":             {func(r *Rule) { r.PercentHundredths = 10001 }, []string{"percent_hundredths percent_out_of_range"}},
		"less than nothing":         {func(r *Rule) { r.PercentHundredths, r.AmountMinor, r.Currency = 0, -5, "CNY" }, []string{"amount_minor amount_out_of_range"}},
		"an amount of nothing":      {func(r *Rule) { r.PercentHundredths, r.AmountMinor = 0, 5 }, []string{"currency currency_unknown"}},
		"a currency of nothing":     {func(r *Rule) { r.Currency = "CNY" }, []string{"currency currency_without_amount"}},
		"off something else":        {func(r *Rule) { r.Scope = "customer" }, []string{"scope scope_unknown"}},
		"a position below all":      {func(r *Rule) { r.Position = -1 }, []string{"position position_out_of_range"}},
		"the wrong way round":       {func(r *Rule) { r.From, r.To = noon, noon }, []string{"valid_to validity_empty"}},
		"a condition that is wrong": {func(r *Rule) { r.Condition = "1" }, []string{"condition condition_not_bool"}},
	} {
		r := Rule{Code: "sale", Name: "Sale", Scope: Line, PercentHundredths: 10}
		c.change(&r)
		if _, _, f := r.faults(); !slices.Equal(codes(f), c.want) {
			t.Errorf("%s: got %q, want %q", name, codes(f), c.want)
		}
	}
}

func TestABenefitIsSomethingThatCustomersCanRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Benefit)
		want   []string
	}{
		"all in order":            {func(*Benefit) {}, nil},
		"from tomorrow on":        {func(b *Benefit) { b.PublishedFrom = noon.AddDate(0, 0, 1) }, nil},
		"since yesterday":         {func(b *Benefit) { b.PublishedFrom = noon.AddDate(0, 0, -1) }, []string{"published_from published_from_past"}},
		"not in Chinese":          {func(b *Benefit) { b.TextZH = "" }, []string{"text_zh text_malformed"}},
		"not in English":          {func(b *Benefit) { b.TextEN = " " }, []string{"text_en text_malformed"}},
		"nobody's":                {func(b *Benefit) { b.Tiers = nil }, []string{"tiers tiers_out_of_range"}},
		"of a tier with a blank":  {func(b *Benefit) { b.Tiers = []string{"g d"} }, []string{"tiers[0] tier_malformed"}},
		"of one tier twice":       {func(b *Benefit) { b.Tiers = []string{"gold", "gold"} }, []string{"tiers[1] tier_twice"}},
		"of a code with a blank":  {func(b *Benefit) { b.Code = "a b" }, []string{"code code_malformed"}},
		"withdrawn, yet readable": {func(b *Benefit) { b.Withdrawn = true }, nil},
	} {
		b := Benefit{Code: "birthday", TextEN: "10 % off.", TextZH: "九折。", Tiers: []string{"gold"}, PublishedFrom: noon}
		c.change(&b)
		if f := b.faults(noon); !slices.Equal(codes(f), c.want) {
			t.Errorf("%s: got %q, want %q", name, codes(f), c.want)
		}
	}
}
