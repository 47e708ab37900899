package quote

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/guanxi-crm/guanxi/platform/businesstime"
	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Language is in what language the paper of a quote has its own words.
type Language string

// The languages.
const (
	English Language = "en"
	Chinese Language = "zh"
)

// Silence is what becomes of a quote where the last level does not answer in time either.
type Silence string

// The ends of silence.
const (
	SilenceRejects   Silence = "reject"
	SilenceAsksAgain Silence = "ask_again" // the last level has the same time once more, and so on
)

// Limits bound what a seller or a level may grant.
type Limits struct {
	Discount int32 `json:"discount"` // of the whole quote, in hundredths of a percent, that is not exceeded
	// Amounts are what the customer pays at most, by currency, in minor units. None: any amount; otherwise nothing in a currency that
	// is not among them.
	Amounts map[string]int64 `json:"amounts,omitempty"`
}

// Cover tells whether a quote lies within the limits.
func (l Limits) Cover(currency string, t Totals) bool {
	if t.above(l.Discount) {
		return false
	}
	if len(l.Amounts) == 0 {
		return true
	}
	most, ok := l.Amounts[currency]
	return ok && t.TotalMinor <= most
}

// Level is one level of approval.
type Level struct {
	Code      string        `json:"code"` // unique in the policy
	Name      string        `json:"name"`
	Limits    Limits        `json:"limits"`
	Approvers []string      `json:"approvers,omitempty"` // subjects, each of whom needs quotes.approve; none: anybody who has it
	Within    time.Duration `json:"within"`              // the time to answer
	Working   bool          `json:"working"`             // whether that is time within the policy's working hours
}

// Policy is who has to approve what a tenant's sellers grant, and what their quotes look like.
type Policy struct {
	Version      int64              `json:"version"` // 0 while the standard one holds
	Own          Limits             `json:"own"`     // within them a seller needs nobody
	Levels       []Level            `json:"levels"`  // the lowest first
	Silence      Silence            `json:"silence"`
	Twice        bool               `json:"twice"` // whether one person may approve on two levels
	TimeZone     string             `json:"time_zone"`
	Hours        businesstime.Hours `json:"hours"`         // working hours in that zone
	ValidityDays int                `json:"validity_days"` // of a quote that names no last day: today is day 0
	Issuer       string             `json:"issuer"`        // who quotes, as it stands on the paper
	Language     Language           `json:"language"`
}

// StandardPolicy is the policy of a tenant that has set none: up to 10 % a seller grants, beyond that a manager answers within a
// working day.
func StandardPolicy() Policy {
	open := []businesstime.Interval{{From: 9 * 60, To: 18 * 60}}
	return Policy{
		Own:     Limits{Discount: 1000},
		Levels:  []Level{{Code: "manager", Name: "Manager", Limits: Limits{Discount: whole}, Within: 8 * time.Hour, Working: true}},
		Silence: SilenceRejects, TimeZone: "UTC",
		Hours:        businesstime.Hours{Week: businesstime.Week{Monday: open, Tuesday: open, Wednesday: open, Thursday: open, Friday: open}},
		ValidityDays: 30, Language: English,
	}
}

// Bounds of a policy.
const (
	maxLevels    = 20
	maxApprovers = 100
	maxSubject   = 255
	maxName      = 200
	leastTime    = time.Second
	mostTime     = 90 * 24 * time.Hour
)

// Normalise brings a policy to the form in which it is kept and names every field that is not right.
func (p Policy) Normalise() (Policy, []problem.Field) {
	var f faults
	f.limits("own.", p.Own)
	if len(p.Levels) > maxLevels {
		f.add("levels", "out_of_range", "must be at most %d", maxLevels)
		p.Levels = nil
	}
	p.Levels = slices.Clone(p.Levels)
	seen := map[string]bool{}
	for i := range p.Levels {
		at := fmt.Sprintf("levels[%d].", i)
		if seen[p.Levels[i].Code] {
			f.add(at+"code", "code_used", "must not be the code of two levels")
		}
		seen[p.Levels[i].Code] = true
		f.level(at, &p.Levels[i])
		below := p.Own
		if i > 0 {
			below = p.Levels[i-1].Limits
		}
		if p.Levels[i].Limits.Discount < below.Discount {
			f.add(at+"discount_up_to", "levels_unordered", "must be at least that of the level before, or the seller's own")
		}
	}
	if p.Silence != SilenceRejects && p.Silence != SilenceAsksAgain {
		f.add("silence", "silence_unknown", "must be reject or ask_again")
	}
	if _, ok := businesstime.Zone(p.TimeZone); !ok {
		f.add("time_zone", "time_zone_unknown", "must be a time zone's name, such as Asia/Shanghai")
	}
	var wrong []problem.Field
	p.Hours, wrong = p.Hours.Normalise()
	for _, w := range wrong {
		f.add("working_hours."+w.Location, w.Code, "%s", w.Message)
	}
	if p.ValidityDays < 0 || p.ValidityDays > maxValidity {
		f.add("validity_days", "out_of_range", "must be 0 to %d", maxValidity)
	}
	p.Issuer = f.words("issuer", p.Issuer, maxRecipient, true)
	if p.Language != English && p.Language != Chinese {
		f.add("language", "language_unknown", "must be en or zh")
	}
	return p, f
}

func (f *faults) limits(at string, l Limits) {
	f.rate(at+"discount_up_to", l.Discount)
	for _, currency := range sortedKeys(l.Amounts) {
		if _, ok := money.Digits(currency); !ok {
			f.add(at+"amounts_up_to", "currency_unknown", "must be by ISO 4217 currency codes, such as CNY")
		}
		f.amount(at+"amounts_up_to", l.Amounts[currency])
	}
}

func sortedKeys(m map[string]int64) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func (f *faults) level(at string, l *Level) {
	if !codePattern.MatchString(l.Code) {
		f.add(at+"code", "code_malformed", "must be a code of at most 64 small letters, digits and _ . -")
	}
	if l.Name = f.words(at+"name", l.Name, maxName, false); l.Name == "" {
		f.add(at+"name", "required", "must be what people call the level")
	}
	f.limits(at, l.Limits)
	if len(l.Approvers) > maxApprovers {
		f.add(at+"approvers", "out_of_range", "must be at most %d", maxApprovers)
	}
	for _, s := range l.Approvers {
		if s == "" || strings.TrimSpace(s) != s || utf8.RuneCountInString(s) > maxSubject {
			f.add(at+"approvers", "subject_malformed", "must be subjects of 1 to %d characters", maxSubject)
			break
		}
	}
	l.Approvers = slices.Compact(slices.Sorted(slices.Values(l.Approvers)))
	if l.Within < leastTime || l.Within > mostTime {
		f.add(at+"answer_seconds", "out_of_range", "must be 1 second to 90 days")
	}
}

// needs gives the place of the level with whose approval a quote may be sent; -1 where the seller needs nobody. ok is false where
// no level may approve so much.
func (p Policy) needs(currency string, t Totals) (last int, ok bool) {
	if p.Own.Cover(currency, t) {
		return -1, true
	}
	for i, l := range p.Levels {
		if l.Limits.Cover(currency, t) {
			return i, true
		}
	}
	return 0, false
}

// due gives until when a level that is asked now has time. Time zones that the machine no longer knows count as always open.
func (p Policy) due(l Level, now time.Time) time.Time {
	if zone, ok := businesstime.Zone(p.TimeZone); ok && l.Working {
		return p.Hours.Calendar(zone).Add(now, l.Within).UTC()
	}
	return now.Add(l.Within)
}
