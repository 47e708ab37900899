package ticket

import (
	"cmp"
	"context"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/calendar"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/sla"
)

// held is a ticket that is locked until the transaction ends, and what is about to become of it.
type held struct {
	was, now Ticket
	past     []Entry // its history
	added    []Entry
	events   []proto.Message
	setting  *Setting
	book     *sla.Book
	from     measure // by which it is measured before
	to       measure // and after
}

// measure is by what deadlines are computed.
type measure struct {
	policy   sla.Policy
	calendar calendar.Calendar
}

// hold locks a ticket and reads by what it is measured, or gives the problem ticket_not_found. What the caller has queued
// travels with it: one round trip.
func hold(ctx context.Context, tx *pg.Tx, id uuid.UUID, by func(*pg.Tx, uuid.UUID) *sla.Book) (*held, error) {
	h := new(held)
	queueLock(tx, id, &h.was)
	h.setting, h.book = settingOf(tx), by(tx, id)
	var err error
	if h.past, err = history(ctx, tx, id); err != nil {
		return nil, err
	}
	h.now = h.was
	h.added = h.now.begun()
	h.from.policy, h.from.calendar = h.book.Held()
	h.to = h.from
	return h, nil
}

// at gives when something happens. What was given must not be before anything that deadlines look at; what was not is
// never, however clocks differ.
func (h *held) at(at time.Time, given bool) (time.Time, error) {
	last := lastMeasured(append(h.past, h.added...))
	if !at.Before(last) {
		return at, nil
	}
	if given {
		return at, problem.InvalidBody("ticket_invalid", "The time was not accepted.", []problem.Field{
			fault("at", "before_the_last", "must not be before the last thing that happened to the ticket")})
	}
	return last, nil
}

// add appends an entry to the history, with the number, status and priority that the ticket has now.
func (h *held) add(e Entry) Entry {
	h.now.Entries++
	e.No, e.Status, e.Priority = h.now.Entries, h.now.Status, h.now.Priority
	h.added = append(h.added, e)
	return e
}

// tell has an event told with the change.
func (h *held) tell(m proto.Message) { h.events = append(h.events, m) }

// move brings the ticket to another status, with the entry and the events of that; c fits.
func (h *held) move(c StatusChange) {
	was := h.now
	h.now = was.into(c, h.setting.CloseAfterDays)
	h.add(Entry{At: c.At, What: sla.StatusChanged, By: c.By, Code: cmp.Or(c.Resolution, c.Reason)})
	h.tell(moved(was, h.now))
	switch {
	case h.now.Status == StatusResolved:
		h.tell(resolved(h.now, h.now.Reopened == 0 && firstContact(append(h.past, h.added...))))
	case h.now.Status == StatusClosed:
		h.tell(closed(h.now))
	case h.now.Reopened > was.Reopened:
		h.tell(reopened(h.now, c.Reason))
	}
}

// settle computes the deadlines anew and queues all that is to be written: the row, the history, what ended, the events.
func (h *held) settle(ctx context.Context, tx *pg.Tx, o *outbox.Outbox, at time.Time) error {
	h.now.Version = h.was.Version + 1
	all := append(append([]Entry(nil), h.past...), h.added...)
	before := sla.Measure(Measured(h.past), h.from.policy, h.from.calendar, at)
	after := sla.Measure(Measured(all), h.to.policy, h.to.calendar, at)
	due, clock, _ := sla.Next(after)
	h.now.NextDueAt, h.now.NextClock = due, string(clock)
	save(tx, h.now)
	insertHistory(tx, h.now.ID, h.added)
	s := subjectOf(h.now, h.to)
	sla.Keep(tx, s, after)
	return o.Append(ctx, tx, events(h.now, at, append(h.events, sla.Met(s, before, after)...)...)...)
}

func subjectOf(t Ticket, m measure) sla.Subject {
	return sla.Subject{
		TicketID: t.ID, Number: Number(t.Number), CustomerID: t.CustomerID, Agent: t.Agent, Queue: t.Queue, Closed: t.Status == StatusClosed,
		Policy: m.policy, Calendar: m.calendar,
	}
}

// facts are what the conditions of policies may ask of a ticket; its category is given by its path, such as
// hardware/printer.
func (t Ticket) facts(category string) sla.Facts {
	return sla.Facts{
		Kind: string(t.Kind), Channel: t.Channel, Category: category, Queue: t.Queue, Impact: t.Impact, Urgency: t.Urgency,
		Priority: t.Priority, Tags: t.Tags, Custom: t.Custom, Grade: t.Grade, Tier: t.Tier,
	}
}

// choose picks the policy of the ticket as it is, which is measured by it from then on.
func (t *Ticket) choose(book *sla.Book, standing sla.Standing, category string) measure {
	t.Grade, t.Tier = standing.Grade, standing.Tier
	var m measure
	m.policy, m.calendar = book.Choose(t.facts(category))
	t.PolicyID, t.PolicyVersion = m.policy.ID, m.policy.Version
	return m
}
