package process

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/gate"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/plan"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/rollout"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/unit"
)

// Process is the activities of the process.
type Process struct {
	rollouts *rollout.Rollouts
	measure  func(context.Context, Question) (gate.Measurement, error)
	db       *pg.DB
}

// New makes the process: measure is [Measurer.Measure], db that of the units.
func New(rollouts *rollout.Rollouts, measure func(context.Context, Question) (gate.Measurement, error), db *pg.DB) *Process {
	return &Process{rollouts: rollouts, measure: measure, db: db}
}

// aim names what an activity is about: a rollout, and of it a phase, a gate, or a risk.
type aim struct {
	ID   uuid.UUID    `json:"id"`
	Move rollout.Move `json:"move,omitzero"`
	Risk string       `json:"risk,omitempty"`
}

// endInput is what the goals of a rollout came to.
type endInput struct {
	ID    uuid.UUID          `json:"id"`
	Goals []rollout.Measured `json:"goals"`
}

// decided is a rollout.Decided that says of which decision.
type decided struct {
	rollout.Decided
	ID uuid.UUID `json:"id"`
}

// Names under which the activities are registered.
const (
	standActivity   = "rollout.stand"
	enterActivity   = "rollout.enter"
	goLiveActivity  = "rollout.live"
	measureActivity = "rollout.measure"
	watchActivity   = "rollout.watch"
	goalsActivity   = "rollout.goals"
	remindActivity  = "rollout.remind"
	endActivity     = "rollout.end"
	decideActivity  = "rollout.decide"
)

// Worker registers the process and its activities.
func (p *Process) Worker(w worker.Registry) {
	w.RegisterWorkflowWithOptions(Lead, workflow.RegisterOptions{Name: WorkflowName})
	for name, do := range map[string]any{
		standActivity: p.stand, enterActivity: p.enter, goLiveActivity: p.goLive, measureActivity: p.measureGate, watchActivity: p.watch,
		goalsActivity: p.goals, remindActivity: p.remind, endActivity: p.end, decideActivity: p.decide,
	} {
		w.RegisterActivityWithOptions(do, activity.RegisterOptions{Name: name})
	}
}

func (p *Process) stand(ctx context.Context, in aim) (rollout.Standing, error) {
	return p.rollouts.Standing(ctx, in.ID)
}

func (p *Process) enter(ctx context.Context, in aim) (rollout.Standing, error) {
	return p.rollouts.Enter(ctx, in.ID, in.Move.Phase, in.Move.Round)
}

func (p *Process) goLive(ctx context.Context, in aim) (rollout.Standing, error) {
	return p.rollouts.GoLive(ctx, in.ID, in.Move.Phase, in.Move.Round)
}

// remind tells of the tasks that are late.
func (p *Process) remind(ctx context.Context, in aim) (rollout.Standing, error) {
	return p.rollouts.Remind(ctx, in.ID)
}

// measureGate has a gate judged by a number.
func (p *Process) measureGate(ctx context.Context, in aim) (rollout.Standing, error) {
	r, err := p.rollouts.Get(ctx, in.ID)
	if err != nil {
		return rollout.Standing{}, err
	}
	phase, _ := r.Plan.Phase(in.Move.Phase)
	gates := phase.Gates()
	i := slices.IndexFunc(gates, func(g gate.Gate) bool { return g.Code == in.Move.Gate && g.Measured() })
	if i < 0 { // the plan was changed
		return r.Standing(), nil
	}
	g := gates[i]
	q := Question{Metric: g.Metric, Units: or(g.Unit, phase.Units), WindowDays: g.WindowDays}
	if g.Compare == gate.Before {
		q.Before = r.StartedAt
	}
	m, err := p.ask(ctx, q)
	if err != nil {
		return rollout.Standing{}, err
	}
	// Measuring takes its time: a number must not open a gate that asks for another one by now.
	if now, err := p.rollouts.Standing(ctx, in.ID); err != nil || now.PlanVersion != r.PlanVersion {
		return now, err
	}
	return p.rollouts.Measure(ctx, in.ID, in.Move.Phase, in.Move.Round, g.Code, m)
}

