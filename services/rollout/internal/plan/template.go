package plan

import (
	"fmt"
	"slices"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/gate"
)

// Template is a plan to begin with.
type Template struct {
	Code    string
	Doc     string
	Roles   []string // of the team that it needs somebody in
	plan    func(Filling) Plan
	chinese func() map[string]string // its words, see [Plan.in]; nil: there are none
}

// Filling is what a template cannot know.
type Filling struct {
	Team  []Member
	Goals []Goal   // beside those of the template
	Pilot []string // codes of the units that try it out first
	Units []string // codes of the units that follow; the pilot's may be among them or below them
}

// Textbook is the template of the textbooks' method.
const Textbook = "textbook"

// Templates lists the templates, in English; [Template.In] gives one in another language.
func Templates() []Template {
	return []Template{{
		Code: Textbook,
		Doc: "The nine steps of the textbooks: goals and strategy, team and sponsorship, analysis and redesign of processes, configuration, data and the connection of other systems, " +
			"a pilot and what it taught, training, go-live department by department, evaluation; with the risks at which introductions of CRM are known to fail.",
		Roles:   []string{Sponsor, Lead, KeyUser, Data, Technology, Trainer},
		plan:    textbook,
		chinese: textbookChinese,
	}}
}

// TemplateOf gives the template of a code.
func TemplateOf(code string) (Template, bool) {
	all := Templates()
	i := slices.IndexFunc(all, func(t Template) bool { return t.Code == code })
	if i < 0 {
		return Template{}, false
	}
	return all[i], true
}

// Fill makes a plan of the template, or names what is missing of the filling: team, pilot_units, units.
func (t Template) Fill(f Filling) (Plan, []problem.Field) {
	var faults []problem.Field
	for _, role := range t.Roles {
		if !slices.ContainsFunc(f.Team, func(m Member) bool { return m.Role == role }) {
			faults = append(faults, problem.Field{Location: "team", Code: "role_not_in_team", Message: fmt.Sprintf("must have somebody in the role %s: the template has work for them", role)})
		}
	}
	for at, units := range map[string][]string{"pilot_units": f.Pilot, "units": f.Units} {
		if len(units) == 0 {
			faults = append(faults, problem.Field{Location: at, Code: "units_required", Message: "must name at least one unit"})
		}
	}
	if len(faults) > 0 {
		return Plan{}, faults
	}
	return t.plan(f), nil
}

// Outline is the template's plan without what it cannot know, to be looked at.
func (t Template) Outline() Plan { return t.plan(Filling{}) }

func textbook(f Filling) Plan {
	return Plan{
		Goals: append([]Goal{{
			Code: "in-daily-use", Name: "Whoever should work with it does, every week", Metric: gate.ActiveUsers, Direction: Up, Baseline: 0, Target: 0.8, WindowDays: 7,
		}}, f.Goals...),
		Team: f.Team, Phases: slices.Concat(textbookPreparation(), textbookLive(f)), Risks: textbookRisks(),
	}
}

func task(code, role string, days int, title string) Task {
	return Task{Code: code, Title: title, Role: role, DueDays: days}
}

func says(code, role string) gate.Gate { return gate.Gate{Code: code, Kind: gate.Person, Role: role} }

