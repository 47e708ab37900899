package tier_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/tier"
)

// shown is a member's tier as the API shows it.
type shown struct {
	MemberID     uuid.UUID `json:"member_id"`
	Tier         string
	Base         string
	CustomerTier string     `json:"customer_tier"`
	ValidUntil   *time.Time `json:"valid_until"`
	Qualifying   struct{ Count int64 }
	Next         *struct {
		Tier    string
		Missing int64
	}
	WillFall *struct {
		Tier    string
		Missing int64
	} `json:"will_fall"`
	Manual  *struct{ Tier, Reason string }
	Words   struct{ EN, ZH []string }
	History []struct {
		No           int
		Reason, Tier string
		Note, By     string
	}
}

// today is a world whose clock is that of the service.
func today(t *testing.T, tiers programme.Tiers) *years {
	t.Helper()
	y := newYears(t, "2026-01-01 00:00", tiers)
	now := time.Now().UTC().Truncate(time.Microsecond)
	y.now.Store(&now)
	return y
}

func TestATierExplainsItself(t *testing.T) {
	t.Parallel()
	y := newYears(t, "2027-03-01 10:00", metals())
	lily := y.crowd("pizza", 1, y.at("2026-05-01 00:00"))[0]
	y.buys(lily, 700, "order/1", "")
	y.is("2028-12-10 10:00")
	y.review(y.reviewer())
	y.buys(lily, 120, "order/2", "")
	seen, err := y.tiers.Get(as(t.Context(), "pizza"), lily)
	if err != nil {
		t.Fatal(err)
	}
	golden.JSON(t, "testdata/tier.json", tier.Show(seen))
}

func TestSentencesOfTiers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*programme.Tiers)
		points int64
		want   []string // of the sentences, in both languages
	}{
		"the lowest":           {func(*programme.Tiers) {}, 10, []string{"The tier is Bronze.", "490 more qualifying points by the end of 2027-12-31 make it Silver.", "在2027-12-31前（含当日）再获得490定级积分即可升至银卡。"}},
		"one that is safe":     {func(*programme.Tiers) {}, 1100, []string{"It is kept at least until the end of 2028-12-31.", "该等级至少保留至2028-12-31。"}},
		"with its period only": {func(t *programme.Tiers) { t.Keep = programme.KeepThisPeriod }, 600, []string{"It ends with its period: on 2028-01-01 it falls to Bronze.", "该等级随周期结束：将于2028-01-01降为铜卡。"}},
		"in the grace":         {func(t *programme.Tiers) { t.Keep, t.GraceDays = programme.KeepThisPeriod, 30 }, 600, []string{"It falls on 2028-01-31 to Bronze, unless 500 more qualifying points are earned before."}},
		"rolling":              {func(t *programme.Tiers) { t.Period, t.Months = programme.PeriodRolling, 6 }, 600, []string{"From 2026-09-02 to 2027-03-01 600 qualifying points count.", "400 more qualifying points by the end of 2027-08-31 make it Gold."}},
		"by growth":            {func(t *programme.Tiers) { t.DrivenBy = programme.DriveGrowth }, 600, []string{"The growth score is 0 of 1000.", "500 more points of growth score make it Silver.", "再获得500成长值即可升至银卡。"}},
		"no tiers":             {func(t *programme.Tiers) { *t = programme.Tiers{} }, 0, []string{"This programme has no tiers.", "该计划不设会员等级。"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tiers := metals()
			c.change(&tiers)
			zone := shanghai(t)
			now := time.Date(2027, 3, 1, 10, 0, 0, 0, zone)
			one := tier.NewCase(programme.Programme{Code: "club", Zone: zone, Version: 1, Terms: programme.Terms{Tiers: tiers}}, now)
			one.Look(now, c.points, now)
			w := one.Words()
			all := strings.Join(append(w.EN, w.ZH...), "\n")
			for _, want := range c.want {
				if !strings.Contains(all, want) {
					t.Errorf("%q is missing in\n%s", want, all)
				}
			}
			if len(w.EN) != len(w.ZH) {
				t.Errorf("%d sentences are %d in Chinese", len(w.EN), len(w.ZH))
			}
		})
	}
}

