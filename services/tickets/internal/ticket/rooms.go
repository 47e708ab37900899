package ticket

import (
	"cmp"
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/customfield"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/category"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/field"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/sla"
)

// What other rooms do with tickets in transactions of their own. Each locks the ticket, which lasts until the transaction
// ends, and queues what it writes and the events. Whoever locks several locks them in the order of their ids.

// errOfComplaint refuses to move by hand what follows a complaint.
var errOfComplaint = problem.New(problem.Conflict, "ticket_of_complaint",
	"The ticket of a complaint follows the complaint: decide on that instead.")

// Lock gives a ticket that is locked until the transaction ends, or the problem ticket_not_found. One round trip.
func Lock(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Ticket, error) {
	var t Ticket
	queueLock(tx, id, &t)
	return t, tx.Flush(ctx)
}

// Open opens a ticket and tells of it, or gives the problem ticket_invalid, or customer_erased. What the caller has queued
// travels with it: one round trip. The tenant's next number is drawn with it, and locked until the transaction ends: open
// it late.
func Open(ctx context.Context, tx *pg.Tx, o *outbox.Outbox, d Draft) (Ticket, error) {
	var err error
	if d.ID == uuid.Nil {
		if d.ID, err = uuid.NewV7(); err != nil {
			return Ticket{}, err
		}
	}
	t, faults := d.opened(0)
	if len(faults) > 0 { // before a number is drawn
		return Ticket{}, invalid(faults)
	}
	root := alias.Root(tx, d.CustomerID)
	standing := new(sla.Standing)
	if d.CustomerID != uuid.Nil {
		erasure.Refuse(tx, d.CustomerID)
		standing = sla.StandingOf(tx, d.CustomerID)
	}
	place, book, fields := category.At(tx, d.Category), sla.Read(tx), customfield.Set{}
	if len(d.Custom) > 0 {
		fields = field.Kind().All(tx)
	}
	if t.Number, err = nextNumber(ctx, tx); err != nil {
		return Ticket{}, err
	}
	faults = place.Fault(d.Category)
	values, _, wrong := fields.Values(d.Custom)
	if faults = append(faults, wrong...); len(faults) > 0 {
		return Ticket{}, invalid(faults)
	}
	t.Root, t.Custom = *root, values
	place.Use(tx, d.Category)
	field.Kind().Use(tx, fields, values)
	m := t.choose(book, *standing, place.Path)
	what := sla.Opened
	if t.Live {
		what = sla.OpenedLive
	}
	first := Entry{No: 1, At: d.At, What: what, Status: t.Status, Priority: t.Priority, By: d.By}
	t.Entries = 1
	after := sla.Measure(Measured([]Entry{first}), m.policy, m.calendar, d.At)
	due, clock, _ := sla.Next(after)
	t.NextDueAt, t.NextClock = due, string(clock)
	insert(tx, t)
	insertHistory(tx, t.ID, []Entry{first})
	s := subjectOf(t, m)
	sla.Keep(tx, s, after)
	return t, o.Append(ctx, tx, append(events(t, d.At, opened(t)), events(t, d.At, sla.Met(s, nil, after)...)...)...)
}

// Assign gives a ticket to a queue and an agent, and tells of it; one that is theirs already stays as it is. One that is
// closed is refused. One round trip.
func Assign(ctx context.Context, tx *pg.Tx, o *outbox.Outbox, id uuid.UUID, a Assignment) (Ticket, error) {
	t, err := Lock(ctx, tx, id)
	if err != nil {
		return t, err
	}
	return AssignLocked(ctx, tx, o, t, a)
}

// AssignLocked is Assign of a ticket that Lock gave in this transaction: no round trip.
func AssignLocked(ctx context.Context, tx *pg.Tx, o *outbox.Outbox, t Ticket, a Assignment) (Ticket, error) {
	switch {
	case t.MergedInto != uuid.Nil:
		return t, errMerged
	case t.Status == StatusClosed:
		return t, problem.New(problem.Conflict, "ticket_closed", "A ticket that is closed is nobody's work any more.")
	case t.Queue == a.Queue && t.Agent == a.Agent:
		return t, nil
	}
	was, first := t, t.begun()
	t.Queue, t.Agent, t.ChangedAt = a.Queue, a.Agent, latest(a.At, t.ChangedAt)
	t.Version++
	t.Entries++
	save(tx, t)
	insertHistory(tx, t.ID, append(first, Entry{
		No: t.Entries, At: a.At, What: Assigned, Status: t.Status, Priority: t.Priority, By: a.By, Code: a.Reason, Queue: a.Queue, Agent: a.Agent,
	}))
	return t, o.Append(ctx, tx, events(t, a.At, assigned(was, t, a))...)
}

