// Package complaint leads a complaint from the first word to what was learned from it, after the steps of ISO 10002:
// registered and acknowledged, assessed, assigned to whom it concerns, investigated, a remedy proposed, approved where its
// cost or the complaint's gravity asks for it, decided by the customer, carried out, verified, closed and reviewed.
//
// The rules are here, in rules.go, remedy.go, answer.go and deadlines.go; they are applied to the complaint's row
// (commands.go). The process that waits, reminds and carries out is a workflow (workflow.go), which holds nothing that is not
// in the row as well.
package complaint

import (
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/calendar"
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
	Disputed   Stage = "disputed"   // waits for a supervisor to say who answers for it
	Found      Stage = "found"      // waits for a proposal
	Proposed   Stage = "proposed"   // waits for approval
	Offered    Stage = "offered"    // waits for the customer
	Accepted   Stage = "accepted"   // is being carried out
	Stuck      Stage = "stuck"      // a part failed, and not all that was done can be taken back: waits for a person
	Verifying  Stage = "verifying"  // waits for the customer's verdict on what was done
	Answering  Stage = "answering"  // came to no agreement: waits for the final answer
	Closed     Stage = "closed"
)

// Outcome is how a complaint ended.
type Outcome string

// The outcomes.
const (
	Settled      Outcome = "settled"      // the customer agreed, and all was carried out
	Unanswered   Outcome = "unanswered"   // the customer was silent; what needs no consent was carried out
	NotAgreed    Outcome = "not_agreed"   // every proposal was tried, and none agreed on
	Answered     Outcome = "answered"     // a final answer ended it before that
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

	Level          int          `json:"level,omitempty"`       // that deals with it: 1 at first
	Reopened       int          `json:"reopened,omitempty"`    // how often a low score had it dealt with anew
	Objected       bool         `json:"objected,omitempty"`    // the customer may object once
	Safety         bool         `json:"safety,omitempty"`      // people may come to harm
	Containment    string       `json:"containment,omitempty"` // code of what was done at once
	DeclinedBy     string       `json:"declined_by,omitempty"` // subject who refused the responsibility last
	Ruled          bool         `json:"ruled,omitempty"`       // a supervisor said who answers for it: that cannot be refused
	AcknowledgeBy  time.Time    `json:"acknowledge_by,omitzero"`
	AcknowledgedAt time.Time    `json:"acknowledged_at,omitzero"`
	LegalDueAt     time.Time    `json:"legal_due_at,omitzero"` // of the final answer; zero: no such deadline
	AnsweredAt     time.Time    `json:"answered_at,omitzero"`  // the final answer was given
	Alarms         []Alarm      `json:"alarms,omitempty"`      // that still have to ring, the earliest first
	Score          *int         `json:"score,omitempty"`       // the customer's verdict on the last remedy
	ScoreKind      string       `json:"score_kind,omitempty"`  // csat, nps or ces
	CrisisID       uuid.UUID    `json:"crisis_id,omitzero"`    // the crisis that it is a part of, as whoever escalated it said
	EscalatedAt    time.Time    `json:"escalated_at,omitzero"`
	ReviewedAt     time.Time    `json:"reviewed_at,omitzero"`
	Preventions    []Prevention `json:"preventions,omitempty"`
	// CarriedMinor corrects what the last proposal cost to what was spent since the complaint was last closed: earlier
	// proposals that were carried out, in part at least, less what was told of with the last closing.
	CarriedMinor int64 `json:"carried_minor,omitempty"`
}

// Step is one thing that happened, a decision of a person or a deed of the process.
type Step struct {
	No         int        `json:"no"` // from 1
	Action     Action     `json:"action"`
	DecisionID uuid.UUID  `json:"decision_id,omitzero"` // Nil: the process did it by itself
	Hash       []byte     `json:"hash,omitempty"`       // of the decision's input
	By         string     `json:"by"`                   // subject
	At         time.Time  `json:"at"`
	NoteID     uuid.UUID  `json:"note_id,omitzero"` // the reason that was given
	Detail     StepDetail `json:"detail,omitzero"`
}