func TestATierThatAPersonSetIsAFloorUntilItsDate(t *testing.T) {
	t.Parallel()
	y := today(t, metals())
	lily := y.Enrol()
	path := lily.Path + "/tier"
	var got shown
	first := y.Want(http.StatusOK, http.MethodGet, path, y.Manager, nil, &got)
	if got.Tier != "bronze" || got.Next.Missing != 500 || first.Header.Get("ETag") != `"0"` {
		t.Fatalf("%+v", got)
	}
	until := time.Now().Add(40 * 24 * time.Hour).UTC().Truncate(time.Second)
	wish := body{"tier": "gold", "reason": "complaint", "until": until}
	y.Want(http.StatusPreconditionRequired, http.MethodPut, path, y.Manager, wish, nil)
	y.Want(http.StatusForbidden, http.MethodPut, path, y.Token(auth.RoleAgent, "pizza"), wish, nil, "If-Match", `"0"`)
	y.Want(http.StatusOK, http.MethodPut, path, y.Manager, wish, &got, "If-Match", `"0"`)
	if got.Tier != "gold" || got.Base != "bronze" || got.Manual == nil || got.Manual.Reason != "complaint" || got.History[0].Note != "complaint" || got.WillFall == nil || got.WillFall.Tier != "bronze" {
		t.Fatalf("%+v", got)
	}
	y.Want(http.StatusPreconditionFailed, http.MethodPut, path, y.Manager, wish, nil, "If-Match", `"0"`)
	y.buys(lily.MemberID, 600, "order/1", "") // earns silver beside it
	y.Want(http.StatusOK, http.MethodGet, path, y.Manager, nil, &got)
	if got.Tier != "gold" || got.Base != "silver" {
		t.Errorf("%+v", got)
	}
	after := until.Add(time.Second)
	y.now.Store(&after)
	y.review(y.reviewer())
	if level := y.tier(lily.MemberID); level != "silver" {
		t.Errorf("after its date: %s", level)
	}
	if n := y.Count(`SELECT count(*) FROM tier_decision WHERE reason = 'floor_ended' AND from_level = 'gold' AND level = 'silver'`); n != 1 {
		t.Error("the end of the floor was not decided once")
	}
}

func TestTheLowestTierTakesAManualOneAway(t *testing.T) {
	t.Parallel()
	y := today(t, metals())
	lily := y.Enrol()
	until := time.Now().Add(24 * time.Hour).UTC()
	var got shown
	y.Want(http.StatusOK, http.MethodPut, lily.Path+"/tier", y.Manager, body{"tier": "gold", "reason": "mistake", "until": until}, nil, "If-Match", `"0"`)
	y.Want(http.StatusOK, http.MethodPut, lily.Path+"/tier", y.Manager, body{"tier": "bronze", "reason": "undone", "until": until}, &got, "If-Match", `"1"`)
	if got.Tier != "bronze" || got.Manual != nil || len(got.History) != 2 || got.History[0].Note != "undone" {
		t.Errorf("%+v", got)
	}
	var page struct {
		Items []struct {
			No int
		}
		NextCursor string `json:"next_cursor"`
	}
	y.Want(http.StatusOK, http.MethodGet, lily.Path+"/tier/decisions?limit=1", y.Manager, nil, &page)
	cursor := page.NextCursor
	page.NextCursor = ""
	y.Want(http.StatusOK, http.MethodGet, lily.Path+"/tier/decisions?limit=1&cursor="+cursor, y.Manager, nil, &page)
	if len(page.Items) != 1 || page.Items[0].No != 1 || page.NextCursor != "" {
		t.Errorf("%+v", page)
	}
	y.Admin("UPDATE member SET state = 'left' WHERE id = $1", lily.MemberID)
	if left := y.Want(http.StatusConflict, http.MethodPut, lily.Path+"/tier", y.Manager, body{"tier": "gold", "reason": "x", "until": until}, nil, "If-Match", `"2"`); left.Code() != "member_left" {
		t.Errorf("%s", left.Body)
	}
}

func TestMembersOfOneCustomerKeepTheirTiersAndShareTheHighest(t *testing.T) {
	t.Parallel()
	y := today(t, metals())
	wei, li := y.Enrol(), y.Enrol()
	y.buys(wei.MemberID, 300, "order/1", "")
	y.buys(li.MemberID, 1000, "order/2", "")
	accounts := y.Accounts("pizza")
	accounts.Merge(li.CustomerID, wei.CustomerID)
	check := func(customer string) {
		t.Helper()
		var got shown
		y.Want(http.StatusOK, http.MethodGet, wei.Path+"/tier", y.Manager, nil, &got)
		if got.Tier != "bronze" || got.CustomerTier != customer || got.Qualifying.Count != 300 {
			t.Errorf("%+v, want the customer's tier %q", got, customer)
		}
	}
	check("gold")
	accounts.Undo(li.CustomerID, wei.CustomerID)
	check("")
}

