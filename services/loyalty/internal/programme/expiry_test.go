package programme_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

func zone(t interface{ Fatal(args ...any) }, name string) *time.Location {
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// Points run out when a day ends: the times in the table are the first ones at which they are gone.
func TestPointsRunOutAtTheEndOfADay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, kind string
		months     int
		zone       string
		available  string // on the wall there
		gone       string // on the wall there; empty: never
		utc        string
	}{
		{"no rule", "", 0, "UTC", "2026-12-04 11:30", "", ""},
		{"never", "never", 0, "UTC", "2026-12-04 11:30", "", ""},
		{"by inactivity, which nobody knows yet", "inactivity", 12, "UTC", "2026-12-04 11:30", "", ""},

		{"a year", "months", 12, "UTC", "2026-12-04 11:30", "2027-12-05 00:00", "2027-12-05T00:00:00Z"},
		{"a year from the first instant of a day", "months", 12, "UTC", "2026-12-04 00:00", "2027-12-05 00:00", "2027-12-05T00:00:00Z"},
		{"a year from the last minute of a day", "months", 12, "UTC", "2026-12-04 23:59", "2027-12-05 00:00", "2027-12-05T00:00:00Z"},
		{"the day is the zone's", "months", 12, "Asia/Shanghai", "2026-12-05 07:30", "2027-12-06 00:00", "2027-12-05T16:00:00Z"},
		{"a month from 31 January", "months", 1, "UTC", "2026-01-31 10:00", "2026-03-01 00:00", "2026-03-01T00:00:00Z"},
		{"a month from 31 January of a leap year", "months", 1, "UTC", "2028-01-31 10:00", "2028-03-01 00:00", "2028-03-01T00:00:00Z"},
		{"a month from 30 January of a leap year", "months", 1, "UTC", "2028-01-30 10:00", "2028-03-01 00:00", "2028-03-01T00:00:00Z"},
		{"a month from 28 February", "months", 1, "UTC", "2026-02-28 10:00", "2026-03-29 00:00", "2026-03-29T00:00:00Z"},
		{"a year from a leap day", "months", 12, "UTC", "2028-02-29 10:00", "2029-03-01 00:00", "2029-03-01T00:00:00Z"},
		{"four years from a leap day", "months", 48, "UTC", "2028-02-29 10:00", "2032-03-01 00:00", "2032-03-01T00:00:00Z"},
		{"a month from 31 December", "months", 1, "UTC", "2026-12-31 10:00", "2027-02-01 00:00", "2027-02-01T00:00:00Z"},

		{"out of summer time", "months", 6, "Europe/Berlin", "2026-07-15 10:00", "2027-01-16 00:00", "2027-01-15T23:00:00Z"},
		{"into summer time", "months", 6, "Europe/Berlin", "2027-01-15 10:00", "2027-07-16 00:00", "2027-07-15T22:00:00Z"},
		{"on a day of 23 hours", "months", 1, "Europe/Berlin", "2027-02-28 10:00", "2027-03-29 00:00", "2027-03-28T22:00:00Z"},
		{"on a day of 25 hours", "months", 1, "Europe/Berlin", "2026-09-25 10:00", "2026-10-26 00:00", "2026-10-25T23:00:00Z"},
		{"before a day that begins at one o'clock", "months", 1, "Africa/Cairo", "2026-03-23 10:00", "2026-04-24 01:00", "2026-04-23T22:00:00Z"},
		{"on a day whose last hour comes twice", "months", 1, "America/Sao_Paulo", "2018-01-17 10:00", "2018-02-18 00:00", "2018-02-18T03:00:00Z"},
		{"before a day whose first hour comes twice", "months", 1, "America/Havana", "2026-09-30 10:00", "2026-10-31 00:00", "2026-10-31T04:00:00Z"},
		{"before midnight that comes twice", "months", 1, "America/Havana", "2026-10-01 10:00", "2026-11-02 00:00", "2026-11-02T05:00:00Z"},
		{"before a day that was left out", "months", 1, "Pacific/Apia", "2011-11-29 10:00", "2011-12-31 00:00", "2011-12-30T10:00:00Z"},
		{"on the last day of a leap year far away", "months", 1, "America/New_York", "2048-11-30 10:00", "2048-12-31 00:00", "2048-12-31T05:00:00Z"},

		{"the year's end", "year_end", 0, "UTC", "2026-12-04 11:30", "2027-01-01 00:00", "2027-01-01T00:00:00Z"},
		{"the year's end on its last day", "year_end", 0, "UTC", "2026-12-31 23:59", "2027-01-01 00:00", "2027-01-01T00:00:00Z"},
		{"the year's end on the next year's first day", "year_end", 0, "UTC", "2027-01-01 00:00", "2028-01-01 00:00", "2028-01-01T00:00:00Z"},
		{"the year is the zone's", "year_end", 0, "Asia/Shanghai", "2027-01-01 01:00", "2028-01-01 00:00", "2027-12-31T16:00:00Z"},
		{"the end of the year in which they are six months old", "year_end", 6, "UTC", "2026-06-30 10:00", "2027-01-01 00:00", "2027-01-01T00:00:00Z"},
		{"six months old in the next year", "year_end", 6, "UTC", "2026-07-01 10:00", "2028-01-01 00:00", "2028-01-01T00:00:00Z"},
		{"the end of the next year", "year_end", 12, "Europe/Berlin", "2026-02-28 10:00", "2028-01-01 00:00", "2027-12-31T23:00:00Z"},
		{"where the year's last day had no evening of its own", "year_end", 0, "Pacific/Apia", "2011-12-29 10:00", "2012-01-01 00:00", "2011-12-31T10:00:00Z"},
		{"later than can be written", "months", 120, "UTC", "9995-01-01 10:00", "", ""},
		{"in the last year that can be written", "year_end", 0, "UTC", "9999-01-01 10:00", "", ""},
	} {
		z := zone(t, c.zone)
		available, err := time.ParseInLocation("2006-01-02 15:04", c.available, z)
		if err != nil {
			t.Fatal(err)
		}
		got := programme.Expiry{Kind: c.kind, Months: c.months}.At(available.UTC(), z)
		switch {
		case c.gone == "":
			if !got.IsZero() {
				t.Errorf("%s: got %s, want never", c.name, got)
			}
		case got.Location() != time.UTC, got.Format(time.RFC3339) != c.utc, got.In(z).Format("2006-01-02 15:04") != c.gone:
			t.Errorf("%s: got %s, which is %s there, want %s, %s", c.name, got, got.In(z), c.utc, c.gone)
		}
	}
}

