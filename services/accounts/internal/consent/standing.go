package consent

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
)

// Merge is a merge of two customers, from At until it was undone.
type Merge struct {
	ID                 uuid.UUID
	Survivor, Absorbed uuid.UUID
	At                 time.Time
	UndoneAt           time.Time // zero: it stands
}

// Entry is what was said last of one key.
type Entry struct {
	State     State
	Kind      Kind
	Statement uuid.UUID // that it rests on; Nil where nothing was said
	Since     time.Time // when it was said
}

// States is what was said last of each key, of one customer.
type States map[Key]Entry

// Current replays the log in the order in which things were said, and gives what each customer who is nobody's alias
// has said. Merges that were undone are as if they had never been.
//
//   - A record sets its key for the customer whom its id means at that time. A pending one says nothing yet: it is noted
//     only where nothing was said before.
//   - When customers become one, the stricter statement of a key stands (withdrawn, then granted, then pending), and a
//     grant of one does not stand against a withdrawal of the other that covers it.
func Current(records []Record, merges []Merge) map[uuid.UUID]States {
	records = slices.SortedFunc(slices.Values(records), func(a, b Record) int { return order(a.SaidAt, a.ID, b.SaidAt, b.ID) })
	merges = slices.DeleteFunc(slices.Clone(merges), func(m Merge) bool { return !m.UndoneAt.IsZero() })
	slices.SortFunc(merges, func(a, b Merge) int { return order(a.At, a.ID, b.At, b.ID) })

	standsFor := map[uuid.UUID]uuid.UUID{} // absorbed to survivor
	root := func(id uuid.UUID) uuid.UUID {
		for survivor, absorbed := standsFor[id]; absorbed; survivor, absorbed = standsFor[id] {
			id = survivor
		}
		return id
	}
	all := map[uuid.UUID]States{}
	merge := func(m Merge) {
		survivor, absorbed := root(m.Survivor), root(m.Absorbed)
		if survivor == absorbed {
			return
		}
		standsFor[absorbed] = survivor
		all[survivor] = all[survivor].with(all[absorbed])
		delete(all, absorbed)
	}
	for _, r := range records {
		for len(merges) > 0 && merges[0].At.Before(r.SaidAt) { // of the same moment the record comes first, so that a withdrawal wins
			merge(merges[0])
			merges = merges[1:]
		}
		id := root(r.Customer)
		if all[id] == nil {
			all[id] = States{}
		}
		if _, said := all[id][r.Key]; r.State == Pending && said {
			continue
		}
		all[id][r.Key] = Entry{State: r.State, Kind: r.Kind, Statement: r.Statement, Since: r.SaidAt}
	}
	for _, m := range merges {
		merge(m)
	}
	return all
}

// with gives what holds for one customer who was two.
func (s States) with(o States) States {
	joint := States{}
	for k := range s {
		joint[k] = stricter(s, o, k)
	}
	for k := range o {
		joint[k] = stricter(s, o, k)
	}
	return joint
}

// stricter gives what holds of a key that at least one of two customers spoke of.
func stricter(s, o States, k Key) Entry {
	own, other := s[k], o[k]
	e := own
	if strictness(other.State) > strictness(own.State) || other.State == own.State && later(other, own) {
		e = other
	}
	if e.State != Granted {
		return e
	}
	if against := o.Of(k); own.State == Granted && against.denies() {
		return against
	}
	if against := s.Of(k); other.State == Granted && against.denies() {
		return against
	}
	return e
}

func strictness(s State) int {
	return slices.Index([]State{Pending, Granted, Withdrawn}, s)
}

// Of gives what holds of a key, by what was said of it and of all keys that cover it:
//
//  1. A withdrawal holds for its key and every more specific one: one for all channels, or for all addresses, covers each.
//     Nothing lifts it but a later grant of the same key or of a more specific one that covers what is asked for; so a
//     later "you may, by any channel" does not bring back the text messages that the customer refused by name.
//  2. Where no withdrawal stands, a grant holds for its key and every more specific one. Only for a purpose that asks for a
//     double opt-in, a grant for all channels does not hold for email, which has to be confirmed by itself.
//  3. Otherwise a pending grant is pending, and None is said of the rest.
func (s States) Of(k Key) Entry {
	granted, pending, withdrawn := Entry{State: None}, Entry{State: None}, Entry{State: None}
	for said, e := range s {
		switch {
		case !said.Covers(k):
		case e.denies():
			if !s.lifted(said, e, k) && later(e, withdrawn) {
				withdrawn = e
			}
		case e.State == Granted:
			if said.grants(k) && later(e, granted) {
				granted = e
			}
		case later(e, pending):
			pending = e
		}
	}
	for _, e := range []Entry{withdrawn, granted} {
		if e.State != None {
			return e
		}
	}
	return pending
}

// lifted tells whether a grant speaks against the withdrawal e of the key said, as far as k is concerned.
func (s States) lifted(said Key, e Entry, k Key) bool {
	for by, g := range s {
		if g.State == Granted && said.Covers(by) && by.grants(k) && later(g, e) {
			return true
		}
	}
	return false
}

