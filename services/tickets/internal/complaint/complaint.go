// Package complaint leads a complaint from the first word to the compensation, after the steps of ISO 10002: registered,
// assessed, assigned to whom it concerns, investigated, a remedy proposed, approved where its cost asks for it, decided by
// the customer, carried out, closed.
//
// The rules are here and in remedy.go; they are applied to the complaint's row (commands.go). The process that waits,
// reminds and carries out is a workflow (workflow.go), which holds nothing that is not in the row as well.
package complaint

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/policy"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

// Stage is what a complaint waits in.
type Stage string

// The stages, in the order of the road.
const (
	Registered Stage = "registered" // waits to be assessed
	Assessed   Stage = "assessed"   // waits for somebody who answers for it
	Assigned   Stage = "assigned"   // is being investigated
	Found      Stage = "found"      // waits for a proposal
	Proposed   Stage = "proposed"   // waits for approval
	Offered    Stage = "offered"    // waits for the customer
	Accepted   Stage = "accepted"   // is being carried out
	Closed     Stage = "closed"
)

// Outcome is how a complaint ended.
type Outcome string

// The outcomes.
const (
	Settled      Outcome = "settled"      // the customer agreed, and all was carried out
	Unanswered   Outcome = "unanswered"   // the customer was silent; what needs no consent was carried out
	NotAgreed    Outcome = "not_agreed"   // the customer rejected the last proposal
	Inadmissible Outcome = "inadmissible" // not taken up
	Withdrawn    Outcome = "withdrawn"
)

// Complaint is where one complaint stands. Its JSON form travels in the workflow's history, so it carries no words of
// people: those are notes.
type Complaint struct {
	ID           uuid.UUID `json:"id"` // UUIDv7
	Version      int64     `json:"version"`
	TicketID     uuid.UUID `json:"ticket_id"`
	Number       string    `json:"number"` // of the ticket
	CustomerID   uuid.UUID `json:"customer_id"`
	OrderID      uuid.UUID `json:"order_id,omitzero"` // Nil: about no order
	Category     string    `json:"category"`
	Channel      string    `json:"channel"`
	Stage        Stage     `json:"stage"`
	Severity     int       `json:"severity,omitempty"` // 1 (grave) to 4; 0 before it is assessed
	Unit         string    `json:"unit,omitempty"`
	Person       string    `json:"person,omitempty"` // subject of the accountable person
	Finding      string    `json:"finding,omitempty"`
	Cause        string    `json:"cause,omitempty"`
	Proposal     *Proposal `json:"proposal,omitempty"` // the last one
	Rounds       int       `json:"rounds,omitempty"`   // proposals that the customer rejected
	Reminders    int       `json:"reminders,omitempty"`
	Silent       bool      `json:"silent,omitempty"` // the customer never answered the offer
	DueAt        time.Time `json:"due_at,omitzero"`  // of the present step; zero once accepted
	Outcome      Outcome   `json:"outcome,omitempty"`
	RegisteredAt time.Time `json:"registered_at"`
	ClosedAt     time.Time `json:"closed_at,omitzero"`
	Steps        []Step    `json:"steps"`
}

// Step is one thing that happened, a decision of a person or a deed of the process.
type Step struct {
	No         int       `json:"no"` // from 1
	Action     Action    `json:"action"`
	DecisionID uuid.UUID `json:"decision_id,omitzero"` // Nil: the process did it by itself
	Hash       []byte    `json:"hash,omitempty"`       // of the decision's input
	By         string    `json:"by"`                   // subject
	At         time.Time `json:"at"`
	NoteID     uuid.UUID `json:"note_id,omitzero"` // the reason that was given
}

// Action is what can be done about a complaint.
type Action string

// The decisions of people, in the order in which they are offered, and then what the process does by itself.
const (
	Assess   Action = "assess"
	Assign   Action = "assign"
	Find     Action = "find"
	Propose  Action = "propose"
	Approve  Action = "approve"
	Refuse   Action = "refuse"
	Accept   Action = "accept"
	Reject   Action = "reject"
	Withdraw Action = "withdraw"

	Register Action = "register"
	Remind   Action = "remind"  // a step is overdue
	Silence  Action = "silence" // the customer was reminded often enough
	Execute  Action = "execute" // every part of a remedy was carried out
	Fail     Action = "fail"    // a part cannot be carried out; those before it were taken back
)

