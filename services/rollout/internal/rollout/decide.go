package rollout

import (
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/problem"
	rolloutv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/rollout/events/v1"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/gate"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/plan"
)

// Decide carries out what a person decided. Forbidden permission_missing, task_of_another, gate_role_missing or four_eyes says who
// has no say; NotFound phase_not_found, task_not_found, gate_not_found or risk_not_found what is not in the plan; Conflict what does
// not fit where the rollout stands; Unprocessable reason_missing what has to be said with it, action_unknown what nobody decides.
func (r Rollout) Decide(d Decision, at time.Time) (Rollout, error) {
	if !d.Action.decided() {
		return r, problem.New(problem.Unprocessable, "action_unknown", "Nobody decides %q of a rollout.", d.Action)
	}
	who := auth.Principal{Subject: d.By.Subject, Roles: d.By.Roles}
	if right := d.Action.right(); !who.Can(right) {
		return r, problem.New(problem.Forbidden, "permission_missing", "This needs the permission %s.", right)
	}
	if err := d.Action.fits(r.State); err != nil {
		return r, err
	}
	if d.Action.wantsReason() && d.Reason == "" {
		return r, problem.New(problem.Unprocessable, "reason_missing", "Say why: what is decided here is looked at later.").
			WithField("body.reason", "reason_missing", "must be a code")
	}
	now := r.begun()
	var err error
	switch d.Action {
	case PauseIt:
		if now.State == Paused {
			return r, problem.New(problem.Conflict, "rollout_paused", "The rollout is paused already.")
		}
		now.pause(Pause{Reason: d.Reason, By: who.Subject, At: at})
	case Resume:
		now.State, now.Pause = Running, nil
		now.step(Resume, who.Subject, at, StepDetail{})
		now.tell(&rolloutv1.RolloutResumed{RolloutId: now.ID.String(), DecidedBy: who.Subject, At: timestamppb.New(at)})
		now.settle(at)
	case Cancel:
		now.State, now.EndedAt, now.Pause = Cancelled, at, nil
		now.step(Cancel, who.Subject, at, StepDetail{Reason: d.Reason})
		now.tell(now.ended(who.Subject, at))
	case TriggerRisk, Mitigate, CloseRisk:
		err = now.decideRisk(d, at)
	default:
		err = now.decidePhase(d, who, at)
	}
	if err != nil {
		return r, err
	}
	now.entitle(at)
	return now, nil
}

// decided tells whether people decide it.
func (a Action) decided() bool {
	return slices.Contains([]Action{
		PauseIt, Resume, Cancel, Complete, Reopen, Approve, Refuse, SkipGate, RollBack, Redo, SkipPhase, TriggerRisk, Mitigate, CloseRisk,
	}, a)
}

// wantsReason tells whether a decision has to say why.
func (a Action) wantsReason() bool {
	return slices.Contains([]Action{PauseIt, Cancel, SkipGate, SkipPhase, RollBack}, a)
}

func (r *Rollout) decideRisk(d Decision, at time.Time) error {
	k := r.risk(d.Risk)
	if k == nil {
		return problem.New(problem.NotFound, "risk_not_found", "The plan has no such risk.")
	}
	next := map[Action]RiskState{TriggerRisk: RiskTriggered, Mitigate: RiskMitigated, CloseRisk: RiskClosed}[d.Action]
	if k.State == next || k.State == RiskClosed {
		return problem.New(problem.Conflict, "risk_state", "The risk is %s.", k.State)
	}
	if d.Action == TriggerRisk {
		r.trigger(k, slices.IndexFunc(r.Risks, func(one Risk) bool { return one.Code == d.Risk }), "", d.By.Subject, at)
		return nil
	}
	k.State, k.Since, k.By = next, at, d.By.Subject
	r.step(d.Action, d.By.Subject, at, StepDetail{Risk: k.Code, Reason: d.Reason})
	return nil
}

func (r *Rollout) decidePhase(d Decision, who auth.Principal, at time.Time) error {
	p := r.phase(d.Phase)
	if p == nil {
		return problem.New(problem.NotFound, "phase_not_found", "The plan has no such phase.")
	}
	planned, _ := r.Plan.Phase(p.Code)
	switch d.Action {
	case Complete, Reopen:
		return r.decideTask(d, p, planned, who, at)
	case Approve, Refuse, SkipGate:
		return r.decideGate(d, p, at)
	case RollBack:
		return r.rollBack(d, p, planned, at)
	case Redo:
		if p.State != RolledBack {
			return problem.New(problem.Conflict, "phase_not_rolled_back", "Only a phase that was rolled back is gone through again.")
		}
		p.again(at)
	case SkipPhase:
		if p.State.Over() {
			return problem.New(problem.Conflict, "phase_over", "The phase is %s.", p.State)
		}
		p.State, p.Since, p.Reason = Skipped, at, d.Reason
	}
	r.step(d.Action, d.By.Subject, at, StepDetail{Phase: p.Code, Round: p.Round, Reason: d.Reason})
	r.settle(at)
	return nil
}

