package businesstime

import (
	"archive/zip"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// week reads hours such as "mon-fri 09:00-12:00 13:00-18:00; sat 10:00-14:00".
func week(t *testing.T, s string) (w Week) {
	t.Helper()
	names := []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	days := []*[]Interval{&w.Monday, &w.Tuesday, &w.Wednesday, &w.Thursday, &w.Friday, &w.Saturday, &w.Sunday}
	for part := range strings.SplitSeq(s, ";") {
		words := strings.Fields(part)
		first, last, several := strings.Cut(words[0], "-")
		if !several {
			last = first
		}
		for d := slices.Index(names, first); d <= slices.Index(names, last); d++ {
			*days[d] = intervals(t, words[1:])
		}
	}
	return w
}

func intervals(t *testing.T, words []string) (hours []Interval) {
	t.Helper()
	for _, word := range words {
		from, to, _ := strings.Cut(word, "-")
		begin, ok := ParseClock(from)
		end, also := ParseClock(to)
		if !ok || !also {
			t.Fatalf("%q are no hours", word)
		}
		hours = append(hours, Interval{begin, end})
	}
	return hours
}

// shop makes a calendar: special holds holidays, such as "2026-10-01", and openings, such as "2026-10-10 09:00-17:00".
func shop(t *testing.T, zone, hours string, special ...string) Calendar {
	t.Helper()
	h := Hours{Week: week(t, hours)}
	years := map[int]*Year{}
	for _, s := range special {
		words := strings.Fields(s)
		date, ok := ParseDate(words[0])
		if !ok {
			t.Fatalf("%q is no date", s)
		}
		y := years[date.Year()]
		if y == nil {
			y = &Year{Year: date.Year()}
			years[date.Year()] = y
		}
		if len(words) == 1 {
			y.Holidays = append(y.Holidays, Holiday{Date: date})
		} else {
			y.Openings = append(y.Openings, Opening{Date: date, Hours: intervals(t, words[1:])})
		}
	}
	for _, y := range years {
		h.Years = append(h.Years, *y)
	}
	made, faults := h.Normalise()
	in, ok := Zone(zone)
	if !ok || len(faults) > 0 {
		t.Fatalf("%s: %v", zone, faults)
	}
	return made.Calendar(in)
}

// local reads what the calendar's wall clock shows, such as "2026-03-02 09:00"; where that comes twice, with the offset
// behind it.
func local(t *testing.T, c Calendar, s string) time.Time {
	t.Helper()
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02 15:04 -07:00"} {
		if at, err := time.ParseInLocation(layout, s, c.Zone()); err == nil {
			return at
		}
	}
	t.Fatalf("%q is no time", s)
	return time.Time{}
}

const (
	office = "mon-fri 09:00-12:00 13:00-18:00" // eight hours with a lunch break
	plain  = "mon-fri 09:00-17:00"
)

