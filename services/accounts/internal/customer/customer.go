// Package customer keeps the customers of a tenant: who they are and by what they are recognised.
package customer

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
)

// Kind says what sort of party a customer is.
type Kind string

// The kinds.
const (
	Person       Kind = "person"
	Organisation Kind = "organisation"
)

// Names are what a customer is called. All of them are personal data: they stay in tables and answers and never enter
// events, logs or traces.
type Names struct {
	Display string // what people read; made from the others where it is not given
	Given   string
	Family  string
	Legal   string // of an organisation
}

// Identity is one way to recognise the customer, since when it is known, and since when it is verified (zero: never).
type Identity struct {
	identity.Identity
	AddedAt    time.Time
	VerifiedAt time.Time
}

// Customer is one customer.
type Customer struct {
	Names
	ID           uuid.UUID // UUIDv7
	Version      int64     // from 1, one more with every change
	Kind         Kind
	Source       string     // code of where the registration came from, such as api or import
	Identities   []Identity // by AddedAt, then by type and value
	RegisteredAt time.Time
	ChangedAt    time.Time
}

// Draft is a customer who is about to be registered. Its identities are normalised.
type Draft struct {
	Names
	Kind       Kind // empty: a person
	Source     string
	Identities []identity.Identity
}

// MaxIdentities is how many identities a customer can have.
const MaxIdentities = 50

const (
	maxName   = 200 // characters
	maxSource = 64  // characters
)

// Register makes a customer of the draft, or names every field that is not right. A customer needs something to be
// called by, or an exclusive identity by which another system will say who it is.
func Register(id uuid.UUID, d Draft, at time.Time) (Customer, []problem.Field) {
	names, faults := d.Names.normalise()
	c := Customer{Names: names, ID: id, Version: 1, Kind: d.Kind, Source: d.Source, RegisteredAt: at, ChangedAt: at}
	if c.Kind == "" {
		c.Kind = Person
	}
	if c.Kind != Person && c.Kind != Organisation {
		faults = append(faults, problem.Field{Location: "kind", Code: "kind_unknown", Message: "must be person or organisation"})
	}
	if utf8.RuneCountInString(c.Source) > maxSource || strings.ContainsFunc(c.Source, unicode.IsControl) {
		faults = append(faults, problem.Field{Location: "source", Code: "source_malformed", Message: "must be a code of at most 64 characters"})
	}
	for _, one := range slices.SortedFunc(slices.Values(d.Identities), identity.Compare) {
		var added bool
		if c, added = c.Identify(one, at); added {
			c.Version = 1
		}
	}
	if len(c.Identities) > MaxIdentities {
		faults = append(faults, tooManyIdentities)
	}
	if c.Display == "" && !slices.ContainsFunc(c.Identities, Identity.exclusive) {
		faults = append(faults, nameRequired)
	}
	return c, faults
}

var (
	nameRequired = problem.Field{Location: "display_name", Code: "required",
		Message: "must be given, or a given, family or legal name, or a card or external id"}
	tooManyIdentities = problem.Field{Location: "identities", Code: "too_many", Message: "must be at most 50"}
)

// Rename gives the customer with other names and says which fields differ, sorted; none: nothing was changed.
func (c Customer) Rename(n Names, at time.Time) (Customer, []string, []problem.Field) {
	n, faults := n.normalise()
	if n.Display == "" && !slices.ContainsFunc(c.Identities, Identity.exclusive) {
		faults = append(faults, nameRequired)
	}
	if len(faults) > 0 {
		return c, nil, faults
	}
	changed := c.Names.differences(n)
	if len(changed) > 0 {
		c.Names, c.Version, c.ChangedAt = n, c.Version+1, at
	}
	return c, changed, nil
}

// Identify gives the customer with one more identity; added is false when it had that one already.
func (c Customer) Identify(i identity.Identity, at time.Time) (with Customer, added bool) {
	if slices.ContainsFunc(c.Identities, func(has Identity) bool { return has.Identity == i }) {
		return c, false
	}
	c.Identities = append(slices.Clip(c.Identities), Identity{Identity: i, AddedAt: at})
	c.Version, c.ChangedAt = c.Version+1, at
	return c, true
}

// External gives the customer's ids in other systems, ordered by system and id.
func (c Customer) External() []identity.Identity {
	var out []identity.Identity
	for _, i := range c.Identities {
		if _, external := i.Type.System(); external {
			out = append(out, i.Identity)
		}
	}
	slices.SortFunc(out, identity.Compare)
	return out
}

func (i Identity) exclusive() bool { return i.Type.Exclusive() }

// normalise trims and composes each name, makes a display name where there is none, and names the fields that are not
// right.
func (n Names) normalise() (Names, []problem.Field) {
	var faults []problem.Field
	for location, name := range map[string]*string{
		"display_name": &n.Display, "given_name": &n.Given, "family_name": &n.Family, "legal_name": &n.Legal,
	} {
		*name = strings.Join(strings.Fields(norm.NFC.String(*name)), " ")
		if utf8.RuneCountInString(*name) > maxName || strings.ContainsFunc(*name, unprintable) {
			faults = append(faults, problem.Field{Location: location, Code: "name_malformed",
				Message: "must be at most 200 characters, none of them a control character"})
		}
	}
	slices.SortFunc(faults, func(a, b problem.Field) int { return strings.Compare(a.Location, b.Location) })
	if n.Display == "" {
		n.Display = n.called()
	}
	return n, faults
}

// unprintable is true for control characters and for the marks that turn the direction of writing, with which a name
// could pass for another. Joiners stay: several scripts need them.
func unprintable(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
}

// called puts a display name together: 李雷 for a name in Han characters, which has its family name first and no blank,
// Lei Li otherwise, and the legal name for whoever has no other.
func (n Names) called() string {
	han := func(s string) bool {
		return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.Is(unicode.Han, r) })
	}
	switch {
	case n.Given == "" && n.Family == "":
		return n.Legal
	case han(n.Family + n.Given):
		return n.Family + n.Given
	default:
		return strings.TrimSpace(n.Given + " " + n.Family)
	}
}

func (n Names) differences(o Names) []string {
	var names []string
	for name, differs := range map[string]bool{
		"display_name": n.Display != o.Display,
		"family_name":  n.Family != o.Family,
		"given_name":   n.Given != o.Given,
		"legal_name":   n.Legal != o.Legal,
	} {
		if differs {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
