package rollout

import (
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// reportView is what a rollout came to, or has come to so far.
type reportView struct {
	RolloutSummary
	GoalsReached int              `json:"goals_reached" doc:"Of those that were measured."`
	GoalsUnknown int              `json:"goals_unknown" doc:"Goals that could not be measured, or are not yet."`
	Days         float64          `json:"days" doc:"From its start to its end, or until now; 0 of a draft."`
	Goals        []goalView       `json:"goals" nullable:"false" doc:"Goal by goal: baseline, target, and what was measured at the end."`
	Phases       []phaseReport    `json:"phases" nullable:"false" doc:"In the order of the plan."`
	LateTasks    []lateTask       `json:"late_tasks" nullable:"false" doc:"Tasks that were done after their time, or are not done though it has passed."`
	Gates        []gateReport     `json:"gates" nullable:"false" doc:"Gates that have passed, and how."`
	Risks        []riskView       `json:"risks" nullable:"false" doc:"By exposure, the greatest first."`
	Came         []riskCameAbout  `json:"risks_came_about" nullable:"false" doc:"Each time that a risk came about, in that order."`
	Pauses       []pauseReport    `json:"pauses" nullable:"false" doc:"In the order in which they began."`
	RollBacks    []rollBackReport `json:"roll_backs" nullable:"false" doc:"In the order in which they happened."`
}

type phaseReport struct {
	Code      string     `json:"code"`
	Name      string     `json:"name"`
	State     PhaseState `json:"state" enum:"waiting,entering,working,leaving,live,done,rolled_back,skipped"`
	Round     int        `json:"round" doc:"How often it was gone through."`
	EnteredAt *time.Time `json:"entered_at,omitempty" doc:"Of the last round."`
	LiveAt    *time.Time `json:"live_at,omitempty" doc:"Of the last round."`
	Days      *float64   `json:"days,omitempty" doc:"From entered_at to live_at, or until now."`
	Reason    string     `json:"reason,omitempty" doc:"Code of why it was rolled back or skipped."`
	Tasks     int        `json:"task_count"`
	Done      int        `json:"tasks_done"`
	Late      int        `json:"tasks_late"`
}

type lateTask struct {
	Phase    string     `json:"phase"`
	Task     string     `json:"task"`
	Title    string     `json:"title"`
	DueAt    time.Time  `json:"due_at"`
	DoneAt   *time.Time `json:"done_at,omitempty"`
	DaysLate float64    `json:"days_late" doc:"Until it was done, or until now."`
}

type gateReport struct {
	Phase    string    `json:"phase"`
	Gate     string    `json:"gate"`
	Side     Side      `json:"side" enum:"enter,leave"`
	How      string    `json:"how" enum:"person,metric,skipped"`
	By       string    `json:"by,omitempty" doc:"Subject of whoever decided last."`
	Reason   string    `json:"reason,omitempty" doc:"Code of why it was passed by."`
	Measured *float64  `json:"measured,omitempty"`
	Limit    *float64  `json:"limit,omitempty"`
	At       time.Time `json:"at"`
}

type riskCameAbout struct {
	Risk     string    `json:"risk"`
	By       string    `json:"by,omitempty" doc:"Subject; absent where a number did."`
	Measured *float64  `json:"measured,omitempty"`
	At       time.Time `json:"at"`
}

type pauseReport struct {
	Reason  string     `json:"reason"`
	Risk    string     `json:"risk,omitempty"`
	By      string     `json:"by,omitempty" doc:"Subject; absent where a risk did it."`
	From    time.Time  `json:"from"`
	Resumed *time.Time `json:"resumed_at,omitempty"`
}

type rollBackReport struct {
	Phase  string    `json:"phase"`
	Round  int       `json:"round"`
	Reason string    `json:"reason"`
	By     string    `json:"by" doc:"Subject."`
	At     time.Time `json:"at"`
}

func days(from, to time.Time) float64 { return to.Sub(from).Hours() / 24 }

// report is made of where a rollout stands and of its steps, the first one first.
func report(r Rollout, steps []Said, now time.Time) reportView {
	full := show(r, flow.Actor{}, now)
	v := reportView{
		RolloutSummary: full.RolloutSummary, Goals: full.Goals, Risks: full.Risks, Phases: []phaseReport{}, LateTasks: []lateTask{}, Gates: []gateReport{},
		Came: []riskCameAbout{}, Pauses: []pauseReport{}, RollBacks: []rollBackReport{},
	}
	end := now
	if !r.EndedAt.IsZero() {
		end = r.EndedAt
	}
	if !r.StartedAt.IsZero() {
		v.Days = days(r.StartedAt, end)
	}
	for _, g := range full.Goals {
		switch {
		case g.Reached == nil:
			v.GoalsUnknown++
		case *g.Reached:
			v.GoalsReached++
		}
	}
	for _, p := range full.Phases {
		v.phase(p, end)
	}
	slices.SortStableFunc(v.Risks, func(a, b riskView) int { return b.Exposure - a.Exposure })
	for _, s := range steps {
		v.happened(s)
	}
	return v
}

func (v *reportView) phase(p phaseView, end time.Time) {
	one := phaseReport{Code: p.Code, Name: p.Name, State: p.State, Round: p.Round, EnteredAt: p.EnteredAt, LiveAt: p.LiveAt, Reason: p.Reason, Tasks: len(p.Tasks)}
	if p.EnteredAt != nil {
		until := end
		if p.LiveAt != nil {
			until = *p.LiveAt
		}
		took := days(*p.EnteredAt, until)
		one.Days = &took
	}
	for _, t := range p.Tasks {
		if t.DoneAt != nil {
			one.Done++
		}
		if t.Late {
			one.Late++
			until := end
			if t.DoneAt != nil {
				until = *t.DoneAt
			}
			v.LateTasks = append(v.LateTasks, lateTask{Phase: p.Code, Task: t.Code, Title: t.Title, DueAt: *t.DueAt, DoneAt: t.DoneAt, DaysLate: days(*t.DueAt, until)})
		}
	}
	for _, g := range p.Gates {
		if g.PassedAt != nil {
			v.Gates = append(v.Gates, gateReport{
				Phase: p.Code, Gate: g.Code, Side: g.Side, How: g.How, By: g.PassedBy, Reason: g.SkippedAs, Measured: g.Measured, Limit: g.Limit, At: *g.PassedAt,
			})
		}
	}
	v.Phases = append(v.Phases, one)
}

// happened adds what only the steps know.
func (v *reportView) happened(s Said) {
	switch d := s.Detail; s.Action {
	case TriggerRisk:
		v.Came = append(v.Came, riskCameAbout{Risk: d.Risk, By: s.By, Measured: d.Measured, At: s.At})
	case PauseIt:
		v.Pauses = append(v.Pauses, pauseReport{Reason: d.Reason, Risk: d.Risk, By: s.By, From: s.At})
	case Resume:
		if n := len(v.Pauses); n > 0 {
			v.Pauses[n-1].Resumed = pg.OrNull(s.At)
		}
	case RollBack:
		v.RollBacks = append(v.RollBacks, rollBackReport{Phase: d.Phase, Round: d.Round, Reason: d.Reason, By: s.By, At: s.At})
	}
}

// capabilityView is a capability, and to whom it is open.
type capabilityView struct {
	Capability auth.Capability `json:"capability"`
	Governed   bool            `json:"governed" doc:"A rollout that goes on decides on it, unit by unit. What none governs is open to everybody."`
	Rollouts   []uuid.UUID     `json:"rollouts" nullable:"false" doc:"Those that govern it."`
	Units      []openUnit      `json:"units" nullable:"false" doc:"Of one that is governed: for whom it is open, and why. It is withheld from all others."`
	Coming     []openUnit      `json:"coming" nullable:"false" doc:"For whom phases that are not live will switch it on."`
}

type openUnit struct {
	Unit      string     `json:"unit" doc:"Code; it takes in the units below it."`
	RolloutID uuid.UUID  `json:"rollout_id" format:"uuid"`
	Phase     string     `json:"phase" doc:"Code of the phase that switches it on."`
	State     PhaseState `json:"state" enum:"waiting,entering,working,leaving,live,done,rolled_back,skipped" doc:"Of the phase."`
	Since     *time.Time `json:"since,omitempty" doc:"When it was live."`
}

// open tells of every capability whether the rollouts that go on govern it, and for whom it is open by them.
func open(going []Rollout) []capabilityView {
	all := make([]capabilityView, 0, len(auth.Capabilities()))
	for _, c := range auth.Capabilities() {
		v := capabilityView{Capability: c, Rollouts: []uuid.UUID{}, Units: []openUnit{}, Coming: []openUnit{}}
		for _, r := range going {
			if !slices.Contains(r.Plan.Capabilities(), string(c)) {
				continue
			}
			v.Governed, v.Rollouts = true, append(v.Rollouts, r.ID)
			for _, p := range r.Phases {
				planned, _ := r.Plan.Phase(p.Code)
				if !slices.Contains(planned.Capabilities, string(c)) {
					continue
				}
				for _, code := range planned.Units {
					switch one := (openUnit{Unit: code, RolloutID: r.ID, Phase: p.Code, State: p.State}); p.State {
					case Live:
						one.Since = pg.OrNull(p.LiveAt)
						v.Units = append(v.Units, one)
					case Skipped:
					default:
						v.Coming = append(v.Coming, one)
					}
				}
			}
		}
		all = append(all, v)
	}
	return all
}
