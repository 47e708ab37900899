package referral_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/httpx/badinput"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

func TestAMemberHasOneCode(t *testing.T) {
	t.Parallel()
	w := start(t)
	lily := w.Enrol()
	w.Want(http.StatusNotFound, http.MethodGet, lily.Path+"/referral-codes", w.Manager, nil, nil)
	codes := make([]string, 50)
	var wait sync.WaitGroup
	for n := range codes {
		wait.Go(func() { codes[n] = w.code(lily) })
	}
	wait.Wait()
	var kept struct{ Code string }
	w.Want(http.StatusOK, http.MethodGet, lily.Path+"/referral-codes", w.Token(auth.RoleAgent, "pizza"), nil, &kept)
	for _, c := range codes {
		if c != kept.Code {
			t.Fatalf("%s beside %s", c, kept.Code)
		}
	}
	if other := w.code(w.Enrol()); other == kept.Code {
		t.Fatal("two members have one code")
	}
}

func TestWhoCannotReferOrBeReferred(t *testing.T) {
	t.Parallel()
	w := start(t, func(all *programme.Terms) { all.Referral.Cap, all.Referral.CapDays = 3, 30 })
	lily, suspended, left, erased := w.Enrol(), w.Enrol(), w.Enrol(), w.Enrol()
	code := w.code(lily)
	codes := map[string]string{"suspended": w.code(suspended), "left": w.code(left), "erased": w.code(erased)}
	w.Admin(`UPDATE member SET state = 'suspended' WHERE id = $1`, suspended.MemberID)
	w.Admin(`UPDATE member SET state = 'left' WHERE id = $1`, left.MemberID)
	accounts := w.Accounts("pizza")
	accounts.Erase(erased.CustomerID)
	gone, buyer, old, fresh, twice := customer(), customer(), w.Enrol(), w.Enrol(), customer()
	accounts.Erase(gone)
	w.tell(loyaltytest.NewOrder(buyer).Placed(t, soon(), 100))
	w.Admin(`UPDATE member SET enrolled_at = enrolled_at - interval '8 days' WHERE id = $1`, old.MemberID)
	w.Admin(`UPDATE member SET enrolled_at = enrolled_at - interval '6 days' WHERE id = $1`, fresh.MemberID)
	w.name(lily, twice)
	other := w.code(w.Enrol())
	for _, c := range []struct {
		name, code string
		customer   uuid.UUID
		want       string
	}{
		{"a code that nobody has", "2222222222", customer(), "404 referral_code_unknown"},
		{"a code with a wrong character", "2222222223", customer(), "422 referral_invalid"},
		{"oneself", code, lily.CustomerID, "409 referral_self"},
		{"by one who is suspended", codes["suspended"], customer(), "409 referrer_suspended"},
		{"by one who has left", codes["left"], customer(), "409 referrer_left"},
		{"by one who was erased", codes["erased"], customer(), "410 referrer_erased"},
		{"one who was erased", code, gone, "410 customer_erased"},
		{"one who has bought", code, buyer, "409 referred_bought"},
		{"one who has been a member for long", code, old.CustomerID, "409 referred_late"},
		{"one who was referred, again", code, twice, "409 referred_already"},
		{"one who was referred, by another", other, twice, "409 referred_already"},
		{"a new member", code, fresh.CustomerID, "201"},
		{"the third", code, customer(), "201"},
		{"one too many", code, customer(), "409 referral_cap"},
		{"by somebody else", other, customer(), "201"},
	} {
		if got := w.refused(c.code, c.customer); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
	for name, m := range map[string]loyaltytest.Member{"referrer_suspended": suspended, "referrer_left": left, "referrer_erased": erased} {
		if answer := w.Do(http.MethodPost, m.Path+"/referral-codes", w.Manager, nil); answer.Code() != name {
			t.Errorf("a code for %s: got %d %s", name, answer.Status, answer.Body)
		}
	}
	w.Admin(`UPDATE referral SET named_at = named_at - interval '31 days'`)
	if got := w.refused(code, customer()); got != "201" {
		t.Errorf("in the next period: got %s", got)
	}
	w.Admin(`UPDATE referral SET expires_at = now() WHERE referred_customer = $1`, twice)
	if got := w.refused(other, twice); got != "201" {
		t.Errorf("whose referral has expired: got %s", got)
	}
}

func TestNobodyRefersThemselvesUnderAnotherID(t *testing.T) {
	t.Parallel()
	w := start(t)
	accounts := w.Accounts("pizza")
	lily, alias, second := w.Enrol(), customer(), customer()
	code := w.code(lily)
	accounts.Merge(alias, lily.CustomerID)
	if got := w.refused(code, alias); got != "409 referral_self" {
		t.Errorf("an id that means oneself: got %s", got)
	}
	accounts.Merge(lily.CustomerID, second) // now both mean a third
	if got := w.refused(code, alias); got != "409 referral_self" {
		t.Errorf("an id beside one's own: got %s", got)
	}
	wei, also := customer(), customer()
	w.name(w.Enrol(), wei)
	accounts.Merge(also, wei)
	if got := w.refused(code, also); got != "409 referred_already" {
		t.Errorf("another id of one who was referred: got %s", got)
	}
	bought, twin := customer(), customer()
	w.tell(loyaltytest.NewOrder(bought).Placed(t, soon(), 100))
	accounts.Merge(twin, bought)
	if got := w.refused(code, twin); got != "409 referred_bought" {
		t.Errorf("another id of one who has bought: got %s", got)
	}
}

func TestAMergeThatComesLater(t *testing.T) {
	t.Parallel()
	w := start(t)
	accounts := w.Accounts("pizza")
	lily, early, late := w.Enrol(), customer(), customer()
	before, after := w.name(lily, early), w.name(lily, late)
	accounts.Merge(early, lily.CustomerID)
	w.tell(loyaltytest.NewOrder(early).Placed(t, soon(), 10_000), loyaltytest.NewOrder(late).Placed(t, soon(), 10_000))
	if got := w.get(before); got.State != "void" || got.Reason != "same_customer" {
		t.Errorf("before the purchase: %+v", got)
	}
	if got := w.get(after); got.State != "completed" || got.SameCustomer || w.bonus(lily) != 200 {
		t.Fatalf("%+v", got)
	}
	accounts.Merge(late, lily.CustomerID)
	if got := w.get(after); got.State != "completed" || !got.SameCustomer || w.bonus(lily) != 200 {
		t.Errorf("after it: %+v", got)
	}
	var report struct {
		Completed, Named, Converted int
		SameCustomer                int `json:"same_customer"`
	}
	w.Want(http.StatusOK, http.MethodGet, "/v1/referral-report", w.Manager, nil, &report)
	if report.Completed != 1 || report.SameCustomer != 1 || report.Named != 0 || report.Converted != 0 {
		t.Errorf("%+v", report)
	}
	accounts.Undo(late, lily.CustomerID)
	if got := w.get(after); got.SameCustomer {
		t.Errorf("undone: %+v", got)
	}
	var now referral
	w.Want(http.StatusForbidden, http.MethodPost, "/v1/referrals/"+after.ID.String()+"/take-back", w.Token(auth.RoleAgent, "pizza"), nil, nil)
	w.Want(http.StatusOK, http.MethodPost, "/v1/referrals/"+after.ID.String()+"/take-back", w.Manager, nil, &now)
	if now.State != "taken_back" || w.bonus(lily) != 0 {
		t.Errorf("%+v", now)
	}
	w.audited()
}

func TestReferralsDoNotGoRoundInACircle(t *testing.T) {
	t.Parallel()
	w := start(t)
	a, b, c := w.Enrol(), w.Enrol(), w.Enrol()
	w.name(a, b.CustomerID)
	if got := w.refused(w.code(b), a.CustomerID); got != "409 referral_ring" {
		t.Errorf("two: got %s", got)
	}
	w.name(b, c.CustomerID)
	if got := w.refused(w.code(c), a.CustomerID); got != "409 referral_ring" {
		t.Errorf("three: got %s", got)
	}
	d, e, f := w.Enrol(), w.Enrol(), w.Enrol()
	w.name(d, e.CustomerID)
	accounts := w.Accounts("pizza")
	accounts.Merge(f.CustomerID, e.CustomerID) // whom d brought
	if got := w.refused(w.code(f), d.CustomerID); got != "409 referral_ring" {
		t.Errorf("through a merge: got %s", got)
	}
	accounts.Undo(f.CustomerID, e.CustomerID)
	if got := w.refused(w.code(f), d.CustomerID); got != "201" {
		t.Errorf("once that is undone: got %s", got)
	}
}

// TestFiftyWhoWouldCloseACircleAtOnce has each of fifty refer the next one, and the last the first, all at once: all but one do.
func TestFiftyWhoWouldCloseACircleAtOnce(t *testing.T) {
	t.Parallel()
	w := start(t)
	members := make([]loyaltytest.Member, 50)
	codes := make([]string, len(members))
	for n := range members {
		members[n] = w.Enrol()
		codes[n] = w.code(members[n])
	}
	got := w.together(len(members), func(n int) string { return w.refused(codes[n], members[(n+1)%len(members)].CustomerID) })
	if got["201"] != 49 || got["409 referral_ring"] != 1 {
		t.Fatalf("%v", got)
	}
}

// together does something n times at once and counts the answers.
func (w *world) together(n int, do func(n int) string) map[string]int {
	answers := make([]string, n)
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() { answers[i] = do(i) })
	}
	wait.Wait()
	counts := make(map[string]int)
	for _, a := range answers {
		counts[a]++
	}
	return counts
}