// StepDetail is what a step was about, in codes, numbers and times; which of them there are depends on its action.
type StepDetail struct {
	Admissible  *bool     `json:"admissible,omitempty" doc:"Of an assessment, as are the next three."`
	Severity    int       `json:"severity,omitempty"`
	Safety      bool      `json:"safety,omitempty"`
	Containment string    `json:"containment,omitempty"`
	Unit        string    `json:"unit,omitempty" doc:"Who answers for it, as does person."`
	Person      string    `json:"person,omitempty"`
	Finding     string    `json:"finding,omitempty"`
	Cause       string    `json:"cause,omitempty"`
	Proposal    int       `json:"proposal,omitempty" doc:"The number of the proposal that it is about."`
	Part        int       `json:"part,omitempty" doc:"The part of it that failed, and why, as a code."`
	Code        string    `json:"code,omitempty"`
	Score       *int      `json:"score,omitempty" doc:"The customer's verdict."`
	ScoreKind   string    `json:"score_kind,omitempty"`
	Level       int       `json:"level,omitempty" doc:"That deals with it from now on, after it was reopened, and why, as a code."`
	Why         string    `json:"why,omitempty"`
	Before      Outcome   `json:"outcome_before,omitempty" doc:"With which it had been closed."`
	Channel     string    `json:"channel,omitempty"`
	Medium      string    `json:"medium,omitempty" doc:"Of a final answer."`
	Bodies      []string  `json:"outside_bodies,omitempty" nullable:"false" doc:"That a final answer named, or to which the customer turned."`
	Deadline    Deadline  `json:"deadline,omitempty" doc:"That comes near or has passed."`
	DueAt       time.Time `json:"due_at,omitzero"`
	DaysLeft    int       `json:"days_left,omitempty"`
	CrisisID    uuid.UUID `json:"crisis_id,omitzero"`
	Prevention  int       `json:"prevention,omitempty" doc:"The number of the preventive action that it is about."`
	Owner       string    `json:"owner,omitempty"`
}

func (d StepDetail) empty() bool { return reflect.ValueOf(d).IsZero() }

// Prevention is something that is done so that it does not happen again. What it is stands in the note of its decision.
type Prevention struct {
	No         int       `json:"no"` // within the complaint, from 1
	DecisionID uuid.UUID `json:"decision_id"`
	Owner      string    `json:"owner"` // subject
	DueAt      time.Time `json:"due_at"`
	DoneAt     time.Time `json:"done_at,omitzero"`
}

// Action is what can be done about a complaint.
type Action string

// The decisions of people, in the order in which they are offered, and then what the process does by itself.
const (
	Acknowledge Action = "acknowledge" // the customer was told that it was received
	Assess      Action = "assess"
	Assign      Action = "assign"
	Decline     Action = "decline" // the responsibility
	Rule        Action = "rule"    // who answers for it, after that
	Find        Action = "find"
	Object      Action = "object" // the customer does not agree with what was found
	Propose     Action = "propose"
	Approve     Action = "approve"
	Refuse      Action = "refuse"
	Accept      Action = "accept"
	Reject      Action = "reject"
	Retry       Action = "retry"  // a part that failed
	Settle      Action = "settle" // let be what was done, and drop the rest
	Verify      Action = "verify" // the customer's verdict
	Answer      Action = "answer" // the final one
	Withdraw    Action = "withdraw"
	Reopen      Action = "reopen"
	Refer       Action = "refer" // the customer turned to an outside body
	Add         Action = "add"   // facts
	Escalate    Action = "escalate"
	Prevent     Action = "prevent"
	Finish      Action = "finish" // a preventive action
	Review      Action = "review"

	Register Action = "register"
	Reply    Action = "reply"   // the customer wrote something on the ticket
	Remind   Action = "remind"  // a step is overdue
	Silence  Action = "silence" // the customer was reminded often enough, or gave no verdict
	Execute  Action = "execute" // every part of a remedy was carried out
	Fail     Action = "fail"    // a part cannot be carried out
	Warn     Action = "warn"    // a deadline comes near
	Miss     Action = "miss"    // a deadline has passed
)

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

// media are what a final answer may stand on: the customer can keep it, and read it unchanged later.
var media = []string{"letter", "email", "document"}

const maxWords = 20_000

// words brings what people write to one form and tells whether it is short enough.
func words(s string) (string, bool) {
	s = norm.NFC.String(strings.TrimSpace(s))
	return s, utf8.RuneCountInString(s) <= maxWords
}

// RegisterComplaint makes a complaint of the draft, or names every field that is not right. Its number is given later. The
// calendar has the working days of the legal deadline, if the policy sets one.
func RegisterComplaint(id uuid.UUID, d Draft, by string, p policy.Policy, days calendar.Calendar, now time.Time) (Complaint, []problem.Field) {
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
		Stage: Registered, DueAt: now.Add(p.StepWithin), RegisteredAt: now, Level: 1,
	}
	c.setAlarms(p, days, now)
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
	case Verifying:
		c.DueAt = now.Add(p.VerifyWithin)
	default:
		c.DueAt = now.Add(p.StepWithin)
	}
}

func (c *Complaint) end(o Outcome, p policy.Policy, now time.Time) {
	c.enter(Closed, p, now)
	c.Outcome, c.ClosedAt = o, now
}

// process is the subject of what the process does by itself.
const process = "process:complaint"
