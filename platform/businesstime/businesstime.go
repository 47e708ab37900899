// Package businesstime reckons in business time: pure arithmetic over a time zone, weekly hours, holidays and exceptional
// openings. Whoever keeps such hours, be they a shop's or a person's, keeps them as Hours and the name of a zone.
//
// An instant is business time when the wall clock of the zone reads a time within the hours of the date that it reads.
// So hours that do not exist on a day on which the clock changes are not worked, hours that come twice count twice, and
// hours that begin in the gap begin at its end.
package businesstime

import (
	"iter"
	"slices"
	"sort"
	"time"
)

// Calendar is a business calendar, ready to reckon with. The zero Calendar is always open.
type Calendar struct{ hours *timetable }

// Range is the time from From up to, but not including, To. As a pause, one with a zero To has not ended.
type Range struct{ From, To time.Time }

// Never is what Add and AddDays give where the time is not used up within the next hundred years.
var Never = time.Date(9999, time.December, 31, 0, 0, 0, 0, time.UTC)

const (
	horizon = 100                       // years that Add looks ahead
	stride  = 25 * 365 * 24 * time.Hour // what is reckoned in one piece: as nanoseconds it fits into 64 bits
)

// Always is the calendar that is open around the clock, for who has none.
func Always() Calendar { return Calendar{} }

// Zone is the time zone of the calendar; UTC for Always.
func (c Calendar) Zone() *time.Location { return c.timetable().zone }

func (c Calendar) timetable() *timetable {
	if c.hours == nil {
		return always
	}
	return c.hours
}

// Add gives the earliest instant at which d of business time after from is used up; it may be a closing time. Pauses are as
// breaks of the calendar: in any order, they may overlap. A d of 0 or less gives from. It is Never where that lies more
// than a hundred years ahead, or a pause that has not ended stands before it.
func (c Calendar) Add(from time.Time, d time.Duration, pauses ...Range) time.Time {
	if d <= 0 {
		return from
	}
	t := c.timetable()
	left := d
	for free := range between(from, from.AddDate(horizon, 0, 0), pauses) {
		for s := range t.stretches(free) {
			worked := s.worked()
			if worked >= left {
				return s.after(left).In(from.Location())
			}
			left -= worked
		}
	}
	return Never
}

// Between gives the business time from from up to to, pauses left out; 0 where to is not after from. More than 292 years
// are given as 292 years.
func (c Calendar) Between(from, to time.Time, pauses ...Range) time.Duration {
	const most = time.Duration(1<<63 - 1)
	t := c.timetable()
	var sum time.Duration
	for free := range between(from, to, pauses) {
		for s := range t.stretches(free) {
			worked := s.worked()
			if worked > most-sum {
				return most
			}
			sum += worked
		}
	}
	return sum
}

// AddDays gives the end of business of the n-th working day after the local date of from: the day on which a time limit
// begins does not count. A working day is a date on which the calendar opens at all. An n of 0 or less gives from. It is
// Never where that lies more than a hundred years ahead.
func (c Calendar) AddDays(from time.Time, n int) time.Time {
	if n <= 0 {
		return from
	}
	t := c.timetable()
	first := t.reading(from).date + 1
	for d := first; d < first+horizon*366; d++ {
		closes, opens := t.closing(d)
		if !opens {
			continue
		}
		if n--; n == 0 {
			return closes.In(from.Location())
		}
	}
	return Never
}

// Ranges gives the business time from from up to to, pauses left out, range by range, in the calendar's zone: none of them
// empty, none touching the next.
func (c Calendar) Ranges(from, to time.Time, pauses ...Range) iter.Seq[Range] {
	t := c.timetable()
	return func(yield func(Range) bool) {
		var last Range
		for free := range between(from, to, pauses) {
			for s := range t.stretches(free) {
				for r := range s.ranges() {
					switch {
					case last.To.Equal(r.From) && !last.To.IsZero():
						last.To = r.To
						continue
					case !last.To.IsZero() && !yield(last):
						return
					}
					last = r
				}
			}
		}
		if !last.To.IsZero() {
			yield(last)
		}
	}
}

// Opens tells whether the instant is business time.
func (c Calendar) Opens(at time.Time) bool {
	t := c.timetable()
	now := t.reading(at)
	for _, h := range t.on(now.date).hours {
		if h.From.duration() <= now.at && now.at < h.To.duration() {
			return true
		}
	}
	return false
}

