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
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/money"
)

// Kind says what an entry does.
type Kind string

// The kinds of entries.
const (
	KindEarn       Kind = "earn"       // points for something that took place
	KindGrant      Kind = "grant"      // points that another service gave
	KindSpend      Kind = "spend"      // available points become redeemed ones
	KindRestore    Kind = "restore"    // the points of a spend are given back to their lots
	KindRelease    Kind = "release"    // the locked points of one lot become available
	KindReversal   Kind = "reversal"   // points of an earlier entry are taken back
	KindExpiry     Kind = "expiry"     // points run out
	KindAdjustment Kind = "adjustment" // points are given or taken by hand, or by a rule
	KindVoid       Kind = "void"       // nothing: keeps the key of a grant that was reversed before it came
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
	PartOf      uuid.UUID // the first entry of a spend, or of what gave it back, of which this is a part; Nil for most
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
	Programme      string    // code of the member's programme
	No             int64     // 1, 2, 3 ... within the member
	Reverses       uuid.UUID // the entry that a reversal takes back, or the spend that a restore gives back
	Waived         int64     // points that a reversal did not take since they had run out, 0 or more
	AvailableAfter int64     // the member's available points once it is booked
	Uses           []Use     // the lots it took points from or gave them back to, by the lots' ids
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
	case KindRestore:
		return -e.Redeemed
	case KindExpiry:
		return e.Expired
	case KindAdjustment:
		return max(e.Adjusted, -e.Adjusted)
	default:
		return 0
	}
}

// Use is points that an entry took from a lot.
type Use struct {
	LotID  uuid.UUID
	Points int64 // taken; below zero: given back
}

// Lot is points that came in together. It bears the id of the entry that made it.
type Lot struct {
	ID          uuid.UUID
	MemberID    uuid.UUID
	Points      int64 // at first, without those that paid a debt; more than 0
	Remaining   int64 // 0 to Points
	AvailableAt time.Time
	Released    bool      // its points are available; otherwise they are pending
	ExpiresAt   time.Time // from then on its points cannot be spent; zero: they do not run out by themselves
	Expired     int64     // how many of its points ran out, 0 to Points
	Waived      int64     // how many of these were asked back since, in vain, 0 to Expired
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
	if !s.Lapsed.IsZero() {
		for i, lot := range l.of[s.Account.ID] {
			l.of[s.Account.ID][i] = lot.lapsed(s.Lapsed)
		}
	}
	if s.Made != nil {
		l.put(*s.Made)
	}
	for _, c := range s.Changed {
		l.put(c)
	}
}

// lapsed is the lot, which runs out at a time at the latest.
func (l Lot) lapsed(at time.Time) Lot {
	if l.ExpiresAt.IsZero() || l.ExpiresAt.After(at) {
		l.ExpiresAt = at
	}
	return l
}

// sooner orders lots as they are spent: those that run out first, and of these the oldest.
func sooner(a, b Lot) int {
	return cmp.Or(byExpiry(a, b), a.EarnedAt.Compare(b.EarnedAt), bytes.Compare(a.ID[:], b.ID[:]))
}

// byExpiry orders lots by when they run out, those last that do not.
func byExpiry(a, b Lot) int {
	return cmp.Or(first(!a.ExpiresAt.IsZero(), !b.ExpiresAt.IsZero()), a.ExpiresAt.Compare(b.ExpiresAt))
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

// sum gives what is left of the lots.
func sum(lots []Lot) (points int64) {
	for _, l := range lots {
		points += l.Remaining
	}
	return points
}
