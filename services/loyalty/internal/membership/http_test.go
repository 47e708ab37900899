package membership_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/membership"
)

type bought struct {
	ID    uuid.UUID `json:"membership_id"`
	State string
}

// buyHTTP buys over the API, where it is today.
func (c *club) buyHTTP(m loyaltytest.Member) (b bought) {
	c.t.Helper()
	c.Want(http.StatusCreated, http.MethodPost, m.Path+"/memberships", c.Manager,
		body{"plan": "gold_year", "payment_reference": uuid.NewString(), "paid": body{"minor": 19900, "currency": "CNY"}}, &b)
	return b
}

func TestAMembershipOverTheAPI(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	lily := c.Enrol()
	buy := body{"plan": "gold_year", "payment_reference": "PAY-1"}
	var first, again bought
	golden.JSON(t, "testdata/membership.json", c.Want(http.StatusCreated, http.MethodPost, lily.Path+"/memberships", c.Manager, buy, &first).Body)
	c.Want(http.StatusOK, http.MethodPost, lily.Path+"/memberships", c.Manager, buy, &again)
	if again != first || first.State != "active" {
		t.Errorf("first %+v, then %+v", first, again)
	}
	path := "/v1/memberships/" + first.ID.String()
	c.Want(http.StatusOK, http.MethodPost, path+"/renew", c.Manager, body{"payment_reference": "PAY-2"}, nil)
	c.Want(http.StatusConflict, http.MethodPost, path+"/renew", c.Manager, body{"payment_reference": "PAY-3"}, nil)
	c.Want(http.StatusOK, http.MethodPost, path+"/cancel", c.Manager, body{"reason": "moved"}, &again)
	if again.State != "ended" {
		t.Errorf("%+v", again)
	}
	music := c.Token(auth.RoleManager, "music")
	c.Want(http.StatusNotFound, http.MethodGet, path, music, nil, nil)
	var page struct{ Items []bought }
	for query, want := range map[string]int{
		"": 1, "?state=ended": 1, "?state=active": 0, "?member_id=" + lily.MemberID.String(): 1, "?member_id=" + uuid.NewString(): 0,
		"?customer_id=" + lily.CustomerID.String(): 1, "?customer_id=" + uuid.NewString(): 0,
	} {
		c.Want(http.StatusOK, http.MethodGet, "/v1/memberships"+query, c.Manager, nil, &page)
		if len(page.Items) != want {
			t.Errorf("%s: got %+v, want %d", query, page.Items, want)
		}
	}
	c.Want(http.StatusOK, http.MethodGet, "/v1/memberships", music, nil, &page)
	if len(page.Items) != 0 {
		t.Errorf("another tenant sees %+v", page.Items)
	}
	agent := c.Token(auth.RoleAgent, "pizza")
	c.Want(http.StatusOK, http.MethodGet, path, agent, nil, nil)
	c.Want(http.StatusForbidden, http.MethodPost, lily.Path+"/memberships", agent, buy, nil)
	c.Want(http.StatusForbidden, http.MethodPost, lily.Path+"/leave", agent, body{"reason": "moved"}, nil)
}