// Next gives the earliest instant from at on that is business time: at itself where that is, and Never where none comes
// within the next hundred years.
func (c Calendar) Next(at time.Time) time.Time {
	if c.Opens(at) {
		return at
	}
	for r := range c.Ranges(at, at.AddDate(horizon, 0, 0)) {
		return r.From
	}
	return Never
}

// between gives what the pauses leave of the time from from up to to, in order.
func between(from, to time.Time, pauses []Range) iter.Seq[Range] {
	return func(yield func(Range) bool) {
		at := from
		if len(pauses) > 1 {
			pauses = slices.Clone(pauses)
			slices.SortFunc(pauses, func(a, b Range) int { return a.From.Compare(b.From) })
		}
		for _, p := range pauses {
			if !p.From.Before(to) {
				break
			}
			if !p.To.IsZero() && !p.From.Before(p.To) {
				continue
			}
			if p.From.After(at) && !yield(Range{at, p.From}) {
				return
			}
			if p.To.IsZero() {
				return
			}
			if p.To.After(at) {
				at = p.To
			}
		}
		if at.Before(to) {
			yield(Range{at, to})
		}
	}
}

// timetable is what a calendar's hours are, laid out so that years are reckoned without walking through them. A date is
// its number of days after 1970-01-01.
type timetable struct {
	zone    *time.Location
	week    [7]day   // by the remainder of the date: Thursday first, as 1970-01-01 was one
	sums    [8]int64 // seconds of the week's days before this one; the last is the whole week
	special []special
	more    []int64 // seconds that the special dates before this one have more than others of their weekday; the last: all
}

// day is when it is open on a date.
type day struct {
	hours   []Interval // in order, without overlaps
	seconds int64      // in all
}

// special is a date that is not as others of its weekday.
type special struct {
	date int64
	day  day
}

const daySeconds = 24 * 60 * 60

var always = newTimetable(time.UTC, [7][]Interval{allDay, allDay, allDay, allDay, allDay, allDay, allDay}, nil)

var allDay = []Interval{{0, endOfDay}}

// newTimetable lays out hours that were checked. The week begins with Sunday, as time.Weekday does.
func newTimetable(zone *time.Location, week [7][]Interval, exceptions map[int64][]Interval) *timetable {
	t := &timetable{zone: zone}
	for i := range t.week {
		t.week[i] = newDay(week[(i+int(time.Thursday))%7])
		t.sums[i+1] = t.sums[i] + t.week[i].seconds
	}
	for date, hours := range exceptions {
		t.special = append(t.special, special{date: date, day: newDay(hours)})
	}
	slices.SortFunc(t.special, func(a, b special) int { return int(a.date - b.date) })
	t.more = make([]int64, len(t.special)+1)
	for i, s := range t.special {
		t.more[i+1] = t.more[i] + s.day.seconds - t.week[remainder(s.date, 7)].seconds
	}
	return t
}

func newDay(hours []Interval) day {
	d := day{hours: hours}
	for _, h := range hours {
		d.seconds += int64(h.To-h.From) * 60
	}
	return d
}

// on gives the hours of a date.
func (t *timetable) on(date int64) day {
	if i, found := t.find(date); found {
		return t.special[i].day
	}
	return t.week[remainder(date, 7)]
}

func (t *timetable) find(date int64) (int, bool) {
	return sort.Find(len(t.special), func(i int) int { return int(date - t.special[i].date) })
}

// before gives the seconds of business from 1970-01-01 up to the date, as if the clock never changed; for earlier dates less
// than 0.
func (t *timetable) before(date int64) int64 {
	rest := remainder(date, 7)
	i, _ := t.find(date)
	return (date-rest)/7*t.sums[7] + t.sums[rest] + t.more[i]
}

// reading is what the wall clock shows.
type reading struct {
	date int64
	at   time.Duration // of the day; below 24 hours
}

func (t *timetable) reading(at time.Time) reading {
	_, offset := at.In(t.zone).Zone()
	return read(at, int64(offset))
}

func read(at time.Time, offset int64) reading {
	local := at.Unix() + offset
	rest := remainder(local, daySeconds)
	return reading{(local - rest) / daySeconds, time.Duration(rest)*time.Second + time.Duration(at.Nanosecond())}
}

