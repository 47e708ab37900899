package programme

import (
	"fmt"
	"time"
)

// The kinds of Expiry; an empty one is ExpiryNever.
const (
	ExpiryNever      = "never"
	ExpiryMonths     = "months"
	ExpiryYearEnd    = "year_end"
	ExpiryInactivity = "inactivity"
)

const (
	maxExpiryMonths = 120
	lastYear        = 9999 // that RFC 3339 can write
)

// Expiry says when points run out that nobody spends. The zero Expiry: never.
type Expiry struct {
	Kind   string `json:"kind,omitempty" doc:"When points run out: some months after they could first be spent, at the end of a year, or some months after the member last earned or spent anything." enum:"never,months,year_end,inactivity"`
	Months int    `json:"months,omitempty" doc:"For months and inactivity: how many. For year_end: how many whole months they live at least, so 0 is the end of the year in which they could first be spent." example:"12"`
}

// At gives when points run out that can be spent from availableAt on: at the end of a day in the zone, in UTC, which is the
// instant from which they cannot be spent any more. It is zero where they never do, and for inactivity, which depends on what
// the member will do: see Inactive.
func (e Expiry) At(availableAt time.Time, zone *time.Location) time.Time {
	switch e.Kind {
	case ExpiryMonths:
		return afterDay(monthsLater(availableAt.In(zone), e.Months))
	case ExpiryYearEnd:
		year := monthsLater(availableAt.In(zone), e.Months).Year()
		return afterDay(time.Date(year, time.December, 31, 12, 0, 0, 0, zone))
	default:
		return time.Time{}
	}
}

// Inactive gives when everything runs out of a member who earned or spent last at activeAt: at the end of a day in the zone,
// in UTC. It is zero where inactivity does not matter.
func (e Expiry) Inactive(activeAt time.Time, zone *time.Location) time.Time {
	if e.Kind != ExpiryInactivity {
		return time.Time{}
	}
	return afterDay(monthsLater(activeAt.In(zone), e.Months))
}

// DayEnd gives the end of the day on which at falls in the zone, in UTC.
func DayEnd(at time.Time, zone *time.Location) time.Time { return afterDay(at.In(zone)) }

// monthsLater gives noon of the same day so many months later, or of that month's last day where it has no such day.
func monthsLater(at time.Time, months int) time.Time {
	year, month, day := at.Date()
	last := time.Date(year, month+time.Month(months)+1, 0, 12, 0, 0, 0, at.Location())
	return last.AddDate(0, 0, min(day, last.Day())-last.Day())
}

// afterDay gives the first instant after the day of at in its zone. That is not always midnight: in some zones the clock leaves
// it out in spring, or shows it twice in autumn; and one day of Samoa's was left out whole.
func afterDay(at time.Time) time.Time {
	year, month, day := at.Date()
	if year > lastYear-1 {
		return time.Time{} // nothing could write it; it is as good as never
	}
	midnight := time.Date(year, month, day+1, 0, 0, 0, 0, time.UTC)
	const furthest = 26 * time.Hour // no zone is further from UTC
	for from := midnight.Add(-furthest).In(at.Location()); ; {
		_, offset := from.Zone()
		_, to := from.ZoneBounds()
		if !to.IsZero() && !to.After(from) {
			// Where a zone goes on by a rule, time ends its last stretch of a year after 365 days, in leap years too.
			to = time.Date(from.UTC().Year()+1, time.January, 1, 0, 0, 0, 0, time.UTC)
		}
		shown := midnight.Add(-time.Duration(offset) * time.Second) // when a clock of this offset shows midnight
		if shown.Before(from) {
			shown = from
		}
		if to.IsZero() || shown.Before(to) {
			return shown.UTC()
		}
		from = to.In(at.Location())
	}
}

func (e Expiry) faults(note fault) {
	least := 0
	switch e.Kind {
	case "", ExpiryNever:
		if e.Months != 0 {
			note("expiry.months", "out_of_place", "must be left out where points never run out")
		}
		return
	case ExpiryMonths, ExpiryInactivity:
		least = 1
	case ExpiryYearEnd:
	default:
		note("expiry.kind", "kind_unknown", "must be never, months, year_end or inactivity")
		return
	}
	if e.Months < least || e.Months > maxExpiryMonths {
		note("expiry.months", "out_of_range", fmt.Sprintf("must be %d to %d", least, maxExpiryMonths))
	}
}
