package rollout

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/gate"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/plan"
)

// RolloutSummary is a rollout as lists show it.
type RolloutSummary struct {
	RolloutID   uuid.UUID  `json:"rollout_id" format:"uuid"`
	Name        string     `json:"name"`
	State       State      `json:"state" enum:"draft,running,paused,finished,cancelled"`
	Version     int64      `json:"version" doc:"Rises by one with every change."`
	Template    string     `json:"template,omitempty" doc:"Code of the one that the plan was made from."`
	PlanVersion int        `json:"plan_version" doc:"The ETag of the plan."`
	ExternalID  string     `json:"external_id,omitempty"`
	ManagedBy   string     `json:"managed_by,omitempty" doc:"Code of who keeps the plan; absent: people."`
	CreatedBy   string     `json:"created_by" doc:"Subject."`
	CreatedAt   time.Time  `json:"created_at"`
	StartedAt   *time.Time `json:"started_at,omitempty"`
	EndedAt     *time.Time `json:"ended_at,omitempty"`
	InHand      []string   `json:"in_hand" nullable:"false" doc:"Codes of the phases that are entered, worked on or left."`
	Held        int        `json:"held" doc:"Gates that are asked and hold."`
	Late        int        `json:"late" doc:"Tasks that should be done by now and are not."`
	Triggered   []string   `json:"triggered" nullable:"false" doc:"Codes of the risks that have come about."`
	PhasesOver  int        `json:"phases_over" doc:"Phases that are live, done or skipped."`
	PhaseCount  int        `json:"phase_count"`
}

// rolloutView is a rollout as the API shows it: its plan, and how far all of it is.
type rolloutView struct {
	RolloutSummary
	Pause        *pauseView    `json:"pause,omitempty" doc:"Of one that is paused: why."`
	Goals        []goalView    `json:"goals" nullable:"false" doc:"In the order of the plan."`
	Team         []plan.Member `json:"team" nullable:"false"`
	Phases       []phaseView   `json:"phases" nullable:"false" doc:"In the order of the plan."`
	Risks        []riskView    `json:"risks" nullable:"false" doc:"In the order of the plan."`
	Entitlements []Entitlement `json:"entitlements" nullable:"false" doc:"What it governs, and for whom that is open. What is not named here it withholds from nobody."`
	Next         []Next        `json:"next" nullable:"false" doc:"What can be decided now, by whom, and whether whoever reads this may: of each phase in the order of the plan its gates, its tasks and itself, then of the risks, then of the rollout. What nobody can decide where it stands is not in it."`
}

type pauseView struct {
	Reason string    `json:"reason" doc:"Code; risk_triggered where a risk did it."`
	Risk   string    `json:"risk,omitempty"`
	By     string    `json:"by,omitempty" doc:"Subject; absent where a risk did it."`
	At     time.Time `json:"at"`
}

type goalView struct {
	plan.Goal
	Measured *float64 `json:"measured,omitempty" doc:"What it came to; absent before the end, and where it could not be measured."`
	Reached  *bool    `json:"reached,omitempty" doc:"Of one that was measured."`
}

type phaseView struct {
	Code         string     `json:"code"`
	Name         string     `json:"name"`
	Kind         plan.Kind  `json:"kind" enum:"strategy,team,process,configuration,data,pilot,training,go_live,evaluation,other"`
	State        PhaseState `json:"state" enum:"waiting,entering,working,leaving,live,done,rolled_back,skipped"`
	Round        int        `json:"round" doc:"Which time it is gone through; 0 before the first."`
	Since        *time.Time `json:"since,omitempty" doc:"Of the state."`
	EnteredAt    *time.Time `json:"entered_at,omitempty" doc:"When the work of this round began."`
	LiveAt       *time.Time `json:"live_at,omitempty" doc:"When it was live, or done, in this round."`
	Reason       string     `json:"reason,omitempty" doc:"Code of why it was rolled back or skipped."`
	After        []string   `json:"after" nullable:"false" doc:"Codes of the phases that it comes after."`
	WaitsFor     []string   `json:"waits_for" nullable:"false" doc:"Of those, the ones that are not over."`
	Units        []string   `json:"units" nullable:"false" doc:"Codes of the units that it covers."`
	Capabilities []string   `json:"capabilities" nullable:"false" doc:"Codes of what is switched on once it is live."`
	Tasks        []taskView `json:"tasks" nullable:"false" doc:"In the order of the plan."`
	Gates        []gateView `json:"gates" nullable:"false" doc:"In the order of the plan, those to enter first."`
}