// watch looks at a risk by a number.
func (p *Process) watch(ctx context.Context, in aim) (rollout.Standing, error) {
	r, err := p.rollouts.Get(ctx, in.ID)
	if err != nil {
		return rollout.Standing{}, err
	}
	i := slices.IndexFunc(r.Plan.Risks, func(k plan.Risk) bool { return k.Code == in.Risk && k.Trigger != nil })
	if i < 0 { // the plan was changed
		return r.Standing(), nil
	}
	t := r.Plan.Risks[i].Trigger
	m, err := p.ask(ctx, Question{Metric: t.Metric, Units: or(t.Unit, r.Plan.Units()), WindowDays: t.WindowDays})
	if err != nil {
		return rollout.Standing{}, err
	}
	if now, err := p.rollouts.Standing(ctx, in.ID); err != nil || now.PlanVersion != r.PlanVersion {
		return now, err
	}
	m.Known = m.Known && m.Sample > 0 // a share of nothing is no bad one
	return p.rollouts.Watch(ctx, in.ID, in.Risk, m)
}

// goals measures what the goals of a rollout came to. One that cannot be measured now is not known.
func (p *Process) goals(ctx context.Context, in aim) ([]rollout.Measured, error) {
	r, err := p.rollouts.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	all := make([]rollout.Measured, len(r.Plan.Goals))
	for i, g := range r.Plan.Goals {
		all[i].Goal = g.Code
		m, err := p.ask(ctx, Question{Metric: g.Metric, Units: or(g.Unit, r.Plan.Units()), WindowDays: g.WindowDays})
		if err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			activity.GetLogger(ctx).Warn("a goal could not be measured", "goal", g.Code, "error", err)
			continue
		}
		metric, _ := gate.MetricOf(g.Metric)
		if m.Known && m.Sample >= max(1, metric.MinSample) {
			all[i].Value, all[i].Known, all[i].Reached = m.Value, true, g.Reached(m.Value)
		}
	}
	return all, nil
}

// ask measures, outside of any transaction.
func (p *Process) ask(ctx context.Context, q Question) (gate.Measurement, error) {
	if metric, _ := gate.MetricOf(q.Metric); metric.PerUnit {
		err := p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
			q.Headcount, err = unit.Headcount(ctx, tx, q.Units)
			return err
		})
		if err != nil {
			return gate.Measurement{}, err
		}
	}
	return p.measure(ctx, q)
}

// or is the one unit, where it is named, and else the others.
func or(code string, others []string) []string {
	if code != "" {
		return []string{code}
	}
	return others
}

// end finishes a rollout; a goal of which nothing was said is not known.
func (p *Process) end(ctx context.Context, in endInput) (rollout.Standing, error) {
	r, err := p.rollouts.Get(ctx, in.ID)
	if err != nil {
		return rollout.Standing{}, err
	}
	goals := make([]rollout.Measured, len(r.Plan.Goals))
	for i, g := range r.Plan.Goals {
		goals[i].Goal = g.Code
		if at := slices.IndexFunc(in.Goals, func(m rollout.Measured) bool { return m.Goal == g.Code }); at >= 0 {
			goals[i] = in.Goals[at]
		}
	}
	return p.rollouts.End(ctx, in.ID, goals)
}

// decide carries a decision out on behalf of the person who made it: whom the header of the Update names, whatever its content says.
func (p *Process) decide(ctx context.Context, d rollout.Decision) (decided, error) {
	d.By = flow.ActorOf(ctx)
	is, err := p.rollouts.Decide(ctx, d)
	return decided{Decided: is, ID: d.ID}, err
}

const (
	attempt   = 30 * time.Second // how long one attempt at an activity may take that only changes a row
	measuring = 3 * time.Minute  // and one that asks other services first, some of them for each unit
)
