package ledger_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/golden"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/audit"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/ledger"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/loyaltytest"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// years are a world whose ledger has a clock that the test sets.
type years struct {
	*loyaltytest.World
	t      *testing.T
	now    atomic.Pointer[time.Time]
	points *ledger.Ledger
	*ledger.Expirer
}

// newYears begins on a time. Points run out as expiry says, in Shanghai.
func newYears(t *testing.T, at string, expiry programme.Expiry) *years {
	t.Helper()
	y := &years{World: loyaltytest.Start(t), t: t}
	y.is(at)
	clock := func() time.Time { return *y.now.Load() }
	y.points = ledger.New(y.DB, outbox.New("loyalty"), clock)
	y.Expirer = ledger.NewExpirer(y.points, y.Database.DB(pg.Ops), slog.New(slog.DiscardHandler), "loyalty").Small()
	y.terms("pizza", 1, "2020-01-01 00:00", expiry)
	return y
}

// terms writes a version of the standard programme of a tenant.
func (y *years) terms(tenant string, no int, from string, expiry programme.Expiry) {
	y.t.Helper()
	terms := programme.Standard().Terms
	terms.Expiry = expiry
	written, err := json.Marshal(terms)
	if err != nil {
		y.t.Fatal(err)
	}
	y.Admin(`INSERT INTO programme (tenant_id, code, name, zone, by_subject, created_at)
		VALUES ($1, 'standard', 'Standard', 'Asia/Shanghai', 'test', now()) ON CONFLICT DO NOTHING`, tenant)
	y.Admin(`INSERT INTO programme_version (tenant_id, id, programme, no, effective_from, terms, by_subject, created_at)
		VALUES ($1, gen_random_uuid(), 'standard', $2, $3::timestamp AT TIME ZONE 'Asia/Shanghai', $4, 'test', clock_timestamp())`, tenant, no, from, written)
}

// is sets the clock, as walls in Shanghai show it.
func (y *years) is(wall string) {
	y.t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", wall, zone(y.t))
	if err != nil {
		y.t.Fatal(err)
	}
	at = at.UTC()
	y.now.Store(&at)
}