func TestHowManyRenewIsReportedOnceTheGraceTimeIsOver(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	const sold = 10
	var all []membership.Membership
	for n := range sold {
		all = append(all, c.buy(c.Enrol(), fmt.Sprintf("PAY-%d", n)))
	}
	if _, _, err := c.own.Buy(c.as("pizza"), c.Enrol().MemberID, "free_month", membership.Payment{Reference: "PAY-F"}); err != nil {
		t.Fatal(err) // never renewed, and so not in the report
	}
	c.is("2090-12-15 12:00")
	for n, s := range all[:4] {
		if _, err := c.own.Renew(c.as("pizza"), s.ID, membership.Payment{Reference: fmt.Sprintf("MORE-%d", n)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.own.Cancel(c.as("pizza"), all[9].ID, "moved"); err != nil {
		t.Fatal(err) // cut short: it was not to be renewed
	}
	month := func(tenant string) []membership.Rate {
		t.Helper()
		at := time.Date(2091, time.January, 1, 0, 0, 0, 0, time.UTC)
		_, rates, err := c.own.Report(c.as(tenant), membership.ReportQuery{From: at, To: at})
		if err != nil {
			t.Fatal(err)
		}
		return rates
	}
	if got := month("pizza"); len(got) != 1 || got[0] != (membership.Rate{Month: "2091-01", Programme: "standard", Plan: "gold_year", Open: 9}) {
		t.Errorf("before the end: %+v", got)
	}
	if got := month("pizza")[0].Interval(); got != nil {
		t.Errorf("a rate of nothing: %+v", got)
	}
	c.is("2091-01-12 12:00") // in the grace time
	c.scan()
	if _, err := c.own.Renew(c.as("pizza"), all[4].ID, membership.Payment{Reference: "LATE"}); err != nil {
		t.Fatal(err)
	}
	c.is("2091-02-01 12:00")
	c.scan()
	got := month("pizza")
	if len(got) != 1 || got[0] != (membership.Rate{Month: "2091-01", Programme: "standard", Plan: "gold_year", Due: 9, Renewed: 5}) {
		t.Fatalf("%+v", got)
	}
	// Wilson's interval of 5 of 9.
	if i := got[0].Interval(); fmt.Sprintf("%.4f %.4f %.4f", i.Value, i.Low, i.High) != "0.5556 0.2666 0.8112" {
		t.Errorf("%+v", i)
	}
	if got := month("music"); len(got) != 0 {
		t.Errorf("another tenant sees %+v", got)
	}
}

func TestMembershipsRefuseBadInput(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	left := c.Enrol()
	c.Want(http.StatusOK, http.MethodPost, left.Path+"/leave", c.Manager, body{"reason": "moved"}, nil)
	buy := fmt.Sprintf(`{"plan":"gold_year","payment_reference":%q,"paid":{"minor":19900,"currency":"CNY"}}`, uuid.NewString())
	of := func() string { return "/v1/memberships/" + c.buyHTTP(c.Enrol()).ID.String() }
	for name, target := range map[string]badinput.Target{
		"buy":    {Method: http.MethodPost, Path: c.Enrol().Path + "/memberships", Body: buy, Owned: true, Replay: true, OtherBody: `{"plan":"gold_year","payment_reference":"PAY-O"}`},
		"renew":  {Method: http.MethodPost, Path: of() + "/renew", Body: `{"payment_reference":"PAY-R"}`, Owned: true, Replay: true, OtherBody: `{"payment_reference":"PAY-O"}`},
		"cancel": {Method: http.MethodPost, Path: of() + "/cancel", Body: `{"reason":"moved"}`, Owned: true},
		"get":    {Method: http.MethodGet, Path: of(), Owned: true},
		"list":   {Method: http.MethodGet, Path: "/v1/memberships", List: true},
		"report": {Method: http.MethodGet, Path: "/v1/memberships/report"},
		"leave":  {Method: http.MethodPost, Path: c.Enrol().Path + "/leave", Body: `{"reason":"moved"}`, Owned: true},
		"rejoin": {Method: http.MethodPost, Path: left.Path + "/rejoin", Body: `{"reason":"came_back"}`, Owned: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = c.URL, c.Manager
			badinput.Check(t, target)
		})
	}
	path := c.Enrol().Path
	for name, bad := range map[string]body{
		"a plan that is none":     {"plan": "silver", "payment_reference": "PAY-1"},
		"a plan that is no code":  {"plan": "Gold Year", "payment_reference": "PAY-1"},
		"no payment":              {"plan": "gold_year"},
		"an empty payment":        {"plan": "gold_year", "payment_reference": ""},
		"a payment with words":    {"plan": "gold_year", "payment_reference": "paid by Lily"},
		"a negative amount":       {"plan": "gold_year", "payment_reference": "PAY-1", "paid": body{"minor": -1, "currency": "CNY"}},
		"a huge amount":           {"plan": "gold_year", "payment_reference": "PAY-1", "paid": body{"minor": 1e18, "currency": "CNY"}},
		"a fraction":              {"plan": "gold_year", "payment_reference": "PAY-1", "paid": body{"minor": 199.5, "currency": "CNY"}},
		"another amount":          {"plan": "gold_year", "payment_reference": "PAY-1", "paid": body{"minor": 1, "currency": "CNY"}},
		"a currency that is none": {"plan": "gold_year", "payment_reference": "PAY-1", "paid": body{"minor": 19900, "currency": "XXX"}},
		"an amount of nothing":    {"plan": "gold_year", "payment_reference": "PAY-1", "paid": body{"minor": 19900}},
	} {
		if got := c.Do(http.MethodPost, path+"/memberships", c.Manager, bad); got.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: got %d %s", name, got.Status, got.Body)
		}
	}
	for _, query := range []string{"from=0000-01&to=0000-02", "to=0000-01", "from=9999-12&to=9999-12"} {
		c.Want(http.StatusOK, http.MethodGet, "/v1/memberships/report?"+query, c.Manager, nil, nil)
	}
	for _, query := range []string{"from=2026-13", "from=2026", "from=2026-12&to=2026-11", "from=2000-01&to=2026-01", "to=x", "from=2026-1"} {
		if got := c.Do(http.MethodGet, "/v1/memberships/report?"+query, c.Manager, nil); got.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: got %d %s", query, got.Status, got.Body)
		}
	}
}

