// Package lead keeps who may want to buy: captured over the API, by a form on a website, from a file or as the reply to a
// campaign, found again when they come again, and followed until they are a customer or lost.
package lead

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// State is where a lead stands.
type State string

// The states. Open, Nurturing and Qualified are those of a lead that something may still come of.
const (
	Open      State = "open"
	Nurturing State = "nurturing" // marketing warms it up
	Qualified State = "qualified" // it was found worth a seller's time
	Converted State = "converted" // it is a customer with an opportunity now
	Lost      State = "lost"
)

// Working tells whether something may still come of a lead of the state.
func (s State) Working() bool { return s == Open || s == Nurturing || s == Qualified }

// Capture is how a lead came in.
type Capture string

// The ways in.
const (
	ByAPI           Capture = "api"
	ByForm          Capture = "form"
	ByImport        Capture = "import"
	ByCampaignReply Capture = "campaign_reply"
)

// Contact are the words about somebody, in the form in which they are kept; each may be empty. They are personal.
type Contact struct {
	Name     string // of the person
	Company  string
	JobTitle string
	Email    string // in lower case
	Phone    string // E.164
	Website  string // a domain
}

// Profile is what is said of a lead in codes; each may be empty.
type Profile struct {
	Country  string // ISO 3166-1 alpha-2
	Language string // a BCP 47 tag
	Industry string
	Source   string
	Campaign string
}

// Checklist is what is to be known before a lead is handed to a seller; each may be missing.
type Checklist struct {
	Need        string // words
	BudgetMinor *int64 // in minor units of Currency
	Currency    string // ISO 4217; empty where there is no budget
	Authority   string // code of who the contact is in the decision: decision_maker, influencer, user or none
	DecideBy    time.Time
}

// Candidate is a customer whom a lead may be.
type Candidate struct {
	CustomerID uuid.UUID `json:"customer_id"`
	Reasons    []string  `json:"reasons"` // codes of why
}

// Lead is somebody who may want to buy.
type Lead struct {
	ID    uuid.UUID // UUIDv7
	State State
	Contact
	Profile
	Checklist
	Domain     string // of the company, by which others of it are found
	Capture    Capture
	FormID     uuid.UUID
	Team       string
	Owner      string    // subject
	AssignedAt time.Time // zero: never
	Pipeline   string    // code of the one that it is worked along
	Stage      string    // of a lead that came in closed, code of how far it came; empty: the first
	Tags       []string
	Custom     map[string]any

	QualifiedAt time.Time
	QualifiedBy string // subject
	LostAt      time.Time
	LostReason  string // code

	// Of a conversion. OpportunityID is Nil where the lead came in as won.
	ConvertedAt    time.Time
	ContactID      uuid.UUID
	OpportunityID  uuid.UUID
	BeforeState    State     // what an undone conversion goes back to
	BeforeCustomer uuid.UUID // who it was known to be then

	CustomerID        uuid.UUID // whom it is known to be, as it was written; Nil: not known
	Root              uuid.UUID // the customer whom CustomerID means now
	Candidates        []Candidate
	CustomerCheckedAt time.Time // when accounts was asked; zero: to be asked

	Enquiries  int       // how often they came, the first time included
	EnquiredAt time.Time // the last time
	CapturedAt time.Time // when they came first
	RecordedAt time.Time // when that came in here
	ChangedAt  time.Time
	ErasedAt   time.Time // the words are gone
	Version    int64     // rises by one with every change

	did   []step // since it was read
	actor string // subject of who works on it
}

// step is one change of a lead, for its history.
type step struct {
	no       int64
	what     string
	from, to State
	team     string
	owner    string
	reason   string
	by       string // where it is not whoever works on the lead now
	at       time.Time
}

// changed counts a change and notes it for the history.
func (l Lead) changed(what string, from State, reason string, at time.Time) Lead {
	l.Version++
	l.ChangedAt = at
	l.did = append(slices.Clip(l.did), step{no: l.Version, what: what, from: from, to: l.State, team: l.Team, owner: l.Owner, reason: reason, at: at})
	return l
}

// unfit is the answer to what the state does not allow.
func (l Lead) unfit(todo string) error {
	if !l.ErasedAt.IsZero() {
		return problem.New(problem.Gone, "lead_erased", "The words of this lead were deleted: there is nothing left to work on.")
	}
	return problem.New(problem.Conflict, "lead_state_unfit", "A lead that is %s cannot be %s.", l.State, todo)
}

// can gives the error where the lead is erased or in none of the states.
func (l Lead) can(todo string, states ...State) error {
	if !l.ErasedAt.IsZero() || !slices.Contains(states, l.State) {
		return l.unfit(todo)
	}
	return nil
}

