package process

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/rollout"
)

// The names by which the process is started, decided on and asked. That its row was changed by something else it is told by
// [flow.Client.Poke].
const (
	WorkflowName = "rollout"
	DecideUpdate = "decide" // takes a rollout.Decision, answers with a rollout.Decided
	BoardQuery   = "board"  // answers with a Board
)

const (
	usualInterval = 15 * time.Minute
	goalRounds    = 3  // how often goals that are not known are measured before the rollout ends without them
	remembered    = 50 // decisions of which the next run still knows that they were made
)

// Input names a rollout to its process; the tenant is in the signed header.
type Input struct {
	ID uuid.UUID `json:"id"`
	// EverySeconds is how long after a round of measuring the next one begins; 0: 15 minutes.
	EverySeconds int `json:"every_seconds,omitempty"`
	// Decided are the latest decisions of the runs before, which a new process has none of.
	Decided []uuid.UUID `json:"decided,omitempty"`
}

func (in Input) every() time.Duration {
	if in.EverySeconds > 0 {
		return time.Duration(in.EverySeconds) * time.Second
	}
	return usualInterval
}

// WorkflowID is the business key of the process of a rollout.
func WorkflowID(tenant string, id uuid.UUID) string {
	return "rollout/" + tenant + "/" + id.String()
}

// StartOf describes the process of a rollout on the queue of the service. Rows decide what is left to do, so it may be started again.
func StartOf(service, tenant string, id uuid.UUID) flow.Start {
	return flow.Start{
		ID: WorkflowID(tenant, id), Queue: service, Workflow: WorkflowName, Args: []any{Input{ID: id}},
		Search: flow.Search{Stage: string(rollout.Running)}, Again: true,
	}
}

// Board is the answer to the query "board": where a rollout stands, and what the process is about to do.
type Board struct {
	rollout.Standing
	Due        []rollout.Move `json:"due"`
	MeasuresAt time.Time      `json:"measures_at,omitzero"` // when the next round of measuring begins, if nobody decides before
	Failed     []Failure      `json:"failed"`               // what could not be measured in the last round
}

// Failure is what could not be measured, since services do not understand each other or answer too late: a gate, a risk or the goals.
type Failure struct {
	Phase string `json:"phase,omitempty"`
	Gate  string `json:"gate,omitempty"`
	Risk  string `json:"risk,omitempty"`
	Code  string `json:"code"`
}

// Lead leads a rollout: it does what is due, has gates, risks and in the end goals measured, and takes decisions, until the
// rollout is over. All that it knows is in the rollout's row, so it can be killed anywhere, and started anew where it was ended
// by hand. A rollout is ended by its rules and by people only: cancelling its process leaves it as it is.
func Lead(ctx workflow.Context, in Input) error {
	p := begun(in)
	if err := p.listen(ctx); err != nil {
		return err
	}
	return p.decisions.Steps(ctx, WorkflowName, &p.in, p.step)
}

// leading is one run of the process.
type leading struct {
	in         Input
	s          rollout.Standing // as last heard; Version 0 until it was loaded
	decisions  flow.Decisions[rollout.Decision, decided]
	pokes      *flow.Poked
	stale      bool      // the row is to be looked at
	again      bool      // something happened after which numbers are measured at once
	measureAt  time.Time // when they are anyway
	measuring  bool      // so that the row may be changing
	rounds     int       // in which the goals were measured
	vain       int64     // the version at which a move was due that the row did not make
	remindFrom time.Time // not before
	failed     []Failure
	shown      flow.Search
}

func begun(in Input) *leading {
	p := &leading{in: in, stale: true, again: true}
	p.decisions = flow.Decisions[rollout.Decision, decided]{
		Update: DecideUpdate, Activity: decideActivity, About: "the rollout", Attempt: attempt,
		Heard: func(ctx workflow.Context, answer decided) error {
			p.again = true
			p.in.Decided = append(p.in.Decided, answer.ID)
			p.in.Decided = p.in.Decided[max(0, len(p.in.Decided)-remembered):]
			return p.heard(ctx, answer.Standing)
		},
	}
	return p
}

// listen answers queries, decisions and pokes from the first moment on.
func (p *leading) listen(ctx workflow.Context) error {
	if err := workflow.SetQueryHandler(ctx, BoardQuery, func() (Board, error) {
		return Board{Standing: p.s, Due: p.s.Due(), MeasuresAt: p.measureAt, Failed: p.failed}, nil
	}); err != nil {
		return err
	}
	p.pokes = flow.ListenForPokes(ctx)
	p.decisions.Validate = func(d rollout.Decision, old bool) error { return p.validate(d, old, workflow.Now(ctx)) }
	return p.decisions.Listen(ctx)
}

