// Package calendar keeps a tenant's business calendars: their versions, the default one, and what was changed by which
// deadlines have to be reckoned anew. How they reckon is businesstime's.
package calendar

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/businesstime"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Calendar is a business calendar of a tenant, ready to reckon with. The zero Calendar is always open.
type Calendar struct {
	ID      uuid.UUID // Nil for Always
	Version int64     // from 1, one more with every change; 0 for Always
	businesstime.Calendar
}

// Always is the calendar that is open around the clock, for tenants who have none.
func Always() Calendar { return Calendar{} }

// Draft is what a calendar is made from.
type Draft struct {
	Name  string // of the tenant's own, 1 to 200 characters
	Zone  string // IANA, such as Asia/Shanghai
	Hours businesstime.Hours
}

const maxName = 200 // characters

// normalise brings a draft to its canonical form - intervals and dates in order - and names every field that is not right.
func (d Draft) normalise() (Draft, []problem.Field) {
	hours, all := d.Hours.Normalise()
	f := faults(all)
	d.Name, d.Hours = norm.NFC.String(strings.TrimSpace(d.Name)), hours
	if n := utf8.RuneCountInString(d.Name); n == 0 || n > maxName || strings.ContainsFunc(d.Name, unicode.IsControl) {
		f.add("name", "name_malformed", "must be 1 to 200 characters, none of them a control character")
	}
	if _, ok := businesstime.Zone(d.Zone); !ok {
		f.add("time_zone", "time_zone_unknown", "must be an IANA time zone, such as Asia/Shanghai")
	}
	slices.SortFunc(f, func(a, b problem.Field) int { return strings.Compare(a.Location, b.Location) })
	return d, f
}

// Calendar gives the calendar that a draft describes, without id and version, or names every field that is not right.
func (d Draft) Calendar() (Calendar, []problem.Field) {
	made, faults := d.normalise()
	if len(faults) > 0 {
		return Calendar{}, faults
	}
	zone, _ := businesstime.Zone(made.Zone)
	return Calendar{Calendar: made.Hours.Calendar(zone)}, nil
}

// faults collects what is not right.
type faults []problem.Field

func (f *faults) add(location, code, message string) {
	*f = append(*f, problem.Field{Location: location, Code: code, Message: message})
}
