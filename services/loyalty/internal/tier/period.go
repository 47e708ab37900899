package tier

import (
	"time"

	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// Day is a day of the programme's zone, counted from 1970-01-01. Periods are reckoned in days: hours that a clock leaves out or
// strikes twice make no difference to them.
type Day int

// dayOf gives the day on which t is in the zone.
func dayOf(t time.Time, zone *time.Location) Day {
	y, m, d := t.In(zone).Date()
	return date(y, m, d)
}

// date gives the day of a date; months and days that are too many run over as those of time.Date do.
func date(y int, m time.Month, d int) Day {
	return Day(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

func (d Day) date() (y int, m time.Month, day int) { return time.Unix(int64(d)*86400, 0).UTC().Date() }

// start gives the moment at which the day begins in the zone. Where a clock leaves midnight out it is the first moment that it
// shows of the day.
func (d Day) start(zone *time.Location) time.Time {
	y, m, day := d.date()
	t := time.Date(y, m, day, 0, 0, 0, 0, zone)
	for dayOf(t, zone) < d {
		t = t.Add(time.Hour)
	}
	return t.UTC()
}

// plus gives the day so many months later, or earlier: the last one of its month where that is too short.
func (d Day) plus(months int) Day {
	y, m, day := d.date()
	first := time.Date(y, m+time.Month(months), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return date(first.Year(), first.Month(), min(day, last))
}

// span are the days from one to before another.
type span struct{ from, to Day }

// periodOf gives the period that a day is in. A rolling one is that which ends with the day.
func (c *file) periodOf(d Day) span {
	switch c.terms.PeriodKind() {
	case programme.PeriodRolling:
		return span{(d + 1).plus(-c.terms.Months), d + 1}
	case programme.PeriodMembershipYear:
		y, m, day := d.date()
		_, em, ed := c.enrolled.date()
		if m < em || m == em && day < c.anniversaryDay(y) {
			y--
		}
		return span{c.anniversary(y, em, ed), c.anniversary(y+1, em, ed)}
	default:
		y, _, _ := d.date()
		return span{date(y, time.January, 1), date(y+1, time.January, 1)}
	}
}

// anniversary gives that of a year. Who was enrolled on February 29 has it on February 28 of other years.
func (c *file) anniversary(y int, m time.Month, d int) Day { return date(y, m, 1).clamped(d) }

func (c *file) anniversaryDay(y int) int {
	_, m, d := c.enrolled.date()
	_, _, day := c.anniversary(y, m, d).date()
	return day
}

// clamped gives the n-th day of the month that begins with d, or its last.
func (d Day) clamped(n int) Day { return min(d+Day(n)-1, d.plus(1)-1) }

// before gives the period that ends with the beginning of another; of a rolling one, that which ends where a day begins.
func (c *file) before(start Day) span { return c.periodOf(start - 1) }
