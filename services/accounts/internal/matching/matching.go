// Package matching tells who may be the same customer: by rules that each tenant sets, when a customer is registered, when
// a file is brought in, and, behind everybody's back, for a queue of pairs that people look through.
package matching

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/fold"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/name"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/search"
)

// Result says what comes of a match.
type Result string

// The results.
const (
	Automatic Result = "automatic" // is merged, or updated by an import, without asking
	Review    Result = "review"    // somebody has to look
)

// Kind says what a criterion compares.
type Kind string

// The kinds. What is blank on either side never matches.
const (
	SameIdentity Kind = "identity"      // of a type, or of any exclusive type
	SameName     Kind = "name"          // the same letters or characters, whatever accents, case, blanks, traditional or simplified
	SameSound    Kind = "name_sound"    // Latin letters or pinyin, in either order
	SameInitials Kind = "name_initials" // of words or of pinyin
	SimilarName  Kind = "name_similar"  // by trigrams, from a threshold on
	SamePostal   Kind = "postal_code"   // with its country
	SameField    Kind = "custom_field"
)

func kinds() []Kind {
	return []Kind{SameIdentity, SameName, SameSound, SameInitials, SimilarName, SamePostal, SameField}
}

// finds tells whether customers can be looked up by the criterion; by all others those who were found are compared.
func (k Kind) finds() bool { return k != SimilarName }

// named tells whether the criterion is about nothing but names.
func (k Kind) named() bool {
	return k == SameName || k == SameSound || k == SameInitials || k == SimilarName
}

// anyExclusive stands for every type of identity that only one customer can have.
const anyExclusive = "exclusive"

// Criterion is one thing that two customers must have in common.
type Criterion struct {
	Kind      Kind    `json:"kind"`
	Type      string  `json:"type,omitempty"`      // of SameIdentity
	Field     string  `json:"field,omitempty"`     // of SameField
	Threshold float64 `json:"threshold,omitempty"` // of SimilarName, more than 0 to 1
}

// code names the criterion where it is said why two match.
func (c Criterion) code() string {
	switch c.Kind {
	case SameIdentity:
		return string(c.Kind) + "." + c.Type
	case SameField:
		return string(c.Kind) + "." + c.Field
	default:
		return string(c.Kind)
	}
}

// Rule matches two customers who have all of its criteria in common.
type Rule struct {
	Name     string      `json:"name"` // code
	Result   Result      `json:"result"`
	Criteria []Criterion `json:"criteria"`
}

// Rules are a tenant's; one that matches is enough.
type Rules struct {
	Rules     []Rule
	Version   int64 // 0: the standard ones, for the tenant has set none
	ChangedBy string
	ChangedAt time.Time
}

// similarEnough is from where on the standard rules take names for similar: it parts John from Jane Smith, and takes
// Jon for John.
const similarEnough = 0.6

// Standard gives the rules of a tenant who has set none.
func Standard() []Rule {
	similar := Criterion{Kind: SimilarName, Threshold: similarEnough}
	return []Rule{
		{"exclusive_identity", Automatic, []Criterion{{Kind: SameIdentity, Type: anyExclusive}}},
		{"phone_and_name", Review, []Criterion{{Kind: SameIdentity, Type: string(identity.Phone)}, similar}},
		{"email_and_name", Review, []Criterion{{Kind: SameIdentity, Type: string(identity.Email)}, similar}},
		{"name_and_postal_code", Review, []Criterion{{Kind: SameName}, {Kind: SamePostal}}},
	}
}

const (
	maxRules    = 20
	maxCriteria = 6
)

var codePattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// Check names everything that is not right about rules. Searchable tells whether a custom field is there and not
// sensitive.
func Check(rules []Rule, searchable func(field string) bool) []problem.Field {
	var faults []problem.Field
	fault := func(at, code, message string) {
		faults = append(faults, problem.Field{Location: at, Code: code, Message: message})
	}
	if len(rules) > maxRules {
		fault("rules", "too_many", fmt.Sprintf("must be at most %d", maxRules))
	}
	names := make(map[string]bool)
	for n, r := range rules {
		at := fmt.Sprintf("rules[%d]", n)
		switch {
		case !codePattern.MatchString(r.Name):
			fault(at+".name", "name_malformed", "must be a code of small letters, digits and _")
		case names[r.Name]:
			fault(at+".name", "name_repeated", "must be another one than those of the rules before")
		}
		names[r.Name] = true
		if r.Result != Automatic && r.Result != Review {
			fault(at+".result", "result_unknown", "must be automatic or review")
		}
		if len(r.Criteria) == 0 || len(r.Criteria) > maxCriteria {
			fault(at+".criteria", "criteria_count", fmt.Sprintf("must be 1 to %d", maxCriteria))
			continue
		}
		for m, c := range r.Criteria {
			if field, code, message := c.check(searchable); code != "" {
				fault(fmt.Sprintf("%s.criteria[%d].%s", at, m, field), code, message)
			}
		}
		if !slices.ContainsFunc(r.Criteria, func(c Criterion) bool { return c.Kind.finds() }) {
			fault(at+".criteria", "rule_finds_nobody", "must have a criterion beside name_similar, by which customers can be looked up")
		}
		if r.Result == Automatic && r.nameAlone() {
			fault(at+".result", "name_alone", "must be review: a name alone never makes two customers one")
		}
	}
	return faults
}

// nameAlone tells whether the rule compares nothing but names.
func (r Rule) nameAlone() bool {
	return !slices.ContainsFunc(r.Criteria, func(c Criterion) bool { return !c.Kind.named() })
}

// asksForExclusive tells whether two match by the rule only where they have an identity in common that is one customer's only.
func (r Rule) asksForExclusive() bool {
	return slices.ContainsFunc(r.Criteria, func(c Criterion) bool {
		return c.Kind == SameIdentity && (c.Type == anyExclusive || identity.Type(c.Type).Exclusive())
	})
}

func (c Criterion) check(searchable func(field string) bool) (field, code, message string) {
	switch {
	case !slices.Contains(kinds(), c.Kind):
		return "kind", "kind_unknown", "is none of the kinds of criteria"
	case c.Kind == SameIdentity && c.Type != anyExclusive && !known(identity.Type(c.Type)):
		return "type", "type_unknown", "must be a type of identity, or exclusive for all types that are one customer's only"
	case c.Kind != SameIdentity && c.Type != "":
		return "type", "not_for_kind", "is for identities only"
	case c.Kind == SameField && !searchable(c.Field):
		return "field", "custom_field_not_searchable", "must be a custom field that is not financial, of health or special"
	case c.Kind != SameField && c.Field != "":
		return "field", "not_for_kind", "is for custom fields only"
	case c.Kind == SimilarName && (c.Threshold <= 0 || c.Threshold > 1):
		return "threshold", "threshold_range", "must be more than 0 and at most 1"
	case c.Kind != SimilarName && c.Threshold != 0:
		return "threshold", "not_for_kind", "is for name_similar only"
	default:
		return "", "", ""
	}
}

// known tells whether there are identities of the type.
func known(t identity.Type) bool {
	switch t {
	case identity.Phone, identity.Email, identity.Card, identity.Login, identity.WebDevice, identity.WeChatUnion, identity.WeChat, identity.WeCom:
		return true
	default:
		system, ok := t.System()
		return ok && codePattern.MatchString(strings.ReplaceAll(system, "-", "_"))
	}
}

// Match is somebody who may be the same customer.
type Match struct {
	CustomerID uuid.UUID // who stands for themselves
	Result     Result
	Rule       string
	Criteria   []string // codes of what the two have in common
	Score      int      // 1 to 100
}

// maxScore is that of two who fit all criteria wholly.
const maxScore = 100

