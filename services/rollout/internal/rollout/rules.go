package rollout

import (
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/problem"
	rolloutv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/rollout/events/v1"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/gate"
)

// Rules give the rollout as it is after something happened, with the steps and events of that; the rollout that they are asked of
// stays as it was. What its process does by itself is done once: a rule that no longer fits changes nothing and says so, so that an
// activity may be repeated.

// begun is a copy that a rule may change: the next version, without steps and events.
func (r Rollout) begun() Rollout {
	r.Version, r.Steps, r.Told = r.Version+1, nil, nil
	r.Phases = slices.Clone(r.Phases)
	for i := range r.Phases {
		p := &r.Phases[i]
		p.Tasks, p.Gates = slices.Clone(p.Tasks), slices.Clone(p.Gates)
		for j := range p.Gates {
			p.Gates[j].Votes = slices.Clone(p.Gates[j].Votes)
		}
	}
	r.Risks = slices.Clone(r.Risks)
	return r
}

func (r *Rollout) step(a Action, by string, at time.Time, detail StepDetail) {
	r.Steps = append(r.Steps, Step{Action: a, By: by, At: at, Detail: detail})
}

func (r *Rollout) tell(m proto.Message) { r.Told = append(r.Told, m) }

// Begin starts a draft: from now on what its phases switch on is withheld from units that are not live.
func (r Rollout) Begin(by string, at time.Time) (Rollout, error) {
	if r.State != Draft {
		return r, problem.New(problem.Conflict, "rollout_started", "The rollout was started before.")
	}
	r = r.begun()
	r.State, r.StartedAt = Running, at
	r.step(Start, by, at, StepDetail{Version: r.PlanVersion})
	r.tell(&rolloutv1.RolloutStarted{
		RolloutId: r.ID.String(), Template: r.Template, PlanVersion: int32(r.PlanVersion), Phases: int32(len(r.Phases)),
		Units: r.Plan.Units(), At: timestamppb.New(at),
	})
	r.settle(at)
	r.entitle(at)
	return r, nil
}

// settle moves phases as far as they move without a gate: those before which all others are over are entered, those whose tasks are
// done are left, and a task that is done no more brings its phase back to work.
func (r *Rollout) settle(at time.Time) {
	if r.State != Running {
		return
	}
	for i := range r.Phases {
		p := &r.Phases[i]
		planned, _ := r.Plan.Phase(p.Code)
		next := p.State
		switch {
		case p.State == Waiting && r.over(planned.After):
			next = Entering
		case p.State == Working && p.worked():
			next = Leaving
		case p.State == Leaving && !p.worked():
			next = Working
		}
		if next != p.State {
			p.State, p.Since, p.Round = next, at, max(p.Round, 1)
		}
	}
}

// over tells whether all phases of the codes are.
func (r *Rollout) over(codes []string) bool {
	return !slices.ContainsFunc(r.Phases, func(p Phase) bool { return slices.Contains(codes, p.Code) && !p.State.Over() })
}

// entitle tells for whom the capabilities are open, where that is another than was told last.
func (r *Rollout) entitle(at time.Time) {
	now := r.Entitlements()
	if same(r.Open, now) {
		return
	}
	r.Open = now
	m := &rolloutv1.EntitlementsChanged{RolloutId: r.ID.String(), At: timestamppb.New(at)}
	for _, e := range now {
		m.Entitlements = append(m.Entitlements, &rolloutv1.Entitlement{Capability: e.Capability, Units: e.Units, Everyone: e.Everyone})
	}
	r.tell(m)
}

// at gives the phase where a move is to be made: nil where the rollout does not run, or the phase is in another state or round.
func (r *Rollout) at(code string, round int, states ...PhaseState) *Phase {
	p := r.phase(code)
	if r.State != Running || p == nil || p.Round != round || !slices.Contains(states, p.State) {
		return nil
	}
	return p
}

// Enter begins the work on a phase whose gates to enter have passed.
func (r Rollout) Enter(phase string, round int, at time.Time) (now Rollout, done bool) {
	now = r.begun()
	p := now.at(phase, round, Entering)
	if p == nil || !p.open(Enter) {
		return r, false
	}
	planned, _ := now.Plan.Phase(phase)
	p.State, p.Since, p.EnteredAt = Working, at, at
	for i := range p.Tasks {
		p.Tasks[i].DueAt = planned.Tasks[i].Due(at)
	}
	now.step(EnterIt, "", at, StepDetail{Phase: phase, Round: round})
	now.tell(&rolloutv1.PhaseEntered{
		RolloutId: now.ID.String(), Phase: phase, Round: int32(round), PlanVersion: int32(now.PlanVersion), Units: planned.Units, At: timestamppb.New(at),
	})
	now.settle(at)
	return now, true
}

// GoLive switches on what a phase is for, once its tasks are done, its gates to leave have passed, and the phases before it are over
// still.
func (r Rollout) GoLive(phase string, round int, at time.Time) (now Rollout, done bool) {
	now = r.begun()
	p := now.at(phase, round, Leaving)
	planned, _ := now.Plan.Phase(phase)
	if p == nil || !p.open(Leave) || !now.over(planned.After) {
		return r, false
	}
	if p.State = Done; len(planned.Capabilities) > 0 {
		p.State = Live
	}
	p.Since, p.LiveAt = at, at
	now.step(LeaveIt, "", at, StepDetail{Phase: phase, Round: round})
	now.tell(&rolloutv1.PhaseLive{
		RolloutId: now.ID.String(), Phase: phase, Round: int32(round), Units: planned.Units, Capabilities: planned.Capabilities, At: timestamppb.New(at),
	})
	now.settle(at)
	now.entitle(at)
	return now, true
}

