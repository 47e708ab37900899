package rule_test

import (
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-crm/guanxi/services/loyalty/internal/rule"
)

func shanghai(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func order(t *testing.T) *rule.Order {
	t.Helper()
	return &rule.Order{
		AmountMinor: 13890, TotalMinor: 14890, Digits: 2, Currency: "CNY", Channel: "shop", Units: 5,
		Lines: []rule.Line{
			{SKU: "COF-1", Category: "coffee", Quantity: 3, AmountMinor: 9990}, {SKU: "CUP-1", Quantity: 2, AmountMinor: 3900},
		},
		PlacedAt: time.Date(2026, 11, 20, 16, 30, 0, 0, time.UTC), Zone: shanghai(t), // a Saturday, half past midnight, there
		Tier: "gold", MemberSince: time.Date(2026, 11, 10, 0, 0, 0, 0, time.UTC), BirthdayMonth: 11,
	}
}

func TestNumbersAreExact(t *testing.T) {
	t.Parallel()
	a := rule.Ask(order(t))
	for text, want := range map[string]string{
		`amount / 10`:            "13.89",
		`10 * amount`:            "1389",
		`amount * 1.5`:           "208.35",
		`0.1 + 0.2`:              "0.3",
		`5 / 2`:                  "2.5",
		`amount_minor / 1000`:    "13.89",
		`floor(amount / 10)`:     "13",
		`ceil(amount / 10)`:      "14",
		`round(13.5)`:            "14",
		`floor(-0.5)`:            "-1",
		`-amount`:                "-138.9",
		`1 / 3 * 3`:              "1",
		`total - amount`:         "10",
		`max(amount - 100, 0)`:   "38.9",
		`min(units, 3) * 2`:      "6",
		`units + 1`:              "6",
		`[0.5, 0.25].size() + 1`: "3",
		`lines.filter(l, l.category == "coffee").map(l, l.amount).sum() / 10`:    "9.99",
		`lines.filter(l, l.sku.startsWith("CUP-")).map(l, l.quantity * 2).sum()`: "4",
		`lines.filter(l, l.category == "tea").map(l, l.amount).sum()`:            "0",
		`amount > 100 ? amount : 0`:                                              "138.9",
		`amount > 200 ? amount / 10 : 5`:                                         "5",
		`(tier == "gold" ? 2 : 1) * 10`:                                          "20",
		`(amount > 200 ? amount : 5) / 2`:                                        "2.5",
		`tier == "gold" ? 1.5 : 1`:                                               "1.5",
	} {
		if faults := rule.CheckNumber(text, "points"); len(faults) > 0 {
			t.Errorf("%s: %+v", text, faults)
			continue
		}
		got, err := a.Many(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if w, _ := new(big.Rat).SetString(want); got.Cmp(w) != 0 {
			t.Errorf("%s: got %s, want %s", text, got.RatString(), want)
		}
	}
}

func TestConditionsAskForTheOrderAndItsBuyer(t *testing.T) {
	t.Parallel()
	a := rule.Ask(order(t))
	for text, want := range map[string]bool{
		``:                      true,
		`amount >= 138.9`:       true,
		`138.9 <= amount`:       true,
		`100 < amount`:          true,
		`amount == 138.9`:       true,
		`amount != 138`:         true,
		`amount_minor == 13890`: true,
		`currency == "CNY" && channel in ["shop", "web"]`: true,
		`tier == "gold"`:                                           true,
		`birthday_month == month`:                                  true,
		`weekday == 6 && hour == 0 && day == 21`:                   true,
		`first_purchase`:                                           false,
		`member_days < 30`:                                         true,
		`member_since < timestamp("2026-11-11T00:00:00Z")`:         true,
		`placed_at >= timestamp("2026-11-21T00:00:00+08:00")`:      true,
		`lines.exists(l, l.category == "coffee" && l.amount > 99)`: true,
		`lines.all(l, l.quantity > 2)`:                             false,
		`lines.size() == 2 && lines[1].sku == "CUP-1"`:             true,
		`"a" + "b" == "ab" && "a" < "b"`:                           true,
	} {
		if faults := rule.CheckCondition(text, "when"); len(faults) > 0 {
			t.Errorf("%s: %+v", text, faults)
			continue
		}
		if got, err := a.Holds(text); err != nil || got != want {
			t.Errorf("%s: %t, %v", text, got, err)
		}
	}
	if held, err := a.HoldsFor(`line.category == "" && tier == "gold"`, 1); !held || err != nil {
		t.Error(held, err)
	}
}

func TestWhatCannotBeARuleIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, code, message string }{
		"nothing":               {``, "rule_required", "amount / 10"},
		"half an expression":    {`amount /`, "rule_malformed", "line 1, column 9"},
		"an unknown fact":       {"amount\n  * colour", "rule_malformed", "line 2, column 5"},
		"an unknown field":      {`lines.map(l, l.ammount).sum()`, "rule_malformed", "ammount"},
		"a text":                {`channel`, "rule_not_number", "must give a number"},
		"yes or no":             {`amount > 1`, "rule_not_number", "bool"},
		"a text and a number":   {`channel + 1`, "rule_malformed", "no matching overload"},
		"a number on the left":  {`138 == amount ? 1 : 0`, "rule_malformed", "no matching overload"},
		"a double made of text": {`double("NaN")`, "rule_malformed", "double"},
		"loops in loops":        {`lines.map(a, lines.map(b, a.amount * b.amount).sum()).sum()`, "rule_too_costly", "nest fewer"},
		"too long":              {`1` + strings.Repeat(` + 1`, 600), "rule_too_long", "2000"},
		"endless brackets":      {strings.Repeat("(", 300) + "1" + strings.Repeat(")", 300), "rule_malformed", ""},
	} {
		faults := rule.CheckNumber(c.text, "points")
		if len(faults) == 0 || faults[0].Code != c.code || !strings.Contains(faults[0].Message, c.message) || faults[0].Location != "points" {
			t.Errorf("%s: %+v", name, faults)
		}
	}
	if faults := rule.CheckCondition(`line.sku == "x"`, "when"); len(faults) == 0 {
		t.Error("a condition on orders knows no line")
	}
	if faults := rule.CheckLine(`lines.exists(l, l.sku == line.sku && lines.exists(m, m.sku == l.sku))`, "line"); len(faults) == 0 || faults[0].Code != "rule_too_costly" {
		t.Errorf("%+v", faults)
	}
}

