package ledger_test

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// reference is the simplest ledger that there can be: it moves points one by one, and whatever runs out or becomes free does so
// at once.
type reference struct {
	rules   programme.Programme
	now     time.Time
	members map[uuid.UUID]*refMember
	root    map[uuid.UUID]uuid.UUID // of customers who were merged
	rows    []string                // what was booked, but for what runs out and becomes free
}

type refMember struct {
	id, customer     uuid.UUID
	state            member.State
	enrolled, active time.Time
	debt             int64
	lots             []*refLot
}

type refLot struct {
	id                            uuid.UUID
	points, left, expired, waived int64
	free, expires, earned         time.Time
}

// refSpend is what a spend took: points by member and lot.
type refSpend map[*refMember]map[*refLot]int64

func (s refSpend) text() string {
	var all []string
	for _, lots := range s {
		all = append(all, usesText(lots))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func (s refSpend) points() (n int64) {
	for _, lots := range s {
		for _, of := range lots {
			n += of
		}
	}
	return n
}

func usesText(lots map[*refLot]int64) string {
	var all []string
	for l, n := range lots {
		if n != 0 {
			all = append(all, fmt.Sprintf("%s:%d", l.id, n))
		}
	}
	slices.Sort(all)
	return "[" + strings.Join(all, " ") + "]"
}

func (r *reference) row(m *refMember, kind string, points, debt, waived int64, lots map[*refLot]int64) {
	r.rows = append(r.rows, fmt.Sprintf("%s %s %d debt %d waived %d %s", m.id, kind, points, debt, waived, usesText(lots)))
}

// endOf gives when a lot runs out; zero: never.
func (r *reference) endOf(m *refMember, l *refLot) time.Time {
	last := m.active
	if last.IsZero() {
		last = m.enrolled
	}
	idle := r.rules.Expiry.Inactive(last, r.rules.Zone)
	if l.expires.IsZero() || !idle.IsZero() && idle.Before(l.expires) {
		return idle
	}
	return l.expires
}

// pass lets time pass.
func (r *reference) pass(now time.Time) {
	r.now = now
	for _, m := range r.members {
		for _, l := range m.lots {
			if end := r.endOf(m, l); l.left > 0 && !end.IsZero() && !now.Before(end) {
				l.expired, l.left, l.expires = l.expired+l.left, 0, end
			}
		}
	}
}

// order gives the lots by what comes first; the last word is the lot's age.
func order(lots []*refLot, by ...func(l *refLot) int64) []*refLot {
	lots = slices.Clone(lots)
	slices.SortFunc(lots, func(a, b *refLot) int {
		for _, f := range by {
			if c := cmp.Compare(f(a), f(b)); c != 0 {
				return c
			}
		}
		return cmp.Or(a.earned.Compare(b.earned), bytes.Compare(a.id[:], b.id[:]))
	})
	return lots
}

// ending is when a lot runs out, as a number; never is later than any.
func ending(l *refLot) int64 {
	if l.expires.IsZero() {
		return 1 << 62
	}
	return l.expires.UnixMicro()
}

func (r *reference) locked(l *refLot) int64 {
	if l.free.After(r.now) {
		return 1
	}
	return 0
}

// takeOne takes a point from the first of the lots that has one; nil where none has.
func takeOne(lots []*refLot) *refLot {
	for _, l := range lots {
		if l.left > 0 {
			l.left--
			return l
		}
	}
	return nil
}

func (r *reference) give(m *refMember, kind string, id uuid.UUID, points int64, until time.Time) {
	var paid int64
	m.active = r.now
	lot := &refLot{id: id, free: until, earned: r.now}
	for range points {
		if m.debt > 0 {
			m.debt--
			paid++
		} else {
			lot.points++
			lot.left++
		}
	}
	if lot.points > 0 {
		lot.expires = r.rules.Expiry.At(until, r.rules.Zone)
		m.lots = append(m.lots, lot)
	}
	r.row(m, kind, points, -paid, 0, nil)
}

// spendable gives the members whose points a spend takes, with those points, and what can be spent of them.
func (r *reference) spendable(asked *refMember) (of map[*refLot]*refMember, points int64) {
	of = make(map[*refLot]*refMember)
	for _, m := range r.members {
		if r.rootOf(m.customer) != r.rootOf(asked.customer) {
			continue
		}
		points -= m.debt
		for _, l := range m.lots {
			if m.state == member.Active && r.locked(l) == 0 {
				of[l] = m
				points += l.left
			}
		}
	}
	return of, points
}

func (r *reference) rootOf(customer uuid.UUID) uuid.UUID {
	if root, merged := r.root[customer]; merged {
		return root
	}
	return customer
}

// spend gives what is taken; nil where there is not enough.
func (r *reference) spend(asked *refMember, points int64) refSpend {
	of, there := r.spendable(asked)
	if points > there {
		return nil
	}
	var lots []*refLot
	for l := range of {
		lots = append(lots, l)
	}
	lots = order(lots, ending)
	taken := make(refSpend)
	for range points {
		l := takeOne(lots)
		m := of[l]
		if taken[m] == nil {
			taken[m] = make(map[*refLot]int64)
		}
		taken[m][l]++
	}
	for m, lots := range taken {
		m.active = r.now
		r.row(m, "spend", refSpend{m: lots}.points(), 0, 0, lots)
	}
	return taken
}

func (r *reference) restore(s refSpend) {
	for m, lots := range s {
		m.active = r.now
		var all []*refLot
		for l := range lots {
			all = append(all, l)
		}
		var paid, points int64
		back := make(map[*refLot]int64)
		until := programme.DayEnd(r.now.In(r.rules.Zone).AddDate(0, 0, 30), r.rules.Zone)
		for _, l := range order(all, ending) {
			for range lots[l] {
				points++
				if m.debt > 0 {
					m.debt--
					paid++
					continue
				}
				l.left++
				back[l]--
				if !l.expires.IsZero() && l.expires.Before(until) {
					l.expires = until
				}
			}
		}
		r.row(m, "restore", points, -paid, 0, back)
	}
}

func (r *reference) takeBack(m *refMember, entry uuid.UUID, points int64) {
	var owed, waived int64
	taken := make(map[*refLot]int64)
	own := slices.DeleteFunc(slices.Clone(m.lots), func(l *refLot) bool { return l.id != entry })
	others := order(slices.DeleteFunc(slices.Clone(m.lots), func(l *refLot) bool { return l.id == entry }), ending, r.locked)
	for range points {
		if l := takeOne(own); l != nil {
			taken[l]++
		} else if len(own) > 0 && own[0].expired > own[0].waived {
			own[0].waived++
			waived++
		} else if l := takeOne(others); l != nil {
			taken[l]++
		} else {
			m.debt++
			owed++
		}
	}
	r.row(m, "reversal", points-waived, owed, waived, taken)
}

// withdraw takes points of the member's own by hand; false where there are not enough.
func (r *reference) withdraw(m *refMember, points int64) bool {
	lots := order(slices.DeleteFunc(slices.Clone(m.lots), func(l *refLot) bool { return r.locked(l) == 1 }), ending)
	if left(lots) < points {
		return false
	}
	taken := make(map[*refLot]int64)
	for range points {
		taken[takeOne(lots)]++
	}
	r.row(m, "adjustment", -points, 0, 0, taken)
	return true
}

func (r *reference) forfeit(m *refMember) {
	taken := make(map[*refLot]int64)
	n := left(m.lots)
	for range n {
		taken[takeOne(m.lots)]++
	}
	if n > 0 {
		r.row(m, "adjustment", -n, 0, 0, taken)
	}
}

func left(lots []*refLot) (n int64) {
	for _, l := range lots {
		n += l.left
	}
	return n
}
