package rollout

import (
	"slices"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/services/rollout/internal/gate"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/plan"
)

// Standing is where a rollout stands, as its process goes by it: codes, numbers and times only.
type Standing struct {
	ID          uuid.UUID       `json:"id"`
	Version     int64           `json:"version"` // rises by one with every change
	State       State           `json:"state"`
	PlanVersion int             `json:"plan_version"`
	Units       []string        `json:"units"` // all that the plan covers
	Phases      []StandingPhase `json:"phases"`
	Risks       []StandingRisk  `json:"risks"`
}

// StandingPhase is a phase with what of its plan has no words.
type StandingPhase struct {
	Phase
	Kind         plan.Kind   `json:"kind"`
	After        []string    `json:"after,omitempty"`
	Units        []string    `json:"units,omitempty"`
	Capabilities []string    `json:"capabilities,omitempty"`
	Asks         []gate.Gate `json:"asks,omitempty"` // what the gates ask for, in the order of Gates
}

// StandingRisk is a risk with what of its plan has no words.
type StandingRisk struct {
	Risk
	Trigger *plan.Trigger `json:"trigger,omitempty"`
	Pauses  bool          `json:"pauses,omitempty"`
}

// Standing gives where the rollout stands.
func (r Rollout) Standing() Standing {
	s := Standing{ID: r.ID, Version: r.Version, State: r.State, PlanVersion: r.PlanVersion, Units: r.Plan.Units()}
	for _, p := range r.Phases {
		planned, _ := r.Plan.Phase(p.Code)
		s.Phases = append(s.Phases, StandingPhase{
			Phase: p, Kind: planned.Kind, After: planned.After, Units: planned.Units, Capabilities: planned.Capabilities, Asks: planned.Gates(),
		})
	}
	for i, one := range r.Risks {
		s.Risks = append(s.Risks, StandingRisk{Risk: one, Trigger: r.Plan.Risks[i].Trigger, Pauses: r.Plan.Risks[i].Pauses})
	}
	return s
}

// MoveKind is a sort of move.
type MoveKind string

// The moves that a rollout waits for, each done by the command of the same name.
const (
	MoveEnter   MoveKind = "enter"   // Enter: the gates to enter a phase have passed
	MoveLive    MoveKind = "live"    // GoLive: its tasks are done and its gates to leave have passed
	MoveMeasure MoveKind = "measure" // Hold or Pass: a number is asked for
	MoveFinish  MoveKind = "finish"  // Finish: all phases are over
)

// Move is what a rollout waits for, and nobody has to decide.
type Move struct {
	Kind  MoveKind `json:"kind"`
	Phase string   `json:"phase,omitempty"`
	Round int      `json:"round,omitempty"`
	Gate  string   `json:"gate,omitempty"`
}

// Due lists what a running rollout waits for and nobody has to decide, in the order of the plan. A rollout for which it gives
// nothing waits for people.
func (s Standing) Due() (moves []Move) {
	if s.State != Running {
		return nil
	}
	over := true
	for _, p := range s.Phases {
		over = over && p.State.Over()
		side := Enter
		switch p.State {
		case Entering:
			if p.open(Enter) {
				moves = append(moves, Move{Kind: MoveEnter, Phase: p.Code, Round: p.Round})
			}
		case Leaving:
			side = Leave
			if p.open(Leave) && s.ready(p.After) {
				moves = append(moves, Move{Kind: MoveLive, Phase: p.Code, Round: p.Round})
			}
		default:
			continue
		}
		for i, g := range p.Gates {
			if g.Side == side && g.PassedAt.IsZero() && p.Asks[i].Measured() {
				moves = append(moves, Move{Kind: MoveMeasure, Phase: p.Code, Round: p.Round, Gate: g.Code})
			}
		}
	}
	if over {
		moves = append(moves, Move{Kind: MoveFinish})
	}
	return moves
}

// ready tells whether all phases of the codes are over.
func (s Standing) ready(after []string) bool {
	return !slices.ContainsFunc(s.Phases, func(p StandingPhase) bool { return slices.Contains(after, p.Code) && !p.State.Over() })
}
