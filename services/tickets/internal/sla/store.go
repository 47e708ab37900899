package sla

import (
	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/calendar"
)

// Book is what a tenant promises at one moment. It is filled by the next round trip of the transaction.
type Book struct{ calendars *calendar.Book }

// Read queues the search for the present policies and the calendars of the transaction's tenant: no round trip of its own.
// Choose works after the next one.
func Read(tx *pg.Tx) *Book { return &Book{calendars: calendar.All(tx)} }

// ReadOf is Read, and queues the search for the policy by which the ticket is measured: ticket.policy_id in the version
// ticket.policy_version. Queue it after the ticket's lock.
func ReadOf(tx *pg.Tx, ticket uuid.UUID) *Book { return Read(tx) }

// Choose gives the first policy that fits the facts, with its calendar; the zero Policy where none does.
func (b *Book) Choose(f Facts) (Policy, calendar.Calendar) { return Policy{}, calendar.Always() }

// Held gives the policy by which the ticket of ReadOf is measured, with its calendar; the zero Policy where there is none.
func (b *Book) Held() (Policy, calendar.Calendar) { return Policy{}, calendar.Always() }

// Standing is how a customer stands with the tenant. Both are codes; empty where nothing is known.
type Standing struct{ Grade, Tier string }

// StandingOf queues the search for a customer's standing; of one who was merged, that of whom the id means now. It is there
// after the next round trip.
func StandingOf(tx *pg.Tx, customer uuid.UUID) *Standing { return &Standing{} }

// Subject is the ticket that measurements are of, as far as they are kept and told with it.
type Subject struct {
	TicketID   uuid.UUID
	Number     string    // T-000123
	CustomerID uuid.UUID // Nil where nobody is known
	Agent      string    // who has it now: what is done now counts for them
	Queue      string
	Closed     bool // the verdicts stand from now on
	Policy     Policy
	Calendar   calendar.Calendar
}

// Keep queues that the measurements which ended are kept for reports, and when the next step of the others is to be told.
// Every command that changes a ticket's history calls it, with the ticket locked. The ticket keeps what Next gives.
func Keep(tx *pg.Tx, s Subject, all []Measurement) {}

// Met gives an SLAMet for each measurement that is done after a change and was not before, or has another verdict. They go
// on the ticket's stream.
func Met(s Subject, before, after []Measurement) []proto.Message { return nil }