func TestPlansAndRulesOfLeavingRefuseBadTerms(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	plan := func(change body) body {
		p := body{"code": "gold", "currency": "CNY", "fee_minor": 100, "months": 1}
		for k, v := range change {
			p[k] = v
		}
		return body{"plans": []body{p}}
	}
	for name, change := range map[string]body{
		"a code that is none":        plan(body{"code": "Gold!"}),
		"a currency that is none":    plan(body{"currency": "XXX"}),
		"a negative fee":             plan(body{"fee_minor": -1}),
		"a huge fee":                 plan(body{"fee_minor": 1_000_000_000_001}),
		"no months":                  plan(body{"months": 0}),
		"too many months":            plan(body{"months": 121}),
		"a tier that is none":        plan(body{"tier": "platinum"}),
		"too many points":            plan(body{"welcome_points": 1_000_001}),
		"negative points":            plan(body{"welcome_points": -1}),
		"a reminder before it began": plan(body{"reminder_days": 28}),
		"a negative reminder":        plan(body{"reminder_days": -1}),
		"more grace than a term":     plan(body{"grace_days": 28}),
		"negative grace":             plan(body{"grace_days": -1}),
		"a renewal that is none":     plan(body{"renewal": "by_magic"}),
		"a benefit that is no code":  plan(body{"benefits": []string{"Free!"}}),
		"a benefit twice":            plan(body{"benefits": []string{"a", "a"}}),
		"a name that is unreadable":  plan(body{"name": "a\nb"}),
		"two plans of a code":        {"plans": []body{plan(nil)["plans"].([]body)[0], plan(nil)["plans"].([]body)[0]}},
		"leaving without a rule":     {"leaving": body{"points": "burn"}},
		"leaving after no days":      {"leaving": body{"points": "forfeit_later"}},
		"leaving after too many":     {"leaving": body{"points": "forfeit_later", "days": 3651}},
		"leaving at once with days":  {"leaving": body{"points": "forfeit", "days": 3}},
	} {
		t.Run(name, func(t *testing.T) {
			bad := terms(nil)
			for k, v := range change {
				bad[k] = v
			}
			got := c.Do(http.MethodPost, "/v1/programmes/standard/versions", c.Manager, body{"terms": bad}, "If-Match", `"1"`)
			if got.Status != http.StatusUnprocessableEntity {
				t.Errorf("got %d %s", got.Status, got.Body)
			}
		})
	}
}
