// Package plan says how CRM is to be introduced: what for, by whom, in which phases, through which gates, and what may go wrong.
// A plan's words (names, titles, mitigations) stand in the tables only; all else of it is codes, numbers and times.
package plan

import (
	"slices"
	"time"

	"github.com/guanxi-crm/guanxi/services/rollout/internal/gate"
)

// Plan is how CRM is to be introduced.
type Plan struct {
	Goals  []Goal   `json:"goals,omitempty" nullable:"false" maxItems:"50"`
	Team   []Member `json:"team,omitempty" nullable:"false" maxItems:"200"`
	Phases []Phase  `json:"phases" nullable:"false" maxItems:"50" doc:"A phase begins once those that it comes after are live, done or skipped; any number may be worked on at once."`
	Risks  []Risk   `json:"risks,omitempty" nullable:"false" maxItems:"100"`
}

// Direction says which way a number is better.
type Direction string

// The directions.
const (
	Up   Direction = "up"
	Down Direction = "down"
)

// Goal is what the introduction is for, as a number.
type Goal struct {
	Code       string    `json:"code" maxLength:"64" example:"first-answer"`
	Name       string    `json:"name" maxLength:"200" example:"Answers within the hour"`
	Metric     string    `json:"metric" maxLength:"64" doc:"Code of a metric, see list-rollout-metrics." example:"active_users"`
	Direction  Direction `json:"direction" enum:"up,down" doc:"Which way is better."`
	Baseline   float64   `json:"baseline" doc:"As it was before, in the metric's unit."`
	Target     float64   `json:"target" doc:"As it shall be."`
	Unit       string    `json:"unit,omitempty" maxLength:"200" doc:"Of the organisation that is measured; left out: all that the plan covers."`
	WindowDays int       `json:"window_days,omitempty" minimum:"0" maximum:"366" doc:"Days back from the end over which it is measured; 0: the metric's own."`
}

// Reached tells whether a measured number is at the target or better.
func (g Goal) Reached(measured float64) bool {
	if g.Direction == Down {
		return measured <= g.Target
	}
	return measured >= g.Target
}

// Member is somebody of the team in a role; one person may have several.
type Member struct {
	Subject string `json:"subject" maxLength:"255" doc:"As in the person's token."`
	Role    string `json:"role" enum:"sponsor,lead,key_user,data,technology,trainer,steering"`
}

// The roles of a team.
const (
	Sponsor    = "sponsor"    // of the management: answers for the means
	Lead       = "lead"       // leads the rollout
	KeyUser    = "key_user"   // knows the work of a unit, and speaks for it
	Data       = "data"       // answers for what is migrated
	Technology = "technology" // connects the systems
	Trainer    = "trainer"    // trains
	Steering   = "steering"   // decides with the sponsor
)

// Roles lists the roles of a team.
func Roles() []string {
	return []string{Sponsor, Lead, KeyUser, Data, Technology, Trainer, Steering}
}

// Kind is what a phase is about.
type Kind string

// The kinds.
const (
	Strategy      Kind = "strategy"
	Organisation  Kind = "team"
	Processes     Kind = "process"
	Configuration Kind = "configuration"
	Migration     Kind = "data"
	Pilot         Kind = "pilot"
	Training      Kind = "training"
	GoLive        Kind = "go_live"
	Evaluation    Kind = "evaluation"
	Other         Kind = "other"
)

// Phase is a part of the way.
type Phase struct {
	Code         string      `json:"code" maxLength:"64" example:"pilot"`
	Name         string      `json:"name" maxLength:"200" example:"Pilot in branch 3"`
	Kind         Kind        `json:"kind" enum:"strategy,team,process,configuration,data,pilot,training,go_live,evaluation,other"`
	After        []string    `json:"after,omitempty" nullable:"false" maxItems:"50" doc:"Codes of the phases that it comes after."`
	Tasks        []Task      `json:"tasks,omitempty" nullable:"false" maxItems:"100"`
	Units        []string    `json:"units,omitempty" nullable:"false" maxItems:"500" doc:"Codes of the units that it covers; a unit takes in those below it."`
	Capabilities []string    `json:"capabilities,omitempty" nullable:"false" maxItems:"50" doc:"Codes of what is switched on for its units once it is live. A phase without any is done instead."`
	Enter        []gate.Gate `json:"enter,omitempty" nullable:"false" maxItems:"20" doc:"Gates that have to open before it begins."`
	Leave        []gate.Gate `json:"leave,omitempty" nullable:"false" maxItems:"20" doc:"Gates that have to open, after its tasks, before it is live."`
}

// Gates lists the gates of a phase, those to enter first.
func (p Phase) Gates() []gate.Gate { return slices.Concat(p.Enter, p.Leave) }

