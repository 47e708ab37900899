package sla

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/guanxi-crm/guanxi/platform/businesstime"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/calendar"
)

// hours makes a calendar of Berlin: days such as "mon-fri 09:00-12:00 13:00-18:00", and holidays by date.
func hours(t *testing.T, days string, holidays ...string) calendar.Calendar {
	t.Helper()
	d := calendar.Draft{Name: "x", Zone: "Europe/Berlin"}
	w := &d.Hours.Week
	week := []*[]businesstime.Interval{&w.Monday, &w.Tuesday, &w.Wednesday, &w.Thursday, &w.Friday, &w.Saturday, &w.Sunday}
	for part := range strings.SplitSeq(days, ";") {
		words := strings.Fields(part)
		first, last, several := strings.Cut(words[0], "-")
		if !several {
			last = first
		}
		for i := strings.Index("montuewedthufrisatsun", first) / 3; i <= strings.Index("montuewedthufrisatsun", last)/3; i++ {
			for _, word := range words[1:] {
				from, to, _ := strings.Cut(word, "-")
				begin, ok := businesstime.ParseClock(from)
				end, also := businesstime.ParseClock(to)
				if !ok || !also {
					t.Fatalf("%q are no hours", word)
				}
				*week[i] = append(*week[i], businesstime.Interval{From: begin, To: end})
			}
		}
	}
	for _, h := range holidays {
		date, ok := businesstime.ParseDate(h)
		if !ok {
			t.Fatalf("%q is no date", h)
		}
		d.Hours.Years = append(d.Hours.Years, businesstime.Year{Year: date.Year(), Holidays: []businesstime.Holiday{{Date: date}}})
	}
	c, faults := d.Calendar()
	if len(faults) > 0 {
		t.Fatalf("%v", faults)
	}
	return c
}

