// Package nurture warms up leads that are not ready: marketing takes a lead into a programme, a list of waits and of what the lead
// hears, and hands it over to sales when it is likely enough to be won, when it comes again, or by hand. A lead that is silent to
// the end goes back to sales or is lost, as the programme says.
//
// Before each touch accounts is asked whether the customer may be contacted, so that consents and limits hold. A lead that
// accounts does not know is touched only where its capture said that it agreed.
package nurture

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
)

// Stage is where a case stands.
type Stage string

// The stages. Running and Paused are those of a case that goes on.
const (
	Running    Stage = "running"
	Paused     Stage = "paused"
	HandedOver Stage = "handed_over" // sales has the lead, since it is ready
	Recycled   Stage = "recycled"    // sales has it again, since it was silent
	Lost       Stage = "lost"        // it was silent
	Cancelled  Stage = "cancelled"   // something else became of the lead
)

// Why a case is over, as codes; those of a cancelled one are what became of the lead.
const (
	codeScore    = "score"
	codeEnquired = "enquired"
	codeHand     = "hand"
	codeRecycled = "recycled"
	codeSilence  = "silence"
	codeErased   = "erased"
)

// Action is something that happened to a case.
type Action string

// What people decide, in the order in which it is offered, and then what happens by itself.
const (
	ActionPause    Action = "pause"
	ActionResume   Action = "resume"
	ActionHandOver Action = "hand_over"

	ActionStart Action = "start"
	ActionTouch Action = "touch"
	ActionSkip  Action = "skip"
	ActionEnd   Action = "end"
)

// process stands in the place of the subject where no person decided.
const process = "process:nurture"

// Step is one thing that happened. Its JSON form is stored, and travels in histories.
type Step struct {
	Action     Action    `json:"action"`
	Touch      string    `json:"touch,omitempty"` // code of what the lead was to hear
	Channel    string    `json:"channel,omitempty"`
	ContactID  uuid.UUID `json:"contact_id,omitzero"` // at accounts
	Code       string    `json:"code,omitempty"`      // why it was skipped, or is over
	DecisionID uuid.UUID `json:"decision_id,omitzero"`
	Hash       []byte    `json:"hash,omitempty"` // of the request that brought the decision
	By         string    `json:"by"`             // subject
	At         time.Time `json:"at"`
}

// Case is one time that a lead is warmed up. Its JSON form travels in histories: it says nothing personal.
type Case struct {
	ID               uuid.UUID `json:"id"` // UUIDv7
	LeadID           uuid.UUID `json:"lead_id"`
	Programme        string    `json:"programme"`
	ProgrammeVersion int64     `json:"programme_version"`
	Stage            Stage     `json:"stage"`
	Code             string    `json:"code,omitempty"` // why it is over
	Next             int       `json:"next"`           // place of the touch that comes next
	Round            int       `json:"round"`          // how often accounts was asked about it in vain
	Touches          int       `json:"touches"`        // that were made
	Enquiries        int       `json:"enquiries"`      // how often the lead had come when it began
	Threshold        int32     `json:"threshold"`      // score from which on it goes to sales; 0: none
	Due              time.Time `json:"due,omitzero"`   // of the next touch or, behind the last, of the end
	PausedAt         time.Time `json:"paused_at,omitzero"`
	Steps            []Step    `json:"steps"`
	Version          int64     `json:"version"` // from 1, one more with every change
	StartedAt        time.Time `json:"started_at"`
	OverAt           time.Time `json:"over_at,omitzero"`
}

// Over tells whether nothing happens to the case any more.
func (c Case) Over() bool { return c.Stage != Running && c.Stage != Paused }

// DueAt gives when something is to be done; zero: not until somebody decides.
func (c Case) DueAt() time.Time {
	if c.Stage != Running {
		return time.Time{}
	}
	return c.Due
}

// begin gives the case of a lead that is taken into a programme.
func begin(id uuid.UUID, l lead.Lead, p Programme, by string, now time.Time) Case {
	c := Case{
		ID: id, LeadID: l.ID, Programme: p.Code, ProgrammeVersion: p.Version, Stage: Running, Enquiries: l.Enquiries, Threshold: p.threshold(),
		Due: now.Add(p.Touches[0].wait()), StartedAt: now,
	}
	c.happened(Step{Action: ActionStart, By: by, At: now})
	return c
}

// happened notes a step.
func (c *Case) happened(s Step) {
	c.Steps = append(slices.Clip(c.Steps), s)
	c.Version++
}

// touchDue gives the touch that is due, if one is.
func (c Case) touchDue(p Programme, now time.Time) (ProgrammeTouch, bool) {
	if c.Stage != Running || c.Next >= len(p.Touches) || c.Due.After(now) {
		return ProgrammeTouch{}, false
	}
	return p.Touches[c.Next], true
}

// silent tells whether the lead was silent to the end.
func (c Case) silent(p Programme, now time.Time) bool {
	return c.Stage == Running && c.Next >= len(p.Touches) && !c.Due.After(now)
}

// passed goes on behind the touch that was due.
func (c *Case) passed(p Programme, s Step) {
	c.Next, c.Round = c.Next+1, 0
	if c.Next < len(p.Touches) {
		c.Due = s.At.Add(p.Touches[c.Next].wait())
	} else {
		c.Due = s.At.Add(time.Duration(p.SilenceSeconds) * time.Second)
	}
	c.happened(s)
}