// validate refuses what cannot be decided, as far as the process knows.
func (p *leading) validate(d rollout.Decision, old bool, now time.Time) error {
	if d.RolloutID != p.in.ID {
		return problem.New(problem.NotFound, "rollout_not_found", "There is no such rollout.")
	}
	if p.s.Version == 0 || old || p.measuring || p.stale || slices.Contains(p.in.Decided, d.ID) { // the row will say
		return nil
	}
	return fits(p.s, d, now)
}

// heard takes over where the rollout stands, unless something newer is known, and shows it to operators.
func (p *leading) heard(ctx workflow.Context, s rollout.Standing) error {
	if s.Version < p.s.Version {
		return nil
	}
	p.s = s
	p.describe(ctx)
	if now := search(s); now.Stage != p.shown.Stage || !now.DueAt.Equal(p.shown.DueAt) {
		p.shown = now
		return flow.SetSearch(ctx, now)
	}
	return nil
}

// step does what is due, or measures, or waits until either has to be. over says that nothing is left.
func (p *leading) step(ctx workflow.Context) (over bool, err error) {
	if p.stale {
		p.stale = false
		if err := p.ask(ctx, standActivity, aim{ID: p.in.ID}); err != nil {
			return false, err
		}
	}
	if p.s.State.Over() {
		return true, nil
	}
	if move, ok := p.next(); ok {
		return false, p.move(ctx, move)
	}
	late := p.lateAt(ctx)
	if !late.IsZero() && !workflow.Now(ctx).Before(late) {
		return false, p.remind(ctx)
	}
	if p.again || !workflow.Now(ctx).Before(p.measureAt) {
		return false, p.measure(ctx)
	}
	until := p.measureAt
	if !late.IsZero() && late.Before(until) {
		until = late
	}
	version := p.s.Version
	poked, err := p.pokes.WaitOr(ctx, until.Sub(workflow.Now(ctx)), func() bool { return p.again || p.s.Version != version })
	p.again = p.again || poked
	p.stale = poked || p.s.Version == version // a poke may have been lost, so what was not heard of is looked for
	return false, err
}

// lateAt is when the next reminder of a task that is late is due; zero: of none.
func (p *leading) lateAt(ctx workflow.Context) time.Time {
	at := p.s.RemindAt()
	if at.IsZero() || workflow.GetVersion(ctx, lateIsSaid, workflow.DefaultVersion, 1) == workflow.DefaultVersion {
		return time.Time{}
	}
	if at.Before(p.remindFrom) {
		return p.remindFrom
	}
	return at
}

// remind has those told whose tasks are late. Where the row's clock says that nobody is yet, it is tried again a little later.
func (p *leading) remind(ctx workflow.Context) error {
	p.remindFrom = workflow.Now(ctx).Add(time.Minute)
	return p.ask(ctx, remindActivity, aim{ID: p.in.ID})
}

// next is the first move that is due and needs no number.
func (p *leading) next() (rollout.Move, bool) {
	if p.vain == p.s.Version {
		return rollout.Move{}, false
	}
	for _, m := range p.s.Due() {
		if m.Kind == rollout.MoveEnter || m.Kind == rollout.MoveLive {
			return m, true
		}
	}
	return rollout.Move{}, false
}

// move makes a phase go on. Other numbers are of interest then.
func (p *leading) move(ctx workflow.Context, m rollout.Move) error {
	activity, before := enterActivity, p.s.Version
	if m.Kind == rollout.MoveLive {
		activity = goLiveActivity
	}
	if err := p.ask(ctx, activity, aim{ID: p.in.ID, Move: m}); err != nil {
		return err
	}
	p.again = true
	if p.s.Version == before {
		p.vain = before
	}
	return nil
}

// measure is one round: it measures what gates and risks ask for, one after the other, and where all phases are over, the goals. What
// fails is left to the next round.
func (p *leading) measure(ctx workflow.Context) error {
	p.again, p.failed, p.measureAt, p.measuring = false, nil, workflow.Now(ctx).Add(p.in.every()), true
	defer func() { p.measuring = false }()
	for _, m := range p.s.Due() {
		if m.Kind == rollout.MoveMeasure {
			if err := p.number(ctx, measureActivity, aim{ID: p.in.ID, Move: m}); err != nil {
				return err
			}
		}
	}
	for _, k := range p.s.Risks {
		watched := k.Trigger != nil && (k.State == rollout.RiskOpen || k.State == rollout.RiskMitigated)
		if watched && (p.s.State == rollout.Running || p.s.State == rollout.Paused) {
			if err := p.number(ctx, watchActivity, aim{ID: p.in.ID, Risk: k.Code}); err != nil {
				return err
			}
		}
	}
	finish := slices.ContainsFunc(p.s.Due(), func(m rollout.Move) bool { return m.Kind == rollout.MoveFinish })
	if !finish {
		p.rounds = 0
		p.describe(ctx)
		return nil
	}
	return p.finish(ctx)
}

