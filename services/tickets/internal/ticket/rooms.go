package ticket

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
)

// What other rooms do with tickets in transactions of their own. Each locks the ticket, which lasts until the transaction
// ends, and queues what it writes and the events. Whoever locks several locks them in the order of their ids.

// Draft is a ticket that is about to be opened.
type Draft struct {
	ID                   uuid.UUID // UUIDv7; Nil: one is made
	Kind                 Kind
	Channel              string    // code
	Live                 bool      // the customer is on the line: that is the first response
	CustomerID           uuid.UUID // Nil where nobody is known
	AssetID              uuid.UUID // Nil for none
	Category             string    // code; empty for none
	Subject, Description string
	Impact, Urgency      int // 1 to 3 each
	Tags                 []string
	Custom               map[string]json.RawMessage // values of the tenant's fields, by name
	By                   string                     // subject of whoever opens it
	At                   time.Time
}

// Assignment is who answers for a ticket from now on.
type Assignment struct {
	Queue  string // code; empty for none
	Agent  string // subject; empty for nobody
	Reason string // code: routed, pulled, assigned, released, overflow or escalated
	By     string // subject
	At     time.Time
}

// StatusChange is where a ticket goes.
type StatusChange struct {
	To         Status
	Resolution string // code of how; for resolved it must be there, for closed it may be
	Reason     string // code of why, for the history; empty for none
	By         string // subject
	At         time.Time
}

// Author is who says something.
type Author string

// The authors. A note is what only the staff can read.
const (
	ByCustomer  Author = "customer"
	ByAgent     Author = "agent"
	ByAutomatic Author = "automatic" // answers nothing
	AsNote      Author = "note"
)

// Reply is what is said on a ticket.
type Reply struct {
	ID      uuid.UUID // UUIDv7; Nil: one is made
	Author  Author
	Channel string // code; empty: the ticket's. None of a note
	Words   string // kept as they are
	By      string // subject of whoever wrote them, or wrote them down
	At      time.Time
	// Then is where the ticket goes with it, such as pending with an agent's question; empty: where it goes by itself. A
	// customer's word opens what is pending or resolved, an agent's first one what is new.
	Then       Status
	Resolution string // where Then is resolved or closed
}

// Lock gives a ticket that is locked until the transaction ends, or the problem ticket_not_found. One round trip.
func Lock(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Ticket, error) { return lock(ctx, tx, id) }

// Assign gives a ticket to a queue and an agent, and tells of it; one that is theirs already stays as it is. One that is
// closed is refused. One round trip.
func Assign(ctx context.Context, tx *pg.Tx, o *outbox.Outbox, id uuid.UUID, a Assignment) (Ticket, error) {
	return lock(ctx, tx, id)
}

// Change gives a ticket another status and tells of it, or refuses. Two round trips.
func Change(ctx context.Context, tx *pg.Tx, o *outbox.Outbox, id uuid.UUID, c StatusChange) (Ticket, error) {
	return lock(ctx, tx, id)
}

// Say adds to the conversation of a ticket, moves it as that asks for, and tells of it. Two round trips.
func Say(ctx context.Context, tx *pg.Tx, o *outbox.Outbox, id uuid.UUID, r Reply) (Ticket, error) {
	return lock(ctx, tx, id)
}

// Open opens a ticket and tells of it, or gives the problem ticket_invalid. What the caller has queued travels with it: one
// round trip. The tenant's next number is drawn with it, and locked until the transaction ends: open it late.
func Open(ctx context.Context, tx *pg.Tx, o *outbox.Outbox, d Draft) (Ticket, error) {
	number, err := NextNumber(ctx, tx)
	if err != nil {
		return Ticket{}, err
	}
	if d.ID == uuid.Nil {
		if d.ID, err = uuid.NewV7(); err != nil {
			return Ticket{}, err
		}
	}
	t, faults := OpenTicket(d.ID, number, d, d.At)
	if len(faults) > 0 {
		return Ticket{}, invalid(faults)
	}
	Insert(tx, t)
	return t, o.Append(ctx, tx, OpenedEvent(t))
}

// Merge closes a ticket as being about the same matter as another one, which the caller has locked as well, and tells of
// it. What is said on it from then on is refused with the other's number. Two round trips.
func Merge(ctx context.Context, tx *pg.Tx, o *outbox.Outbox, id uuid.UUID, into Ticket, by string, at time.Time) (Ticket, error) {
	return lock(ctx, tx, id)
}