type taskView struct {
	Code      string     `json:"code"`
	Title     string     `json:"title"`
	Owner     string     `json:"owner,omitempty" doc:"Subject of whoever does it."`
	Role      string     `json:"role,omitempty" doc:"Without an owner: the role of the team whose people may do it."`
	DueAt     *time.Time `json:"due_at,omitempty" doc:"Until when, once its phase was entered."`
	Late      bool       `json:"late" doc:"It should be done by now and is not, or was done after that time."`
	DoneAt    *time.Time `json:"done_at,omitempty"`
	DoneBy    string     `json:"done_by,omitempty" doc:"Subject."`
	Reminders int        `json:"reminders" doc:"Of whoever is late."`
	Escalated bool       `json:"escalated" doc:"The leads were told."`
}

type gateView struct {
	gate.Gate
	Side      Side       `json:"side" enum:"enter,leave"`
	Stands    gateStand  `json:"stands" enum:"ahead,held,passed" doc:"ahead: its turn has not come."`
	Reason    string     `json:"reason,omitempty" enum:"waiting_for_people,refused,below_threshold,above_threshold,not_enough_data,not_measurable,not_looked_at" doc:"Of one that holds: why."`
	Needs     int        `json:"needs,omitempty" doc:"Of people: how many have to agree."`
	Agreed    []string   `json:"agreed" nullable:"false" doc:"Of people: subjects of who agrees, by their last word."`
	RefusedBy []string   `json:"refused_by" nullable:"false" doc:"Of people: subjects of who refuses, by their last word. The gate holds until they agree."`
	Measured  *float64   `json:"measured,omitempty" doc:"Of a number: what was measured last."`
	Limit     *float64   `json:"limit,omitempty" doc:"Of a number: what that was held against."`
	Sample    *int       `json:"sample,omitempty" doc:"Of a number: on how many cases it stands."`
	LookedAt  *time.Time `json:"looked_at,omitempty" doc:"Of a number: when it was measured."`
	PassedAt  *time.Time `json:"passed_at,omitempty"`
	PassedBy  string     `json:"passed_by,omitempty" doc:"Subject of whoever decided last; absent for a number."`
	How       string     `json:"how,omitempty" enum:"person,metric,skipped" doc:"Of one that has passed."`
	SkippedAs string     `json:"skipped_as,omitempty" doc:"Code of why somebody passed it by."`
}

// gateStand is where a gate stands.
type gateStand string

const (
	gateAhead  gateStand = "ahead"
	gateHeld   gateStand = "held"
	gatePassed gateStand = "passed"
)

type riskView struct {
	plan.Risk
	State    RiskState  `json:"state" enum:"open,mitigated,triggered,closed"`
	Exposure int        `json:"exposure" doc:"Likelihood times impact, 1 to 25."`
	Since    *time.Time `json:"since,omitempty" doc:"Of the state."`
	By       string     `json:"by,omitempty" doc:"Subject of whoever said so; absent where a number did."`
	Measured *float64   `json:"measured,omitempty" doc:"What was measured last, of one that a number triggers."`
	LookedAt *time.Time `json:"looked_at,omitempty"`
}

// summary shows a rollout as lists do, at a time.
func summary(r Rollout, at time.Time) RolloutSummary {
	s := RolloutSummary{
		RolloutID: r.ID, Name: r.Name, State: r.State, Version: r.Version, Template: r.Template, PlanVersion: r.PlanVersion, ExternalID: r.ExternalID,
		ManagedBy: r.ManagedBy, CreatedBy: r.CreatedBy, CreatedAt: r.CreatedAt, StartedAt: pg.OrNull(r.StartedAt), EndedAt: pg.OrNull(r.EndedAt),
		InHand: []string{}, Triggered: []string{}, PhaseCount: len(r.Phases),
	}
	for _, p := range r.Phases {
		if p.State.Over() {
			s.PhasesOver++
		}
		if p.inHand() && r.State.governs() {
			s.InHand = append(s.InHand, p.Code)
		}
		for _, g := range p.Gates {
			if r.stands(p, g) == gateHeld {
				s.Held++
			}
		}
		for _, t := range p.Tasks {
			if t.DoneAt.IsZero() && p.inHand() && t.late(at) {
				s.Late++
			}
		}
	}
	for _, k := range r.Risks {
		if k.State == RiskTriggered {
			s.Triggered = append(s.Triggered, k.Code)
		}
	}
	return s
}

// inHand tells whether something is done about a phase.
func (p Phase) inHand() bool { return p.State == Entering || p.State == Working || p.State == Leaving }

// late tells whether a task is not done, or was not, by its time.
func (t Task) late(at time.Time) bool {
	if !t.DoneAt.IsZero() {
		at = t.DoneAt
	}
	return !t.DueAt.IsZero() && at.After(t.DueAt)
}