// The table of cases: in the calendar, from there, so much business time, until there; and between the two that much.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	for _, group := range []struct {
		calendar string
		zone     string
		hours    string
		special  []string
		cases    [][3]string // from, business time, deadline
	}{
		{"an office in Shanghai with a lunch break", "Asia/Shanghai", office, nil, [][3]string{
			{"2026-03-02 09:00", "2h", "2026-03-02 11:00"},         // within the morning
			{"2026-03-02 10:00", "2h", "2026-03-02 12:00"},         // used up when lunch begins, not when it ends
			{"2026-03-02 11:00", "2h", "2026-03-02 14:00"},         // over lunch
			{"2026-03-02 12:00", "1m", "2026-03-02 13:01"},         // begun with lunch
			{"2026-03-02 12:30", "1h", "2026-03-02 14:00"},         // begun in it
			{"2026-03-02 09:00", "8h", "2026-03-02 18:00"},         // a whole day ends at its end
			{"2026-03-02 09:00", "8h1s", "2026-03-03 09:00:01"},    // a second more is the next morning
			{"2026-03-02 17:00", "2h", "2026-03-03 10:00"},         // over night
			{"2026-03-02 07:00", "1h", "2026-03-02 10:00"},         // created before it opens
			{"2026-03-02 20:00", "1h", "2026-03-03 10:00"},         // after it closes
			{"2026-03-02 18:00", "8h", "2026-03-03 18:00"},         // as it closes
			{"2026-03-06 17:30", "1h", "2026-03-09 09:30"},         // over the weekend
			{"2026-03-07 15:00", "4h", "2026-03-09 14:00"},         // created on a Saturday
			{"2026-03-08 23:59", "1m", "2026-03-09 09:01"},         // on Sunday night
			{"2026-03-06 18:00", "40h", "2026-03-13 18:00"},        // a working week
			{"2026-03-02 09:00", "80h", "2026-03-13 18:00"},        // two
			{"2026-03-02 11:59:59", "2s", "2026-03-02 13:00:01"},   // to the second
			{"2026-12-31 17:00", "2h", "2027-01-01 10:00"},         // over the end of the year
			{"2026-03-02 09:00", "2080h", "2027-02-26 18:00"},      // 52 weeks
			{"2024-02-28 17:00", "2h", "2024-02-29 10:00"},         // leap day
			{"2023-02-28 17:00", "2h", "2023-03-01 10:00"},         // and none
			{"2026-03-02 09:00", "20800h", "2036-02-15 18:00"},     // ten years
			{"2026-03-02 09:00", "100ms", "2026-03-02 09:00:00.1"}, // less than a second
		}},
		{"the same over the Spring Festival, with the Saturday before it worked", "Asia/Shanghai", office, []string{
			"2026-02-14 09:00-12:00 13:00-18:00", "2026-02-16", "2026-02-17", "2026-02-18", "2026-02-19", "2026-02-20", "2026-02-23",
		}, [][3]string{
			{"2026-02-13 17:00", "2h", "2026-02-14 10:00"},
			{"2026-02-14 17:00", "2h", "2026-02-24 10:00"},
			{"2026-02-14 18:00", "1m", "2026-02-24 09:01"},
			{"2026-02-17 12:00", "8h", "2026-02-24 18:00"}, // created on a holiday
			{"2026-02-13 09:00", "24h", "2026-02-24 18:00"},
		}},
		{"holidays at the end of the year, one of them with an opening", "Europe/Berlin", plain, []string{
			"2026-12-24", "2026-12-24 10:00-12:00", "2026-12-25", "2026-12-31", "2027-01-01",
		}, [][3]string{
			{"2026-12-23 16:00", "2h", "2026-12-24 11:00"}, // an opening replaces the hours of its date, also on a holiday
			{"2026-12-24 09:00", "2h", "2026-12-24 12:00"},
			{"2026-12-24 09:00", "3h", "2026-12-28 10:00"},
			{"2026-12-30 16:30", "1h", "2027-01-04 09:30"}, // over a long weekend and the year's end
		}},
		{"an opening on a Sunday, and one that shortens a Monday", "Europe/Berlin", plain, []string{
			"2026-03-01 12:00-16:00", "2026-03-02 14:00-15:00 16:00-17:00",
		}, [][3]string{
			{"2026-02-27 17:00", "4h", "2026-03-01 16:00"},
			{"2026-02-27 17:00", "5h", "2026-03-02 15:00"},
			{"2026-02-27 17:00", "6h", "2026-03-02 17:00"},
			{"2026-02-27 17:00", "7h", "2026-03-03 10:00"},
		}},
		{"around the clock", "Europe/Berlin", "mon-sun 00:00-24:00", nil, [][3]string{
			{"2026-03-02 12:00", "24h", "2026-03-03 12:00"},
			{"2026-03-28 12:00", "24h", "2026-03-29 13:00"}, // the day of 23 hours
			{"2026-10-24 12:00", "24h", "2026-10-25 11:00"}, // the day of 25
			{"2026-03-29 00:00", "23h", "2026-03-30 00:00"},
			{"2026-10-25 00:00", "25h", "2026-10-26 00:00"},
			{"2026-12-31 23:59", "2m", "2027-01-01 00:01"},
			{"2026-03-02 00:00", "24h", "2026-03-03 00:00"}, // 24:00 is the next midnight
		}},
		{"at night, when the clock goes forward: from 02:00 to 03:00", "Europe/Berlin", "sat 22:00-24:00; sun 00:00-06:00; mon 08:00-10:00", nil, [][3]string{
			{"2026-03-28 22:00", "2h", "2026-03-29 00:00"},
			{"2026-03-28 22:00", "4h", "2026-03-29 02:00"}, // which is 03:00
			{"2026-03-28 22:00", "5h", "2026-03-29 04:00"}, // an hour is missing
			{"2026-03-28 22:00", "7h", "2026-03-29 06:00"}, // seven hours instead of eight
			{"2026-03-28 22:00", "8h", "2026-03-30 09:00"},
			{"2026-03-21 22:00", "8h", "2026-03-22 06:00"}, // on other Sundays
		}},
		{"at night, when the clock goes back: from 03:00 to 02:00", "Europe/Berlin", "sat 22:00-24:00; sun 00:00-06:00; mon 08:00-10:00", nil, [][3]string{
			{"2026-10-24 22:00", "4h", "2026-10-25 02:00 +02:00"}, // the first time
			{"2026-10-24 22:00", "4h30m", "2026-10-25 02:30 +02:00"},
			{"2026-10-24 22:00", "5h30m", "2026-10-25 02:30 +01:00"}, // the second
			{"2026-10-24 22:00", "6h", "2026-10-25 03:00"},
			{"2026-10-24 22:00", "9h", "2026-10-25 06:00"}, // nine hours instead of eight
			{"2026-10-24 22:00", "10h", "2026-10-26 09:00"},
		}},
		{"hours that begin in the gap open at its end", "Europe/Berlin", "sun 02:30-04:00; mon 08:00-10:00", nil, [][3]string{
			{"2026-03-29 00:00", "30m", "2026-03-29 03:30"},
			{"2026-03-29 00:00", "1h", "2026-03-29 04:00"},
			{"2026-03-29 00:00", "1h30m", "2026-03-30 08:30"},
		}},
		{"hours that end in the gap end where it begins", "Europe/Berlin", "sun 01:00-02:30; mon 08:00-10:00", nil, [][3]string{
			{"2026-03-29 00:00", "1h", "2026-03-29 02:00"}, // which is 03:00
			{"2026-03-29 00:00", "1h15m", "2026-03-30 08:15"},
		}},
		{"hours that do not exist are not worked", "Europe/Berlin", "sun 02:00-03:00; mon 08:00-10:00", nil, [][3]string{
			{"2026-03-29 00:00", "1m", "2026-03-30 08:01"},
			{"2026-03-22 00:00", "1m", "2026-03-22 02:01"},
		}},
		{"hours that come twice count twice", "Europe/Berlin", "sun 02:00-03:00; mon 08:00-10:00", nil, [][3]string{
			{"2026-10-25 00:00", "1h", "2026-10-25 02:00 +01:00"},
			{"2026-10-25 00:00", "2h", "2026-10-25 03:00"},
			{"2026-10-25 00:00", "2h1m", "2026-10-26 08:01"},
		}},
		{"a part of an hour that comes twice is open twice, with a break between", "Europe/Berlin", "sun 02:15-02:45; mon 08:00-10:00", nil, [][3]string{
			{"2026-10-25 00:00", "30m", "2026-10-25 02:45 +02:00"},
			{"2026-10-25 00:00", "31m", "2026-10-25 02:16 +01:00"},
			{"2026-10-25 00:00", "1h", "2026-10-25 02:45 +01:00"},
		}},
		{"by day the change of the night is not felt", "America/New_York", plain, nil, [][3]string{
			{"2026-03-06 16:00", "2h", "2026-03-09 10:00"},
			{"2026-10-30 16:00", "2h", "2026-11-02 10:00"},
		}},
		{"where the clock changes at midnight a day begins at one", "America/Havana", "sun 00:00-02:00; mon 08:00-10:00", nil, [][3]string{
			{"2026-03-07 12:00", "1h", "2026-03-08 02:00"},
			{"2026-03-07 12:00", "1h1m", "2026-03-09 08:01"},
			{"2026-10-31 12:00", "3h", "2026-11-01 02:00"},
		}},
		{"a date that never was", "Pacific/Apia", "mon-sun 09:00-17:00", nil, [][3]string{
			{"2011-12-29 16:00", "2h", "2011-12-31 10:00"},
		}},
		{"half an hour of summer time", "Australia/Lord_Howe", "sun 00:00-06:00; mon 08:00-10:00", nil, [][3]string{
			{"2026-10-04 00:00", "5h30m", "2026-10-04 06:00"},
			{"2026-04-05 00:00", "6h30m", "2026-04-05 06:00"},
		}},
	} {
		c := shop(t, group.zone, group.hours, group.special...)
		for _, one := range group.cases {
			d, err := time.ParseDuration(one[1])
			if err != nil {
				t.Fatal(err)
			}
			from, want := local(t, c, one[0]), local(t, c, one[2])
			if got := c.Add(from, d); !got.Equal(want) {
				t.Errorf("%s: %s after %s is %v instead of %v", group.calendar, one[1], one[0], got.In(c.Zone()), want)
			}
			if got := c.Between(from, want); got != d {
				t.Errorf("%s: from %s to %s is %v instead of %v", group.calendar, one[0], one[2], got, d)
			}
		}
	}
}

