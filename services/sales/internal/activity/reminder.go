package activity

import (
	"time"

	"github.com/guanxi-crm/guanxi/platform/businesstime"
)

// Unit is what the time before an activity is counted in.
type Unit string

// The units, all of working time.
const (
	Minutes Unit = "minutes"
	Hours   Unit = "hours"
	Days    Unit = "days" // days on which the owner works
)

// Before says how long before an activity is due somebody is to be reminded.
type Before struct {
	Amount int  `json:"amount"`
	Unit   Unit `json:"unit"`
}

func (b Before) sound() bool {
	switch b.Unit {
	case Minutes:
		return b.Amount >= 1 && b.Amount <= 1440
	case Hours:
		return b.Amount >= 1 && b.Amount <= 200
	case Days:
		return b.Amount >= 0 && b.Amount <= 60
	}
	return false
}

// Alarm is a reminder of an activity as it is kept.
type Alarm struct {
	No int // from 1, in the activity
	Before
	At      time.Time // when it is to be given
	GivenAt time.Time // zero: not yet
	GivenTo string    // subject
	SeenAt  time.Time // when they said that they had seen it
}

// Working is when somebody works.
type Working struct {
	Calendar businesstime.Calendar
	Zone     *time.Location       // in which their days begin; nil: that of what is due
	Away     []businesstime.Range // absences
}

// next gives the earliest instant from at on, but before end, at which somebody works; end where there is none.
func (w Working) next(at, end time.Time) time.Time {
	for r := range w.Calendar.Ranges(at, end, w.Away...) {
		return r.From.UTC()
	}
	return end
}

// lookBack is how far back working time before something is looked for.
const lookBack = 400

// morning is when somebody is reminded of what is due some time that day.
const morning = 9 * time.Hour

// Alarm gives when somebody is to be reminded of what is due, in their working time, but not in the past: then it is as soon as they
// work, and at once where that is not before it is due.
//
// Minutes and hours are working time before it is due. Days are days on which they work: so many before the day on which it is due, at
// the same time of the day (9:00 where it has none); where they do not work then, at the next time on that day at which they do, or else
// at the last.
func (b Before) Alarm(due Due, w Working, now time.Time) time.Time {
	end := due.At()
	at := end
	switch b.Unit {
	case Minutes:
		at = w.back(end, time.Duration(b.Amount)*time.Minute)
	case Hours:
		at = w.back(end, time.Duration(b.Amount)*time.Hour)
	case Days:
		at = w.daysBefore(due, b.Amount)
	}
	if at.After(now) {
		return at.UTC().Truncate(time.Microsecond)
	}
	if at = w.next(now, end); !at.Before(end) {
		return now
	}
	return at
}

// back gives the latest instant from which on so much working time is left until end; where there is not so much within 400 days, it
// is plain time.
func (w Working) back(end time.Time, d time.Duration) time.Time {
	for _, days := range []int{7, 30, 100, lookBack} {
		from := end.AddDate(0, 0, -days)
		if total := w.Calendar.Between(from, end, w.Away...); total >= d {
			return w.next(w.Calendar.Add(from, total-d, w.Away...), end)
		}
	}
	return end.Add(-d)
}

// daysBefore gives the time on the n-th working day before the day on which it is due; 0 is that day, or the last one before on which
// there is work.
func (w Working) daysBefore(due Due, n int) time.Time {
	zone := w.Zone
	if zone == nil {
		zone, _ = businesstime.Zone(due.Zone)
	}
	year, month, day := due.On.Date()
	clock := morning
	if due.Time != "" {
		at := due.At().In(zone)
		year, month, day = at.Date()
		clock = time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute
	}
	for back := range lookBack {
		from, to := time.Date(year, month, day-back, 0, 0, 0, 0, zone), time.Date(year, month, day-back+1, 0, 0, 0, 0, zone)
		switch works := w.next(from, to).Before(to); {
		case back == 0 && n == 0 && !works:
			n = 1
		case back == 0 && n > 0, !works:
		case n <= 1:
			return w.on(from, to, clock)
		default:
			n--
		}
	}
	return time.Date(year, month, day-n, 0, 0, 0, 0, zone).Add(clock)
}

// on gives the time of a day on which there is work: the clock's, or the next at which there is work, or the last.
func (w Working) on(from, to time.Time, clock time.Duration) time.Time {
	at := time.Date(from.Year(), from.Month(), from.Day(), 0, 0, int(clock/time.Second), 0, from.Location())
	if next := w.next(at, to); next.Before(to) {
		return next
	}
	var last time.Time
	for r := range w.Calendar.Ranges(from, to, w.Away...) {
		last = r.To.Add(-time.Minute)
	}
	return last.UTC()
}