// compare orders matches, the surest first.
func compare(a, b Match) int {
	return cmp.Or(strings.Compare(string(a.Result), string(b.Result)), cmp.Compare(b.Score, a.Score),
		slices.Compare(a.CustomerID[:], b.CustomerID[:]))
}

// subject is a customer, or one who is about to be, as it is compared.
type subject struct {
	id         uuid.UUID // nil UUID: nobody yet
	kind       string
	archived   bool
	key        string // of the display name, by which it is looked for
	names      []string
	sounds     []string
	initials   []string
	identities []identity.Identity
	verified   []identity.Identity
	postal     []string
	fields     map[string][]string
}

func subjectOf(id uuid.UUID, r search.Record) subject {
	s := subject{
		id: id, kind: r.Kind, archived: r.Archived, key: search.NameKey(r.Display), identities: r.Identities, verified: r.Verified, postal: r.Postal,
		fields: make(map[string][]string),
	}
	for _, n := range r.Names {
		folded := fold.Text(n)
		if folded == "" || slices.Contains(s.names, folded) {
			continue
		}
		s.names = append(s.names, folded)
		s.sounds = append(s.sounds, name.Sounds(folded)...)
		s.initials = append(s.initials, name.Initials(folded)...)
	}
	for field, value := range r.Custom {
		s.fields[field] = search.FieldTexts(value)
	}
	return s
}

// blank tells whether the subject has nothing that the criterion compares.
func (s subject) blank(c Criterion) bool {
	switch c.Kind {
	case SameIdentity:
		return !slices.ContainsFunc(s.identities, func(i identity.Identity) bool { return c.of(i.Type) })
	case SameSound:
		return len(s.sounds) == 0
	case SameInitials:
		return len(s.initials) == 0
	case SamePostal:
		return !slices.ContainsFunc(s.postal, func(p string) bool { return p != "" })
	case SameField:
		return len(s.fields[c.Field]) == 0
	default:
		return len(s.names) == 0
	}
}

// apply tells by which rule two customers match, the surest result first. Those of different kinds do not, nor does
// anything automatic come of two of whom it was shown that they differ.
func apply(rules []Rule, a, b subject) (best Match, ok bool) {
	if a.kind != b.kind {
		return Match{}, false
	}
	for _, r := range rules {
		m, fits := r.match(a, b)
		if !fits {
			continue
		}
		if m.Result == Automatic && len(differing(a.verified, b.verified)) > 0 {
			m.Result = Review
		}
		if m.CustomerID = b.id; !ok || compare(m, best) < 0 {
			best, ok = m, true
		}
	}
	return best, ok
}

func (r Rule) match(a, b subject) (Match, bool) {
	m := Match{Result: r.Result, Rule: r.Name}
	if r.nameAlone() {
		m.Result = Review
	}
	sum := 0.0
	for _, c := range r.Criteria {
		strength := c.strength(a, b)
		if strength == 0 {
			return Match{}, false
		}
		sum += strength
		m.Criteria = append(m.Criteria, c.code())
	}
	m.Score = max(1, int(math.Round(maxScore*sum/float64(len(r.Criteria)))))
	return m, true
}

// How much it tells that two have the same of a kind, where it tells less than everything: a sound belongs to several
// names, initials to many, and a postal code to a district.
const (
	soundTells    = 0.9
	initialsTell  = 0.5
	postalTells   = 0.7
	soundsSimilar = 0.9 // of the similarity of what names sound like
)

