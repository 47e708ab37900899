// Package merge says that two customers are one, and takes that back.
//
// Only the fields of a customer's own record are merged: a rule chooses each from one of the two. What hangs on a
// customer keeps the id it was written with and is read by all ids that mean the customer, so that nothing has to move,
// here or in another service, when customers are merged, nor back when that was a mistake.
package merge

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// UndoWithin is how long a merge can be undone.
const UndoWithin = 90 * 24 * time.Hour

// Rule says from which of the two a field is taken.
type Rule string

// The rules. A value that is missing never takes the place of one that is there, but by hand.
const (
	MostRecent    Rule = "most_recent"    // of the record that was changed last
	Oldest        Rule = "oldest"         // of the record that was registered first
	TrustedSource Rule = "trusted_source" // of the record whose source stands first in the list
	ByHand        Rule = "by_hand"        // of the record that the caller names
)

// OnlyValue is told, where a rule would be, of a field that only one of the two has.
const OnlyValue Rule = "only_value"

// Both is told of a field that takes all of both, such as tags.
const Both Rule = "both"

// Fields of a customer's own record, by name, each in a text form of its own: a field without a value is not there. Custom
// fields are named with the prefix custom. and have their JSON as the value; the stage with its time and its reason are
// one field.
type Fields map[string]string

// CustomPrefix begins the names of custom fields.
const CustomPrefix = "custom."

// Record is a customer's own record as far as a merge is concerned, without those that it has absorbed.
type Record struct {
	ID           uuid.UUID
	Version      int64
	Kind         string
	State        string
	Root         uuid.UUID // Nil: the record stands for itself
	Aliases      []uuid.UUID
	Source       string
	RegisteredAt time.Time
	ChangedAt    time.Time
	Fields       Fields
	Tags         []string // sorted
}

// Choice is how the fields of a merge are chosen.
type Choice struct {
	Default Rule                 // for all fields that are not named; MostRecent where empty
	Trusted []string             // sources, the most trusted first, for TrustedSource
	Rules   map[string]Rule      // by field
	ByHand  map[string]uuid.UUID // by field: from which of the two
}

// Decision is what becomes of one field.
type Decision struct {
	Field string
	Value string    // empty: the field has none
	From  uuid.UUID // whose value it is; Nil where it is of both
	Rule  Rule      // what decided
	// Withheld tells that Value is left out, since it is sensitive: whoever merges need not see it to choose.
	Withheld bool
}

// Merged is what a merge makes of the survivor's record.
type Merged struct {
	Fields    Fields
	Tags      []string
	Decisions []Decision // by field
}

// Plan says what the survivor's record will be, or why the two cannot be merged.
func Plan(survivor, absorbed Record, c Choice) (Merged, []problem.Field) {
	faults := c.check(survivor, absorbed)
	if len(faults) > 0 {
		return Merged{}, faults
	}
	m := Merged{Fields: Fields{}}
	for _, name := range fieldsOf(survivor.Fields, absorbed.Fields) {
		d := c.decide(name, survivor, absorbed)
		if d.Value != "" {
			m.Fields[name] = d.Value
		}
		m.Decisions = append(m.Decisions, d)
	}
	m.Tags = union(survivor.Tags, absorbed.Tags)
	if len(m.Tags) > 0 {
		m.Decisions = append(m.Decisions, Decision{Field: "tags", Value: strings.Join(m.Tags, ","), Rule: Both})
	}
	return m, nil
}

func (c Choice) check(survivor, absorbed Record) (faults []problem.Field) {
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	known := func(r Rule) bool { return r == MostRecent || r == Oldest || r == TrustedSource }
	if c.Default != "" && !known(c.Default) {
		fault("rule", "rule_unknown", "must be most_recent, oldest or trusted_source")
	}
	names := fieldsOf(survivor.Fields, absorbed.Fields)
	for _, field := range slices.Sorted(maps.Keys(c.Rules)) {
		if !known(c.Rules[field]) {
			fault("rules."+field, "rule_unknown", "must be most_recent, oldest or trusted_source")
		}
		if !slices.Contains(names, field) {
			fault("rules."+field, "field_unknown", "neither of the two has a value in this field")
		}
	}
	for _, field := range slices.Sorted(maps.Keys(c.ByHand)) {
		if id := c.ByHand[field]; id != survivor.ID && id != absorbed.ID {
			fault("choose."+field, "customer_unknown", "must be the id of one of the two customers")
		}
		if !slices.Contains(names, field) {
			fault("choose."+field, "field_unknown", "neither of the two has a value in this field")
		}
	}
	if survivor.Kind != absorbed.Kind {
		fault("absorbed_id", "kind_differs", "is an organisation where the other is a person: two of different kinds are never the same customer")
	}
	return faults
}

