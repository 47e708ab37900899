// Package customer keeps the customers of a tenant: who they are and by what they are recognised.
package customer

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
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

// Customer is one customer, whole: where others were merged into it, with what hangs on them.
type Customer struct {
	Names
	ID      uuid.UUID   // UUIDv7
	As      uuid.UUID   // the id that it was asked for by, ID or one of Aliases: what is added hangs on this one, so that a merge can be undone
	Aliases []uuid.UUID // ids of the customers merged into this one
	RootID  uuid.UUID   // of an absorbed customer, who is read by Own only: the customer whom its id means now
	State   State
	Version int64 // from 1, one more with every change
	Kind    Kind
	Source  string // code of where the registration came from, such as api or import

	Tags    []string                // sorted
	Owner   string                  // subject of the user who looks after the customer; empty: nobody
	Custom  map[string]any          // values of custom fields by name, as package field reads them
	Classes map[string]access.Class // of the fields in Custom

	Stage            Stage
	StageSince       time.Time // zero: since the registration
	StageManualUntil time.Time // until when only a person changes the stage; zero: it may change by itself

	Identities []Identity // by AddedAt, then by type and value; each once, however many of those merged have it
	Addresses  []Address  // by AddedAt

	RegisteredAt time.Time
	ChangedAt    time.Time

	rows []Identity // all of them: Identities is what unite makes of these
}

// Group gives all ids that mean the customer, its own first: what hangs on it bears one of them.
func (c Customer) Group() []uuid.UUID { return append([]uuid.UUID{c.ID}, c.Aliases...) }

// Draft is a customer who is about to be registered. Its identities, addresses and custom fields are normalised.
type Draft struct {
	Names
	Kind       Kind // empty: a person
	Source     string
	Identities []identity.Identity
	Validity   map[identity.Identity]Validity // what is known of them besides
	Tags       []string
	Owner      string
	Custom     map[string]any
	Classes    map[string]access.Class // of the fields in Custom
	Addresses  []Address               // with their ids; the rest is filled in
}

const (
	maxName   = 200 // characters
	maxSource = 64  // characters
)

// Register makes a customer of the draft, or names every field that is not right. A customer needs something to be
// called by, or an exclusive identity by which another system will say who it is.
func Register(id uuid.UUID, d Draft, at time.Time) (Customer, []problem.Field) {
	names, faults := d.Names.normalise()
	c := Customer{
		Names: names, ID: id, As: id, State: Active, Version: 1, Kind: cmp.Or(d.Kind, Person), Source: d.Source,
		Custom: d.Custom, Classes: d.Classes, Stage: Awareness, RegisteredAt: at, ChangedAt: at,
	}
	if c.Kind != Person && c.Kind != Organisation {
		faults = append(faults, kindUnknown)
	}
	if utf8.RuneCountInString(c.Source) > maxSource || strings.ContainsFunc(c.Source, unicode.IsControl) {
		faults = append(faults, problem.Field{Location: "source", Code: "source_malformed", Message: "must be a code of at most 64 characters"})
	}
	c = c.begin(d.Identities, d.Validity, at)
	c.Version = 1
	if len(c.Identities) > MaxIdentities {
		faults = append(faults, tooManyIdentities)
	}
	if c.Display == "" && !slices.ContainsFunc(c.Identities, Identity.exclusive) {
		faults = append(faults, nameRequired)
	}
	var more []problem.Field
	if c.Tags, more = normaliseTags(d.Tags); len(more) > 0 {
		faults = append(faults, more...)
	}
	if c.Owner, more = normaliseOwner(d.Owner); len(more) > 0 {
		faults = append(faults, more...)
	}
	if len(d.Addresses) > MaxAddresses {
		faults = append(faults, tooManyAddresses)
	}
	for _, a := range d.Addresses {
		a.CustomerID, a.AddedAt = id, at
		c.Addresses = append(c.Addresses, a)
	}
	return c, faults
}

var (
	kindUnknown  = problem.Field{Location: "kind", Code: "kind_unknown", Message: "must be person or organisation"}
	nameRequired = problem.Field{Location: "display_name", Code: "required",
		Message: "must be given, or a given, family or legal name, or an identity that is one customer's only, such as a card"}
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
