package referral_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// bonus is how many points a member has for referrals.
func (w *world) bonus(m loyaltytest.Member) int64 {
	w.t.Helper()
	return w.Count(`SELECT -coalesce(sum(issued), 0)::bigint FROM ledger_entry WHERE member_id = $1 AND reason_type LIKE 'referral%'`, m.MemberID)
}

func TestBothAreRewardedOnceWhenTheReferredCustomerBuys(t *testing.T) {
	t.Parallel()
	w := start(t)
	lily, wei := w.Enrol(), customer()
	named := w.name(lily, wei)
	small, first := loyaltytest.NewOrder(wei), loyaltytest.NewOrder(wei)
	w.tell(small.Placed(t, soon(), 9_999))
	if got := w.get(named); got.State != "open" {
		t.Fatalf("an order that is too small: %+v", got)
	}
	story := []bus.Event{first.Placed(t, soon(), 10_000)}
	w.tell(story...)
	got := w.get(named)
	if got.State != "completed" || got.OrderID != first.ID {
		t.Fatalf("%+v", got)
	}
	golden.JSON(t, "testdata/referral.json", w.Want(http.StatusOK, http.MethodGet, "/v1/referrals/"+named.ID.String(), w.Manager, nil, nil).Body)
	golden.JSON(t, "testdata/referral_completed.json", w.EventsOf("ReferralCompleted", 1)[0].Data)
	for n := range story { // by a producer that was restored
		story[n].Epoch, story[n].ID = 2, uuid.Must(uuid.NewV7())
	}
	w.tell(append(slices.Clone(story), loyaltytest.NewOrder(wei).Placed(t, soon(), 50_000))...)
	if a, b := w.bonus(lily), w.bonus(w.Member(wei)); a != 200 || b != 100 {
		t.Fatalf("the referrer has %d points, the referred one %d", a, b)
	}
	if now := w.Read(lily); have(now) != [3]int64{0, 200, 0} {
		t.Fatalf("%+v, want points that are locked until the return window ends", now)
	}
	if n := len(w.EventsOf("ReferralCompleted", 1)); n != 1 {
		t.Fatalf("%d events", n)
	}
	w.audited()
}

func TestAReferralIsCompletedWhenTheOrderFindsItsCustomer(t *testing.T) {
	t.Parallel()
	w := start(t)
	lily, wei := w.Enrol(), customer()
	named := w.name(lily, wei)
	o := loyaltytest.NewOrder(uuid.Nil)
	w.tell(o.Placed(t, soon(), 10_000))
	if got := w.get(named); got.State != "open" {
		t.Fatalf("%+v", got)
	}
	w.tell(o.Attributed(t, wei))
	if got := w.get(named); got.State != "completed" {
		t.Fatalf("%+v", got)
	}
}

func TestPointsAreTakenBackWhenThePurchaseComesBackInFull(t *testing.T) {
	t.Parallel()
	w := start(t)
	lily, wei := w.Enrol(), customer()
	named := w.name(lily, wei)
	other := loyaltytest.NewOrder(wei)
	w.tell(other.Placed(t, soon(), 20_000))
	w.tell(other.Returned(t, 19_999))
	if got := w.get(named); got.State != "completed" {
		t.Fatalf("a part came back: %+v", got)
	}
	w.Eventually("the score tells of the referral", func() bool {
		return w.Count(`SELECT count(*) FROM growth_score WHERE member_id = $1 AND score = 500`, lily.MemberID) == 1
	})
	w.tell(other.Returned(t, 1))
	if got := w.get(named); got.State != "taken_back" || got.Reason != "order_returned" {
		t.Fatalf("%+v", got)
	}
	if a, b := w.bonus(lily), w.bonus(w.Member(wei)); a != 0 || b != 0 {
		t.Fatalf("the referrer has %d points, the referred one %d", a, b)
	}
	if n := w.Count(`SELECT count(*) FROM growth_score WHERE member_id = $1 AND score = 0`, lily.MemberID); n != 1 {
		t.Error("the score still tells of the referral")
	}
	w.tell(loyaltytest.NewOrder(wei).Placed(t, soon(), 20_000))
	if a := w.bonus(lily); a != 0 {
		t.Fatalf("the next purchase gave %d points", a)
	}
	w.audited()
}

// TestAPurchaseThatHasComeBackAlreadyRewardsNobody tells of an order whose customer is found when all of it has come back.
func TestAPurchaseThatHasComeBackAlreadyRewardsNobody(t *testing.T) {
	t.Parallel()
	w := start(t)
	lily, wei := w.Enrol(), customer()
	named := w.name(lily, wei)
	o := loyaltytest.NewOrder(uuid.Nil)
	w.tell(o.Placed(t, soon(), 20_000), o.Returned(t, 20_000), o.Attributed(t, wei))
	if got := w.get(named); got.State != "taken_back" || got.ReferrerPoints != 0 || w.bonus(lily) != 0 {
		t.Fatalf("%+v", got)
	}
	if n := w.Count(`SELECT count(*) FROM ledger_entry WHERE reason_type = 'referral'`); n != 0 {
		t.Fatalf("%d entries", n)
	}
}

