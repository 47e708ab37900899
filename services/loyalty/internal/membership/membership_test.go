package membership_test

import (
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/membership"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

func zone(t interface{ Fatal(...any) }, name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// begun is a membership that was bought at a time, as clocks of the zone show it.
func begun(t interface{ Fatal(...any) }, z *time.Location, at string, plan programme.Plan) (membership.Membership, programme.Programme) {
	now, err := time.ParseInLocation("2006-01-02 15:04", at, z)
	if err != nil {
		t.Fatal(err)
	}
	p := programme.Programme{Code: "standard", Zone: z}
	return membership.Start(uuid.New(), uuid.New(), p, plan, "PAY-1", now.UTC()), p
}

func code(err error) string {
	var p *problem.Error
	if errors.As(err, &p) {
		return p.Code
	}
	return ""
}

func TestATermEndsWithADayOfTheProgrammesZone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, zone, bought string
		months             int
		ends               string // UTC
		days               int64
	}{
		{"a year", "Asia/Shanghai", "2026-11-20 10:00", 12, "2027-11-19T16:00:00Z", 365},
		{"late in the evening in Shanghai it is the same day", "Asia/Shanghai", "2026-11-20 23:59", 12, "2027-11-19T16:00:00Z", 365},
		{"a leap year", "UTC", "2027-12-01 00:00", 12, "2028-12-01T00:00:00Z", 366},
		{"the 31st, clamped", "UTC", "2027-01-31 12:00", 1, "2027-02-28T00:00:00Z", 28},
		{"of a day in spring that begins at one", "Africa/Cairo", "2026-03-24 10:00", 1, "2026-04-23T22:00:00Z", 31},
		{"over the change of clocks", "Europe/Berlin", "2026-03-01 10:00", 1, "2026-03-31T22:00:00Z", 31},
	} {
		m, _ := begun(t, zone(t, c.zone), c.bought, programme.Plan{Code: "gold", Currency: "CNY", FeeMinor: 100, Months: c.months})
		if got := m.Latest(); got.EndsAt.Format(time.RFC3339) != c.ends || got.Days() != c.days {
			t.Errorf("%s: ends at %s after %d days, want %s, %d", c.name, got.EndsAt.Format(time.RFC3339), got.Days(), c.ends, c.days)
		}
	}
}

func TestRenewalsKeepTheDayOfTheMonth(t *testing.T) {
	t.Parallel()
	plan := programme.Plan{Code: "gold", Currency: "CNY", FeeMinor: 100, Months: 1, GraceDays: 5, ReminderDays: 3}
	m, p := begun(t, time.UTC, "2027-01-31 12:00", plan)
	for _, want := range []string{"2027-03-31", "2027-04-30", "2027-05-31"} {
		var err error
		if m, err = m.Renew(p, plan, "PAY-2", m.Latest().EndsAt); err != nil {
			t.Fatal(err)
		}
		if got := m.Latest().EndDay.Format(time.DateOnly); got != want {
			t.Errorf("ends on %s, want %s", got, want)
		}
	}
	if got := m.RemindAt.Format(time.DateOnly); got != "2027-05-28" {
		t.Errorf("is reminded of on %s", got)
	}
	if got := m.OverAt.Format(time.DateOnly); got != "2027-06-05" {
		t.Errorf("is over on %s", got)
	}
}

