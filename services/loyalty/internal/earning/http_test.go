package earning_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
)

func TestRulesAreTriedOnAnOrder(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	programmeOf(w, "standard", coffeeTerms())
	order := body{"lines": list{
		body{"sku": "COF-1", "quantity": 2, "amount_minor": 9990}, body{"sku": "GIFT-5", "quantity": 1, "amount_minor": 5000},
	}, "channel": "shop", "placed_at": "2026-11-20T17:00:00Z", "tier": "gold", "birthday_month": 3}
	type verdict struct {
		Fits          bool
		Gives, Failed string
		ExcludesLines []int `json:"excludes_lines"`
		ExcludesAll   bool  `json:"excludes_all"`
		Cost          uint64
	}
	for name, c := range map[string]struct {
		rule body
		want verdict
	}{
		"base":        {body{"kind": "base", "points": "amount / 10"}, verdict{Fits: true, Gives: "14.99"}},
		"of lines":    {body{"kind": "base", "points": `lines.filter(l, l.category == "coffee").map(l, l.amount).sum() / 3`}, verdict{Fits: true, Gives: "33.3"}},
		"weekday":     {body{"kind": "bonus", "when": "weekday == 6", "points": "5"}, verdict{Fits: true, Gives: "5"}},
		"not for it":  {body{"kind": "bonus", "when": "birthday_month == month", "points": "5"}, verdict{}},
		"over":        {body{"kind": "bonus", "until": "2026-11-01T00:00:00Z", "points": "5"}, verdict{}},
		"fails":       {body{"kind": "base", "points": "amount / (units - 3)"}, verdict{Fits: true, Failed: "division by zero"}},
		"fails when":  {body{"kind": "base", "when": "1 / (units - 3) > 1", "points": "1"}, verdict{Failed: "division by zero"}},
		"below zero":  {body{"kind": "base", "points": "-units"}, verdict{Fits: true, Gives: "-3", Failed: "below zero"}},
		"too little":  {body{"kind": "multiplier", "points": "0.5"}, verdict{Fits: true, Gives: "0.5", Failed: "below 1"}},
		"of a tier":   {body{"kind": "multiplier", "points": `tier == "gold" ? 1.5 : 1`}, verdict{Fits: true, Gives: "1.5"}},
		"without end": {body{"kind": "base", "points": "1 / 3"}, verdict{Fits: true, Gives: "0.3333"}},
		"a line":      {body{"kind": "exclusion", "lines": `line.category == "gift-card"`}, verdict{Fits: true, ExcludesLines: []int{1}}},
		"all":         {body{"kind": "exclusion", "when": `channel == "shop"`}, verdict{Fits: true, ExcludesAll: true}},
	} {
		c.rule["code"] = "try"
		var got verdict
		w.Want(http.StatusOK, http.MethodPost, "/v1/earning-rules/check", w.Manager, body{"rule": c.rule, "order": order}, &got)
		if got.Fits != c.want.Fits || got.Gives != c.want.Gives || got.Failed != c.want.Failed || got.ExcludesAll != c.want.ExcludesAll ||
			!slices.Equal(got.ExcludesLines, c.want.ExcludesLines) {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

func TestTermsThatSayWhatCannotBeEarnedAreRefused(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	rule := func(more body) body {
		r := body{"code": "base", "kind": "base", "points": "amount"}
		for k, v := range more {
			if v == nil {
				delete(r, k)
			} else {
				r[k] = v
			}
		}
		return r
	}
	one := func(more body) body { return body{"rules": list{rule(more)}} }
	capped := func(more body) body {
		c := body{"code": "month", "period": "month", "points": 10}
		for k, v := range more {
			c[k] = v
		}
		return body{"rules": list{rule(nil)}, "caps": list{c}}
	}
	many := make(list, 51)
	for i := range many {
		many[i] = rule(body{"code": "r" + uuid.NewString()[:8]})
	}
	costly := make(list, 12)
	for i := range costly {
		costly[i] = rule(body{"code": "r" + uuid.NewString()[:8], "points": `lines.filter(l, l.category == "x").map(l, l.amount).sum()`})
	}
	for name, c := range map[string]struct {
		earning  body
		at, code string
	}{
		"no code":                      {one(body{"code": "No Code"}), "rules[0].code", "code_malformed"},
		"a code twice":                 {body{"rules": list{rule(nil), rule(nil)}}, "rules[1].code", "code_twice"},
		"no points":                    {one(body{"points": nil}), "rules[0].points", "rule_required"},
		"half an expression":           {one(body{"points": "amount /"}), "rules[0].points", "rule_malformed"},
		"a fact that is none":          {one(body{"when": "colour == 1"}), "rules[0].when", "rule_malformed"},
		"a number for a condition":     {one(body{"when": "amount"}), "rules[0].when", "rule_not_bool"},
		"a condition for a number":     {one(body{"points": "amount > 1"}), "rules[0].points", "rule_not_number"},
		"runs long":                    {one(body{"points": "lines.map(a, lines.map(b, a.amount * b.amount).sum()).sum()"}), "rules[0].points", "rule_too_costly"},
		"all run long":                 {body{"rules": costly}, "rules", "rules_too_costly"},
		"too many":                     {body{"rules": many}, "rules", "too_many"},
		"lines of a base rule":         {one(body{"lines": "true"}), "rules[0].lines", "out_of_place"},
		"points of an exclusion":       {one(body{"kind": "exclusion"}), "rules[0].points", "out_of_place"},
		"multiplies nothing":           {one(body{"kind": "multiplier", "of": list{"other"}}), "rules[0].of[0]", "rule_unknown"},
		"multiplies as a base":         {one(body{"of": list{"base"}}), "rules[0].of", "out_of_place"},
		"ends before it begins":        {one(body{"from": "2026-11-01T00:00:00Z", "until": "2026-10-01T00:00:00Z"}), "rules[0].until", "out_of_range"},
		"a cap below zero":             {capped(body{"points": -1}), "caps[0].points", "out_of_range"},
		"a cap of no rule":             {capped(body{"rules": list{"other"}}), "caps[0].rules[0]", "rule_unknown"},
		"a cap of an endless campaign": {capped(body{"period": "campaign"}), "caps[0].from", "campaign_open"},
	} {
		got := w.Do(http.MethodPost, "/v1/programmes/standard/dry-runs", w.Manager, body{"terms": body{"return_days": 1, "join_by_purchase": true, "earning": c.earning}})
		if s := string(got.Body); got.Status != http.StatusUnprocessableEntity || !strings.Contains(s, "terms.earning."+c.at+`"`) || !strings.Contains(s, c.code) {
			t.Errorf("%s: %d %s", name, got.Status, s)
		}
	}
	for name, c := range map[string]struct{ earning body }{
		"a kind that is none":     {one(body{"kind": "gift"})},
		"a rounding that is none": {body{"rounding": "up-ish"}},
		"a period that is none":   {capped(body{"period": "decade"})},
		"a field that is none":    {one(body{"colour": "red"})},
	} {
		if got := w.Do(http.MethodPost, "/v1/programmes/standard/dry-runs", w.Manager, body{"terms": body{"return_days": 1, "join_by_purchase": true, "earning": c.earning}}); got.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", name, got.Status, got.Body)
		}
	}
	broken := w.Do(http.MethodPost, "/v1/earning-rules/check", w.Manager, body{"rule": body{"code": "x", "kind": "base", "points": "amount\n  * colour"}})
	if broken.Status != http.StatusUnprocessableEntity || !strings.Contains(string(broken.Body), "line 2, column 5") || !strings.Contains(string(broken.Body), `"body.rule.points"`) {
		t.Errorf("%d %s", broken.Status, broken.Body)
	}
}

func TestEarningRefusesBadInput(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	m := w.Enrol()
	o := loyaltytest.NewOrder(m.CustomerID)
	w.Tell(o.Placed(t, longAgo, 100))
	terms := `"terms":{"return_days":1,"join_by_purchase":true}`
	draft := func() string { return `{` + terms + `,"from":"2026-01-01T00:00:00Z","until":"2026-02-01T00:00:00Z"}` }
	w.Want(http.StatusOK, http.MethodPut, m.Path+"/birthday-month", w.Manager, body{"month": 3}, nil)
	for name, target := range map[string]badinput.Target{
		"explain": {Method: http.MethodGet, Path: "/v1/orders/" + o.ID.String() + "/earning", Owned: true},
		"month":   {Method: http.MethodPut, Path: m.Path + "/birthday-month", Body: `{"month":3}`, Owned: true},
		"read":    {Method: http.MethodGet, Path: m.Path + "/birthday-month", Owned: true},
		"check":   {Method: http.MethodPost, Path: "/v1/earning-rules/check", Body: `{"rule":{"code":"x","kind":"base","points":"1"}}`},
		"dry run": {Method: http.MethodPost, Path: "/v1/programmes/standard/dry-runs", Body: draft(), Replay: true, OtherBody: `{` + terms + `}`},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.Manager
			badinput.Check(t, target)
		})
	}
	agent := w.Token(auth.RoleAgent, "pizza")
	for name, c := range map[string]struct {
		method, path, token string
		body                any
		status              int
		code                string
	}{
		"month 13":              {http.MethodPut, m.Path + "/birthday-month", w.Manager, body{"month": 13}, 422, ""},
		"month 0":               {http.MethodPut, m.Path + "/birthday-month", w.Manager, body{"month": 0}, 422, ""},
		"half a month":          {http.MethodPut, m.Path + "/birthday-month", w.Manager, body{"month": 1.5}, 422, ""},
		"nobody's month":        {http.MethodPut, "/v1/members/" + uuid.NewString() + "/birthday-month", w.Manager, body{"month": 1}, 404, "member_not_found"},
		"an unknown order":      {http.MethodGet, "/v1/orders/" + uuid.NewString() + "/earning", w.Manager, nil, 404, "order_not_found"},
		"an unknown programme":  {http.MethodPost, "/v1/programmes/none/dry-runs", w.Manager, body{"terms": body{"return_days": 1, "join_by_purchase": true}}, 404, "programme_not_found"},
		"a day before":          {http.MethodPost, "/v1/programmes/standard/dry-runs", w.Manager, body{"terms": body{"return_days": 1, "join_by_purchase": true}, "from": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, 422, "dry_run_invalid"},
		"ten years":             {http.MethodPost, "/v1/programmes/standard/dry-runs", w.Manager, body{"terms": body{"return_days": 1, "join_by_purchase": true}, "from": "2016-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, 422, "dry_run_invalid"},
		"half a time":           {http.MethodPost, "/v1/programmes/standard/dry-runs", w.Manager, body{"terms": body{"return_days": 1, "join_by_purchase": true}, "from": "2016-01-02T00:00:00Z"}, 422, "dry_run_invalid"},
		"an unknown currency":   {http.MethodPost, "/v1/earning-rules/check", w.Manager, body{"rule": body{"code": "x", "kind": "base", "points": "1"}, "order": body{"currency": "XXX"}}, 422, "earning_rule_invalid"},
		"a negative order":      {http.MethodPost, "/v1/earning-rules/check", w.Manager, body{"rule": body{"code": "x", "kind": "base", "points": "1"}, "order": body{"total_minor": -1}}, 422, "earning_rule_invalid"},
		"an agent tries":        {http.MethodPost, "/v1/programmes/standard/dry-runs", agent, body{"terms": body{"return_days": 1, "join_by_purchase": true}}, 403, ""},
		"an agent explains":     {http.MethodGet, "/v1/orders/" + o.ID.String() + "/earning", agent, nil, 200, ""},
		"another tenant's runs": {http.MethodGet, "/v1/programmes/standard/dry-runs/" + uuid.NewString(), w.Manager, nil, 404, "dry_run_not_found"},
	} {
		if got := w.Do(c.method, c.path, c.token, c.body); got.Status != c.status || c.code != "" && got.Code() != c.code {
			t.Errorf("%s: got %d %s, want %d %s", name, got.Status, got.Body, c.status, c.code)
		}
	}
}
