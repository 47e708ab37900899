package rollout

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/gate"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/plan"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/unit"
)

// aggregate is whose stream the events stand on.
const aggregate = "rollout"

// Rollouts is what can be done with rollouts.
type Rollouts struct {
	db     *pg.DB
	outbox *outbox.Outbox
	clock  func() time.Time
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, clock func() time.Time) *Rollouts {
	return &Rollouts{db: db, outbox: o, clock: clock}
}

// now is cut to what the database keeps, so that an answer reads the same at once and later.
func (r *Rollouts) now() time.Time { return r.clock().UTC().Truncate(time.Microsecond) }

// Outline is a rollout that is to be made.
type Outline struct {
	Name     string // 1 to 200 characters
	Template string // code of the one that the plan was made from; empty where there was none
	Plan     plan.Plan
}

// Make makes a draft. Unprocessable rollout_invalid names what is wrong with its plan.
func (r *Rollouts) Make(ctx context.Context, o Outline) (made Rollout, err error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Rollout{}, err
	}
	at, by := r.now(), flow.ActorOf(ctx).Subject
	result, err := r.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		if err := check(ctx, tx, o.Plan, o.Name); err != nil {
			return pg.Result{}, err
		}
		made = Rollout{ID: id, Name: strings.TrimSpace(o.Name), Version: 1, State: Draft, Template: o.Template, PlanVersion: 1, Plan: o.Plan, CreatedBy: by, CreatedAt: at}
		for _, p := range o.Plan.Phases {
			made.Phases = append(made.Phases, ahead(p))
		}
		for _, k := range o.Plan.Risks {
			made.Risks = append(made.Risks, Risk{Code: k.Code, State: RiskOpen})
		}
		made.step(Create, by, at, StepDetail{Version: 1})
		insert(tx, made)
		return pg.Result{ID: id, Status: http.StatusCreated}, nil
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return r.Get(ctx, result.ID)
	}
	return made, err
}

// check names what is wrong with a plan, by the units that there are.
func check(ctx context.Context, tx *pg.Tx, p plan.Plan, name string) error {
	known, err := unit.Known(ctx, tx, p.NamedUnits())
	if err != nil {
		return err
	}
	faults := p.Faults(known)
	for i := range faults {
		faults[i].Location = "plan." + faults[i].Location
	}
	if n := len([]rune(strings.TrimSpace(name))); n < 1 || n > 200 {
		faults = append(faults, problem.Field{Location: "name", Code: "name_length", Message: "must be 1 to 200 characters"})
	}
	if len(faults) > 0 {
		return problem.InvalidBody("rollout_invalid", "The rollout was not accepted: mend the fields named here.", faults)
	}
	return nil
}

// change locks a rollout, applies the rule, and saves and tells what the rule changed, if anything.
func (r *Rollouts) change(ctx context.Context, id uuid.UUID, rule func(tx *pg.Tx, was Rollout, at time.Time) (Rollout, error)) (is Rollout, err error) {
	result, err := r.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		was, err := load(ctx, tx, id, true)
		if err != nil {
			return pg.Result{}, err
		}
		at := r.now()
		done := pg.Result{ID: id, Status: http.StatusOK}
		if is, err = rule(tx, was, at); err != nil || is.Version == was.Version {
			return done, err
		}
		save(tx, is)
		events := make([]outbox.Event, len(is.Told))
		for i, m := range is.Told {
			events[i] = outbox.Event{Aggregate: aggregate, ID: id, Time: at, Message: m}
		}
		return done, r.outbox.Append(ctx, tx, events...)
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return r.Get(ctx, id)
	}
	return is, err
}

// Plan puts another plan in the place of the present one, as [Rollout.Replan] says: fresh is asked with the rollout's version.
func (r *Rollouts) Plan(ctx context.Context, id uuid.UUID, to plan.Plan, fresh func(version int64) error) (Rollout, error) {
	by := flow.ActorOf(ctx).Subject
	return r.change(ctx, id, func(tx *pg.Tx, was Rollout, at time.Time) (Rollout, error) {
		if err := fresh(was.Version); err != nil {
			return was, err
		}
		if err := check(ctx, tx, to, was.Name); err != nil {
			return was, err
		}
		is, err := was.Replan(to, by, at)
		if err != nil {
			return was, err
		}
		if is.State.governs() {
			if err := alone(ctx, tx, is); err != nil {
				return was, err
			}
		}
		insertPlan(tx, is, by, at)
		return is, nil
	})
}