func TestFiftyWhoNameOneCustomerAtOnce(t *testing.T) {
	t.Parallel()
	w := start(t)
	codes := make([]string, 50)
	for n := range codes {
		codes[n] = w.code(w.Enrol())
	}
	wei := customer()
	if got := w.together(50, func(n int) string { return w.refused(codes[n], wei) }); got["201"] != 1 || got["409 referred_already"] != 49 {
		t.Fatalf("%v", got)
	}
}

func TestFiftyAtOnceStayBelowTheCap(t *testing.T) {
	t.Parallel()
	w := start(t, func(all *programme.Terms) { all.Referral.Cap, all.Referral.CapDays = 10, 30 })
	code := w.code(w.Enrol())
	if got := w.together(50, func(int) string { return w.refused(code, customer()) }); got["201"] != 10 || got["409 referral_cap"] != 40 {
		t.Fatalf("%v", got)
	}
}

func TestReferralsOfAnotherTenantAreNotThere(t *testing.T) {
	t.Parallel()
	w := start(t)
	lily, wei := w.Enrol(), customer()
	named := w.name(lily, wei)
	music := w.Token(auth.RoleManager, "music")
	for _, c := range []struct{ method, path string }{
		{http.MethodGet, "/v1/referrals/" + named.ID.String()}, {http.MethodPost, "/v1/referrals/" + named.ID.String() + "/take-back"},
		{http.MethodGet, lily.Path + "/referral-codes"}, {http.MethodPost, lily.Path + "/referral-codes"},
	} {
		w.Want(http.StatusNotFound, c.method, c.path, music, nil, nil)
	}
	answer := w.Do(http.MethodPost, "/v1/referrals", music, body{"code": w.code(lily), "customer_id": customer()})
	if answer.Status != http.StatusNotFound || answer.Code() != "referral_code_unknown" {
		t.Errorf("got %d %s", answer.Status, answer.Body)
	}
	var page struct{ Items []referral }
	w.Want(http.StatusOK, http.MethodGet, "/v1/referrals", music, nil, &page)
	if len(page.Items) != 0 {
		t.Errorf("%+v", page)
	}
	order := loyaltytest.NewOrder(wei)
	order.Tenant = "music"
	w.tell(order.Placed(t, soon(), 10_000))
	if got := w.get(named); got.State != "open" {
		t.Errorf("another tenant's order: %+v", got)
	}
}