func TestPausesAreBreaks(t *testing.T) {
	t.Parallel()
	c := shop(t, "Asia/Shanghai", office)
	at := func(s string) time.Time { return local(t, c, s) }
	for name, one := range map[string]struct {
		pauses [][2]string
		from   string
		add    time.Duration
		want   string
	}{
		"within a morning":            {[][2]string{{"2026-03-02 10:00", "2026-03-02 11:00"}}, "2026-03-02 09:00", 2 * time.Hour, "2026-03-02 12:00"},
		"used up as the pause begins": {[][2]string{{"2026-03-02 10:00", "2026-03-02 11:00"}}, "2026-03-02 09:00", time.Hour, "2026-03-02 10:00"},
		"over a weekend":              {[][2]string{{"2026-03-06 17:00", "2026-03-09 10:00"}}, "2026-03-06 16:00", 2 * time.Hour, "2026-03-09 11:00"},
		"on closed days only":         {[][2]string{{"2026-03-06 18:00", "2026-03-09 09:00"}}, "2026-03-06 16:00", 3 * time.Hour, "2026-03-09 10:00"},
		"over lunch":                  {[][2]string{{"2026-03-02 11:30", "2026-03-02 13:30"}}, "2026-03-02 11:00", time.Hour, "2026-03-02 14:00"},
		"several, disordered, overlapping": {[][2]string{{"2026-03-02 15:00", "2026-03-02 16:00"}, {"2026-03-02 09:30", "2026-03-02 10:30"}, {"2026-03-02 10:00", "2026-03-02 11:00"}, {"2026-03-02 10:15", "2026-03-02 10:20"}},
			"2026-03-02 09:00", 4 * time.Hour, "2026-03-02 16:30"},
		"before the start":   {[][2]string{{"2026-03-01 09:00", "2026-03-02 10:00"}}, "2026-03-02 09:00", time.Hour, "2026-03-02 11:00"},
		"long over":          {[][2]string{{"2026-02-01 09:00", "2026-02-02 10:00"}}, "2026-03-02 09:00", time.Hour, "2026-03-02 10:00"},
		"upside down":        {[][2]string{{"2026-03-02 11:00", "2026-03-02 10:00"}}, "2026-03-02 09:00", 3 * time.Hour, "2026-03-02 12:00"},
		"after the deadline": {[][2]string{{"2026-03-02 11:00", "2026-03-02 12:00"}}, "2026-03-02 09:00", time.Hour, "2026-03-02 10:00"},
	} {
		var pauses []Range
		for _, p := range one.pauses {
			pauses = append(pauses, Range{at(p[0]), at(p[1])})
		}
		before := slices.Clone(pauses)
		if got := c.Add(at(one.from), one.add, pauses...); !got.Equal(at(one.want)) {
			t.Errorf("%s: got %v, want %s", name, got.In(c.Zone()), one.want)
		}
		if got := c.Between(at(one.from), at(one.want), pauses...); got != one.add {
			t.Errorf("%s: got %v, want %v", name, got, one.add)
		}
		if !slices.Equal(before, pauses) {
			t.Errorf("%s: the caller's pauses were disordered", name)
		}
	}
	open := Range{From: at("2026-03-02 11:00")}
	if got := c.Add(at("2026-03-02 09:00"), 3*time.Hour, open); got != Never {
		t.Errorf("in a pause that has not ended: %v", got)
	}
	if got := c.Add(at("2026-03-02 09:00"), 2*time.Hour, open); !got.Equal(open.From) {
		t.Errorf("used up before the pause that has not ended: %v", got)
	}
	if got := c.Between(at("2026-03-02 09:00"), at("2026-03-05 09:00"), open); got != 2*time.Hour {
		t.Errorf("until the pause that has not ended: %v", got)
	}
}

