package businesstime

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // an image has no zone files, and a calendar must mean the same everywhere
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Clock is what a wall clock shows, in minutes after midnight; 1440, written 24:00, is the end of the day.
type Clock int

const endOfDay Clock = 24 * 60

func (c Clock) duration() time.Duration { return time.Duration(c) * time.Minute }

var clockShape = regexp.MustCompile(`^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$`)

// ParseClock reads 00:00 to 24:00.
func ParseClock(s string) (Clock, bool) {
	if !clockShape.MatchString(s) {
		return 0, false
	}
	digit := func(i int) Clock { return Clock(s[i] - '0') }
	return (digit(0)*10+digit(1))*60 + digit(3)*10 + digit(4), true
}

// String writes what ParseClock reads.
func (c Clock) String() string { return fmt.Sprintf("%02d:%02d", int(c)/60, int(c)%60) }

// MarshalText writes the clock into JSON.
func (c Clock) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the clock from JSON.
func (c *Clock) UnmarshalText(text []byte) error {
	read, ok := ParseClock(string(text))
	if !ok {
		return fmt.Errorf("%q is not a time of the day", text)
	}
	*c = read
	return nil
}

// Interval is the time of the day from From up to, but not including, To.
type Interval struct {
	From Clock `json:"from"`
	To   Clock `json:"to"`
}

// Date is a calendar day, without a zone, as a midnight in UTC.
type Date struct{ time.Time }

// ParseDate reads a date such as 2026-02-17.
func ParseDate(s string) (Date, bool) {
	t, err := time.Parse(time.DateOnly, s)
	return Date{t}, err == nil
}

// String writes what ParseDate reads.
func (d Date) String() string { return d.Format(time.DateOnly) }

// MarshalText writes the date into JSON.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads the date from JSON.
func (d *Date) UnmarshalText(text []byte) error {
	read, ok := ParseDate(string(text))
	if !ok {
		return fmt.Errorf("%q is not a date", text)
	}
	*d = read
	return nil
}

func (d Date) number() int64 { return d.Unix() / daySeconds }

// Week is when it is open on each day of the week; nothing: closed.
type Week struct {
	Monday    []Interval `json:"monday,omitempty"`
	Tuesday   []Interval `json:"tuesday,omitempty"`
	Wednesday []Interval `json:"wednesday,omitempty"`
	Thursday  []Interval `json:"thursday,omitempty"`
	Friday    []Interval `json:"friday,omitempty"`
	Saturday  []Interval `json:"saturday,omitempty"`
	Sunday    []Interval `json:"sunday,omitempty"`
}

// days gives the week in the order of time.Weekday.
func (w Week) days() [7][]Interval {
	return [7][]Interval{w.Sunday, w.Monday, w.Tuesday, w.Wednesday, w.Thursday, w.Friday, w.Saturday}
}

// Holiday is a date on which it is closed, unless there is an opening.
type Holiday struct {
	Date Date   `json:"date"`
	Name string `json:"name,omitempty"` // what people read
}

// Opening is a date with hours of its own: they stand in the place of those of the week, also on a holiday.
type Opening struct {
	Date  Date       `json:"date"`
	Name  string     `json:"name,omitempty"` // what people read
	Hours []Interval `json:"hours"`
}

// Year is what is otherwise in one year.
type Year struct {
	Year     int       `json:"year"`
	Holidays []Holiday `json:"holidays,omitempty"`
	Openings []Opening `json:"openings,omitempty"`
}

// Hours are the hours of a calendar, as they are kept.
type Hours struct {
	Week  Week   `json:"week"`
	Years []Year `json:"years,omitempty"`
}

// FirstYear and LastYear bound what a calendar knows of single dates; it may be asked about the past.
const (
	FirstYear = 1970
	LastYear  = 2199
)

const (
	maxName      = 200 // characters
	maxYears     = 50  // so that a calendar with weekly hours opens within the horizon
	maxIntervals = 24  // of a day
)

// zoneShape keeps out what is no IANA name though there is a file: Local, and the folders posix and right.
var zoneShape = regexp.MustCompile(`^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$`)

// Zone gives a time zone by its IANA name, such as Asia/Shanghai.
func Zone(name string) (*time.Location, bool) {
	if !zoneShape.MatchString(name) || name == "Local" {
		return nil, false
	}
	if known, ok := zones.Load(name); ok {
		return known.(*time.Location), true
	}
	zone, err := time.LoadLocation(name)
	if err == nil {
		zones.Store(name, zone)
	}
	return zone, err == nil
}

// zones are those that were read from their files, by name: a process reads each once.
var zones sync.Map

// Calendar gives the calendar of hours that are canonical, by the wall clock of the zone.
func (h Hours) Calendar(zone *time.Location) Calendar { return Calendar{hours: h.timetable(zone)} }