// again makes a phase begin anew: nothing of the round before counts.
func (p *Phase) again(at time.Time) {
	p.State, p.Round, p.Since, p.EnteredAt, p.LiveAt, p.Reason = Waiting, p.Round+1, at, time.Time{}, time.Time{}, ""
	for i := range p.Tasks {
		p.Tasks[i] = Task{Code: p.Tasks[i].Code}
	}
	for i := range p.Gates {
		p.Gates[i] = Gate{Code: p.Gates[i].Code, Side: p.Gates[i].Side}
	}
}

func (r *Rollout) decideTask(d Decision, p *Phase, planned plan.Phase, who auth.Principal, at time.Time) error {
	t := p.task(d.Task)
	if t == nil {
		return problem.New(problem.NotFound, "task_not_found", "The phase has no such task.")
	}
	if p.State != Working && p.State != Leaving {
		return problem.New(problem.Conflict, "phase_not_worked_on", "The phase is %s: its tasks are done while it is worked on.", p.State)
	}
	asks := planned.Tasks[slices.IndexFunc(planned.Tasks, func(one plan.Task) bool { return one.Code == d.Task })]
	anybody := asks.Owner == "" && asks.Role == ""
	if !anybody && asks.Owner != who.Subject && !(asks.Owner == "" && r.Plan.Has(who.Subject, asks.Role)) && !who.Can(auth.RolloutsManage) {
		return problem.New(problem.Forbidden, "task_of_another", "The task is somebody else's.")
	}
	if done := !t.DoneAt.IsZero(); done == (d.Action == Complete) {
		return problem.New(problem.Conflict, "task_state", "The task is %s.", map[bool]string{true: "done already", false: "open"}[done])
	}
	t.DoneAt, t.DoneBy = time.Time{}, ""
	if d.Action == Complete {
		t.DoneAt, t.DoneBy = at, who.Subject
	}
	r.step(d.Action, who.Subject, at, StepDetail{Phase: p.Code, Round: p.Round, Task: t.Code})
	r.settle(at)
	return nil
}

func (r *Rollout) decideGate(d Decision, p *Phase, at time.Time) error {
	if p.gate(d.Gate) == nil {
		return problem.New(problem.NotFound, "gate_not_found", "The phase has no such gate.")
	}
	g, asks := r.asked(p, d.Gate)
	if g == nil || p.State != Entering && p.State != Working && p.State != Leaving {
		return problem.New(problem.Conflict, "gate_not_asked", "The gate has passed, or its turn has not come: the phase is %s.", p.State)
	}
	if d.Action == SkipGate {
		g.SkippedAs = d.Reason
		r.judge(p, g, asks, gate.Verdict{Open: true}, "skipped", d.By.Subject, at)
		r.settle(at)
		return nil
	}
	var roles []string
	for _, m := range r.Plan.Team {
		if m.Subject == d.By.Subject {
			roles = append(roles, m.Role)
		}
	}
	did := slices.ContainsFunc(p.Tasks, func(t Task) bool { return t.DoneBy == d.By.Subject })
	if err := asks.MayVote(roles, did); err != nil {
		return err
	}
	g.Votes = append(g.Votes, gate.Vote{By: d.By.Subject, Agrees: d.Action == Approve, At: at})
	r.step(d.Action, d.By.Subject, at, StepDetail{Phase: p.Code, Round: p.Round, Gate: g.Code, Reason: d.Reason})
	r.judge(p, g, asks, asks.ByPeople(g.Votes), "person", d.By.Subject, at)
	r.settle(at)
	return nil
}

// rollBack switches off again what a phase switched on. Phases after it go on with their work, and are live only after it is over
// again.
func (r *Rollout) rollBack(d Decision, p *Phase, planned plan.Phase, at time.Time) error {
	if p.State != Live {
		return problem.New(problem.Conflict, "phase_not_live", "The phase is %s: only one that is live can be rolled back.", p.State)
	}
	p.State, p.Since, p.Reason = RolledBack, at, d.Reason
	r.step(RollBack, d.By.Subject, at, StepDetail{Phase: p.Code, Round: p.Round, Reason: d.Reason})
	r.tell(&rolloutv1.PhaseRolledBack{
		RolloutId: r.ID.String(), Phase: p.Code, Round: int32(p.Round), Reason: d.Reason, DecidedBy: d.By.Subject, Units: planned.Units,
		Capabilities: planned.Capabilities, At: timestamppb.New(at),
	})
	return nil
}
