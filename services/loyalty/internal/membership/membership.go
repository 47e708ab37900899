// Package membership keeps memberships that are paid for, and what becomes of members who leave. Fees are paid to whoever sells:
// here is told that they were, for how long, and how much is to be given back.
//
// A membership has terms that follow each other without a gap, each by the plan as it was when it was paid for. Terms begin and
// end with days of the programme's zone. After its end a membership goes on for the plan's grace time, in which it can still be
// renewed; then it is over.
package membership

import (
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// State says whether a membership goes on.
type State string

// The states.
const (
	Active State = "active"
	Grace  State = "grace" // its term has ended; it goes on until the grace time ends. It is kept as Active
	Ended  State = "ended"
)

// Why a membership ended.
const (
	EndExpired   = "expired"
	EndCancelled = "cancelled"
	EndLeft      = "member_left"
	EndErased    = "customer_erased"
)

// Membership is a membership that was paid for.
type Membership struct {
	ID       uuid.UUID // UUIDv7
	MemberID uuid.UUID
	Plan     string
	Tier     string   // that the member has at least while it lasts; empty: none
	Benefits []string // codes
	State    State    // Active or Ended, see At
	StartsAt time.Time
	OverAt   time.Time // the end of the grace time of the latest term
	RemindAt time.Time // when it is to be told that it ends; zero: never, or it was told
	EndedAt  time.Time
	End      string // why it ended; empty while it has not
	Code     string // why it was cancelled, by a code of whoever did
	Refund   int64  // that was told when it ended, in minor units of the latest term's currency
	Terms    []Term // the first one first, at least one
}

// Term is a time for which a membership was paid.
type Term struct {
	No        int // from 1
	Programme string
	Plan      string
	Payment   string // reference of the payment at whoever sells; empty where the customer was erased
	Currency  string
	Fee       int64 // minor units
	Months    int
	Renewable bool
	FirstDay  time.Time // midnight UTC of the day's date, which is one of the programme's zone
	EndDay    time.Time // likewise the first day that it does not cover any more
	EndsAt    time.Time // when EndDay begins
	OverAt    time.Time // EndsAt and the grace time
	PaidAt    time.Time
	CutAt     time.Time // when it was cut short; zero for most
}

// Days is how many days the term has.
func (t Term) Days() int64 { return days(t.FirstDay, t.EndDay) }

// Latest is the term that was paid for last.
func (m Membership) Latest() Term { return m.Terms[len(m.Terms)-1] }

// At gives the state at a time.
func (m Membership) At(now time.Time) State {
	if m.State == Active && !now.Before(m.Latest().EndsAt) {
		return Grace
	}
	return m.State
}

// Over tells whether it is over, whether or not that was told.
func (m Membership) Over(now time.Time) bool { return m.State == Ended || !now.Before(m.OverAt) }

// The problems of what a membership does not allow.
var (
	errOver      = problem.New(problem.Conflict, "membership_over", "The membership is over. Buy a new one.")
	errAhead     = problem.New(problem.Conflict, "membership_renewed_already", "The next term is paid already. Renew again once it has begun.")
	errWithdrawn = problem.New(problem.Conflict, "plan_withdrawn", "The programme has no such plan any more. Buy another one when this is over.")
	errOnce      = problem.New(problem.Conflict, "plan_not_renewable", "Memberships of this plan are not renewed. Buy a new one when this is over.")
	errCurrency  = problem.New(problem.Conflict, "plan_currency_changed",
		"The plan has another currency than the term that is running: what is given back would be in two. Renew once it has ended.")
)

// Start begins a membership: its first term begins with today.
func Start(id, memberID uuid.UUID, p programme.Programme, plan programme.Plan, payment string, now time.Time) Membership {
	m := Membership{ID: id, MemberID: memberID, State: Active, StartsAt: now}
	return m.with(p, plan, payment, dateOf(now, p.Zone), now)
}

// Renew adds a term by the plan as it is now, in advance or in the grace time: it begins where the one before ended. A
// Conflict: membership_over, membership_renewed_already, plan_not_renewable, plan_currency_changed.
func (m Membership) Renew(p programme.Programme, plan programme.Plan, payment string, now time.Time) (Membership, error) {
	latest := m.Latest()
	switch {
	case m.Over(now):
		return m, errOver
	case !plan.Renewable():
		return m, errOnce
	case latest.FirstDay.After(dateOf(now, p.Zone)):
		return m, errAhead
	case latest.Currency != plan.Currency && now.Before(latest.EndsAt):
		return m, errCurrency
	}
	renewed := m.with(p, plan, payment, latest.EndDay, now)
	if renewed.Over(now) { // the plan has shorter terms by now: all of the new one would be gone
		return m, errOver
	}
	return renewed, nil
}

// with adds a term. It ends so many months after the first term began, so that a membership of the 31st ends at the end of
// shorter months and is of the 31st again after them.
func (m Membership) with(p programme.Programme, plan programme.Plan, payment string, first time.Time, now time.Time) Membership {
	anchor, months := first, plan.Months
	if len(m.Terms) > 0 {
		anchor = m.Terms[0].FirstDay
	}
	for _, t := range m.Terms {
		months += t.Months
	}
	end := monthsLater(anchor, months)
	t := Term{
		No: len(m.Terms) + 1, Programme: p.Code, Plan: plan.Code, Payment: payment, Currency: plan.Currency, Fee: plan.FeeMinor,
		Months: plan.Months, Renewable: plan.Renewable(), FirstDay: first, EndDay: end, EndsAt: begin(end, p.Zone),
		OverAt: begin(end.AddDate(0, 0, plan.GraceDays), p.Zone), PaidAt: now,
	}
	m.Terms = append(m.Terms[:len(m.Terms):len(m.Terms)], t)
	m.Plan, m.Tier, m.Benefits, m.OverAt, m.RemindAt = plan.Code, plan.Tier, plan.Benefits, t.OverAt, time.Time{}
	if plan.ReminderDays > 0 {
		m.RemindAt = begin(end.AddDate(0, 0, -plan.ReminderDays), p.Zone)
	}
	return m
}

// Refundable gives what goes back to a member whose membership ends now, in minor units: of each term ⌊fee × whole days left ÷
// days of the term⌋, where the day that has begun is not left any more.
func (m Membership) Refundable(now time.Time, zone *time.Location) (minor int64) {
	today := dateOf(now, zone)
	from := today
	if now.After(begin(today, zone)) {
		from = today.AddDate(0, 0, 1)
	}
	for _, t := range m.Terms {
		first := from
		if t.FirstDay.After(first) {
			first = t.FirstDay
		}
		if t.EndDay.After(first) {
			minor += money.Share(t.Fee, days(first, t.EndDay), t.Days())
		}
	}
	return minor
}

// EndNow ends a membership before its time, for a reason, with what is to be given back, or with 0 where nothing is left. code is
// why, of whoever cancels. A Conflict: membership_over.
func (m Membership) EndNow(reason, code string, now time.Time, zone *time.Location) (Membership, error) {
	if m.Over(now) {
		return m, errOver
	}
	m.Refund = m.Refundable(now, zone)
	m.Terms = append([]Term(nil), m.Terms...)
	for i, t := range m.Terms {
		if t.EndsAt.After(now) {
			m.Terms[i].CutAt = now
		}
	}
	m.State, m.EndedAt, m.End, m.Code, m.RemindAt = Ended, now, reason, code, time.Time{}
	return m, nil
}

// Expire ends a membership that is over, as of when that was.
func (m Membership) Expire() Membership {
	m.State, m.EndedAt, m.End, m.RemindAt = Ended, m.OverAt, EndExpired, time.Time{}
	return m
}

// dateOf gives midnight UTC of the date that it is in the zone.
func dateOf(at time.Time, zone *time.Location) time.Time {
	year, month, day := at.In(zone).Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// begin gives when a date begins in the zone, in UTC. A day whose midnight is left out begins later.
func begin(date time.Time, zone *time.Location) time.Time {
	year, month, day := date.Date()
	return programme.DayEnd(time.Date(year, month, day-1, 12, 0, 0, 0, zone), zone)
}

// days counts the days between two dates.
func days(from, to time.Time) int64 { return int64(to.Sub(from) / (24 * time.Hour)) }

// monthsLater gives the same day so many months later, or the last one of that month where it has no such day.
func monthsLater(date time.Time, months int) time.Time {
	year, month, day := date.Date()
	last := time.Date(year, month+time.Month(months)+1, 0, 0, 0, 0, 0, time.UTC)
	return last.AddDate(0, 0, min(day, last.Day())-last.Day())
}
