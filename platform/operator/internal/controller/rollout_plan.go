package controller

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/guanxi-crm/guanxi/platform/operator/api/v1alpha1"
	"github.com/guanxi-crm/guanxi/platform/operator/internal/platform"
)

// lowIsBetter are the metrics of which less is better; a gate on them opens at most at its number.
var lowIsBetter = map[v1alpha1.Metric]bool{"error_rate": true, "consumer_lag": true}

// planOf gives the platform's plan of a spec. An error is a sentence for whoever wrote the spec.
func planOf(spec v1alpha1.CRMRolloutSpec) (platform.Plan, error) {
	var p platform.Plan
	for _, g := range spec.Goals {
		p.Goals = append(p.Goals, platform.Goal{
			Code: string(g.Code), Name: g.Name, Metric: string(g.Metric), Direction: g.Direction, Baseline: number(g.Baseline), Target: number(g.Target),
			Unit: string(g.Unit), WindowDays: g.WindowDays,
		})
	}
	for _, m := range spec.Team {
		p.Team = append(p.Team, platform.Member{Subject: m.Subject, Role: string(m.Role)})
	}
	for _, one := range spec.Phases {
		phase := platform.Phase{
			Code: string(one.Code), Name: one.Name, Kind: one.Kind, After: words(one.After), Units: words(one.Units), Capabilities: words(one.Capabilities),
		}
		for _, t := range one.Tasks {
			phase.Tasks = append(phase.Tasks, platform.Task{Code: string(t.Code), Title: t.Title, Owner: t.Owner, Role: string(t.Role), DueDays: t.DueDays})
		}
		var err error
		if phase.Enter, err = gatesOf(one.Enter, phase.Code); err != nil {
			return p, err
		}
		if phase.Leave, err = gatesOf(one.Leave, phase.Code); err != nil {
			return p, err
		}
		p.Phases = append(p.Phases, phase)
	}
	for _, r := range spec.Risks {
		risk := platform.Risk{
			Code: string(r.Code), Name: r.Name, Likelihood: r.Likelihood, Impact: r.Impact, Mitigation: r.Mitigation, Role: string(r.Role), Pauses: r.Pauses,
		}
		if m := r.Trigger; m != nil {
			risk.Trigger = &platform.Trigger{Metric: string(m.Name), Operator: "<=", WindowDays: m.WindowDays, MinSample: m.MinSample}
			if m.AtLeast != nil {
				risk.Trigger.Operator = ">="
			}
			risk.Trigger.Threshold = threshold(m)
		}
		p.Risks = append(p.Risks, risk)
	}
	return p, nil
}

func gatesOf(gates []v1alpha1.RolloutGate, phase string) (all []platform.Gate, err error) {
	for _, g := range gates {
		switch m := g.Metric; {
		case m == nil:
			all = append(all, platform.Gate{Code: string(g.Code), Kind: "person", Role: string(g.Person.Role), FourEyes: g.Person.FourEyes})
		case lowIsBetter[m.Name] == (m.AtLeast != nil):
			side := map[bool]string{true: "atMost", false: "atLeast"}[lowIsBetter[m.Name]]
			return nil, fmt.Errorf("the gate %s of the phase %s: a gate on %s opens %s a number", g.Code, phase, m.Name, side)
		default:
			all = append(all, platform.Gate{
				Code: string(g.Code), Kind: "metric", Metric: string(m.Name), Threshold: threshold(m), WindowDays: m.WindowDays, MinSample: m.MinSample,
			})
		}
	}
	return all, nil
}

func threshold(m *v1alpha1.MetricGate) float64 {
	if m.AtLeast != nil {
		return number(*m.AtLeast)
	}
	return number(*m.AtMost)
}

func number(q resource.Quantity) float64 { return q.AsApproximateFloat64() }

func words[T ~string](all []T) (texts []string) {
	for _, one := range all {
		texts = append(texts, string(one))
	}
	return texts
}

// digest tells one plan from another.
func digest(p platform.Plan) string {
	raw, err := json.Marshal(p)
	if err != nil { // numbers of a Quantity are finite
		return ""
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:16])
}
