package sla

import (
	"strings"
	"testing"
)

func TestConditionsThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, code, message string }{
		"a word that is no fact":       {`kind == "incident" && colour == "red"`, "condition_malformed", "line 1, column 23"},
		"broken on the second line":    {"kind == \"incident\"\n&& && tier == \"gold\"", "condition_malformed", "line 2, column 4"},
		"a number for a word":          {`priority == "1"`, "condition_malformed", "line 1, column 10"},
		"no answer":                    {`priority + 1`, "condition_not_bool", "yes or no"},
		"a value that may be anything": {`custom.vip`, "condition_not_bool", "yes or no"},
		"too long":                     {strings.Repeat("true && ", 300) + "true", "condition_too_long", "2000"},
		"loops in loops":               {`tags.all(a, tags.all(b, tags.all(c, a + b == c)))`, "condition_too_costly", "nest fewer"},
		"loops over lists of its own":  {`[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d, a+b+c+d > 0))))`, "condition_too_costly", "nest"},
		"brackets without end":         {strings.Repeat("(", 500) + "true" + strings.Repeat(")", 500), "condition_malformed", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, refused := compile(c.text, "condition")
			if len(refused) == 0 {
				t.Fatalf("was accepted: %+v", got)
			}
			if f := refused[0]; f.Code != c.code || !strings.Contains(f.Message, c.message) || f.Location != "condition" {
				t.Fatalf("%+v", refused)
			}
		})
	}
}

func TestConditionsFitByTheFacts(t *testing.T) {
	t.Parallel()
	f := Facts{
		Kind: "incident", Channel: "phone", Category: "delivery", Queue: "first", Impact: 1, Urgency: 2, Priority: 2, Tags: []string{"late", "vip"},
		Custom: map[string]any{"amount": 120.5, "count": 3.0, "risky": true, "site": "north"}, Grade: "A", Tier: "gold",
	}
	for text, want := range map[string]bool{
		``:                                    true,
		`true`:                                true,
		`kind == "incident" && priority <= 2`: true,
		`kind in ["incident", "complaint"] && !(channel in ["web"])`: true,
		`"vip" in tags`:                      true,
		`tags.exists(t, t.startsWith("la"))`: true,
		`tags.all(t, t == "vip")`:            false,
		`tier == "gold" || grade == "B"`:     true,
		`category.startsWith("deliv") && queue == "first" && impact < urgency`: true,
		`custom.amount > 120`:  true,
		`custom.count == 3`:    true,
		`custom.risky == true`: true,
		`custom.site == "north" && custom.site.contains("ort")`: true,
		`custom.colour == "red"`:                                false, // the ticket has no such value
		`has(custom.colour) && custom.colour == "red"`:          false,
		`!has(custom.colour)`:                                   true,
		`custom.site > 3`:                                       false, // cannot be compared
		`1 / (priority - 2) == 1`:                               false,
	} {
		c, refused := compile(text, "condition")
		if len(refused) > 0 {
			t.Errorf("%s: %+v", text, refused)
			continue
		}
		if got, err := c.fits(f); got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func TestACostlyConditionIsStopped(t *testing.T) {
	t.Parallel()
	c, refused := compile(`tags.exists(a, a.contains("late"))`, "condition")
	if len(refused) > 0 {
		t.Fatal(refused)
	}
	many := make([]string, 20_000) // more than a ticket can have: the estimate was wrong
	if fits, err := c.fits(Facts{Tags: many}); fits || err == nil || !strings.Contains(err.Error(), "cost limit") {
		t.Fatal(fits, err)
	}
}

func TestTheFirstPolicyThatFitsIsChosen(t *testing.T) {
	t.Parallel()
	all := []Policy{{Name: "broken", Condition: "custom.x == 1"}, {Name: "gold", Condition: `tier == "gold"`}, {Name: "rest"}}
	for tier, want := range map[string]string{"gold": "gold", "": "rest"} {
		if got, ok := Choose(all, Facts{Tier: tier}); !ok || got.Name != want {
			t.Errorf("%q: %+v", tier, got)
		}
	}
	if got, ok := Choose(all[:2], Facts{}); ok || got.Name != "" {
		t.Errorf("%+v", got)
	}
}
