package ledger

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// Account is a member as the ledger sees one.
type Account struct{ member.Member }

// Step is what one entry does: the account as it is afterwards, the entry, and the lots that it made or changed, as they
// are afterwards.
type Step struct {
	Account Account
	Entry   Entry
	Made    *Lot
	Changed []Lot
	// Lapsed is when all lots ran out that the account had before, since nobody touched them; zero for nearly every step. It is
	// noted on them, and whoever comes upon them expires them.
	Lapsed time.Time
}

// ErrLotsMissing says that the lots at hand are fewer than the account has, and that the rule needs more of them: read
// all of them and begin anew.
var ErrLotsMissing = errors.New("ledger: more lots are needed than were read")

// step makes an entry of the postings. It is not booked before the member's entry before it, whatever the clocks of two
// processes say, so that a balance of a past time is one that there was.
func (a Account) step(b Booking, p Postings) Step {
	if b.RecordedAt.Before(a.BookedAt) {
		b.RecordedAt = a.BookedAt
	}
	a.BookedAt = b.RecordedAt
	a.Pending += p.Pending
	a.Available += p.Available
	a.Debt -= p.Debt
	a.Entries++
	return Step{Account: a, Entry: Entry{
		Booking: b, Postings: p, MemberID: a.ID, Programme: a.Programme, No: a.Entries, AvailableAfter: a.Available,
	}}
}

// lapse gives when the points of the account ran out that nobody touched, if that was so by now; otherwise zero. What is done
// about points afterwards does not bring them back.
func (a Account) lapse(now time.Time, p programme.Programme) time.Time {
	if at := a.IdleAt(p); a.Available+a.Pending > 0 && !at.IsZero() && !at.After(now) {
		return at
	}
	return time.Time{}
}

// active notes that the member did something.
func (a *Account) active(b Booking) {
	at := b.EffectiveAt
	if at.After(b.RecordedAt) {
		at = b.RecordedAt
	}
	if at.After(a.ActiveAt) {
		a.ActiveAt = at
	}
}

// IdleAt gives when all points of the member run out by the programme's terms if nothing is earned or spent until then; zero:
// not by that.
func (a Account) IdleAt(p programme.Programme) time.Time {
	last := a.ActiveAt
	if last.IsZero() {
		last = a.EnrolledAt
	}
	return p.Expiry.Inactive(last, p.Zone)
}

// RunsOut gives when the points of a lot of the account run out by the programme's terms; zero: not by themselves.
func (a Account) RunsOut(l Lot, p programme.Programme) time.Time {
	idle := a.IdleAt(p)
	if idle.IsZero() || !l.ExpiresAt.IsZero() && l.ExpiresAt.Before(idle) {
		return l.ExpiresAt
	}
	return idle
}

// Earn gives points, more than 0. A debt is paid out of them first; the rest becomes a lot, whose points are locked until
// availableAt where that is later than the booking. What is more than a member may have is a Conflict, balance_full.
func (a Account) Earn(b Booking, points int64, availableAt time.Time) (Step, error) {
	return a.give(b, points, availableAt, Postings{Issued: -points})
}

// give is Earn with the account of the programme that the points come from.
func (a Account) give(b Booking, points int64, availableAt time.Time, p Postings) (Step, error) {
	if points > maxHeld-a.Available-a.Pending {
		return Step{}, problem.New(problem.Conflict, "balance_full", "The member would have more than %d points. Nothing was booked.", maxHeld)
	}
	a.active(b)
	p.Debt = min(points, a.Debt)
	rest := points - p.Debt
	locked := availableAt.After(b.RecordedAt)
	if locked {
		p.Pending = rest
	} else {
		p.Available = rest
	}
	s := a.step(b, p)
	if rest > 0 {
		s.Made = &Lot{
			ID: b.ID, MemberID: a.ID, Points: rest, Remaining: rest, AvailableAt: availableAt, Released: !locked,
			EarnedAt: b.EffectiveAt, Reason: b.Reason,
		}
	}
	return s, nil
}

