package rollout

import (
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Action is what was done with a rollout.
type Action string

// What people decide of a rollout that has begun.
const (
	PauseIt     Action = "pause"
	Resume      Action = "resume"
	Cancel      Action = "cancel"
	Complete    Action = "complete" // of a task; so is the next
	Reopen      Action = "reopen"
	Approve     Action = "approve" // of a gate; so are the next two
	Refuse      Action = "refuse"
	SkipGate    Action = "skip_gate"
	RollBack    Action = "roll_back" // of a phase; so are the next two
	Redo        Action = "redo"
	SkipPhase   Action = "skip_phase"
	TriggerRisk Action = "trigger_risk"
	Mitigate    Action = "mitigate_risk"
	CloseRisk   Action = "close_risk"
)

// What else happens with one.
const (
	Create   Action = "create"
	Start    Action = "start"
	Edit     Action = "edit"
	EnterIt  Action = "enter"
	LeaveIt  Action = "live"
	PassGate Action = "pass_gate"
	HoldGate Action = "hold_gate"
	Remind   Action = "remind"
	Escalate Action = "escalate"
	Finish   Action = "finish"
	Free     Action = "release" // by whoever managed it
)

// Step is one thing that happened.
type Step struct {
	No         int
	Action     Action
	DecisionID uuid.UUID // Nil for what the process did by itself
	Hash       []byte    // of the decision's request
	By         string    // subject
	At         time.Time
	NoteID     uuid.UUID // what was said with it
	Detail     StepDetail
}

// StepDetail is what a step was about, in codes and numbers.
type StepDetail struct {
	Phase    string   `json:"phase,omitempty"`
	Round    int      `json:"round,omitempty"`
	Task     string   `json:"task,omitempty"`
	Gate     string   `json:"gate,omitempty"`
	Risk     string   `json:"risk,omitempty"`
	Reason   string   `json:"reason,omitempty" doc:"Code of why."`
	Version  int      `json:"plan_version,omitempty"`
	Measured *float64 `json:"measured,omitempty"`
}

// Decision is what a person decided. Its JSON form travels to the process; what was said with it stays behind as a note.
type Decision struct {
	ID        uuid.UUID  `json:"id"` // the same decision has the same id, however often it is sent
	RolloutID uuid.UUID  `json:"rollout_id"`
	Action    Action     `json:"action"`
	By        flow.Actor `json:"by"`
	Hash      []byte     `json:"hash"`    // of the request
	Attempt   string     `json:"attempt"` // which of several requests with one id this is
	NoteID    uuid.UUID  `json:"note_id,omitzero"`
	Phase     string     `json:"phase,omitempty"`
	Task      string     `json:"task,omitempty"`
	Gate      string     `json:"gate,omitempty"`
	Risk      string     `json:"risk,omitempty"`
	Reason    string     `json:"reason,omitempty"` // code
}

// Decided is what a decision led to, and by which of the requests that brought it.
type Decided struct {
	Standing Standing `json:"standing"`
	Attempt  string   `json:"attempt"`
}

// right is the least permission that a decision needs.
func (a Action) right() auth.Permission {
	switch a {
	case Complete, Reopen, Mitigate:
		return auth.RolloutsWork
	case Start, Cancel, CloseRisk:
		return auth.RolloutsManage
	default:
		return auth.RolloutsDecide
	}
}

// fits tells whether a decision can be made of a rollout in a state.
func (a Action) fits(s State) error {
	switch {
	case a == Cancel && s == Draft:
		return nil
	case s == Draft:
		return problem.New(problem.Conflict, "rollout_not_started", "The rollout has not been started.")
	case s.Over():
		return problem.New(problem.Conflict, "rollout_over", "The rollout is %s: nothing more is decided about it.", s)
	case a == Resume && s == Running:
		return problem.New(problem.Conflict, "rollout_not_paused", "The rollout is not paused.")
	case s == Paused && !a.whilePaused():
		return problem.New(problem.Conflict, "rollout_paused", "The rollout is paused: resume it first.")
	default:
		return nil
	}
}

// whilePaused tells whether a decision can be made of a rollout that is paused.
func (a Action) whilePaused() bool {
	switch a {
	case Resume, Cancel, RollBack, TriggerRisk, Mitigate, CloseRisk:
		return true
	default:
		return false
	}
}