// textbookPreparation is what comes before anybody works with it.
func textbookPreparation() []Phase {
	return []Phase{
		{
			Code: "strategy", Name: "Goals and strategy", Kind: Strategy,
			Tasks: []Task{
				task("customers-served", Lead, 14, "Say which customers are to be won, kept and developed, and by what they are told apart"),
				task("goals", Lead, 14, "Say what is to be better afterwards, as numbers with today's value and the one aimed at"),
				task("business-case", Lead, 21, "Reckon what it costs and what it is worth"),
			},
			Leave: []gate.Gate{says("goals-agreed", Sponsor)},
		},
		{
			Code: "team", Name: "Team and sponsorship", Kind: Organisation, After: []string{"strategy"},
			Tasks: []Task{
				task("means", Sponsor, 14, "Grant people, time and money, and say so to every department"),
				task("key-users", Lead, 14, "Find people of every department who speak for its work"),
				task("story", Lead, 21, "Tell everybody why it is done and what becomes of their work"),
			},
			Leave: []gate.Gate{says("means-granted", Sponsor)},
		},
		{
			Code: "processes", Name: "Analysis and redesign of processes", Kind: Processes, After: []string{"team"},
			Tasks: []Task{
				task("as-is", KeyUser, 21, "Write down how service, sales and marketing work with customers today"),
				task("to-be", KeyUser, 35, "Agree how they will, seen from the customer and across departments"),
				task("who-does-what", Lead, 35, "Say who answers for each step, and by when"),
			},
			Leave: []gate.Gate{says("processes-agreed", KeyUser)},
		},
		{
			Code: "configuration", Name: "Configuration", Kind: Configuration, After: []string{"processes"},
			Tasks: []Task{
				task("set-up", Technology, 28, "Set up stages, categories, service levels, programmes and roles as agreed; leave the rest as it comes"),
				task("try-out", KeyUser, 35, "Walk through every agreed process with real cases"),
			},
			Leave: []gate.Gate{says("configuration-accepted", KeyUser)},
		},
		{
			Code: "data", Name: "Data, migration and connected systems", Kind: Migration, After: []string{"processes"},
			Tasks: []Task{
				task("clean", Data, 28, "Bring customers, leads and orders together, and mend what is wrong or stands twice"),
				task("import", Data, 35, "Bring them in, rejected rows mended and brought in again"),
				task("connect", Technology, 35, "Connect the systems behind: ERP, dealers, shop"),
				task("consents", Data, 35, "Bring in what customers have allowed, with its proof"),
			},
			Leave: []gate.Gate{
				{Code: "data-quality", Kind: gate.Number, Metric: gate.ImportQuality, Threshold: 0.95, MinSample: 100},
				{Code: "systems-level", Kind: gate.Number, Metric: gate.ConsumerLag, Threshold: 1000},
				says("data-accepted", Data),
			},
		},
	}
}

func capabilitiesOf(all ...auth.Capability) (codes []string) {
	for _, c := range all {
		codes = append(codes, string(c))
	}
	return codes
}

// textbookLive is what comes once people work with it.
func textbookLive(f Filling) []Phase {
	department := func(code, name, after string, switched ...auth.Capability) Phase {
		return Phase{
			Code: code, Name: name, Kind: GoLive, After: []string{after}, Units: f.Units, Capabilities: capabilitiesOf(switched...),
			Tasks: []Task{
				task("ready", KeyUser, 7, "See that every unit has its users, roles and open cases in place"),
				task("old-way", Lead, 14, "Name the day from which the old lists and tools are not kept any more"),
			},
			Leave: []gate.Gate{says("released", Sponsor)},
		}
	}
	training := Phase{
		Code: "training", Name: "Training", Kind: Training, After: []string{"pilot-review"}, Units: f.Units,
		Tasks: []Task{
			task("material", Trainer, 14, "Make the material from the pilot's real cases"),
			task("trained", Trainer, 28, "Train everybody in the work that is theirs"),
			task("help", KeyUser, 28, "Name whom to ask in every unit"),
		},
	}
	return []Phase{
		{
			Code: "pilot", Name: "Pilot", Kind: Pilot, After: []string{"configuration", "data"}, Units: f.Pilot, Capabilities: capabilities(),
			Tasks: []Task{task("pilot-trained", Trainer, 14, "Train the pilot's people")},
			Leave: []gate.Gate{says("pilot-released", Sponsor)},
		},
		{
			Code: "pilot-review", Name: "What the pilot taught", Kind: Pilot, After: []string{"pilot"}, Units: f.Pilot,
			Tasks: []Task{
				task("lessons", KeyUser, 35, "Say what has to be another way before the others follow"),
				task("mended", Technology, 42, "Change it"),
			},
			Leave: []gate.Gate{
				{Code: "in-use", Kind: gate.Number, Metric: gate.ActiveUsers, Threshold: 0.6, WindowDays: 7},
				{Code: "service-no-worse", Kind: gate.Number, Metric: gate.SLAAttainment, Threshold: 0.05, Compare: gate.Before},
				says("pilot-accepted", Sponsor),
			},
		},
		training,
		department("go-live-service", "Service goes live", "training", auth.CapabilityCustomers, auth.CapabilityService, auth.CapabilityComplaints, auth.CapabilitySurveys),
		department("go-live-sales", "Sales goes live", "go-live-service", auth.CapabilityOrders, auth.CapabilitySales),
		department("go-live-marketing", "Marketing goes live", "go-live-sales", auth.CapabilityLoyalty, auth.CapabilityRetention, auth.CapabilityAnalytics),
		{
			Code: "evaluation", Name: "Evaluation and improvement", Kind: Evaluation, After: []string{"go-live-marketing"}, Units: f.Units,
			Tasks: []Task{
				task("measured", Lead, 60, "Hold every goal against what was measured"),
				task("improve", Lead, 75, "Agree what is improved next, and who does it"),
			},
			Leave: []gate.Gate{says("concluded", Sponsor)},
		},
	}
}

