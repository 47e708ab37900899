package membership_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/problem"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/membership"
)

func TestAMembershipBringsItsTierAndItsPointsForAYear(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	lily := c.Enrol()
	s := c.buy(lily, "PAY-1")
	if got := c.Read(lily).Available; got != 500 {
		t.Errorf("%d points of welcome", got)
	}
	if got := c.tierOf(lily); got != "gold" {
		t.Errorf("tier %q", got)
	}
	golden.JSON(t, "testdata/membership_started.json", c.tells(lily, &loyaltyv1.MembershipStarted{}))

	c.is("2090-12-10 23:59")
	c.scan()
	if got := c.told(lily, "MembershipEndingSoon"); got != nil {
		t.Fatalf("a minute too early: %v", got)
	}
	c.is("2090-12-11 00:00")
	c.scan()
	c.scan()
	golden.JSON(t, "testdata/membership_ending_soon.json", c.tells(lily, &loyaltyv1.MembershipEndingSoon{}))
	c.is("2091-01-16 23:59") // in the grace time
	c.scan()
	if got := c.read(s.ID).At(*c.now.Load()); got != membership.Grace {
		t.Errorf("it is %s", got)
	}
	c.is("2091-01-17 00:00")
	c.scan()
	c.scan()
	golden.JSON(t, "testdata/membership_ended.json", c.tells(lily, &loyaltyv1.MembershipEnded{}))
	if got := c.told(lily, "MembershipStarted", "MembershipEndingSoon", "MembershipEnded"); !slices.Equal(got, []string{"MembershipStarted", "MembershipEndingSoon", "MembershipEnded"}) {
		t.Errorf("told %v", got)
	}
	c.buy(lily, "PAY-2") // anew
}

func TestARenewedMembershipGoesOn(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	lily := c.Enrol()
	s := c.buy(lily, "PAY-1")
	c.is("2090-12-01 12:00")
	renewed, err := c.own.Renew(c.as("pizza"), s.ID, membership.Payment{Reference: "PAY-2", Currency: "CNY", Minor: 19900})
	if err != nil || len(renewed.Terms) != 2 {
		t.Fatalf("%+v %v", renewed, err)
	}
	again, err := c.own.Renew(c.as("pizza"), s.ID, membership.Payment{Reference: "PAY-2"})
	if err != nil || len(again.Terms) != 2 {
		t.Fatalf("told again: %+v %v", again, err)
	}
	golden.JSON(t, "testdata/membership_renewed.json", c.tells(lily, &loyaltyv1.MembershipRenewed{}))
	if n := c.Count(`SELECT count(*) FROM tier_standing s JOIN membership m USING (tenant_id, member_id) WHERE s.paid = 'gold' AND s.paid_until = m.over_at`); n != 1 {
		t.Error("the tier is not held until the membership is over")
	}
	c.is("2091-01-20 12:00") // after what would have been the end
	c.scan()
	if got := c.told(lily, "MembershipEndingSoon", "MembershipEnded"); got != nil {
		t.Fatalf("told %v of one that was renewed", got)
	}
	c.is("2092-01-12 12:00") // late, in the grace time
	c.scan()
	late, err := c.own.Renew(c.as("pizza"), s.ID, membership.Payment{Reference: "PAY-3"})
	if err != nil || late.Latest().EndDay.Format("2006-01-02") != "2093-01-10" {
		t.Fatalf("%+v %v", late, err)
	}
	if got := c.told(lily, "MembershipRenewed", "MembershipEndingSoon"); !slices.Equal(got, []string{"MembershipRenewed", "MembershipRenewed"}) {
		t.Errorf("told %v", got) // the scan came after the end: there was nothing to remind of
	}
	if got := c.Read(lily).Available; got != 500 {
		t.Errorf("welcomed twice: %d points", got)
	}
}

func TestWhoCancelsIsTheDaysLeftGivenBack(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	lily := c.Enrol()
	s := c.buy(lily, "PAY-1")
	c.is("2090-07-12 12:00")
	ended, err := c.own.Cancel(c.as("pizza"), s.ID, "moved")
	const left, days = 181, 365 // 13 July to 9 January
	if err != nil || ended.Refund != 19900*left/days || ended.End != membership.EndCancelled {
		t.Fatalf("%+v %v", ended, err)
	}
	var told loyaltyv1.MembershipEnded
	c.tells(lily, &told)
	if told.GetRefundMinor() != ended.Refund || told.GetCurrency() != "CNY" || told.GetReason() != "cancelled" {
		t.Errorf("told %v", &told)
	}
	if got := c.tierOf(lily); got != "" {
		t.Errorf("the tier is still %q", got)
	}
	_, err = c.own.Cancel(c.as("pizza"), s.ID, "moved")
	refused(t, "cancelled twice", err, "membership_over")
	_, err = c.own.Renew(c.as("pizza"), s.ID, membership.Payment{Reference: "PAY-2"})
	refused(t, "renewed once cancelled", err, "membership_over")
	c.is("2092-01-01 00:00")
	c.scan()
	if got := c.told(lily, "MembershipEnded", "MembershipEndingSoon"); len(got) != 1 {
		t.Errorf("told %v", got)
	}
	if got := c.read(s.ID); got.Refund != ended.Refund || got.Terms[0].CutAt.IsZero() {
		t.Errorf("%+v", got)
	}
}

