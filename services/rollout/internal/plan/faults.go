package plan

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/gate"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/unit"
)

var codeShape = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

const codeRule = "must be 1 to 64 lower-case letters, digits, - and _, beginning with a letter or a digit"

var kinds = []Kind{Strategy, Organisation, Processes, Configuration, Migration, Pilot, Training, GoLive, Evaluation, Other}

// Coded tells whether s has the shape of the codes of phases, gates, tasks, goals, risks and reasons.
func Coded(s string) bool { return codeShape.MatchString(s) }

// finder collects what is wrong with a plan.
type finder struct {
	Plan
	known  map[string]bool // units of the organisation
	faults []problem.Field
}

func (f *finder) fault(at, code, format string, args ...any) {
	f.faults = append(f.faults, problem.Field{Location: at, Code: code, Message: fmt.Sprintf(format, args...)})
}

// Faults names every field of the plan that is not right. known are the units of the organisation.
func (p Plan) Faults(known map[string]bool) []problem.Field {
	f := &finder{Plan: p, known: known}
	f.team()
	for i, g := range p.Goals {
		f.goal(fmt.Sprintf("goals[%d]", i), g)
	}
	f.codes("goals", len(p.Goals), func(i int) string { return p.Goals[i].Code })
	if len(p.Phases) == 0 {
		f.fault("phases", "plan_empty", "must have at least one phase")
	}
	f.codes("phases", len(p.Phases), func(i int) string { return p.Phases[i].Code })
	for i, one := range p.Phases {
		f.phase(fmt.Sprintf("phases[%d]", i), one)
	}
	f.cycles()
	f.codes("risks", len(p.Risks), func(i int) string { return p.Risks[i].Code })
	for i, r := range p.Risks {
		f.risk(fmt.Sprintf("risks[%d]", i), r)
	}
	return f.faults
}

// codes holds codes to their shape, and to standing once.
func (f *finder) codes(at string, n int, code func(int) string) {
	seen := make(map[string]bool)
	for i := range n {
		c, at := code(i), fmt.Sprintf("%s[%d].code", at, i)
		switch {
		case !Coded(c):
			f.fault(at, "code_malformed", codeRule)
		case seen[c]:
			f.fault(at, "code_taken", "stands here before; codes are unique")
		}
		seen[c] = true
	}
}

func (f *finder) words(at, s string, least, most int) {
	if n := utf8.RuneCountInString(s); n < least || n > most {
		f.fault(at, "length", "must have %d to %d characters", least, most)
	}
}

func (f *finder) team() {
	for i, m := range f.Team {
		at := fmt.Sprintf("team[%d]", i)
		n := utf8.RuneCountInString(m.Subject)
		if n < 1 || n > 255 || strings.ContainsFunc(m.Subject, func(r rune) bool { return !unicode.IsPrint(r) }) {
			f.fault(at+".subject", "subject_malformed", "must be the subject of a token, of 1 to 255 printable characters")
		}
		if !slices.Contains(Roles(), m.Role) {
			f.fault(at+".role", "role_unknown", "must be one of %s", strings.Join(Roles(), ", "))
		}
		if slices.Contains(f.Team[:i], m) {
			f.fault(at, "member_twice", "this person has this role already")
		}
	}
}

// unit holds the code of a unit to being known.
func (f *finder) unit(at, code string) {
	switch {
	case !unit.Valid(code):
		f.fault(at, "unit_malformed", unit.CodeRule)
	case !f.known[code]:
		f.fault(at, "unit_unknown", "the organisation has no such unit, or it was archived: make it first")
	}
}

// metric holds a measured number to what can be measured.
func (f *finder) metric(at, code, unitCode string, days int) {
	m, ok := gate.MetricOf(code)
	if !ok {
		f.fault(at+".metric", "metric_unknown", "must be one of %s", strings.Join(gate.Codes(), ", "))
		return
	}
	if unitCode != "" {
		if f.unit(at+".unit", unitCode); !m.PerUnit {
			f.fault(at+".unit", "metric_not_per_unit", "this metric is measured for all units together; leave the unit out")
		}
	}
	if days < 0 || days > m.MaxWindowDays {
		f.fault(at+".window_days", "out_of_range", "must be 0 to %d for this metric", m.MaxWindowDays)
	}
}