func zone(t *testing.T) *time.Location {
	t.Helper()
	z, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func as(ctx context.Context, tenant string) context.Context {
	return auth.With(ctx, auth.Principal{Subject: "ann", Tenant: tenant})
}

// earns gives a member of the tenant pizza points, locked for some days.
func (y *years) earns(m loyaltytest.Member, points int64, days int) ledger.Entry {
	y.t.Helper()
	e, err := y.points.Earn(as(y.t.Context(), "pizza"), m.MemberID, ledger.Earning{
		Points: points, Reason: ledger.Reason{Type: "campaign", ID: "spring"}, LockedUntil: y.points.Now().AddDate(0, 0, days),
	})
	if err != nil {
		y.t.Fatal(err)
	}
	return e
}

func (y *years) spends(m loyaltytest.Member, points int64) ledger.Entry {
	y.t.Helper()
	e, err := y.points.Spend(as(y.t.Context(), "pizza"), m.MemberID, ledger.Spending{Points: points, Reason: ledger.Reason{Type: "reward"}})
	if err != nil {
		y.t.Fatal(err)
	}
	return e.Entry
}

// sweep goes the whole way once.
func (y *years) sweep() ledger.Sweep {
	y.t.Helper()
	s, err := y.ExpireAll(y.t.Context(), "")
	if err != nil || s.Failed != 0 {
		y.t.Fatalf("%+v %v", s, err)
	}
	return s
}

// sweeps goes the whole way and demands that so many points of so many lots run out, and so many warnings go out.
func (y *years) sweeps(points, lots, warned int64) {
	y.t.Helper()
	if s := y.sweep(); s.Points != points || s.Lots != lots || s.Warned != warned {
		y.t.Fatalf("%d points of %d lots ran out, %d warnings; want %d of %d, %d", s.Points, s.Lots, s.Warned, points, lots, warned)
	}
	if s := y.sweep(); s.Points != 0 || s.Warned != 0 {
		y.t.Fatalf("the second time: %+v", s)
	}
	y.audited("pizza")
}

func (y *years) audited(tenant string) {
	y.t.Helper()
	report, err := audit.New(y.DB, y.Database.DB(pg.Ops), time.Now).Check(as(y.t.Context(), tenant))
	if err != nil || !report.OK() {
		y.t.Fatalf("the auditor: %+v %v", report, err)
	}
}

func (y *years) has(m loyaltytest.Member, available, pending int64) {
	y.t.Helper()
	if got := y.Read(m); got.Available != available || got.Pending != pending {
		y.t.Fatalf("has %d points and %d locked ones, want %d and %d", got.Available, got.Pending, available, pending)
	}
}

func TestPointsRunOutWhenTheirDayHasEnded(t *testing.T) {
	t.Parallel()
	y := newYears(t, "2027-01-15 10:00", programme.Expiry{Kind: "months", Months: 12})
	lily, mia := y.Enrol(), y.Enrol()
	y.earns(lily, 100, 0)
	y.is("2027-01-15 23:59")
	y.earns(lily, 20, 0)
	y.is("2027-01-16 00:00")
	y.earns(lily, 5, 0)
	y.earns(mia, 7, 14)
	y.spends(lily, 30)

	y.is("2028-01-15 23:59")
	y.sweeps(0, 0, 3)
	y.has(lily, 95, 0)
	y.is("2028-01-16 00:00")
	y.sweeps(90, 2, 0)
	y.has(lily, 5, 0)
	y.is("2028-01-31 00:00")
	y.sweeps(12, 2, 0)
	y.has(lily, 0, 0)
	y.has(mia, 0, 0)

	x, err := y.points.Explain(as(t.Context(), "pizza"), lily.MemberID, 0, 2)
	if err != nil {
		t.Fatal(err)
	}
	e := x.Entries[1]
	if e.Kind != ledger.KindExpiry || e.Points() != 90 || len(e.Uses) != 2 || e.AvailableAfter != 5 || e.By != "expiry:loyalty" ||
		!e.EffectiveAt.Equal(time.Date(2028, 1, 15, 16, 0, 0, 0, time.UTC)) {
		t.Fatalf("%+v", e)
	}
	told := false
	for _, event := range y.EventsOf("PointsExpired", 3) {
		if event.AggregateID == lily.MemberID.String() && !told {
			golden.JSON(t, "testdata/points_expired.json", event.Data)
			told = true
		}
	}
	y.Want(http.StatusConflict, http.MethodPost, lily.Path+"/spends", y.Manager, body{"points": 1, "reason_type": "reward"}, nil)
}

func TestPointsRunOutAtTheEndOfAYearInEachTenantByItsOwnTerms(t *testing.T) {
	t.Parallel()
	y := newYears(t, "2027-06-30 10:00", programme.Expiry{Kind: "year_end"})
	lily, music := y.Enrol(), y.Token(auth.RoleManager, "music")
	var tom loyaltytest.Member
	y.Want(http.StatusCreated, http.MethodPost, "/v1/members", music, body{"customer_id": uuid.Must(uuid.NewV7())}, &tom)
	y.earns(lily, 40, 0)
	if _, err := y.points.Earn(as(t.Context(), "music"), tom.MemberID, ledger.Earning{Points: 9, Reason: ledger.Reason{Type: "campaign"}}); err != nil {
		t.Fatal(err)
	}
	y.is("2027-12-20 10:00")
	y.earns(lily, 2, 14) // can be spent next year only
	y.is("2028-01-01 00:00")
	y.sweeps(40, 1, 0)
	y.has(lily, 0, 2)
	y.is("2040-01-01 00:00")
	y.sweeps(2, 1, 0)
	var kept loyaltytest.Member
	y.Want(http.StatusOK, http.MethodGet, "/v1/members/"+tom.MemberID.String(), music, nil, &kept)
	if kept.Available != 9 {
		t.Fatalf("points that never run out in the other tenant: %+v", kept)
	}
	y.audited("music")
}

func TestOfOneTenantOnlyItsOwnPointsRunOut(t *testing.T) {
	t.Parallel()
	y := newYears(t, "2027-01-15 10:00", programme.Expiry{Kind: "months", Months: 1})
	y.terms("music", 1, "2020-01-01 00:00", programme.Expiry{Kind: "months", Months: 1})
	lily, music := y.Enrol(), y.Token(auth.RoleManager, "music")
	var tom loyaltytest.Member
	y.Want(http.StatusCreated, http.MethodPost, "/v1/members", music, body{"customer_id": uuid.Must(uuid.NewV7())}, &tom)
	y.earns(lily, 40, 0)
	if _, err := y.points.Earn(as(t.Context(), "music"), tom.MemberID, ledger.Earning{Points: 9, Reason: ledger.Reason{Type: "campaign"}}); err != nil {
		t.Fatal(err)
	}
	y.is("2028-01-01 00:00")
	if s, err := y.ExpireAll(t.Context(), "music"); err != nil || s.Points != 9 {
		t.Fatalf("%+v %v", s, err)
	}
	y.has(lily, 40, 0)
	y.sweeps(40, 1, 0)
}

// warnings gives what members were told, sorted: points and times as walls in Shanghai show them.
func (y *years) warnings(want int) (told []string) {
	y.t.Helper()
	for _, e := range y.EventsOf("PointsWillExpire", want) {
		var w struct {
			Points    string    `json:"points"`
			ExpiresAt time.Time `json:"expiresAt"`
		}
		if err := json.Unmarshal(e.Data, &w); err != nil {
			y.t.Fatal(err)
		}
		told = append(told, fmt.Sprintf("%s by %s", w.Points, w.ExpiresAt.In(zone(y.t)).Format("2006-01-02 15:04")))
	}
	slices.Sort(told)
	return told
}

func wantTold(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Fatalf("told: %v, want %v", got, want)
	}
}