// Adjust gives points, or takes them where points is below zero: from available lots, those that run out first before
// others. More than the account has is a Conflict, points_insufficient.
func (a Account) Adjust(b Booking, points int64, lots []Lot) (Step, error) {
	if points > 0 {
		return a.give(b, points, b.RecordedAt, Postings{Adjusted: -points})
	}
	if -points > a.Available {
		return Step{}, insufficient(a.Available)
	}
	lots = slices.DeleteFunc(slices.Clone(lots), func(l Lot) bool { return !l.Released })
	slices.SortFunc(lots, sooner)
	t := take(-points, lots)
	if t.rest > 0 {
		return Step{}, ErrLotsMissing
	}
	return a.taking(b, t, Postings{Adjusted: -points}), nil
}

func insufficient(available int64) error {
	return problem.New(problem.Conflict, "points_insufficient",
		"The member has %d points to spend, which is less than asked for. Nothing was booked.", available)
}

// Forfeit takes all that the account has, locked points included. Lots are all of its open ones.
func (a Account) Forfeit(b Booking, lots []Lot) (Step, error) {
	t := take(a.Available+a.Pending, lots)
	if t.rest > 0 {
		return Step{}, ErrLotsMissing
	}
	return a.taking(b, t, Postings{Adjusted: t.available + t.pending}), nil
}

// Expire takes all that is left of the lots, which have run out.
func (a Account) Expire(b Booking, lots []Lot) (Step, error) {
	t := take(sum(lots), lots)
	for i, l := range t.changed {
		n := lots[slices.IndexFunc(lots, func(o Lot) bool { return o.ID == l.ID })].Remaining
		t.changed[i].Expired += n
	}
	if t.available > a.Available || t.pending > a.Pending {
		return Step{}, errors.New("ledger: lots of another account run out")
	}
	return a.taking(b, t, Postings{Expired: t.available + t.pending}), nil
}

// taking makes an entry of what was taken, which goes to an account of the programme.
func (a Account) taking(b Booking, t taken, p Postings) Step {
	p.Pending, p.Available = -t.pending, -t.available
	s := a.step(b, p)
	s.Changed, s.Entry.Uses = t.changed, t.uses
	return s
}

// Overdue expires those of the lots that have run out by now: an entry for each time at which some did. It gives the lots
// that are left, and the account as it is then.
func (a Account) Overdue(by string, now time.Time, p programme.Programme, lots []Lot) (after Account, steps []Step, left []Lot, err error) {
	due := make(map[time.Time][]Lot)
	var times []time.Time
	for _, l := range lots {
		at := a.RunsOut(l, p)
		if l.Remaining == 0 || at.IsZero() || at.After(now) {
			left = append(left, l)
			continue
		}
		if due[at] == nil {
			times = append(times, at)
		}
		due[at] = append(due[at], l.lapsed(at))
	}
	slices.SortFunc(times, time.Time.Compare)
	for _, at := range times {
		id, err := uuid.NewV7()
		if err != nil {
			return a, nil, nil, err
		}
		s, err := a.Expire(Booking{
			ID: id, Kind: KindExpiry, Key: "expiry/" + id.String(), Reason: Reason{Type: reasonExpiry}, By: by, EffectiveAt: at, RecordedAt: now,
		}, due[at])
		if err != nil {
			return a, nil, nil, err
		}
		a = s.Account
		steps, left = append(steps, s), append(left, s.Changed...)
	}
	return a, steps, left, nil
}

// reasonExpiry is the reason of entries by which points run out.
const reasonExpiry = "expiry"

// Release makes the locked points of a lot available.
func (a Account) Release(b Booking, l Lot) Step {
	s := a.step(b, Postings{Pending: -l.Remaining, Available: l.Remaining})
	l.Released = true
	s.Changed = []Lot{l}
	return s
}