// rule says where a decision may be made and who may make it.
type rule struct {
	action Action
	in     []Stage
	right  auth.Permission
}

// rules is the one table of decisions.
var rules = []rule{
	{Assess, []Stage{Registered}, auth.ComplaintsHandle},
	{Assign, []Stage{Assessed, Assigned}, auth.ComplaintsHandle},
	{Find, []Stage{Assigned}, auth.ComplaintsHandle},
	{Propose, []Stage{Found}, auth.ComplaintsHandle},
	{Approve, []Stage{Proposed}, auth.ComplaintsApprove},
	{Refuse, []Stage{Proposed}, auth.ComplaintsApprove},
	{Accept, []Stage{Offered}, auth.ComplaintsHandle},
	{Reject, []Stage{Offered}, auth.ComplaintsHandle},
	{Withdraw, []Stage{Registered, Assessed, Assigned, Found, Proposed, Offered}, auth.ComplaintsHandle},
}

// Next is a decision that may be made now.
type Next struct {
	Action     Action          `json:"action"`
	Permission auth.Permission `json:"permission"`
}

// Next lists the decisions that may be made now, each with the permission that it needs.
func (c Complaint) Next() []Next {
	next := []Next{}
	for _, r := range rules {
		if slices.Contains(r.in, c.Stage) {
			next = append(next, Next{r.action, c.right(r)})
		}
	}
	return next
}

// right is the permission that a decision needs here: an approval beyond a manager's limit needs a director's.
func (c Complaint) right(r rule) auth.Permission {
	if r.right == auth.ComplaintsApprove && c.Proposal != nil && c.Proposal.Approval == policy.Director {
		return auth.ComplaintsDirect
	}
	return r.right
}

// Check refuses a decision that cannot be made here, or not by this person. What it asks for is not looked at.
func (c Complaint) Check(d Decision) error {
	i := slices.IndexFunc(rules, func(r rule) bool { return r.action == d.Action })
	if i < 0 {
		return problem.New(problem.NotFound, "decision_unknown", "There is no such decision.")
	}
	switch r := rules[i]; {
	case c.Stage == Closed:
		return problem.New(problem.Conflict, "complaint_closed", "This complaint is closed; nothing can be decided any more.")
	case !slices.Contains(r.in, c.Stage):
		return problem.New(problem.Conflict, "complaint_stage",
			"This cannot be decided now: the complaint is %s. Possible now: %s.", c.Stage, c.possible())
	case !d.By.can(r.right):
		return problem.New(problem.Forbidden, "permission_missing", "This needs the permission %s.", r.right)
	case (d.Action == Approve || d.Action == Refuse) && d.By.Subject == c.Proposal.By:
		return problem.New(problem.Forbidden, "approval_by_proposer", "Nobody decides on their own proposal: ask somebody else.")
	case !d.By.can(c.right(r)):
		return problem.New(problem.Forbidden, "approval_beyond_limit",
			"This remedy costs more than a manager may approve: a director has to decide.")
	}
	return nil
}

func (c Complaint) possible() string {
	var names []string
	for _, n := range c.Next() {
		names = append(names, string(n.Action))
	}
	switch {
	case c.Stage == Accepted:
		return "nothing, it is being carried out"
	case len(names) == 0:
		return "nothing"
	default:
		return strings.Join(names, ", ")
	}
}

// Actor is who decides, as the token said.
type Actor struct {
	Subject string   `json:"subject"`
	Roles   []string `json:"roles"`
}

func (a Actor) can(right auth.Permission) bool {
	return auth.Principal{Roles: a.Roles}.Can(right)
}