func TestMembersAreToldOfADayOnceThirtyDaysBefore(t *testing.T) {
	t.Parallel()
	y := newYears(t, "2027-01-15 10:00", programme.Expiry{Kind: "months", Months: 12})
	lily := y.Enrol()
	y.earns(lily, 100, 0)
	spent := y.spends(lily, 60)
	y.is("2027-12-16 23:59") // the day ends on 2028-01-16 00:00
	y.sweeps(0, 0, 0)
	y.is("2027-12-17 00:00")
	y.sweeps(0, 0, 1)
	y.is("2027-12-20 10:00") // what was spent comes back, to live for 30 days
	if _, err := y.points.Restore(as(t.Context(), "pizza"), spent.ID, ledger.Reason{Type: "reward"}); err != nil {
		t.Fatal(err)
	}
	y.sweeps(0, 0, 0)
	y.is("2027-12-21 10:00") // all of the lot runs out on another day now, of which she is told as well
	y.sweeps(0, 0, 1)
	y.is("2028-01-16 12:00")
	y.sweeps(0, 0, 0)
	y.has(lily, 100, 0)
	y.is("2028-01-20 00:00")
	y.sweeps(100, 1, 0)
	wantTold(t, y.warnings(2), "100 by 2028-01-20 00:00", "40 by 2028-01-16 00:00")
	golden.JSON(t, "testdata/points_will_expire.json", y.EventsOf("PointsWillExpire", 2)[0].Data)
}

func TestOfADayToWhichMorePointsMoveNobodyIsToldAgain(t *testing.T) {
	t.Parallel()
	y := newYears(t, "2027-01-15 10:00", programme.Expiry{Kind: "months", Months: 1})
	lily := y.Enrol()
	y.earns(lily, 100, 0)
	y.is("2027-01-20 10:00")
	y.sweeps(0, 0, 1)
	y.is("2027-01-15 15:00")
	y.earns(lily, 11, 0)
	y.is("2027-01-20 11:00")
	y.sweeps(0, 0, 0)
	y.is("2027-02-16 00:00")
	y.sweeps(111, 2, 0)
	wantTold(t, y.warnings(1), "100 by 2027-02-16 00:00")
}

