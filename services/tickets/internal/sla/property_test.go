package sla

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// watch is one clock, run by hand: it sees every minute.
type watch struct {
	clock           Clock
	started         time.Time
	target          int // minutes; so are the next two
	used            int
	ghost           int // used, and what would be were it not done
	due             time.Time
	done, cancelled time.Time
}

func (w *watch) ended() bool { return !w.done.IsZero() || !w.cancelled.IsZero() }

// slow is the meaning of the clocks, written down without any thought of speed: it runs through a history minute by minute,
// and shares nothing with what it judges but the types.
type slow struct {
	first, resolution *watch
	rounds            []*watch
	replied           bool
	status            string
}

func (s *slow) all() []*watch { return append(append([]*watch{s.first}, s.rounds...), s.resolution) }

func (s *slow) waiting() *watch {
	if n := len(s.rounds); n > 0 && !s.rounds[n-1].ended() {
		return s.rounds[n-1]
	}
	return nil
}

func (s *slow) hear(e Entry, reopening Reopening) {
	open := []*watch{s.first, s.waiting()}
	open = slices.DeleteFunc(open, func(w *watch) bool { return w == nil || w.ended() })
	switch e.What {
	case CustomerContact:
		if s.replied && s.waiting() == nil {
			s.rounds = append(s.rounds, &watch{clock: NextResponse, started: e.At, target: 60})
		}
	case PublicReply, OpenedLive:
		s.replied = true
		for _, w := range open {
			w.done = e.At
		}
	case StatusChanged:
		is, was := e.Status == "resolved" || e.Status == "closed", s.status == "resolved" || s.status == "closed"
		switch {
		case is && !was:
			for _, w := range open {
				w.cancelled = e.At
			}
			if s.resolution.done.IsZero() {
				s.resolution.done = e.At
			}
		case was && !is && reopening == Total:
			w := s.resolution
			if w.due.After(w.done) {
				w.due = time.Time{}
			}
			w.done, w.ghost = time.Time{}, w.used
		}
		s.status = e.Status
	}
}

// run gives the clocks as they stand at now.
func run(history []Entry, p Policy, now time.Time, business func(time.Time) bool) []*watch {
	s := &slow{
		first:      &watch{clock: FirstResponse, started: history[0].At, target: 45},
		resolution: &watch{clock: Resolution, started: history[0].At, target: 300},
	}
	for at := history[0].At; at.Before(now.AddDate(0, 0, 14)); at = at.Add(time.Minute) {
		for len(history) > 0 && history[0].At.Equal(at) && !at.After(now) {
			s.hear(history[0], p.Reopening)
			history = history[1:]
		}
		for _, w := range s.all() {
			paused := !w.ended() && slices.Contains(p.Pausing[w.clock], s.status)
			if paused || !business(at) {
				continue
			}
			if !w.ended() && at.Before(now) {
				w.used++
			}
			if w.ghost++; w.ghost == w.target {
				w.due = at.Add(time.Minute)
			}
		}
	}
	return s.all()
}

func (w *watch) state(now time.Time, paused bool) State {
	switch {
	case !w.cancelled.IsZero():
		return IsCancelled
	case !w.done.IsZero() && !w.done.After(w.due):
		return IsMet
	case !w.done.IsZero(), !w.due.IsZero() && now.After(w.due):
		return IsBreached
	case paused && w.due.IsZero():
		return IsPaused
	case w.used*100 >= w.target*80:
		return IsAboutToBreach
	default:
		return IsPending
	}
}

// officeHours says whether the office is open, without asking the calendar.
func officeHours(at time.Time) bool {
	local := at.In(mustBerlin())
	minute := local.Hour()*60 + local.Minute()
	return local.Weekday() >= time.Monday && local.Weekday() <= time.Friday &&
		(minute >= 9*60 && minute < 12*60 || minute >= 13*60 && minute < 18*60)
}

var mustBerlin = sync.OnceValue(func() *time.Location {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	return zone
})

// anyHistory draws a history of up to 25 entries from a Thursday on, in the weeks in which the clock changes or not.
func anyHistory(t *rapid.T) []Entry {
	day := rapid.SampledFrom([]int{5, 26}).Draw(t, "day")
	at := time.Date(2026, time.March, day, 0, 0, 0, 0, mustBerlin()).Add(time.Duration(rapid.IntRange(0, 3*24*60).Draw(t, "minute")) * time.Minute)
	history := []Entry{{At: at, What: rapid.SampledFrom([]What{Opened, Opened, OpenedLive}).Draw(t, "opening"), Priority: 3}}
	statuses := []string{"open", "pending", "on_hold", "resolved", "closed"}
	whats := []What{CustomerContact, PublicReply, StatusChanged, StatusChanged, AutomaticReply, Note}
	for range rapid.IntRange(0, 25).Draw(t, "entries") {
		at = at.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 7, 30, 61, 200, 700}).Draw(t, "gap")) * time.Minute)
		e := Entry{At: at, What: rapid.SampledFrom(whats).Draw(t, "what")}
		if e.What == StatusChanged {
			e.Status = rapid.SampledFrom(statuses).Draw(t, "status")
		}
		history = append(history, e)
	}
	return history
}

func TestMeasureIsWhatAMinuteByMinuteWatchSees(t *testing.T) {
	t.Parallel()
	open := hours(t, office)
	rapid.Check(t, func(t *rapid.T) {
		history := anyHistory(t)
		last := history[len(history)-1].At
		now := history[0].At.Add(time.Duration(rapid.IntRange(0, int(last.Sub(history[0].At)/time.Minute)+2000).Draw(t, "now")) * time.Minute)
		p := Policy{Reopening: rapid.SampledFrom([]Reopening{First, Total}).Draw(t, "reopening"), Pausing: map[Clock][]string{}}
		for i := range p.Targets {
			p.Targets[i] = Targets{45 * time.Minute, time.Hour, 5 * time.Hour}
		}
		p.Steps = []Step{{Percent: 80, Action: Warn}}
		for _, c := range Clocks() {
			p.Pausing[c] = rapid.SampledFrom([][]string{nil, {"pending"}, {"on_hold", "pending"}}).Draw(t, "pausing")
		}
		status := "new"
		for _, e := range history {
			if e.Status != "" && !e.At.After(now) {
				status = e.Status
			}
		}
		var want, got []string
		for _, w := range run(history, p, now, officeHours) {
			state := w.state(now, slices.Contains(p.Pausing[w.clock], status))
			due := w.due
			if state == IsCancelled {
				due = time.Time{}
			}
			want = append(want, fmt.Sprintf("%s %s from %d due %d done %d used %d", w.clock, state, w.started.Unix(), due.Unix(), w.done.Unix(), w.used))
		}
		for _, m := range Measure(history, p, open, now) {
			got = append(got, fmt.Sprintf("%s %s from %d due %d done %d used %d", m.Clock, m.State, m.Started.Unix(), m.Due.Unix(), m.Done.Unix(), int(m.Used/time.Minute)))
			if m.Used%time.Minute != 0 || m.Difference != m.Target-m.Used {
				t.Errorf("%+v", m)
			}
		}
		if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
			t.Errorf("at %s of %v\ngot\n%s\nwant\n%s", now, history, g, w)
		}
	})
}