// Change gives a ticket another status and tells of it, or refuses. That of a complaint follows the complaint: see Follow.
// One round trip.
func Change(ctx context.Context, tx *pg.Tx, o *outbox.Outbox, id uuid.UUID, c StatusChange) (Ticket, error) {
	return change(ctx, tx, o, id, c, anyVersion)
}

func change(ctx context.Context, tx *pg.Tx, o *outbox.Outbox, id uuid.UUID, c StatusChange, fresh fresh) (Ticket, error) {
	if faults := c.check(); len(faults) > 0 {
		return Ticket{}, invalid(faults)
	}
	h, err := hold(ctx, tx, id, sla.ReadOf)
	if err != nil {
		return Ticket{}, err
	}
	if err := fresh(h.was.Version); err != nil {
		return Ticket{}, err
	}
	if h.was.Kind == ComplaintKind {
		return Ticket{}, errOfComplaint
	}
	if err := h.was.may(c.To); err != nil {
		return Ticket{}, err
	}
	if c.At, err = h.at(c.At, c.Given); err != nil {
		return Ticket{}, err
	}
	c.Reason = cmp.Or(c.Reason, "agent")
	h.move(c)
	return h.now, h.settle(ctx, tx, o, c.At)
}

// Follow brings a ticket to the status that its complaint asks for; one that has it already stays as it is. One round trip.
func Follow(ctx context.Context, tx *pg.Tx, o *outbox.Outbox, id uuid.UUID, to Status, at time.Time) error {
	h, err := hold(ctx, tx, id, sla.ReadOf)
	if err != nil || h.was.Status == to {
		return err
	}
	if at, err = h.at(at, false); err != nil {
		return err
	}
	h.move(StatusChange{To: to, Reason: "complaint", At: at})
	return h.settle(ctx, tx, o, at)
}

// Say adds to the conversation of a ticket, moves it as that asks for, and tells of it. Words about a customer who was
// erased are the problem customer_erased. Two round trips.
func Say(ctx context.Context, tx *pg.Tx, o *outbox.Outbox, id uuid.UUID, r Reply) (Ticket, error) {
	t, _, err := say(ctx, tx, o, id, r, anyVersion)
	return t, err
}

func say(ctx context.Context, tx *pg.Tx, o *outbox.Outbox, id uuid.UUID, r Reply, fresh fresh) (Ticket, Reply, error) {
	if faults := r.check(); len(faults) > 0 {
		return Ticket{}, r, invalid(faults)
	}
	h, err := hold(ctx, tx, id, sla.ReadOf)
	if err != nil {
		return Ticket{}, r, err
	}
	if err := fresh(h.was.Version); err != nil {
		return Ticket{}, r, err
	}
	if err := h.was.hears(r); err != nil {
		return Ticket{}, r, err
	}
	to := StatusChange{To: h.was.goes(r), Resolution: r.Resolution, By: r.By, Reason: "agent"}
	if r.Author == ByCustomer {
		to.Reason = customerReplied
	}
	if to.To != h.was.Status {
		if err := h.was.may(to.To); err != nil {
			return Ticket{}, r, err
		}
	}
	if r.At, err = h.at(r.At, r.Given); err != nil {
		return Ticket{}, r, err
	}
	if r.ID == uuid.Nil {
		if r.ID, err = uuid.NewV7(); err != nil {
			return Ticket{}, r, err
		}
	}
	if h.was.CustomerID != uuid.Nil {
		erasure.Refuse(tx, h.was.CustomerID)
		if err := tx.Flush(ctx); err != nil {
			return Ticket{}, r, err
		}
	}
	h.now.ChangedAt = r.At
	if r.Author != AsNote {
		r.Channel = cmp.Or(r.Channel, h.was.Channel)
	}
	r.No = h.add(Entry{At: r.At, What: entries[r.Author], By: r.By, Ref: r.ID}).No
	if r.Author != AsNote {
		h.tell(replied(h.now, r))
	}
	if to.At = r.At; to.To != h.was.Status {
		h.move(to)
	}
	insertWords(tx, id, r)
	return h.now, r, h.settle(ctx, tx, o, r.At)
}

