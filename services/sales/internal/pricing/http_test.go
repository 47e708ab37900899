package pricing_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	erasurev1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/erasure/activities/v1"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
	"github.com/guanxi-crm/guanxi/services/sales/internal/salestest"
)

type body = map[string]any

// shop is a running service of a pizzeria with a price list.
type shop struct {
	*salestest.World
	t       *testing.T
	manager string
	members int64
}

func open(t *testing.T) *shop {
	t.Helper()
	w := salestest.Start(t)
	s := &shop{World: w, t: t, manager: w.Token(auth.RoleManager, "pizza")}
	s.put("/v1/product-categories/food", body{"name": "Food"})
	s.put("/v1/product-categories/pizza", body{"name": "Pizza", "parent": "food"})
	s.put("/v1/products/MARGHERITA", body{"name": "Margherita", "category": "pizza"})
	s.put("/v1/products/COLA", body{"name": "Cola"})
	s.put("/v1/products/GONE", body{"name": "Gone", "archived": true})
	s.put("/v1/products/FREE", body{"name": "Not in the list"})
	s.put("/v1/price-lists/shops", body{"name": "Shops", "currency": "CNY"})
	s.put("/v1/price-lists/shops/prices/MARGHERITA", body{"unit_minor": 6900})
	s.put("/v1/price-lists/shops/prices/COLA", body{"unit_minor": 333, "tiers": []body{{"min_quantity": 10, "unit_minor": 300}}})
	s.put("/v1/price-lists/shops/prices/GONE", body{"unit_minor": 1})
	return s
}

func (s *shop) put(path string, b body) {
	s.t.Helper()
	s.Want(http.StatusOK, http.MethodPut, path, s.manager, b, nil, "If-Match", "*")
}

type pricedView struct {
	PriceList string `json:"price_list"`
	Benefits  []string
	Lines     []struct {
		SKU          string
		UnitMinor    int64 `json:"unit_minor"`
		FromQuantity int64 `json:"from_quantity"`
		ListMinor    int64 `json:"list_minor"`
		AmountMinor  int64 `json:"amount_minor"`
		Discounts    []struct {
			Rule, Words string
			AmountMinor int64 `json:"amount_minor"`
		}
	}
	ListMinor     int64 `json:"list_minor"`
	DiscountMinor int64 `json:"discount_minor"`
	TotalMinor    int64 `json:"total_minor"`
}

func basket(more body) body {
	b := body{"currency": "CNY", "channel": "shop", "lines": []body{{"sku": "MARGHERITA", "quantity": 2}, {"sku": "COLA", "quantity": 3}}}
	for k, v := range more {
		b[k] = v
	}
	return b
}

func (s *shop) price(more body) (v pricedView) {
	s.t.Helper()
	s.Want(http.StatusOK, http.MethodPost, "/v1/prices/calculate", s.Sales, basket(more), &v)
	return v
}

// hear publishes what loyalty tells of members, and waits until it was heard.
func (s *shop) hear(tenant string, events ...*loyaltyv1.TierChanged) {
	s.t.Helper()
	all := make([]bus.Event, len(events))
	for i, m := range events {
		m.MemberId = uuid.Must(uuid.NewV7()).String()
		data, err := protojson.Marshal(m)
		if err != nil {
			s.t.Fatal(err)
		}
		all[i] = bus.Event{ID: uuid.Must(uuid.NewV7()), Type: string(m.ProtoReflect().Descriptor().FullName()), Source: "/guanxi/loyalty", Epoch: 1, Tenant: tenant,
			AggregateType: "member", AggregateID: m.MemberId, Sequence: 1, Time: time.Now().UTC(), Data: data}
	}
	s.Publish("loyalty", all...)
	s.members += int64(len(events))
	s.Eventually("loyalty's events are heard", func() bool {
		return s.Count(`SELECT coalesce(sum(next_offset), 0)::bigint FROM inbox_position WHERE consumer = 'customer_tiers'`) == s.members
	})
}

