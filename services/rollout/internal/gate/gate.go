// Package gate says when a gate of a rollout opens: by the decision of people, or by a number that the platform measures.
package gate

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Kind is what opens a gate.
type Kind string

// The kinds.
const (
	Person Kind = "person" // people decide
	Number Kind = "metric" // a measured number does
)

// Comparison is what a measured number is held against.
type Comparison string

// The comparisons.
const (
	Value  Comparison = "value"  // the threshold itself
	Before Comparison = "before" // what the same was before the rollout was started
)

// Gate is something that has to open before a rollout goes on.
type Gate struct {
	Code string `json:"code" maxLength:"64" doc:"Unique in its phase." example:"data-quality"`
	Kind Kind   `json:"kind" enum:"person,metric" doc:"Whether people or a measured number open it."`

	Role     string `json:"role,omitempty" maxLength:"64" doc:"Of people: the role of the team that decides; left out: the sponsor." example:"sponsor"`
	People   int    `json:"people,omitempty" minimum:"0" maximum:"20" doc:"Of people: how many different ones have to agree; left out: 1."`
	FourEyes bool   `json:"four_eyes,omitempty" doc:"Of people: whoever did a task of the phase has no say, and at least two agree where people is left out."`

	Metric     string     `json:"metric,omitempty" maxLength:"64" doc:"Of a number: which, see list-rollout-metrics." example:"import_quality"`
	Threshold  float64    `json:"threshold,omitempty" doc:"Of a number: from which on it opens, in the metric's unit; for a metric that is better when low, up to which. With compare before: by how much it may be worse." example:"0.95"`
	Compare    Comparison `json:"compare,omitempty" enum:"value,before" doc:"Of a number: whether it is held against the threshold (which it is if left out), or against the same before the rollout was started."`
	Unit       string     `json:"unit,omitempty" maxLength:"200" doc:"Of a number: the unit of the organisation that is measured; left out: all units of the phase."`
	WindowDays int        `json:"window_days,omitempty" minimum:"0" maximum:"366" doc:"Of a number: days back over which it is measured; left out: the metric's own."`
	MinSample  int        `json:"min_sample,omitempty" minimum:"0" maximum:"1000000" doc:"Of a number: on fewer cases than this it says nothing; left out: the metric's own."`
}

// Measured tells whether a number opens the gate.
func (g Gate) Measured() bool { return g.Kind == Number }

// Sponsor is the role that decides where a gate names none.
const Sponsor = "sponsor"

// Decides gives the role of the team whose people decide.
func (g Gate) Decides() string {
	if g.Role == "" {
		return Sponsor
	}
	return g.Role
}

// Needs gives how many different people have to agree.
func (g Gate) Needs() int {
	switch {
	case g.People > 0:
		return g.People
	case g.FourEyes:
		return 2
	default:
		return 1
	}
}

// Sample gives on how many cases the number must stand.
func (g Gate) Sample() int {
	m, _ := MetricOf(g.Metric)
	if g.MinSample > 0 {
		return g.MinSample
	}
	return m.MinSample
}

var codeShape = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// Faults names every field of the gate that is not right. at is where the gate stands, such as phases[2].enter[0]; roles are
// those that a team can have.
func (g Gate) Faults(at string, roles []string) (faults []problem.Field) {
	fault := func(field, code, format string, args ...any) {
		faults = append(faults, problem.Field{Location: at + "." + field, Code: code, Message: fmt.Sprintf(format, args...)})
	}
	if !codeShape.MatchString(g.Code) {
		fault("code", "code_malformed", "must be 1 to 64 lower-case letters, digits, - and _, beginning with a letter or a digit")
	}
	switch g.Kind {
	case Person:
		g.personFaults(fault, roles)
	case Number:
		g.numberFaults(fault)
	default:
		fault("kind", "kind_unknown", "must be person or metric")
	}
	return faults
}

func (g Gate) personFaults(fault func(field, code, format string, args ...any), roles []string) {
	if g.Role != "" && !slices.Contains(roles, g.Role) {
		fault("role", "role_unknown", "must be one of %s", strings.Join(roles, ", "))
	}
	if g.People < 0 || g.People > 20 {
		fault("people", "out_of_range", "must be 1 to 20")
	}
	if g.FourEyes && g.People == 1 {
		fault("people", "four_eyes_need_two", "four eyes need at least 2 people")
	}
	for field, set := range map[string]bool{
		"metric": g.Metric != "", "threshold": g.Threshold != 0, "compare": g.Compare != "", "unit": g.Unit != "",
		"window_days": g.WindowDays != 0, "min_sample": g.MinSample != 0,
	} {
		if set {
			fault(field, "not_of_people", "has no meaning for a gate that people open")
		}
	}
}

