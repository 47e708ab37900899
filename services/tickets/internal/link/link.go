// Package link says what tickets have to do with each other: which is a duplicate of which, which belong together under one,
// which caused which. It merges tickets on the same matter, so that one of them goes on and all that was said is read there.
package link

import (
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

// Kind is what a ticket is to another one.
type Kind string

// The kinds.
const (
	DuplicateOf Kind = "duplicate_of" // says the same; of one ticket at most
	ParentOf    Kind = "parent_of"    // holds it together with others; a ticket has one parent at most
	CausedBy    Kind = "caused_by"
)

// converse is what the other ticket is to the one.
var converse = map[Kind]Kind{DuplicateOf: "has_duplicate", ParentOf: "child_of", CausedBy: "causes"}

const (
	most = 200  // links that a ticket has at most
	full = 9000 // entries of a history from which on it takes no more links: each change of a ticket reads its whole history
)

// Link is that a ticket is something to another one.
type Link struct {
	TicketID uuid.UUID
	Kind     Kind
	OtherID  uuid.UUID
	By       string
	At       time.Time
}

// Linked is a link as one of its tickets sees it.
type Linked struct {
	Is     Kind // what the ticket is to the other one: a kind or the converse of one
	Other  uuid.UUID
	Number string
	Status ticket.Status
	By     string
	At     time.Time
}

// around is what stands round a link that is about to be made.
type around struct {
	there  bool // the link is there already
	leads  bool // links of the kind lead from the other ticket to this one
	taken  bool // the ticket is a duplicate of another one, or the other one has a parent
	linked int  // links of the two, whichever has more
}

// may refuses a link that would not make sense.
func (a around) may(kind Kind) error {
	switch {
	case a.leads:
		return problem.New(problem.Conflict, "link_circle", "Links of this kind already lead from that ticket to this one: they would go round in a circle.")
	case a.taken && kind == DuplicateOf:
		return problem.New(problem.Conflict, "link_taken", "The ticket is a duplicate of another one already: take that link away first.")
	case a.taken:
		return problem.New(problem.Conflict, "link_taken", "The other ticket has a parent already: take that link away first.")
	case a.linked >= most:
		return problem.New(problem.Conflict, "links_too_many", "A ticket has at most %d links.", most)
	default:
		return nil
	}
}

var errFull = problem.New(problem.Conflict, "ticket_full", "So much happened to one of the tickets that it takes no more links.")

// errItself refuses what links or merges a ticket with itself.
var errItself = problem.New(problem.Unprocessable, "link_to_itself", "These are the same ticket.")

// mayMerge refuses to bring two customers' words together unless that is asked for. A ticket of nobody known may go into
// anybody's.
func mayMerge(t, into ticket.Ticket, across bool) error {
	if t.Root == into.Root || t.Root == uuid.Nil || into.Root == uuid.Nil || across {
		return nil
	}
	return problem.New(problem.Conflict, "merge_across_customers",
		"The tickets are of two customers. Whoever answers the one would read what the other said: ask for it with across_customers, if that is meant.")
}

// What is what a piece of a thread is.
type What string

// The pieces.
const (
	Opening What = "opening" // what the ticket was opened with
	Said    What = "reply"
	Noted   What = "note"
)

// Piece is one piece of what was said on a ticket or on one that was merged into it.
type Piece struct {
	TicketID uuid.UUID
	Number   string
	What     What
	ID       uuid.UUID // of the reply or note; the ticket's for its opening
	Author   ticket.Author
	Channel  string
	Subject  string // of an opening
	Words    string
	By       string
	At       time.Time
}