// asked gives a gate that is looked at now, with what the plan asks of it; nil where it has passed or its turn has not come.
func (r *Rollout) asked(p *Phase, code string) (*Gate, gate.Gate) {
	g := p.gate(code)
	if g == nil || !g.PassedAt.IsZero() || (g.Side == Enter) != (p.State == Entering) {
		return nil, gate.Gate{}
	}
	planned, _ := r.Plan.Phase(p.Code)
	i := slices.IndexFunc(planned.Gates(), func(one gate.Gate) bool { return one.Code == code })
	return g, planned.Gates()[i]
}

// Measure judges a gate by a number that was measured.
func (r Rollout) Measure(phase string, round int, code string, m gate.Measurement, at time.Time) (now Rollout, done bool) {
	now = r.begun()
	p := now.at(phase, round, Entering, Working, Leaving)
	if p == nil {
		return r, false
	}
	g, asks := now.asked(p, code)
	if g == nil || !asks.Measured() {
		return r, false
	}
	v := asks.ByNumber(m)
	g.Measured, g.Limit, g.Sample, g.LookedAt = m.Value, v.Limit, m.Sample, at
	now.judge(p, g, asks, v, "metric", "", at)
	return now, true
}

// judge keeps whether a gate opens. That it holds is told when the reason is another than before.
func (r *Rollout) judge(p *Phase, g *Gate, asks gate.Gate, v gate.Verdict, how, by string, at time.Time) {
	detail := StepDetail{Phase: p.Code, Round: p.Round, Gate: g.Code}
	if asks.Measured() {
		detail.Measured = &g.Measured
	}
	if v.Open {
		g.PassedAt, g.PassedBy, g.How, g.Reason = at, by, how, ""
		r.step(PassGate, by, at, detail)
		r.tell(&rolloutv1.GatePassed{
			RolloutId: r.ID.String(), Phase: p.Code, Round: int32(p.Round), Gate: g.Code, Side: string(g.Side), Kind: how, DecidedBy: by,
			Metric: asks.Metric, Measured: g.Measured, Threshold: g.Limit, At: timestamppb.New(at),
		})
		return
	}
	if v.Reason == g.Reason {
		return
	}
	g.Reason, detail.Reason = v.Reason, string(v.Reason)
	r.step(HoldGate, by, at, detail)
	r.tell(&rolloutv1.GateHeld{
		RolloutId: r.ID.String(), Phase: p.Code, Round: int32(p.Round), Gate: g.Code, Side: string(g.Side), Reason: string(v.Reason),
		Metric: asks.Metric, Measured: g.Measured, Threshold: g.Limit, At: timestamppb.New(at),
	})
}

// Watch looks at a risk by a number that was measured: it may have come about by it, and pause the rollout.
func (r Rollout) Watch(code string, m gate.Measurement, at time.Time) (now Rollout, done bool) {
	now = r.begun()
	k := now.risk(code)
	i := slices.IndexFunc(now.Risks, func(one Risk) bool { return one.Code == code })
	if k == nil || !now.State.governs() || k.State != RiskOpen && k.State != RiskMitigated {
		return r, false
	}
	t := now.Plan.Risks[i].Trigger
	if t == nil || !m.Known {
		return r, false
	}
	k.Measured, k.LookedAt = m.Value, at
	if m.Sample >= max(1, t.MinSample) && t.Hit(m.Value) {
		now.trigger(k, i, t.Metric, "", at)
	}
	return now, true
}

// trigger says of the nth risk that it has come about.
func (r *Rollout) trigger(k *Risk, n int, metric, by string, at time.Time) {
	planned := r.Plan.Risks[n]
	k.State, k.Since, k.By = RiskTriggered, at, by
	detail := StepDetail{Risk: k.Code}
	if metric != "" {
		detail.Measured = &k.Measured
	}
	r.step(TriggerRisk, by, at, detail)
	r.tell(&rolloutv1.RiskTriggered{
		RolloutId: r.ID.String(), Risk: k.Code, Exposure: int32(planned.Exposure()), Metric: metric, Measured: k.Measured, DecidedBy: by, At: timestamppb.New(at),
	})
	if planned.Pauses && r.State == Running {
		r.pause(Pause{Reason: "risk_triggered", Risk: k.Code, By: by, At: at})
	}
}

func (r *Rollout) pause(why Pause) {
	r.State, r.Pause = Paused, &why
	r.step(PauseIt, why.By, why.At, StepDetail{Reason: why.Reason, Risk: why.Risk})
	r.tell(&rolloutv1.RolloutPaused{RolloutId: r.ID.String(), Reason: why.Reason, Risk: why.Risk, DecidedBy: why.By, At: timestamppb.New(why.At)})
}

// End finishes a rollout whose phases are all over, with what its goals came to: everybody may use what it introduced.
func (r Rollout) End(goals []Measured, at time.Time) (now Rollout, done bool) {
	now = r.begun()
	if now.State != Running || slices.ContainsFunc(now.Phases, func(p Phase) bool { return !p.State.Over() }) {
		return r, false
	}
	now.State, now.Goals, now.EndedAt = Finished, goals, at
	now.step(Finish, "", at, StepDetail{})
	now.tell(now.ended("", at))
	now.entitle(at)
	return now, true
}

func (r *Rollout) ended(by string, at time.Time) *rolloutv1.RolloutFinished {
	var reached int32
	for _, g := range r.Goals {
		if g.Reached {
			reached++
		}
	}
	return &rolloutv1.RolloutFinished{
		RolloutId: r.ID.String(), Outcome: string(r.State), Goals: int32(len(r.Plan.Goals)), GoalsReached: reached, DecidedBy: by, At: timestamppb.New(at),
	}
}
