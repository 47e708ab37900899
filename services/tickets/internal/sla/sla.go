// Package sla promises how soon a ticket is answered and resolved, and measures it: policies that pick tickets by
// conditions, and three clocks that are computed, in business time, from nothing but a ticket's history.
package sla

import (
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/businesstime"
)

// Clock is one of the three things that a policy promises.
type Clock string

// The clocks.
const (
	FirstResponse Clock = "first_response" // from the creation to the first public reply of an agent
	NextResponse  Clock = "next_response"  // from a customer's word that waits to the next public reply, measured in rounds
	Resolution    Clock = "resolution"     // from the creation to resolved
)

// Clocks are all of them, in the order in which they are shown.
func Clocks() []Clock { return []Clock{FirstResponse, NextResponse, Resolution} }

// What says what an entry of a history is.
type What string

// What the clocks look at in a history. Anything else is passed over.
const (
	Opened          What = "opened"
	OpenedLive      What = "opened_live" // in a call or at the counter: responded at creation
	CustomerContact What = "customer_contact"
	PublicReply     What = "public_reply"    // of an agent: the only thing that answers
	AutomaticReply  What = "automatic_reply" // answers nothing
	Note            What = "note"            // answers nothing
	StatusChanged   What = "status"
	Reclassified    What = "reclassified" // facts that pick a policy were changed: kind, category, impact, urgency
)

// Entry is one line of a ticket's history. A history begins with its opening and is in the order in which things happened;
// entries of one instant keep their order.
type Entry struct {
	At       time.Time
	What     What
	Status   string // of the ticket after it: new, open, pending, on_hold, resolved or closed; empty: as it was
	Priority int    // of opened, opened_live and reclassified: 1 to 5. It picks the targets
}

// State is how a measurement stands.
type State string

// The states.
const (
	IsPending       State = "pending"
	IsPaused        State = "paused" // the ticket's status does not count for this clock
	IsAboutToBreach State = "about_to_breach"
	IsBreached      State = "breached" // not done by the deadline, or done after it
	IsMet           State = "met"      // done at or before the deadline
	IsCancelled     State = "cancelled"
)

// Measurement is one round of one clock. Its times are cut to seconds, as is all that is reckoned with them.
type Measurement struct {
	Clock      Clock
	Round      int // from 1; always 1 but for next_response
	Priority   int // by which the target was picked
	Started    time.Time
	Target     time.Duration        // of business time
	Pauses     []businesstime.Range // what did not count; a zero To has not ended
	Due        time.Time            // zero while paused, unless it passed before, and where cancelled
	Done       time.Time            // zero where it is not
	Ended      time.Time            // when it was done or cancelled; zero where it still matters
	State      State
	Used       time.Duration // business time until it ended, or now
	Difference time.Duration // Target less Used; negative where it was late
	Steps      []Reach       // steps of the policy with the instants at which they were or will be reached, in order
}

// Running says that the clock is among those of which the earliest deadline is the ticket's: not done, and not paused, or
// overdue.
func (m Measurement) Running() bool { return m.Ended.IsZero() && !m.Due.IsZero() }

// Reach is a step of a policy at a measurement.
type Reach struct {
	Percent int       // of the target; 100 is the deadline, whether the policy names it or not
	At      time.Time // when so much of the target is used up; zero where that is not foreseen: the clock is paused, or ended by then
}

// Tell gives the instant from which it can be said that the step was reached: what is done within the second of a deadline
// is done in time.
func (r Reach) Tell() time.Time { return r.At.Add(time.Second) }

// Reopening says what the resolution clock makes of a ticket that is reopened.
type Reopening string

// The settings.
const (
	First Reopening = "first" // the first time it was resolved counts
	Total Reopening = "total" // the clock goes on; the time for which the ticket was resolved is left out
)

// Targets are what a policy promises for one priority, in business time; 0 promises nothing.
type Targets struct{ FirstResponse, NextResponse, Resolution time.Duration }

// Of gives the target of a clock.
func (t Targets) Of(c Clock) time.Duration {
	switch c {
	case FirstResponse:
		return t.FirstResponse
	case NextResponse:
		return t.NextResponse
	default:
		return t.Resolution
	}
}

// Action is what is done when a step is reached, beside telling of it.
type Action string

// The actions.
const (
	Warn          Action = "warn"
	RaisePriority Action = "raise_priority"
	AssignQueue   Action = "assign_queue"
)

// Step is a step of escalation.
type Step struct {
	Clock   Clock // empty for each
	Percent int   // of the target: below 100 warns, 100 is the breach, above tells by how much it was overdrawn
	Action  Action
	Queue   string // of assign_queue
}

// Policy is one version of a service level policy. The zero Policy promises nothing.
type Policy struct {
	ID         uuid.UUID
	Version    int64
	Name       string
	Position   int                // policies are tried in this order
	Condition  string             // CEL over Facts; empty fits every ticket
	CalendarID uuid.UUID          // Nil: the tenant's default
	Targets    [5]Targets         // by priority less 1
	Pausing    map[Clock][]string // statuses that pause a clock; nil: pending pauses the resolution
	Reopening  Reopening
	Steps      []Step
}

// Facts are what a condition may ask of a ticket and its customer.
type Facts struct {
	Kind, Channel, Category, Queue string
	Impact, Urgency, Priority      int
	Tags                           []string
	Custom                         map[string]any
	Grade, Tier                    string // of the customer; empty where nothing is known
}

// Next gives the earliest deadline of the clocks that still run, one that passed included; ok is false where there is none.
func Next(all []Measurement) (due time.Time, clock Clock, ok bool) {
	for _, m := range all {
		if m.Running() && (!ok || m.Due.Before(due)) {
			due, clock, ok = m.Due, m.Clock, true
		}
	}
	return due, clock, ok
}
