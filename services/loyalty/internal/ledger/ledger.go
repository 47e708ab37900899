// Package ledger keeps the points: who got them, what for, what is left of them. It is double entry, in integers, and
// nothing in it is ever changed; what is wrong is put right by another entry.
//
// The accounts of an entry are the member's (pending, available, debt), the programme's (issued, redeemed, expired,
// adjusted) and that of a partner (settlement); an entry's postings to them add up to zero. What the programme owes its
// members is the sum of all pending and available points.
package ledger

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
)

// Kind says what an entry does.
type Kind string

// The kinds of entries.
const (
	KindEarn     Kind = "earn"     // points for something that took place
	KindGrant    Kind = "grant"    // points that another service gave
	KindSpend    Kind = "spend"    // available points become redeemed ones
	KindRelease  Kind = "release"  // the locked points of one lot become available
	KindReversal Kind = "reversal" // points of an earlier entry are taken back
	KindVoid     Kind = "void"     // nothing: keeps the key of a grant that was reversed before it came
)

// MaxPoints is the most points that one request may give or take.
const MaxPoints = 1_000_000

// maxHeld is the most points that a member may have: the largest integer that every JSON reader keeps exact.
const maxHeld = money.Max

// Reason points at the event or the person that an entry is for. It names things by codes and ids, never by what is
// personal.
type Reason struct {
	Type string // code, such as order
	ID   string // may be empty
}

// Booking is what an entry has apart from its postings.
type Booking struct {
	ID          uuid.UUID // UUIDv7
	Kind        Kind
	PartOf      uuid.UUID // the first entry of a spend of which this is a part; Nil for most
	Key         string    // what makes a repetition known, for ever: unique in the tenant
	InputHash   []byte    // tells a repetition from another request with the key; nil where the key says it all
	Reason      Reason
	By          string    // who asked for it
	EffectiveAt time.Time // when what it is for took place
	RecordedAt  time.Time // when it is booked
}

// Postings are an entry's changes to the accounts, in points.
type Postings struct {
	Pending, Available, Debt            int64 // of the member; what is owed is below zero
	Issued, Redeemed, Expired, Adjusted int64 // of the programme; what was issued is below zero
	Settlement                          int64 // of a partner
}

// Sum is zero.
func (p Postings) Sum() int64 {
	return p.Pending + p.Available + p.Debt + p.Issued + p.Redeemed + p.Expired + p.Adjusted + p.Settlement
}

// Entry is one entry of the ledger.
type Entry struct {
	Booking
	Postings
	MemberID       uuid.UUID // Nil for KindVoid
	No             int64     // 1, 2, 3 ... within the member
	Reverses       uuid.UUID // the entry that a reversal takes back
	AvailableAfter int64     // the member's available points once it is booked
	Uses           []Use     // the lots it took points from, by the lots' ids
}

// Points gives how many points the entry is about, 0 or more.
func (e Entry) Points() int64 {
	switch e.Kind {
	case KindEarn, KindGrant:
		return -e.Issued
	case KindSpend:
		return e.Redeemed
	case KindRelease:
		return -e.Pending
	case KindReversal:
		return e.Issued
	default:
		return 0
	}
}

// Use is points that an entry took from a lot.
type Use struct {
	LotID  uuid.UUID
	Points int64 // more than 0
}

// Lot is points that came in together. It bears the id of the entry that made it.
type Lot struct {
	ID          uuid.UUID
	MemberID    uuid.UUID
	Points      int64 // at first, without those that paid a debt; more than 0
	Remaining   int64 // 0 to Points
	AvailableAt time.Time
	Released    bool // its points are available; otherwise they are pending
	EarnedAt    time.Time
	Reason      Reason
}

// Lots are lots of some members, as far as they were read. The zero Lots are none.
type Lots struct {
	of    map[uuid.UUID][]Lot
	place map[uuid.UUID]int // of each lot among those of its member
	limit int               // how many were read of each member's released ones, and of the locked ones; 0 for all
}

// Of gives the lots of a member.
func (l *Lots) Of(memberID uuid.UUID) []Lot { return l.of[memberID] }