// strength tells how well two customers fit the criterion: 0 not at all, 1 wholly.
func (c Criterion) strength(a, b subject) float64 {
	same := func(shared bool, tells float64) float64 {
		if shared {
			return tells
		}
		return 0
	}
	switch c.Kind {
	case SameIdentity:
		return same(slices.ContainsFunc(a.identities, func(i identity.Identity) bool {
			return c.of(i.Type) && slices.Contains(b.identities, i)
		}), 1)
	case SameName:
		return same(slices.ContainsFunc(a.names, func(n string) bool {
			return slices.ContainsFunc(b.names, func(o string) bool { return fold.Compact(n) == fold.Compact(o) })
		}), 1)
	case SameSound:
		return same(share(a.sounds, b.sounds), soundTells)
	case SameInitials:
		return same(share(a.initials, b.initials), initialsTell)
	case SamePostal:
		return same(share(a.postal, b.postal), postalTells)
	case SameField:
		return same(share(a.fields[c.Field], b.fields[c.Field]), 1)
	case SimilarName:
		if s := similarity(a, b); s >= c.Threshold {
			return s
		}
	}
	return 0
}

// of tells whether the criterion is about identities of the type.
func (c Criterion) of(t identity.Type) bool {
	return string(t) == c.Type || c.Type == anyExclusive && t.Exclusive()
}

// similarity is that of the two most similar of their names, as written or as spoken.
func similarity(a, b subject) (best float64) {
	for _, n := range a.names {
		for _, o := range b.names {
			best = max(best, name.Similarity(n, o))
		}
	}
	if best < soundsSimilar && share(a.sounds, b.sounds) {
		best = soundsSimilar
	}
	return best
}

// share tells whether two lists have something in common that is not blank.
func share(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return s != "" && slices.Contains(b, s) })
}

// differing gives the types of exclusive identities of which two customers were shown to have different values: they are
// not one, whatever else they have in common. WeChat's and WeCom's are compared within one app or company.
func differing(a, b []identity.Identity) (types []string) {
	scope := func(i identity.Identity) string {
		if owner, _, pair := strings.Cut(i.Value, ":"); pair && (i.Type == identity.WeChat || i.Type == identity.WeCom) {
			return string(i.Type) + ":" + owner
		}
		return string(i.Type)
	}
	for _, i := range a {
		if !i.Type.Exclusive() || slices.Contains(b, i) {
			continue
		}
		differs := slices.ContainsFunc(b, func(o identity.Identity) bool { return scope(o) == scope(i) && o.Value != i.Value }) &&
			!slices.ContainsFunc(b, func(o identity.Identity) bool { return scope(o) == scope(i) && slices.Contains(a, o) })
		if differs && !slices.Contains(types, string(i.Type)) {
			types = append(types, string(i.Type))
		}
	}
	slices.Sort(types)
	return types
}

// State says what has become of a pair.
type State string

// The states.
const (
	Open      State = "open"
	Accepted  State = "accepted"  // the two are one
	Dismissed State = "dismissed" // they are not, and the pair does not come back
)

// Pair is two customers who may be one.
type Pair struct {
	ID        uuid.UUID // UUIDv7
	Low, High uuid.UUID // the customers, by id
	Names     [2]string // what they are called now
	Score     int       // 1 to 100
	Result    Result
	Rule      string
	Criteria  []string // codes of what the two have in common
	State     State
	FoundAt   time.Time
	DecidedAt time.Time // zero: not yet
	DecidedBy string    // subject
	// LeftBecause says of an open pair that is automatic why nobody but a person makes it one: a code; empty: it is about to be.
	LeftBecause string
}

// Why a pair that is automatic waits for people, as far as this room can tell.
const (
	SeveralMatch = "several_match"       // one of the two is automatically somebody else as well
	NoLonger     = "no_longer_automatic" // the customers, or the rules, have changed since
	WasDismissed = "dismissed"           // it was said of others who were merged into the two that they differ
)

// decide gives the pair in another state. A pair is decided once.
func (p Pair) decide(to State, by string, at time.Time) (Pair, error) {
	if p.State != Open {
		return p, problem.New(problem.Conflict, "duplicate_decided", "The pair was %s already.", p.State)
	}
	p.State, p.DecidedBy, p.DecidedAt = to, by, at
	return p, nil
}
