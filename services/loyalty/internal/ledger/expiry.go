package ledger

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// warnedBefore is how long before they run out members are told of points.
const warnedBefore = 30 * 24 * time.Hour

// sweepPart is a part of the way through everything that runs out.
type sweepPart string

// The parts, in their order.
const (
	sweepLots  sweepPart = "lots"     // whose day has come
	sweepWarn  sweepPart = "warnings" // of lots whose day comes soon
	sweepIdle  sweepPart = "inactive" // members who did nothing for long, and those of whom that will be true soon
	sweepEnded sweepPart = "ended"
)

func (p sweepPart) next() sweepPart {
	switch p {
	case sweepLots:
		return sweepWarn
	case sweepWarn:
		return sweepIdle
	default:
		return sweepEnded
	}
}

// Sweep is a way through everything that runs out, as far as it was gone: by parts, and within a part by times, tenants and
// members. The zero Sweep is at its beginning. To go a part of the way twice does nothing the second time.
type Sweep struct {
	Part   sweepPart `json:"part"`
	At     time.Time `json:"at"`
	Tenant string    `json:"tenant"`
	Member uuid.UUID `json:"member"`
	// What was done on the way. What a worker did just before it was killed may be missing here.
	Lots    int64 `json:"lots"`    // that ran out
	Points  int64 `json:"points"`  // that they had left
	Members int64 `json:"members"` // whose they were; once for each page of the way
	Warned  int64 `json:"warned"`  // warnings
	Failed  int64 `json:"failed"`  // members with whom it did not work; the log has each
}

// Ended tells whether the sweep is at its end.
func (s Sweep) Ended() bool { return s.Part == sweepEnded }

// enter begins the next part.
func (s *Sweep) enter(p sweepPart) {
	s.Part, s.At, s.Tenant, s.Member = p, time.Time{}, "", uuid.Nil
}

// count adds what was done in a transaction.
func (s *Sweep) count(d done) {
	s.Lots += d.lots
	s.Points += d.points
	s.Members += d.members
	s.Warned += d.warned
	s.Failed += d.failed
}

// done is what was done of a sweep.
type done struct{ lots, points, members, warned, failed int64 }

func (d done) and(o done) done {
	return done{d.lots + o.lots, d.points + o.points, d.members + o.members, d.warned + o.warned, d.failed + o.failed}
}

// doneBy counts the steps by which points run out.
func doneBy(steps []Step) (d done) {
	members := make(map[uuid.UUID]bool)
	for _, s := range steps {
		members[s.Entry.MemberID] = true
		d.lots += int64(len(s.Entry.Uses))
		d.points += s.Entry.Points()
	}
	d.members = int64(len(members))
	return d
}

// ending is points of a member that run out at a time.
type ending struct {
	MemberID uuid.UUID
	At       time.Time
	Points   int64 // of the lots that run out then
	Lasting  int64 // of those that run out later or never
	Told     bool  // the member was told already
}

// Warns gives how many points a member is to be told of that run out at a time, as things stand; 0: nothing is to be told. Where
// all that the member has runs out by inactivity before, it is told of that.
func (a Account) warns(e ending, p programme.Programme) int64 {
	if e.Told || a.State == member.Left || a.CardNumber == "" {
		return 0
	}
	switch idle := a.IdleAt(p); {
	case idle.IsZero() || idle.After(e.At):
		return e.Points
	case idle.Equal(e.At):
		return e.Points + e.Lasting
	default:
		return 0
	}
}

// warning tells of points that will run out.
func warning(a Account, at time.Time, points int64, now time.Time) outbox.Event {
	return outbox.Event{Aggregate: member.Aggregate, ID: a.ID, Time: now, Message: &loyaltyv1.PointsWillExpire{
		MemberId: a.ID.String(), CustomerId: a.CustomerID.String(), Points: points, ExpiresAt: timestamppb.New(at), ToldAt: timestamppb.New(now),
	}}
}

// Expiring is points that run out at a time.
type Expiring struct {
	Points int64
	At     time.Time
}

// nextExpiring is how many times a balance lists at which points run out.
const nextExpiring = 12

// soonest gives when points of the accounts run out next, and how many: of is what is left of their lots by when these run out, zero
// times included.
func soonest(accounts []Account, of map[uuid.UUID][]Expiring, terms func(a Account) programme.Programme) []Expiring {
	points := make(map[time.Time]int64)
	for _, a := range accounts {
		p := terms(a)
		for _, e := range of[a.ID] {
			if at := a.RunsOut(Lot{ExpiresAt: e.At}, p); !at.IsZero() {
				points[at] += e.Points
			}
		}
	}
	next := make([]Expiring, 0, len(points))
	for at, n := range points {
		next = append(next, Expiring{Points: n, At: at})
	}
	slices.SortFunc(next, func(a, b Expiring) int { return a.At.Compare(b.At) })
	return next[:min(len(next), nextExpiring)]
}

// termsNow gives the programme of a member by the terms in force; where it has none any more, points run out by what their lots
// say.
func termsNow(book *programme.Book, m member.Member, now time.Time) programme.Programme {
	if p, ok := book.At(m.Programme, now); ok {
		return p
	}
	return programme.Programme{Code: m.Programme, Zone: time.UTC}
}