func TestWorkingDays(t *testing.T) {
	t.Parallel()
	china := shop(t, "Asia/Shanghai", office, "2026-10-01", "2026-10-02", "2026-10-05", "2026-10-06", "2026-10-07", "2026-10-10 09:00-12:00")
	night := shop(t, "Europe/Berlin", "sun 02:00-03:00; mon-fri 08:00-24:00")
	apia := shop(t, "Pacific/Apia", "mon-sun 09:00-17:00")
	for _, one := range []struct {
		c    Calendar
		from string
		days int
		want string
	}{
		{china, "2026-09-28 10:00", 1, "2026-09-29 18:00"},  // the day itself does not count
		{china, "2026-09-28 00:00", 1, "2026-09-29 18:00"},  // whenever it was
		{china, "2026-09-28 23:59", 1, "2026-09-29 18:00"},  //
		{china, "2026-09-30 10:00", 1, "2026-10-08 18:00"},  // over the holidays
		{china, "2026-09-30 10:00", 3, "2026-10-10 12:00"},  // a Saturday that is worked in the morning
		{china, "2026-09-30 10:00", 4, "2026-10-12 18:00"},  //
		{china, "2026-10-03 10:00", 1, "2026-10-08 18:00"},  // on a day that is none
		{china, "2026-03-02 10:00", 15, "2026-03-23 18:00"}, // three weeks
		{night, "2026-03-26 10:00", 2, "2026-03-31 00:00"},  // Friday and Monday, which ends at midnight: of Sunday's hours none exists
		{night, "2026-10-23 10:00", 1, "2026-10-25 03:00"},  // the hour that came twice is over when it has come twice
		{apia, "2011-12-28 10:00", 2, "2011-12-31 17:00"},   // a date that never was does not count
	} {
		want := local(t, one.c, one.want)
		if got := one.c.AddDays(local(t, one.c, one.from), one.days); !got.Equal(want) {
			t.Errorf("%d working days after %s: got %v, want %v", one.days, one.from, got.In(one.c.Zone()), want)
		}
	}
}

