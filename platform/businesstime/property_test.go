package businesstime

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// slow is the meaning of a calendar, written down without any thought of speed: it looks at every single step of time. It
// shares nothing with what it judges but the hours.
type slow struct {
	zone  *time.Location
	hours Hours
}

// opens tells whether the instant is business time.
func (s slow) opens(at time.Time) bool {
	local := at.In(s.zone)
	var hours []Interval
	switch local.Weekday() {
	case time.Monday:
		hours = s.hours.Week.Monday
	case time.Tuesday:
		hours = s.hours.Week.Tuesday
	case time.Wednesday:
		hours = s.hours.Week.Wednesday
	case time.Thursday:
		hours = s.hours.Week.Thursday
	case time.Friday:
		hours = s.hours.Week.Friday
	case time.Saturday:
		hours = s.hours.Week.Saturday
	case time.Sunday:
		hours = s.hours.Week.Sunday
	}
	today := local.Format(time.DateOnly)
	for _, y := range s.hours.Years {
		for _, h := range y.Holidays {
			if h.Date.String() == today {
				hours = nil
			}
		}
	}
	for _, y := range s.hours.Years {
		for _, o := range y.Openings {
			if o.Date.String() == today {
				hours = o.Hours
			}
		}
	}
	clock := Clock(local.Hour()*60 + local.Minute())
	for _, h := range hours {
		if h.From <= clock && clock < h.To {
			return true
		}
	}
	return false
}

func (s slow) counts(at time.Time, pauses []Range) bool {
	for _, p := range pauses {
		if !at.Before(p.From) && (p.To.IsZero() || at.Before(p.To)) {
			return false
		}
	}
	return s.opens(at)
}

func (s slow) between(from, to time.Time, step time.Duration, pauses []Range) (sum time.Duration) {
	for at := from; at.Before(to); at = at.Add(step) {
		if s.counts(at, pauses) {
			sum += step
		}
	}
	return sum
}

// add walks until d is used up, at most as far as limit.
func (s slow) add(from time.Time, d, step time.Duration, limit time.Time, pauses []Range) (time.Time, bool) {
	at := from
	for d > 0 {
		if !at.Before(limit) {
			return at, false
		}
		if s.counts(at, pauses) {
			d -= step
		}
		at = at.Add(step)
	}
	return at, true
}

// addDays walks through the minutes until the n-th date after the first has had its last business time.
func (s slow) addDays(from time.Time, n int, limit time.Time) (end time.Time, found bool) {
	today := from.In(s.zone).Format(time.DateOnly)
	last, days := today, 0
	for at := from.Truncate(time.Minute); at.Before(limit); at = at.Add(time.Minute) {
		date := at.In(s.zone).Format(time.DateOnly)
		if date == today || !s.opens(at) {
			continue
		}
		if date != last {
			if days == n {
				return end, true
			}
			last, days = date, days+1
		}
		end = at.Add(time.Minute)
	}
	return end, false
}

// strange are zones whose clocks do what a programmer does not think of, and the days around which they do it.
var strange = []struct{ zone, around string }{
	{"UTC", "2026-12-31"},
	{"Asia/Shanghai", "2026-02-17"},
	{"Asia/Shanghai", "1991-09-15"},                                  // the last summer time of China ends
	{"Europe/Berlin", "2026-03-29"}, {"Europe/Berlin", "2026-10-25"}, // forward, back
	{"Europe/Dublin", "2026-03-29"}, {"Europe/Dublin", "2026-10-25"}, // winter time is the exception
	{"America/New_York", "2026-03-08"}, {"America/New_York", "2026-11-01"},
	{"America/St_Johns", "2011-11-06"},                                           // at a minute past midnight, half an hour off
	{"Australia/Lord_Howe", "2026-04-05"}, {"Australia/Lord_Howe", "2026-10-04"}, // by half an hour
	{"Pacific/Chatham", "2026-04-05"},                                        // at a quarter to
	{"Pacific/Apia", "2011-12-30"},                                           // a date that never was
	{"Pacific/Kwajalein", "1993-08-21"},                                      // another
	{"America/Sao_Paulo", "2018-11-04"}, {"America/Sao_Paulo", "2018-02-18"}, // at midnight: a day begins at one; 23 o'clock comes twice
	{"America/Havana", "2026-03-08"}, {"America/Havana", "2026-11-01"}, // at midnight; back to it
	{"America/Asuncion", "2023-10-01"}, {"Asia/Beirut", "2026-03-29"}, {"Africa/Cairo", "2026-10-30"},
	{"Africa/Casablanca", "2026-02-15"}, {"Africa/Casablanca", "2026-03-22"}, // Ramadan
	{"Antarctica/Troll", "2026-03-29"}, {"Antarctica/Troll", "2026-10-25"}, // by two hours
	{"Asia/Kathmandu", "1986-01-01"}, // for good, by a quarter of an hour
	{"Asia/Pyongyang", "2018-05-05"}, {"America/Caracas", "2016-05-01"}, {"Europe/Istanbul", "2016-09-08"},
	{"America/Nuuk", "2023-03-26"}, {"Asia/Tehran", "2022-09-22"}, {"Europe/Volgograd", "2020-12-27"},
}

