package ledger

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
)

// Pool is the accounts of the members who are one customer since merges, by the members' ids; of most customers there is one.
// Their points are spent together, but each keeps its own lots and its own debt, and every entry is about one of them. So,
// when a merge is undone, each has what is left of its own.
type Pool map[uuid.UUID]Account

// NewPool makes a pool of members, who are locked.
func NewPool(members ...member.Member) Pool {
	p := make(Pool, len(members))
	for _, m := range members {
		p[m.ID] = Account{m}
	}
	return p
}

// Balance is what they have together.
func (p Pool) Balance() member.Balance {
	var available, pending, debt int64
	for _, a := range p {
		available, pending, debt = available+a.Available, pending+a.Pending, debt+a.Debt
	}
	return member.Pooled(available, pending, debt)
}

// Spend takes points, more than 0, from released lots, the oldest first, whosever they are: an entry for each member whose
// lots are used, the first one for the member who is asked, if it is among them. That one is the booking, the others are
// parts of it with keys that follow from its own. More than the pool has is a Conflict, points_insufficient.
func (p Pool) Spend(b Booking, asked uuid.UUID, points int64, lots []Lot) ([]Step, error) {
	if available := p.Balance().Available; points > available {
		return nil, problem.New(problem.Conflict, "points_insufficient",
			"The member has %d points to spend, which is less than asked for. Nothing was booked.", available)
	}
	lots = slices.DeleteFunc(slices.Clone(lots), func(l Lot) bool { return !l.Released })
	slices.SortFunc(lots, older)
	t := take(points, lots)
	if t.rest > 0 {
		return nil, ErrLotsMissing
	}
	var steps []Step
	for n, id := range p.owners(t.changed, asked) {
		part := b
		if n > 0 {
			var err error
			if part.ID, err = uuid.NewV7(); err != nil {
				return nil, err
			}
			part.Key, part.InputHash, part.PartOf = fmt.Sprintf("%s/%d", b.Key, n+1), nil, b.ID
		}
		own := t.of(id)
		s := p[id].step(part, Postings{Available: -own.available, Redeemed: own.available})
		s.Changed, s.Entry.Uses = own.changed, own.uses
		steps = append(steps, s)
	}
	return steps, nil
}

// owners gives the members whose lots they are: the one who is asked first, the others in the order of their customers' ids.
func (p Pool) owners(lots []Lot, asked uuid.UUID) []uuid.UUID {
	var ids []uuid.UUID
	for _, l := range lots {
		if !slices.Contains(ids, l.MemberID) {
			ids = append(ids, l.MemberID)
		}
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int {
		x, y := p[a].CustomerID, p[b].CustomerID
		return cmp.Or(first(a == asked, b == asked), bytes.Compare(x[:], y[:]))
	})
	return ids
}

// of gives the part of what was taken, all of it available, that is one member's.
func (t taken) of(memberID uuid.UUID) taken {
	own := taken{}
	lots := make(map[uuid.UUID]bool)
	for _, l := range t.changed {
		if l.MemberID == memberID {
			lots[l.ID] = true
			own.changed = append(own.changed, l)
		}
	}
	for _, u := range t.uses {
		if lots[u.LotID] {
			own.available += u.Points
			own.uses = append(own.uses, u)
		}
	}
	return own
}

// releaseAndSpend releases what is due and spends.
func (p Pool) releaseAndSpend(b Booking, asked uuid.UUID, points int64, read *Lots) ([]Step, error) {
	var lots []Lot
	more := false // there may be lots that were not read
	for id := range p {
		of := read.Of(id)
		more = more || read.limit > 0 && len(of) >= read.limit
		lots = append(lots, of...)
	}
	lots = slices.DeleteFunc(lots, func(l Lot) bool { return !l.Released && l.AvailableAt.After(b.RecordedAt) })
	slices.SortFunc(lots, older)
	if read.limit > 0 && len(lots) > read.limit {
		lots = lots[:read.limit] // of those after it, some may not have been read
	}
	var steps []Step
	for i, lot := range lots {
		if lot.Released {
			continue
		}
		s, err := p[lot.MemberID].releaseOf(lot, b.By, b.RecordedAt)
		if err != nil {
			return nil, err
		}
		p[lot.MemberID], lots[i] = s.Account, s.Changed[0]
		steps = append(steps, s)
	}
	spent, err := p.Spend(b, asked, points, lots)
	if problem.KindOf(err) == problem.Conflict && more {
		err = ErrLotsMissing // what was not read may be due as well
	}
	return append(steps, spent...), err
}

// lotsMissing tells whether more lots have to be read.
func lotsMissing(err error) bool { return errors.Is(err, ErrLotsMissing) }
