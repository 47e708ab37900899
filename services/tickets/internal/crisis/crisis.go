// Package crisis finds bursts of complaints about one article or category, proposes them as crises, and leads those that are
// declared: a team, a holding statement, the linked complaints answered together, updates at a fixed rhythm, the all-clear and
// the review.
//
// How bursts are found is in detect.go, the rules of leading are here; they are applied to the crisis's row (commands.go). The
// process that waits, reminds and answers is a workflow (workflow.go), which holds nothing that is not in the row as well.
package crisis

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Stage is where a crisis stands.
type Stage string

// The stages.
const (
	Proposed  Stage = "proposed"  // a burst was found: somebody has to say whether it is one
	Dismissed Stage = "dismissed" // it is none
	Declared  Stage = "declared"  // it is led
	Cleared   Stage = "cleared"   // all clear; waits for its review
	Closed    Stage = "closed"    // reviewed
)

// Crisis is where one crisis stands. Its JSON form travels in the workflow's history, so it carries no words of people: those
// are notes.
type Crisis struct {
	ID         uuid.UUID `json:"id"` // UUIDv7
	Version    int64     `json:"version"`
	Dimension  Dimension `json:"dimension"`
	Value      string    `json:"value"`
	Stage      Stage     `json:"stage"`
	Alarm      *Finding  `json:"alarm,omitempty"` // the numbers by which it was proposed; nil where a person declared it
	WindowFrom time.Time `json:"window_from"`     // complaints since then belong to it
	Team       []string  `json:"team,omitempty"`  // subjects
	Statements int       `json:"statements,omitempty"`
	Reminders  int       `json:"reminders,omitempty"` // of what is due now
	DueAt      time.Time `json:"due_at,omitzero"`     // the next statement, or the review
	ProposedAt time.Time `json:"proposed_at,omitzero"`
	DeclaredAt time.Time `json:"declared_at,omitzero"`
	EndedAt    time.Time `json:"ended_at,omitzero"` // dismissed, or all clear
	ClosedAt   time.Time `json:"closed_at,omitzero"`
	Steps      []Step    `json:"steps"`
	Linked     Linked    `json:"linked"`
}

// Linked counts the complaints of a crisis.
type Linked struct {
	Complaints int64 `json:"complaints"`
	Answered   int64 `json:"answered"` // of them, at least once
	Planned    int64 `json:"planned"`  // answers that are still to be given
	Refused    int64 `json:"refused"`  // answers that a ticket did not take
}

// Step is one thing that happened, a decision of a person or a deed of the process.
type Step struct {
	No         int       `json:"no"` // from 1
	Action     Action    `json:"action"`
	DecisionID uuid.UUID `json:"decision_id,omitzero"` // Nil: the process did it by itself
	Hash       []byte    `json:"hash,omitempty"`       // of the decision's input
	By         string    `json:"by"`                   // subject
	At         time.Time `json:"at"`
	NoteID     uuid.UUID `json:"note_id,omitzero"` // what was said with it
}

// Action is what can be done about a crisis.
type Action string

// The decisions of people, in the order in which they are offered, and then what the process does by itself.
const (
	Declare Action = "declare"
	Dismiss Action = "dismiss"
	Staff   Action = "staff"  // names the team
	Hold    Action = "hold"   // the holding statement: what is said while little is known
	Answer  Action = "answer" // says the same to everybody who complained
	Update  Action = "update" // what is known and done by now
	Link    Action = "link"   // says that complaints belong to it
	Unlink  Action = "unlink" // or that they do not
	Clear   Action = "clear"  // all clear
	Review  Action = "review" // what was learned

	Propose Action = "propose"
	Remind  Action = "remind"
)

// rule says where a decision may be made and whether it needs words.
type rule struct {
	action Action
	in     []Stage
	words  bool
}

// rules is the one table of decisions. Each needs the permission crises.lead.
var rules = []rule{
	{Declare, []Stage{Proposed}, false},
	{Dismiss, []Stage{Proposed}, true},
	{Staff, []Stage{Declared, Cleared}, false},
	{Hold, []Stage{Declared}, true},
	{Answer, []Stage{Declared, Cleared}, true},
	{Update, []Stage{Declared}, true},
	{Link, []Stage{Declared, Cleared}, false},
	{Unlink, []Stage{Declared, Cleared}, false},
	{Clear, []Stage{Declared}, true},
	{Review, []Stage{Cleared}, true},
}