// anyHours makes hours that Check takes: also dense ones, and such as begin or end where clocks change.
func anyHours(r *rand.Rand, around time.Time) Hours {
	intervals := func() (hours []Interval) {
		at := Clock(r.IntN(8) * 30)
		for range r.IntN(4) {
			long := Clock(1 + r.IntN(6*60))
			if r.IntN(2) == 0 {
				long = Clock(30 * (1 + r.IntN(10)))
			}
			if at+long > endOfDay {
				break
			}
			hours = append(hours, Interval{at, at + long})
			at += long + Clock(r.IntN(3)*r.IntN(200))
		}
		if r.IntN(8) == 0 {
			return allDay
		}
		return hours
	}
	var h Hours
	for _, day := range []*[]Interval{&h.Week.Monday, &h.Week.Tuesday, &h.Week.Wednesday, &h.Week.Thursday, &h.Week.Friday, &h.Week.Saturday, &h.Week.Sunday} {
		*day = intervals()
	}
	if len(h.Week.Tuesday) == 0 {
		h.Week.Tuesday = []Interval{{120, 185}}
	}
	years := map[int]*Year{}
	for range r.IntN(6) {
		date := Date{around.AddDate(0, 0, r.IntN(9)-4)}
		y := years[date.Year()]
		if y == nil {
			y = &Year{Year: date.Year()}
			years[date.Year()] = y
		}
		if hours := intervals(); len(hours) > 0 && r.IntN(2) == 0 {
			y.Openings = append(y.Openings, Opening{Date: date, Hours: hours})
		} else {
			y.Holidays = append(y.Holidays, Holiday{Date: date})
		}
	}
	for _, y := range years {
		h.Years = append(h.Years, *y)
	}
	return h
}

// settle keeps one opening a date: which of two would hold is nobody's business, as Check refuses them.
func settle(h Hours) Hours {
	for i, y := range h.Years {
		seen := map[string]bool{}
		var openings []Opening
		for _, o := range y.Openings {
			if !seen[o.Date.String()] {
				openings = append(openings, o)
			}
			seen[o.Date.String()] = true
		}
		h.Years[i].Openings = openings
	}
	return h
}

func TestItReckonsAsWhoeverLooksAtEveryMinute(t *testing.T) {
	t.Parallel()
	const rounds = 40
	for n, s := range strange {
		t.Run(fmt.Sprintf("%s %s", s.zone, s.around), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(2026, uint64(n))) // a test that fails has to fail again
			zone, ok := Zone(s.zone)
			date, dated := ParseDate(s.around)
			if !ok || !dated {
				t.Fatal("there is no such zone or date")
			}
			for range rounds {
				hours := settle(anyHours(r, date.Time))
				c, judge := hours.Calendar(zone), slow{zone, hours}
				minute := func() time.Time { return date.Add(time.Duration(r.IntN(8*24*60)-4*24*60) * time.Minute) }
				var pauses []Range
				for range r.IntN(4) {
					from := minute()
					pauses = append(pauses, Range{from, from.Add(time.Duration(r.IntN(1500)) * time.Minute)})
				}
				from, to := minute(), minute()
				if got, want := c.Between(from, to, pauses...), judge.between(from, to, time.Minute, pauses); got != want {
					t.Fatalf("from %v to %v with %v of %+v: %v instead of %v", from, to, pauses, hours, got, want)
				}
				if got, want := c.Opens(from), judge.opens(from); got != want {
					t.Fatalf("at %v of %+v: open is %v", from, hours, got)
				}
				d := time.Duration(1+r.IntN(3000)) * time.Minute
				want, _ := judge.add(from, d, time.Minute, from.AddDate(0, 3, 0), pauses)
				if got := c.Add(from, d, pauses...); !got.Equal(want) {
					t.Fatalf("%v after %v with %v of %+v: %v instead of %v", d, from, pauses, hours, got, want)
				}
				days := 1 + r.IntN(4)
				want, _ = judge.addDays(from, days, from.AddDate(0, 2, 0))
				if got := c.AddDays(from, days); !got.Equal(want) {
					t.Fatalf("%d days after %v of %+v: %v instead of %v", days, from, hours, got, want)
				}
			}
		})
	}
}