// Decision is what a person decided. Its JSON form travels to the workflow; the reason stays behind as a note.
type Decision struct {
	ID          uuid.UUID `json:"id"` // the same decision has the same id, however often it is sent
	ComplaintID uuid.UUID `json:"complaint_id"`
	Action      Action    `json:"action"`
	By          Actor     `json:"by"`
	Hash        []byte    `json:"hash"`    // of the request
	Attempt     string    `json:"attempt"` // which of several requests with one id this is
	NoteID      uuid.UUID `json:"note_id,omitzero"`

	Admissible bool        `json:"admissible,omitempty"` // of Assess; so is the next
	Severity   int         `json:"severity,omitempty"`
	Unit       string      `json:"unit,omitempty"` // of Assign; so is the next
	Person     string      `json:"person,omitempty"`
	Finding    string      `json:"finding,omitempty"` // of Find; so is the next
	Cause      string      `json:"cause,omitempty"`
	Currency   string      `json:"currency,omitempty"` // of Propose; so is the next
	Parts      []PartDraft `json:"parts,omitempty"`
}

// Draft is a complaint that is about to be registered.
type Draft struct {
	CustomerID  uuid.UUID
	OrderID     uuid.UUID // Nil: about no order
	Category    string
	Channel     string
	Description string // what happened, in the customer's words
	Wish        string // what the customer wants; may be empty
}

// categories are what a complaint may be about.
var categories = []string{"product", "service", "delivery", "price", "attitude", "promise", "other"}

// causes are what may be found to have led to a complaint.
var causes = []string{"product", "service", "delivery", "price", "attitude", "promise", "misunderstanding", "other"}

// findings are what an investigation may come to.
var findings = []string{"founded", "partly", "unfounded", "not_provable"}

const maxWords = 20_000

// words brings what people write to one form and tells whether it is short enough.
func words(s string) (string, bool) {
	s = norm.NFC.String(strings.TrimSpace(s))
	return s, utf8.RuneCountInString(s) <= maxWords
}

// RegisterComplaint makes a complaint of the draft, or names every field that is not right. Its number is given later.
func RegisterComplaint(id uuid.UUID, d Draft, by string, p policy.Policy, now time.Time) (Complaint, []problem.Field) {
	var faults []problem.Field
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	if d.CustomerID == uuid.Nil {
		fault("customer_id", "customer_required", "must name the customer who complains")
	}
	if !slices.Contains(categories, d.Category) {
		fault("category", "category_unknown", "must be one of "+strings.Join(categories, ", "))
	}
	if !ticket.Code(d.Channel) {
		fault("channel", "channel_malformed", "must be a code of 1 to 64 lower-case letters, digits, - and _")
	}
	if description, ok := words(d.Description); description == "" || !ok {
		fault("description", "description_malformed", "must be 1 to 20000 characters")
	}
	if _, ok := words(d.Wish); !ok {
		fault("wish", "wish_too_long", "must be at most 20000 characters")
	}
	c := Complaint{
		ID: id, Version: 1, CustomerID: d.CustomerID, OrderID: d.OrderID, Category: d.Category, Channel: d.Channel,
		Stage: Registered, DueAt: now.Add(p.StepWithin), RegisteredAt: now,
	}
	c.happened(Step{Action: Register, By: by, At: now})
	return c, faults
}

// happened adds a step.
func (c *Complaint) happened(s Step) {
	s.No = len(c.Steps) + 1
	c.Steps = append(slices.Clip(c.Steps), s)
}

// enter begins a stage.
func (c *Complaint) enter(s Stage, p policy.Policy, now time.Time) {
	c.Stage, c.Reminders, c.DueAt = s, 0, time.Time{}
	switch s {
	case Accepted, Closed:
	case Offered:
		c.DueAt = now.Add(p.CustomerWithin)
	default:
		c.DueAt = now.Add(p.StepWithin)
	}
}

func (c *Complaint) end(o Outcome, p policy.Policy, now time.Time) {
	c.enter(Closed, p, now)
	c.Outcome, c.ClosedAt = o, now
}

// Decided tells whether the decision stands here already; one of the same id and another content is a problem.
func (c Complaint) Decided(d Decision) (bool, error) {
	for _, s := range c.Steps {
		if s.DecisionID == d.ID {
			return true, same(s.Hash, d.Hash)
		}
	}
	return false, nil
}

