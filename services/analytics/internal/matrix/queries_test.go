package matrix_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/services/analytics/internal/analyticstest"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/matrix"
)

// rules are a tenant's own: what is said at the till judges the product, unless it is how easy it was.
var rules = []body{
	{"about": "product", "kind": "csat", "touchpoint": "till", "satisfied_from": 5},
	{"about": "product", "kind": "csat", "satisfied_from": 4},
	{"about": "relationship", "kind": "ces", "satisfied_from": 6},
	{"about": "relationship", "kind": "questionnaire", "question": "trust", "satisfied_from": 3.5},
}

// judged is what the rules above make of an answer; ok is false where it judges nothing.
func judged(a answer) (about string, satisfied, ok bool) {
	switch {
	case a.Kind == "csat" && a.Touchpoint == "till":
		return "product", *a.Score >= 5, true
	case a.Kind == "csat":
		return "product", *a.Score >= 4, true
	case a.Kind == "ces":
		return "relationship", *a.Score >= 6, true
	case a.Kind == "questionnaire":
		trust, there := a.Ratings["trust"]
		return "relationship", trust >= 3.5, there
	}
	return "", false, false
}

func survey(random *rand.Rand, customers []uuid.UUID, n int) (all []answer) {
	for range n {
		a := answer{
			Answer: analyticstest.ID(), Customer: customers[random.IntN(len(customers))], At: today().AddDate(0, 0, -random.IntN(500)).Add(time.Duration(random.IntN(1400)) * time.Minute),
			Kind: []string{"csat", "nps", "ces", "questionnaire"}[random.IntN(4)], Touchpoint: []string{"", "till", "delivery"}[random.IntN(3)], Ratings: map[string]float64{},
		}
		switch a.Kind {
		case "csat":
			a.Score = number(1 + random.IntN(5))
		case "nps":
			a.Score = number(random.IntN(11))
		case "ces":
			a.Score = number(1 + random.IntN(7))
		default:
			a.Ratings[[]string{"trust", "relative_attitude"}[random.IntN(2)]] = float64(1 + random.IntN(5))
		}
		all = append(all, a)
	}
	return all
}

func TestSatisfactionIsThatOfTheLatestAnswersWithinAYear(t *testing.T) {
	t.Parallel()
	w := start(t)
	customers := ids(40)
	answers := survey(rand.New(rand.NewPCG(1, 1)), customers, 160)
	w.answers("music", answers)
	w.answers("pizza", survey(rand.New(rand.NewPCG(1, 9)), customers, 50))
	for _, id := range customers[2:] { // two are merged into the third
		w.portrait("music", id, 0, nil)
	}
	merges := w.Accounts("music")
	merges.Merge(customers[0], customers[1])
	merges.Merge(customers[1], customers[2])
	roots := map[uuid.UUID]uuid.UUID{customers[0]: customers[2], customers[1]: customers[2]}

	type view struct {
		Enough              bool
		Why                 string
		Customers, Known    int64
		UnknownProduct      int64 `json:"unknown_product"`
		UnknownRelationship int64 `json:"unknown_relationship"`
		UnknownBoth         int64 `json:"unknown_both"`
		Cells               []struct {
			Product, Relationship, Name string
			Customers                   int64
			Share, Low, High            float64
		}
	}
	check := func(asOf time.Time, judge func(answer) (string, bool, bool)) {
		t.Helper()
		latest := map[string]map[uuid.UUID]answer{"product": {}, "relationship": {}}
		for _, a := range answers {
			about, _, ok := judge(a)
			if !ok || !a.At.Before(asOf.AddDate(0, 0, 1)) || a.At.Before(asOf.AddDate(0, 0, 1-365)) {
				continue
			}
			root := whom(roots, a.Customer)
			if was, there := latest[about][root]; !there || was.At.Before(a.At) || was.At.Equal(a.At) && slices.Compare(was.Answer[:], a.Answer[:]) < 0 {
				latest[about][root] = a
			}
		}
		var want view
		cells := map[[2]bool]map[uuid.UUID]int64{{true, true}: {}, {true, false}: {}, {false, true}: {}, {false, false}: {}}
		for _, id := range customers[2:] {
			want.Customers++
			p, hasP := latest["product"][id]
			r, hasR := latest["relationship"][id]
			switch {
			case !hasP && !hasR:
				want.UnknownBoth++
			case !hasP:
				want.UnknownProduct++
			case !hasR:
				want.UnknownRelationship++
			default:
				want.Known++
				_, ps, _ := judge(p)
				_, rs, _ := judge(r)
				cells[[2]bool{ps, rs}][id] = 0
			}
		}
		day := asOf.Format(time.DateOnly)
		var got view
		w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/matrices/satisfaction?as_of="+day, w.Sales, nil, &got)
		require.Equal(t, []int64{want.Customers, want.Known, want.UnknownProduct, want.UnknownRelationship, want.UnknownBoth},
			[]int64{got.Customers, got.Known, got.UnknownProduct, got.UnknownRelationship, got.UnknownBoth})
		require.True(t, got.Enough)
		for _, c := range got.Cells {
			key := [2]bool{c.Product == "high", c.Relationship == "high"}
			require.Equal(t, matrix.Satisfied(key[0], key[1]), c.Name)
			require.EqualValues(t, len(cells[key]), c.Customers)
			require.InDelta(t, float64(c.Customers)/float64(want.Known), c.Share, 1e-4)
			require.Equal(t, cells[key], w.listed(fmt.Sprintf("/v1/analytics/matrices/satisfaction/customers?as_of=%s&product=%s&relationship=%s", day, c.Product, c.Relationship)))
		}
	}
	house := func(a answer) (string, bool, bool) {
		switch a.Kind {
		case "csat":
			return "product", *a.Score >= 4, true
		case "nps":
			return "relationship", *a.Score >= 9, true
		}
		return "", false, false
	}
	check(today(), house)
	check(today().AddDate(0, 0, -100), house)
	settings := body{"within_days": 365, "rules": rules, "attitude_question": "relative_attitude", "attitude_from": 4, "cohort": "month"}
	w.Want(http.StatusOK, http.MethodPut, "/v1/analytics/matrices/settings", w.Marketing, settings, nil, "If-Match", `"0"`)
	check(today(), judged)
}

