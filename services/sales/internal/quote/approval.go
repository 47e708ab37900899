package quote

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Approval is how far the approval of a version is. The levels are asked one after the other, from the lowest to the one that may
// grant so much; where a level is silent the next one of the policy is asked, also one above that.
type Approval struct {
	Submission int32      // how often the version was submitted
	Policy     Policy     // as it was then; what changes in it later counts for what is submitted later
	Last       int        // place of the level with whose approval the version may be sent
	At         int        // place of the level that is asked
	Given      []Approver // who approved, in this submission
	Escalated  bool       // the level that is asked is, since the one before it was silent
	DueAt      time.Time  // until when the level that is asked has time; zero: none is asked
	AskedAt    time.Time
	Requested  string // subject of who submitted it
	ApprovedAt time.Time
}

// Approver is an approval that was given.
type Approver struct {
	Level string    `json:"level"` // its code
	By    string    `json:"by"`    // subject
	At    time.Time `json:"at"`
}

// Level is the level that is asked; the zero Level where none is.
func (a Approval) Level() Level {
	if a.DueAt.IsZero() || a.At >= len(a.Policy.Levels) {
		return Level{}
	}
	return a.Policy.Levels[a.At]
}

// closed is an approval in which nobody is asked any more.
func (a Approval) closed() Approval {
	a.DueAt = time.Time{}
	return a
}

func (a Approval) ask(place int, escalated bool, now time.Time) Approval {
	a.At, a.Escalated, a.AskedAt, a.DueAt = place, escalated, now, a.Policy.due(a.Policy.Levels[place], now)
	return a
}

// Submit asks for approval of the latest version, a draft; one within the seller's own limits is approved at once.
func (q Quote) Submit(no int32, p Policy, by string, at time.Time) (Quote, error) {
	v, err := q.latest(no, Draft)
	if err != nil {
		return q, err
	}
	if !at.Before(v.ExpiresAt) {
		return q, expired(v)
	}
	last, ok := p.needs(v.Content.Currency, v.Totals)
	if !ok {
		return q, problem.New(problem.Unprocessable, "quote_beyond_policy", "No level of the policy may approve a discount of %d.%02d %% on an amount of %d in %s.",
			v.Totals.DiscountRate()/100, v.Totals.DiscountRate()%100, v.Totals.TotalMinor, v.Content.Currency)
	}
	q, now := q.change(no)
	now.author(by)
	now.Approval = Approval{Submission: v.Approval.Submission + 1, Policy: p, Last: last, Requested: by}
	if last < 0 {
		now.State, now.Approval.ApprovedAt = Approved, at
	} else {
		now.State, now.Approval = InApproval, now.Approval.ask(0, false, at)
	}
	q.happened(Step{Action: ActionSubmit, Version: no, By: by, At: at, Level: now.Approval.Level().Code})
	return q, nil
}

// Decision is what a person decided about a version in approval. Its JSON form travels to the workflow; the words stay behind as
// a note.
type Decision struct {
	ID      uuid.UUID  `json:"id"` // the same decision has the same id, however often it is sent
	QuoteID uuid.UUID  `json:"quote_id"`
	Version int32      `json:"version"`
	Action  Action     `json:"action"` // ActionApprove or ActionReject
	Level   string     `json:"level"`  // code of the level for which it is decided
	Code    string     `json:"code,omitempty"`
	By      flow.Actor `json:"by"`
	Hash    []byte     `json:"hash"`    // of the request
	Attempt string     `json:"attempt"` // which of several requests with one id this is
	NoteID  uuid.UUID  `json:"note_id,omitzero"`
}

// Decided tells whether the decision stands here already; one of the same id and another content is a problem.
func (q Quote) Decided(d Decision) (bool, error) {
	for _, s := range q.Steps {
		if s.DecisionID == d.ID {
			return true, flow.Same(s.Hash, d.Hash)
		}
	}
	return false, nil
}

// Check refuses a decision that cannot be made here, or not by this person.
func (q Quote) Check(d Decision) error {
	v, err := q.latest(d.Version, InApproval)
	if err != nil {
		return err
	}
	level := v.Approval.Level()
	if err := d.fits(level.Code); err != nil {
		return err
	}
	switch {
	case len(level.Approvers) > 0 && !slices.Contains(level.Approvers, d.By.Subject):
		return problem.New(problem.Forbidden, "approver_unknown", "You are not among those who approve on the level %s.", level.Code)
	case slices.Contains(v.Authors, d.By.Subject):
		return problem.New(problem.Forbidden, "approval_own", "Nobody decides on a quote that they wrote, edited or submitted themselves.")
	case !v.Approval.Policy.Twice && slices.ContainsFunc(v.Approval.Given, func(a Approver) bool { return a.By == d.By.Subject }):
		return problem.New(problem.Forbidden, "approval_twice", "You approved this on a lower level: somebody else has to decide on this one.")
	}
	return nil
}

// fits refuses what nobody may decide while a level is asked.
func (d Decision) fits(level string) error {
	switch {
	case d.Action != ActionApprove && d.Action != ActionReject:
		return problem.New(problem.NotFound, "decision_unknown", "There is no such decision.")
	case d.Level != level:
		return problem.New(problem.Conflict, "approval_level_passed", "The level that is asked now is %s: decide for that one.", level)
	case !d.By.Can(auth.QuotesApprove):
		return problem.New(problem.Forbidden, "permission_missing", "This needs the permission %s.", auth.QuotesApprove)
	}
	return nil
}

// Decide carries a decision out: the quote as it is then, or why it cannot be. A version that is rejected is a draft again.
func (q Quote) Decide(d Decision, at time.Time) (Quote, error) {
	if err := q.Check(d); err != nil {
		return q, err
	}
	q, v := q.change(d.Version)
	a := v.Approval
	level := a.Level().Code
	if d.Action == ActionReject {
		v.State, v.Approval = Draft, a.closed()
	} else {
		a.Given = append(slices.Clone(a.Given), Approver{Level: level, By: d.By.Subject, At: at})
		if a.At >= a.Last {
			v.State, a = Approved, a.closed()
			a.ApprovedAt = at
		} else {
			a = a.ask(a.At+1, false, at)
		}
		v.Approval = a
	}
	q.happened(Step{Action: d.Action, Version: d.Version, DecisionID: d.ID, Hash: d.Hash, By: d.By.Subject, At: at, Level: level, Code: d.Code, NoteID: d.NoteID})
	return q, nil
}

// silent is the code of why a version was rejected that nobody answered.
const silent = "silence"

// Silent is what happens when the level that was asked until dueAt did not answer: the next one is asked, and after the last the
// policy says. Of a version whose last day has passed nobody is asked any more. It changes nothing where somebody was faster.
func (q Quote) Silent(no int32, dueAt, at time.Time) Quote {
	v, err := q.latest(no, InApproval)
	if err != nil || !v.Approval.DueAt.Equal(dueAt) || at.Before(dueAt) {
		return q
	}
	q, now := q.change(no)
	a, step := v.Approval, Step{Action: ActionEscalate, Version: no, By: process, At: at, Level: v.Approval.Level().Code, Code: silent}
	inTime := at.Before(v.ExpiresAt)
	switch {
	case inTime && a.At+1 < len(a.Policy.Levels):
		now.Approval = a.ask(a.At+1, true, at)
	case inTime && a.Policy.Silence == SilenceAsksAgain:
		now.Approval = a.ask(a.At, true, at)
	default:
		step.Action = ActionReject
		now.State, now.Approval = Draft, a.closed()
	}
	if !inTime {
		step.Code = string(Expired)
	}
	q.happened(step)
	return q
}