func TestWhatWasSpentIsOwedWhenItIsTakenBack(t *testing.T) {
	t.Parallel()
	w := start(t, func(all *programme.Terms) { all.ReturnDays = 0 })
	lily, wei := w.Enrol(), customer()
	named := w.name(lily, wei)
	w.tell(loyaltytest.NewOrder(wei).Placed(t, time.Now(), 10_000))
	w.Want(http.StatusCreated, http.MethodPost, lily.Path+"/spends", w.Manager, body{"points": 150, "reason_type": "mug"}, nil)
	var now referral
	w.Want(http.StatusOK, http.MethodPost, "/v1/referrals/"+named.ID.String()+"/take-back", w.Manager, nil, &now)
	if now.State != "taken_back" || now.Reason != "by_hand" {
		t.Fatalf("%+v", now)
	}
	if got := w.Read(lily); have(got) != [3]int64{0, 0, 150} {
		t.Fatalf("%+v", got)
	}
	if answer := w.Do(http.MethodPost, "/v1/referrals/"+named.ID.String()+"/take-back", w.Manager, nil); answer.Status != 409 || answer.Code() != "referral_over" {
		t.Fatalf("again: %d %s", answer.Status, answer.Body)
	}
	w.audited()
}

func TestTermsMayLeaveThePointsWherePurchasesComeBack(t *testing.T) {
	t.Parallel()
	w := start(t, func(all *programme.Terms) { all.Referral.KeepReturned = true })
	lily, wei := w.Enrol(), customer()
	named := w.name(lily, wei)
	o := loyaltytest.NewOrder(wei)
	w.tell(o.Placed(t, soon(), 10_000))
	w.tell(o.Returned(t, 10_000))
	if got := w.get(named); got.State != "completed" || w.bonus(lily) != 200 {
		t.Fatalf("%+v", got)
	}
}

func TestNobodyIsRewardedForWhoHadBoughtBeforeOrComesTooLate(t *testing.T) {
	t.Parallel()
	w := start(t)
	lily, before, late := w.Enrol(), customer(), customer()
	one, two := w.name(lily, before), w.name(lily, late)
	w.Admin(`UPDATE referral SET named_at = named_at - interval '100 days', expires_at = expires_at - interval '100 days' WHERE id = $1`, two.ID)
	w.tell(loyaltytest.NewOrder(before).Placed(t, time.Now().AddDate(-1, 0, 0), 10_000)) // orders are on streams of their own: it is to be heard first
	w.tell(loyaltytest.NewOrder(before).Placed(t, soon(), 10_000), loyaltytest.NewOrder(late).Placed(t, soon(), 10_000))
	if got := w.get(one); got.State != "void" || got.Reason != "bought_before" {
		t.Errorf("%+v", got)
	}
	if got := w.get(two); got.State != "expired" {
		t.Errorf("%+v", got)
	}
	if got := w.bonus(lily); got != 0 {
		t.Errorf("%d points", got)
	}
}

func TestAReferrerWhoLeftOrWasErasedGetsNothingAndTheOtherSideDoes(t *testing.T) {
	t.Parallel()
	w := start(t)
	left, erased, a, b := w.Enrol(), w.Enrol(), customer(), customer()
	one, two := w.name(left, a), w.name(erased, b)
	w.Admin(`UPDATE member SET state = 'left' WHERE id = $1`, left.MemberID)
	w.Accounts("pizza").Erase(erased.CustomerID)
	w.tell(loyaltytest.NewOrder(a).Placed(t, soon(), 10_000), loyaltytest.NewOrder(b).Placed(t, soon(), 10_000))
	for _, r := range []referral{one, two} {
		if got := w.get(r); got.State != "completed" || got.ReferrerPoints != 0 || got.ReferredPoints != 100 {
			t.Errorf("%+v", got)
		}
	}
	w.audited()
}

func TestWhoeverIsNoMemberIsRewardedOnceTheyBuyAsOne(t *testing.T) {
	t.Parallel()
	w := start(t, func(all *programme.Terms) { all.JoinByPurchase = false })
	lily, wei := w.Enrol(), customer()
	named := w.name(lily, wei)
	w.tell(loyaltytest.NewOrder(wei).Placed(t, soon(), 10_000))
	if got := w.get(named); got.State != "open" {
		t.Fatalf("%+v", got)
	}
	w.Want(http.StatusCreated, http.MethodPost, "/v1/members", w.Manager, body{"customer_id": wei}, nil)
	w.tell(loyaltytest.NewOrder(wei).Placed(t, soon(), 100))
	if got := w.get(named); got.State != "completed" || w.bonus(w.Member(wei)) != 100 {
		t.Fatalf("%+v", got)
	}
}

// TestFiftyPurchasesAtOnceRewardOnce has the customers of fifty referrers buy five times each, all at once.
func TestFiftyPurchasesAtOnceRewardOnce(t *testing.T) {
	t.Parallel()
	w := start(t)
	lily := w.Enrol()
	code := w.code(lily)
	var events []bus.Event
	var referred []uuid.UUID
	for range 50 {
		c := customer()
		referred = append(referred, c)
		w.Want(http.StatusCreated, http.MethodPost, "/v1/referrals", w.Manager, body{"code": code, "customer_id": c}, nil)
		for range 5 {
			events = append(events, loyaltytest.NewOrder(c).Placed(t, soon(), 10_000))
		}
	}
	w.tell(events...)
	if got := w.bonus(lily); got != 50*200 {
		t.Errorf("the referrer has %d points", got)
	}
	for _, c := range referred {
		if got := w.bonus(w.Member(c)); got != 100 {
			t.Errorf("a referred one has %d points", got)
		}
	}
	if n := len(w.EventsOf("ReferralCompleted", 50)); n != 50 {
		t.Errorf("%d events", n)
	}
	w.audited()
}
