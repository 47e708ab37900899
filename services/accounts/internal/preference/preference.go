// Package preference keeps what customers prefer: what they said themselves, and what was inferred. Both are codes, never
// free text. What was said outranks whatever was inferred, however new that is.
package preference

import (
	"regexp"
	"slices"
	"time"

	"github.com/google/uuid"
	"golang.org/x/text/language"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/consent"
)

// Source says how a preference is known.
type Source string

// The sources.
const (
	Said     Source = "said"
	Inferred Source = "inferred"
)

// The keys whose values are checked. Others are a tenant's own.
const (
	ContactChannel = "contact_channel" // a channel of consents, such as email
	Language       = "language"        // BCP 47, such as zh-Hans
	ContactHours   = "contact_hours"   // in the customer's own time, such as 09:00-18:30
)

// Preference is what one source says of one key.
type Preference struct {
	Customer   uuid.UUID // as it was addressed
	Key        string
	Value      string // codes, with commas between where there are several
	Source     Source
	Confidence float64 // above 0, at most 1; of what was said always 1
	At         time.Time
	RecordedAt time.Time
	RecordedBy string // subject of the token
}

var (
	keyShape   = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
	valueShape = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.:+-]*(,[A-Za-z0-9][A-Za-z0-9_.:+-]*)*$`)
	hoursShape = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$`)
)

const (
	maxValue = 200 // characters
	skew     = time.Minute
)

// Check gives the preference as it is kept, or names every field that is not right. A time that is not given is now.
func (p Preference) Check(now time.Time) (Preference, []problem.Field) {
	var faults []problem.Field
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	if !keyShape.MatchString(p.Key) {
		fault("key", "key_malformed", "must be a code: a-z, 0-9 and _, at most 63, the first a letter")
	}
	if code, message := p.unfit(); code != "" {
		fault("value", code, message)
	}
	switch {
	case p.Source == Said && p.Confidence != 0 && p.Confidence != 1:
		fault("confidence", "confidence_unfit", "must be left out, or 1, where the customer said so")
	case p.Source == Said:
		p.Confidence = 1
	case !(p.Confidence > 0 && p.Confidence <= 1):
		fault("confidence", "out_of_range", "must be above 0 and at most 1 where it is inferred")
	}
	switch {
	case p.At.IsZero(), p.At.After(now) && !p.At.After(now.Add(skew)):
		p.At = now
	case p.At.After(now):
		fault("at", "at_in_future", "must not be in the future")
	case p.At.Year() < 1970:
		fault("at", "at_too_long_ago", "must not be before 1970")
	}
	p.At, p.RecordedAt = p.At.UTC().Truncate(time.Microsecond), now
	return p, faults
}

func (p Preference) unfit() (code, message string) {
	if len(p.Value) > maxValue || !valueShape.MatchString(p.Value) {
		return "value_malformed", "must be codes of letters, digits and _ . : + -, with commas between, at most 200"
	}
	switch p.Key {
	case ContactChannel:
		if !slices.Contains(consent.Channels(), consent.Channel(p.Value)) {
			return "channel_unknown", "must be email, sms, phone, wechat, wecom or post"
		}
	case Language:
		if _, err := language.Parse(p.Value); err != nil {
			return "language_unknown", "must be a BCP 47 language, such as zh-Hans"
		}
	case ContactHours:
		if !hoursShape.MatchString(p.Value) {
			return "hours_malformed", "must be hours such as 09:00-18:30"
		}
	}
	return "", ""
}

// Effective gives the preference that counts of all that were stated of one key by all ids of a customer: what was said
// last, and only where nothing was said what was inferred last. ok is false where there is none.
func Effective(stated []Preference) (counts Preference, ok bool) {
	for _, p := range stated {
		if !ok || p.outranks(counts) {
			counts, ok = p, true
		}
	}
	return counts, ok
}

// outranks breaks a tie of time by the confidence, and then by the value, so that it does not depend on an order.
func (p Preference) outranks(o Preference) bool {
	switch {
	case p.Source != o.Source:
		return p.Source == Said
	case !p.At.Equal(o.At):
		return p.At.After(o.At)
	case p.Confidence != o.Confidence:
		return p.Confidence > o.Confidence
	}
	return p.Value > o.Value
}
