// Package conversion makes a lead a customer with an opportunity: whom accounts knows is found, whoever it does not know is
// registered there, and the opportunity is opened. As long as nothing followed from it, all of that can be taken back.
//
// Each conversion is a row that says how far it is, and a process that goes on from there: names and telephones go from here
// to accounts by its API, and stand in neither events nor histories.
package conversion

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
)

// State is where a conversion stands.
type State string

// The states. A lead has one conversion at most that is neither refused nor undone.
const (
	Running   State = "running"
	Converted State = "converted"
	Refused   State = "refused" // nothing came of it; Refusal says why
	Undoing   State = "undoing"
	Undone    State = "undone"
)

// Wish is what somebody wants a lead converted to.
type Wish struct {
	CustomerID     uuid.UUID   `json:"customer_id"` // whom the lead is; Nil: whom it is known to be, else a new customer
	ContactID      uuid.UUID   `json:"contact_id"`  // the person of an organisation, likewise
	AllowDuplicate bool        `json:"allow_duplicate"`
	Opportunity    Opportunity `json:"opportunity"`
}

// Opportunity is what the opportunity is opened with.
type Opportunity struct {
	Name            string    `json:"name"` // empty: the lead's company or name
	Pipeline        string    `json:"pipeline"`
	Stage           string    `json:"stage"`
	Currency        string    `json:"currency"`
	AmountMinor     int64     `json:"amount_minor"`
	ExpectedCloseOn time.Time `json:"expected_close_on"`
	NextStep        string    `json:"next_step"`
	NextStepOn      time.Time `json:"next_step_on"`
}

// Party is somebody of accounts.
type Party struct {
	ID      uuid.UUID
	Created bool   // by the conversion
	ETag    string // as the conversion left them
}

// Conversion is one request to make a lead a customer, and what came of it.
type Conversion struct {
	ID             uuid.UUID // UUIDv7
	LeadID         uuid.UUID
	State          State
	Settled        bool // nothing is left to be put back at accounts
	Wish           Wish
	Customer       Party // ID Nil: not found or made yet
	Contact        Party // ID Nil: the customer is the person, or nobody is known
	RelationshipID uuid.UUID
	OpportunityID  uuid.UUID
	Currency       string // in which the tenant reports
	Refusal        string // code
	Candidates     []lead.Candidate
	RequestedBy    string // subject
	RequestedAt    time.Time
	UndoneBy       string // subject
	StepAt         time.Time
	Version        int64
}

// Request begins the conversion of a lead, or says why the lead cannot be converted.
func Request(id uuid.UUID, l lead.Lead, w Wish, by string, at time.Time) (Conversion, error) {
	// What the rule of leads refuses is refused at once; who the customer is does not matter to it.
	if _, err := l.Convert(l.CustomerID, uuid.Nil, id, at); err != nil {
		return Conversion{}, err
	}
	if l.Company == "" && l.Name == "" && w.CustomerID == uuid.Nil && l.CustomerID == uuid.Nil {
		return Conversion{}, problem.New(problem.Conflict, "lead_nameless",
			"The lead has neither a name nor a company, and is not known to be a customer. Say who it is first.")
	}
	return Conversion{ID: id, LeadID: l.ID, State: Running, Settled: true, Wish: w, RequestedBy: by, RequestedAt: at, StepAt: at, Version: 1}, nil
}

// Moving tells whether the process has something to do.
func (c Conversion) Moving() bool { return c.State == Running || c.State == Undoing || !c.Settled }

// made tells whether anything stands at accounts that was not there before.
func (c Conversion) made() bool {
	return c.Customer.Created || c.Contact.Created || c.RelationshipID != uuid.Nil
}

func (c Conversion) step(at time.Time) Conversion {
	c.Version++
	c.StepAt = at
	return c
}

// Introduced notes who the lead is at accounts, and in which currency the tenant reports.
func (c Conversion) Introduced(customer, contact Party, relationship uuid.UUID, currency string, at time.Time) Conversion {
	c.Customer, c.Contact, c.RelationshipID, c.Currency = customer, contact, relationship, currency
	return c.step(at)
}

// Done notes the opportunity that was opened.
func (c Conversion) Done(opportunity uuid.UUID, at time.Time) Conversion {
	c.State, c.OpportunityID = Converted, opportunity
	return c.step(at)
}

// Refuse ends the conversion without a result; what was registered at accounts for it is to be put back.
func (c Conversion) Refuse(code string, candidates []lead.Candidate, at time.Time) Conversion {
	c.State, c.Refusal, c.Candidates, c.Settled = Refused, code, candidates, !c.made()
	return c.step(at)
}

// Undo begins to take the conversion back.
func (c Conversion) Undo(by string, at time.Time) (Conversion, error) {
	switch c.State {
	case Converted:
		c.State, c.UndoneBy, c.Refusal = Undoing, by, ""
		return c.step(at), nil
	case Undoing, Undone:
		return c, nil
	default:
		return c, problem.New(problem.Conflict, "conversion_not_done", "This conversion is %s: there is nothing to undo.", c.State)
	}
}

// Kept notes that the conversion could not be taken back; code says why.
func (c Conversion) Kept(code string, at time.Time) Conversion {
	c.State, c.Refusal, c.UndoneBy = Converted, code, ""
	return c.step(at)
}

// Undid notes that the lead is open again and the opportunity withdrawn.
func (c Conversion) Undid(at time.Time) Conversion {
	c.State, c.Settled = Undone, !c.made()
	return c.step(at)
}

// PutBack notes that nothing of the conversion stands at accounts any more.
func (c Conversion) PutBack(at time.Time) Conversion {
	c.Settled = true
	return c.step(at)
}

// followed are the events on a customer's timeline that tell of the conversion itself.
func ownEvents() []string {
	return []string{
		"customer_registered", "relationship_changed", "lead_captured", "lead_enquired", "lead_assigned", "lead_qualified", "lead_handed_over",
		"lead_converted", "lead_conversion_undone", "opportunity_opened", "opportunity_withdrawn", "customer_changed",
	}
}

// Told is an entry of a customer's timeline: which service tells of what.
type Told struct {
	Service string `json:"service"`
	Title   string `json:"title"`
}

// Followed tells whether something else than a conversion is told of a customer. What analytics concludes of a customer, such as
// its stage or its segments, nobody did: it follows from the conversion.
func Followed(timeline []Told) bool {
	return slices.ContainsFunc(timeline, func(t Told) bool { return t.Service != "analytics" && !slices.Contains(ownEvents(), t.Title) })
}
