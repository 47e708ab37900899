package ticket

import (
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/services/tickets/internal/sla"
)

// What says what an entry of a history is: one of those that package sla looks at, or one of these.
type What = sla.What

// What the clocks pass over.
const (
	Edited   What = "edited"   // the subject was mended
	Assigned What = "assigned" // another queue or agent
	Linked   What = "linked"   // with another ticket
	Merged   What = "merged"   // into another ticket
)

// Entry is one thing that happened to a ticket. It carries no words of people: those are replies and notes.
type Entry struct {
	No         int       // from 1
	At         time.Time // when it happened
	RecordedAt time.Time // when it was written down
	What       What
	Status     Status // after it; so is Priority
	Priority   int
	By         string    // subject
	Code       string    // resolution of a status, or why; empty for none
	Queue      string    // of an assignment, after it; so is Agent
	Agent      string    //
	Ref        uuid.UUID // the reply, the note, the other ticket; Nil for none
	Fields     []string  // names of what was changed
}

// measured tells whether the deadlines look at the entry, and so where times that are given have to fit in: routing and
// links come when they come.
func (e Entry) measured() bool {
	return e.What != Assigned && e.What != Linked && e.What != Edited
}

// maxEntries bounds how much is read to change one ticket.
const maxEntries = 10_000

// Measured gives a history as package sla reads it.
func Measured(history []Entry) []sla.Entry {
	all := make([]sla.Entry, 0, len(history))
	for _, e := range history {
		if e.measured() && e.What != Merged {
			all = append(all, sla.Entry{At: e.At, What: e.What, Status: string(e.Status), Priority: e.Priority})
		}
	}
	return all
}

// lastMeasured is when the last thing happened that deadlines look at; zero for never.
func lastMeasured(history []Entry) (at time.Time) {
	for _, e := range history {
		if e.measured() && e.At.After(at) {
			at = e.At
		}
	}
	return at
}

// firstContact tells whether a ticket with this history needed no word of the customer after the one it was opened by.
func firstContact(history []Entry) bool {
	for _, e := range history {
		if e.What == sla.CustomerContact {
			return false
		}
	}
	return true
}

// begun gives the first entry of a ticket that has none: it was opened by a version of the service that kept no history.
func (t *Ticket) begun() []Entry {
	if t.Entries > 0 {
		return nil
	}
	t.Entries = 1
	return []Entry{{No: 1, At: t.OpenedAt, What: sla.Opened, Status: StatusNew, Priority: t.Priority}}
}