// number holds a number to being one, of a sensible size.
func (f *finder) number(at string, n float64) {
	if math.IsNaN(n) || math.Abs(n) > 1e12 {
		f.fault(at, "out_of_range", "must be a number up to 1e12")
	}
}

func (f *finder) goal(at string, g Goal) {
	f.words(at+".name", g.Name, 1, 200)
	f.metric(at, g.Metric, g.Unit, g.WindowDays)
	f.number(at+".baseline", g.Baseline)
	f.number(at+".target", g.Target)
	switch {
	case g.Direction != Up && g.Direction != Down:
		f.fault(at+".direction", "direction_unknown", "must be up or down")
	case g.Direction == Up && g.Target < g.Baseline, g.Direction == Down && g.Target > g.Baseline:
		f.fault(at+".target", "target_worse", "is worse than the baseline in this direction")
	}
}

// who holds an owner to being of the team, and a role to having people.
func (f *finder) who(at, owner, role string, needed bool) {
	switch {
	case owner != "" && role != "":
		f.fault(at+".role", "owner_or_role", "must be left out where there is an owner")
	case owner != "":
		if !slices.ContainsFunc(f.Team, func(m Member) bool { return m.Subject == owner }) {
			f.fault(at+".owner", "owner_not_in_team", "must be somebody of the team")
		}
	case role == "" && needed:
		f.fault(at+".owner", "owner_required", "must say who does it: an owner, or a role of the team")
	case role != "" && !slices.Contains(Roles(), role):
		f.fault(at+".role", "role_unknown", "must be one of %s", strings.Join(Roles(), ", "))
	case role != "" && len(f.Holders(role)) == 0:
		f.fault(at+".role", "role_not_in_team", "nobody of the team has the role %s", role)
	}
}

func (f *finder) phase(at string, p Phase) {
	f.words(at+".name", p.Name, 1, 200)
	if !slices.Contains(kinds, p.Kind) {
		f.fault(at+".kind", "kind_unknown", "must be one of the kinds of phases, or other")
	}
	for i, code := range p.After {
		at := fmt.Sprintf("%s.after[%d]", at, i)
		if _, ok := f.Phase(code); !ok {
			f.fault(at, "phase_unknown", "the plan has no such phase")
		} else if slices.Contains(p.After[:i], code) {
			f.fault(at, "phase_twice", "stands here before")
		}
	}
	if len(p.Tasks) == 0 && len(p.Enter) == 0 && len(p.Leave) == 0 && len(p.Capabilities) == 0 {
		f.fault(at, "phase_empty", "has neither tasks nor gates nor capabilities")
	}
	f.covers(at, p)
	f.codes(at+".tasks", len(p.Tasks), func(i int) string { return p.Tasks[i].Code })
	for i, t := range p.Tasks {
		at := fmt.Sprintf("%s.tasks[%d]", at, i)
		f.words(at+".title", t.Title, 1, 500)
		f.who(at, t.Owner, t.Role, true)
		if t.DueDays < 0 || t.DueDays > 3650 || t.DueDays > 0 && !t.DueAt.IsZero() {
			f.fault(at+".due_days", "out_of_range", "must be 0 to 3650, and left out where there is due_at")
		}
	}
	f.gates(at, p)
}

