package membership_test

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/golden"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/membership"
)

// audited demands that the auditor finds nothing.
func (c *club) audited() {
	c.t.Helper()
	var report struct{ OK bool }
	answer := c.Want(http.StatusOK, http.MethodPost, "/v1/points/audits", c.Auditor, nil, &report)
	if !report.OK {
		c.t.Fatalf("the auditor finds %s", answer.Body)
	}
}

// grown gives a member with 100 points to spend and 40 locked ones.
func (c *club) grown() loyaltytest.Member {
	c.t.Helper()
	m := c.Enrol()
	c.Earn(m, 100)
	c.Want(http.StatusCreated, http.MethodPost, m.Path+"/earns", c.Manager,
		body{"points": 40, "reason_type": "campaign", "locked_until": time.Now().AddDate(1, 0, 0)}, nil)
	return m
}

// leave has a member of the tenant pizza leave.
func (c *club) leave(m loyaltytest.Member) membership.Departure {
	c.t.Helper()
	d, err := c.own.Leave(c.as("pizza"), m.MemberID, "moved")
	if err != nil || d.Member.State != member.Left {
		c.t.Fatalf("%+v %v", d, err)
	}
	return d
}

func TestWhoLeavesKeepsPointsForComingBack(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	lily := c.grown()
	if d := c.leave(lily); !d.ForfeitAt.IsZero() || d.Member.Available != 100 || d.Member.Pending != 40 {
		t.Errorf("%+v", d)
	}
	spend := body{"points": 10, "reason_type": "reward"}
	if got := c.Do(http.MethodPost, lily.Path+"/spends", c.Manager, spend); got.Status != http.StatusConflict {
		t.Errorf("one who left spends: %d %s", got.Status, got.Body)
	}
	if got := c.Do(http.MethodPost, lily.Path+"/earns", c.Manager, spend); got.Status != http.StatusConflict {
		t.Errorf("one who left earns: %d %s", got.Status, got.Body)
	}
	var again struct {
		loyaltytest.Member
		State string
	}
	c.Want(http.StatusOK, http.MethodPost, "/v1/members", c.Manager, body{"customer_id": lily.CustomerID}, &again)
	if again.State != "left" || again.MemberID != lily.MemberID {
		t.Errorf("enrolled again: %+v", again)
	}
	_, _, err := c.own.Buy(c.as("pizza"), lily.MemberID, "gold_year", membership.Payment{Reference: "PAY-1"})
	refused(t, "sold to one who left", err, "member_left")
	_, err = c.own.Leave(c.as("pizza"), lily.MemberID, "moved")
	refused(t, "left twice", err, "member_left")
	d, err := c.own.Rejoin(c.as("pizza"), lily.MemberID, "came_back")
	if err != nil || d.Member.State != member.Active {
		t.Fatalf("%+v %v", d, err)
	}
	_, err = c.own.Rejoin(c.as("pizza"), lily.MemberID, "came_back")
	refused(t, "came back twice", err, "member_not_left")
	c.Want(http.StatusCreated, http.MethodPost, lily.Path+"/spends", c.Manager, spend, nil)
	if got := c.told(lily, "MemberLeft", "MemberReinstated"); !slices.Equal(got, []string{"MemberLeft", "MemberReinstated"}) {
		t.Errorf("told %v", got)
	}
	c.audited()
}

func TestWhoLeavesLosesPointsAtOnceWhereTheRuleSaysSo(t *testing.T) {
	t.Parallel()
	c := start(t, body{"points": "forfeit"})
	lily, rose := c.grown(), c.grown()
	c.buy(lily, "PAY-1") // with 500 points
	if d := c.leave(lily); d.Member.Available != 0 || d.Member.Pending != 0 || !d.ForfeitAt.IsZero() {
		t.Errorf("%+v", d)
	}
	if got := c.Read(lily); got.Available != 0 || got.Pending != 0 {
		t.Errorf("%+v", got)
	}
	if got := c.Read(rose); got.Available != 100 {
		t.Errorf("another member: %+v", got)
	}
	want := []string{"MembershipStarted", "MembershipEnded", "PointsAdjusted", "MemberLeft"}
	if got := c.told(lily, want...); !slices.Equal(got, want) {
		t.Errorf("told %v", got)
	}
	golden.JSON(t, "testdata/member_left.json", c.tells(lily, &loyaltyv1.MemberLeft{}))
	var ended loyaltyv1.MembershipEnded
	c.tells(lily, &ended)
	if ended.GetReason() != "member_left" || ended.GetRefundMinor() != 19900*364/365 {
		t.Errorf("told %v", &ended)
	}
	if got := c.tierOf(lily); got != "" {
		t.Errorf("the tier is still %q", got)
	}
	// Whoever comes back and leaves again loses what came in between.
	if _, err := c.own.Rejoin(c.as("pizza"), lily.MemberID, "came_back"); err != nil {
		t.Fatal(err)
	}
	c.Earn(lily, 7)
	c.is("2090-01-11 12:00")
	c.leave(lily)
	var left loyaltyv1.MemberLeft
	c.tells(lily, &left)
	if left.GetPointsForfeited() != 7 {
		t.Errorf("told %v", &left)
	}
	c.audited()
}