func TestLoyaltyComparesRepeatPurchasesWithTheMedianOfTheCohort(t *testing.T) {
	t.Parallel()
	w := start(t)
	random := rand.New(rand.NewPCG(2, 1))
	customers := ids(50)
	type bought struct {
		days  int
		first time.Time
	}
	portraits := map[uuid.UUID]bought{}
	for i, id := range customers {
		b := bought{random.IntN(5), time.Date(2025, time.Month(1+random.IntN(5)), 1+random.IntN(28), 0, 0, 0, 0, time.UTC)}
		if i == 0 {
			b.days = 0
		}
		portraits[id] = b
		if b.days == 0 {
			w.portrait("music", id, 0, nil)
		} else {
			w.portrait("music", id, b.days, &b.first)
		}
	}
	answers := survey(random, customers, 300)
	w.answers("music", answers)
	first := portraits[customers[1]].first
	w.portrait("pizza", customers[1], 3, &first)

	for n, cohort := range []string{"month", "quarter", "year", "all"} {
		settings := body{"within_days": 300, "rules": rules, "attitude_question": "relative_attitude", "attitude_from": 3, "cohort": cohort}
		w.Want(http.StatusOK, http.MethodPut, "/v1/analytics/matrices/settings", w.Marketing, settings, nil, "If-Match", fmt.Sprintf(`"%d"`, n))
		key := func(first time.Time) string {
			switch cohort {
			case "month":
				return first.Format("2006-01")
			case "quarter":
				return fmt.Sprint(first.Year(), (int(first.Month())-1)/3)
			case "year":
				return fmt.Sprint(first.Year())
			default:
				return ""
			}
		}
		repeats := map[string][]int{}
		for _, b := range portraits {
			if b.days > 0 {
				repeats[key(b.first)] = append(repeats[key(b.first)], b.days-1)
			}
		}
		latest := map[uuid.UUID]answer{}
		for _, a := range answers {
			if _, there := a.Ratings["relative_attitude"]; !there || a.At.Before(today().AddDate(0, 0, 1-300)) {
				continue
			}
			if was, there := latest[a.Customer]; !there || was.At.Before(a.At) {
				latest[a.Customer] = a
			}
		}
		cells := map[[2]bool]map[uuid.UUID]int64{{true, true}: {}, {true, false}: {}, {false, true}: {}, {false, false}: {}}
		var buyers, known, none int64
		for id, b := range portraits {
			if b.days == 0 {
				none++
				continue
			}
			buyers++
			a, there := latest[id]
			if !there {
				continue
			}
			known++
			all := repeats[key(b.first)]
			slices.Sort(all)
			twice := all[(len(all)-1)/2] + all[len(all)/2]
			cells[[2]bool{a.Ratings["relative_attitude"] >= 3, 2*(b.days-1) >= twice}][id] = 0
		}
		var got struct {
			Enough                 bool
			Buyers, Known, Unknown int64
			NoPurchase             int64 `json:"no_purchase"`
			Cells                  []struct {
				Attitude, Repeat, Name string
				Customers              int64
			}
			Cohorts []struct {
				From      string
				Customers int
				Median    float64 `json:"median_repeats"`
			}
		}
		w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/matrices/loyalty", w.Sales, nil, &got)
		require.Equal(t, []int64{buyers, known, buyers - known, none}, []int64{got.Buyers, got.Known, got.Unknown, got.NoPurchase}, cohort)
		require.Len(t, got.Cohorts, len(repeats), cohort)
		for _, c := range got.Cells {
			k := [2]bool{c.Attitude == "high", c.Repeat == "high"}
			require.Equal(t, matrix.Loyal(k[0], k[1]), c.Name)
			require.EqualValues(t, len(cells[k]), c.Customers, "%s %s", cohort, c.Name)
			require.Equal(t, cells[k], w.listed(fmt.Sprintf("/v1/analytics/matrices/loyalty/customers?attitude=%s&repeat=%s", side(k[0]), side(k[1]))))
		}
	}
	var other struct {
		Why             string
		Buyers, Unknown int64
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/matrices/loyalty", w.Token("sales", "pizza"), nil, &other)
	require.Equal(t, []any{"no_answers", int64(1), int64(1)}, []any{other.Why, other.Buyers, other.Unknown})
}

// growth is the growth matrix as the API shows it.
type growth struct {
	Enough          bool
	Why             string
	Orders          int64
	RevenueMinor    int64 `json:"revenue_minor"`
	PreviousMinor   int64 `json:"previous_minor"`
	Growth          *float64
	UnknownCustomer int64 `json:"unknown_customer_minor"`
	UnknownProduct  int64 `json:"unknown_product_minor"`
	PreviousUnknown int64 `json:"previous_unknown_minor"`
	Cells           []struct {
		Customer, Product, Name string
		Customers               int64
		RevenueMinor            int64 `json:"revenue_minor"`
		PreviousMinor           int64 `json:"previous_minor"`
		Growth                  *float64
	}
}

// slowGrowth is the revenue of each customer in each cell ("old old"), what is known of no customer, and of no product.
func slowGrowth(purchases []purchase, from, to time.Time, roots map[uuid.UUID]uuid.UUID) (cells map[string]map[uuid.UUID]int64, noCustomer, noProduct, total, orders int64) {
	cells = map[string]map[uuid.UUID]int64{"old old": {}, "old new": {}, "new old": {}, "new new": {}}
	age := map[bool]string{true: "old", false: "new"}
	for _, p := range purchases {
		if p.Currency != "USD" || p.At.Before(from) || !p.At.Before(to) {
			continue
		}
		orders++
		total += p.Total
		if p.Customer == nil {
			noCustomer += p.Total
			continue
		}
		customer, oldCustomer := whom(roots, *p.Customer), false
		oldProducts := map[string]bool{}
		for _, before := range purchases {
			if !before.At.Before(from) {
				continue
			}
			for _, sku := range before.SKUs {
				oldProducts[sku] = true
			}
			if before.Customer != nil && whom(roots, *before.Customer) == customer && !before.Back {
				oldCustomer = true
			}
		}
		var amounts [3]int64
		var lines [2]int
		for i, sku := range p.SKUs {
			switch {
			case sku == "":
				amounts[2] += p.Amounts[i]
			case oldProducts[sku]:
				amounts[0] += p.Amounts[i]
				lines[0]++
			default:
				amounts[1] += p.Amounts[i]
				lines[1]++
			}
		}
		o, n, u := matrix.Split(p.Total, amounts[0], amounts[1], amounts[2])
		if lines[0] > 0 {
			cells[age[oldCustomer]+" old"][customer] += o
		}
		if lines[1] > 0 {
			cells[age[oldCustomer]+" new"][customer] += n
		}
		noProduct += u
	}
	return cells, noCustomer, noProduct, total, orders
}

func TestTheGrowthMatrixSharesOutTheRevenueExactly(t *testing.T) {
	t.Parallel()
	w := start(t)
	random := rand.New(rand.NewPCG(3, 1))
	customers := ids(30)
	purchases := history(random, customers, 200, 120)
	w.facts("music", purchases)
	w.facts("pizza", history(random, customers, 40, 120))
	merges := w.Accounts("music")
	merges.Merge(customers[0], customers[1])
	merges.Merge(customers[1], customers[2])
	roots := map[uuid.UUID]uuid.UUID{customers[0]: customers[2], customers[1]: customers[2]}
	for _, span := range [][2]int{{30, 0}, {60, 31}, {7, 3}, {20, 20}, {119, 0}} {
		from, to := today().AddDate(0, 0, -span[0]), today().AddDate(0, 0, -span[1])
		days := span[0] - span[1] + 1
		end := to.AddDate(0, 0, 1)
		cells, noCustomer, noProduct, total, orders := slowGrowth(purchases, from, end, roots)
		before, beforeNoCustomer, beforeNoProduct, beforeTotal, _ := slowGrowth(purchases, from.AddDate(0, 0, -days), from, roots)
		query := fmt.Sprintf("currency=USD&from=%s&to=%s", from.Format(time.DateOnly), to.Format(time.DateOnly))
		var got growth
		w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/matrices/growth?"+query, w.Sales, nil, &got)
		require.Equal(t, []int64{orders, total, beforeTotal, noCustomer, noProduct, beforeNoCustomer + beforeNoProduct},
			[]int64{got.Orders, got.RevenueMinor, got.PreviousMinor, got.UnknownCustomer, got.UnknownProduct, got.PreviousUnknown}, query)
		sum := got.UnknownCustomer + got.UnknownProduct
		for _, c := range got.Cells {
			key := c.Customer + " " + c.Product
			var revenue, previous int64
			for _, r := range cells[key] {
				revenue += r
			}
			for _, r := range before[key] {
				previous += r
			}
			require.Equal(t, []int64{int64(len(cells[key])), revenue, previous}, []int64{c.Customers, c.RevenueMinor, c.PreviousMinor}, "%s %s", query, key)
			require.Equal(t, matrix.Growth(c.Customer == "old", c.Product == "old"), c.Name)
			require.Equal(t, previous == 0, c.Growth == nil)
			require.Equal(t, cells[key], w.listed(fmt.Sprintf("/v1/analytics/matrices/growth/customers?%s&customer=%s&product=%s", query, c.Customer, c.Product)))
			sum += c.RevenueMinor
		}
		require.Equal(t, got.RevenueMinor, sum)
		require.EqualValues(t, got.RevenueMinor, w.Count(`SELECT coalesce(sum(gross_minor), 0)::bigint FROM live.sales_day WHERE tenant_id = 'music' AND currency = 'USD' AND day BETWEEN $1 AND $2`, from, to),
			"it is the revenue of the period")
	}
	var none growth
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/matrices/growth?currency=USD&from=1990-01-01&to=1990-12-31", w.Sales, nil, &none)
	require.Equal(t, []any{false, "no_orders", int64(0)}, []any{none.Enough, none.Why, none.RevenueMinor})
	require.Nil(t, none.Growth)
}

func TestSettingsThatBreakRulesAreRefusedAtTheirPlace(t *testing.T) {
	t.Parallel()
	w := start(t)
	with := func(field string, value any) body {
		b := body{"within_days": 365, "rules": rules, "attitude_question": "relative_attitude", "attitude_from": 4, "cohort": "month"}
		b[field] = value
		return b
	}
	one := func(change body) []body {
		rule := body{"about": "product", "kind": "csat", "satisfied_from": 4}
		for k, v := range change {
			rule[k] = v
		}
		return []body{rule, {"about": "relationship", "kind": "nps", "satisfied_from": 9}}
	}
	for _, c := range []struct {
		name     string
		body     body
		location string
	}{
		{"nothing on the relationship", with("rules", rules[:2]), "body.rules"},
		{"no rules", with("rules", []body{}), "body.rules"},
		{"about nothing", with("rules", one(body{"about": "weather"})), "body.rules[0].about"},
		{"a kind that is none", with("rules", one(body{"kind": "vote"})), "body.rules[0].kind"},
		{"a questionnaire has no score", with("rules", one(body{"kind": "questionnaire"})), "body.rules[0].question"},
		{"a question that is no code", with("rules", one(body{"question": "How was it?"})), "body.rules[0].question"},
		{"51 rules", with("rules", slices.Repeat(rules[:1], 51)), "body.rules"},
		{"no days", with("within_days", 0), "body.within_days"},
		{"a cohort that is none", with("cohort", "week"), "body.cohort"},
		{"no question on the attitude", with("attitude_question", ""), "body.attitude_question"},
	} {
		answer := w.Do(http.MethodPut, "/v1/analytics/matrices/settings", w.Marketing, c.body, "If-Match", "*")
		if answer.Status != http.StatusUnprocessableEntity || !strings.Contains(string(answer.Body), `"location":"`+c.location+`"`) {
			t.Errorf("%s: got %d %s, want 422 at %s", c.name, answer.Status, answer.Body, c.location)
		}
	}
	w.Want(http.StatusForbidden, http.MethodPut, "/v1/analytics/matrices/settings", w.Sales, with("cohort", "year"), nil, "If-Match", "*")
	w.Want(http.StatusOK, http.MethodPut, "/v1/analytics/matrices/settings", w.Marketing, with("cohort", "year"), nil, "If-Match", `"0"`)
	w.Want(http.StatusPreconditionFailed, http.MethodPut, "/v1/analytics/matrices/settings", w.Marketing, with("cohort", "year"), nil, "If-Match", `"0"`)
	var got struct {
		Version int64
		Cohort  string
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/analytics/matrices/settings", w.Token("sales", "pizza"), nil, &got)
	require.Zero(t, got.Version, "another tenant set nothing")
}