func (f *finder) covers(at string, p Phase) {
	for i, code := range p.Units {
		place := fmt.Sprintf("%s.units[%d]", at, i)
		f.unit(place, code)
		if slices.ContainsFunc(p.Units[:i], func(before string) bool { return unit.Overlap(before, code) }) {
			f.fault(place, "unit_twice", "is covered by this phase already: a unit takes in those below it")
		}
	}
	for i, code := range p.Capabilities {
		place := fmt.Sprintf("%s.capabilities[%d]", at, i)
		if !slices.Contains(auth.Capabilities(), auth.Capability(code)) {
			f.fault(place, "capability_unknown", "must be one of %s", strings.Join(capabilities(), ", "))
		} else if slices.Contains(p.Capabilities[:i], code) {
			f.fault(place, "capability_twice", "stands here before")
		}
	}
	if len(p.Capabilities) > 0 && len(p.Units) == 0 {
		f.fault(at+".units", "units_required", "must say for which units the capabilities are switched on")
	}
}

func capabilities() (codes []string) {
	for _, c := range auth.Capabilities() {
		codes = append(codes, string(c))
	}
	return codes
}

func (f *finder) gates(at string, p Phase) {
	seen := make(map[string]bool)
	for side, gates := range [][]gate.Gate{p.Enter, p.Leave} {
		for i, g := range gates {
			at := fmt.Sprintf("%s.%s[%d]", at, []string{"enter", "leave"}[side], i)
			f.faults = append(f.faults, g.Faults(at, Roles())...)
			if seen[g.Code] {
				f.fault(at+".code", "code_taken", "is the code of another gate of this phase")
			}
			seen[g.Code] = true
			if g.Unit != "" {
				f.unit(at+".unit", g.Unit)
			}
			if m, ok := gate.MetricOf(g.Metric); ok && m.PerUnit && g.Unit == "" && len(p.Units) == 0 {
				f.fault(at+".unit", "units_required", "names no unit, and neither does the phase")
			}
			if g.Kind == gate.Person && f.deciders(p, g) < g.Needs() {
				f.fault(at+".role", "people_missing", "needs %d people in the role %s who do no task of the phase where it asks for four eyes; the team has %d",
					g.Needs(), g.Decides(), f.deciders(p, g))
			}
		}
	}
}

// deciders counts who of the team may decide on a gate: with four eyes, nobody who owns a task of the phase.
func (f *finder) deciders(p Phase, g gate.Gate) (n int) {
	for _, subject := range f.Holders(g.Decides()) {
		if !g.FourEyes || !slices.ContainsFunc(p.Tasks, func(t Task) bool { return t.Owner == subject }) {
			n++
		}
	}
	return n
}

// cycles finds phases that come after themselves, and names the way.
func (f *finder) cycles() {
	state := make(map[string]int) // 1 under way, 2 known to be right
	var way []string
	var visit func(code string) []string
	visit = func(code string) []string {
		p, ok := f.Phase(code)
		if !ok || state[code] == 2 {
			return nil
		}
		way = append(way, code)
		if state[code] == 1 {
			return way[slices.Index(way, code):]
		}
		state[code] = 1
		for _, before := range p.After {
			if found := visit(before); found != nil {
				return found
			}
		}
		state[code], way = 2, way[:len(way)-1]
		return nil
	}
	for i, p := range f.Phases {
		if way = nil; state[p.Code] == 0 {
			if found := visit(p.Code); found != nil {
				f.fault(fmt.Sprintf("phases[%d].after", i), "phases_in_a_cycle", "comes after itself: %s", strings.Join(found, " after "))
				return
			}
		}
	}
}

func (f *finder) risk(at string, r Risk) {
	f.words(at+".name", r.Name, 1, 200)
	f.words(at+".mitigation", r.Mitigation, 0, 2000)
	for field, n := range map[string]int{"likelihood": r.Likelihood, "impact": r.Impact} {
		if n < 1 || n > 5 {
			f.fault(at+"."+field, "out_of_range", "must be 1 to 5")
		}
	}
	f.who(at, r.Owner, r.Role, false)
	if t := r.Trigger; t != nil {
		f.metric(at+".trigger", t.Metric, t.Unit, t.WindowDays)
		f.number(at+".trigger.threshold", t.Threshold)
		if t.Operator != ">=" && t.Operator != "<=" {
			f.fault(at+".trigger.operator", "operator_unknown", "must be >= or <=")
		}
	}
}
