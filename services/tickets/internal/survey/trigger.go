package survey

import (
	"regexp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Moment is what has a survey sent.
type Moment string

// The moments, and what the filter of a trigger names: a resolution, an outcome, a touchpoint.
const (
	TicketResolved  Moment = "ticket_resolved"
	TicketClosed    Moment = "ticket_closed"
	ComplaintClosed Moment = "complaint_closed"
	Interaction     Moment = "interaction"
)

// Trigger has a survey sent when something happens.
type Trigger struct {
	ID           uuid.UUID
	Version      int64
	SurveyID     uuid.UUID
	Moment       Moment
	Filter       string // empty for any
	Channel      string // to ask by; empty for the customer's own choice
	CoolDownDays int    // a customer who was invited to whatever within as many days is left in peace
	Active       bool
	Since        time.Time // what happened before is not asked about
}

const maxCoolDown = 365

// foreign is a code of another room or service, such as a touchpoint.
var foreign = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// channels are those that accounts reaches people by.
var channels = []string{"", "email", "sms", "phone", "wechat", "wecom", "post"}

// Check names every field that is not right in a trigger.
func (t Trigger) Check() []problem.Field {
	var f faults
	if !slices.Contains([]Moment{TicketResolved, TicketClosed, ComplaintClosed, Interaction}, t.Moment) {
		f.add("moment", "moment_unknown", "must be ticket_resolved, ticket_closed, complaint_closed or interaction")
	}
	if t.Filter != "" && !foreign.MatchString(t.Filter) {
		f.add("filter", "code_invalid", "must be a code: a-z, 0-9, _ and -, at most 64; empty for any")
	}
	if !slices.Contains(channels, t.Channel) {
		f.add("channel", "channel_unknown", "must be a channel that accounts reaches people by, or empty")
	}
	if t.CoolDownDays < 0 || t.CoolDownDays > maxCoolDown {
		f.add("cooldown_days", "out_of_range", "must be 0 to %d", maxCoolDown)
	}
	if t.SurveyID == uuid.Nil {
		f.add("survey_id", "survey_missing", "must be a survey")
	}
	return f
}

// occasion is something that happened to a customer.
type occasion struct {
	moment     Moment
	source     uuid.UUID // what it is told of
	customer   uuid.UUID
	ticket     uuid.UUID
	complaint  uuid.UUID
	code       string // what filters name
	touchpoint string
	at         time.Time
}

// calls tells whether the trigger has a survey sent for the occasion.
func (t Trigger) calls(o occasion) bool {
	return t.Active && t.Moment == o.moment && (t.Filter == "" || t.Filter == o.code) && !o.at.Before(t.Since)
}