func TestWhoDoesNothingForLongLosesEverything(t *testing.T) {
	t.Parallel()
	y := newYears(t, "2027-01-15 10:00", programme.Expiry{Kind: "inactivity", Months: 6})
	lily, mia, ada := y.Enrol(), y.Enrol(), y.Enrol()
	y.earns(lily, 100, 0)
	y.earns(lily, 30, 365) // locked for longer
	y.earns(mia, 7, 0)
	y.is("2027-06-16 00:00")
	y.sweeps(0, 0, 2)
	y.is("2027-06-20 10:00")
	y.spends(lily, 10)
	y.is("2027-07-16 00:00")
	y.sweeps(7, 1, 0)
	y.has(lily, 90, 30)
	y.has(mia, 0, 0)
	y.is("2027-12-01 10:00")
	y.sweeps(0, 0, 1)
	y.is("2027-12-20 23:59")
	y.sweeps(0, 0, 0)
	y.is("2027-12-21 00:00")
	y.sweeps(120, 2, 0)
	y.has(lily, 0, 0)
	y.has(ada, 0, 0)
	wantTold(t, y.warnings(3), "120 by 2027-12-21 00:00", "130 by 2027-07-16 00:00", "7 by 2027-07-16 00:00")
}

// TestWhoLeftOrWasErasedIsToldNothing: their points run out all the same.
func TestWhoLeftOrWasErasedIsToldNothing(t *testing.T) {
	t.Parallel()
	y := newYears(t, "2027-01-15 10:00", programme.Expiry{Kind: "months", Months: 2})
	left, erased, here := y.Enrol(), y.Enrol(), y.Enrol()
	for _, m := range []loyaltytest.Member{left, erased, here} {
		y.earns(m, 10, 0)
	}
	y.Admin(`UPDATE member SET state = 'left' WHERE id = $1`, left.MemberID)
	y.Admin(`UPDATE member SET card_number = 'erased:' || id WHERE id = $1`, erased.MemberID)
	y.is("2027-03-01 10:00")
	y.sweeps(0, 0, 1)
	y.is("2027-03-16 00:00")
	y.sweeps(30, 3, 0)
}

// TestAMemberWithWhomItDoesNotWorkHoldsNobodyUp has one whose balance is not what its lots say.
func TestAMemberWithWhomItDoesNotWorkHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	y := newYears(t, "2027-01-15 10:00", programme.Expiry{Kind: "months", Months: 1})
	members := make([]loyaltytest.Member, 5)
	for n := range members {
		members[n] = y.Enrol()
		y.earns(members[n], 10, 0)
	}
	y.Admin(`UPDATE member SET available = 3 WHERE id = $1`, members[2].MemberID)
	y.is("2027-02-16 00:00")
	s, err := y.ExpireAll(t.Context(), "")
	if err != nil || s.Points != 40 || s.Failed != 1 {
		t.Fatalf("%+v %v", s, err)
	}
	y.has(members[2], 3, 0)
	y.Admin(`UPDATE member SET available = 10 WHERE id = $1`, members[2].MemberID)
	y.sweeps(10, 1, 0)
}

