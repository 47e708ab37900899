package plan_test

import (
	"maps"
	"regexp"
	"slices"
	"testing"

	"github.com/guanxi-crm/guanxi/services/rollout/internal/gate"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/plan"
)

func good() plan.Plan {
	return plan.Plan{
		Goals: []plan.Goal{{Code: "use", Name: "Use", Metric: gate.ActiveUsers, Direction: plan.Up, Target: 0.8, Unit: "north"}},
		Team:  []plan.Member{{Subject: "ann", Role: plan.Sponsor}, {Subject: "bob", Role: plan.Sponsor}, {Subject: "lei", Role: plan.Lead}},
		Phases: []plan.Phase{
			{Code: "data", Name: "Data", Kind: plan.Migration, Tasks: []plan.Task{{Code: "clean", Title: "Clean", Owner: "lei"}}},
			{Code: "pilot", Name: "Pilot", Kind: plan.Pilot, After: []string{"data"}, Units: []string{"north"}, Capabilities: []string{"sales"},
				Leave: []gate.Gate{{Code: "board", Kind: gate.Person, FourEyes: true}}},
		},
		Risks: []plan.Risk{{Code: "poor-data", Name: "Poor data", Likelihood: 3, Impact: 4, Role: plan.Lead}},
	}
}

func TestAPlanThatContradictsItselfIsRefusedWhereItDoes(t *testing.T) {
	t.Parallel()
	known := map[string]bool{"north": true}
	if faults := good().Faults(known); len(faults) > 0 {
		t.Fatalf("a good plan: %+v", faults)
	}
	for name, c := range map[string]struct {
		change         func(*plan.Plan)
		location, code string
	}{
		"empty":           {func(p *plan.Plan) { p.Phases = nil }, "phases", "plan_empty"},
		"cycle":           {func(p *plan.Plan) { p.Phases[0].After = []string{"pilot"} }, "phases[0].after", "phases_in_a_cycle"},
		"after itself":    {func(p *plan.Plan) { p.Phases[0].After = []string{"data"} }, "phases[0].after", "phases_in_a_cycle"},
		"unknown phase":   {func(p *plan.Plan) { p.Phases[0].After = []string{"no"} }, "phases[0].after[0]", "phase_unknown"},
		"unknown unit":    {func(p *plan.Plan) { p.Phases[1].Units = []string{"south"} }, "phases[1].units[0]", "unit_unknown"},
		"capability":      {func(p *plan.Plan) { p.Phases[1].Capabilities = []string{"magic"} }, "phases[1].capabilities[0]", "capability_unknown"},
		"no units":        {func(p *plan.Plan) { p.Phases[1].Units = nil }, "phases[1].units", "units_required"},
		"metric":          {func(p *plan.Plan) { p.Goals[0].Metric = "luck" }, "goals[0].metric", "metric_unknown"},
		"twice":           {func(p *plan.Plan) { p.Phases[1].Code = "data"; p.Phases[1].After = nil }, "phases[1].code", "code_taken"},
		"two eyes only":   {func(p *plan.Plan) { p.Team = p.Team[1:] }, "phases[1].leave[0].role", "people_missing"},
		"a doer decides":  {func(p *plan.Plan) { p.Phases[1].Tasks = []plan.Task{{Code: "t", Title: "T", Owner: "ann"}} }, "phases[1].leave[0].role", "people_missing"},
		"stranger":        {func(p *plan.Plan) { p.Phases[0].Tasks[0].Owner = "eve" }, "phases[0].tasks[0].owner", "owner_not_in_team"},
		"phase empty":     {func(p *plan.Plan) { p.Phases[0].Tasks = nil }, "phases[0]", "phase_empty"},
		"likelihood":      {func(p *plan.Plan) { p.Risks[0].Likelihood = 6 }, "risks[0].likelihood", "out_of_range"},
		"worse by design": {func(p *plan.Plan) { p.Goals[0].Baseline = 0.9 }, "goals[0].target", "target_worse"},
	} {
		p := good()
		c.change(&p)
		codes := []string{}
		for _, f := range p.Faults(known) {
			codes = append(codes, f.Location+" "+f.Code)
		}
		if !slices.Contains(codes, c.location+" "+c.code) {
			t.Errorf("%s: %v", name, codes)
		}
	}
}