// Task is something that somebody has to do in a phase.
type Task struct {
	Code    string    `json:"code" maxLength:"64" example:"clean-customers"`
	Title   string    `json:"title" maxLength:"500" example:"Have the duplicates merged"`
	Owner   string    `json:"owner,omitempty" maxLength:"255" doc:"Subject of whoever does it, of the team."`
	Role    string    `json:"role,omitempty" maxLength:"64" doc:"Without an owner: the role of the team whose people may do it."`
	DueDays int       `json:"due_days,omitempty" minimum:"0" maximum:"3650" doc:"Days after the phase began until which it is to be done; 0: no such time."`
	DueAt   time.Time `json:"due_at,omitzero" doc:"Instead of due_days: until when."`
}

// Due gives until when a task is to be done in a phase that began at a time; zero: no such time.
func (t Task) Due(began time.Time) time.Time {
	if t.DueDays > 0 {
		return began.Add(time.Duration(t.DueDays) * 24 * time.Hour)
	}
	return t.DueAt
}

// Risk is what may go wrong.
type Risk struct {
	Code       string   `json:"code" maxLength:"64" example:"poor-data"`
	Name       string   `json:"name" maxLength:"200" example:"The data are too poor to be trusted"`
	Likelihood int      `json:"likelihood" minimum:"1" maximum:"5" doc:"1 (hardly) to 5 (almost certain)."`
	Impact     int      `json:"impact" minimum:"1" maximum:"5" doc:"1 (slight) to 5 (the end of it)."`
	Mitigation string   `json:"mitigation,omitempty" maxLength:"2000" doc:"What is done against it."`
	Owner      string   `json:"owner,omitempty" maxLength:"255" doc:"Subject of whoever watches it, of the team."`
	Role       string   `json:"role,omitempty" maxLength:"64" doc:"Without an owner: the role of the team whose people watch it."`
	Trigger    *Trigger `json:"trigger,omitempty" doc:"The measured number at which it has come about; left out: people say so."`
	Pauses     bool     `json:"pauses,omitempty" doc:"Whether the rollout is paused once it has come about."`
}

// Exposure is likelihood times impact, 1 to 25.
func (r Risk) Exposure() int { return r.Likelihood * r.Impact }

// Trigger is a measured number at which a risk has come about.
type Trigger struct {
	Metric     string  `json:"metric" maxLength:"64" doc:"Code of a metric." example:"error_rate"`
	Operator   string  `json:"operator" enum:">=,<=" doc:"On which side of the threshold it has come about, the threshold included."`
	Threshold  float64 `json:"threshold"`
	Unit       string  `json:"unit,omitempty" maxLength:"200" doc:"Of the organisation that is measured; left out: all that the plan covers."`
	WindowDays int     `json:"window_days,omitempty" minimum:"0" maximum:"366" doc:"Days back over which it is measured; 0: the metric's own."`
	MinSample  int     `json:"min_sample,omitempty" minimum:"0" maximum:"1000000" doc:"Fewer cases than this tell nothing."`
}

// Hit tells whether a measured number is one at which the risk has come about.
func (t Trigger) Hit(measured float64) bool {
	if t.Operator == "<=" {
		return measured <= t.Threshold
	}
	return measured >= t.Threshold
}

// Phase gives the phase of a code.
func (p Plan) Phase(code string) (Phase, bool) {
	i := slices.IndexFunc(p.Phases, func(one Phase) bool { return one.Code == code })
	if i < 0 {
		return Phase{}, false
	}
	return p.Phases[i], true
}

// Holders lists who has a role in the team.
func (p Plan) Holders(role string) (subjects []string) {
	for _, m := range p.Team {
		if m.Role == role {
			subjects = append(subjects, m.Subject)
		}
	}
	return subjects
}

// Has tells whether somebody has a role in the team.
func (p Plan) Has(subject, role string) bool { return slices.Contains(p.Team, Member{subject, role}) }

// Units lists the codes of all units that the phases cover, sorted.
func (p Plan) Units() []string {
	return p.all(func(one Phase) []string { return one.Units })
}

// NamedUnits lists the codes of all units that the plan names anywhere, sorted: those that it covers, and those that are measured.
func (p Plan) NamedUnits() []string {
	named := p.Units()
	for _, g := range p.Goals {
		named = append(named, g.Unit)
	}
	for _, one := range p.Phases {
		for _, g := range one.Gates() {
			named = append(named, g.Unit)
		}
	}
	for _, k := range p.Risks {
		if k.Trigger != nil {
			named = append(named, k.Trigger.Unit)
		}
	}
	slices.Sort(named)
	return slices.Compact(named)
}

// Capabilities lists the codes of all that the phases switch on, sorted.
func (p Plan) Capabilities() []string {
	return p.all(func(one Phase) []string { return one.Capabilities })
}

func (p Plan) all(of func(Phase) []string) []string {
	var found []string
	for _, one := range p.Phases {
		found = append(found, of(one)...)
	}
	slices.Sort(found)
	return slices.Compact(found)
}
