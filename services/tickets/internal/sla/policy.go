package sla

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Limits of what a tenant may promise.
const (
	maxPolicies  = 100 // that pick tickets
	maxSteps     = 30
	maxPercent   = 1000
	maxName      = 200
	longest      = 5 * 365 * 24 * time.Hour // business time of a target
	shortest     = time.Second
	maxPosition  = 1_000_000
	maxCondition = 2000 // bytes
)

// Defaults gives the policy with what it leaves out: the resolution pauses while the customer is asked, the first time that
// a ticket is resolved counts, and a warning comes at 80 % of each target.
func (p Policy) Defaults() Policy {
	if p.Pausing == nil {
		p.Pausing = standardPausing
	}
	if p.Reopening == "" {
		p.Reopening = First
	}
	if p.Steps == nil {
		p.Steps = []Step{{Percent: 80, Action: Warn}}
	}
	p.Name = strings.TrimSpace(p.Name)
	p.Condition = strings.TrimSpace(p.Condition)
	return p
}

// Check names every field that is not right, as the API calls it.
func (p Policy) Check() []problem.Field {
	var faults []problem.Field
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	if n := utf8.RuneCountInString(p.Name); n < 1 || n > maxName || strings.ContainsFunc(p.Name, unicode.IsControl) {
		fault("name", "name_malformed", "must be 1 to 200 characters in one line")
	}
	if p.Position < 0 || p.Position > maxPosition {
		fault("position", "out_of_range", "must be 0 to 1000000")
	}
	_, refused := compile(p.Condition, "condition")
	faults = append(faults, refused...)
	faults = append(faults, checkTargets(p.Targets)...)
	for _, c := range Clocks() {
		for i, s := range p.Pausing[c] {
			if !slices.Contains(pausable, s) || slices.Contains(p.Pausing[c][:i], s) {
				fault(fmt.Sprintf("pausing.%s[%d]", c, i), "status_unknown", "must be new, open, pending or on_hold, each once")
			}
		}
		if len(p.Pausing[c]) >= len(pausable) {
			fault(fmt.Sprintf("pausing.%s", c), "always_paused", "must leave a status in which the clock runs")
		}
	}
	if p.Reopening != First && p.Reopening != Total {
		fault("reopening", "reopening_unknown", "must be first or total")
	}
	return append(faults, checkSteps(p.Steps)...)
}

// Managed says who keeps a policy where that is not people, such as files in Git that an operator applies.
type Managed struct {
	ManagedBy  string // code such as kubernetes; empty: people
	ExternalID string // what the manager calls it; no two policies that pick tickets have the same
}

func (m Managed) check() (faults []problem.Field) {
	if m.ManagedBy != "" && !code(m.ManagedBy) {
		faults = append(faults, problem.Field{Location: "managed_by", Code: "managed_by_malformed", Message: "must be a code of 1 to 64 lower-case letters, digits, - and _"})
	}
	switch {
	case m.ExternalID != "" && m.ManagedBy == "":
		faults = append(faults, problem.Field{Location: "external_id", Code: "external_id_unexpected", Message: "belongs to a policy that is managed: give managed_by as well"})
	case utf8.RuneCountInString(m.ExternalID) > maxName || strings.ContainsFunc(m.ExternalID, unicode.IsControl):
		faults = append(faults, problem.Field{Location: "external_id", Code: "external_id_malformed", Message: "must be at most 200 characters in one line"})
	}
	return faults
}

// yields lets the manager change its policy, and nobody else: Conflict managed_elsewhere.
func (m Managed) yields(to string) error {
	if m.ManagedBy == "" || m.ManagedBy == to {
		return nil
	}
	return problem.New(problem.Conflict, "managed_elsewhere",
		"The policy is managed by %s: change it there, or have it released first.", m.ManagedBy)
}

var pausable = []string{statusNew, statusOpen, statusPending, statusOnHold}

func checkTargets(targets [5]Targets) (faults []problem.Field) {
	promised := false
	for i, t := range targets {
		for _, c := range Clocks() {
			switch d := t.Of(c); {
			case d == 0:
			case d < shortest || d > longest:
				faults = append(faults, problem.Field{
					Location: fmt.Sprintf("targets.p%d.%s_seconds", i+1, c), Code: "target_out_of_range",
					Message: "must be 1 second to 5 years of business time; leave it out to promise nothing",
				})
			default:
				promised = true
			}
		}
	}
	if !promised && len(faults) == 0 {
		faults = append(faults, problem.Field{Location: "targets", Code: "targets_missing", Message: "must promise something for at least one priority"})
	}
	return faults
}

func checkSteps(steps []Step) (faults []problem.Field) {
	fault := func(i int, field, code, message string) {
		faults = append(faults, problem.Field{Location: fmt.Sprintf("steps[%d]%s", i, field), Code: code, Message: message})
	}
	if len(steps) > maxSteps {
		faults = append(faults, problem.Field{Location: "steps", Code: "too_many", Message: "must be at most 30"})
	}
	for i, s := range steps {
		if s.Clock != "" && !slices.Contains(Clocks(), s.Clock) {
			fault(i, ".clock", "clock_unknown", "must be first_response, next_response or resolution; left out: each")
		}
		if s.Percent < 1 || s.Percent > maxPercent {
			fault(i, ".percent", "out_of_range", "must be 1 to 1000")
		}
		switch s.Action {
		case Warn, RaisePriority:
			if s.Queue != "" {
				fault(i, ".queue", "queue_unexpected", "only assign_queue names a queue")
			}
		case AssignQueue:
			if !code(s.Queue) {
				fault(i, ".queue", "queue_malformed", "must be the code of a queue: 1 to 64 lower-case letters, digits, - and _")
			}
		default:
			fault(i, ".action", "action_unknown", "must be warn, raise_priority or assign_queue")
		}
		if slices.Contains(steps[:i], s) {
			fault(i, "", "step_twice", "stands there twice")
		}
	}
	return faults
}

// code tells whether s can be a code: 1 to 64 lower-case letters, digits, - and _, the first a letter or digit.
func code(s string) bool {
	for i, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || i > 0 && (r == '-' || r == '_')) {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 64
}
