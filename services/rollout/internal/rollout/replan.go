package rollout

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/plan"
)

// ahead is how far a phase is of which nothing was done yet.
func ahead(p plan.Phase) Phase {
	fresh := Phase{Code: p.Code, State: Waiting}
	for _, t := range p.Tasks {
		fresh.Tasks = append(fresh.Tasks, Task{Code: t.Code})
	}
	for _, g := range p.Enter {
		fresh.Gates = append(fresh.Gates, Gate{Code: g.Code, Side: Enter})
	}
	for _, g := range p.Leave {
		fresh.Gates = append(fresh.Gates, Gate{Code: g.Code, Side: Leave})
	}
	return fresh
}

// Replan puts another plan in the place of the present one. Of one that is carried out only what has not begun may be another:
// Unprocessable phase_begun names the phases that have, Conflict rollout_over says that all of it is.
func (r Rollout) Replan(to plan.Plan, by string, at time.Time) (Rollout, error) {
	if r.State.Over() {
		return r, problem.New(problem.Conflict, "rollout_over", "The rollout is %s: its plan stays as it is.", r.State)
	}
	if faults := r.begunFaults(to); len(faults) > 0 {
		return r, problem.InvalidBody("phase_begun", "What has begun cannot be planned anew: leave the phases named here as they are.", faults)
	}
	was := r
	now := r.begun()
	now.Plan, now.PlanVersion, now.Phases, now.Risks = to, r.PlanVersion+1, nil, nil
	for _, planned := range to.Phases {
		p := ahead(planned)
		if before := was.phase(planned.Code); before != nil {
			if p.Round = before.Round; before.State.Begun() {
				p = *before
			} else if before.State == RolledBack {
				p.State, p.Since, p.Reason = before.State, before.Since, before.Reason
			}
		}
		now.Phases = append(now.Phases, p)
	}
	for _, planned := range to.Risks {
		k := Risk{Code: planned.Code, State: RiskOpen}
		if before := was.risk(planned.Code); before != nil {
			k = *before
		}
		now.Risks = append(now.Risks, k)
	}
	now.step(Edit, by, at, StepDetail{Version: now.PlanVersion})
	now.settle(at)
	now.entitle(at)
	return now, nil
}

// begunFaults names the phases that have begun and that another plan changes or leaves out.
func (r *Rollout) begunFaults(to plan.Plan) (faults []problem.Field) {
	for _, p := range r.Phases {
		if !p.State.Begun() {
			continue
		}
		was, _ := r.Plan.Phase(p.Code)
		is, there := to.Phase(p.Code)
		at := slices.IndexFunc(to.Phases, func(one plan.Phase) bool { return one.Code == p.Code })
		switch {
		case !there:
			faults = append(faults, problem.Field{Location: "phases", Code: "phase_begun", Message: fmt.Sprintf("must have the phase %s, which has begun", p.Code)})
		case !reflect.DeepEqual(was, is):
			faults = append(faults, problem.Field{Location: fmt.Sprintf("phases[%d]", at), Code: "phase_begun", Message: fmt.Sprintf("the phase %s has begun", p.Code)})
		}
	}
	return faults
}