func TestMembersByTierAndTheReport(t *testing.T) {
	t.Parallel()
	y := today(t, metals())
	crowd := y.crowd("pizza", 9, time.Now())
	for i, id := range crowd[:6] {
		y.buys(id, []int64{10, 600, 1200}[i%3], fmt.Sprint("order/", i), "")
	}
	y.Admin("UPDATE member SET state = 'left' WHERE id = $1", crowd[8])
	for level, want := range map[string]int{"bronze": 4, "silver": 2, "gold": 2} {
		var page struct {
			Items []struct {
				MemberID uuid.UUID `json:"member_id"`
			}
			NextCursor string `json:"next_cursor"`
		}
		found := 0
		for cursor := ""; ; cursor = page.NextCursor {
			page.NextCursor = ""
			y.Want(http.StatusOK, http.MethodGet, "/v1/tiers/members?limit=1&tier="+level+"&cursor="+cursor, y.Manager, nil, &page)
			if found += len(page.Items); page.NextCursor == "" {
				break
			}
		}
		if found != want {
			t.Errorf("%d members have %s, want %d", found, level, want)
		}
	}
	var report struct {
		Tiers []struct {
			Tier    string
			Members int64
		}
		Moves []struct {
			Tier   string
			Reason string
			Count  int64
		}
	}
	y.Want(http.StatusOK, http.MethodGet, "/v1/tiers/report", y.Manager, nil, &report)
	if fmt.Sprint(report) != "{[{bronze 4} {silver 2} {gold 2}] [{gold earned 2} {silver earned 2}]}" {
		t.Errorf("%v", report)
	}
	y.Want(http.StatusOK, http.MethodGet, "/v1/tiers/report?from=2020-01-01T00:00:00Z&to=2020-02-01T00:00:00Z", y.Manager, nil, &report)
	if len(report.Moves) != 0 {
		t.Errorf("%v", report.Moves)
	}
	other := y.Token(auth.RoleManager, "music")
	y.terms("music", 1, "2020-01-01 00:00", metals())
	y.Want(http.StatusOK, http.MethodGet, "/v1/tiers/report", other, nil, &report)
	if fmt.Sprint(report) != "{[{bronze 0} {silver 0} {gold 0}] []}" {
		t.Errorf("another tenant has %v", report)
	}
	y.Want(http.StatusNotFound, http.MethodGet, "/v1/members/"+crowd[0].String()+"/tier", other, nil, nil)
	y.Want(http.StatusNotFound, http.MethodGet, "/v1/members/"+crowd[0].String()+"/tier/decisions", other, nil, nil)
	y.Want(http.StatusNotFound, http.MethodPut, "/v1/members/"+crowd[0].String()+"/tier", other,
		body{"tier": "gold", "reason": "x", "until": time.Now().Add(time.Hour)}, nil, "If-Match", `"0"`)
}

