package sla

import (
	"slices"
	"time"

	"github.com/guanxi-crm/guanxi/platform/businesstime"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/calendar"
)

// Statuses of tickets, as far as clocks look at them.
const (
	statusNew      = "new"
	statusOpen     = "open"
	statusPending  = "pending"
	statusOnHold   = "on_hold"
	statusResolved = "resolved"
	statusClosed   = "closed"
)

func settled(status string) bool { return status == statusResolved || status == statusClosed }

// Measure computes every measurement of a ticket from its history, as things stand at now: first response, the rounds of
// next response, resolution. A clock without a target is left out. What happened after now is passed over.
func Measure(history []Entry, p Policy, c calendar.Calendar, now time.Time) []Measurement {
	now = cut(now)
	told := until(history, now)
	if len(told) == 0 {
		return nil
	}
	priority := classified(told)
	targets := p.targets(priority)
	var all []Measurement
	for _, m := range append(responses(told), resolution(told, p.Reopening)) {
		m.Priority, m.Target = priority, targets.Of(m.Clock)
		if m.Target > 0 {
			m.Pauses = append(m.Pauses, pauses(told, p.pausing(m.Clock), m.Started, m.Ended)...)
			all = append(all, m.reckon(p, c, now))
		}
	}
	return all
}

// cut makes all arithmetic exact to the second.
func cut(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// until gives the entries up to now, their times cut.
func until(history []Entry, now time.Time) []Entry {
	told := make([]Entry, 0, len(history))
	for _, e := range history {
		if e.At = cut(e.At); !e.At.After(now) {
			told = append(told, e)
		}
	}
	return told
}

// classified gives the priority of the last classification.
func classified(told []Entry) (priority int) {
	for _, e := range told {
		if e.What == Opened || e.What == OpenedLive || e.What == Reclassified {
			priority = e.Priority
		}
	}
	return priority
}

func (p Policy) targets(priority int) Targets {
	if priority < 1 || priority > len(p.Targets) {
		return Targets{}
	}
	return p.Targets[priority-1]
}

func (p Policy) pausing(c Clock) []string {
	if p.Pausing == nil {
		return standardPausing[c]
	}
	return p.Pausing[c]
}

var standardPausing = map[Clock][]string{Resolution: {statusPending}}

// responses gives the first response and the rounds of next response: when each started, and how it ended.
func responses(told []Entry) []Measurement {
	first := Measurement{Clock: FirstResponse, Round: 1, Started: told[0].At}
	var rounds []Measurement
	replied, waits, isSettled := false, false, false // waits: the last of the rounds has not ended
	for _, e := range told {
		switch e.What {
		case CustomerContact:
			if replied && !waits {
				rounds = append(rounds, Measurement{Clock: NextResponse, Round: len(rounds) + 1, Started: e.At})
				waits = true
			}
		case PublicReply, OpenedLive:
			replied = true
			if first.Ended.IsZero() {
				first.Done, first.Ended = e.At, e.At
			}
			if waits {
				last := &rounds[len(rounds)-1]
				last.Done, last.Ended = e.At, e.At
				waits = false
			}
		}
		if e.Status == "" {
			continue
		}
		if settled(e.Status) && !isSettled { // nobody has replied, and nobody will
			if first.Ended.IsZero() {
				first.Ended = e.At
			}
			if waits {
				rounds[len(rounds)-1].Ended = e.At
				waits = false
			}
		}
		isSettled = settled(e.Status)
	}
	return append([]Measurement{first}, rounds...)
}

// resolution gives the clock that stops when the ticket is resolved, or closed without. Reopened, it stays as it was first,
// or goes on with the time left out for which the ticket was resolved.
func resolution(told []Entry, r Reopening) Measurement {
	m := Measurement{Clock: Resolution, Round: 1, Started: told[0].At}
	for _, e := range told {
		switch {
		case e.Status == "":
		case settled(e.Status) && m.Done.IsZero():
			m.Done, m.Ended = e.At, e.At
		case !settled(e.Status) && !m.Done.IsZero() && r == Total:
			m.Pauses = append(m.Pauses, businesstime.Range{From: m.Done, To: e.At})
			m.Done, m.Ended = time.Time{}, time.Time{}
		}
	}
	return m
}

// pauses gives the times between from and to at which the ticket was in one of the statuses, clipped; a zero to has not come
// yet, and a pause that lasts has a zero To then.
func pauses(told []Entry, statuses []string, from, to time.Time) []businesstime.Range {
	if len(statuses) == 0 {
		return nil
	}
	var all []businesstime.Range
	var since time.Time
	paused := false
	end := func(at time.Time) {
		r := businesstime.Range{From: since, To: at}
		if r.From.Before(from) {
			r.From = from
		}
		if !to.IsZero() && (at.IsZero() || at.After(to)) {
			r.To = to
		}
		if r.To.IsZero() || r.From.Before(r.To) {
			all = append(all, r)
		}
	}
	for _, e := range told {
		if e.Status == "" {
			continue
		}
		switch now := slices.Contains(statuses, e.Status); {
		case now && !paused:
			since, paused = e.At, true
		case !now && paused:
			end(e.At)
			paused = false
		}
	}
	if paused {
		end(time.Time{})
	}
	return all
}

// reckon gives the measurement with its deadline, what was used, its state and the instants of its steps.
func (m Measurement) reckon(p Policy, c calendar.Calendar, now time.Time) Measurement {
	at := now
	if !m.Ended.IsZero() {
		at = m.Ended
	}
	m.Used = c.Between(m.Started, at, m.Pauses...)
	m.Difference = m.Target - m.Used
	for _, percent := range p.percents(m.Clock) {
		reach := Reach{Percent: percent, At: m.used(c, percent)}
		if percent == 100 {
			m.Due = reach.At
		}
		if !m.Ended.IsZero() && !m.Ended.After(reach.At) {
			reach.At = time.Time{}
		}
		m.Steps = append(m.Steps, reach)
	}
	m.State = m.state(now)
	if m.State == IsCancelled {
		m.Due = time.Time{}
	}
	return m
}

// used gives the instant at which so many percent of the target are used up; zero where that is not foreseen. Parts of a
// second are rounded up.
func (m Measurement) used(c calendar.Calendar, percent int) time.Time {
	part := (int64(percent)*seconds(m.Target) + 99) / 100
	at := c.Add(m.Started, time.Duration(part)*time.Second, m.Pauses...)
	if at.Equal(businesstime.Never) {
		return time.Time{}
	}
	return cut(at)
}

func (m Measurement) state(now time.Time) State {
	paused := len(m.Pauses) > 0 && m.Pauses[len(m.Pauses)-1].To.IsZero()
	switch {
	case m.Done.IsZero() && !m.Ended.IsZero():
		return IsCancelled
	case !m.Done.IsZero() && (m.Due.IsZero() || !m.Done.After(m.Due)):
		return IsMet
	case !m.Done.IsZero(), !m.Due.IsZero() && now.After(m.Due):
		return IsBreached
	case paused && m.Due.IsZero():
		return IsPaused
	}
	for _, s := range m.Steps {
		if s.Percent < 100 && !s.At.IsZero() && !s.At.After(now) {
			return IsAboutToBreach
		}
	}
	return IsPending
}

// percents gives the steps of a clock in order, the deadline among them.
func (p Policy) percents(c Clock) []int {
	all := []int{100}
	for _, s := range p.Steps {
		if s.Clock == "" || s.Clock == c {
			all = append(all, s.Percent)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
