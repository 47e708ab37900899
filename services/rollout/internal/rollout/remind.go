package rollout

import (
	"time"
)

const (
	reminders     = 2              // of a task that is late, before the leads are told
	reminderAfter = 48 * time.Hour // after the one before, and so are they
)

// remindAt is when somebody is next told that the task is not done; zero: never.
func (t Task) remindAt() time.Time {
	switch {
	case !t.DoneAt.IsZero() || t.DueAt.IsZero() || t.Escalated:
		return time.Time{}
	case t.Reminders == 0:
		return t.DueAt
	default:
		return t.RemindedAt.Add(reminderAfter)
	}
}

// RemindAt is when the next reminder of a task that is late is due, or its escalation; zero: of none. While a rollout is paused nobody
// is late.
func (s Standing) RemindAt() (next time.Time) {
	if s.State != Running {
		return next
	}
	for _, p := range s.Phases {
		if p.State != Working {
			continue
		}
		for _, t := range p.Tasks {
			if at := t.remindAt(); !at.IsZero() && (next.IsZero() || at.Before(next)) {
				next = at
			}
		}
	}
	return next
}

// Remind reminds of every task that is late: twice, two days apart, and two days later the leads are told, once. Whoever was late
// while the rollout was paused is reminded once when it goes on, not of all that was left out.
func (r Rollout) Remind(at time.Time) (now Rollout, done bool) {
	now = r.begun()
	if now.State != Running {
		return r, false
	}
	for i := range now.Phases {
		p := &now.Phases[i]
		if p.State != Working {
			continue
		}
		for j := range p.Tasks {
			t := &p.Tasks[j]
			if due := t.remindAt(); due.IsZero() || at.Before(due) {
				continue
			}
			action := Remind
			if t.Reminders < reminders {
				t.Reminders, t.RemindedAt = t.Reminders+1, at
			} else {
				action, t.Escalated = Escalate, true
			}
			now.step(action, "", at, StepDetail{Phase: p.Code, Round: p.Round, Task: t.Code})
			done = true
		}
	}
	if !done {
		return r, false
	}
	return now, true
}