func refused(t *testing.T, what string, err error, code string) {
	t.Helper()
	var p *problem.Error
	if !errors.As(err, &p) || p.Code != code {
		t.Errorf("%s: got %v, want %s", what, err, code)
	}
}

func TestWhatIsNotSold(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	lily, rose := c.Enrol(), c.Enrol()
	s := c.buy(lily, "PAY-1")
	buy := func(tenant string, m uuid.UUID, plan string, p membership.Payment) error {
		_, _, err := c.own.Buy(c.as(tenant), m, plan, p)
		return err
	}
	pay := func(reference string) membership.Payment { return membership.Payment{Reference: reference} }
	refused(t, "a second one", buy("pizza", lily.MemberID, "gold_year", pay("PAY-2")), "membership_running")
	refused(t, "of a plan that is none", buy("pizza", rose.MemberID, "silver", pay("PAY-2")), "plan_unknown")
	refused(t, "for another's payment", buy("pizza", rose.MemberID, "gold_year", pay("PAY-1")), "payment_used")
	refused(t, "another plan for the same payment", buy("pizza", lily.MemberID, "free_month", pay("PAY-1")), "payment_used")
	refused(t, "for too little", buy("pizza", rose.MemberID, "gold_year", membership.Payment{Reference: "PAY-2", Currency: "CNY", Minor: 19899}), "payment_differs")
	refused(t, "for another currency", buy("pizza", rose.MemberID, "gold_year", membership.Payment{Reference: "PAY-2", Currency: "USD", Minor: 19900}), "payment_differs")
	refused(t, "to another tenant's member", buy("music", lily.MemberID, "gold_year", pay("PAY-2")), "member_not_found")
	_, err := c.own.Renew(c.as("music"), s.ID, pay("PAY-2"))
	refused(t, "another tenant's is renewed", err, "membership_not_found")
	_, err = c.own.Cancel(c.as("music"), s.ID, "moved")
	refused(t, "another tenant's is cancelled", err, "membership_not_found")
	_, err = c.own.Renew(c.as("pizza"), s.ID, pay("PAY-1"))
	refused(t, "renewed by the payment that bought it", err, "payment_used")
	c.Want(http.StatusOK, http.MethodPost, rose.Path+"/suspend", c.Manager, body{"reason": "fraud_suspected"}, nil)
	_, err = c.own.Renew(c.as("pizza"), uuid.New(), pay("PAY-2"))
	refused(t, "one that is none is renewed", err, "membership_not_found")
	if n := c.Count(`SELECT count(*) FROM membership_term`); n != 1 {
		t.Errorf("%d terms", n)
	}
	if err := buy("pizza", rose.MemberID, "free_month", pay("PAY-2")); err != nil {
		t.Errorf("who is suspended earns and may buy: %v", err)
	}
	again, bought, err := c.own.Buy(c.as("pizza"), lily.MemberID, "gold_year", pay("PAY-1"))
	if err != nil || bought || again.ID != s.ID {
		t.Errorf("the same payment again: %+v %t %v", again, bought, err)
	}
}

