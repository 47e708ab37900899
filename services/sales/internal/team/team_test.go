package team

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/guanxi-crm/guanxi/platform/businesstime"
)

var shanghai = location("Asia/Shanghai")

func at(t *testing.T, s string) time.Time {
	t.Helper()
	found, err := time.ParseInLocation("2006-01-02 15:04", s, shanghai)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// office is somebody who works from nine to six on weekdays in Shanghai, with one holiday.
func office(t *testing.T) Person {
	t.Helper()
	day := []businesstime.Interval{{From: 9 * 60, To: 12 * 60}, {From: 13 * 60, To: 18 * 60}}
	holiday, _ := businesstime.ParseDate("2026-10-01")
	p := Person{Subject: "li", Zone: "Asia/Shanghai", Hours: &businesstime.Hours{
		Week:  businesstime.Week{Monday: day, Tuesday: day, Wednesday: day, Thursday: day, Friday: day},
		Years: []businesstime.Year{{Year: 2026, Holidays: []businesstime.Holiday{{Date: holiday}}}},
	}}
	made, faults := p.check()
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return made
}

func TestWhoWorksWhen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		absences [][2]string // from and to; an empty to has not ended
		at, next string      // an empty next: not known
	}{
		{"in the morning", nil, "2026-09-28 09:00", "2026-09-28 09:00"},
		{"at lunch", nil, "2026-09-28 12:00", "2026-09-28 13:00"},
		{"in the evening", nil, "2026-09-28 18:00", "2026-09-29 09:00"},
		{"before a holiday", nil, "2026-09-30 20:00", "2026-10-02 09:00"},
		{"away for a day", [][2]string{{"2026-09-28 00:00", "2026-09-29 00:00"}}, "2026-09-28 10:00", "2026-09-29 09:00"},
		{"away for an hour of the day", [][2]string{{"2026-09-28 10:00", "2026-09-28 11:00"}}, "2026-09-28 10:30", "2026-09-28 11:00"},
		{"as the absence ends", [][2]string{{"2026-09-28 10:00", "2026-09-28 11:00"}}, "2026-09-28 11:00", "2026-09-28 11:00"},
		{"two absences that touch, the later told first", [][2]string{{"2026-09-29 00:00", "2026-09-30 00:00"}, {"2026-09-28 00:00", "2026-09-29 00:00"}}, "2026-09-28 10:00", "2026-09-30 09:00"},
		{"an absence that begins before they would be back", [][2]string{{"2026-09-29 00:00", "2026-10-05 00:00"}}, "2026-09-28 18:30", "2026-10-05 09:00"},
		{"an absence that nobody knows the end of", [][2]string{{"2026-09-28 00:00", ""}}, "2026-09-28 10:00", ""},
		{"and one that has not begun", [][2]string{{"2026-09-29 00:00", ""}}, "2026-09-28 10:00", "2026-09-28 10:00"},
		{"which begins before they would be back", [][2]string{{"2026-09-29 00:00", ""}}, "2026-09-28 19:00", ""},
	} {
		p := office(t)
		for _, a := range c.absences {
			away := Absence{From: at(t, a[0])}
			if a[1] != "" {
				away.To = at(t, a[1])
			}
			p.Absences = append(p.Absences, away)
		}
		now, want := at(t, c.at), businesstime.Never
		if c.next != "" {
			want = at(t, c.next)
		}
		if got := p.NextWork(now); !got.Equal(want) {
			t.Errorf("%s: they work from %v instead of %v", c.name, got.In(shanghai), want.In(shanghai))
		}
		if got := p.Works(now); got != now.Equal(want) {
			t.Errorf("%s: working is %v", c.name, got)
		}
		p.Archived = true
		if p.Works(now) || !p.NextWork(now).Equal(businesstime.Never) {
			t.Errorf("%s: who has left works", c.name)
		}
	}
	if always := (Person{}); !always.Works(at(t, "2026-10-04 03:00")) {
		t.Error("who has no hours works around the clock")
	}
}

// Whenever it is and whatever absences there are: at the next time of work they work, and between now and then they do not.
func TestNobodyWorksBeforeTheirNextWork(t *testing.T) {
	t.Parallel()
	base := office(t)
	start := at(t, "2026-09-28 00:00")
	rapid.Check(t, func(r *rapid.T) {
		p := base
		p.Absences = nil
		for range rapid.IntRange(0, 4).Draw(r, "absences") {
			from := start.Add(time.Duration(rapid.IntRange(0, 14*24).Draw(r, "from")) * time.Hour)
			p.Absences = append(p.Absences, Absence{From: from, To: from.Add(time.Duration(rapid.IntRange(1, 72).Draw(r, "hours")) * time.Hour)})
		}
		now := start.Add(time.Duration(rapid.IntRange(0, 14*24*4).Draw(r, "now")) * 15 * time.Minute)
		next := p.NextWork(now)
		if !p.Works(next) {
			r.Fatalf("at %v they do not work with %v", next, p.Absences)
		}
		for step := now; step.Before(next); step = step.Add(15 * time.Minute) {
			if p.Works(step) {
				r.Fatalf("they work at %v already, not from %v on", step, next)
			}
		}
	})
}
