package complaint

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/policy"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

// Decision is what a person decided. Its JSON form travels to the workflow; what was said with it stays behind as notes.
type Decision struct {
	ID          uuid.UUID  `json:"id"` // the same decision has the same id, however often it is sent
	ComplaintID uuid.UUID  `json:"complaint_id"`
	Action      Action     `json:"action"`
	By          flow.Actor `json:"by"`
	Hash        []byte     `json:"hash"`    // of the request
	Attempt     string     `json:"attempt"` // which of several requests with one id this is
	NoteID      uuid.UUID  `json:"note_id,omitzero"`
	Said        []Word     `json:"said,omitempty"` // which sorts of words stand beside it, the reason included

	Admissible  bool        `json:"admissible,omitempty"` // of Assess; so are the next three
	Severity    int         `json:"severity,omitempty"`
	Safety      bool        `json:"safety,omitempty"`
	Containment string      `json:"containment,omitempty"`
	Unit        string      `json:"unit,omitempty"` // of Assign and Rule; so is the next
	Person      string      `json:"person,omitempty"`
	Finding     string      `json:"finding,omitempty"` // of Find; so is the next
	Cause       string      `json:"cause,omitempty"`
	Currency    string      `json:"currency,omitempty"` // of Propose; so is the next
	Parts       []PartDraft `json:"parts,omitempty"`
	Channel     string      `json:"channel,omitempty"` // of Acknowledge and Reply
	Score       int         `json:"score,omitempty"`   // of Verify; so is the next
	ScoreKind   string      `json:"score_kind,omitempty"`
	Medium      string      `json:"medium,omitempty"`    // of Answer
	Body        string      `json:"body,omitempty"`      // of Refer: code of the outside body
	CrisisID    uuid.UUID   `json:"crisis_id,omitzero"`  // of Escalate
	Owner       string      `json:"owner,omitempty"`     // of Prevent; so is the next
	DueAt       time.Time   `json:"due_at,omitzero"`     //
	Prevention  int         `json:"prevention,omitzero"` // of Finish
}

// Word is a sort of words that people say with a decision.
type Word string

// The sorts.
const (
	Reason          Word = "reason"
	ContainmentText Word = "containment" // what was done at once
	RootCause       Word = "root_cause"
	Evidence        Word = "evidence" // where something can be found that proves it
	Facts           Word = "facts"
	PreventionText  Word = "prevention" // what is done so that it does not happen again
	AnswerText      Word = "answer"     // the final one, as the customer has it

	description Word = "description" // these two when it was registered
	wish        Word = "wish"
)