func (g Gate) numberFaults(fault func(field, code, format string, args ...any)) {
	for field, set := range map[string]bool{"role": g.Role != "", "people": g.People != 0, "four_eyes": g.FourEyes} {
		if set {
			fault(field, "not_of_numbers", "has no meaning for a gate that a number opens")
		}
	}
	m, known := MetricOf(g.Metric)
	if !known {
		fault("metric", "metric_unknown", "must be one of %s", strings.Join(Codes(), ", "))
		return
	}
	if math.IsNaN(g.Threshold) || g.Threshold < 0 || m.Unit == Share && g.Threshold > 1 || g.Threshold > 1e12 {
		fault("threshold", "out_of_range", "must be 0 to 1 for a share, and 0 or more for a number of events")
	}
	switch {
	case g.Compare == Before && !m.Before:
		fault("compare", "metric_has_no_past", "this metric is known as it is now only, so it cannot be compared with what was before")
	case g.Compare != "" && g.Compare != Value && g.Compare != Before:
		fault("compare", "compare_unknown", "must be value or before")
	}
	if g.Unit != "" && !m.PerUnit {
		fault("unit", "metric_not_per_unit", "this metric is measured for all units together; leave the unit out")
	}
	if g.WindowDays < 0 || g.WindowDays > m.MaxWindowDays {
		fault("window_days", "out_of_range", "must be 0 to %d for this metric", m.MaxWindowDays)
	}
	if g.MinSample < 0 || g.MinSample > 1_000_000 {
		fault("min_sample", "out_of_range", "must be 0 to 1000000")
	}
}

// Vote is what one person decided of a gate.
type Vote struct {
	By     string    `json:"by"` // subject
	Agrees bool      `json:"agrees"`
	At     time.Time `json:"at"`
}

// Measurement is what was measured.
type Measurement struct {
	Value   float64   `json:"value"`
	Sample  int       `json:"sample"`             // on how many cases that stands
	Before  float64   `json:"before,omitempty"`   // the same before the rollout was started, where that was asked for
	BeforeN int       `json:"before_n,omitempty"` // on how many cases that stands
	At      time.Time `json:"at"`
	// Known is false where it could not be measured now: who would know cannot be reached, or there is nothing to divide by.
	Known bool `json:"known"`
}

// Reason is why a gate holds.
type Reason string

// The reasons.
const (
	WaitingForPeople Reason = "waiting_for_people"
	Refused          Reason = "refused"
	BelowThreshold   Reason = "below_threshold"
	AboveThreshold   Reason = "above_threshold"
	NotEnoughData    Reason = "not_enough_data"
	NotMeasurable    Reason = "not_measurable"
)

// Verdict is whether a gate opens.
type Verdict struct {
	Open   bool   `json:"open"`
	Reason Reason `json:"reason,omitempty"` // why it holds
	// Limit is what the number is held against; 0 for people.
	Limit float64 `json:"limit,omitempty"`
}

// Voted tells why people have no say in a gate.
func (g Gate) Voted() error {
	if g.Measured() {
		return problem.New(problem.Conflict, "gate_is_measured", "A measured number opens this gate, not people. It can be skipped with a reason.")
	}
	return nil
}

// MayVote tells why somebody has no say in a gate of people: roles are those that the person has in the team, did tells whether the
// person did a task of the phase.
func (g Gate) MayVote(roles []string, did bool) error {
	switch {
	case !slices.Contains(roles, g.Decides()):
		return problem.New(problem.Forbidden, "gate_role_missing", "Only the team's people in the role %s decide on this gate.", g.Decides())
	case g.FourEyes && did:
		return problem.New(problem.Forbidden, "four_eyes", "Who did a task of the phase has no say in this gate: somebody else has to look at it.")
	default:
		return nil
	}
}

// ByPeople judges by what people decided, of each of whom the last word counts. One who refuses holds the gate until the same
// person agrees.
func (g Gate) ByPeople(votes []Vote) Verdict {
	agree := 0
	for i, v := range votes {
		switch {
		case slices.ContainsFunc(votes[i+1:], func(later Vote) bool { return later.By == v.By }):
		case !v.Agrees:
			return Verdict{Reason: Refused}
		default:
			agree++
		}
	}
	if agree < g.Needs() {
		return Verdict{Reason: WaitingForPeople}
	}
	return Verdict{Open: true}
}

// ByNumber judges by what was measured.
func (g Gate) ByNumber(m Measurement) Verdict {
	metric, known := MetricOf(g.Metric)
	v := Verdict{Limit: g.Threshold}
	if g.Compare == Before {
		v.Limit = m.Before - g.Threshold
		if metric.Better == Down {
			v.Limit = m.Before + g.Threshold
		}
	}
	switch {
	case !known || !m.Known || math.IsNaN(m.Value) || math.IsInf(m.Value, 0):
		v.Reason, v.Limit = NotMeasurable, g.Threshold
	case m.Sample < g.Sample(), g.Compare == Before && m.BeforeN < g.Sample():
		v.Reason = NotEnoughData
	case metric.Better == Up && m.Value < v.Limit-slack:
		v.Reason = BelowThreshold
	case metric.Better == Down && m.Value > v.Limit+slack:
		v.Reason = AboveThreshold
	default:
		v.Open = true
	}
	return v
}

// slack is what a difference of two shares may be off by for being reckoned in binary fractions.
const slack = 1e-9