func TestWhoComesBackInTimeKeepsPoints(t *testing.T) {
	t.Parallel()
	c := start(t, body{"points": "forfeit_later", "days": 10})
	lily, rose, late, never := c.grown(), c.grown(), c.grown(), c.Enrol()
	for _, m := range []loyaltytest.Member{lily, rose, late, never} {
		if d := c.leave(m); d.ForfeitAt.Format(time.RFC3339) != "2090-01-20T16:00:00Z" {
			t.Fatalf("%+v", d)
		}
	}
	c.is("2090-01-20 23:59")
	c.scan()
	if got := c.Read(rose); got.Available != 100 {
		t.Errorf("a minute too early: %+v", got)
	}
	if _, err := c.own.Rejoin(c.as("pizza"), lily.MemberID, "came_back"); err != nil {
		t.Fatal(err)
	}
	c.is("2090-01-21 00:00")
	if d, err := c.own.Rejoin(c.as("pizza"), late.MemberID, "came_back"); err != nil || d.Member.Available != 0 || d.Member.State != member.Active {
		t.Errorf("who comes back when it was due: %+v %v", d, err)
	}
	var wait sync.WaitGroup
	for range 3 {
		own := c.another()
		wait.Go(func() {
			if err := own.Scan(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if got := c.Read(lily); got.Available != 100 {
		t.Errorf("who came back: %+v", got)
	}
	if got := c.Read(rose); got.Available != 0 || got.Pending != 0 {
		t.Errorf("who did not: %+v", got)
	}
	if got := c.Read(late); got.Available != 0 || got.Pending != 0 {
		t.Errorf("who came back late: %+v", got)
	}
	if got := c.told(late, "PointsAdjusted", "MemberReinstated"); !slices.Equal(got, []string{"PointsAdjusted", "MemberReinstated"}) {
		t.Errorf("told %v", got)
	}
	if got := c.told(rose, "PointsAdjusted"); len(got) != 1 {
		t.Errorf("told %v", got)
	}
	if n := c.Count(`SELECT count(*) FROM leaving`); n != 0 {
		t.Errorf("%d are to be taken from still", n)
	}
	c.audited()
}

func TestWhoIsSuspendedOrErasedOrAnothersDoesNotLeaveOrComeBack(t *testing.T) {
	t.Parallel()
	c := start(t, nil)
	lily, gone := c.Enrol(), c.Enrol()
	c.Want(http.StatusOK, http.MethodPost, lily.Path+"/suspend", c.Manager, body{"reason": "fraud_suspected"}, nil)
	_, err := c.own.Leave(c.as("pizza"), lily.MemberID, "moved")
	refused(t, "suspended", err, "member_suspended")
	_, err = c.own.Leave(c.as("music"), gone.MemberID, "moved")
	refused(t, "another tenant's", err, "member_not_found")
	_, err = c.own.Rejoin(c.as("music"), gone.MemberID, "moved")
	refused(t, "another tenant's", err, "member_not_found")
	_, err = c.own.Leave(c.as("pizza"), uuid.New(), "moved")
	refused(t, "nobody", err, "member_not_found")
	c.leave(gone)
	c.AskToErase("pizza", gone.CustomerID)
	_, err = c.own.Rejoin(c.as("pizza"), gone.MemberID, "came_back")
	refused(t, "erased", err, "member_erased")
}