// Before the zones of today the clocks were off by odd seconds, so that minutes are too coarse.
func TestItReckonsAsWhoeverLooksAtEverySecond(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1972, 1)) // a test that fails has to fail again
	for _, s := range []struct{ zone, around string }{
		{"Africa/Monrovia", "1972-01-07"}, {"Europe/Amsterdam", "1937-07-01"}, {"Asia/Shanghai", "1901-01-01"}, {"Europe/Berlin", "2026-10-25"},
	} {
		zone, _ := Zone(s.zone)
		date, _ := ParseDate(s.around)
		for range 6 {
			hours := settle(anyHours(r, date.Time))
			c, judge := hours.Calendar(zone), slow{zone, hours}
			from := date.Add(time.Duration(r.IntN(100_000)-70_000) * time.Second)
			to := from.Add(time.Duration(r.IntN(100_000)) * time.Second)
			if got, want := c.Between(from, to), judge.between(from, to, time.Second, nil); got != want {
				t.Fatalf("%s: from %v to %v of %+v: %v instead of %v", s.zone, from, to, hours, got, want)
			}
			d := time.Duration(1+r.IntN(20_000)) * time.Second
			want, found := judge.add(from, d, time.Second, from.AddDate(0, 0, 8), nil)
			if got := c.Add(from, d); found && !got.Equal(want) {
				t.Fatalf("%s: %v after %v of %+v: %v instead of %v", s.zone, d, from, hours, got, want)
			}
		}
	}
}

// What holds of any calendar, over years and to the nanosecond.
func TestWhatIsAddedIsBetween(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(7, 7)) // a test that fails has to fail again
	for range 3000 {
		s := strange[r.IntN(len(strange))]
		zone, _ := Zone(s.zone)
		date, _ := ParseDate(s.around)
		hours := settle(anyHours(r, date.Time))
		c := hours.Calendar(zone)
		instant := func() time.Time {
			return date.Add(time.Duration(r.Int64N(int64(6*365*24*time.Hour)))).AddDate(-3, 0, 0)
		}
		pauses := make([]Range, r.IntN(4))
		for i := range pauses {
			from := instant()
			pauses[i] = Range{from, from.Add(time.Duration(r.Int64N(int64(90 * 24 * time.Hour))))}
		}
		from, d := instant(), time.Duration(1+r.Int64N(int64(1000*time.Hour)))
		due := c.Add(from, d, pauses...)
		if got := c.Between(from, due, pauses...); got != d {
			t.Fatalf("%v after %v with %v of %+v in %s is %v, but to there it is %v", d, from, pauses, hours, s.zone, due, got)
		}
		if got := c.Between(from, due.Add(-1), pauses...); got != d-1 {
			t.Fatalf("%v after %v with %v of %+v in %s is %v, but a nanosecond before it was %v", d, from, pauses, hours, s.zone, due, got)
		}
		middle := from.Add(time.Duration(r.Int64N(int64(due.Sub(from)))))
		if got := c.Between(from, middle, pauses...) + c.Between(middle, due, pauses...); got != d {
			t.Fatalf("from %v over %v to %v with %v of %+v in %s: the parts are %v, the whole is %v", from, middle, due, pauses, hours, s.zone, got, d)
		}
		var sum time.Duration
		last := from.Add(-1)
		for one := range c.Ranges(from, due, pauses...) {
			if !last.Before(one.From) || !one.From.Before(one.To) {
				t.Fatalf("a range from %v to %v after one that ends at %v", one.From, one.To, last)
			}
			last = one.To
			sum += one.To.Sub(one.From)
		}
		if sum != d || !last.Equal(due) {
			t.Fatalf("the ranges are %v in all and end at %v instead of %v", sum, last, due)
		}
	}
}
