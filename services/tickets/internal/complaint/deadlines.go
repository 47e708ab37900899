package complaint

import (
	"slices"
	"time"

	"github.com/guanxi-crm/guanxi/services/tickets/internal/calendar"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/policy"
)

// Deadline is one that holds for the whole of a complaint, whatever step it is in.
type Deadline string

// The deadlines.
const (
	Acknowledgement Deadline = "acknowledgement"
	FinalAnswer     Deadline = "final_answer" // the legal one
)

// Alarm is a moment at which a deadline comes near, or passes.
type Alarm struct {
	At       time.Time `json:"at"`
	Deadline Deadline  `json:"deadline"`
	DaysLeft int       `json:"days_left,omitempty"` // working days until it passes; 0: it passes
}

// setAlarms says until when a new complaint has to be acknowledged and finally answered. Nothing pauses either: they are set
// once, and only doing what they ask for takes them away.
func (c *Complaint) setAlarms(p policy.Policy, days calendar.Calendar, now time.Time) {
	c.AcknowledgeBy = now.Add(p.AcknowledgeWithin)
	c.Alarms = []Alarm{{At: c.AcknowledgeBy, Deadline: Acknowledgement}}
	if p.LegalDays > 0 {
		c.LegalDueAt = days.AddDays(now, p.LegalDays)
		c.Alarms = append(c.Alarms, Alarm{At: c.LegalDueAt, Deadline: FinalAnswer})
		for _, left := range p.LegalWarnDays {
			if left < p.LegalDays {
				c.Alarms = append(c.Alarms, Alarm{At: days.AddDays(now, p.LegalDays-left), Deadline: FinalAnswer, DaysLeft: left})
			}
		}
	}
	slices.SortStableFunc(c.Alarms, func(a, b Alarm) int { return a.At.Compare(b.At) })
}

// nextAlarm gives the alarm that rings next; ok is false where none does.
func (c Complaint) nextAlarm() (a Alarm, ok bool) {
	if c.Stage == Closed || len(c.Alarms) == 0 {
		return a, false
	}
	return c.Alarms[0], true
}

// silenceAlarms takes those of a deadline away, since what it asks for was done.
func (c *Complaint) silenceAlarms(d Deadline) {
	c.Alarms = slices.DeleteFunc(slices.Clone(c.Alarms), func(a Alarm) bool { return a.Deadline == d })
}

// missAlarms takes away those that would have rung while the complaint was closed.
func (c *Complaint) missAlarms(now time.Time) {
	c.Alarms = slices.DeleteFunc(slices.Clone(c.Alarms), func(a Alarm) bool { return !a.At.After(now) })
}

// ring has every alarm that was to ring until then rung.
func (c *Complaint) ring(until, now time.Time) (rung bool) {
	for a, ok := c.nextAlarm(); ok && !a.At.After(until); a, ok = c.nextAlarm() {
		action, due := Miss, a.At
		if a.DaysLeft > 0 {
			action, due = Warn, c.LegalDueAt
		}
		c.happened(Step{Action: action, By: process, At: now, Detail: StepDetail{Deadline: a.Deadline, DueAt: due, DaysLeft: a.DaysLeft}})
		c.Alarms, rung = c.Alarms[1:], true
	}
	return rung
}

// Overdue is what happens when nothing was done until dueAt. What was to ring by then rings. The present step, if it was
// due at that moment, is reminded of; an approval goes one level up, a customer who was reminded often enough is taken to be
// silent, and one who gives no verdict on a remedy is not waited for. It changes nothing where somebody was faster.
func (c Complaint) Overdue(dueAt time.Time, p policy.Policy, now time.Time) Complaint {
	rung := c.ring(dueAt, now)
	if rung {
		c.Version++
	}
	if c.Stage == Closed || c.Stage == Accepted || !c.DueAt.Equal(dueAt) {
		return c
	}
	if !rung {
		c.Version++
	}
	switch {
	case c.Stage == Verifying:
		c.happened(Step{Action: Silence, By: process, At: now})
		c.end(c.agreed(), p, now)
		return c
	case c.Stage == Offered && c.Reminders >= p.Reminders:
		return c.silence(p, now)
	}
	reminders := c.Reminders + 1
	c.enter(c.Stage, p, now)
	c.Reminders = reminders
	if c.Stage == Proposed && c.Proposal.Approval == policy.Manager {
		raised := *c.Proposal
		raised.Approval = policy.Director
		c.Proposal = &raised
	}
	c.happened(Step{Action: Remind, By: process, At: now})
	return c
}

// Cancelled is a complaint whose process was cancelled by an operator: withdrawn, unless something was carried out already, or
// is being, or it is closed.
func (c Complaint) Cancelled(p policy.Policy, now time.Time) Complaint {
	switch c.Stage {
	case Accepted, Closed:
		return c
	case Verifying:
		c.Version++
		c.happened(Step{Action: Silence, By: process, At: now})
		c.end(c.agreed(), p, now)
		return c
	}
	c.Version++
	c.happened(Step{Action: Withdraw, By: process, At: now})
	c.end(Withdrawn, p, now)
	return c
}
