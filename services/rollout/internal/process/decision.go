package process

import (
	"time"

	"github.com/guanxi-crm/guanxi/services/rollout/internal/plan"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/rollout"
)

// fits tells why a decision cannot be made where a rollout stands, by the rollout's own rule. Whom the plan names for a task or a gate
// is not in a process, so whoever decides is taken for somebody who has every role of the team: the row says whether that is so.
func fits(s rollout.Standing, d rollout.Decision, at time.Time) error {
	r := rollout.Rollout{ID: s.ID, Version: s.Version, State: s.State, PlanVersion: s.PlanVersion}
	for _, role := range plan.Roles() {
		r.Plan.Team = append(r.Plan.Team, plan.Member{Subject: d.By.Subject, Role: role})
	}
	for _, one := range s.Phases {
		planned := plan.Phase{Code: one.Code, Kind: one.Kind, After: one.After, Units: one.Units, Capabilities: one.Capabilities}
		for i, g := range one.Gates {
			if g.Side == rollout.Enter {
				planned.Enter = append(planned.Enter, one.Asks[i])
			} else {
				planned.Leave = append(planned.Leave, one.Asks[i])
			}
		}
		for _, t := range one.Tasks {
			planned.Tasks = append(planned.Tasks, plan.Task{Code: t.Code})
		}
		r.Plan.Phases, r.Phases = append(r.Plan.Phases, planned), append(r.Phases, one.Phase)
	}
	for _, one := range s.Risks {
		r.Plan.Risks = append(r.Plan.Risks, plan.Risk{Code: one.Code, Trigger: one.Trigger, Pauses: one.Pauses})
		r.Risks = append(r.Risks, one.Risk)
	}
	_, err := r.Decide(d, at)
	return err
}
