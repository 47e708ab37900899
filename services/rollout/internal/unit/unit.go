// Package unit keeps the units of the organisation: regions, branches, departments. A unit's code is a path, such as
// "north/branch-3/service", and a unit takes in those below it. The unit in a token is such a code.
package unit

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Unit is a unit of the organisation.
type Unit struct {
	ID         uuid.UUID
	Code       string // never changes
	Name       string
	Headcount  int   // users expected in the unit itself, those of the units below it not counted
	Version    int64 // rises by one with every change
	ArchivedAt time.Time
}

const (
	maxCode      = 200
	maxName      = 200
	maxHeadcount = 1_000_000
	maxUnits     = 5_000 // of a tenant
)

var codeShape = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*(/[a-z0-9][a-z0-9-]*)*$`)

// CodeRule says what a code looks like, for whoever wrote another.
const CodeRule = "must be a path of at most 200 characters such as north/branch-3: lower-case letters, digits and -"

// Valid tells whether a code has the shape of a unit's.
func Valid(code string) bool { return len(code) <= maxCode && codeShape.MatchString(code) }

// Within tells whether a unit is another one or stands below it.
func Within(code, of string) bool {
	rest, found := strings.CutPrefix(code, of)
	return found && (rest == "" || rest[0] == '/')
}

// Overlap tells whether two units have a unit in common: one takes in the other.
func Overlap(a, b string) bool { return Within(a, b) || Within(b, a) }

// Covered tells whether a unit stands in or below one of others.
func Covered(code string, by []string) bool {
	for _, of := range by {
		if Within(code, of) {
			return true
		}
	}
	return false
}

// faults names every field of a unit that is not right.
func (u Unit) faults() (faults []problem.Field) {
	if !Valid(u.Code) {
		faults = append(faults, problem.Field{Location: "code", Code: "code_malformed", Message: CodeRule})
	}
	if n := utf8.RuneCountInString(u.Name); n < 1 || n > maxName {
		faults = append(faults, problem.Field{Location: "name", Code: "name_malformed", Message: "must have 1 to 200 characters"})
	}
	if u.Headcount < 0 || u.Headcount > maxHeadcount {
		faults = append(faults, problem.Field{Location: "headcount", Code: "out_of_range", Message: fmt.Sprintf("must be 0 to %d", maxHeadcount)})
	}
	return faults
}