// TestHoweverOftenItIsCutOffEachLotRunsOutOnce cuts sweeps off at any moment, two at once, while members spend, and has another
// one go on where the one before had said it was, until one comes to the end.
func TestHoweverOftenItIsCutOffEachLotRunsOutOnce(t *testing.T) {
	t.Parallel()
	y := newYears(t, "2027-01-15 10:00", programme.Expiry{Kind: "months", Months: 1})
	var members []loyaltytest.Member
	var given int64
	for n := range 25 {
		m := y.Enrol()
		members = append(members, m)
		for k := range 1 + n%4 {
			y.is(fmt.Sprintf("2027-01-%02d 10:00", 15+(n+k)%3))
			points := int64(10 + k)
			y.earns(m, points, k%2*5)
			given += points
		}
	}
	y.is("2027-02-10 10:00")
	y.warnedWhileCutOff()
	y.is("2027-06-01 10:00")
	var spent, cut atomic.Int64
	var all sync.WaitGroup
	for lane := range 2 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(lane), 7))
			cut.Add(y.sweepCutOff(random))
		})
	}
	all.Go(func() { // a spend expires what has run out as well
		for _, m := range members[:5] {
			_, err := y.points.Spend(as(t.Context(), "pizza"), m.MemberID, ledger.Spending{Points: 1, Reason: ledger.Reason{Type: "reward"}})
			if err == nil {
				spent.Add(1)
			}
		}
	})
	all.Wait()
	if cut.Load() == 0 {
		t.Fatal("no sweep was ever cut off")
	}
	if spent.Load() != 0 {
		t.Fatal("points were spent that had run out")
	}
	y.sweeps(0, 0, 0)
	for _, m := range members {
		y.has(m, 0, 0)
	}
	for what, sql := range map[string]string{
		"lots that did not run out once": `SELECT count(*) FROM lot l WHERE points <> expired OR points <> (SELECT coalesce(sum(u.points), 0) FROM lot_use u
			JOIN ledger_entry e ON e.tenant_id = u.tenant_id AND e.id = u.entry_id WHERE u.lot_id = l.id AND e.kind = 'expiry')`,
		"lots in two entries": `SELECT count(*) FROM (SELECT lot_id FROM lot_use GROUP BY lot_id HAVING count(*) > 1) x`,
	} {
		if n := y.Count(sql); n != 0 {
			t.Errorf("%d %s", n, what)
		}
	}
	if n := y.Count(`SELECT coalesce(sum(expired), 0)::bigint FROM ledger_entry`); n != given {
		t.Errorf("%d points ran out of %d", n, given)
	}
	y.EventsOf("PointsExpired", int(y.Count(`SELECT count(*) FROM ledger_entry WHERE kind = 'expiry'`)))
	y.EventsOf("PointsWillExpire", int(y.Count(`SELECT count(*) FROM expiry_warning`)))
}

// warnedWhileCutOff has two sweeps at once warn, cut off again and again, and demands that everybody was told once of each day.
func (y *years) warnedWhileCutOff() {
	y.t.Helper()
	var both sync.WaitGroup
	for lane := range 2 {
		both.Go(func() { y.sweepCutOff(rand.New(rand.NewPCG(uint64(lane), 3))) })
	}
	both.Wait()
	want := y.Count(`SELECT count(DISTINCT (member_id, expires_at)) FROM lot WHERE expires_at < '2027-03-12'`)
	if n := y.Count(`SELECT count(*) FROM expiry_warning`); n != want || n == 0 {
		y.t.Fatalf("%d warnings of %d days", n, want)
	}
}

// sweepCutOff sweeps to the end and tells how often it was cut off on the way, at any moment of a page. Who goes on does so
// where the one before had got to, or some pages earlier: what a heartbeat told last.
func (y *years) sweepCutOff(random *rand.Rand) (cut int64) {
	var s, told ledger.Sweep
	for long := time.Millisecond; !s.Ended(); {
		ctx, cancel := context.WithTimeout(y.t.Context(), time.Duration(random.Int64N(int64(long))))
		for !s.Ended() {
			next, err := y.Step(ctx, s, "")
			if err != nil {
				cut++
				s, long = told, long+time.Millisecond // a page needs some time
				break
			}
			if s = next; random.IntN(3) == 0 {
				told = s
			}
		}
		cancel()
	}
	return cut
}

func TestAnOperatorHasPointsRunOutAtOnce(t *testing.T) {
	t.Parallel()
	w := loyaltytest.Start(t)
	lily := w.Enrol()
	w.Earn(lily, 10)
	w.Admin(`UPDATE lot SET expires_at = now() - interval '1 day'`)
	var started struct {
		WorkflowID string `json:"workflow_id"`
	}
	w.Want(http.StatusAccepted, http.MethodPost, "/v1/points/expiries", w.Auditor, nil, &started)
	if started.WorkflowID != "loyalty-expiry/pizza" {
		t.Fatalf("%+v", started)
	}
	w.Eventually("the points ran out", func() bool { return w.Read(lily).Available == 0 })
	w.Want(http.StatusForbidden, http.MethodPost, "/v1/points/expiries", w.Manager, nil, nil)
}
