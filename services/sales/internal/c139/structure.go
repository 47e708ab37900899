package c139

import (
	"slices"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/services/sales/internal/opportunity"
)

// Person is a contact of an opportunity, with its part in the decision.
type Person struct {
	ID        uuid.UUID
	Role      opportunity.Role
	Influence int  // on the decision, 1 to 5, 5 the most; 0: not known
	Leaning   *int // from -2, against us, by 1, who prefers us, to 2, who chose us or helps us; nil: not known
}

// Structure is who decides: the contacts of an opportunity.
type Structure []Person

// key is the influence from which somebody is a key person, whatever the role.
const key = 4

// What a leaning means for the signs.
const (
	prefers = 1 // rates our fit highest
	chose   = 2 // chose us, or actively helps
)

// coach tells whether the contact is a coach.
func (s Structure) coach(id uuid.UUID) bool {
	return slices.ContainsFunc(s, func(p Person) bool { return p.ID == id && p.Role == opportunity.Coach })
}

// with gives the contacts of a role, the most influential first.
func (s Structure) with(role opportunity.Role) []Person {
	var found []Person
	for _, p := range s {
		if p.Role == role {
			found = append(found, p)
		}
	}
	slices.SortStableFunc(found, func(a, b Person) int { return b.Influence - a.Influence })
	return found
}

// decides are those who take part in the decision. A coach is ours by nature and says nothing about the others; who has no
// known role has none.
func (s Structure) decides() []Person {
	return slices.DeleteFunc(slices.Clone(s), func(p Person) bool { return p.Role == opportunity.Coach || p.Role == "" })
}

// top are the decision makers of the greatest influence: one, or several who are equal.
func (s Structure) top() []Person {
	makers := s.with(opportunity.DecisionMaker)
	return slices.DeleteFunc(makers, func(p Person) bool { return p.Influence < makers[0].Influence })
}

// key are the decision makers and whoever else has great influence.
func (s Structure) key() []Person {
	return slices.DeleteFunc(s.decides(), func(p Person) bool { return p.Role != opportunity.DecisionMaker && p.Influence < key })
}

// Computed is what the decision structure says of each sign; nil: it cannot tell.
type Computed struct{ FitHighest, KeyPeopleHelp, MajorityChose, TopDecides *bool }

func (c Computed) of(code string) *bool {
	switch code {
	case FitHighest:
		return c.FitHighest
	case KeyPeopleHelp:
		return c.KeyPeopleHelp
	case MajorityChose:
		return c.MajorityChose
	case TopDecides:
		return c.TopDecides
	}
	return nil
}

func (c Computed) equal(o Computed) bool {
	for _, item := range items {
		a, b := c.of(item.Code), o.of(item.Code)
		if (a == nil) != (b == nil) || a != nil && *a != *b {
			return false
		}
	}
	return true
}

// Compute reads the signs off the structure. Each counts heads, and is told only where those whose leaning is not known
// could not turn it round:
//
//	fit_highest      every top decision maker and key person prefers us, or more
//	key_people_help  two key people chose or help us, or the only one there is
//	majority_chose   more than half of those who decide chose or help us
//	top_decides      every top decision maker chose or helps us
//
// Without a decision maker it cannot tell of the first and the last.
func (s Structure) Compute() Computed {
	top, key, all := s.top(), s.key(), s.decides()
	var c Computed
	if len(top) > 0 {
		c.FitHighest = atLeast(len(key), key, prefers)
		c.TopDecides = atLeast(len(top), top, chose)
	}
	if len(key) > 0 {
		c.KeyPeopleHelp = atLeast(min(2, len(key)), key, chose)
	}
	if len(all) > 0 {
		c.MajorityChose = atLeast(len(all)/2+1, all, chose)
	}
	return c
}

// atLeast tells whether n of the people lean towards us so much; nil where that depends on those who are not known.
func atLeast(n int, people []Person, leaning int) *bool {
	sure, open := 0, 0
	for _, p := range people {
		switch {
		case p.Leaning == nil:
			open++
		case *p.Leaning >= leaning:
			sure++
		}
	}
	yes := sure >= n
	if !yes && sure+open >= n {
		return nil
	}
	return &yes
}