func tier(customer uuid.UUID, code string, at time.Time) *loyaltyv1.TierChanged {
	return &loyaltyv1.TierChanged{CustomerId: customer.String(), Programme: "standard", Tier: code, Rank: 1, Reason: "earned", ChangedAt: timestamppb.New(at)}
}

// benefit publishes that members of these tiers have something.
func (s *shop) benefit(code string, tiers ...string) {
	s.put("/v1/benefits/"+code, body{"text_en": "10 % off.", "text_zh": "九折。", "tiers": tiers})
}

func TestABasketCostsWhatListAndRulesSayAndTellsWhy(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.put("/v1/price-rules/pizza", body{"name": "Pizza week", "position": 1, "scope": "line", "condition": `"food" in path && quantity >= 2`, "percent_hundredths": 1050})
	s.put("/v1/price-rules/coupon", body{"name": "Coupon", "position": 2, "scope": "basket", "condition": `channel == "shop"`, "amount_minor": 1000, "currency": "CNY"})
	v := s.price(nil)
	if v.PriceList != "shops" || v.ListMinor != 14799 || v.DiscountMinor != 2449 || v.TotalMinor != 12350 {
		t.Fatalf("%+v", v)
	}
	if l := v.Lines[0]; l.ListMinor != 13800 || len(l.Discounts) != 2 || l.Discounts[0].Words != "Pizza week: 10.5 % off the line (14.49 CNY)" || l.Discounts[1].AmountMinor != 925 {
		t.Errorf("%+v", l)
	}
	if l := v.Lines[1]; l.UnitMinor != 333 || l.FromQuantity != 1 || l.AmountMinor != 924 || len(l.Discounts) != 1 || l.Discounts[0].Rule != "coupon" {
		t.Errorf("%+v", l)
	}
	if v := s.price(body{"channel": "web", "lines": []body{{"sku": "COLA", "quantity": 10}}}); v.TotalMinor != 3000 || v.Lines[0].FromQuantity != 10 {
		t.Errorf("ten colas: %+v", v)
	}
	s.Want(http.StatusUnprocessableEntity, http.MethodPost, "/v1/prices/calculate", s.Token(auth.RoleSales, "music"), basket(nil), nil)
}

func TestRulesAndListsHoldForTheirTime(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.put("/v1/price-rules/autumn", body{"name": "Autumn", "position": 1, "scope": "line", "percent_hundredths": 5000, "valid_from": "2026-09-01T00:00:00Z", "valid_to": "2026-12-01T00:00:00Z"})
	s.put("/v1/price-rules/old", body{"name": "Old", "position": 1, "scope": "line", "percent_hundredths": 10000, "archived": true})
	s.put("/v1/price-rules/yen", body{"name": "Yen", "position": 1, "scope": "basket", "amount_minor": 100, "currency": "JPY"})
	s.put("/v1/price-lists/winter", body{"name": "Winter", "currency": "CNY", "valid_from": "2026-12-24T00:00:00Z", "valid_to": "2026-12-27T00:00:00Z"})
	s.put("/v1/price-lists/winter/prices/COLA", body{"unit_minor": 1})
	cola := func(at string, more body) int64 {
		b := body{"at": at, "lines": []body{{"sku": "COLA", "quantity": 2}}}
		for k, v := range more {
			b[k] = v
		}
		return s.price(b).TotalMinor
	}
	for at, want := range map[string]int64{
		"2026-08-31T23:59:59Z": 666, "2026-09-01T00:00:00Z": 333, "2026-11-30T23:59:59Z": 333, "2026-12-01T00:00:00Z": 666, "2026-12-24T00:00:00Z": 2, "2026-12-27T00:00:00Z": 666,
	} {
		if got := cola(at, nil); got != want {
			t.Errorf("at %s: %d, want %d", at, got, want)
		}
	}
	if got := cola("2026-12-25T00:00:00Z", body{"price_list": "shops"}); got != 666 {
		t.Errorf("by the list that was named: %d", got)
	}
}