// Decided tells whether the decision stands here already; one of the same id and another content is a problem.
func (c Complaint) Decided(d Decision) (bool, error) {
	for _, s := range c.Steps {
		if s.DecisionID == d.ID {
			return true, flow.Same(s.Hash, d.Hash)
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
	c.happened(Step{Action: d.Action, DecisionID: d.ID, Hash: d.Hash, By: d.By.Subject, At: now, NoteID: d.NoteID, Detail: c.detail(d)})
	for _, apply := range []func(Decision, policy.Policy, time.Time) (bool, error){c.investigate, c.remedy, c.conclude, c.remark} {
		if done, err := apply(d, p, now); err != nil {
			return was, err
		} else if done {
			return c, nil
		}
	}
	return was, fmt.Errorf("complaint: no rule for %s", d.Action)
}

// detail is what a decision's step keeps of it.
func (c *Complaint) detail(d Decision) StepDetail {
	detail := StepDetail{
		Severity: d.Severity, Safety: d.Safety, Containment: d.Containment, Unit: d.Unit, Person: d.Person, Finding: d.Finding, Cause: d.Cause,
		Channel: d.Channel, Medium: d.Medium, CrisisID: d.CrisisID, Owner: d.Owner, DueAt: d.DueAt, Prevention: d.Prevention,
	}
	switch d.Action {
	case Assess:
		detail.Admissible = &d.Admissible
	case Verify:
		detail.Score, detail.ScoreKind = &d.Score, d.ScoreKind
	case Prevent:
		detail.Prevention = len(c.Preventions) + 1
	case Refer:
		detail.Bodies = []string{d.Body}
	case Approve, Refuse, Accept, Reject, Retry, Settle:
		detail.Proposal = c.Proposal.No
	}
	return detail
}

// investigate applies the decisions up to what was found; done is false for others.
func (c *Complaint) investigate(d Decision, p policy.Policy, now time.Time) (done bool, err error) {
	switch d.Action {
	case Acknowledge:
		c.AcknowledgedAt = now
		c.silenceAlarms(Acknowledgement)
	case Assess:
		c.Severity, c.Safety, c.Containment = d.Severity, d.Safety, d.Containment
		if d.Admissible {
			c.enter(Assessed, p, now)
		} else {
			c.end(Inadmissible, p, now)
		}
	case Assign:
		c.Unit, c.Person = d.Unit, d.Person
		if c.Stage == Assessed || c.Stage == Assigned { // later only the person changes, not the step
			c.enter(Assigned, p, now)
		}
	case Decline:
		c.DeclinedBy = d.By.Subject
		c.enter(Disputed, p, now)
	case Rule:
		c.Unit, c.Person, c.Ruled = d.Unit, d.Person, true
		c.enter(Assigned, p, now)
	case Find:
		c.Finding, c.Cause = d.Finding, d.Cause
		c.enter(Found, p, now)
	case Object:
		c.Objected = true
		before := c.Outcome
		if c.Stage == Closed {
			c.open(Registered, p, now)
		} else {
			c.enter(Assigned, p, now)
		}
		c.anew(d.By.Subject, "objection", before, now)
	default:
		return false, nil
	}
	return true, nil
}

// remedy applies the decisions about what the customer is offered; done is false for others.
func (c *Complaint) remedy(d Decision, p policy.Policy, now time.Time) (done bool, err error) {
	switch d.Action {
	case Propose:
		return true, c.propose(d, p, now)
	case Approve:
		c.enter(Offered, p, now)
	case Refuse:
		c.enter(Found, p, now)
	case Accept:
		c.enter(Accepted, p, now)
	case Reject:
		switch c.Rounds++; {
		case c.Rounds < p.Rounds:
			c.enter(Found, p, now)
		case len(p.OutsideBodies) > 0:
			c.enter(Answering, p, now)
		default:
			c.end(NotAgreed, p, now)
		}
	case Retry:
		c.retry(p, now)
	case Settle:
		c.leave(p, now)
	case Reply: // the customer is not silent
		if c.Stage == Closed {
			c.speak(d.By.Subject, p, now)
		} else {
			c.enter(Offered, p, now)
		}
	default:
		return false, nil
	}
	return true, nil
}

// faults names every field of a decision that is not right.
func (d Decision) faults() (faults []problem.Field) {
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	needs := func(w Word, location, message string) {
		if !slices.Contains(d.Said, w) {
			fault(location, string(w)+"_required", message)
		}
	}
	switch d.Action {
	case Assess:
		d.assessmentFaults(fault)
	case Assign, Rule:
		if !ticket.Code(d.Unit) {
			fault("unit", "unit_malformed", "must be a code of 1 to 64 lower-case letters, digits, - and _")
		}
	case Decline:
		needs(Reason, "reason", "must say why the responsibility is refused")
	case Object, Reopen:
		needs(Reason, "reason", "must say what the customer says")
	case Find:
		if !slices.Contains(findings, d.Finding) {
			fault("finding", "finding_unknown", "must be one of "+strings.Join(findings, ", "))
		} else if d.Finding == "unfounded" || d.Finding == "not_provable" {
			needs(Reason, "reason", "must give the customer the reasons why the complaint is "+d.Finding)
		}
		if !slices.Contains(causes, d.Cause) {
			fault("cause", "cause_unknown", "must be one of "+strings.Join(causes, ", "))
		}
	case Acknowledge:
		if !ticket.Code(d.Channel) {
			fault("channel", "channel_malformed", "must be a code of 1 to 64 lower-case letters, digits, - and _")
		}
	case Settle:
		needs(Reason, "reason", "must say why the rest is let be")
	case Verify:
		if _, ok := d.low(1); !ok {
			fault("score", "out_of_range", "must be 1 to 5 of csat, 0 to 10 of nps, 1 to 7 of ces")
		}
	case Answer:
		if !slices.Contains(media, d.Medium) {
			fault("medium", "medium_unknown", "must be durable: one of "+strings.Join(media, ", "))
		}
		needs(AnswerText, "text", "must be the answer as the customer has it")
	case Add:
		if !slices.Contains(d.Said, Facts) && !slices.Contains(d.Said, Evidence) {
			fault("facts", "facts_required", "must say something, or name evidence")
		}
	case Prevent:
		if !subject(d.Owner) {
			fault("owner", "owner_malformed", "must be the subject of whoever does it, of 1 to 255 printable characters")
		}
		needs(PreventionText, "action", "must say what is done so that it does not happen again")
	}
	return faults
}

func (d Decision) assessmentFaults(fault func(location, code, message string)) {
	if d.Admissible && (d.Severity < 1 || d.Severity > 4) {
		fault("severity", "out_of_range", "must be 1 (grave) to 4 (slight)")
	}
	if !d.Admissible && d.Severity != 0 {
		fault("severity", "out_of_range", "must be left out where the complaint is not taken up")
	}
	if d.Containment != "" && !ticket.Code(d.Containment) {
		fault("containment", "containment_malformed", "must be a code of 1 to 64 lower-case letters, digits, - and _")
	}
	if d.Safety && d.Containment == "" {
		fault("containment", "containment_required", "must say what was done at once, where people may come to harm")
	}
}

// subject tells whether s can be the subject of a person.
func subject(s string) bool {
	n := utf8.RuneCountInString(s)
	return n >= 1 && n <= 255 && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
