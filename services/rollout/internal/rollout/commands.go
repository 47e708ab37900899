package rollout

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

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
	process
}

// New makes the capability. Nothing leads its rollouts yet, see [Rollouts.Led].
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
	Managed
}

// Make makes a draft. Unprocessable rollout_invalid names what is wrong with its plan; Conflict external_id_taken names the rollout
// that has the external id.
func (r *Rollouts) Make(ctx context.Context, o Outline) (made Rollout, err error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Rollout{}, err
	}
	at, by := r.now(), flow.ActorOf(ctx).Subject
	result, err := r.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		if err := check(ctx, tx, o.Plan, append(o.Managed.faults(), named(o.Name)...)...); err != nil {
			return pg.Result{}, err
		}
		made = Rollout{ID: id, Name: strings.TrimSpace(o.Name), Version: 1, State: Draft, Template: o.Template, PlanVersion: 1, Plan: o.Plan, Managed: o.Managed, CreatedBy: by, CreatedAt: at}
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
	if name, _ := pg.Constraint(err); name == externalIndex {
		return made, r.taken(ctx, o.ExternalID, err)
	}
	return made, err
}

// externalIndex keeps external ids apart.
const externalIndex = "rollout_external"

// taken says which rollout has an external id.
func (r *Rollouts) taken(ctx context.Context, externalID string, cause error) error {
	found, err := r.List(ctx, Filter{ExternalID: externalID}, 1)
	if err != nil || len(found) == 0 {
		return cause
	}
	return problem.New(problem.Conflict, "external_id_taken", "The rollout %s has this external id.", found[0].ID).
		WithField("body.external_id", "external_id_taken", found[0].ID.String())
}

// faults names what is not right with who keeps a rollout.
func (m Managed) faults() (faults []problem.Field) {
	if m.ManagedBy != "" && !plan.Coded(m.ManagedBy) {
		faults = append(faults, problem.Field{Location: "managed_by", Code: "managed_by_malformed", Message: "must be a code of 1 to 64 lower-case letters, digits, - and _"})
	}
	if n := len([]rune(m.ExternalID)); n > 200 || strings.ContainsFunc(m.ExternalID, func(c rune) bool { return !unicode.IsPrint(c) }) {
		faults = append(faults, problem.Field{Location: "external_id", Code: "external_id_malformed", Message: "must be at most 200 printable characters"})
	}
	return faults
}

// named names what is wrong with the name of a rollout.
func named(name string) []problem.Field {
	if n := len([]rune(strings.TrimSpace(name))); n < 1 || n > 200 {
		return []problem.Field{{Location: "name", Code: "name_length", Message: "must be 1 to 200 characters"}}
	}
	return nil
}

// check names what is wrong with a plan, by the units that there are, and whatever else is.
func check(ctx context.Context, tx *pg.Tx, p plan.Plan, others ...problem.Field) error {
	known, err := unit.Known(ctx, tx, p.NamedUnits())
	if err != nil {
		return err
	}
	faults := p.Faults(known)
	for i := range faults {
		faults[i].Location = "plan." + faults[i].Location
	}
	if faults = append(faults, others...); len(faults) > 0 {
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

// Plan puts another plan in the place of the present one, as [Rollout.Replan] says: fresh is asked with the plan's version. manager
// is in whose name it is done, empty: people's. Conflict managed_elsewhere says that somebody else keeps the rollout; who manages
// takes one of people over.
func (r *Rollouts) Plan(ctx context.Context, id uuid.UUID, to plan.Plan, manager string, fresh func(version int64) error) (Rollout, error) {
	by := flow.ActorOf(ctx).Subject
	is, err := r.change(ctx, id, func(tx *pg.Tx, was Rollout, at time.Time) (Rollout, error) {
		if err := was.yields(manager); err != nil {
			return was, err
		}
		if err := fresh(int64(was.PlanVersion)); err != nil {
			return was, err
		}
		if err := check(ctx, tx, to, Managed{ManagedBy: manager}.faults()...); err != nil {
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
		is.ManagedBy = manager
		insertPlan(tx, is, by, at)
		return is, nil
	})
	r.poke(ctx, id, err)
	return is, err
}

// Release gives a rollout that is managed back to people, as it is. manager is in whose name it is done.
func (r *Rollouts) Release(ctx context.Context, id uuid.UUID, manager string) (Rollout, error) {
	by := flow.ActorOf(ctx).Subject
	return r.change(ctx, id, func(_ *pg.Tx, was Rollout, at time.Time) (Rollout, error) {
		if err := was.yields(manager); err != nil || was.ManagedBy == "" {
			return was, err
		}
		is := was.begun()
		is.ManagedBy = ""
		is.step(Free, by, at, StepDetail{})
		return is, nil
	})
}

// Start begins a draft. Conflict already_governed says which other rollout governs one of its capabilities for one of its units.
func (r *Rollouts) Start(ctx context.Context, id uuid.UUID) (Rollout, error) {
	by := flow.ActorOf(ctx).Subject
	is, err := r.change(ctx, id, func(tx *pg.Tx, was Rollout, at time.Time) (Rollout, error) {
		is, err := was.Begin(by, at)
		if err != nil {
			return was, err
		}
		if err := check(ctx, tx, was.Plan); err != nil { // units may have been archived since
			return was, err
		}
		if err := alone(ctx, tx, was); err != nil {
			return was, err
		}
		return is, r.queue(ctx, tx, id)
	})
	r.poke(ctx, id, err)
	return is, err
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

// Remind is [Rollout.Remind], kept.
func (r *Rollouts) Remind(ctx context.Context, id uuid.UUID) (Standing, error) {
	return r.move(ctx, id, func(was Rollout, at time.Time) (Rollout, bool) { return was.Remind(at) })
}

// End is [Rollout.End], kept.
func (r *Rollouts) End(ctx context.Context, id uuid.UUID, goals []Measured) (Standing, error) {
	return r.move(ctx, id, func(was Rollout, at time.Time) (Rollout, bool) { return was.End(goals, at) })
}

// Decide is [Rollout.Decide], kept: once, however often the decision is sent. One with the id of another is the Unprocessable of
// [flow.Same].
func (r *Rollouts) Decide(ctx context.Context, d Decision) (Decided, error) {
	is, err := r.change(ctx, d.RolloutID, func(tx *pg.Tx, was Rollout, at time.Time) (Rollout, error) {
		of, before, found, err := decided(ctx, tx, d.ID)
		switch {
		case err != nil:
			return was, err
		case found && of != d.RolloutID:
			return was, flow.Same(before, d.ID[:]) // never the same
		case found:
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