// textbookRisks are the factors at which introductions of CRM are known to fail. What is measured before anybody works with it says
// nothing of use, so that one is watched by people, and by a gate of the pilot.
func textbookRisks() []Risk {
	number := func(metric, operator string, threshold float64, sample int) *Trigger {
		return &Trigger{Metric: metric, Operator: operator, Threshold: threshold, MinSample: sample}
	}
	return []Risk{
		{Code: "no-sponsor", Name: "The management stands not behind it", Likelihood: 3, Impact: 5, Role: Sponsor, Pauses: true, Mitigation: "A sponsor of the management decides at every gate, and tells the departments why it is done."},
		{Code: "no-strategy", Name: "A tool is introduced, and no strategy", Likelihood: 3, Impact: 5, Role: Lead, Mitigation: "Nothing is configured before goals are agreed as numbers and processes are redesigned."},
		{Code: "not-used", Name: "People do not work with it", Likelihood: 4, Impact: 5, Role: KeyUser, Mitigation: "Key users of every department, a pilot that is listened to, help in every unit; the share of people who work with it is a gate of the pilot."},
		{Code: "poor-data", Name: "The data are too poor to be trusted", Likelihood: 4, Impact: 4, Role: Data, Trigger: number(gate.ImportQuality, "<=", 0.8, 100), Mitigation: "Duplicates are merged and files mended before they are brought in; the share of rows accepted is a gate."},
		{Code: "not-connected", Name: "Systems behind it are not connected, or fall behind", Likelihood: 3, Impact: 4, Role: Technology, Trigger: number(gate.ConsumerLag, ">=", 100_000, 0), Mitigation: "ERP, dealers and shop are connected before the pilot, and watched from then on."},
		{Code: "silos", Name: "Departments go on working past each other", Likelihood: 3, Impact: 4, Role: Lead, Mitigation: "Processes are agreed across departments, seen from the customer, with somebody who answers for each step."},
		{Code: "overloaded", Name: "Too much at once, and too much made to measure", Likelihood: 3, Impact: 4, Role: Technology, Mitigation: "Department by department; what comes with the platform is taken before anything is built."},
		{Code: "untrained", Name: "People are not trained in time", Likelihood: 3, Impact: 3, Role: Trainer, Mitigation: "Training has a phase of its own, with the pilot's real cases, before anybody goes live."},
		{Code: "service-suffers", Name: "Customers are served worse meanwhile", Likelihood: 2, Impact: 5, Role: Lead, Pauses: true, Trigger: number(gate.SLAAttainment, "<=", 0.7, 50), Mitigation: "Attainment of service levels is watched; the rollout pauses when it falls, and a phase can be rolled back."},
		{Code: "customers-annoyed", Name: "Customers do not like what they notice of it", Likelihood: 2, Impact: 4, Role: KeyUser, Trigger: number(gate.CSAT, "<=", 0.6, 50), Mitigation: "Surveys are asked from the pilot on, and complaints about it are looked at every week."},
		{Code: "unstable", Name: "It answers with errors", Likelihood: 2, Impact: 4, Role: Technology, Pauses: true, Trigger: number(gate.ErrorRate, ">=", 0.05, 1000), Mitigation: "The rate of errors is watched; the rollout pauses when it rises."},
		{Code: "privacy", Name: "Personal data are used as customers have not allowed", Likelihood: 2, Impact: 5, Role: Data, Mitigation: "Consents are brought in with their proof, roles see what they need, and looks at sensitive data are logged."},
		{Code: "over-budget", Name: "Time or money run out", Likelihood: 3, Impact: 3, Role: Sponsor, Mitigation: "Means are granted phase by phase, against what the phase before has shown."},
	}
}
