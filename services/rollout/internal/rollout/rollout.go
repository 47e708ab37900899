// Package rollout is the introduction of CRM as it goes on: which phases wait, are worked on and are live, what was done and by
// whom, which gates hold and why, which risks have come about, and for whom the capabilities are open by it.
package rollout

import (
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/gate"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/plan"
)

// State is where a rollout stands.
type State string

// The states.
const (
	Draft     State = "draft"
	Running   State = "running"
	Paused    State = "paused"
	Finished  State = "finished"
	Cancelled State = "cancelled"
)

// Over tells whether nothing more happens.
func (s State) Over() bool { return s == Finished || s == Cancelled }

// governs tells whether a rollout in this state withholds capabilities from units that are not live.
func (s State) governs() bool { return s == Running || s == Paused }

// PhaseState is where a phase stands.
type PhaseState string

// The states of phases.
const (
	Waiting    PhaseState = "waiting"  // for phases before it, or for the rollout to begin
	Entering   PhaseState = "entering" // its gates to enter are looked at
	Working    PhaseState = "working"  // its tasks wait to be done
	Leaving    PhaseState = "leaving"  // its tasks are done, its gates to leave are looked at
	Live       PhaseState = "live"     // its capabilities are switched on
	Done       PhaseState = "done"     // as live, of a phase that switches nothing on
	RolledBack PhaseState = "rolled_back"
	Skipped    PhaseState = "skipped"
)

// Over tells whether the phases after it may begin.
func (s PhaseState) Over() bool { return s == Live || s == Done || s == Skipped }

// Begun tells whether something of the phase's plan was carried out, so that it cannot be planned anew.
func (s PhaseState) Begun() bool { return s != Waiting && s != Entering && s != RolledBack }

// Rollout is a rollout. What it waits for is told by Due.
type Rollout struct {
	ID          uuid.UUID
	Name        string
	Version     int64 // rises by one with every change
	State       State
	Template    string // code of the one that the plan was made from; empty where there was none
	PlanVersion int
	Plan        plan.Plan // its risks are those of the register
	Managed
	Progress
	CreatedBy string // subject
	CreatedAt time.Time
	StartedAt time.Time
	EndedAt   time.Time
	Steps     []Step          // that this change added
	Told      []proto.Message // events of this change, in their order
}

// Managed says who keeps a rollout where that is not people.
type Managed struct {
	ManagedBy  string // code; empty: people
	ExternalID string // what it is called there, unique in the tenant; empty: nothing
}

// yields refuses to let a manager, or people where that is empty, change a rollout that somebody else keeps.
func (m Managed) yields(to string) error {
	if m.ManagedBy == "" || m.ManagedBy == to {
		return nil
	}
	return problem.New(problem.Conflict, "managed_elsewhere", "The rollout is kept by %s: change its plan there, or release it first.", m.ManagedBy)
}

// Progress is how far a rollout is. Its JSON form is what the tables keep.
type Progress struct {
	Phases []Phase       `json:"phases"`          // in the order of the plan
	Risks  []Risk        `json:"risks"`           // in the order of the plan
	Pause  *Pause        `json:"pause,omitempty"` // of a rollout that is paused
	Goals  []Measured    `json:"goals,omitempty"` // of one that has finished
	Open   []Entitlement `json:"open,omitempty"`  // as last told
}

// Pause is why a rollout is paused.
type Pause struct {
	Reason string    `json:"reason"` // code
	Risk   string    `json:"risk,omitempty"`
	By     string    `json:"by,omitempty"` // subject; empty where a risk did it
	At     time.Time `json:"at"`
}

// Measured is what a goal came to.
type Measured struct {
	Goal    string  `json:"goal"`
	Value   float64 `json:"value"`
	Known   bool    `json:"known"`   // false: it could not be measured
	Reached bool    `json:"reached"` //
}

