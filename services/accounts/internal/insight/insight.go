// Package insight keeps what analyses and other systems say of a customer: segments, scores and recommendations. Each names
// the classes of the data that it was drawn from, and is hidden where any of them is: otherwise it would tell what they do
// not.
package insight

import (
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
)

// Kind says what sort of thing is said.
type Kind string

// The kinds.
const (
	Segment        Kind = "segment"        // a group that the customer belongs to
	Score          Kind = "score"          // a number
	Recommendation Kind = "recommendation" // what to offer or do next
)

// Insight is one thing that is said of a customer.
type Insight struct {
	Customer uuid.UUID // as it was addressed to
	Name     string    // a code; one of a name holds at a time
	Kind     Kind
	Text     string  // the segment's code or the recommendation; empty for a score
	Number   float64 // the score; 0 for others
	// Inputs are the classes of what it was drawn from, sorted, at least one.
	Inputs []access.Class
	// About is whose data was drawn on where it is another person's, such as a relative's; nil UUID: the customer's own.
	About      uuid.UUID
	ComputedAt time.Time
	ValidUntil time.Time // zero: until another takes its place
	StatedBy   string    // subject of whoever said so
}

const (
	maxText    = 500 // characters
	maxForOne  = 100 // names, of one customer's id
	clocksDiff = 5 * time.Minute
)

// State gives the insight in its one form, or names every field that is not right. number tells whether a number was given.
func State(i Insight, number bool, now time.Time) (Insight, []problem.Field) {
	var faults []problem.Field
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	i.Text = strings.TrimSpace(i.Text)
	i.ComputedAt, i.ValidUntil = i.ComputedAt.UTC().Truncate(time.Microsecond), i.ValidUntil.UTC().Truncate(time.Microsecond)
	switch {
	case i.Kind == Score && (!number || i.Text != ""):
		fault("number", "number_required", "a score is a number and has no text")
	case i.Kind != Score && (number || i.Text == ""):
		fault("text", "text_required", "a segment or recommendation is a text and has no number")
	case math.IsNaN(i.Number) || math.IsInf(i.Number, 0):
		fault("number", "number_malformed", "must be a finite number")
	}
	if utf8.RuneCountInString(i.Text) > maxText || strings.ContainsFunc(i.Text, unicode.IsControl) {
		fault("text", "text_malformed", "must be at most 500 characters, none of them a control character")
	}
	slices.Sort(i.Inputs)
	i.Inputs = slices.Compact(i.Inputs)
	if len(i.Inputs) == 0 {
		fault("input_classes", "required", "must name the classes of the data that this was drawn from")
	}
	if slices.ContainsFunc(i.Inputs, func(c access.Class) bool { return !slices.Contains(access.Classes(), c) }) {
		fault("input_classes", "class_unknown", "must be identity, contact, behaviour, financial, health or special")
	}
	switch {
	case i.ComputedAt.IsZero():
		fault("computed_at", "required", "must say when this was computed")
	case i.ComputedAt.After(now.Add(clocksDiff)):
		fault("computed_at", "in_the_future", "must not be in the future")
	}
	if !i.ValidUntil.IsZero() && !i.ValidUntil.After(i.ComputedAt) {
		fault("valid_until", "out_of_order", "must be after computed_at")
	}
	return i, faults
}

// Holds tells whether the insight is still valid.
func (i Insight) Holds(now time.Time) bool { return i.ValidUntil.IsZero() || now.Before(i.ValidUntil) }

// Look is what somebody looks at who is shown the insight: the data of whom it draws on.
func (i Insight) Look(view string, customer uuid.UUID) access.Look {
	if i.About != uuid.Nil {
		customer = i.About
	}
	return access.Look{View: view, Customer: customer, Classes: i.Inputs}
}

// Latest keeps of each name the insight that was computed last, by name: after a merge there may be several.
func Latest(insights []Insight) []Insight {
	slices.SortStableFunc(insights, func(a, b Insight) int {
		if a.Name != b.Name {
			return strings.Compare(a.Name, b.Name)
		}
		return b.ComputedAt.Compare(a.ComputedAt)
	})
	return slices.CompactFunc(insights, func(a, b Insight) bool { return a.Name == b.Name })
}
