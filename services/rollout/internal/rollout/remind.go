package rollout

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	rolloutv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/rollout/events/v1"
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
			if due := p.Tasks[j].remindAt(); due.IsZero() || at.Before(due) {
				continue
			}
			now.overdue(p, &p.Tasks[j], at)
			done = true
		}
	}
	if !done {
		return r, false
	}
	return now, true
}

// overdue has those told whom a task concerns that is late.
func (r *Rollout) overdue(p *Phase, t *Task, at time.Time) {
	owner, role := r.wanted(Decision{Action: Complete, Phase: p.Code, Task: t.Code})
	told := &rolloutv1.TaskOverdue{
		RolloutId: r.ID.String(), Phase: p.Code, Round: int32(p.Round), Task: t.Code, Owner: owner, Role: role, DueAt: timestamppb.New(t.DueAt), At: timestamppb.New(at),
	}
	action := Remind
	if t.Reminders < reminders {
		t.Reminders, t.RemindedAt = t.Reminders+1, at
		told.Reminder = int32(t.Reminders)
	} else {
		action, t.Escalated = Escalate, true
		told.Escalated = true
	}
	r.step(action, "", at, StepDetail{Phase: p.Code, Round: p.Round, Task: t.Code})
	r.tell(told)
}