// Start begins a draft. Conflict already_governed says which other rollout governs one of its capabilities for one of its units.
func (r *Rollouts) Start(ctx context.Context, id uuid.UUID) (Rollout, error) {
	by := flow.ActorOf(ctx).Subject
	return r.change(ctx, id, func(tx *pg.Tx, was Rollout, at time.Time) (Rollout, error) {
		if err := check(ctx, tx, was.Plan, was.Name); err != nil { // units may have been archived since
			return was, err
		}
		if err := alone(ctx, tx, was); err != nil {
			return was, err
		}
		return was.Begin(by, at)
	})
}

// alone refuses a rollout that would govern a capability for a unit for which another one does.
func alone(ctx context.Context, tx *pg.Tx, r Rollout) error {
	others, err := governing(ctx, tx, r.ID)
	if err != nil {
		return err
	}
	for _, other := range others {
		for _, mine := range r.Plan.Phases {
			for _, theirs := range other.Plan.Phases {
				for _, capability := range mine.Capabilities {
					if at := slices.IndexFunc(mine.Units, func(one string) bool {
						return slices.ContainsFunc(theirs.Units, func(two string) bool { return unit.Overlap(one, two) })
					}); at >= 0 && slices.Contains(theirs.Capabilities, capability) {
						return problem.New(problem.Conflict, "already_governed", "The rollout %s governs %s for %s already.", other.ID, capability, mine.Units[at])
					}
				}
			}
		}
	}
	return nil
}

// move carries out what a process does by itself, once: what no longer fits changes nothing.
func (r *Rollouts) move(ctx context.Context, id uuid.UUID, rule func(was Rollout, at time.Time) (Rollout, bool)) (Standing, error) {
	is, err := r.change(ctx, id, func(_ *pg.Tx, was Rollout, at time.Time) (Rollout, error) {
		is, _ := rule(was, at)
		return is, nil
	})
	return is.Standing(), err
}

// Enter is [Rollout.Enter], kept.
func (r *Rollouts) Enter(ctx context.Context, id uuid.UUID, phase string, round int) (Standing, error) {
	return r.move(ctx, id, func(was Rollout, at time.Time) (Rollout, bool) { return was.Enter(phase, round, at) })
}

// GoLive is [Rollout.GoLive], kept.
func (r *Rollouts) GoLive(ctx context.Context, id uuid.UUID, phase string, round int) (Standing, error) {
	return r.move(ctx, id, func(was Rollout, at time.Time) (Rollout, bool) { return was.GoLive(phase, round, at) })
}

// Measure is [Rollout.Measure], kept.
func (r *Rollouts) Measure(ctx context.Context, id uuid.UUID, phase string, round int, code string, m gate.Measurement) (Standing, error) {
	return r.move(ctx, id, func(was Rollout, at time.Time) (Rollout, bool) { return was.Measure(phase, round, code, m, at) })
}

// Watch is [Rollout.Watch], kept.
func (r *Rollouts) Watch(ctx context.Context, id uuid.UUID, risk string, m gate.Measurement) (Standing, error) {
	return r.move(ctx, id, func(was Rollout, at time.Time) (Rollout, bool) { return was.Watch(risk, m, at) })
}

// End is [Rollout.End], kept.
func (r *Rollouts) End(ctx context.Context, id uuid.UUID, goals []Measured) (Standing, error) {
	return r.move(ctx, id, func(was Rollout, at time.Time) (Rollout, bool) { return was.End(goals, at) })
}

// Decide is [Rollout.Decide], kept: once, however often the decision is sent. One with the id of another is the Unprocessable of
// [flow.Same].
func (r *Rollouts) Decide(ctx context.Context, d Decision) (Decided, error) {
	is, err := r.change(ctx, d.RolloutID, func(tx *pg.Tx, was Rollout, at time.Time) (Rollout, error) {
		before, err := decided(ctx, tx, d.RolloutID, d.ID)
		if err != nil {
			return was, err
		}
		if before != nil {
			return was, flow.Same(before, d.Hash)
		}
		is, err := was.Decide(d, at)
		if err != nil {
			return was, err
		}
		is.Steps[0].DecisionID, is.Steps[0].Hash, is.Steps[0].NoteID = d.ID, d.Hash, d.NoteID
		return is, nil
	})
	return Decided{Standing: is.Standing(), Attempt: d.Attempt}, err
}