// Reclassify says what else a ticket is about, which picks its policy anew. Nothing is written where it is so already. Words
// about a customer who was erased are the problem customer_erased. Two round trips.
func Reclassify(ctx context.Context, tx *pg.Tx, o *outbox.Outbox, id uuid.UUID, r Reclassification) (Ticket, error) {
	return reclassify(ctx, tx, o, id, r, anyVersion)
}

func reclassify(ctx context.Context, tx *pg.Tx, o *outbox.Outbox, id uuid.UUID, r Reclassification, fresh fresh) (Ticket, error) {
	h, err := hold(ctx, tx, id, sla.ReadBoth)
	if err != nil {
		return Ticket{}, err
	}
	if err := fresh(h.was.Version); err != nil {
		return Ticket{}, err
	}
	switch {
	case h.was.MergedInto != uuid.Nil:
		return Ticket{}, errMerged
	case h.was.Status == StatusClosed:
		return Ticket{}, problem.New(problem.Conflict, "ticket_closed", "A ticket that is closed stays as it is.")
	}
	now, changed, faults := h.was.reclassified(r)
	root := alias.Root(tx, now.CustomerID)
	standing := new(sla.Standing)
	if now.CustomerID != uuid.Nil {
		standing = sla.StandingOf(tx, now.CustomerID)
		if r.says() {
			erasure.Refuse(tx, now.CustomerID)
		}
	}
	place, fields := category.At(tx, now.Category), field.Kind().All(tx)
	if err := tx.Flush(ctx); err != nil {
		return Ticket{}, err
	}
	if now.Category != h.was.Category {
		faults = append(faults, place.Fault(now.Category)...)
	}
	custom, differs, wrong := fields.Merge(h.was.Custom, r.Custom)
	if faults = append(faults, wrong...); len(faults) > 0 {
		return Ticket{}, invalid(faults)
	}
	if differs {
		changed = append(changed, "custom_fields")
	}
	if len(changed) == 0 {
		return h.was, nil
	}
	at, err := h.at(r.At, r.Given)
	if err != nil {
		return Ticket{}, err
	}
	place.Use(tx, now.Category)
	field.Kind().Use(tx, fields, custom)
	now.Root, now.Custom, now.ChangedAt = *root, custom, at
	what := Edited
	if picks(changed) {
		what = sla.Reclassified
		h.to = now.choose(h.book, *standing, place.Path)
	}
	h.now = now
	h.add(Entry{At: at, What: what, By: r.By, Code: r.Reason, Fields: changed})
	return h.now, h.settle(ctx, tx, o, at)
}

// Merge closes a ticket as being about the same matter as another one, which the caller has locked as well, and tells of
// it. What is said on it from then on is refused with the problem ticket_merged. One round trip.
func Merge(ctx context.Context, tx *pg.Tx, o *outbox.Outbox, id uuid.UUID, into Ticket, by string, at time.Time) (Ticket, error) {
	h, err := hold(ctx, tx, id, sla.ReadOf)
	if err != nil {
		return Ticket{}, err
	}
	switch {
	case h.was.Kind == ComplaintKind:
		return Ticket{}, errOfComplaint
	case h.was.MergedInto != uuid.Nil:
		return Ticket{}, errMerged
	case h.was.Status == StatusClosed || into.Status == StatusClosed || into.ID == id:
		return Ticket{}, problem.New(problem.Conflict, "ticket_status", "Only tickets that are not closed are merged, and none with itself.")
	}
	if at, err = h.at(at, false); err != nil {
		return Ticket{}, err
	}
	h.now.MergedInto = into.ID
	h.add(Entry{At: at, What: Merged, By: by, Ref: into.ID})
	h.tell(merged(h.now, into, at))
	h.move(StatusChange{To: StatusClosed, Resolution: "duplicate", By: by, At: at})
	return h.now, h.settle(ctx, tx, o, at)
}

// Note queues an entry of a ticket that Lock gave in this transaction, such as of a link, and gives the ticket as it is then.
// It moves no deadline: What is Linked.
func Note(tx *pg.Tx, t Ticket, e Entry) Ticket {
	first := t.begun()
	t.Version++
	t.Entries++
	t.ChangedAt = latest(e.At, t.ChangedAt)
	e.No, e.Status, e.Priority = t.Entries, t.Status, t.Priority
	save(tx, t)
	insertHistory(tx, t.ID, append(first, e))
	return t
}

// fresh is asked with the version of a ticket that is about to be changed, and refuses it where the caller saw another.
type fresh func(version int64) error

func anyVersion(int64) error { return nil }

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func invalid(faults []problem.Field) error {
	return problem.InvalidBody("ticket_invalid", "This was not accepted: mend the fields named here.", faults)
}
