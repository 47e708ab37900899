package ledger

import (
	"bytes"
	"cmp"
	"errors"
	"slices"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
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

// Spendable is how many points can be spent: those of members who may spend, less what any of them owes.
func (p Pool) Spendable() int64 {
	var available, debt int64
	for _, a := range p {
		debt += a.Debt
		if a.State == member.Active {
			available += a.Available
		}
	}
	return max(0, available-debt)
}

// Spend takes points, more than 0, from released lots, those that run out first before others and the oldest first, whosever
// they are of those who may spend: an entry for each member whose lots are used, the first one for the member who is asked, if
// it is among them. That one is the booking, the others are parts of it with keys that follow from its own. More than the pool
// has is a Conflict, points_insufficient.
func (p Pool) Spend(b Booking, asked uuid.UUID, points int64, lots []Lot) ([]Step, error) {
	if available := p.Spendable(); points > available {
		return nil, insufficient(available)
	}
	lots = slices.DeleteFunc(slices.Clone(lots), func(l Lot) bool { return !l.Released || p[l.MemberID].State != member.Active })
	slices.SortFunc(lots, sooner)
	t := take(points, lots)
	if t.rest > 0 {
		return nil, ErrLotsMissing
	}
	var steps []Step
	for n, id := range p.owners(t.changed, asked) {
		part, err := b.part(n)
		if err != nil {
			return nil, err
		}
		own, a := t.of(id), p[id]
		a.active(part)
		steps = append(steps, a.taking(part, own, Postings{Redeemed: own.available}))
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

// settleAndSpend expires what has run out, releases what is due, and spends. Of the locked lots only those are read that are
// due.
func (p Pool) settleAndSpend(b Booking, rules programme.Programme, asked uuid.UUID, points int64, read *Lots) (steps []Step, err error) {
	var lots []Lot
	more := false // there may be lots that were not read
	for id, a := range p {
		of := read.Of(id)
		more = more || read.limit > 0 && len(of) >= read.limit
		if a.State == member.Active {
			lots = append(lots, of...)
		}
	}
	slices.SortFunc(lots, sooner)
	if read.limit > 0 && len(lots) > read.limit {
		lots, more = lots[:read.limit], true // of those after it, some may not have been read
	}
	lots, steps, err = p.settle(b, rules, lots)
	if err != nil {
		return nil, err
	}
	spent, err := p.Spend(b, asked, points, lots)
	if problem.KindOf(err) == problem.Conflict && more {
		err = ErrLotsMissing // what was not read may be due as well
	}
	return append(steps, spent...), err
}

// settle expires those of the lots that have run out and releases the others.
func (p Pool) settle(b Booking, rules programme.Programme, lots []Lot) (left []Lot, steps []Step, err error) {
	of := make(map[uuid.UUID][]Lot)
	var ids []uuid.UUID
	for _, l := range lots {
		if of[l.MemberID] == nil {
			ids = append(ids, l.MemberID)
		}
		of[l.MemberID] = append(of[l.MemberID], l)
	}
	for _, id := range ids {
		account, expired, own, err := p[id].Overdue(b.By, b.RecordedAt, rules, of[id])
		if err != nil {
			return nil, nil, err
		}
		steps = append(steps, expired...)
		for _, l := range own {
			if !l.Released && l.Remaining > 0 {
				s, err := account.releaseOf(l, b.By, b.RecordedAt)
				if err != nil {
					return nil, nil, err
				}
				account, l = s.Account, s.Changed[0]
				steps = append(steps, s)
			}
			left = append(left, l)
		}
		p[id] = account
	}
	return left, steps, nil
}

// lotsMissing tells whether more lots have to be read.
func lotsMissing(err error) bool { return errors.Is(err, ErrLotsMissing) }