func TestWhenAMembershipIsRenewed(t *testing.T) {
	t.Parallel()
	plan := programme.Plan{Code: "gold", Currency: "CNY", FeeMinor: 100, Months: 1, GraceDays: 5}
	once, dear := plan, plan
	once.Renewal, dear.Currency = programme.RenewalNone, "USD"
	m, p := begun(t, time.UTC, "2027-01-10 12:00", plan)
	ahead, err := m.Renew(p, plan, "PAY-2", m.StartsAt)
	if err != nil {
		t.Fatal(err)
	}
	end := m.Latest().EndsAt
	long, _ := begun(t, time.UTC, "2027-01-10 12:00", programme.Plan{Code: "gold", Currency: "CNY", FeeMinor: 100, Months: 12, GraceDays: 300})
	ended, err := m.EndNow(membership.EndCancelled, "moved", m.StartsAt, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		m    membership.Membership
		plan programme.Plan
		at   time.Time
		code string
	}{
		{"in advance", m, plan, m.StartsAt, ""},
		{"twice in advance", ahead, plan, end.Add(-time.Second), "membership_renewed_already"},
		{"once the term that was paid in advance has begun", ahead, plan, end, ""},
		{"in the last second of the grace time", m, plan, m.OverAt.Add(-time.Microsecond), ""},
		{"after it", m, plan, m.OverAt, "membership_over"},
		{"of a plan that is not renewed", m, once, end, "plan_not_renewable"},
		{"in another currency while there would be something to refund", m, dear, end.Add(-time.Second), "plan_currency_changed"},
		{"in another currency afterwards", m, dear, end, ""},
		{"late, once the plan has terms that would be over", long, plan, long.OverAt.Add(-time.Second), "membership_over"},
		{"of one that was ended", ended, plan, m.StartsAt, "membership_over"},
	} {
		got, err := c.m.Renew(p, c.plan, "PAY-3", c.at)
		if code(err) != c.code || (err == nil) != (c.code == "") {
			t.Errorf("%s: got %v", c.name, err)
		}
		if err == nil && !got.Latest().FirstDay.Equal(c.m.Latest().EndDay) {
			t.Errorf("%s: the new term begins on %s", c.name, got.Latest().FirstDay)
		}
		if err == nil && len(c.m.Terms) == len(got.Terms) {
			t.Errorf("%s: no term was added", c.name)
		}
	}
}

