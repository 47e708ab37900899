package customer

import (
	"slices"

	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
)

// Completeness says how much is known of a customer.
type Completeness struct {
	Score   int      // 0 to 100
	Missing []string // fields, the weightiest first
}

// weight is what a field counts for.
type weight struct {
	field  string
	points int
	known  func(Customer) bool
}

// Completeness adds up the weights of what is known. A person counts by how they can be called and reached: names 20,
// telephone 20, mail 20, one of both verified 15, an address 15, and a card, login or other identity of their own 10; an
// organisation by its legal name 25, telephone 20, mail 15, an address 20, a verified telephone or mail 10, and somebody
// who looks after it 10. Identities that have ended do not count.
func (c Customer) Completeness() Completeness {
	out := Completeness{Missing: []string{}}
	for _, w := range weights(c.Kind) {
		if w.known(c) {
			out.Score += w.points
		} else {
			out.Missing = append(out.Missing, w.field)
		}
	}
	return out
}

// weights lists what counts for a kind of customer, 100 in all, the weightiest first.
func weights(k Kind) []weight {
	phone := func(c Customer) bool { return c.hasValid(func(i Identity) bool { return i.Type == identity.Phone }) }
	email := func(c Customer) bool { return c.hasValid(func(i Identity) bool { return i.Type == identity.Email }) }
	verified := func(c Customer) bool {
		return c.hasValid(func(i Identity) bool {
			return (i.Type == identity.Phone || i.Type == identity.Email) && !i.VerifiedAt.IsZero()
		})
	}
	address := func(c Customer) bool { return len(c.Addresses) > 0 }
	if k == Organisation {
		return []weight{
			{"legal_name", 25, func(c Customer) bool { return c.Legal != "" }},
			{"phone", 20, phone},
			{"address", 20, address},
			{"email", 15, email},
			{"verified_contact", 10, verified},
			{"owner", 10, func(c Customer) bool { return c.Owner != "" }},
		}
	}
	return []weight{
		{"phone", 20, phone},
		{"email", 20, email},
		{"verified_contact", 15, verified},
		{"address", 15, address},
		{"given_name", 10, func(c Customer) bool { return c.Given != "" }},
		{"family_name", 10, func(c Customer) bool { return c.Family != "" }},
		{"own_identity", 10, func(c Customer) bool { return c.hasValid(Identity.exclusive) }},
	}
}

func (c Customer) hasValid(is func(Identity) bool) bool {
	return slices.ContainsFunc(c.Identities, func(i Identity) bool { return i.Valid() && is(i) })
}