// Phase is how far a phase is.
type Phase struct {
	Code      string     `json:"code"`
	State     PhaseState `json:"state"`
	Round     int        `json:"round"`               // 1 for the first time that it is gone through, one more for each time after it was rolled back
	Since     time.Time  `json:"since,omitzero"`      // of the state
	EnteredAt time.Time  `json:"entered_at,omitzero"` // of the round
	LiveAt    time.Time  `json:"live_at,omitzero"`    // of the round
	Reason    string     `json:"reason,omitempty"`    // code of why it was rolled back or skipped
	Tasks     []Task     `json:"tasks,omitempty"`     // in the order of the plan
	Gates     []Gate     `json:"gates,omitempty"`     // in the order of the plan, those to enter first
}

// Task is how far a task is.
type Task struct {
	Code       string    `json:"code"`
	DueAt      time.Time `json:"due_at,omitzero"`
	DoneAt     time.Time `json:"done_at,omitzero"`
	DoneBy     string    `json:"done_by,omitempty"`    // subject
	Reminders  int       `json:"reminders,omitempty"`  // of somebody who is late
	Escalated  bool      `json:"escalated,omitempty"`  // the leads were told
	RemindedAt time.Time `json:"reminded_at,omitzero"` // last
}

// Side is on which side of a phase a gate stands.
type Side string

// The sides.
const (
	Enter Side = "enter"
	Leave Side = "leave"
)

// Gate is how far a gate is.
type Gate struct {
	Code      string      `json:"code"`
	Side      Side        `json:"side"`
	Votes     []gate.Vote `json:"votes,omitempty"`      // of people, in the order in which they decided
	PassedAt  time.Time   `json:"passed_at,omitzero"`   // zero: it holds
	PassedBy  string      `json:"passed_by,omitempty"`  // subject of whoever decided last; empty for a number
	How       string      `json:"how,omitempty"`        // person, metric or skipped, once it has passed
	Reason    gate.Reason `json:"reason,omitempty"`     // why it holds, as last looked at
	Measured  float64     `json:"measured,omitempty"`   // last
	Limit     float64     `json:"limit,omitempty"`      // what that was held against
	Sample    int         `json:"sample,omitempty"`     // on how many cases that stands
	LookedAt  time.Time   `json:"looked_at,omitzero"`   // when it was last measured
	SkippedAs string      `json:"skipped_as,omitempty"` // code of why somebody passed it by
}

// RiskState is where a risk stands.
type RiskState string

// The states of risks.
const (
	RiskOpen      RiskState = "open"
	RiskMitigated RiskState = "mitigated" // something was done against it
	RiskTriggered RiskState = "triggered" // it has come about
	RiskClosed    RiskState = "closed"    // it is watched no more
)

// Risk is how a risk stands.
type Risk struct {
	Code     string    `json:"code"`
	State    RiskState `json:"state"`
	Since    time.Time `json:"since,omitzero"`
	By       string    `json:"by,omitempty"` // subject; empty where a number triggered it
	Measured float64   `json:"measured,omitempty"`
	LookedAt time.Time `json:"looked_at,omitzero"`
}

// phase gives the phase of a code, to change.
func (r *Rollout) phase(code string) *Phase {
	i := slices.IndexFunc(r.Phases, func(p Phase) bool { return p.Code == code })
	if i < 0 {
		return nil
	}
	return &r.Phases[i]
}

func (p *Phase) gate(code string) *Gate {
	i := slices.IndexFunc(p.Gates, func(g Gate) bool { return g.Code == code })
	if i < 0 {
		return nil
	}
	return &p.Gates[i]
}

func (p *Phase) task(code string) *Task {
	i := slices.IndexFunc(p.Tasks, func(t Task) bool { return t.Code == code })
	if i < 0 {
		return nil
	}
	return &p.Tasks[i]
}

func (r *Rollout) risk(code string) *Risk {
	i := slices.IndexFunc(r.Risks, func(one Risk) bool { return one.Code == code })
	if i < 0 {
		return nil
	}
	return &r.Risks[i]
}

// open tells whether all gates of a side have passed.
func (p *Phase) open(side Side) bool {
	return !slices.ContainsFunc(p.Gates, func(g Gate) bool { return g.Side == side && g.PassedAt.IsZero() })
}

// worked tells whether all tasks are done.
func (p *Phase) worked() bool {
	return !slices.ContainsFunc(p.Tasks, func(t Task) bool { return t.DoneAt.IsZero() })
}