// put puts a lot in, in the place of what it was before.
func (l *Lots) put(lot Lot) {
	if l.of == nil {
		l.of, l.place = make(map[uuid.UUID][]Lot), make(map[uuid.UUID]int)
	}
	if n, there := l.place[lot.ID]; there {
		l.of[lot.MemberID][n] = lot
		return
	}
	l.place[lot.ID] = len(l.of[lot.MemberID])
	l.of[lot.MemberID] = append(l.of[lot.MemberID], lot)
}

// Follow keeps the lots up to what the step did.
func (l *Lots) Follow(s Step) {
	if s.Made != nil {
		l.put(*s.Made)
	}
	for _, c := range s.Changed {
		l.put(c)
	}
}

// older orders lots by age.
func older(a, b Lot) int {
	return cmp.Or(a.EarnedAt.Compare(b.EarnedAt), bytes.Compare(a.ID[:], b.ID[:]))
}

// Account is a member as the ledger sees one.
type Account struct{ member.Member }

// Step is what one entry does: the account as it is afterwards, the entry, and the lots that it made or changed, as they
// are afterwards.
type Step struct {
	Account Account
	Entry   Entry
	Made    *Lot
	Changed []Lot
}

// ErrLotsMissing says that the lots at hand are fewer than the account has, and that the rule needs more of them: read
// all of them and begin anew.
var ErrLotsMissing = errors.New("ledger: more lots are needed than were read")

// step makes an entry of the postings.
func (a Account) step(b Booking, p Postings) Step {
	a.Pending += p.Pending
	a.Available += p.Available
	a.Debt -= p.Debt
	a.Entries++
	return Step{Account: a, Entry: Entry{
		Booking: b, Postings: p, MemberID: a.ID, No: a.Entries, AvailableAfter: a.Available,
	}}
}

// Earn gives points, more than 0. A debt is paid out of them first; the rest becomes a lot, whose points are locked until
// availableAt where that is later than the booking. What is more than a member may have is a Conflict, balance_full.
func (a Account) Earn(b Booking, points int64, availableAt time.Time) (Step, error) {
	if points > maxHeld-a.Available-a.Pending {
		return Step{}, problem.New(problem.Conflict, "balance_full", "The member would have more than %d points. Nothing was booked.", maxHeld)
	}
	paid := min(points, a.Debt)
	rest := points - paid
	locked := availableAt.After(b.RecordedAt)
	p := Postings{Debt: paid, Issued: -points}
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

// Release makes the locked points of a lot available.
func (a Account) Release(b Booking, l Lot) Step {
	s := a.step(b, Postings{Pending: -l.Remaining, Available: l.Remaining})
	l.Released = true
	s.Changed = []Lot{l}
	return s
}

// TakeBack takes points, more than 0, of an earlier entry back: first from the lot that the entry made, then from the
// member's other lots, available ones before locked ones and the oldest first; what is not there any more becomes a debt.
func (a Account) TakeBack(b Booking, reverses uuid.UUID, points int64, lots []Lot) (Step, error) {
	lots = slices.Clone(lots)
	slices.SortFunc(lots, func(x, y Lot) int {
		return cmp.Or(first(x.ID == reverses, y.ID == reverses), first(x.Released, y.Released), older(x, y))
	})
	t := take(points, lots)
	others := t.rest > 0 || slices.ContainsFunc(t.changed, func(l Lot) bool { return l.ID != reverses })
	if others && sum(lots) != a.Available+a.Pending {
		return Step{}, ErrLotsMissing
	}
	s := a.step(b, Postings{Pending: -t.pending, Available: -t.available, Debt: -t.rest, Issued: points})
	s.Changed, s.Entry.Uses, s.Entry.Reverses = t.changed, t.uses, reverses
	return s, nil
}

// sum gives what is left of the lots.
func sum(lots []Lot) (points int64) {
	for _, l := range lots {
		points += l.Remaining
	}
	return points
}

// first orders what has something before what has not.
func first(x, y bool) int {
	switch {
	case x == y:
		return 0
	case x:
		return -1
	default:
		return 1
	}
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
	slices.SortFunc(t.uses, func(a, b Use) int { return bytes.Compare(a.LotID[:], b.LotID[:]) })
	return t
}