func (c Choice) decide(field string, survivor, absorbed Record) Decision {
	take := func(r Record, rule Rule) Decision {
		return Decision{Field: field, Value: r.Fields[field], From: r.ID, Rule: rule}
	}
	if id, chosen := c.ByHand[field]; chosen {
		if id == survivor.ID {
			return take(survivor, ByHand)
		}
		return take(absorbed, ByHand)
	}
	switch {
	case absorbed.Fields[field] == "":
		return take(survivor, OnlyValue)
	case survivor.Fields[field] == "":
		return take(absorbed, OnlyValue)
	}
	rule := c.Default
	if r, ok := c.Rules[field]; ok {
		rule = r
	}
	if rule == "" {
		rule = MostRecent
	}
	if c.prefersAbsorbed(rule, survivor, absorbed) {
		return take(absorbed, rule)
	}
	return take(survivor, rule)
}

// prefersAbsorbed is false where the rule does not tell the two apart.
func (c Choice) prefersAbsorbed(rule Rule, survivor, absorbed Record) bool {
	switch rule {
	case Oldest:
		return absorbed.RegisteredAt.Before(survivor.RegisteredAt)
	case TrustedSource:
		return c.trust(absorbed.Source) < c.trust(survivor.Source)
	default:
		return absorbed.ChangedAt.After(survivor.ChangedAt)
	}
}

// trust is the place of a source in the list; sources that are not on it come last.
func (c Choice) trust(source string) int {
	if n := slices.Index(c.Trusted, source); n >= 0 {
		return n
	}
	return len(c.Trusted)
}

// State is a survivor's fields at one moment.
type State struct {
	Fields Fields   `json:"fields"`
	Tags   []string `json:"tags"`
}

// Layer is one merge of a survivor: its record before and after, and the tags that the absorbed one has.
type Layer struct {
	ID            uuid.UUID
	Before, After State
	AbsorbedTags  []string
}

// Undo takes the layer out from under what was done since: later are the survivor's later merges that stand, in order, and
// now is its record as it is. A field that the merge set and that nothing has changed since gets the value from before the
// merge; all that was changed since stays. Later layers are given as if the undone one had never been.
func Undo(undone Layer, later []Layer, now State) (restored State, rebased []Layer) {
	rebased = make([]Layer, len(later))
	for n, l := range later {
		rebased[n] = Layer{ID: l.ID, Before: l.Before.clone(), After: l.After.clone(), AbsorbedTags: l.AbsorbedTags}
	}
	restored = now.clone()
	names := map[string]bool{}
	for _, f := range []Fields{undone.Before.Fields, undone.After.Fields} {
		for name := range f {
			names[name] = true
		}
	}
	for name := range names {
		was, made := undone.Before.Fields[name], undone.After.Fields[name]
		if was == made {
			continue
		}
		above := true // what the merge set is still what is seen from above
		for n := range rebased {
			if above = rebased[n].Before.Fields[name] == made; !above {
				break
			}
			rebased[n].Before.set(name, was)
			if above = rebased[n].After.Fields[name] == made; !above {
				break
			}
			rebased[n].After.set(name, was)
		}
		if above && restored.Fields[name] == made {
			restored.set(name, was)
		}
	}
	added := without(undone.After.Tags, undone.Before.Tags)
	for n := range rebased {
		rebased[n].Before.Tags = without(rebased[n].Before.Tags, added)
		added = without(added, rebased[n].AbsorbedTags) // those are there by that merge as well
		rebased[n].After.Tags = without(rebased[n].After.Tags, added)
	}
	restored.Tags = without(restored.Tags, added)
	return restored, rebased
}

func (s State) set(name, value string) {
	if value == "" {
		delete(s.Fields, name)
		return
	}
	s.Fields[name] = value
}

func (s State) clone() State {
	c := State{Fields: maps.Clone(s.Fields), Tags: slices.Clone(s.Tags)}
	if c.Fields == nil {
		c.Fields = Fields{}
	}
	return c
}

func fieldsOf(a, b Fields) []string {
	names := map[string]bool{}
	for name := range a {
		names[name] = true
	}
	for name := range b {
		names[name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

func union(a, b []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(a, b))))
}

func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}