func TestTiersRefuseBadInput(t *testing.T) {
	t.Parallel()
	y := today(t, metals())
	lily := y.Enrol()
	good := func(key string, value any) body {
		b := body{"tier": "gold", "reason": "complaint", "until": time.Now().Add(time.Hour).UTC()}
		b[key] = value
		return b
	}
	for name, c := range map[string]struct {
		body  body
		code  string
		field string
	}{
		"an unknown tier":      {good("tier", "platinum"), "tier_unknown", ""},
		"no code":              {good("tier", "Gold!"), "tier_invalid", "tier"},
		"a date in the past":   {good("until", "2020-01-01T00:00:00Z"), "tier_invalid", "until"},
		"a date too far":       {good("until", "2100-01-01T00:00:00Z"), "tier_invalid", "until"},
		"words for a reason":   {good("reason", "She called."), "tier_invalid", "reason"},
		"a membership's floor": {good("reason", "paid"), "tier_invalid", "reason"},
	} {
		answer := y.Want(http.StatusUnprocessableEntity, http.MethodPut, lily.Path+"/tier", y.Manager, c.body, nil, "If-Match", `"0"`)
		if answer.Code() != c.code || !strings.Contains(string(answer.Body), c.field) {
			t.Errorf("%s: %s", name, answer.Body)
		}
	}
	for path, code := range map[string]string{
		"/v1/tiers/members?tier=platinum":                                    "tier_unknown",
		"/v1/tiers/report?from=2027-01-01T00:00:00Z&to=2026-01-01T00:00:00Z": "period_invalid",
	} {
		if answer := y.Want(http.StatusUnprocessableEntity, http.MethodGet, path, y.Manager, nil, nil); answer.Code() != code {
			t.Errorf("%s: %s", path, answer.Body)
		}
	}
	y.Want(http.StatusNotFound, http.MethodGet, "/v1/tiers/report?programme=club", y.Manager, nil, nil)
	y.Want(http.StatusNotFound, http.MethodGet, "/v1/tiers/members?tier=gold&programme=club", y.Manager, nil, nil)
	set := fmt.Sprintf(`{"tier": "gold", "reason": "complaint", "until": %q}`, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	for name, target := range map[string]badinput.Target{
		"get":       {Method: http.MethodGet, Path: lily.Path + "/tier", Owned: true},
		"decisions": {Method: http.MethodGet, Path: lily.Path + "/tier/decisions", List: true, Owned: true},
		"members":   {Method: http.MethodGet, Path: "/v1/tiers/members?tier=gold", List: true},
		"report":    {Method: http.MethodGet, Path: "/v1/tiers/report"},
		"set":       {Method: http.MethodPut, Path: lily.Path + "/tier", Body: set, Version: true, Owned: true, Header: http.Header{"If-Match": {`"0"`}}},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = y.URL, y.Manager
			badinput.Check(t, target)
		})
	}
}

func TestTermsOfTiersThatCannotBeMeantAreRefused(t *testing.T) {
	t.Parallel()
	level := func(code string, threshold int64) programme.Level {
		return programme.Level{Code: code, Threshold: threshold}
	}
	for name, c := range map[string]struct {
		tiers programme.Tiers
		at    string
		code  string
	}{
		"levels that do not rise":   {programme.Tiers{Levels: []programme.Level{level("a", 0), level("b", 5), level("c", 5)}}, "levels[2].threshold", "not_rising"},
		"levels that fall":          {programme.Tiers{Levels: []programme.Level{level("a", 0), level("b", 5), level("c", 4)}}, "levels[2].threshold", "not_rising"},
		"a code twice":              {programme.Tiers{Levels: []programme.Level{level("a", 0), level("a", 5)}}, "levels[1].code", "code_twice"},
		"no code":                   {programme.Tiers{Levels: []programme.Level{level("", 0)}}, "levels[0].code", "code_malformed"},
		"below zero":                {programme.Tiers{Levels: []programme.Level{level("a", -1)}}, "levels[0].threshold", "out_of_range"},
		"huge":                      {programme.Tiers{Levels: []programme.Level{level("a", 0), level("b", 1<<62)}}, "levels[1].threshold", "out_of_range"},
		"a lowest that is earned":   {programme.Tiers{Levels: []programme.Level{level("a", 1)}}, "levels[0].threshold", "lowest_not_zero"},
		"a score above the highest": {programme.Tiers{DrivenBy: "growth", Levels: []programme.Level{level("a", 0), level("b", 1001)}}, "levels[1].threshold", "out_of_range"},
		"growth without a score":    {programme.Tiers{DrivenBy: "growth", Levels: []programme.Level{level("a", 0)}}, "driven_by", "growth_missing"},
		"an unknown period":         {programme.Tiers{Period: "week"}, "period", "unknown"},
		"an unknown drive":          {programme.Tiers{DrivenBy: "luck"}, "driven_by", "unknown"},
		"rolling without months":    {programme.Tiers{Period: "rolling"}, "months", "out_of_range"},
		"months of a year":          {programme.Tiers{Months: 3}, "months", "not_fitting"},
		"rolling for this period":   {programme.Tiers{Period: "rolling", Months: 3, Keep: "this_period"}, "keep", "not_fitting"},
		"grace below zero":          {programme.Tiers{GraceDays: -1}, "grace_days", "out_of_range"},
		"grace into the next":       {programme.Tiers{Period: "rolling", Months: 1, GraceDays: 28}, "grace_days", "out_of_range"},
		"a warning too early":       {programme.Tiers{WarnDays: 1000}, "warn_days", "out_of_range"},
		"a benefit twice":           {programme.Tiers{Levels: []programme.Level{{Code: "a", Benefits: []programme.TierBenefit{{Code: "x"}, {Code: "x"}}}}}, "levels[0].benefits[1].code", "code_twice"},
		"a name too long":           {programme.Tiers{Levels: []programme.Level{{Code: "a", Name: strings.Repeat("x", 101)}}}, "levels[0].name", "words_malformed"},
		"too many levels":           {programme.Tiers{Levels: make([]programme.Level, 21)}, "levels", "too_many"},
	} {
		found := false
		for _, f := range (programme.Terms{Tiers: c.tiers}).Faults() {
			found = found || f.Location == "terms.tiers."+c.at && f.Code == c.code
		}
		if !found {
			t.Errorf("%s: %+v", name, (programme.Terms{Tiers: c.tiers}).Faults())
		}
	}
	if faults := (programme.Terms{Tiers: metals()}).Faults(); len(faults) != 0 {
		t.Errorf("what can be meant is refused: %+v", faults)
	}
}