// Qualify finds the lead worth a seller's time; by is the subject of who found it so.
func (l Lead) Qualify(c Checklist, by string, at time.Time) (Lead, error) {
	if err := l.can("qualified", Open, Nurturing); err != nil {
		return l, err
	}
	from := l.State
	l.Checklist, l.State, l.QualifiedAt, l.QualifiedBy = c, Qualified, at, by
	return l.changed("qualified", from, "", at), nil
}

// Lose ends the lead; reason is a code.
func (l Lead) Lose(reason string, at time.Time) (Lead, error) {
	if err := l.can("lost", Open, Nurturing, Qualified); err != nil {
		return l, err
	}
	from := l.State
	l.State, l.LostAt, l.LostReason = Lost, at, reason
	return l.changed("lost", from, reason, at), nil
}

// Reopen begins a lost lead anew: what was found when it was qualified is to be found again.
func (l Lead) Reopen(at time.Time) (Lead, error) {
	if err := l.can("reopened", Lost); err != nil {
		return l, err
	}
	l.State, l.LostAt, l.LostReason, l.QualifiedAt, l.QualifiedBy, l.Stage = Open, time.Time{}, "", time.Time{}, "", ""
	return l.changed("reopened", Lost, "", at), nil
}

// Nurture hands the lead to marketing; reason is a code.
func (l Lead) Nurture(reason string, at time.Time) (Lead, error) {
	if err := l.can("nurtured", Open, Qualified); err != nil {
		return l, err
	}
	from := l.State
	l.State, l.QualifiedAt, l.QualifiedBy = Nurturing, time.Time{}, ""
	return l.changed("nurturing", from, reason, at), nil
}

// Return gives a lead that was warmed up back to sales; reason is a code.
func (l Lead) Return(reason string, at time.Time) (Lead, error) {
	if err := l.can("returned", Nurturing); err != nil {
		return l, err
	}
	l.State = Open
	return l.changed("returned", Nurturing, reason, at), nil
}

// Convert makes the lead a customer with an opportunity. contact is Nil where the customer is the person.
func (l Lead) Convert(customer, contact, opportunity uuid.UUID, at time.Time) (Lead, error) {
	if err := l.can("converted", Open, Nurturing, Qualified); err != nil {
		return l, err
	}
	l.BeforeState, l.BeforeCustomer = l.State, l.CustomerID
	if customer != l.CustomerID {
		l.CustomerID, l.Root = customer, customer
	}
	l.State, l.ContactID, l.OpportunityID, l.ConvertedAt = Converted, contact, opportunity, at
	return l.changed("converted", l.BeforeState, "", at), nil
}

// Unconvert takes a conversion back: the lead is what it was before.
func (l Lead) Unconvert(at time.Time) (Lead, error) {
	if err := l.can("given back", Converted); err != nil {
		return l, err
	}
	if l.OpportunityID == uuid.Nil {
		return l, problem.New(problem.Conflict, "lead_not_converted_here", "This lead came in as won: there is no conversion that could be undone.")
	}
	l.State, l.ConvertedAt, l.ContactID, l.OpportunityID = l.BeforeState, time.Time{}, uuid.Nil, uuid.Nil
	if l.CustomerID != l.BeforeCustomer {
		l.CustomerID, l.Root = l.BeforeCustomer, l.BeforeCustomer
	}
	l.BeforeState, l.BeforeCustomer = "", uuid.Nil
	return l.changed("conversion_undone", Converted, "", at), nil
}

// Assign gives the lead to a team, and to somebody of it or, with no owner, to nobody yet; reason is a code: rule, round_robin,
// least_loaded, hand or released.
func (l Lead) Assign(team, owner, reason string, at time.Time) (Lead, error) {
	if err := l.can("assigned", Open, Nurturing, Qualified); err != nil {
		return l, err
	}
	if team == l.Team && owner == l.Owner {
		return l, nil
	}
	l.Team, l.Owner, l.AssignedAt = team, owner, at
	return l.changed("assigned", l.State, reason, at), nil
}

// Meant says whom accounts knows the lead to be, and who it may be. It changes what is known, not the lead: the version that
// people edit stays.
func (l Lead) Meant(customer uuid.UUID, candidates []Candidate, at time.Time) Lead {
	if l.State.Working() {
		l.CustomerID, l.Root = customer, customer
	}
	l.Candidates, l.CustomerCheckedAt = candidates, at
	return l
}

// Erase takes out all that is personal. Of a lead that something might have come of nothing comes any more: it is lost, by the reason
// erased.
func (l Lead) Erase(at time.Time) Lead {
	from := l.State
	if from.Working() {
		l.State, l.LostAt, l.LostReason = Lost, at, ReasonErased
	}
	l.Contact, l.Need, l.Domain, l.Custom = Contact{}, "", "", map[string]any{}
	l.Tags, l.Candidates, l.ErasedAt = nil, nil, at
	return l.changed("erased", from, ReasonErased, at)
}

// ReasonErased is why a lead is lost whose words were deleted.
const ReasonErased = "erased"