func TestWhatIsAskedForNothing(t *testing.T) {
	t.Parallel()
	c := shop(t, "Asia/Shanghai", office)
	sunday := local(t, c, "2026-03-01 12:00")
	if got := c.Add(sunday, 0); got != sunday {
		t.Errorf("no time at all: %v", got)
	}
	if got := c.Add(sunday, -time.Hour); got != sunday {
		t.Errorf("less than none: %v", got)
	}
	if got := c.AddDays(sunday, 0); got != sunday {
		t.Errorf("no days: %v", got)
	}
	if got := c.Between(sunday, sunday.Add(-48*time.Hour)); got != 0 {
		t.Errorf("backwards: %v", got)
	}
	for range c.Ranges(sunday, sunday) {
		t.Error("a range in no time")
	}
}

func TestAlwaysIsAlways(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 3, 2, 9, 0, 0, 7, time.UTC)
	if got := Always().Add(from, 1000*time.Hour); !got.Equal(from.Add(1000 * time.Hour)) {
		t.Errorf("%v", got)
	}
	if got := Always().Between(from, from.Add(77*time.Second)); got != 77*time.Second {
		t.Errorf("%v", got)
	}
	if got := Always().AddDays(from, 2); !got.Equal(time.Date(2026, 3, 5, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%v", got)
	}
	if Always() != (Calendar{}) {
		t.Error("it is not the zero calendar")
	}
}

// A minute a week is the least that a calendar can have.
func TestItLooksAheadAHundredYearsAndNoFurther(t *testing.T) {
	t.Parallel()
	c := shop(t, "Europe/Berlin", "sun 02:59-03:00") // and not even that each year
	from := local(t, c, "2026-03-02 09:00")
	if got := c.Add(from, time.Hour); !got.Equal(local(t, c, "2027-05-02 03:00")) {
		t.Errorf("60 times: %v", got.In(c.Zone()))
	}
	if got := c.Add(from, 10_000*time.Hour); got != Never {
		t.Errorf("more than there is: %v", got)
	}
	if got := c.AddDays(from, 10_000); got != Never {
		t.Errorf("more days than there are: %v", got)
	}
	if got := Always().Between(time.Time{}, Never); got != 1<<63-1 {
		t.Errorf("more than can be said: %v", got)
	}
}