// TestAFloorThatIsPaidForStandsBesideOneThatAPersonSet uses what the room of memberships uses.
func TestAFloorThatIsPaidForStandsBesideOneThatAPersonSet(t *testing.T) {
	t.Parallel()
	y := newYears(t, "2027-03-01 10:00", metals())
	id := y.crowd("pizza", 1, y.at("2026-05-01 00:00"))[0]
	floor := func(level, reason, until string) error { return y.floor(id, level, reason, y.at(until)) }
	if err := floor("gold", "kindness", "2027-04-01 00:00"); err != nil {
		t.Fatal(err)
	}
	if err := floor("silver", tier.ReasonPaid, "2027-05-01 00:00"); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]string{"2027-03-31 23:59": "gold"} {
		y.is(at)
		if y.review(y.reviewer()); y.tier(id) != want {
			t.Errorf("%s: %s", at, y.tier(id))
		}
	}
	for _, step := range [][2]string{{"2027-04-01 00:00", "silver"}, {"2027-04-30 23:59", "silver"}, {"2027-05-01 00:00", "bronze"}} {
		y.is(step[0])
		if y.review(y.reviewer()); y.tier(id) != step[1] {
			t.Errorf("%s: %s, want %s", step[0], y.tier(id), step[1])
		}
	}
	if err := floor("diamond", tier.ReasonPaid, "2030-01-01 00:00"); err == nil {
		t.Error("an unknown level was taken")
	}
	if err := floor("gold", tier.ReasonPaid, "2020-01-01 00:00"); err == nil {
		t.Error("a date in the past was taken")
	}
	if err := floor("", tier.ReasonPaid, "2020-01-01 00:00"); err != nil {
		t.Errorf("none is always possible: %v", err)
	}
}

// TestOrdersRaiseTiers goes the whole way: terms over the API, orders and a return as sales tells of them, events.
func TestOrdersRaiseTiers(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	terms := func(levels ...body) body {
		return body{"code": "standard", "name": "Pizza", "zone": "Asia/Shanghai", "terms": body{
			"return_days": 14, "join_by_purchase": true,
			"tiers": body{"period": "rolling", "months": 12, "grace_days": 30, "warn_days": 30, "take_back": "at_once", "downgrade": "earned", "levels": levels},
		}}
	}
	bronze := body{"code": "bronze", "threshold": 0}
	gold := body{"code": "gold", "name": "Gold", "name_zh": "金卡", "threshold": 1000, "benefits": []body{{"code": "free_delivery", "text": "Free delivery", "text_zh": "免运费"}}}
	refused := w.Want(http.StatusUnprocessableEntity, http.MethodPost, "/v1/programmes", w.Manager, terms(bronze, body{"code": "gold", "threshold": 0}), nil)
	if !strings.Contains(string(refused.Body), "not_rising") {
		t.Errorf("%s", refused.Body)
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/programmes", w.Manager, terms(bronze, gold), nil)
	customer := uuid.Must(uuid.NewV7())
	order := loyaltytest.NewOrder(customer)
	w.Tell(order.Placed(t, time.Now(), 120_000))
	path := w.Member(customer).Path + "/tier"
	var got shown
	w.Want(http.StatusOK, http.MethodGet, path, w.Manager, nil, &got)
	if got.Tier != "gold" || got.Qualifying.Count != 1200 || len(got.History) != 1 {
		t.Errorf("%+v", got)
	}
	w.Tell(order.Returned(t, 60_000))
	w.Want(http.StatusOK, http.MethodGet, path, w.Manager, nil, &got)
	if got.Tier != "bronze" || got.Qualifying.Count != 600 || got.History[0].Reason != tier.ReasonReturned {
		t.Errorf("after the return: %+v", got)
	}
}
