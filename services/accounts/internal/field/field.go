// Package field keeps the custom fields of a tenant: what it wants to know of its customers besides what the platform has
// a place for. Each has a type, by which values are held to their form, and a class, by which it is decided who sees them.
package field

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
)

// Type is the form of a field's values.
type Type string

// The types, with what a value is in JSON.
const (
	Text    Type = "text"    // a string of 1 to 2000 characters
	Integer Type = "integer" // a whole number that every reader of JSON reads alike: at most 2^53-1 either way
	Number  Type = "number"  // a number of at most 10^15 either way
	Boolean Type = "boolean"
	Date    Type = "date"    // a string such as 2026-11-22
	Choice  Type = "choice"  // one of the definition's choices
	Choices Type = "choices" // a list of one or more of them, kept in the order of the definition
)

// Types lists the types.
func Types() []Type { return []Type{Text, Integer, Number, Boolean, Date, Choice, Choices} }

// Definition is one custom field.
type Definition struct {
	Name      string // by which values are stored, for life: a-z, 0-9 and _
	Title     string // as people read it
	Type      Type
	Choices   []string // of the types choice and choices, in the order in which they are offered
	Class     access.Class
	Archived  bool // takes no new values; what customers have stays
	Used      bool // a customer has, or had, a value
	Version   int64
	CreatedAt time.Time
	ChangedAt time.Time
}

// MaxFields is how many fields a tenant can define, archived ones included.
const MaxFields = 200

const (
	maxText    = 2000 // characters
	maxTitle   = 200  // characters
	maxChoices = 200
	maxChoice  = 100           // characters
	maxInteger = 1<<53 - 1     // RFC 7493 (I-JSON) 2.2
	maxNumber  = 1e15          // beyond it a float64 has no digit after the point
	dateLayout = time.DateOnly // RFC 3339 full-date
)

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// Define makes a field, or names everything that is not right about it.
func Define(d Definition, at time.Time) (Definition, []problem.Field) {
	d, faults := d.normalise()
	if !namePattern.MatchString(d.Name) {
		faults = append(faults, fault("name", "name_malformed", "must be 1 to 63 small letters, digits and _, beginning with a letter"))
	}
	d.Version, d.CreatedAt, d.ChangedAt, d.Archived, d.Used = 1, at, at, false, false
	return d, faults
}

// Change gives the field as it is wanted; changed is false when it is so already. Once a field was used its type stays,
// its choices only become more, and its class only becomes more protected: values that are there must stay valid, and
// nobody may see by it what they could not see before.
func (d Definition) Change(to Definition, at time.Time) (now Definition, changed bool, faults []problem.Field) {
	to, faults = to.normalise()
	if d.Used {
		if to.Type != d.Type {
			faults = append(faults, fault("type", "field_in_use", "customers have values of this type already: define another field"))
		}
		if rank(to.Class) < rank(d.Class) {
			faults = append(faults, fault("class", "field_in_use", "customers have values of this class already: it can only be raised"))
		}
		if slices.ContainsFunc(d.Choices, func(c string) bool { return !slices.Contains(to.Choices, c) }) {
			faults = append(faults, fault("choices", "field_in_use", "customers may have chosen from these already: choices can only be added"))
		}
	}
	same := to.Title == d.Title && to.Type == d.Type && to.Class == d.Class && to.Archived == d.Archived && slices.Equal(to.Choices, d.Choices)
	if len(faults) > 0 || same {
		return d, false, faults
	}
	d.Title, d.Type, d.Class, d.Archived, d.Choices = to.Title, to.Type, to.Class, to.Archived, to.Choices
	d.Version, d.ChangedAt = d.Version+1, at
	return d, true, nil
}

func (d Definition) normalise() (Definition, []problem.Field) {
	var faults []problem.Field
	d.Title = strings.Join(strings.Fields(norm.NFC.String(d.Title)), " ")
	if n := utf8.RuneCountInString(d.Title); n < 1 || n > maxTitle || strings.ContainsFunc(d.Title, unicode.IsControl) {
		faults = append(faults, fault("title", "title_malformed", "must be 1 to 200 characters, none of them a control character"))
	}
	if !slices.Contains(Types(), d.Type) {
		faults = append(faults, fault("type", "type_unknown", "must be text, integer, number, boolean, date, choice or choices"))
	}
	if !slices.Contains(access.Classes(), d.Class) {
		faults = append(faults, fault("class", "class_unknown", "must be identity, contact, behaviour, financial, health or special"))
	}
	chosen := d.Type == Choice || d.Type == Choices
	d.Choices = slices.Clone(d.Choices)
	seen := make(map[string]bool, len(d.Choices))
	for n, c := range d.Choices {
		c = strings.Join(strings.Fields(norm.NFC.String(c)), " ")
		if length := utf8.RuneCountInString(c); length < 1 || length > maxChoice || seen[c] || strings.ContainsFunc(c, unicode.IsControl) {
			faults = append(faults, fault(fmt.Sprintf("choices[%d]", n), "choice_malformed", "must be 1 to 100 characters, and there once"))
		}
		d.Choices[n], seen[c] = c, true
	}
	switch {
	case chosen && (len(d.Choices) == 0 || len(d.Choices) > maxChoices):
		faults = append(faults, fault("choices", "choices_required", "must be 1 to 200 for this type"))
	case !chosen && len(d.Choices) > 0:
		faults = append(faults, fault("choices", "choices_unfit", "belong to the types choice and choices only"))
	}
	return d, faults
}