// In any zone, a calendar that is always open loses and wins nothing where the clock changes.
func TestAllZonesOfTheWorld(t *testing.T) {
	t.Parallel()
	files, err := zip.OpenReader(filepath.Join(runtime.GOROOT(), "lib", "time", "zoneinfo.zip")) //nolint:staticcheck // the toolchain that runs the test has it
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = files.Close() }()
	from, to := time.Date(1890, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2110, 1, 1, 0, 0, 0, 0, time.UTC)
	zones := 0
	for _, f := range files.File {
		if strings.HasSuffix(f.Name, "/") || f.Name == "Factory" {
			continue
		}
		zones++
		c := shop(t, f.Name, "mon-sun 00:00-24:00")
		if got := c.Between(from, to); got != to.Sub(from) {
			t.Errorf("%s: %v", f.Name, got)
		}
		if got := c.Add(from, to.Sub(from)/3); !got.Equal(from.Add(to.Sub(from) / 3)) {
			t.Errorf("%s: %v", f.Name, got)
		}
	}
	if zones < 400 {
		t.Errorf("only %d zones", zones)
	}
}

func TestRangesTellHowItCameAbout(t *testing.T) {
	t.Parallel()
	c := shop(t, "Asia/Shanghai", "mon 09:00-12:00 13:00-24:00; tue 00:00-02:00 10:00-11:00")
	at := func(s string) time.Time { return local(t, c, s) }
	var got []string
	for r := range c.Ranges(at("2026-03-02 10:00"), at("2026-03-03 10:30"), Range{at("2026-03-02 15:00"), at("2026-03-02 15:30")}) {
		got = append(got, r.From.Format("02 15:04")+" - "+r.To.Format("02 15:04"))
	}
	want := []string{"02 10:00 - 02 12:00", "02 13:00 - 02 15:00", "02 15:30 - 03 02:00", "03 10:00 - 03 10:30"} // midnight is no border
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for r := range c.Ranges(at("2026-03-02 10:00"), at("2036-03-03 10:30")) {
		if r.To.Before(at("2026-03-02 15:00")) {
			continue
		}
		break // whoever has seen enough may stop
	}
}

// Opens and Next are what Ranges says, looked at from one instant.
func TestWhenItOpensNext(t *testing.T) {
	t.Parallel()
	c := shop(t, "Asia/Shanghai", office, "2026-10-01", "2026-10-02")
	for _, one := range []struct{ at, next string }{
		{"2026-03-02 09:00", "2026-03-02 09:00"}, // as it opens
		{"2026-03-02 10:30", "2026-03-02 10:30"}, // within
		{"2026-03-02 12:00", "2026-03-02 13:00"}, // lunch
		{"2026-03-02 18:00", "2026-03-03 09:00"}, // as it closes
		{"2026-03-06 20:00", "2026-03-09 09:00"}, // over the weekend
		{"2026-09-30 18:00", "2026-10-05 09:00"}, // over holidays
	} {
		at, next := local(t, c, one.at), local(t, c, one.next)
		if got := c.Next(at); !got.Equal(next) {
			t.Errorf("after %s it opens at %v instead of %s", one.at, got.In(c.Zone()), one.next)
		}
		if got := c.Opens(at); got != at.Equal(next) {
			t.Errorf("at %s open is %v", one.at, got)
		}
	}
	if at := time.Date(2026, 3, 2, 3, 4, 5, 6, time.UTC); !Always().Opens(at) || !Always().Next(at).Equal(at) {
		t.Error("what is always open opens at once")
	}
	never := Hours{}.Calendar(time.UTC)
	if at := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC); never.Opens(at) || !never.Next(at).Equal(Never) {
		t.Error("what never opens opens")
	}
}

func BenchmarkAddTenYears(b *testing.B) {
	zone, _ := Zone("Europe/Berlin")
	day := []Interval{{9 * 60, 12 * 60}, {13 * 60, 18 * 60}}
	h := Hours{Week: Week{Monday: day, Tuesday: day, Wednesday: day, Thursday: day, Friday: day}}
	for y := 2020; y < 2040; y++ {
		year := Year{Year: y}
		for m := range 12 {
			year.Holidays = append(year.Holidays, Holiday{Date: Date{time.Date(y, time.Month(m+1), 1, 0, 0, 0, 0, time.UTC)}})
		}
		h.Years = append(h.Years, year)
	}
	c := h.Calendar(zone)
	from := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	for _, d := range []time.Duration{8 * time.Hour, 20_000 * time.Hour} {
		b.Run(d.String(), func(b *testing.B) {
			for b.Loop() {
				c.Add(from, d)
			}
		})
	}
}