func TestAProgrammeWithoutTermsOfReferralsHasNone(t *testing.T) {
	t.Parallel()
	w := &world{World: loyaltytest.Start(t), t: t}
	if answer := w.Do(http.MethodPost, w.Enrol().Path+"/referral-codes", w.Manager, nil); answer.Status != 409 || answer.Code() != "referral_off" {
		t.Fatalf("got %d %s", answer.Status, answer.Body)
	}
}

func TestReferralsAreListedAndReported(t *testing.T) {
	t.Parallel()
	w := start(t)
	lily, others := w.Enrol(), w.Enrol()
	var all []uuid.UUID
	for range 31 {
		c := customer()
		all = append(all, c)
		w.name(lily, c)
	}
	w.name(others, customer())
	type rate struct{ Value, Low, High float64 }
	var report struct {
		Open, Completed, Expired, Named, Converted int
		Enough                                     bool
		Points                                     int64
		Rate                                       *rate
	}
	var orders []bus.Event
	for _, c := range all[:8] {
		orders = append(orders, loyaltytest.NewOrder(c).Placed(t, soon(), 10_000))
	}
	w.tell(orders...)
	w.Admin(`UPDATE referral SET expires_at = now() WHERE referred_customer = $1`, all[30])
	w.Want(http.StatusOK, http.MethodGet, "/v1/referral-report?from=2026-01-01T00:00:00Z", w.Manager, nil, &report)
	if report.Open != 23 || report.Completed != 8 || report.Expired != 1 || report.Named != 32 || report.Converted != 8 || report.Points != 8*300 || !report.Enough {
		t.Errorf("%+v", report)
	}
	// 8 of 32 after Wilson: 0.1325 to 0.4211.
	if r := report.Rate; r == nil || r.Value != 0.25 || fmt.Sprintf("%.4f %.4f", r.Low, r.High) != "0.1325 0.4211" {
		t.Errorf("%+v", r)
	}
	w.Admin(`UPDATE referral SET named_at = '2025-01-01' WHERE referrer_id = $1 AND referred_customer = ANY ($2::uuid[])`, lily.MemberID, all[:10])
	report.Rate = nil
	w.Want(http.StatusOK, http.MethodGet, "/v1/referral-report?from=2026-01-01T00:00:00Z", w.Manager, nil, &report)
	if report.Named != 22 || report.Enough || report.Rate != nil {
		t.Errorf("%+v, want that it says when there is not enough", report)
	}
	for query, want := range map[string]int{
		"member_id=" + lily.MemberID.String(): 31, "member_id=" + others.MemberID.String(): 1, "customer_id=" + all[3].String(): 1, "state=completed": 8, "state=expired": 1,
		"state=open": 23, "state=completed&member_id=" + others.MemberID.String(): 0,
	} {
		var page struct{ Items []referral }
		w.Want(http.StatusOK, http.MethodGet, "/v1/referrals?limit=200&"+query, w.Manager, nil, &page)
		if len(page.Items) != want {
			t.Errorf("%s: %d", query, len(page.Items))
		}
	}
}