func TestOnlyPublishedBenefitsKnowTheTier(t *testing.T) {
	t.Parallel()
	s := open(t)
	gold, silver, other := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	now := time.Now()
	s.hear("pizza", tier(gold, "gold", now), tier(silver, "silver", now),
		&loyaltyv1.TierChanged{CustomerId: other.String(), Programme: "staff", Tier: "gold", ChangedAt: timestamppb.New(now)})
	s.hear("music", tier(other, "gold", now))
	rule := body{"name": "Gold price", "position": 1, "scope": "basket", "condition": `"gold_price" in benefits`, "percent_hundredths": 1000}
	early := s.Want(http.StatusUnprocessableEntity, http.MethodPut, "/v1/price-rules/gold", s.manager, rule, nil, "If-Match", `"0"`)
	if early.Code() != "price_rule_unfair" {
		t.Fatalf("of a benefit that is not there: %s", early.Body)
	}
	s.benefit("gold_price", "gold", "platinum")
	s.put("/v1/price-rules/gold", rule)
	for name, c := range map[string]struct {
		customer uuid.UUID
		want     int64
	}{"gold": {gold, 13319}, "silver": {silver, 14799}, "of another programme, and of another tenant": {other, 14799}, "unknown": {uuid.New(), 14799}} {
		if v := s.price(body{"customer_id": c.customer}); v.TotalMinor != c.want || (len(v.Benefits) == 1) != (name == "gold") {
			t.Errorf("%s: %+v", name, v)
		}
	}
	if v := s.price(body{"customer_id": gold, "at": now.AddDate(0, 0, -1)}); v.TotalMinor != 14799 {
		t.Errorf("before it was published: %+v", v)
	}
	s.put("/v1/benefits/gold_price", body{"text_en": "Ended.", "text_zh": "已结束。", "tiers": []string{"gold"}, "withdrawn": true})
	if v := s.price(body{"customer_id": gold}); v.TotalMinor != 14799 {
		t.Errorf("after it was withdrawn: %+v", v)
	}
}

