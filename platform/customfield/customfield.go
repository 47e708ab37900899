// Package customfield is the form of fields that a tenant defines by itself, and of their values. Services that have such
// fields keep them in tables of their own, and hold what they are given to the same types.
package customfield

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

// Form is what a definition says of its values.
type Form struct {
	Title   string // as people read it
	Type    Type
	Choices []string // of the types choice and choices, in the order in which they are offered
}

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

// Name tells whether a field can be called so: 1 to 63 small letters, digits and _, beginning with a letter.
func Name(s string) bool { return namePattern.MatchString(s) }

// CheckName gives the fault of a name that a field cannot have.
func CheckName(s string) []problem.Field {
	if Name(s) {
		return nil
	}
	return []problem.Field{fault("name", "name_malformed", "must be 1 to 63 small letters, digits and _, beginning with a letter")}
}

// Normalise gives the form as it is kept, and names everything that is not right about it.
func (f Form) Normalise() (Form, []problem.Field) {
	var faults []problem.Field
	f.Title = strings.Join(strings.Fields(norm.NFC.String(f.Title)), " ")
	if n := utf8.RuneCountInString(f.Title); n < 1 || n > maxTitle || strings.ContainsFunc(f.Title, unicode.IsControl) {
		faults = append(faults, fault("title", "title_malformed", "must be 1 to 200 characters, none of them a control character"))
	}
	if !slices.Contains(Types(), f.Type) {
		faults = append(faults, fault("type", "type_unknown", "must be text, integer, number, boolean, date, choice or choices"))
	}
	chosen := f.Type == Choice || f.Type == Choices
	f.Choices = slices.Clone(f.Choices)
	seen := make(map[string]bool, len(f.Choices))
	for n, c := range f.Choices {
		c = strings.Join(strings.Fields(norm.NFC.String(c)), " ")
		if length := utf8.RuneCountInString(c); length < 1 || length > maxChoice || seen[c] || strings.ContainsFunc(c, unicode.IsControl) {
			faults = append(faults, fault(fmt.Sprintf("choices[%d]", n), "choice_malformed", "must be 1 to 100 characters, and there once"))
		}
		f.Choices[n], seen[c] = c, true
	}
	switch {
	case chosen && (len(f.Choices) == 0 || len(f.Choices) > maxChoices):
		faults = append(faults, fault("choices", "choices_required", "must be 1 to 200 for this type"))
	case !chosen && len(f.Choices) > 0:
		faults = append(faults, fault("choices", "choices_unfit", "belong to the types choice and choices only"))
	}
	return f, faults
}

// Loosened names what a change to another form would take from values that are there: the type stays, and choices only
// become more.
func (f Form) Loosened(to Form) []problem.Field {
	var faults []problem.Field
	if to.Type != f.Type {
		faults = append(faults, fault("type", "field_in_use", "there are values of this type already: define another field"))
	}
	if slices.ContainsFunc(f.Choices, func(c string) bool { return !slices.Contains(to.Choices, c) }) {
		faults = append(faults, fault("choices", "field_in_use", "these may have been chosen already: choices can only be added"))
	}
	return faults
}

// Same tells whether two forms say the same.
func (f Form) Same(o Form) bool {
	return f.Title == o.Title && f.Type == o.Type && slices.Equal(f.Choices, o.Choices)
}

// Value reads one value, or says what it must be.
func (f Form) Value(raw json.RawMessage) (value any, wrong string) {
	switch f.Type {
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
		if !ok || !slices.Contains(f.Choices, s) {
			return nil, "must be one of the field's choices"
		}
		return s, ""
	default:
		several, ok := read[[]string](raw)
		unknown := func(s string) bool { return !slices.Contains(f.Choices, s) }
		if !ok || len(several) == 0 || len(several) > maxChoices || slices.ContainsFunc(several, unknown) {
			return nil, "must be a list of one or more of the field's choices"
		}
		slices.SortFunc(several, func(a, b string) int { return cmp.Compare(slices.Index(f.Choices, a), slices.Index(f.Choices, b)) })
		return slices.Compact(several), ""
	}
}

// Find gives the form of a field of the name; archived ones take no new values.
type Find func(name string) (form Form, archived, known bool)

// Values brings values that were given for fields to the form in which they are kept, and names those that have none.
// null (which is in removed) takes a value away. Locations begin with prefix, such as custom_fields.
func Values(find Find, prefix string, given map[string]json.RawMessage) (values map[string]any, removed []string, faults []problem.Field) {
	values = make(map[string]any, len(given))
	for _, name := range slices.Sorted(maps.Keys(given)) {
		at := prefix + "." + name
		form, archived, known := find(name)
		switch null := string(given[name]) == "null"; {
		case !known && !Name(name): // it may be anything: it is not repeated
			faults = append(faults, fault(prefix, "field_unknown", "has a name that is none of a custom field"))
		case !known:
			faults = append(faults, fault(at, "field_unknown", "is no custom field of this tenant"))
		case null:
			removed = append(removed, name)
		case archived:
			faults = append(faults, fault(at, "field_archived", "takes no new values; it can be removed with null"))
		default:
			value, wrong := form.Value(given[name])
			if wrong != "" {
				faults = append(faults, fault(at, "value_malformed", wrong))
				continue
			}
			values[name] = value
		}
	}
	return values, removed, faults
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