// Normalise brings hours to their canonical form - intervals and dates in order - and names every field that is not right,
// in the order of their names.
func (h Hours) Normalise() (Hours, []problem.Field) {
	var f faults
	opens := false
	for name, day := range map[string]*[]Interval{
		"monday": &h.Week.Monday, "tuesday": &h.Week.Tuesday, "wednesday": &h.Week.Wednesday,
		"thursday": &h.Week.Thursday, "friday": &h.Week.Friday, "saturday": &h.Week.Saturday, "sunday": &h.Week.Sunday,
	} {
		*day = f.intervals("week."+name, *day)
		opens = opens || len(*day) > 0
	}
	if !opens {
		f.add("week", "calendar_never_opens", "must have hours on at least one day: with none, no business time would ever come")
	}
	h.Years = f.years(h.Years)
	slices.SortFunc(f, func(a, b problem.Field) int { return strings.Compare(a.Location, b.Location) })
	return h, f
}

// faults collects what is not right.
type faults []problem.Field

func (f *faults) add(location, code, message string) {
	*f = append(*f, problem.Field{Location: location, Code: code, Message: message})
}

func (f *faults) name(location, name string) string {
	name = norm.NFC.String(strings.TrimSpace(name))
	if utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, unicode.IsControl) {
		f.add(location, "name_malformed", "must be 1 to 200 characters, none of them a control character")
	}
	return name
}

// intervals puts the hours of a day in order.
func (f *faults) intervals(location string, hours []Interval) []Interval {
	if len(hours) > maxIntervals {
		f.add(location, "too_many", "must be at most 24 intervals")
		return hours
	}
	for i, h := range hours {
		if h.From >= h.To || h.From < 0 || h.To > endOfDay {
			f.add(fmt.Sprintf("%s[%d]", location, i), "interval_empty",
				"must end after it begins, on the same day; hours over midnight are two intervals, one up to 24:00 and one from 00:00 of the next day")
			return hours
		}
	}
	sorted := slices.SortedFunc(slices.Values(hours), func(a, b Interval) int { return int(a.From - b.From) })
	for i := 1; i < len(sorted); i++ {
		if sorted[i].From < sorted[i-1].To {
			f.add(location, "intervals_overlap", "must be intervals that do not overlap")
			break
		}
	}
	return sorted
}

// years puts years and their dates in order.
func (f *faults) years(years []Year) []Year {
	if len(years) > maxYears {
		f.add("years", "too_many", "must be at most 50 years")
		return years
	}
	if len(years) == 0 {
		return nil
	}
	sorted := make([]Year, len(years))
	seen := map[int]bool{}
	for i, y := range years {
		at := fmt.Sprintf("years[%d]", i)
		if y.Year < FirstYear || y.Year > LastYear {
			f.add(at+".year", "out_of_range", "must be 1970 to 2199")
		} else if seen[y.Year] {
			f.add(at+".year", "year_twice", "must be named once: put all dates of a year together")
		}
		seen[y.Year] = true
		sorted[i] = Year{Year: y.Year, Holidays: slices.Clone(y.Holidays), Openings: slices.Clone(y.Openings)}
		f.dates(at, sorted[i])
		slices.SortFunc(sorted[i].Holidays, func(a, b Holiday) int { return a.Date.Compare(b.Date.Time) })
		slices.SortFunc(sorted[i].Openings, func(a, b Opening) int { return a.Date.Compare(b.Date.Time) })
	}
	slices.SortFunc(sorted, func(a, b Year) int { return a.Year - b.Year })
	return sorted
}

func (f *faults) dates(at string, y Year) {
	holidays, openings := map[Date]bool{}, map[Date]bool{}
	date := func(location string, d Date, seen map[Date]bool) {
		switch {
		case d.Year() != y.Year:
			f.add(location, "date_outside_year", "must be a date of the year that it stands under")
		case seen[d]:
			f.add(location, "date_twice", "must be named once")
		}
		seen[d] = true
	}
	for i := range y.Holidays {
		location := fmt.Sprintf("%s.holidays[%d]", at, i)
		date(location+".date", y.Holidays[i].Date, holidays)
		y.Holidays[i].Name = f.name(location+".name", y.Holidays[i].Name)
	}
	for i := range y.Openings {
		location := fmt.Sprintf("%s.openings[%d]", at, i)
		date(location+".date", y.Openings[i].Date, openings)
		y.Openings[i].Name = f.name(location+".name", y.Openings[i].Name)
		if len(y.Openings[i].Hours) == 0 {
			f.add(location+".hours", "opening_empty", "must have hours; a date on which it is closed is a holiday")
		}
		y.Openings[i].Hours = f.intervals(location+".hours", y.Openings[i].Hours)
	}
}

// timetable lays out hours that are canonical, in a zone that is known.
func (h Hours) timetable(zone *time.Location) *timetable {
	exceptions := map[int64][]Interval{}
	for _, y := range h.Years {
		for _, holiday := range y.Holidays {
			exceptions[holiday.Date.number()] = nil
		}
	}
	for _, y := range h.Years {
		for _, opening := range y.Openings {
			exceptions[opening.Date.number()] = opening.Hours
		}
	}
	return newTimetable(zone, h.Week.days(), exceptions)
}
