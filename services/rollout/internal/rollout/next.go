package rollout

import (
	"errors"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Next is a decision that can be made where a rollout stands.
type Next struct {
	Decision    Action          `json:"decision" enum:"start,pause,resume,cancel,complete,reopen,approve,refuse,skip_gate,roll_back,redo,skip_phase,trigger_risk,mitigate_risk,close_risk" doc:"The action that decide-rollout takes, with the codes beside it; start, of a draft, is what start-rollout does."`
	Phase       string          `json:"phase,omitempty" doc:"Code, of what is of a phase."`
	Task        string          `json:"task,omitempty"`
	Gate        string          `json:"gate,omitempty"`
	Risk        string          `json:"risk,omitempty"`
	NeedsReason bool            `json:"needs_reason" doc:"It is refused without a reason."`
	Permission  auth.Permission `json:"permission" doc:"Without which nobody decides it."`
	Roles       []string        `json:"roles" nullable:"false" doc:"Of the team: only its people in one of them decide it. Of a task, people with rollouts.manage do as well. Empty: the team does not matter, unless there is an owner."`
	Owner       string          `json:"owner,omitempty" doc:"Of a task: subject of the one person who decides it, beside people with rollouts.manage."`
	Allowed     bool            `json:"allowed" doc:"Whether whoever reads this may decide it."`
	WhyNot      string          `json:"why_not,omitempty" enum:"permission_missing,task_of_another,gate_role_missing,four_eyes" doc:"Why whoever reads this may not: the code with which the decision is refused."`
}

// Next lists what can be decided where the rollout stands, by the rules of [Rollout.Decide]: of each phase in the order of the plan, of
// its gates and of its tasks, then of the risks, then of the rollout, of which a draft can be started besides. What nobody can decide
// now is not in it; what somebody else can is, with why who may not.
func (r Rollout) Next(who flow.Actor) []Next {
	found := []Next{}
	add := func(of Decision, actions ...Action) {
		for _, of.Action = range actions {
			if of.Action.fits(r.State) == nil && r.misplaced(of) == nil {
				found = append(found, r.offer(of))
			}
		}
	}
	for _, p := range r.Phases {
		of := Decision{By: who, Phase: p.Code}
		for _, g := range p.Gates {
			of.Gate = g.Code
			add(of, Approve, Refuse, SkipGate)
		}
		of.Gate = ""
		for _, t := range p.Tasks {
			of.Task = t.Code
			add(of, Complete, Reopen)
		}
		of.Task = ""
		add(of, RollBack, Redo, SkipPhase)
	}
	for _, k := range r.Risks {
		add(Decision{By: who, Risk: k.Code}, TriggerRisk, Mitigate, CloseRisk)
	}
	if r.State == Draft {
		found = append(found, r.offer(Decision{By: who, Action: Start}))
	}
	add(Decision{By: who}, PauseIt, Resume, Cancel)
	return found
}

// offer describes a decision that is not misplaced to whoever would make it.
func (r *Rollout) offer(d Decision) Next {
	owner, role := r.wanted(d)
	n := Next{
		Decision: d.Action, Phase: d.Phase, Task: d.Task, Gate: d.Gate, Risk: d.Risk, NeedsReason: d.Action.wantsReason(), Permission: d.Action.right(),
		Roles: []string{}, Owner: owner,
	}
	if role != "" {
		n.Roles = append(n.Roles, role)
	}
	err := d.permitted()
	if err == nil {
		err = r.barred(d)
	}
	var p *problem.Error
	if n.Allowed = err == nil; errors.As(err, &p) {
		n.WhyNot = p.Code
	}
	return n
}