// berlin reads what clocks in Berlin show, such as "2026-03-02 09:00" or "2026-03-02 09:00:01".
func berlin(t *testing.T, s string) time.Time {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	if len(s) == len("2006-01-02 15:04") {
		s += ":00"
	}
	at, err := time.ParseInLocation("2006-01-02 15:04:05", s, zone)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// story reads a history of lines such as "2026-03-02 09:00 status pending", all of priority 3 unless a line says p1 to p5.
func story(t *testing.T, lines string) (history []Entry, now time.Time) {
	t.Helper()
	for line := range strings.SplitSeq(strings.TrimSpace(lines), "\n") {
		words := strings.Fields(line)
		e := Entry{At: berlin(t, words[0]+" "+words[1]), What: What(words[2]), Priority: 3}
		if words[2] == "now" {
			return history, e.At
		}
		if len(words) > 3 && e.What == StatusChanged {
			e.Status = words[3]
		} else if len(words) > 3 {
			e.Priority = int(words[3][1] - '0')
		}
		history = append(history, e)
	}
	t.Fatal("the story does not say when it is told")
	return nil, time.Time{}
}

// told writes measurements as the tables do: clock, state, deadline, business minutes used and left.
func told(all []Measurement) string {
	zone, _ := time.LoadLocation("Europe/Berlin")
	var lines []string
	for _, m := range all {
		due := "-"
		if !m.Due.IsZero() {
			due = m.Due.In(zone).Format("2006-01-02 15:04:05")
		}
		name := string(m.Clock)
		if m.Clock == NextResponse {
			name += fmt.Sprintf(" %d", m.Round)
		}
		lines = append(lines, fmt.Sprintf("%s %s, due %s, used %.2f, left %.2f", name, m.State, due, m.Used.Minutes(), m.Difference.Minutes()))
	}
	if due, clock, ok := Next(all); ok {
		lines = append(lines, fmt.Sprintf("next %s %s", due.In(zone).Format("2006-01-02 15:04:05"), clock))
	}
	return strings.Join(lines, "\n")
}

// office is open 8 hours a day, with a break.
const office = "mon-fri 09:00-12:00 13:00-18:00"

// promise answers within 1 hour, again within 2, and resolves within 8, of business time; the most urgent in a quarter of it.
func promise() Policy {
	p := Policy{Name: "x"}.Defaults()
	for i := range p.Targets {
		p.Targets[i] = Targets{time.Hour, 2 * time.Hour, 8 * time.Hour}
	}
	p.Targets[0] = Targets{15 * time.Minute, 30 * time.Minute, 2 * time.Hour}
	return p
}

func only(p Policy, c Clock) Policy {
	for i, t := range p.Targets {
		switch c {
		case FirstResponse:
			p.Targets[i] = Targets{FirstResponse: t.FirstResponse}
		case NextResponse:
			p.Targets[i] = Targets{NextResponse: t.NextResponse}
		default:
			p.Targets[i] = Targets{Resolution: t.Resolution}
		}
	}
	return p
}

func TestClocks(t *testing.T) {
	t.Parallel()
	total := promise()
	total.Reopening = Total
	held := promise()
	held.Pausing = map[Clock][]string{FirstResponse: {"on_hold"}, NextResponse: {"on_hold"}, Resolution: {"pending", "on_hold"}}
	always := "mon-sun 00:00-24:00"
	for _, c := range []struct {
		name     string
		policy   Policy
		days     string
		holidays []string
		story    string
		want     string
	}{
		{"an hour before the lunch break", only(promise(), FirstResponse), office, nil, `
			2026-03-02 11:30 opened
			2026-03-02 13:15 public_reply
			2026-03-02 14:00 now`, `
			first_response met, due 2026-03-02 13:30:00, used 45.00, left 15.00`},
		{"a target that is used up by the break is due when the break begins", only(promise(), FirstResponse), office, nil, `
			2026-03-02 11:00 opened
			2026-03-02 12:30 now`, `
			first_response breached, due 2026-03-02 12:00:00, used 60.00, left 0.00
			next 2026-03-02 12:00:00 first_response`},
		{"created in the evening", promise(), office, nil, `
			2026-03-02 20:00 opened
			2026-03-03 08:00 now`, `
			first_response pending, due 2026-03-03 10:00:00, used 0.00, left 60.00
			resolution pending, due 2026-03-03 18:00:00, used 0.00, left 480.00
			next 2026-03-03 10:00:00 first_response`},
		{"created on Saturday, with a holiday on Monday", promise(), office, []string{"2026-03-09"}, `
			2026-03-07 11:00 opened
			2026-03-10 09:50 now`, `
			first_response about_to_breach, due 2026-03-10 10:00:00, used 50.00, left 10.00
			resolution pending, due 2026-03-10 18:00:00, used 50.00, left 430.00
			next 2026-03-10 10:00:00 first_response`},
		{"over the end of the year", only(promise(), Resolution), office, []string{"2026-12-25", "2027-01-01"}, `
			2026-12-31 17:00 opened
			2027-01-04 10:30 status resolved
			2027-01-04 11:00 now`, `
			resolution met, due 2027-01-04 17:00:00, used 150.00, left 330.00`},
		{"the night in which an hour is missing", only(promise(), Resolution), always, nil, `
			2026-03-28 22:00 opened
			2026-03-29 08:00 now`, `
			resolution breached, due 2026-03-29 07:00:00, used 540.00, left -60.00
			next 2026-03-29 07:00:00 resolution`},
		{"the night in which an hour comes twice", only(promise(), Resolution), always, nil, `
			2026-10-24 22:00 opened
			2026-10-25 04:00 now`, `
			resolution about_to_breach, due 2026-10-25 05:00:00, used 420.00, left 60.00
			next 2026-10-25 05:00:00 resolution`},
		{"paused over a weekend", only(promise(), Resolution), office, nil, `
			2026-03-06 15:00 opened
			2026-03-06 17:00 status pending
			2026-03-09 11:00 status open
			2026-03-09 11:00 now`, `
			resolution pending, due 2026-03-09 18:00:00, used 120.00, left 360.00
			next 2026-03-09 18:00:00 resolution`},
		{"while all is paused there is no deadline", promise(), office, nil, `
			2026-03-06 15:00 opened
			2026-03-06 15:30 public_reply
			2026-03-06 15:30 status pending
			2026-03-09 11:00 now`, `
			first_response met, due 2026-03-06 16:00:00, used 30.00, left 30.00
			resolution paused, due -, used 30.00, left 450.00`},
		{"what was overdue before the pause stays so", only(promise(), Resolution), office, nil, `
			2026-03-02 09:00 opened
			2026-03-03 10:00 status pending
			2026-03-03 12:00 now`, `
			resolution breached, due 2026-03-02 18:00:00, used 540.00, left -60.00
			next 2026-03-02 18:00:00 resolution`},
		{"statuses that pause are listed by clock", held, office, nil, `
			2026-03-02 09:00 opened
			2026-03-02 09:15 status on_hold
			2026-03-02 10:15 status pending
			2026-03-02 10:30 now`, `
			first_response pending, due 2026-03-02 11:00:00, used 30.00, left 30.00
			resolution paused, due -, used 15.00, left 465.00
			next 2026-03-02 11:00:00 first_response`},
		{"opened in a live call", promise(), office, nil, `
			2026-03-02 09:00 opened_live
			2026-03-02 10:00 customer_contact
			2026-03-02 10:30 now`, `
			first_response met, due 2026-03-02 10:00:00, used 0.00, left 60.00
			next_response 1 pending, due 2026-03-02 12:00:00, used 30.00, left 90.00
			resolution pending, due 2026-03-02 18:00:00, used 90.00, left 390.00
			next 2026-03-02 12:00:00 next_response`},
		{"several mails of the customer in a row", only(promise(), NextResponse), office, nil, `
			2026-03-02 09:00 opened
			2026-03-02 09:05 customer_contact
			2026-03-02 09:10 public_reply
			2026-03-02 09:30 customer_contact
			2026-03-02 10:30 customer_contact
			2026-03-02 11:00 customer_contact
			2026-03-02 11:20 public_reply
			2026-03-02 11:25 public_reply
			2026-03-02 11:50 customer_contact
			2026-03-02 14:51 public_reply
			2026-03-02 15:00 now`, `
			next_response 1 met, due 2026-03-02 11:30:00, used 110.00, left 10.00
			next_response 2 breached, due 2026-03-02 14:50:00, used 121.00, left -1.00`},
		{"the agent writes first", promise(), office, nil, `
			2026-03-02 09:00 opened
			2026-03-02 09:00 public_reply
			2026-03-02 09:40 public_reply
			2026-03-02 10:00 now`, `
			first_response met, due 2026-03-02 10:00:00, used 0.00, left 60.00
			resolution pending, due 2026-03-02 18:00:00, used 60.00, left 420.00
			next 2026-03-02 18:00:00 resolution`},
		{"automatic replies and notes answer nothing", promise(), office, nil, `
			2026-03-02 09:00 opened
			2026-03-02 09:01 automatic_reply
			2026-03-02 09:20 note
			2026-03-02 09:48 now`, `
			first_response about_to_breach, due 2026-03-02 10:00:00, used 48.00, left 12.00
			resolution pending, due 2026-03-02 18:00:00, used 48.00, left 432.00
			next 2026-03-02 10:00:00 first_response`},
		{"resolved without a reply", promise(), office, nil, `
			2026-03-02 09:00 opened
			2026-03-02 09:30 status resolved
			2026-03-02 10:00 now`, `
			first_response cancelled, due -, used 30.00, left 30.00
			resolution met, due 2026-03-02 18:00:00, used 30.00, left 450.00`},
		{"resolved while a customer waits, who writes again", promise(), office, nil, `
			2026-03-02 09:00 opened
			2026-03-02 09:30 public_reply
			2026-03-02 10:00 customer_contact
			2026-03-02 10:30 status resolved
			2026-03-02 11:00 customer_contact
			2026-03-02 11:00 status open
			2026-03-02 11:30 now`, `
			first_response met, due 2026-03-02 10:00:00, used 30.00, left 30.00
			next_response 1 cancelled, due -, used 30.00, left 90.00
			next_response 2 pending, due 2026-03-02 14:00:00, used 30.00, left 90.00
			resolution met, due 2026-03-02 18:00:00, used 90.00, left 390.00
			next 2026-03-02 14:00:00 next_response`},
		{"reopened, and the first time counts", only(promise(), Resolution), office, nil, `
			2026-03-02 09:00 opened
			2026-03-02 11:00 status resolved
			2026-03-03 11:00 status open
			2026-03-05 11:00 status resolved
			2026-03-05 12:00 now`, `
			resolution met, due 2026-03-02 18:00:00, used 120.00, left 360.00`},
		{"reopened, and the total counts", only(total, Resolution), office, nil, `
			2026-03-02 09:00 opened
			2026-03-02 11:00 status resolved
			2026-03-03 11:00 status open
			2026-03-03 18:00 status closed
			2026-03-03 19:00 now`, `
			resolution met, due 2026-03-03 18:00:00, used 480.00, left 0.00`},
		{"reopened, and the total goes on", only(total, Resolution), office, nil, `
			2026-03-02 09:00 opened
			2026-03-02 11:00 status resolved
			2026-03-02 15:00 status closed
			2026-03-03 11:00 status open
			2026-03-03 12:00 status pending
			2026-03-04 09:00 status open
			2026-03-04 10:00 now`, `
			resolution pending, due 2026-03-04 15:00:00, used 240.00, left 240.00
			next 2026-03-04 15:00:00 resolution`},
		{"done in the second of the deadline", only(promise(), FirstResponse), office, nil, `
			2026-03-02 09:00:07 opened
			2026-03-02 10:00:07 public_reply
			2026-03-02 11:00 now`, `
			first_response met, due 2026-03-02 10:00:07, used 60.00, left 0.00`},
		{"done a second later", only(promise(), FirstResponse), office, nil, `
			2026-03-02 09:00:07 opened
			2026-03-02 10:00:08 public_reply
			2026-03-02 11:00 now`, `
			first_response breached, due 2026-03-02 10:00:07, used 60.02, left -0.02`},
		{"done after closing, when it was due at closing", only(promise(), FirstResponse), office, nil, `
			2026-03-02 17:00 opened
			2026-03-02 18:00:01 public_reply
			2026-03-03 09:00 now`, `
			first_response breached, due 2026-03-02 18:00:00, used 60.00, left 0.00`},
		{"classified as more urgent", promise(), office, nil, `
			2026-03-02 09:00 opened p4
			2026-03-02 09:10 reclassified p1
			2026-03-02 09:14 now`, `
			first_response about_to_breach, due 2026-03-02 09:15:00, used 14.00, left 1.00
			resolution pending, due 2026-03-02 11:00:00, used 14.00, left 106.00
			next 2026-03-02 09:15:00 first_response`},
		{"before it was opened", promise(), office, nil, `
			2026-03-02 09:00 opened
			2026-03-02 08:59:59 now`, ``},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			history, now := story(t, c.story)
			got := told(Measure(history, c.policy, hours(t, c.days, c.holidays...), now))
			if want := strings.ReplaceAll(strings.TrimSpace(c.want), "\t", ""); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestAPolicyThatIsChangedAfterTheFactLeavesTheVersionAlone(t *testing.T) {
	t.Parallel()
	history, now := story(t, `
		2026-03-02 09:00 opened
		2026-03-02 09:40 public_reply
		2026-03-02 10:00 now`)
	before := promise()
	after := before // versions are values: one that is changed is another one
	after.Targets[2].FirstResponse = 30 * time.Minute
	open := hours(t, office)
	if m := Measure(history, before, open, now)[0]; m.State != IsMet || m.Difference != 20*time.Minute {
		t.Errorf("%+v", m)
	}
	if m := Measure(history, after, open, now)[0]; m.State != IsBreached || m.Difference != -10*time.Minute {
		t.Errorf("%+v", m)
	}
}

func TestWhatAPolicyLeavesOutIsNotMeasured(t *testing.T) {
	t.Parallel()
	history, now := story(t, `
		2026-03-02 09:00 opened
		2026-03-02 10:00 now`)
	if got := Measure(history, Policy{}, calendar.Always(), now); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	if _, _, ok := Next(nil); ok {
		t.Error("nothing is due next")
	}
}

func TestStepsAreReachedInBusinessTime(t *testing.T) {
	t.Parallel()
	p := only(promise(), Resolution)
	p.Steps = []Step{{Percent: 50, Action: Warn}, {Clock: FirstResponse, Percent: 10, Action: Warn}, {Percent: 150, Action: RaisePriority}}
	for _, c := range []struct{ story, want string }{
		{"2026-03-02 16:00 opened\n2026-03-02 17:00 now", "50% 2026-03-03 11:00:00, 100% 2026-03-03 16:00:00, 150% 2026-03-04 11:00:00"},
		{"2026-03-02 16:00 opened\n2026-03-03 12:00 status pending\n2026-03-04 12:00 now", "50% 2026-03-03 11:00:00, 100% -, 150% -"},
		{"2026-03-02 16:00 opened\n2026-03-03 16:00 status resolved\n2026-03-04 12:00 now", "50% 2026-03-03 11:00:00, 100% -, 150% -"},
		{"2026-03-02 16:00 opened\n2026-03-03 16:01 status resolved\n2026-03-04 12:00 now", "50% 2026-03-03 11:00:00, 100% 2026-03-03 16:00:00, 150% -"},
	} {
		history, now := story(t, c.story)
		var got []string
		zone, _ := time.LoadLocation("Europe/Berlin")
		for _, s := range Measure(history, p, hours(t, office), now)[0].Steps {
			at := "-"
			if !s.At.IsZero() {
				at = s.At.In(zone).Format("2006-01-02 15:04:05")
			}
			got = append(got, fmt.Sprintf("%d%% %s", s.Percent, at))
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("got %s\nwant %s", strings.Join(got, ", "), c.want)
		}
	}
}