// TakeBack takes points, more than 0, of an earlier entry back. First come those that are left in the lot that the entry made;
// then those of that lot that ran out, which are waived: nobody owes what was never to be had; then those of the member's other
// lots, the ones that run out first before others, and available ones before locked ones; and what is not there any more becomes a debt. The lot that the entry
// made has to be among the lots, even where nothing is left of it. The last step is the reversal; before it comes what had run
// out by then.
func (a Account) TakeBack(b Booking, p programme.Programme, reverses uuid.UUID, points int64, lots []Lot) ([]Step, error) {
	all := sum(lots) == a.Available+a.Pending
	a, steps, lots, err := a.Overdue(b.By, b.RecordedAt, p, lots)
	if err != nil {
		return nil, err
	}
	free := func(l Lot) bool { return l.Released || !l.AvailableAt.After(b.RecordedAt) } // soon, if it is not yet
	slices.SortFunc(lots, func(x, y Lot) int {
		return cmp.Or(first(x.ID == reverses, y.ID == reverses), byExpiry(x, y), first(free(x), free(y)), sooner(x, y))
	})
	var waived int64
	if len(lots) > 0 && lots[0].ID == reverses {
		own := &lots[0]
		waived = min(max(0, points-own.Remaining), own.Expired-own.Waived)
		own.Waived += waived
	}
	t := take(points-waived, lots)
	if !all && (t.rest > 0 || slices.ContainsFunc(t.changed, func(l Lot) bool { return l.ID != reverses })) {
		return nil, ErrLotsMissing
	}
	if waived > 0 && lots[0].Remaining == 0 {
		t.changed = append(t.changed, lots[0])
	}
	s := a.taking(b, t, Postings{Debt: -t.rest, Issued: points - waived})
	s.Entry.Reverses, s.Entry.Waived = reverses, waived
	return append(steps, s), nil
}

// Restore gives the points of a spend back to the lots that they were taken from, which do not run out before until. A debt is
// paid first, out of those that would run out first.
func (a Account) Restore(b Booking, spend Entry, lots []Lot, until time.Time) (Step, error) {
	a.active(b)
	paid := min(spend.Redeemed, a.Debt)
	s := a.step(b, Postings{Available: spend.Redeemed - paid, Debt: paid, Redeemed: -spend.Redeemed})
	s.Entry.Reverses = spend.ID
	lots = slices.Clone(lots)
	slices.SortFunc(lots, sooner)
	found := 0
	for _, l := range lots {
		n := slices.IndexFunc(spend.Uses, func(u Use) bool { return u.LotID == l.ID })
		if n < 0 {
			continue
		}
		found++
		back := spend.Uses[n].Points
		debt := min(paid, back)
		paid, back = paid-debt, back-debt
		if back == 0 {
			continue
		}
		l.Remaining += back
		if !l.ExpiresAt.IsZero() && l.ExpiresAt.Before(until) {
			l.ExpiresAt = until
		}
		s.Changed = append(s.Changed, l)
		s.Entry.Uses = append(s.Entry.Uses, Use{LotID: l.ID, Points: -back})
	}
	if found != len(spend.Uses) {
		return Step{}, ErrLotsMissing
	}
	sortUses(s.Entry.Uses)
	return s, nil
}

// taken is what was taken from lots.
type taken struct {
	pending, available int64
	rest               int64 // what could not be taken
	changed            []Lot
	uses               []Use
}

// take takes points from the lots, in their order.
func take(points int64, lots []Lot) taken {
	t := taken{rest: points}
	for _, l := range lots {
		n := min(t.rest, l.Remaining)
		if n == 0 {
			continue
		}
		l.Remaining -= n
		t.rest -= n
		if l.Released {
			t.available += n
		} else {
			t.pending += n
		}
		t.changed = append(t.changed, l)
		t.uses = append(t.uses, Use{LotID: l.ID, Points: n})
	}
	sortUses(t.uses)
	return t
}

func sortUses(uses []Use) {
	slices.SortFunc(uses, func(a, b Use) int { return bytes.Compare(a.LotID[:], b.LotID[:]) })
}
