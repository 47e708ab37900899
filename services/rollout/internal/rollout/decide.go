package rollout

import (
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	rolloutv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/rollout/events/v1"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/gate"
)

// Decide carries out what a person decided. Forbidden permission_missing, task_of_another, gate_role_missing or four_eyes says who
// has no say; NotFound phase_not_found, task_not_found, gate_not_found or risk_not_found what is not in the plan; Conflict what does
// not fit where the rollout stands; Unprocessable reason_missing what has to be said with it, action_unknown what nobody decides.
func (r Rollout) Decide(d Decision, at time.Time) (Rollout, error) {
	if err := r.refused(d); err != nil {
		return r, err
	}
	now, who := r.begun(), d.By.Subject
	switch d.Action {
	case PauseIt:
		now.pause(Pause{Reason: d.Reason, By: who, At: at})
	case Resume:
		now.State, now.Pause = Running, nil
		now.step(Resume, who, at, StepDetail{})
		now.tell(&rolloutv1.RolloutResumed{RolloutId: now.ID.String(), DecidedBy: who, At: timestamppb.New(at)})
		now.settle(at)
	case Cancel:
		now.State, now.EndedAt, now.Pause = Cancelled, at, nil
		now.step(Cancel, who, at, StepDetail{Reason: d.Reason})
		now.tell(now.ended(who, at))
	case TriggerRisk, Mitigate, CloseRisk:
		now.decideRisk(d, at)
	default:
		now.decidePhase(d, at)
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

func (r *Rollout) decideRisk(d Decision, at time.Time) {
	k := r.risk(d.Risk)
	if d.Action == TriggerRisk {
		r.trigger(k, slices.IndexFunc(r.Risks, func(one Risk) bool { return one.Code == d.Risk }), "", d.By.Subject, at)
		return
	}
	k.State, k.Since, k.By = d.Action.riskState(), at, d.By.Subject
	r.step(d.Action, d.By.Subject, at, StepDetail{Risk: k.Code, Reason: d.Reason})
}

func (r *Rollout) decidePhase(d Decision, at time.Time) {
	p := r.phase(d.Phase)
	switch d.Action {
	case Complete, Reopen:
		r.decideTask(d, p, at)
		return
	case Approve, Refuse, SkipGate:
		r.decideGate(d, p, at)
		return
	case RollBack:
		r.rollBack(d, p, at)
		return
	case Redo:
		p.again(at)
	case SkipPhase:
		p.State, p.Since, p.Reason = Skipped, at, d.Reason
	}
	r.step(d.Action, d.By.Subject, at, StepDetail{Phase: p.Code, Round: p.Round, Reason: d.Reason})
	r.settle(at)
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

func (r *Rollout) decideTask(d Decision, p *Phase, at time.Time) {
	t, who := p.task(d.Task), d.By.Subject
	t.DoneAt, t.DoneBy = time.Time{}, ""
	if d.Action == Complete {
		t.DoneAt, t.DoneBy = at, who
	}
	r.step(d.Action, who, at, StepDetail{Phase: p.Code, Round: p.Round, Task: t.Code})
	r.settle(at)
}

func (r *Rollout) decideGate(d Decision, p *Phase, at time.Time) {
	g, asks := r.asked(p, d.Gate)
	who := d.By.Subject
	if d.Action == SkipGate {
		g.SkippedAs = d.Reason
		r.judge(p, g, asks, gate.Verdict{Open: true}, "skipped", who, at)
		r.settle(at)
		return
	}
	g.Votes = append(g.Votes, gate.Vote{By: who, Agrees: d.Action == Approve, At: at})
	r.step(d.Action, who, at, StepDetail{Phase: p.Code, Round: p.Round, Gate: g.Code, Reason: d.Reason})
	r.judge(p, g, asks, asks.ByPeople(g.Votes), "person", who, at)
	r.settle(at)
}

// rollBack switches off again what a phase switched on. Phases after it go on with their work, and are live only after it is over
// again.
func (r *Rollout) rollBack(d Decision, p *Phase, at time.Time) {
	planned, _ := r.Plan.Phase(p.Code)
	p.State, p.Since, p.Reason = RolledBack, at, d.Reason
	r.step(RollBack, d.By.Subject, at, StepDetail{Phase: p.Code, Round: p.Round, Reason: d.Reason})
	r.tell(&rolloutv1.PhaseRolledBack{
		RolloutId: r.ID.String(), Phase: p.Code, Round: int32(p.Round), Reason: d.Reason, DecidedBy: d.By.Subject, Units: planned.Units,
		Capabilities: planned.Capabilities, At: timestamppb.New(at),
	})
}
