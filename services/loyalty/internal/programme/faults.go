package programme

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/guanxi-crm/guanxi/platform/money"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

const (
	maxReturnDays = 3650
	maxCategories = 200
	maxPrefixes   = 200
)

// fault notes what is wrong at a place of the terms.
type fault func(location, code, message string)

// codePattern is what codes look like that people give: of programmes, rules, tiers, plans.
var codePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// CodeRule says in words what a code may be.
const CodeRule = "must be a code of 1 to 64 lower-case letters, digits, - and _"

// Coded tells whether s can be a code.
func Coded(s string) bool { return codePattern.MatchString(s) }

// Faults names everything in the terms that is not right, by its place below terms.
func (t Terms) Faults() (faults []problem.Field) {
	note := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: "terms." + location, Code: code, Message: message})
	}
	if t.ReturnDays < 0 || t.ReturnDays > maxReturnDays {
		note("return_days", "out_of_range", fmt.Sprintf("must be 0 to %d", maxReturnDays))
	}
	t.categoryFaults(note)
	t.Worth.faults(note)
	t.Earning.faults(note)
	t.Expiry.faults(note)
	t.Growth.faults(note)
	t.Referral.faults(note)
	t.Tiers.faults(t, note)
	t.planFaults(note)
	t.Leaving.faults(note)
	return faults
}

func (t Terms) categoryFaults(note fault) {
	if len(t.Categories) > maxCategories {
		note("categories", "too_many", fmt.Sprintf("must be at most %d", maxCategories))
		return
	}
	seen := make(map[string]bool)
	for i, c := range t.Categories {
		at := fmt.Sprintf("categories[%d]", i)
		if !Coded(c.Code) {
			note(at+".code", "code_malformed", CodeRule)
		} else if seen[c.Code] {
			note(at+".code", "code_twice", "must be the only one of its code")
		}
		seen[c.Code] = true
		if len(c.Prefixes) == 0 || len(c.Prefixes) > maxPrefixes {
			note(at+".prefixes", "out_of_range", fmt.Sprintf("must be 1 to %d", maxPrefixes))
		}
		for n, p := range c.Prefixes {
			if p == "" || len(p) > 100 || strings.ContainsFunc(p, func(r rune) bool { return r < ' ' }) {
				note(fmt.Sprintf("%s.prefixes[%d]", at, n), "prefix_malformed", "must be 1 to 100 printable characters")
			}
		}
	}
}

func (w Worth) faults(note fault) {
	if w == (Worth{}) {
		return
	}
	if _, ok := money.Digits(w.Currency); !ok {
		note("worth.currency", "currency_unknown", "must be an ISO 4217 code, such as CNY")
	}
	if w.Points < 1 || w.Points > 1_000_000 {
		note("worth.points", "out_of_range", "must be 1 to 1000000")
	}
	if w.Minor < 0 || w.Minor > 1_000_000_000 {
		note("worth.minor", "out_of_range", "must be 0 to 1000000000")
	}
}
