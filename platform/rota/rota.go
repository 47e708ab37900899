// Package rota says whose turn it is: work that comes goes round among people, or to who has the least of what they can
// have. It is the rule alone; who may take what, and who has what, its callers know.
package rota

import "cmp"

// Place is where somebody stands.
type Place struct {
	Subject  string
	Load     int   // what they have
	Capacity int   // the most that they can have
	Turn     int64 // when it was their turn last: the higher, the later; 0: never
}

// Room tells whether they can take one more.
func (p Place) Room() bool { return p.Load < p.Capacity }

// ByTurn compares two places: the one whose turn is longer ago comes first. What that leaves open is decided by subject, so
// that the same state always leads to the same choice.
func ByTurn(a, b Place) int {
	return cmp.Or(cmp.Compare(a.Turn, b.Turn), cmp.Compare(a.Subject, b.Subject))
}

// ByLoad compares two places: the one with the smaller share of its capacity taken comes first, then as by turn. Shares are
// compared exactly: load a / capacity a < load b / capacity b.
func ByLoad(a, b Place) int {
	return cmp.Or(cmp.Compare(int64(a.Load)*int64(b.Capacity), int64(b.Load)*int64(a.Capacity)), ByTurn(a, b))
}

// Rota is where people stand in one or several lists, such as queues or teams. What they have counts in all lists together,
// turns count in each list by itself. What is taken changes it.
type Rota struct {
	people map[string]*person
	last   map[string]int64 // turn of a list
}

type person struct {
	load, capacity int
	turns          map[string]int64 // by list
}

// New makes a rota of nobody.
func New() *Rota { return &Rota{people: map[string]*person{}, last: map[string]int64{}} }

// Add adds somebody with what they have, the most that they can have, and when it was their turn in each list; a list that is
// left out: never.
func (r *Rota) Add(subject string, load, capacity int, turns map[string]int64) {
	p := &person{load, capacity, map[string]int64{}}
	for list, turn := range turns {
		p.turns[list] = turn
		r.last[list] = max(r.last[list], turn)
	}
	r.people[subject] = p
}

// Place gives where somebody stands in a list; the zero Place for who was not added.
func (r *Rota) Place(list, subject string) Place {
	p := r.people[subject]
	if p == nil {
		return Place{}
	}
	return Place{Subject: subject, Load: p.load, Capacity: p.capacity, Turn: p.turns[list]}
}

// First gives who of the subjects comes first in a list by the order, of those who have room; ok is false where nobody has.
func (r *Rota) First(list string, subjects []string, order func(a, b Place) int) (subject string, ok bool) {
	var best Place
	for _, s := range subjects {
		p := r.Place(list, s)
		if p.Room() && (!ok || order(p, best) < 0) {
			best, ok = p, true
		}
	}
	return best.Subject, ok
}

// Take has somebody who was added take one from a list, and gives their turn: from then on the latest of the list.
func (r *Rota) Take(list, subject string) (turn int64) {
	p := r.people[subject]
	r.last[list]++
	p.load++
	p.turns[list] = r.last[list]
	return p.turns[list]
}