// right is what every decision needs.
const right = auth.CrisesLead

// Next lists the decisions that may be made now.
func (c Crisis) Next() []Action {
	next := []Action{}
	for _, r := range rules {
		if slices.Contains(r.in, c.Stage) {
			next = append(next, r.action)
		}
	}
	return next
}

// Over tells whether nothing more is to be done.
func (c Crisis) Over() bool { return c.Stage == Dismissed || c.Stage == Closed }

// Check refuses a decision that cannot be made here, or not by this person. What it asks for is not looked at.
func (c Crisis) Check(d Decision) error {
	i := slices.IndexFunc(rules, func(r rule) bool { return r.action == d.Action })
	switch {
	case i < 0:
		return problem.New(problem.NotFound, "decision_unknown", "There is no such decision.")
	case c.Over():
		return problem.New(problem.Conflict, "crisis_over", "This crisis is %s; nothing can be decided any more.", c.Stage)
	case !slices.Contains(rules[i].in, c.Stage):
		return problem.New(problem.Conflict, "crisis_stage", "This cannot be decided now: the crisis is %s. Possible now: %s.", c.Stage, c.possible())
	case !(auth.Principal{Roles: d.By.Roles}).Can(right):
		return problem.New(problem.Forbidden, "permission_missing", "This needs the permission %s.", right)
	}
	return nil
}