func TestATemplateThatIsFilledIsAGoodPlan(t *testing.T) {
	t.Parallel()
	for _, template := range plan.Templates() {
		f := plan.Filling{Pilot: []string{"north/branch-3"}, Units: []string{"north", "east"}}
		_, faults := template.Fill(plan.Filling{})
		if len(faults) != len(template.Roles)+2 {
			t.Errorf("%s, of nothing: %+v", template.Code, faults)
		}
		for i, role := range template.Roles {
			f.Team = append(f.Team, plan.Member{Subject: string(rune('a' + i)), Role: role})
		}
		p, faults := template.Fill(f)
		faults = append(faults, p.Faults(map[string]bool{"north": true, "east": true, "north/branch-3": true})...)
		if len(faults) > 0 {
			t.Errorf("%s: %+v", template.Code, faults)
		}
		var kinds []plan.Kind
		for _, phase := range p.Phases {
			if !slices.Contains(kinds, phase.Kind) {
				kinds = append(kinds, phase.Kind)
			}
		}
		if template.Code == plan.Textbook && len(kinds) != 9 {
			t.Errorf("%s has the steps %v", template.Code, kinds)
		}
		if len(template.Outline().Phases) != len(p.Phases) {
			t.Errorf("%s shows another plan than it makes", template.Code)
		}
	}
}

// said gives every word of a plan, by where it stands.
func said(p plan.Plan) map[string]string {
	words := map[string]string{}
	for _, g := range p.Goals {
		words["goal/"+g.Code] = g.Name
	}
	for _, one := range p.Phases {
		words[one.Code] = one.Name
		for _, t := range one.Tasks {
			words[one.Code+"/"+t.Code] = t.Title
		}
	}
	for _, k := range p.Risks {
		words["risk/"+k.Code], words["risk/"+k.Code+"/mitigation"] = k.Name, k.Mitigation
	}
	return words
}

func TestATemplateIsTheSameInChinese(t *testing.T) {
	t.Parallel()
	latin, han := regexp.MustCompile(`[A-Za-z]{2,}`), regexp.MustCompile(`\p{Han}`)
	for _, template := range plan.Templates() {
		own := plan.Filling{Goals: []plan.Goal{{Code: "mine", Name: "My own"}}}
		english, chinese := said(template.Outline()), said(template.In("zh").Outline())
		for at, word := range chinese {
			foreign := regexp.MustCompile(`CRM|ERP`).ReplaceAllString(word, "")
			if !han.MatchString(word) || latin.MatchString(foreign) || word == english[at] {
				t.Errorf("%s: %s is %q", template.Code, at, word)
			}
		}
		if used := plan.ChineseWords(template); len(used) != len(english)+1 { // and what it says of itself
			t.Errorf("%s has %d words in Chinese for %d", template.Code, len(used), len(english)+1)
		}
		if again := said(template.In("en").Outline()); !maps.Equal(again, english) {
			t.Errorf("%s changed for having been translated", template.Code)
		}
		if doc := template.In("zh").Doc; !han.MatchString(doc) {
			t.Errorf("%s says of itself %q", template.Code, doc)
		}
		for _, role := range template.Roles {
			own.Team = append(own.Team, plan.Member{Subject: "li", Role: role})
		}
		own.Pilot, own.Units = []string{"north"}, []string{"north"}
		p, faults := template.In("zh").Fill(own)
		if faults != nil || said(p)["goal/mine"] != "My own" || said(p)["strategy"] != "目标与战略" {
			t.Errorf("%s is filled as %v, %v", template.Code, said(p), faults)
		}
	}
}