// grants tells whether a grant of k is one of o as well.
func (k Key) grants(o Key) bool {
	return k.Covers(o) && (k.Channel != "" || o.Channel != Email || !purposes[k.Purpose].doubleOptIn)
}

// denies tells whether the entry forbids what it covers.
func (e Entry) denies() bool { return e.State == Withdrawn || e.State == Suppressed }

func later(a, b Entry) bool { return order(a.Since, a.Statement, b.Since, b.Statement) > 0 }

// order is that of the times at which something was said; of the same time, that of the ids, which rise as they are made.
func order(at time.Time, id uuid.UUID, otherAt time.Time, otherID uuid.UUID) int {
	return cmp.Or(at.Compare(otherAt), bytes.Compare(id[:], otherID[:]))
}

// Suppression says that nothing is to be sent to an address any more.
type Suppression struct {
	Address identity.Identity
	Purpose Purpose // empty: every one that needs consent
	Channel Channel // empty: all channels
	At      time.Time
}

// suppressed gives the states as they are with the suppressions. Each stands like a withdrawal of its address: nothing
// lifts it but a later grant of that very address.
func (s States) suppressed(by []Suppression) States {
	out := States{}
	for k, e := range s {
		out[k] = e
	}
	for _, one := range by {
		for p := range purposes {
			if p != one.Purpose && (one.Purpose != "" || !p.NeedsConsent()) {
				continue
			}
			k, e := Key{p, one.Channel, one.Address}, Entry{State: Suppressed, Since: one.At}
			if was, said := out[k]; !said || was.State == Pending || was.State == Granted && !later(was, e) {
				out[k] = e
			}
		}
	}
	return out
}

// Childhood is what is known of a customer's age.
type Childhood struct {
	Known bool      // the day of birth is known
	Born  time.Time // midnight UTC
	Until time.Time // until when a guardian said that the customer is a child; zero: none did
}

// Under14 tells whether the customer is known to be a child. The day of birth says so before anybody else does.
func (c Childhood) Under14(at time.Time) bool {
	if c.Known {
		return at.Before(c.Born.AddDate(childhood, 0, 0))
	}
	return at.Before(c.Until)
}

// counting leaves out grants that do not count at that time: for a child those that no guardian gave, for all others those
// of a guardian, whose word ended with the childhood.
func counting(records []Record, child bool, at time.Time) []Record {
	return slices.DeleteFunc(slices.Clone(records), func(r Record) bool {
		switch {
		case r.State == Withdrawn:
			return false
		case child:
			return r.Kind != ByGuardian || !at.Before(r.Guardian.Until)
		default:
			return r.Kind == ByGuardian
		}
	})
}

// Standing is what holds for one customer at one time.
type Standing struct {
	States States
	Child  bool
}

// Standing gives what holds for the customer whom root means.
func (h History) Standing(root uuid.UUID, at time.Time) Standing {
	child := h.Childhood.Under14(at)
	states := Current(counting(h.Records, child, at), h.Merges)[root]
	return Standing{States: states.suppressed(h.Suppressions), Child: child}
}

// History is all that decides what holds for a customer, of the whole group.
type History struct {
	Records      []Record
	Merges       []Merge
	Suppressions []Suppression // of the addresses that were asked for
	Childhood    Childhood
}

// Refusal says why a customer may not be reached, a code; empty: they may.
type Refusal string

// The refusals.
const (
	NoConsent      Refusal = "no_consent"
	IsWithdrawn    Refusal = "withdrawn"
	IsSuppressed   Refusal = "suppressed"
	GuardianNeeded Refusal = "guardian_needed"
)

// Refusal gives why the customer may not be reached by the channel at the address of the key for its purpose. Of a child,
// a guardian has to have granted every purpose, whatever its basis.
func (s Standing) Refusal(k Key) Refusal {
	switch s.States.Of(k).State {
	case Suppressed:
		return IsSuppressed
	case Withdrawn:
		return IsWithdrawn
	case Granted:
		return ""
	}
	switch {
	case s.Child:
		return GuardianNeeded
	case k.Purpose.NeedsConsent():
		return NoConsent
	}
	return ""
}

// birthField is the custom field, of the type date, in which a tenant keeps the day on which a customer was born.
const birthField = "birth_date"

// born takes the days of birth that are known of the group; of several the latest, so that a child is not overlooked.
func (c *Childhood) born(days []*string) {
	for _, day := range days {
		if day == nil {
			continue
		}
		if at, err := time.Parse(time.DateOnly, *day); err == nil && (!c.Known || at.After(c.Born)) {
			c.Known, c.Born = true, at
		}
	}
}

// childUntil gives until when the guardian who spoke last says that the customer is a child.
func childUntil(records []Record) (until time.Time) {
	var last Record
	for _, r := range records {
		if r.Kind == ByGuardian && !r.Erased && order(last.SaidAt, last.ID, r.SaidAt, r.ID) < 0 {
			last = r
		}
	}
	return last.Guardian.Until
}