func (c Crisis) possible() string {
	var names []string
	for _, a := range c.Next() {
		names = append(names, string(a))
	}
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

// Decision is what a person decided. Its JSON form travels to the workflow; the words stay behind as a note.
type Decision struct {
	ID       uuid.UUID  `json:"id"` // the same decision has the same id, however often it is sent
	CrisisID uuid.UUID  `json:"crisis_id"`
	Action   Action     `json:"action"`
	By       flow.Actor `json:"by"`
	Hash     []byte     `json:"hash"`    // of the request
	Attempt  string     `json:"attempt"` // which of several requests with one id this is
	NoteID   uuid.UUID  `json:"note_id,omitzero"`

	Team       []string    `json:"team,omitempty"`       // of Staff
	Complaints []uuid.UUID `json:"complaints,omitempty"` // of Link and Unlink
	Everybody  bool        `json:"everybody,omitempty"`  // of Answer: also those who had an answer before
	Answer     bool        `json:"answer,omitempty"`     // of Hold, Update and Clear: everybody who complained is told so as well
}

// answers tells whether the words of the decision go to those who complained, and whether to everybody of them.
func (d Decision) answers() (yes, everybody bool) {
	switch d.Action {
	case Answer:
		return true, d.Everybody
	case Hold, Update, Clear:
		return d.Answer, true
	default:
		return false, false
	}
}

const (
	maxTeam    = 50
	maxSubject = 255
	maxWords   = 20_000
	maxLinks   = 200
)

// faults names every field of a decision that is not right.
func (d Decision) faults() (faults []problem.Field) {
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	i := slices.IndexFunc(rules, func(r rule) bool { return r.action == d.Action })
	if i >= 0 && rules[i].words && d.NoteID == uuid.Nil {
		fault("words", "words_required", "must say something")
	}
	switch d.Action {
	case Staff:
		if len(d.Team) < 1 || len(d.Team) > maxTeam {
			fault("team", "out_of_range", "must be 1 to 50 people")
		}
		for _, s := range d.Team {
			if strings.TrimSpace(s) != s || s == "" || utf8.RuneCountInString(s) > maxSubject {
				fault("team", "subject_malformed", "must be subjects of 1 to 255 characters")
				break
			}
		}
	case Link, Unlink:
		if len(d.Complaints) < 1 || len(d.Complaints) > maxLinks {
			fault("complaint_ids", "out_of_range", "must be 1 to 200 complaints")
		}
	}
	return faults
}

// words brings what people write to one form and tells whether it is short enough.
func words(s string) (string, bool) {
	s = norm.NFC.String(strings.TrimSpace(s))
	return s, utf8.RuneCountInString(s) <= maxWords
}

// happened adds a step.
func (c *Crisis) happened(s Step) {
	s.No = len(c.Steps) + 1
	c.Steps = append(slices.Clip(c.Steps), s)
	c.Version++
}

// ProposeCrisis makes a crisis of an alarm.
func ProposeCrisis(id uuid.UUID, f Finding, now time.Time) Crisis {
	c := Crisis{ID: id, Dimension: f.Dimension, Value: f.Value, Stage: Proposed, Alarm: &f, WindowFrom: f.From, ProposedAt: now}
	c.happened(Step{Action: Propose, By: process, At: now})
	return c
}

// Draft is a crisis that a person declares without waiting for a burst.
type Draft struct {
	Dimension Dimension
	Value     string
	Since     time.Time // complaints since then belong to it
}

const maxSKU = 200

// DeclareCrisis makes a crisis of the draft, or names every field that is not right.
func DeclareCrisis(id uuid.UUID, d Draft, decision Step, s Setting) (Crisis, []problem.Field) {
	var faults []problem.Field
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	if d.Dimension != SKU && d.Dimension != Category {
		fault("dimension", "dimension_unknown", "must be sku or category")
	}
	if n := utf8.RuneCountInString(d.Value); n < 1 || n > maxSKU || strings.TrimSpace(d.Value) != d.Value {
		fault("value", "value_malformed", "must be the code of an article or a category")
	}
	if d.Since.After(decision.At) || decision.At.Sub(d.Since) > mostBase*day {
		fault("since", "out_of_range", "must be within the last two years, and not in the future")
	}
	c := Crisis{ID: id, Dimension: d.Dimension, Value: d.Value, WindowFrom: d.Since}
	c.declare(decision, s)
	return c, faults
}

func (c *Crisis) declare(decision Step, s Setting) {
	decision.Action = Declare
	c.Stage, c.DeclaredAt, c.DueAt = Declared, decision.At, decision.At.Add(s.StatementWithin)
	c.happened(decision)
}

// Decided tells whether the decision stands here already; one of the same id and another content is a problem.
func (c Crisis) Decided(d Decision) (bool, error) {
	for _, s := range c.Steps {
		if s.DecisionID == d.ID {
			return true, flow.Same(s.Hash, d.Hash)
		}
	}
	return false, nil
}

// Decide carries a decision out: the crisis as it is then, or why it cannot be.
func (c Crisis) Decide(d Decision, s Setting, now time.Time) (Crisis, error) {
	if err := c.Check(d); err != nil {
		return c, err
	}
	if faults := d.faults(); len(faults) > 0 {
		return c, problem.InvalidBody("decision_invalid", "The decision was not accepted: mend the fields named here.", faults)
	}
	step := Step{Action: d.Action, DecisionID: d.ID, Hash: d.Hash, By: d.By.Subject, At: now, NoteID: d.NoteID}
	if d.Action == Declare {
		c.declare(step, s)
		return c, nil
	}
	switch d.Action {
	case Dismiss:
		c.Stage, c.EndedAt = Dismissed, now
	case Staff:
		c.Team = slices.Compact(slices.Sorted(slices.Values(d.Team)))
	case Hold, Update:
		c.Statements, c.Reminders, c.DueAt = c.Statements+1, 0, now.Add(s.UpdateEvery)
	case Clear:
		c.Stage, c.EndedAt, c.Statements, c.Reminders, c.DueAt = Cleared, now, c.Statements+1, 0, now.Add(s.ReviewWithin)
	case Review:
		c.Stage, c.ClosedAt, c.Reminders, c.DueAt = Closed, now, 0, time.Time{}
	}
	c.happened(step)
	return c, nil
}

// Overdue is what happens when what was due at dueAt was not done: it is reminded of, again and again at the same rhythm. It
// changes nothing where somebody was faster.
func (c Crisis) Overdue(dueAt time.Time, s Setting, now time.Time) Crisis {
	if !c.DueAt.Equal(dueAt) || c.DueAt.After(now) || c.Stage != Declared && c.Stage != Cleared {
		return c
	}
	again := s.UpdateEvery
	switch {
	case c.Stage == Cleared:
		again = s.ReviewWithin
	case c.Statements == 0:
		again = s.StatementWithin
	}
	c.Reminders++
	c.DueAt = now.Add(again)
	c.happened(Step{Action: Remind, By: process, At: now})
	return c
}

// Due is what waits: "statement", "update" or "review"; empty for nothing.
func (c Crisis) Due() string {
	switch {
	case c.Stage == Cleared:
		return "review"
	case c.Stage != Declared:
		return ""
	case c.Statements == 0:
		return "statement"
	default:
		return "update"
	}
}

// process is the subject of what the process does by itself.
const process = "process:crisis"