// rank is how far a class is protected: access lists them from the least to the most.
func rank(c access.Class) int { return slices.Index(access.Classes(), c) }

// Set are the definitions of a tenant, by name.
type Set map[string]Definition

// Values brings values that were given for fields to the form in which they are kept, and names those that have none.
// null (which is in removed) takes a value away. Locations begin with prefix, such as custom_fields.
func (s Set) Values(prefix string, given map[string]json.RawMessage) (values map[string]any, removed []string, faults []problem.Field) {
	values = make(map[string]any, len(given))
	for _, name := range slices.Sorted(maps.Keys(given)) {
		at := prefix + "." + name
		d, known := s[name]
		switch null := string(given[name]) == "null"; {
		case !known && !namePattern.MatchString(name): // it may be anything: it is not repeated
			faults = append(faults, fault(prefix, "field_unknown", "has a name that is none of a custom field"))
		case !known:
			faults = append(faults, fault(at, "field_unknown", "is no custom field of this tenant"))
		case null:
			removed = append(removed, name)
		case d.Archived:
			faults = append(faults, fault(at, "field_archived", "takes no new values; it can be removed with null"))
		default:
			value, wrong := d.value(given[name])
			if wrong != "" {
				faults = append(faults, fault(at, "value_malformed", wrong))
				continue
			}
			values[name] = value
		}
	}
	return values, removed, faults
}

// value reads one value, or says what it must be.
func (d Definition) value(raw json.RawMessage) (value any, wrong string) {
	switch d.Type {
	case Text:
		s, ok := read[string](raw)
		s = norm.NFC.String(strings.TrimSpace(s))
		unfit := func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }
		if n := utf8.RuneCountInString(s); !ok || n < 1 || n > maxText || strings.ContainsFunc(s, unfit) {
			return nil, "must be a text of 1 to 2000 characters, none of them a control character"
		}
		return s, ""
	case Integer:
		n, ok := read[json.Number](raw)
		whole, err := strconv.ParseInt(n.String(), 10, 64)
		if !ok || err != nil || whole > maxInteger || whole < -maxInteger {
			return nil, "must be a whole number, at most 9007199254740991 either way"
		}
		return whole, ""
	case Number:
		n, ok := read[float64](raw)
		if !ok || math.Abs(n) > maxNumber {
			return nil, "must be a number, at most 10^15 either way"
		}
		return n, ""
	case Boolean:
		b, ok := read[bool](raw)
		if !ok {
			return nil, "must be true or false"
		}
		return b, ""
	case Date:
		s, ok := read[string](raw)
		day, err := time.Parse(dateLayout, s)
		if !ok || err != nil || day.Year() < 1 {
			return nil, "must be a date such as 2026-11-22"
		}
		return s, ""
	case Choice:
		s, ok := read[string](raw)
		if !ok || !slices.Contains(d.Choices, s) {
			return nil, "must be one of the field's choices"
		}
		return s, ""
	default:
		several, ok := read[[]string](raw)
		unknown := func(s string) bool { return !slices.Contains(d.Choices, s) }
		if !ok || len(several) == 0 || len(several) > maxChoices || slices.ContainsFunc(several, unknown) {
			return nil, "must be a list of one or more of the field's choices"
		}
		slices.SortFunc(several, func(a, b string) int { return cmp.Compare(slices.Index(d.Choices, a), slices.Index(d.Choices, b)) })
		return slices.Compact(several), ""
	}
}

// read reads JSON of one type only: a string in quotes is no number, although json.Number would take it.
func read[T any](raw json.RawMessage) (value T, ok bool) {
	if _, number := any(value).(json.Number); number && strings.HasPrefix(string(raw), `"`) {
		return value, false
	}
	err := json.Unmarshal(raw, &value)
	return value, err == nil
}

func fault(location, code, message string) problem.Field {
	return problem.Field{Location: location, Code: code, Message: message}
}