// number has something measured and the rollout changed by it.
func (p *leading) number(ctx workflow.Context, activity string, in aim) error {
	var now rollout.Standing
	switch err := workflow.ExecuteActivity(impatiently(ctx), activity, in).Get(ctx, &now); {
	case temporal.IsCanceledError(err):
		return err
	case err != nil:
		p.failed = append(p.failed, Failure{Phase: in.Move.Phase, Gate: in.Move.Gate, Risk: in.Risk, Code: codeOf(err)})
		return nil
	default:
		return p.heard(ctx, now)
	}
}

// finish measures the goals and ends the rollout, once all of them are known or it has been tried often enough.
func (p *leading) finish(ctx workflow.Context) error {
	var goals []rollout.Measured
	err := workflow.ExecuteActivity(impatiently(ctx), goalsActivity, aim{ID: p.in.ID}).Get(ctx, &goals)
	if temporal.IsCanceledError(err) {
		return err
	}
	if err != nil {
		p.failed = append(p.failed, Failure{Code: codeOf(err)})
	}
	p.rounds++
	known := err == nil && !slices.ContainsFunc(goals, func(g rollout.Measured) bool { return !g.Known })
	if !known && p.rounds < goalRounds {
		p.describe(ctx)
		return nil
	}
	return p.ask(ctx, endActivity, endInput{ID: p.in.ID, Goals: goals})
}

// impatiently is for what is measured: what fails is measured anew in the next round.
func impatiently(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: measuring, ScheduleToCloseTimeout: 2 * measuring,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 10 * time.Second, MaximumAttempts: 3},
	})
}

func codeOf(err error) string {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return app.Type()
	}
	return "timeout"
}

// ask has an activity of ours change or read the rollout.
func (p *leading) ask(ctx workflow.Context, activity string, in any) error {
	var now rollout.Standing
	if err := p.decisions.Ask(ctx, activity, &now, in); err != nil {
		return err
	}
	return p.heard(ctx, now)
}

// search is what operators find and sort rollouts by: its state and the phases that are in hand, and when the next task is due.
func search(s rollout.Standing) flow.Search {
	const most = 200 // characters, of the 255 that Temporal takes
	found := flow.Search{Stage: string(s.State)}
	sep := "/"
	for _, p := range s.Phases {
		if !inHand(p) {
			continue
		}
		if len(found.Stage)+len(sep)+len(p.Code) <= most {
			found.Stage += sep + p.Code
			sep = ","
		}
		for _, t := range p.Tasks {
			if t.DoneAt.IsZero() && !t.DueAt.IsZero() && (found.DueAt.IsZero() || t.DueAt.Before(found.DueAt)) {
				found.DueAt = t.DueAt
			}
		}
	}
	return found
}

func inHand(p rollout.StandingPhase) bool {
	return p.State == rollout.Entering || p.State == rollout.Working || p.State == rollout.Leaving
}

// describe has Temporal's page show where the rollout stands.
func (p *leading) describe(ctx workflow.Context) {
	parts := []string{fmt.Sprintf("**%s**, plan %d", p.s.State, p.s.PlanVersion)}
	for _, one := range p.s.Phases {
		if !inHand(one) {
			continue
		}
		text := fmt.Sprintf("%s %s", one.Code, one.State)
		for _, g := range one.Gates {
			if g.PassedAt.IsZero() && g.Reason != "" {
				text += fmt.Sprintf(", gate %s holds: %s", g.Code, g.Reason)
			}
		}
		parts = append(parts, text)
	}
	for _, k := range p.s.Risks {
		if k.State == rollout.RiskTriggered {
			parts = append(parts, "risk "+k.Code+" has come about")
		}
	}
	for _, f := range p.failed {
		parts = append(parts, fmt.Sprintf("not measured: %s (%s)", strings.Trim(f.Phase+" "+f.Gate+f.Risk, " "), f.Code))
	}
	if !p.measureAt.IsZero() && !p.s.State.Over() {
		parts = append(parts, "measures at "+p.measureAt.UTC().Format(time.RFC3339))
	}
	workflow.SetCurrentDetails(ctx, strings.Join(parts, "; "))
}