func TestWhoDoesNothingLosesEverythingAtTheEndOfADay(t *testing.T) {
	t.Parallel()
	shanghai := zone(t, "Asia/Shanghai")
	last := time.Date(2026, 8, 30, 17, 0, 0, 0, time.UTC) // 31 August there
	if got := (programme.Expiry{Kind: "inactivity", Months: 6}).Inactive(last, shanghai); !got.Equal(time.Date(2027, 2, 28, 16, 0, 0, 0, time.UTC)) {
		t.Errorf("got %s, want the end of 28 February in Shanghai", got)
	}
	for _, kind := range []string{"", "never", "months", "year_end"} {
		if got := (programme.Expiry{Kind: kind, Months: 6}).Inactive(last, shanghai); !got.IsZero() {
			t.Errorf("%q: got %s, want never", kind, got)
		}
	}
}

// Whatever the zone: points live as long as they were promised, to the end of that day and not longer, and points that could be
// spent later do not run out earlier.
func TestPointsLiveAsLongAsPromisedAndToTheEndOfTheDay(t *testing.T) {
	t.Parallel()
	zones := []string{
		"UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "America/Havana", "America/Sao_Paulo", "Africa/Cairo",
		"Africa/Casablanca", "Asia/Beirut", "Asia/Tehran", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "America/Godthab",
	}
	rapid.Check(t, func(t *rapid.T) {
		z := zone(t, rapid.SampledFrom(zones).Draw(t, "zone"))
		e := programme.Expiry{
			Kind:   rapid.SampledFrom([]string{"months", "year_end"}).Draw(t, "kind"),
			Months: rapid.IntRange(1, 120).Draw(t, "months"),
		}
		begin, end := time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(2060, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
		available := time.Unix(rapid.Int64Range(begin, end).Draw(t, "available"), 0)
		gone := e.At(available, z)

		before, after := gone.Add(-1).In(z), gone.In(z)
		if before.YearDay() == after.YearDay() {
			t.Fatalf("gone at %s, when no day ends", after)
		}
		y, m, d := available.In(z).Date()
		months := func(y int, m time.Month) int { return 12*y + int(m) }
		by, bm, bd := before.Date()
		lived := months(by, bm) - months(y, m)
		skipped := z.String() == "Pacific/Apia" && by == 2011 && bm == time.December && bd == 29
		switch e.Kind {
		case "months":
			if lived != e.Months || bd != d && (bd > d || after.Day() != 1) && !skipped {
				t.Fatalf("available on %s, the last day is %s: not %d months", available.In(z), before, e.Months)
			}
		case "year_end":
			if after.Month() != time.January || after.Day() != 1 || lived < e.Months || lived > e.Months+11 {
				t.Fatalf("available on %s, the last day is %s", available.In(z), before)
			}
		}
		later := available.Add(time.Duration(rapid.Int64Range(0, int64(400*24*time.Hour)).Draw(t, "later")))
		if e.At(later, z).Before(gone) {
			t.Fatalf("available at %s they run out at %s, but available at %s at %s", available, gone, later, e.At(later, z))
		}
	})
}

func TestExpiryThatCannotBeMeantIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		expiry         programme.Expiry
		location, code string
	}{
		{programme.Expiry{}, "", ""},
		{programme.Expiry{Kind: "never"}, "", ""},
		{programme.Expiry{Kind: "months", Months: 1}, "", ""},
		{programme.Expiry{Kind: "months", Months: 120}, "", ""},
		{programme.Expiry{Kind: "year_end"}, "", ""},
		{programme.Expiry{Kind: "inactivity", Months: 18}, "", ""},
		{programme.Expiry{Months: 12}, "terms.expiry.months", "out_of_place"},
		{programme.Expiry{Kind: "never", Months: 12}, "terms.expiry.months", "out_of_place"},
		{programme.Expiry{Kind: "months"}, "terms.expiry.months", "out_of_range"},
		{programme.Expiry{Kind: "months", Months: -1}, "terms.expiry.months", "out_of_range"},
		{programme.Expiry{Kind: "months", Months: 121}, "terms.expiry.months", "out_of_range"},
		{programme.Expiry{Kind: "year_end", Months: -1}, "terms.expiry.months", "out_of_range"},
		{programme.Expiry{Kind: "inactivity"}, "terms.expiry.months", "out_of_range"},
		{programme.Expiry{Kind: "inactivity", Months: 1 << 40}, "terms.expiry.months", "out_of_range"},
		{programme.Expiry{Kind: "days", Months: 30}, "terms.expiry.kind", "kind_unknown"},
	} {
		terms := programme.Standard().Terms
		terms.Expiry = c.expiry
		faults := terms.Faults()
		switch {
		case c.code == "":
			if len(faults) != 0 {
				t.Errorf("%+v: refused: %v", c.expiry, faults)
			}
		case len(faults) != 1 || faults[0].Location != c.location || faults[0].Code != c.code:
			t.Errorf("%+v: got %v, want %s at %s", c.expiry, faults, c.code, c.location)
		}
	}
}
