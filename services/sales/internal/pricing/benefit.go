package pricing

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Benefit is something that customers of some tiers were promised, in words that everybody can read. Each change is another
// version with a time of its own from which it is published; until then the one before holds.
type Benefit struct {
	Code           string
	TextEN, TextZH string    // what customers read
	Tiers          []string  // codes of loyalty's tiers that have it, sorted
	PublishedFrom  time.Time // never before the moment at which it was written
	Withdrawn      bool      // from then on nobody has it
	Version        int64
	By             string // subject of whoever wrote this version
	At             time.Time
}

// heldBy tells whether somebody of the tier has it.
func (b Benefit) heldBy(tier string) bool {
	return !b.Withdrawn && tier != "" && slices.Contains(b.Tiers, tier)
}

const (
	maxText  = 1000 // characters
	maxName  = 200
	maxTiers = 50
)

// codePattern is what codes look like that people give; tiers are loyalty's.
var codePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

const codeRule = "must be a code of 1 to 64 lower-case letters, digits, - and _"

// faults collects what is wrong.
type faults []problem.Field

func (f *faults) add(location, code, message string) {
	*f = append(*f, problem.Field{Location: location, Code: code, Message: message})
}

func words(s string, most int) bool {
	return s != "" && utf8.RuneCountInString(s) <= most && strings.TrimSpace(s) == s &&
		!strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' })
}

// faults names everything that is wrong with a benefit that is written at a time.
func (b Benefit) faults(now time.Time) (f faults) {
	if !codePattern.MatchString(b.Code) {
		f.add("code", "code_malformed", codeRule)
	}
	for _, t := range []struct{ location, text string }{{"text_en", b.TextEN}, {"text_zh", b.TextZH}} {
		if !words(t.text, maxText) {
			f.add(t.location, "text_malformed", fmt.Sprintf("must be 1 to %d characters that customers can read", maxText))
		}
	}
	if len(b.Tiers) == 0 || len(b.Tiers) > maxTiers {
		f.add("tiers", "tiers_out_of_range", fmt.Sprintf("must be 1 to %d", maxTiers))
	}
	for i, t := range b.Tiers {
		switch {
		case !codePattern.MatchString(t):
			f.add(fmt.Sprintf("tiers[%d]", i), "tier_malformed", codeRule)
		case slices.Contains(b.Tiers[:i], t):
			f.add(fmt.Sprintf("tiers[%d]", i), "tier_twice", "must be the only one of its code")
		}
	}
	if b.PublishedFrom.Before(now) {
		f.add("published_from", "published_from_past", "must not be in the past: nobody could have read it then")
	}
	return f
}

// faults names everything that is wrong with a rule by itself, and gives what its condition reads; benefits are not looked up.
func (r Rule) faults() (benefits, named []string, f faults) {
	if !codePattern.MatchString(r.Code) {
		f.add("code", "code_malformed", codeRule)
	}
	if !words(r.Name, maxName) {
		f.add("name", "name_malformed", fmt.Sprintf("must be 1 to %d printable characters", maxName))
	}
	if r.Position < 0 || r.Position > maxPosition {
		f.add("position", "position_out_of_range", fmt.Sprintf("must be 0 to %d", maxPosition))
	}
	if r.Scope != Line && r.Scope != Whole {
		f.add("scope", "scope_unknown", "must be line or basket")
		return nil, nil, f
	}
	switch {
	case (r.PercentHundredths == 0) == (r.AmountMinor == 0):
		f.add("percent_hundredths", "discount_required", "either percent_hundredths or amount_minor must be given, not both")
	case r.PercentHundredths < 0 || r.PercentHundredths > hundred:
		f.add("percent_hundredths", "percent_out_of_range", "must be 1 to 10000 hundredths of a percent")
	case r.AmountMinor < 0 || r.AmountMinor > money.Max:
		f.add("amount_minor", "amount_out_of_range", fmt.Sprintf("must be more than 0 and at most %d", money.Max))
	}
	if _, ok := money.Digits(r.Currency); r.AmountMinor != 0 && !ok {
		f.add("currency", "currency_unknown", "must be the ISO 4217 currency code of amount_minor, such as CNY")
	} else if r.AmountMinor == 0 && r.Currency != "" {
		f.add("currency", "currency_without_amount", "must be left out without amount_minor: a percentage holds in every currency")
	}
	if !r.To.IsZero() && !r.From.Before(r.To) {
		f.add("valid_to", "validity_empty", "must be after valid_from")
	}
	benefits, named, wrong := check(r.Condition, r.Scope)
	return benefits, named, append(f, wrong...)
}

const maxPosition = 1_000_000
