// Package deadline watches what service levels promised: it tells of warnings and breaches when their time comes, carries
// out the steps of escalation, reckons deadlines anew after a correction, and explains how each came about.
package deadline

import (
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/businesstime"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/calendar"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/sla"
)

// Deadlines is what can be done about deadlines.
type Deadlines struct {
	db     *pg.DB
	outbox *outbox.Outbox
	clock  func() time.Time
	most   int // tickets of a chunk
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, clock func() time.Time) *Deadlines {
	return &Deadlines{db: db, outbox: o, clock: clock, most: recomputeChunk}
}

// now is cut to what the database keeps.
func (d *Deadlines) now() time.Time { return d.clock().UTC().Truncate(time.Microsecond) }

// actor is who escalates and reckons anew.
const actor = "sla"

// round names a round of a clock.
type round struct {
	clock sla.Clock
	round int
}

// reached is a step of a round that was reached and is to be told.
type reached struct {
	sla.Measurement
	sla.Reach
}

// due gives the steps that were reached by now and not told yet, in the order in which they were reached. told holds the
// last step told of each round.
func due(all []sla.Measurement, told map[round]int, now time.Time) []reached {
	var found []reached
	for _, m := range all {
		for _, s := range m.Steps {
			if !s.At.IsZero() && !s.Tell().After(now) && s.Percent > told[round{m.Clock, m.Round}] {
				found = append(found, reached{m, s})
			}
		}
	}
	return sorted(found)
}

// span is business time that a clock counted.
type span struct {
	businesstime.Range
	Used time.Duration // of the target, this span included
}

// maxSpans bounds an explanation.
const maxSpans = 500

// spans gives the business time that a measurement counted, and will count until its deadline, piece by piece, cut at the
// deadline; complete is false where there are more than maxSpans.
func spans(m sla.Measurement, c calendar.Calendar, now time.Time) (all []span, complete bool) {
	end := m.Ended
	if end.IsZero() {
		end = now
	}
	if m.Due.After(end) {
		end = m.Due
	}
	var used time.Duration
	for r := range c.Ranges(m.Started, end, m.Pauses...) {
		pieces := []businesstime.Range{r}
		if m.Due.After(r.From) && m.Due.Before(r.To) {
			pieces = []businesstime.Range{{From: r.From, To: m.Due}, {From: m.Due, To: r.To}}
		}
		for _, p := range pieces {
			if len(all) == maxSpans {
				return all, false
			}
			used += p.To.Sub(p.From)
			all = append(all, span{p, used})
		}
	}
	return all, true
}

// Recomputation is deadlines that are reckoned anew.
type Recomputation struct {
	ID         uuid.UUID
	Cause      Cause
	Tickets    Tickets
	PolicyID   uuid.UUID // only tickets measured by it; Nil: any
	CalendarID uuid.UUID // only tickets measured by it; Nil: any
	ByDefault  bool      // with CalendarID: and those whose policy names no calendar
	Correction bool      // tickets go over to the policy's present version
	ClosedFrom time.Time // only tickets closed at or after it; zero: any
	ClosedTo   time.Time // only tickets closed before it; zero: any
	Reason     string    // code
	By         string    // subject
	AskedAt    time.Time
	After      uuid.UUID // tickets up to this one are done
	LookedAt   int64     // tickets
	Changed    int64     // of them: deadline or verdict
	FinishedAt time.Time // zero: not yet
}

// Cause is why deadlines are reckoned anew.
type Cause string

// The causes.
const (
	CalendarChanged Cause = "calendar"
	PolicyCorrected Cause = "policy"
	Asked           Cause = "asked"
)

// Tickets says of which tickets deadlines are reckoned anew.
type Tickets string

// The sets of tickets.
const (
	Open   Tickets = "open"   // all that are not closed
	Closed Tickets = "closed" // whose verdicts stand otherwise
)

// verdict is how a round ended.
type verdict struct {
	state      sla.State
	due        time.Time
	difference time.Duration
	version    int64 // of the policy
}

// change is a verdict that is another one now.
type change struct {
	ticket uuid.UUID
	round
	before, after verdict
}

// verdicts gives the rounds that ended, by a version of a policy.
func verdicts(all []sla.Measurement, version int64) map[round]verdict {
	found := map[round]verdict{}
	for _, m := range all {
		if !m.Ended.IsZero() {
			found[round{m.Clock, m.Round}] = verdict{m.State, m.Due, m.Difference, version}
		}
	}
	return found
}
