package ticket

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/sla"
)

// Author is who says something.
type Author string

// The authors. A note is what only the staff can read.
const (
	ByCustomer  Author = "customer"
	ByAgent     Author = "agent"
	ByAutomatic Author = "automatic" // answers nothing
	AsNote      Author = "note"
)

// entries are the authors with what the history calls it.
var entries = map[Author]What{
	ByCustomer: sla.CustomerContact, ByAgent: sla.PublicReply, ByAutomatic: sla.AutomaticReply, AsNote: sla.Note,
}

// Reply is what is said on a ticket.
type Reply struct {
	ID      uuid.UUID // UUIDv7; Nil: one is made
	No      int       // of its entry in the history
	Author  Author
	Channel string // code; empty: the ticket's. None of a note
	Words   string // kept as they are
	By      string // subject of whoever wrote them, or wrote them down
	At      time.Time
	Given   bool // At was said by the caller: it is held to the history
	// Then is where the ticket goes with it, such as pending with an agent's question; empty: where it goes by itself. A
	// customer's word opens what is pending or resolved, an agent's first one what is new.
	Then       Status
	Resolution string // where Then is resolved or closed
}

// customerReplied is why a customer's word opens a ticket.
const customerReplied = "customer_replied"

// maxWords is how much is said at once at most, in characters.
const maxWords = 50_000

// check names every field that is not right.
func (r Reply) check() (faults []problem.Field) {
	if n := utf8.RuneCountInString(r.Words); strings.TrimSpace(r.Words) == "" || n > maxWords {
		faults = append(faults, fault("words", "words_malformed", "must be 1 to 50000 characters, not all of them blanks"))
	}
	if _, known := entries[r.Author]; !known {
		faults = append(faults, fault("author", "author_unknown", "must be customer, agent or automatic"))
	}
	if r.Channel != "" && !Code(r.Channel) {
		faults = append(faults, codeFault("channel"))
	}
	if r.Then != "" || r.Resolution != "" {
		if r.Author != ByAgent {
			faults = append(faults, fault("status", "status_unfit", "goes with what an agent says only"))
		}
		faults = append(faults, StatusChange{To: r.Then, Resolution: r.Resolution}.check()...)
	}
	return faults
}

// errMerged refuses what is said and done on a ticket that goes on elsewhere.
var errMerged = problem.New(problem.Conflict, "ticket_merged", "This ticket was merged into another one, merged_into: go on there.")

// hears refuses what cannot be said on the ticket any more. Notes can always be added.
func (t Ticket) hears(r Reply) error {
	switch {
	case t.Entries >= maxEntries:
		return problem.New(problem.Conflict, "ticket_full", "So much happened to this ticket that it takes nothing more: close it and open another one.")
	case r.Author == AsNote:
		return nil
	case t.MergedInto != uuid.Nil:
		return errMerged
	case t.Status == StatusClosed:
		return problem.New(problem.Conflict, "ticket_closed", "A ticket that is closed stays closed: open another one.")
	case r.Then != "" && t.Kind == ComplaintKind:
		return errOfComplaint
	default:
		return nil
	}
}

// goes is where the ticket goes with what is said; its own status for nowhere. That of a complaint follows the complaint.
func (t Ticket) goes(r Reply) Status {
	switch {
	case t.Kind == ComplaintKind:
		return t.Status
	case r.Then != "":
		return r.Then
	case r.Author == ByCustomer && (t.Status == StatusPending || t.Status == StatusResolved):
		return StatusOpen
	case r.Author == ByAgent && t.Status == StatusNew:
		return StatusOpen
	default:
		return t.Status
	}
}