// closing gives the end of the last business time of a date, if it has any.
func (t *timetable) closing(date int64) (at time.Time, opens bool) {
	if t.on(date).seconds == 0 {
		return time.Time{}, false
	}
	const furthest = 26 * time.Hour // no zone is further from UTC
	midnight := time.Unix(date*daySeconds, 0)
	for s := range t.stretches(Range{midnight.Add(-furthest), midnight.Add(24*time.Hour + furthest)}) {
		for r := range s.rangesOf(date) {
			at, opens = r.To, true
		}
	}
	return at, opens
}

// stretch is a time throughout which the clock does not change.
type stretch struct {
	t        *timetable
	from, to time.Time
	offset   int64 // seconds east of UTC
}

// stretches cuts a range where the zone's clock changes.
func (t *timetable) stretches(r Range) iter.Seq[stretch] {
	return func(yield func(stretch) bool) {
		// A monotonic reading would make differences of what the wall clock shows disagree with it.
		for at, to := r.From.Round(0).In(t.zone), r.To.Round(0); at.Before(to); {
			_, offset := at.Zone()
			_, end := at.ZoneBounds()
			if far := at.Add(stride); end.IsZero() || end.After(far) {
				end = far
			}
			if !end.After(at) {
				// Where a zone goes on by a rule, time ends its last stretch of a year after 365 days, in leap years too.
				end = time.Date(at.UTC().Year()+1, time.January, 1, 0, 0, 0, 0, time.UTC)
			}
			if end.After(to) {
				end = to
			}
			end = end.In(t.zone)
			if !yield(stretch{t, at, end, int64(offset)}) {
				return
			}
			at = end
		}
	}
}

// worked gives the business time of the stretch.
func (s stretch) worked() time.Duration {
	from, to := read(s.from, s.offset), read(s.to, s.offset)
	whole := s.t.before(to.date) - s.t.before(from.date)
	return time.Duration(whole)*time.Second + s.t.on(to.date).until(to.at) - s.t.on(from.date).until(from.at)
}

// after gives the earliest instant at which d of the stretch's business time is used up; d is more than 0 and not more than
// there is.
func (s stretch) after(d time.Duration) time.Time {
	from, to := read(s.from, s.offset), read(s.to, s.offset)
	need := d + s.t.on(from.date).until(from.at)
	start := s.t.before(from.date)
	since := func(date int64) time.Duration { return time.Duration(s.t.before(date)-start) * time.Second }
	n := sort.Search(int(to.date-from.date), func(i int) bool { return since(from.date+int64(i)+1) >= need })
	date := from.date + int64(n)
	return s.instant(reading{date, s.t.on(date).after(need - since(date))})
}

func (s stretch) instant(r reading) time.Time {
	return time.Unix(r.date*daySeconds-s.offset, 0).In(s.t.zone).Add(r.at)
}

// ranges gives the business time of the stretch, interval by interval.
func (s stretch) ranges() iter.Seq[Range] {
	return func(yield func(Range) bool) {
		for date := read(s.from, s.offset).date; date <= read(s.to, s.offset).date; date++ {
			for r := range s.rangesOf(date) {
				if !yield(r) {
					return
				}
			}
		}
	}
}

func (s stretch) rangesOf(date int64) iter.Seq[Range] {
	return func(yield func(Range) bool) {
		for _, h := range s.t.on(date).hours {
			r := Range{s.instant(reading{date, h.From.duration()}), s.instant(reading{date, h.To.duration()})}
			if r.From.Before(s.from) {
				r.From = s.from
			}
			if r.To.After(s.to) {
				r.To = s.to
			}
			if r.From.Before(r.To) && !yield(r) {
				return
			}
		}
	}
}

// until gives the business time of the day before at.
func (d day) until(at time.Duration) time.Duration {
	var sum time.Duration
	for _, h := range d.hours {
		sum += max(0, min(at, h.To.duration())-h.From.duration())
	}
	return sum
}

// after gives the earliest time of day at which w of the day's business time is used up; w is more than 0 and not more than
// there is.
func (d day) after(w time.Duration) time.Duration {
	for _, h := range d.hours {
		long := h.To.duration() - h.From.duration()
		if w <= long {
			return h.From.duration() + w
		}
		w -= long
	}
	return endOfDay.duration()
}

// remainder is what is left of n by division; never less than 0.
func remainder(n, by int64) int64 {
	return (n%by + by) % by
}