// Decide carries a decision out: the complaint as it is then, or why it cannot be.
func (c Complaint) Decide(d Decision, p policy.Policy, now time.Time) (Complaint, error) {
	if err := c.Check(d); err != nil {
		return c, err
	}
	if faults := d.faults(); len(faults) > 0 {
		return c, decisionInvalid(faults)
	}
	was := c
	c.Version++
	c.happened(Step{Action: d.Action, DecisionID: d.ID, Hash: d.Hash, By: d.By.Subject, At: now, NoteID: d.NoteID})
	switch d.Action {
	case Assess:
		if c.Severity = d.Severity; d.Admissible {
			c.enter(Assessed, p, now)
		} else {
			c.end(Inadmissible, p, now)
		}
	case Assign:
		c.Unit, c.Person = d.Unit, d.Person
		c.enter(Assigned, p, now)
	case Find:
		c.Finding, c.Cause = d.Finding, d.Cause
		c.enter(Found, p, now)
	case Propose:
		offer, err := c.propose(d, p, now)
		if err != nil {
			return was, err
		}
		return offer, nil
	case Approve:
		c.enter(Offered, p, now)
	case Refuse:
		c.enter(Found, p, now)
	case Accept:
		c.enter(Accepted, p, now)
	case Reject:
		if c.Rounds++; c.Rounds < p.Rounds {
			c.enter(Found, p, now)
		} else {
			c.end(NotAgreed, p, now)
		}
	case Withdraw:
		c.end(Withdrawn, p, now)
	}
	return c, nil
}

// faults names every field of a decision that is not right.
func (d Decision) faults() (faults []problem.Field) {
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	switch d.Action {
	case Assess:
		if d.Admissible && (d.Severity < 1 || d.Severity > 4) {
			fault("severity", "out_of_range", "must be 1 (grave) to 4 (slight)")
		}
		if !d.Admissible && d.Severity != 0 {
			fault("severity", "out_of_range", "must be left out where the complaint is not taken up")
		}
	case Assign:
		if !ticket.Code(d.Unit) {
			fault("unit", "unit_malformed", "must be a code of 1 to 64 lower-case letters, digits, - and _")
		}
	case Find:
		if !slices.Contains(findings, d.Finding) {
			fault("finding", "finding_unknown", "must be one of "+strings.Join(findings, ", "))
		}
		if !slices.Contains(causes, d.Cause) {
			fault("cause", "cause_unknown", "must be one of "+strings.Join(causes, ", "))
		}
	}
	return faults
}

// Overdue is what happens when the present step was not taken until it was due, at dueAt: it is reminded of, an approval
// goes one level up, and a customer who was reminded often enough is taken to be silent. It changes nothing where
// somebody was faster.
func (c Complaint) Overdue(dueAt time.Time, p policy.Policy, now time.Time) Complaint {
	if c.Stage == Closed || c.Stage == Accepted || !c.DueAt.Equal(dueAt) {
		return c
	}
	c.Version++
	if c.Stage == Offered && c.Reminders >= p.Reminders {
		return c.silence(p, now)
	}
	reminders := c.Reminders + 1
	c.enter(c.Stage, p, now)
	c.Reminders = reminders
	if c.Stage == Proposed && c.Proposal.Approval == policy.Manager {
		raised := *c.Proposal
		raised.Approval = policy.Director
		c.Proposal = &raised
	}
	c.happened(Step{Action: Remind, By: process, At: now})
	return c
}

// Cancelled is a complaint whose process was cancelled by an operator: withdrawn, unless it is being carried out or
// closed already.
func (c Complaint) Cancelled(p policy.Policy, now time.Time) Complaint {
	if c.Stage == Accepted || c.Stage == Closed {
		return c
	}
	c.Version++
	c.happened(Step{Action: Withdraw, By: process, At: now})
	c.end(Withdrawn, p, now)
	return c
}

// process is the subject of what the process does by itself.
const process = "process:complaint"
