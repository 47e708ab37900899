package opportunity

import (
	"time"

	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
)

// dayLong is how long an opportunity may be without a next step, and how long a next step's day is. Days are UTC's.
const dayLong = 24 * time.Hour

// stalled gives why it is stalled as of a moment, empty where it goes on, and when it may stall next, zero for never, if nobody
// touches it. Of several reasons the first holds: its age, a next step that is overdue, none.
func (o Opportunity) stalled(s pipeline.Stage, now time.Time) (reason string, next time.Time) {
	if o.State != Open {
		return "", time.Time{}
	}
	check := func(why string, at time.Time) {
		switch {
		case !at.After(now):
			if reason == "" {
				reason = why
			}
		case next.IsZero() || at.Before(next):
			next = at
		}
	}
	if s.AgeLimitDays > 0 {
		check(StallAge, o.StageSince.Add(time.Duration(s.AgeLimitDays)*dayLong))
	}
	if o.NextStep != "" {
		check(StallOverdue, o.NextStepOn.Add(dayLong))
	} else {
		check(StallNoStep, o.NextStepSince.Add(dayLong))
	}
	return reason, next
}

// mended gives it as it is after a change: one that stalled goes on again where nothing keeps it any more. That it stalled is
// found by the scan, see Opportunities.Scan, at LookAt or soon after.
func (o Opportunity) mended(s pipeline.Stage, now time.Time) Opportunity {
	reason, next := o.stalled(s, now)
	switch {
	case o.Stall.Reason != "" && reason != "":
		o.Stall.Reason, o.LookAt = reason, time.Time{} // it still is
	case reason != "":
		o.LookAt = now
	default:
		o.Stall, o.LookAt, o.FollowUpAt = Stall{}, next, time.Time{}
	}
	return o
}

// found gives it as the scan finds it; anew is true where it was not known before that it stalled.
func (o Opportunity) found(s pipeline.Stage, now time.Time) (_ Opportunity, anew bool) {
	was := o.Stall
	if o = o.mended(s, now); o.LookAt.IsZero() || o.LookAt.After(now) || was.Reason != "" {
		return o, false
	}
	reason, _ := o.stalled(s, now)
	o.Stall, o.Stalls, o.LookAt, o.FollowUpAt = Stall{At: now, Reason: reason}, o.Stalls+1, time.Time{}, now
	return o, true
}