// TestNoRuleGetsRoundFairness tries every way that is left once names of profiles are refused.
func TestNoRuleGetsRoundFairness(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.benefit("published", "gold")
	tomorrow := time.Now().AddDate(0, 0, 1).UTC()
	s.put("/v1/benefits/tomorrow", body{"text_en": "Soon.", "text_zh": "即将。", "tiers": []string{"ruby"}, "published_from": tomorrow})
	s.put("/v1/benefits/withdrawn", body{"text_en": "Gone.", "text_zh": "已无。", "tiers": []string{"gold"}, "withdrawn": true})
	s.hear("pizza", tier(uuid.Must(uuid.NewV7()), "jade", time.Now()))
	s.hear("music", tier(uuid.Must(uuid.NewV7()), "opal", time.Now()))
	rule := func(condition string, more body) body {
		b := body{"name": "R", "position": 1, "scope": "line", "condition": condition, "percent_hundredths": 1000}
		for k, v := range more {
			b[k] = v
		}
		return b
	}
	for name, c := range map[string]struct {
		rule body
		ok   bool
	}{
		"a published benefit":         {rule(`"published" in benefits`, nil), true},
		"a grade":                     {rule(`grade == "A"`, nil), false},
		"a tier, of the whole basket": {rule(`tier == "gold"`, body{"scope": "basket"}), false},
		"a risk, in a rule that goes into the archive": {rule(`risk > 2`, body{"archived": true}), false},
		"a device":                                        {rule(`device.os == "ios"`, nil), false},
		"something nobody thought of":                     {rule(`star_sign == "leo"`, nil), false},
		"a benefit that was never written":                {rule(`"none" in benefits`, nil), false},
		"one that is published tomorrow, used today":      {rule(`"tomorrow" in benefits`, nil), false},
		"one that is published by when the rule begins":   {rule(`"tomorrow" in benefits`, body{"valid_from": tomorrow}), true},
		"one that was withdrawn":                          {rule(`"withdrawn" in benefits`, nil), false},
		"one behind another":                              {rule(`"published" in benefits || !("none" in benefits)`, nil), false},
		"how many benefits":                               {rule(`size(benefits) == 2`, nil), false},
		"a code that is put together":                     {rule(`(sku + "") in benefits`, nil), false},
		"a channel of a device":                           {rule(`channel == "ios"`, nil), false},
		"a channel by its beginning":                      {rule(`channel.startsWith("i")`, nil), false},
		"a channel that bears a tier that customers have": {rule(`channel == "jade-desk"`, nil), false},
		"a price list that bears a benefit's tier":        {rule(`price_list in ["x", "ruby_prices"]`, nil), false},
		"a channel that bears another tenant's tier":      {rule(`channel == "opal"`, nil), true},
		"a channel": {rule(`channel == "web"`, nil), true},
	} {
		answer := s.Do(http.MethodPut, "/v1/price-rules/r", s.manager, c.rule, "If-Match", "*")
		switch {
		case c.ok && answer.Status != http.StatusOK:
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		case !c.ok && (answer.Status != http.StatusUnprocessableEntity || answer.Code() != "price_rule_unfair" || !strings.Contains(string(answer.Body), `"body.condition"`)):
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
	}
	// Nor does a caller tell anything of the customer along with the basket.
	for _, more := range []body{{"tier": "gold"}, {"grade": "A"}, {"customer": body{"tier": "gold"}}, {"benefits": []string{"published"}}, {"device": "ios"}} {
		s.Want(http.StatusUnprocessableEntity, http.MethodPost, "/v1/prices/calculate", s.Sales, basket(more), nil)
	}
}

func TestWhatWasPublishedStaysOnRecord(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.benefit("b", "gold")
	next := time.Now().AddDate(0, 1, 0).UTC().Truncate(time.Second)
	later := body{"text_en": "20 % off.", "text_zh": "八折。", "tiers": []string{"silver", "gold"}, "published_from": next}
	s.Want(http.StatusPreconditionFailed, http.MethodPut, "/v1/benefits/b", s.manager, later, nil, "If-Match", `"7"`)
	s.Want(http.StatusOK, http.MethodPut, "/v1/benefits/b", s.manager, later, nil, "If-Match", `"1"`)
	s.put("/v1/benefits/b", later) // the same again
	var page struct {
		Items []struct {
			Version int
			Tiers   []string
		}
	}
	s.Want(http.StatusOK, http.MethodGet, "/v1/benefits/b/versions", s.Sales, nil, &page)
	if len(page.Items) != 2 || page.Items[0].Version != 2 || !slices.Equal(page.Items[0].Tiers, []string{"gold", "silver"}) || !slices.Equal(page.Items[1].Tiers, []string{"gold"}) {
		t.Fatalf("%+v", page)
	}
	silver := uuid.Must(uuid.NewV7())
	s.hear("pizza", tier(silver, "silver", time.Now()))
	s.put("/v1/price-rules/r", body{"name": "R", "position": 1, "scope": "line", "condition": `"b" in benefits`, "percent_hundredths": 10000})
	if v := s.price(body{"customer_id": silver}); v.TotalMinor != 14799 {
		t.Errorf("before the second version: %+v", v)
	}
	if v := s.price(body{"customer_id": silver, "at": next}); v.TotalMinor != 0 {
		t.Errorf("by the second version: %+v", v)
	}
	before := s.Want(http.StatusUnprocessableEntity, http.MethodPut, "/v1/benefits/b", s.manager, body{"text_en": "A", "text_zh": "B", "tiers": []string{"x"}}, nil, "If-Match", "*")
	if !strings.Contains(string(before.Body), "published_from_before") {
		t.Errorf("a version before one that is planned: %s", before.Body)
	}
	past := s.Want(http.StatusUnprocessableEntity, http.MethodPut, "/v1/benefits/c", s.manager,
		body{"text_en": "A", "text_zh": "B", "tiers": []string{"x"}, "published_from": "2026-01-01T00:00:00Z"}, nil, "If-Match", `"0"`)
	if !strings.Contains(string(past.Body), "published_from_past") {
		t.Errorf("published in the past: %s", past.Body)
	}
	var none struct{ Items []any }
	s.Want(http.StatusOK, http.MethodGet, "/v1/benefits", s.Token(auth.RoleSales, "music"), nil, &none)
	if len(none.Items) != 0 {
		t.Errorf("another tenant sees %v", none.Items)
	}
}

func TestTheTierThatWasToldLastCounts(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.benefit("gold_price", "gold")
	s.put("/v1/price-rules/gold", body{"name": "Gold", "position": 1, "scope": "line", "condition": `"gold_price" in benefits`, "percent_hundredths": 10000})
	wei, li := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	at := time.Now().Add(-time.Hour)
	has := func(customer uuid.UUID) bool { return s.price(body{"customer_id": customer}).TotalMinor == 0 }
	s.hear("pizza", tier(wei, "gold", at.Add(time.Minute)), tier(wei, "silver", at), tier(li, "silver", at.Add(2*time.Minute)))
	if !has(wei) || has(li) {
		t.Error("what came later but is older has won")
	}
	s.hear("pizza", tier(wei, "silver", at.Add(30*time.Second)))
	if !has(wei) {
		t.Error("an older one of a later batch has won")
	}
	accounts := s.Accounts("pizza")
	accounts.Merge(wei, li) // Li, who is silver, is whom both ids mean now
	if has(wei) || has(li) {
		t.Error("the absorbed one's tier counts before the survivor's")
	}
	accounts.Undo(wei, li)
	if !has(wei) || has(li) {
		t.Error("after the undo each has its own again")
	}
	nobody := uuid.Must(uuid.NewV7())
	accounts.Merge(wei, nobody)
	if !has(nobody) {
		t.Error("a survivor of whom nothing was told has what the absorbed one has")
	}
}

func TestAnErasedCustomersTierIsForgottenAndNotLearnedAgain(t *testing.T) {
	t.Parallel()
	s := open(t)
	wei, li := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	s.hear("pizza", tier(wei, "gold", time.Now()), tier(li, "gold", time.Now()))
	_, done := s.AskToErase("pizza", wei)
	if !slices.ContainsFunc(done, func(d *erasurev1.Erased) bool {
		return d.GetWhat() == "customer_tier" && d.GetCount() == 1 && d.GetLeft() == 0
	}) {
		t.Errorf("%v", done)
	}
	s.hear("pizza", tier(wei, "gold", time.Now()))
	if n := s.Count(`SELECT count(*) FROM customer_tier`); n != 1 {
		t.Errorf("%d customers have a tier, want the one who was not erased", n)
	}
	gone := s.Want(http.StatusGone, http.MethodPost, "/v1/prices/calculate", s.Sales, basket(body{"customer_id": wei}), nil)
	if gone.Code() != "customer_erased" {
		t.Errorf("%s", gone.Body)
	}
}

func TestABasketThatCannotBePricedNamesWhy(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.put("/v1/price-lists/past", body{"name": "Past", "currency": "CNY", "valid_to": "2020-01-01T00:00:00Z"})
	for name, c := range map[string]struct {
		basket body
		want   string
	}{
		"no such product":          {basket(body{"lines": []body{{"sku": "COLA", "quantity": 1}, {"sku": "PEPSI", "quantity": 1}}}), "body.lines[1].sku sku_unknown"},
		"one that is sold no more": {basket(body{"lines": []body{{"sku": "GONE", "quantity": 1}}}), "body.lines[0].sku sku_archived"},
		"one without a price":      {basket(body{"lines": []body{{"sku": "FREE", "quantity": 1}}}), "body.lines[0].sku price_missing"},
		"more than can be counted": {basket(body{"lines": []body{{"sku": "COLA", "quantity": int64(1) << 52}}}), "body.lines[0].quantity amount_too_large"},
		"no list of the currency":  {basket(body{"currency": "JPY"}), "body.price_list price_list_missing"},
		"a currency that is none":  {basket(body{"currency": "XYZ"}), "body.currency currency_unknown"},
		"a list that is none":      {basket(body{"price_list": "none"}), "body.price_list price_list_unknown"},
		"a list of the past":       {basket(body{"price_list": "past"}), "body.price_list price_list_not_valid"},
		"another currency's list":  {basket(body{"price_list": "shops", "currency": "HKD"}), "body.currency currency_differs"},
	} {
		var p struct {
			Code   string
			Errors []struct{ Location, Code string }
		}
		s.Want(http.StatusUnprocessableEntity, http.MethodPost, "/v1/prices/calculate", s.Sales, c.basket, &p)
		if p.Code != "basket_invalid" || len(p.Errors) != 1 || p.Errors[0].Location+" "+p.Errors[0].Code != c.want {
			t.Errorf("%s: %+v, want %s", name, p, c.want)
		}
	}
}

func TestRulesAreListedInTheirOrder(t *testing.T) {
	t.Parallel()
	s := open(t)
	for i, code := range []string{"d", "c", "b", "a"} {
		s.put("/v1/price-rules/"+code, body{"name": code, "position": i / 2, "scope": "line", "percent_hundredths": 1, "archived": code == "b"})
	}
	for archived, want := range map[string]string{"false": "c d a", "true": "c d a b"} {
		var got []string
		query := url.Values{"limit": {"1"}, "archived": {archived}}
		for {
			var page struct {
				Items []struct{ Code string }
				Next  string `json:"next_cursor"`
			}
			s.Want(http.StatusOK, http.MethodGet, "/v1/price-rules?"+query.Encode(), s.Sales, nil, &page)
			for _, r := range page.Items {
				got = append(got, r.Code)
			}
			if page.Next == "" {
				break
			}
			query.Set("cursor", page.Next)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("archived %s: %v, want %s", archived, got, want)
		}
	}
	s.Want(http.StatusForbidden, http.MethodPut, "/v1/price-rules/x", s.Sales, body{"name": "X", "position": 1, "scope": "line", "percent_hundredths": 1}, nil, "If-Match", `"0"`)
}

func TestPricesRefuseBadInput(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.benefit("b", "gold")
	const rule = `{"name":"R","position":1,"scope":"line","condition":"quantity > 1","percent_hundredths":10,"exclusive":false}`
	s.put("/v1/price-rules/r", body{"name": "R", "position": 1, "scope": "line", "percent_hundredths": 10})
	calculate := `{"currency":"CNY","channel":"shop","lines":[{"sku":"COLA","quantity":%d}]}`
	star := http.Header{"If-Match": {"*"}}
	for name, target := range map[string]badinput.Target{
		"list rules":    {Method: http.MethodGet, Path: "/v1/price-rules", List: true},
		"get rule":      {Method: http.MethodGet, Path: "/v1/price-rules/r", Owned: true},
		"put rule":      {Method: http.MethodPut, Path: "/v1/price-rules/r", Body: rule, Version: true, Header: star},
		"list benefits": {Method: http.MethodGet, Path: "/v1/benefits", List: true},
		"get benefit":   {Method: http.MethodGet, Path: "/v1/benefits/b", Owned: true},
		"put benefit":   {Method: http.MethodPut, Path: "/v1/benefits/b", Body: `{"text_en":"A","text_zh":"B","tiers":["gold"]}`, Version: true, Header: star},
		"list versions": {Method: http.MethodGet, Path: "/v1/benefits/b/versions", List: true, Owned: true},
		"calculate":     {Method: http.MethodPost, Path: "/v1/prices/calculate", Body: fmt.Sprintf(calculate, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = s.URL, s.manager
			badinput.Check(t, target)
		})
	}
}