// skip goes on without the touch that was due; code says why.
func (c *Case) skip(p Programme, code string, now time.Time) {
	c.passed(p, Step{Action: ActionSkip, Touch: p.Touches[c.Next].Code, Code: code, By: process, At: now})
}

// touch notes that the lead hears what is due, by a channel; contact is Nil of a lead that accounts does not know.
func (c *Case) touch(p Programme, channel string, contact uuid.UUID, now time.Time) {
	c.Touches++
	c.passed(p, Step{Action: ActionTouch, Touch: p.Touches[c.Next].Code, Channel: channel, ContactID: contact, By: process, At: now})
}

// end ends the case.
func (c *Case) end(stage Stage, code string, s Step) {
	c.Stage, c.Code, c.OverAt, c.Due, c.PausedAt = stage, code, s.At, time.Time{}, time.Time{}
	s.Code = code
	c.happened(s)
}

// outcome says what has become of the lead by itself: the stage that ends the case and why; an empty stage where it goes on.
func (c Case) outcome(p Programme, l lead.Lead, score int32, now time.Time) (Stage, string) {
	switch {
	case !l.ErasedAt.IsZero():
		return Cancelled, codeErased
	case l.State != lead.Nurturing:
		return Cancelled, string(l.State)
	case l.Enquiries > c.Enquiries:
		return HandedOver, codeEnquired
	case c.Threshold > 0 && score >= c.Threshold:
		return HandedOver, codeScore
	case !c.silent(p, now):
		return "", ""
	case p.OnSilence == Lose:
		return Lost, codeSilence
	default:
		return Recycled, codeRecycled
	}
}

// reachable says by which channel a lead that accounts does not know hears a touch, or by a code why it does not.
func (p Programme) reachable(l lead.Lead, t ProgrammeTouch) (channel, refusal string) {
	if agreed, _ := l.Custom[p.AgreedField].(bool); p.AgreedField == "" || !agreed {
		return "", "no_consent"
	}
	channel = t.Channel
	if channel == "" {
		channel = "email"
		if l.Email == "" {
			channel = "phone"
		}
	}
	if address := map[string]string{"email": l.Email, "phone": l.Phone, "sms": l.Phone}[channel]; address == "" {
		return "", "no_address"
	}
	return channel, ""
}

// Decision is what a person decided. Its JSON form travels to the workflow.
type Decision struct {
	ID      uuid.UUID  `json:"id"` // the same decision has the same id, however often it is sent
	CaseID  uuid.UUID  `json:"case_id"`
	Action  Action     `json:"action"`
	By      flow.Actor `json:"by"`
	Hash    []byte     `json:"hash"`    // of the request
	Attempt string     `json:"attempt"` // which of several requests with one id this is
}

// right is what every decision needs.
const right = auth.SalesWrite

var decidedIn = map[Action][]Stage{ActionPause: {Running}, ActionResume: {Paused}, ActionHandOver: {Running, Paused}}

// NextActions lists the decisions that may be made now.
func (c Case) NextActions() []Action {
	next := []Action{}
	for _, a := range []Action{ActionPause, ActionResume, ActionHandOver} {
		if slices.Contains(decidedIn[a], c.Stage) {
			next = append(next, a)
		}
	}
	return next
}

// Check refuses a decision that cannot be made here, or not by this person.
func (c Case) Check(d Decision) error {
	switch in, known := decidedIn[d.Action]; {
	case !known:
		return problem.New(problem.NotFound, "decision_unknown", "There is no such decision.")
	case c.Over():
		return problem.New(problem.Conflict, "nurturing_over", "This nurturing is %s; nothing can be decided any more.", c.Stage)
	case !slices.Contains(in, c.Stage):
		return problem.New(problem.Conflict, "nurturing_stage", "This cannot be decided now: the nurturing is %s.", c.Stage)
	case !d.By.Can(right):
		return problem.New(problem.Forbidden, "permission_missing", "This needs the permission %s.", right)
	}
	return nil
}

// Decided tells whether the decision stands here already; one of the same id and another content is a problem.
func (c Case) Decided(d Decision) (bool, error) {
	for _, s := range c.Steps {
		if s.DecisionID == d.ID {
			return true, flow.Same(s.Hash, d.Hash)
		}
	}
	return false, nil
}

// Decide carries a decision out, but for what becomes of the lead, which is the caller's to do where the case is over then.
func (c Case) Decide(d Decision, now time.Time) (Case, error) {
	if err := c.Check(d); err != nil {
		return c, err
	}
	s := Step{Action: d.Action, DecisionID: d.ID, Hash: d.Hash, By: d.By.Subject, At: now}
	switch d.Action {
	case ActionPause:
		c.Stage, c.PausedAt = Paused, now
	case ActionResume: // what was still to wait for is waited for
		c.Stage, c.Due, c.PausedAt = Running, c.Due.Add(now.Sub(c.PausedAt)), time.Time{}
	case ActionHandOver:
		c.end(HandedOver, codeHand, s)
		return c, nil
	}
	c.happened(s)
	return c, nil
}