func TestTermsOfReferralsAreChecked(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	for location, change := range map[string]func(*programme.Referral){
		"referrer_points":      func(r *programme.Referral) { r.ReferrerPoints = 1_000_001 },
		"referred_points":      func(r *programme.Referral) { r.ReferredPoints = -1 },
		"joined_days":          func(r *programme.Referral) { r.JoinedDays = 366 },
		"purchase_days":        func(r *programme.Referral) { r.PurchaseDays = -1 },
		"cap":                  func(r *programme.Referral) { r.CapDays = 30 },
		"cap_days":             func(r *programme.Referral) { r.Cap = 1 },
		"minimums[0].currency": func(r *programme.Referral) { r.Minimums = []programme.Minimum{{Currency: "X", Minor: 1}} },
		"minimums[0].minor":    func(r *programme.Referral) { r.Minimums = []programme.Minimum{{Currency: "CNY"}} },
		"minimums[1].currency": func(r *programme.Referral) {
			r.Minimums = []programme.Minimum{{Currency: "CNY", Minor: 1}, {Currency: "CNY", Minor: 2}}
		},
	} {
		terms := programme.Terms{Referral: programme.Referral{ReferrerPoints: 1}}
		change(&terms.Referral)
		answer := w.Do(http.MethodPost, "/v1/programmes", w.Manager, body{"code": "bad", "name": "Bad", "zone": "UTC", "terms": terms})
		var p struct{ Errors []struct{ Location string } }
		answer.Decode(t, &p)
		if answer.Status != http.StatusUnprocessableEntity || len(p.Errors) != 1 || p.Errors[0].Location != "body.terms.referral."+location {
			t.Errorf("%s: got %d %s", location, answer.Status, answer.Body)
		}
	}
}

func TestReferralsRefuseBadInput(t *testing.T) {
	t.Parallel()
	w := start(t)
	lily := w.Enrol()
	code := w.code(lily)
	fresh := func() string { return fmt.Sprintf(`{"code":%q,"customer_id":%q}`, code, customer()) }
	named := w.name(lily, customer())
	for name, target := range map[string]badinput.Target{
		"name":      {Method: http.MethodPost, Path: "/v1/referrals", Body: fresh(), Fresh: fresh, OtherBody: fresh(), Replay: true},
		"code":      {Method: http.MethodPost, Path: lily.Path + "/referral-codes", Owned: true},
		"get code":  {Method: http.MethodGet, Path: lily.Path + "/referral-codes", Owned: true},
		"get":       {Method: http.MethodGet, Path: "/v1/referrals/" + named.ID.String(), Owned: true},
		"list":      {Method: http.MethodGet, Path: "/v1/referrals", List: true},
		"report":    {Method: http.MethodGet, Path: "/v1/referral-report"},
		"take back": {Method: http.MethodPost, Path: "/v1/referrals/" + named.ID.String() + "/take-back", Owned: true},
	} {
		t.Run(name, func(t *testing.T) {
			target.URL, target.Token = w.URL, w.Manager
			badinput.Check(t, target)
		})
	}
	for query, want := range map[string]string{
		"/v1/referral-report?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z": "422 period_invalid",
		"/v1/referral-report?programme=No%20code":                               "422 programme_invalid",
		"/v1/referrals?state=lost":                                              "422 validation_failed",
		"/v1/referrals?member_id=17":                                            "422 validation_failed",
	} {
		answer := w.Do(http.MethodGet, query, w.Manager, nil)
		if got := fmt.Sprint(answer.Status, " ", answer.Code()); got != want {
			t.Errorf("%s: got %s %s", query, got, answer.Body)
		}
	}
	if got := w.refused(code, uuid.Nil); got != "422 referral_invalid" {
		t.Errorf("nobody: got %s", got)
	}
	if got := w.Do(http.MethodPost, "/v1/referrals", w.Token(auth.RoleAgent, "pizza"), body{"code": code, "customer_id": customer()}).Status; got != 403 {
		t.Errorf("an agent: got %d", got)
	}
}