// stands tells where a gate of a phase stands: one to leave can be decided from the beginning of the work on.
func (r Rollout) stands(p Phase, g Gate) gateStand {
	switch {
	case !g.PassedAt.IsZero():
		return gatePassed
	case r.State.governs() && (g.Side == Enter && p.State == Entering || g.Side == Leave && p.State == Leaving):
		return gateHeld
	default:
		return gateAhead
	}
}

// show shows a rollout with all of its plan, at a time, and what who can decide of it.
func show(r Rollout, who flow.Actor, at time.Time) rolloutView {
	v := rolloutView{
		RolloutSummary: summary(r, at), Goals: []goalView{}, Team: list(r.Plan.Team), Phases: []phaseView{}, Risks: []riskView{},
		Entitlements: list(r.Entitlements()), Next: r.Next(who),
	}
	if p := r.Pause; p != nil {
		view := pauseView(*p)
		v.Pause = &view
	}
	for _, g := range r.Plan.Goals {
		v.Goals = append(v.Goals, r.showGoal(g))
	}
	for _, p := range r.Phases {
		v.Phases = append(v.Phases, r.showPhase(p, at))
	}
	for i, k := range r.Risks {
		planned := r.Plan.Risks[i]
		view := riskView{Risk: planned, State: k.State, Exposure: planned.Exposure(), Since: pg.OrNull(k.Since), By: k.By, LookedAt: pg.OrNull(k.LookedAt)}
		if !k.LookedAt.IsZero() {
			view.Measured = &k.Measured
		}
		v.Risks = append(v.Risks, view)
	}
	return v
}

func (r Rollout) showGoal(g plan.Goal) goalView {
	v := goalView{Goal: g}
	if i := slices.IndexFunc(r.Goals, func(m Measured) bool { return m.Goal == g.Code && m.Known }); i >= 0 {
		v.Measured, v.Reached = &r.Goals[i].Value, &r.Goals[i].Reached
	}
	return v
}

func (r Rollout) showPhase(p Phase, at time.Time) phaseView {
	planned, _ := r.Plan.Phase(p.Code)
	v := phaseView{
		Code: p.Code, Name: planned.Name, Kind: planned.Kind, State: p.State, Round: p.Round, Since: pg.OrNull(p.Since), EnteredAt: pg.OrNull(p.EnteredAt),
		LiveAt: pg.OrNull(p.LiveAt), Reason: p.Reason, After: list(planned.After), WaitsFor: []string{}, Units: list(planned.Units),
		Capabilities: list(planned.Capabilities), Tasks: []taskView{}, Gates: []gateView{},
	}
	for _, code := range planned.After {
		if !r.over([]string{code}) && !p.State.Over() {
			v.WaitsFor = append(v.WaitsFor, code)
		}
	}
	for i, t := range p.Tasks {
		asks := planned.Tasks[i]
		v.Tasks = append(v.Tasks, taskView{
			Code: t.Code, Title: asks.Title, Owner: asks.Owner, Role: asks.Role, DueAt: pg.OrNull(t.DueAt), Late: t.late(at) && (p.inHand() || !t.DoneAt.IsZero()),
			DoneAt: pg.OrNull(t.DoneAt), DoneBy: t.DoneBy, Reminders: t.Reminders, Escalated: t.Escalated,
		})
	}
	asked := planned.Gates()
	for i, g := range p.Gates {
		v.Gates = append(v.Gates, r.showGate(p, g, asked[i]))
	}
	return v
}

func (r Rollout) showGate(p Phase, g Gate, asks gate.Gate) gateView {
	v := gateView{
		Gate: asks, Side: g.Side, Stands: r.stands(p, g), Agreed: []string{}, RefusedBy: []string{}, LookedAt: pg.OrNull(g.LookedAt),
		PassedAt: pg.OrNull(g.PassedAt), PassedBy: g.PassedBy, How: g.How, SkippedAs: g.SkippedAs,
	}
	if !g.LookedAt.IsZero() {
		v.Measured, v.Limit, v.Sample = &g.Measured, &g.Limit, &g.Sample
	}
	if !asks.Measured() {
		v.Needs = asks.Needs()
	}
	for i, vote := range g.Votes {
		switch {
		case slices.ContainsFunc(g.Votes[i+1:], func(later gate.Vote) bool { return later.By == vote.By }):
		case vote.Agrees:
			v.Agreed = append(v.Agreed, vote.By)
		default:
			v.RefusedBy = append(v.RefusedBy, vote.By)
		}
	}
	if v.Stands == gateHeld {
		switch v.Reason = string(g.Reason); {
		case v.Reason != "":
		case asks.Measured():
			v.Reason = "not_looked_at"
		default:
			v.Reason = string(gate.WaitingForPeople)
		}
	}
	return v
}

// list is a list that is there, also where it is empty.
func list[T any](all []T) []T {
	if all == nil {
		return []T{}
	}
	return all
}