func TestOneOfManyWhoSellAtOnceSells(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	lily := c.Enrol()
	var sold, repeated, refused atomic.Int64
	var wait sync.WaitGroup
	for n := range 12 {
		wait.Go(func() {
			_, bought, err := c.own.Buy(c.as("pizza"), lily.MemberID, "gold_year", membership.Payment{Reference: fmt.Sprintf("PAY-%d", n/6)})
			switch {
			case err == nil && bought:
				sold.Add(1)
			case err == nil:
				repeated.Add(1)
			case problem.KindOf(err) == problem.Conflict:
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if sold.Load() != 1 || repeated.Load() != 5 || refused.Load() != 6 {
		t.Errorf("%d sold, %d repeated, %d refused", sold.Load(), repeated.Load(), refused.Load())
	}
	if got := c.Read(lily).Available; got != 500 {
		t.Errorf("%d points", got)
	}
}

func TestManyProcessesTellOfEachMembershipOnce(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	const members = 30
	for n := range members {
		c.buy(c.Enrol(), fmt.Sprintf("PAY-%d", n))
	}
	for _, at := range []string{"2090-12-20 00:00", "2091-02-01 00:00"} {
		c.is(at)
		var wait sync.WaitGroup
		for range 4 {
			own := c.another()
			wait.Go(func() {
				if err := own.Scan(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
	}
	for _, name := range []string{"MembershipEndingSoon", "MembershipEnded"} {
		if n := len(c.EventsOf(name, members)); n != members {
			t.Errorf("%d were told of %s", n, name)
		}
	}
}

func TestWhatFailsKeepsNoOtherMembershipWaiting(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	lost, lily := c.Enrol(), c.Enrol()
	c.buy(lost, "PAY-1")
	s := c.buy(lily, "PAY-2")
	c.Admin(`UPDATE membership SET member_id = gen_random_uuid() WHERE member_id = $1`, lost.MemberID)
	c.is("2091-02-01 00:00")
	if err := c.own.Scan(t.Context()); err == nil {
		t.Error("that a membership has no member is not told")
	}
	if got := c.read(s.ID); got.State != membership.Ended {
		t.Errorf("it is %s", got.State)
	}
}

func TestMembershipsOfMergedCustomersStayWithTheirMembers(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	lily, rose := c.Enrol(), c.Enrol()
	s := c.buy(lily, "PAY-1")
	accounts := c.Accounts("pizza")
	accounts.Merge(lily.CustomerID, rose.CustomerID)
	if _, _, err := c.own.Buy(c.as("pizza"), rose.MemberID, "gold_year", membership.Payment{Reference: "PAY-2"}); err == nil {
		t.Error("one customer has two memberships")
	} else {
		refused(t, "a second one of the same customer", err, "membership_running")
	}
	for _, id := range []uuid.UUID{lily.CustomerID, rose.CustomerID} {
		all, err := c.own.List(c.as("pizza"), membership.Filter{CustomerID: id}, 10)
		if err != nil || len(all) != 1 || all[0].ID != s.ID || all[0].MemberID != lily.MemberID {
			t.Errorf("of %s: %+v %v", id, all, err)
		}
	}
	accounts.Undo(lily.CustomerID, rose.CustomerID)
	if all, err := c.own.List(c.as("pizza"), membership.Filter{CustomerID: rose.CustomerID}, 10); err != nil || len(all) != 0 {
		t.Errorf("after the undo: %+v %v", all, err)
	}
	c.buy(rose, "PAY-2")
}

func TestTheMembershipOfAnErasedCustomerEndsAndNothingNamesIt(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	lily := c.Enrol()
	s := c.buy(lily, "PAY-LILY-17")
	if got := c.Mentions("PAY-LILY-17"); len(got) == 0 {
		t.Fatal("the reference is nowhere")
	}
	c.AskToErase("pizza", lily.CustomerID)
	if got := c.Mentions("PAY-LILY-17"); len(got) > 0 {
		t.Errorf("the reference still stands in %v", got)
	}
	got := c.read(s.ID)
	if got.State != membership.Ended || got.End != membership.EndErased || got.Refund != 19900 {
		t.Errorf("%+v", got)
	}
	var told loyaltyv1.MembershipEnded
	c.tells(lily, &told)
	if told.GetReason() != "customer_erased" || told.GetRefundMinor() != got.Refund {
		t.Errorf("told %v", &told)
	}
	if got := c.tierOf(lily); got != "" {
		t.Errorf("the tier is still %q", got)
	}
	c.AskToErase("pizza", lily.CustomerID) // finds nothing to do
	if got := c.told(lily, "MembershipEnded"); len(got) != 1 {
		t.Errorf("told %v", got)
	}
	_, _, err := c.own.Buy(c.as("pizza"), lily.MemberID, "gold_year", membership.Payment{Reference: "PAY-2"})
	refused(t, "sold to nobody", err, "member_erased")
}

func TestAPlanThatIsNoMoreIsNotRenewedByIt(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	lily := c.Enrol()
	s := c.buy(lily, "PAY-1")
	without := terms(nil)
	delete(without, "plans")
	delete(without, "tiers")
	c.Want(http.StatusCreated, http.MethodPost, "/v1/programmes/standard/versions", c.Manager, body{"terms": without}, nil, "If-Match", `"1"`)
	_, err := c.own.Renew(c.as("pizza"), s.ID, membership.Payment{Reference: "PAY-2"})
	refused(t, "renewed", err, "plan_withdrawn")
	if got := c.read(s.ID); got.State != membership.Active || got.Tier != "gold" {
		t.Errorf("%+v", got) // what was paid for stays
	}
	if _, err := c.own.Cancel(c.as("pizza"), s.ID, "moved"); err != nil {
		t.Error(err)
	}
}
