package routing

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/services/tickets/internal/calendar"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/sla"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

// Wait is what routing remembers of a ticket that nobody has.
type Wait struct {
	TicketID   uuid.UUID
	Queue      string // that it was seen in; empty: in none yet
	Need       string // see spell
	ReleasedBy string
	Reopened   bool
	Since      time.Time // in the queue
	LookedAt   time.Time
	LookAt     time.Time // zero: not until something changes
}

// surroundings are what a look at a ticket depends on.
type surroundings struct {
	rules     Rules
	queues    map[string]Queue
	calendars *calendar.Book
	present   map[string]bool // agents
	now       time.Time
}

// outcome is what a look at a ticket leads to.
type outcome struct {
	drop   bool               // it does not wait
	assign *ticket.Assignment // another queue, or out of the hands of an agent who is not there
	wait   Wait               // where it goes on to wait
}

const (
	recheck = time.Hour       // calendars change: a time limit is looked at again
	patient = 5 * time.Minute // a ticket on which others have to act does not overflow, until they did
)

// look tells what to do about a ticket that may be waiting: choose its queue, or take it to where it overflows.
func (w Wait) look(t ticket.Ticket, facts sla.Facts, s surroundings) outcome {
	if !t.Open() || t.MergedInto != uuid.Nil {
		return outcome{drop: true}
	}
	if t.Agent != "" && (!w.Reopened || s.present[t.Agent]) {
		return outcome{drop: true}
	}
	to := ticket.Assignment{Queue: t.Queue, Reason: reasonReleased, By: process, At: s.now}
	rule, fits := s.rules.For(facts)
	if t.Queue == "" && fits && s.takes(rule.Queue) {
		to.Queue, to.Reason = rule.Queue, reasonRouted
	}
	w.Reopened, w.LookedAt, w.LookAt = false, s.now, time.Time{}
	if w.Queue != "" && w.Queue != to.Queue {
		w.ReleasedBy = "" // in another queue the other one may be the right one
	}
	if w.Queue != to.Queue || t.Agent != "" {
		w.Queue, w.Need, w.Since = to.Queue, "", s.now
		if fits && rule.Queue == to.Queue {
			w.Need = spell(rule.Skills)
		}
	}
	if t.Status == ticket.StatusNew || t.Status == ticket.StatusOpen {
		if due, q := s.overflow(w); !due.IsZero() && !due.After(s.now) {
			to.Queue, to.Reason = q.OverflowTo, reasonOverflow
			w.Queue, w.Since, w.ReleasedBy = q.OverflowTo, s.now, ""
		}
	}
	w.LookAt = s.next(w, t)
	o := outcome{wait: w}
	if to.Queue != t.Queue || t.Agent != "" {
		o.assign = &to
	}
	return o
}

func (s surroundings) takes(queue string) bool {
	q, known := s.queues[queue]
	return known && !q.Archived
}

// overflow gives when a ticket that waits goes to another queue; the zero time for never.
func (s surroundings) overflow(w Wait) (time.Time, Queue) {
	q := s.queues[w.Queue]
	if q.OverflowAfter == 0 || !s.takes(q.OverflowTo) {
		return time.Time{}, q
	}
	c := calendar.Always()
	if q.CalendarID != uuid.Nil {
		if by, ok := s.calendars.Calendar(q.CalendarID); ok {
			c = by
		}
	}
	return c.Add(w.Since, q.OverflowAfter), q
}

// next gives when to look again.
func (s surroundings) next(w Wait, t ticket.Ticket) time.Time {
	due, _ := s.overflow(w)
	switch {
	case due.IsZero():
		return due
	case !slices.Contains([]ticket.Status{ticket.StatusNew, ticket.StatusOpen}, t.Status):
		return s.now.Add(patient)
	case due.After(s.now.Add(recheck)):
		return s.now.Add(recheck)
	default:
		return due
	}
}
