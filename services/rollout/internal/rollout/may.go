package rollout

import (
	"slices"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/gate"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/plan"
)

// Whether a decision can be made is asked in parts, so that what may be decided next is listed by the very rules that judge it: where
// the rollout stands, and who decides.

// refused tells why a decision cannot be made, by the problems of [Rollout.Decide].
func (r *Rollout) refused(d Decision) error {
	if !d.Action.decided() {
		return problem.New(problem.Unprocessable, "action_unknown", "Nobody decides %q of a rollout.", d.Action)
	}
	if err := d.permitted(); err != nil {
		return err
	}
	if err := d.Action.fits(r.State); err != nil {
		return err
	}
	if d.Action.wantsReason() && d.Reason == "" {
		return problem.New(problem.Unprocessable, "reason_missing", "Say why: what is decided here is looked at later.").
			WithField("body.reason", "reason_missing", "must be a code")
	}
	if err := r.misplaced(d); err != nil {
		return err
	}
	return r.barred(d)
}

// permitted refuses whoever lacks the permission.
func (d Decision) permitted() error {
	if right := d.Action.right(); !d.By.Can(right) {
		return problem.New(problem.Forbidden, "permission_missing", "This needs the permission %s.", right)
	}
	return nil
}

// misplaced tells what a decision is of that is not in the plan, or does not stand where that can be decided of it, whoever decides.
func (r *Rollout) misplaced(d Decision) error {
	switch d.Action {
	case PauseIt, Resume, Cancel:
		return nil
	case TriggerRisk, Mitigate, CloseRisk:
		return r.riskMisplaced(d)
	default:
	}
	p := r.phase(d.Phase)
	if p == nil {
		return problem.New(problem.NotFound, "phase_not_found", "The plan has no such phase.")
	}
	switch {
	case d.Action == Complete || d.Action == Reopen:
		return p.taskMisplaced(d)
	case d.Action == Approve || d.Action == Refuse || d.Action == SkipGate:
		return r.gateMisplaced(p, d)
	case d.Action == RollBack && p.State != Live:
		return problem.New(problem.Conflict, "phase_not_live", "The phase is %s: only one that is live can be rolled back.", p.State)
	case d.Action == Redo && p.State != RolledBack:
		return problem.New(problem.Conflict, "phase_not_rolled_back", "Only a phase that was rolled back is gone through again.")
	case d.Action == SkipPhase && p.State.Over():
		return problem.New(problem.Conflict, "phase_over", "The phase is %s.", p.State)
	default:
		return nil
	}
}

func (r *Rollout) riskMisplaced(d Decision) error {
	k := r.risk(d.Risk)
	if k == nil {
		return problem.New(problem.NotFound, "risk_not_found", "The plan has no such risk.")
	}
	if k.State == d.Action.riskState() || k.State == RiskClosed {
		return problem.New(problem.Conflict, "risk_state", "The risk is %s.", k.State)
	}
	return nil
}

// riskState is what a decision makes of a risk.
func (a Action) riskState() RiskState {
	return map[Action]RiskState{TriggerRisk: RiskTriggered, Mitigate: RiskMitigated, CloseRisk: RiskClosed}[a]
}

func (p *Phase) taskMisplaced(d Decision) error {
	t := p.task(d.Task)
	if t == nil {
		return problem.New(problem.NotFound, "task_not_found", "The phase has no such task.")
	}
	if p.State != Working && p.State != Leaving {
		return problem.New(problem.Conflict, "phase_not_worked_on", "The phase is %s: its tasks are done while it is worked on.", p.State)
	}
	if done := !t.DoneAt.IsZero(); done == (d.Action == Complete) {
		return problem.New(problem.Conflict, "task_state", "The task is %s.", map[bool]string{true: "done already", false: "open"}[done])
	}
	return nil
}

func (r *Rollout) gateMisplaced(p *Phase, d Decision) error {
	if p.gate(d.Gate) == nil {
		return problem.New(problem.NotFound, "gate_not_found", "The phase has no such gate.")
	}
	g, asks := r.asked(p, d.Gate)
	if g == nil || p.State != Entering && p.State != Working && p.State != Leaving {
		return problem.New(problem.Conflict, "gate_not_asked", "The gate has passed, or its turn has not come: the phase is %s.", p.State)
	}
	if d.Action != SkipGate {
		return asks.Voted()
	}
	return nil
}

// wanted gives whom of the team the plan wants for a decision: one person, or the people in a role; neither: whoever has the
// permission.
func (r *Rollout) wanted(d Decision) (owner, role string) {
	planned, _ := r.Plan.Phase(d.Phase)
	switch d.Action {
	case Complete, Reopen:
		i := slices.IndexFunc(planned.Tasks, func(one plan.Task) bool { return one.Code == d.Task })
		if t := planned.Tasks[i]; t.Owner == "" {
			return "", t.Role
		}
		return planned.Tasks[i].Owner, ""
	case Approve, Refuse:
		i := slices.IndexFunc(planned.Gates(), func(one gate.Gate) bool { return one.Code == d.Gate })
		return "", planned.Gates()[i].Decides()
	default:
		return "", ""
	}
}

// barred refuses whoever has no say by the plan in a decision that is not misplaced.
func (r *Rollout) barred(d Decision) error {
	owner, role := r.wanted(d)
	who := d.By.Subject
	switch d.Action {
	case Complete, Reopen:
		anybody := owner == "" && role == ""
		if !anybody && owner != who && !(owner == "" && r.Plan.Has(who, role)) && !d.By.Can(auth.RolloutsManage) {
			return problem.New(problem.Forbidden, "task_of_another", "The task is somebody else's.")
		}
	case Approve, Refuse:
		p := r.phase(d.Phase)
		_, asks := r.asked(p, d.Gate)
		var roles []string
		for _, m := range r.Plan.Team {
			if m.Subject == who {
				roles = append(roles, m.Role)
			}
		}
		return asks.MayVote(roles, slices.ContainsFunc(p.Tasks, func(t Task) bool { return t.DoneBy == who }))
	default:
	}
	return nil
}