func TestWhatFailsWhenAskedSaysWhy(t *testing.T) {
	t.Parallel()
	o := order(t)
	o.AmountMinor = 0
	a := rule.Ask(o)
	for text, why := range map[string]string{
		`1 / amount`:                  "division by zero",
		`lines.size() / 0`:            "division by zero",
		`9223372036854775807 * units`: "overflow",
		`1e300 * 1e300 * total`:       "too large",
		`lines[7].amount`:             "index out of bounds",
		`units % 0`:                   "modulus by zero",
	} {
		if faults := rule.CheckNumber(text, "points"); len(faults) > 0 {
			t.Errorf("%s: %+v", text, faults)
			continue
		}
		if got, err := a.Many(text); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func TestRulesSayWhatTheyAskFor(t *testing.T) {
	t.Parallel()
	if !rule.Asks(`tier == "gold" && amount > 1`, "tier") || rule.Asks(`amount > 1`, "tier") || rule.Asks(``, "tier") {
		t.Error("tier")
	}
	if rule.Cost(`amount / 10`) == 0 || rule.Cost(`lines.map(l, l.amount).sum()`) < 1000 {
		t.Errorf("%d, %d", rule.Cost(`amount / 10`), rule.Cost(`lines.map(l, l.amount).sum()`))
	}
}