func TestARefundIsTheShareOfTheDaysLeftRoundedDown(t *testing.T) {
	t.Parallel()
	shanghai := zone(t, "Asia/Shanghai")
	plan := programme.Plan{Code: "gold", Currency: "CNY", FeeMinor: 19900, Months: 12}
	m, p := begun(t, shanghai, "2026-11-20 00:00", plan)
	at := func(s string) time.Time {
		v, err := time.ParseInLocation("2006-01-02 15:04:05", s, shanghai)
		if err != nil {
			t.Fatal(err)
		}
		return v.UTC()
	}
	ahead, err := m.Renew(p, plan, "PAY-2", at("2026-11-21 00:00:00"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		m      membership.Membership
		at     string
		refund int64
	}{
		{"at the first instant everything", m, "2026-11-20 00:00:00", 19900},
		{"on the first day all but that", m, "2026-11-20 00:00:01", 19900 * 364 / 365},
		{"at a midnight the day that begins is left", m, "2026-11-21 00:00:00", 19900 * 364 / 365},
		{"half", m, "2027-05-21 12:00:00", 19900 * 182 / 365},
		{"with the last but one day begun, one is left", m, "2027-11-18 23:59:59", 54},
		{"on the last day nothing", m, "2027-11-19 08:00:00", 0},
		{"what was paid in advance as a whole", ahead, "2027-11-19 08:00:00", 19900},
		{"both", ahead, "2027-05-21 12:00:00", 19900*182/365 + 19900},
	} {
		if got := c.m.Refundable(at(c.at), shanghai); got != c.refund {
			t.Errorf("%s: got %d, want %d", c.name, got, c.refund)
		}
	}
}

func TestRefundsAreExactForAnyFeeTermAndTime(t *testing.T) {
	t.Parallel()
	zones := []*time.Location{time.UTC, zone(t, "Asia/Shanghai"), zone(t, "America/Sao_Paulo"), zone(t, "Europe/Berlin"), zone(t, "Africa/Cairo")}
	rapid.Check(t, func(t *rapid.T) {
		z := rapid.SampledFrom(zones).Draw(t, "zone")
		now := time.Unix(rapid.Int64Range(1_600_000_000, 1_900_000_000).Draw(t, "bought"), 0).UTC()
		fee := rapid.Int64Range(0, 1_000_000_000_000).Draw(t, "fee")
		plan := programme.Plan{Code: "gold", Currency: "CNY", FeeMinor: fee, Months: rapid.IntRange(1, 120).Draw(t, "months")}
		m := membership.Start(uuid.New(), uuid.New(), programme.Programme{Code: "standard", Zone: z}, plan, "PAY", now)
		term := m.Latest()
		at := now.Add(time.Duration(rapid.Int64Range(0, int64(term.EndsAt.Sub(now)/time.Second)-1).Draw(t, "after")) * time.Second)
		// The whole days left, counted one by one on the clocks of the zone.
		left, days := int64(0), int64(0)
		for d := term.FirstDay; d.Before(term.EndDay); d = d.AddDate(0, 0, 1) {
			days++
			year, month, day := d.Date()
			noon := time.Date(year, month, day, 12, 0, 0, 0, z)
			if starts := programme.DayEnd(noon.AddDate(0, 0, -1), z); !starts.Before(at) {
				left++
			}
		}
		want := new(big.Int).Mul(big.NewInt(fee), big.NewInt(left))
		want.Div(want, big.NewInt(days))
		ended, err := m.EndNow(membership.EndCancelled, "moved", at, z)
		if err != nil || big.NewInt(ended.Refund).Cmp(want) != 0 {
			t.Fatalf("%d of %d days left of %d: got %d, want %s (%v)", left, days, fee, ended.Refund, want, err)
		}
		if ended.Refund < 0 || ended.Refund > fee {
			t.Fatalf("%d is given back of %d", ended.Refund, fee)
		}
	})
}

func TestWhoLeavesLosesPointsByTheRule(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name string
		rule programme.Leaving
		want string
	}{
		{"never", programme.Leaving{}, ""},
		{"never", programme.Leaving{Points: programme.LeavingKeep}, ""},
		{"at once", programme.Leaving{Points: programme.LeavingForfeit}, "2026-11-20T10:00:00Z"},
		{"at the end of the tenth day", programme.Leaving{Points: programme.LeavingForfeitLater, Days: 10}, "2026-11-30T16:00:00Z"},
	} {
		got := ""
		if at := c.rule.ForfeitAt(now, zone(t, "Asia/Shanghai")); !at.IsZero() {
			got = at.Format(time.RFC3339)
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestTermsFollowEachOtherWithoutAGapHoweverTheyAreRenewed(t *testing.T) {
	t.Parallel()
	zones := []*time.Location{time.UTC, zone(t, "Asia/Shanghai"), zone(t, "America/Sao_Paulo"), zone(t, "Africa/Cairo")}
	rapid.Check(t, func(t *rapid.T) {
		z := rapid.SampledFrom(zones).Draw(t, "zone")
		now := time.Unix(rapid.Int64Range(1_600_000_000, 1_900_000_000).Draw(t, "bought"), 0).UTC()
		plans := rapid.Custom(func(t *rapid.T) programme.Plan {
			months := rapid.IntRange(1, 24).Draw(t, "months")
			return programme.Plan{
				Code: "gold", Currency: "CNY", FeeMinor: rapid.Int64Range(0, 1e6).Draw(t, "fee"), Months: months,
				GraceDays: rapid.IntRange(0, 28*months-1).Draw(t, "grace"), ReminderDays: rapid.IntRange(0, 28*months-1).Draw(t, "reminder"),
			}
		})
		p := programme.Programme{Code: "standard", Zone: z}
		m := membership.Start(uuid.New(), uuid.New(), p, plans.Draw(t, "plan"), "PAY", now)
		for range rapid.IntRange(0, 8).Draw(t, "renewals") {
			latest := m.Latest()
			now = latest.EndsAt.Add(time.Duration(rapid.Int64Range(-40, 10).Draw(t, "days")) * 24 * time.Hour)
			if renewed, err := m.Renew(p, plans.Draw(t, "plan"), "PAY", now); err == nil {
				m = renewed
			}
		}
		for i, term := range m.Terms {
			if i > 0 && (!term.FirstDay.Equal(m.Terms[i-1].EndDay) || term.No != m.Terms[i-1].No+1) {
				t.Fatalf("%+v follows %+v", term, m.Terms[i-1])
			}
			if !term.EndDay.After(term.FirstDay) || term.OverAt.Before(term.EndsAt) {
				t.Fatalf("%+v", term)
			}
		}
		if want := m.Latest().OverAt; !m.OverAt.Equal(want) || !m.RemindAt.IsZero() && !m.RemindAt.Before(m.Latest().EndsAt) {
			t.Fatalf("over at %s, reminded at %s: %+v", m.OverAt, m.RemindAt, m.Latest())
		}
		// Whenever it ends, no more goes back than was paid for what is left, and nothing once it is over.
		var paid int64
		for _, term := range m.Terms {
			paid += term.Fee
		}
		if got := m.Refundable(m.StartsAt, z); got > paid {
			t.Fatalf("%d goes back of %d", got, paid)
		}
		if got := m.Refundable(m.Latest().EndsAt, z); got != 0 {
			t.Fatalf("%d goes back after the end", got)
		}
	})
}
