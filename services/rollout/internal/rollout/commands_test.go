package rollout_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/migrate"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/gate"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/plan"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/rollout"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/unit"
	"github.com/guanxi-crm/guanxi/services/rollout/migrations"
)

// world is a tenant with the units north and east.
type world struct {
	t    *testing.T
	ops  *pg.DB
	all  *rollout.Rollouts
	ctx  context.Context // of somebody who plans in the tenant pizza
	away context.Context // of somebody of another tenant
}

func open(t *testing.T) *world {
	t.Helper()
	database := pgtest.Database(t, migrate.Source{Service: "rollout", FS: migrations.FS})
	db := database.DB(pg.App)
	as := func(tenant string) context.Context {
		return auth.With(t.Context(), auth.Principal{Subject: "ops", Tenant: tenant, Roles: []string{auth.RoleOperations}})
	}
	w := &world{t: t, ops: database.DB(pg.Ops), all: rollout.New(db, outbox.New("rollout"), func() time.Time { return noon }), ctx: as("pizza"), away: as("music")}
	units := unit.New(db, func() time.Time { return noon })
	for _, ctx := range []context.Context{w.ctx, w.away} {
		for _, code := range []string{"north", "east"} {
			_, _, err := units.Put(ctx, unit.Unit{Code: code, Name: code, Headcount: 10}, func(int64) error { return nil })
			require.NoError(t, err)
		}
	}
	return w
}

// planned is the plan of draft with its words, and something to do in its last phase.
func planned() plan.Plan {
	p := draft().Plan
	p.Goals[0].Name, p.Risks[0].Name = "Everybody works with it", "The data are too poor"
	for i, kind := range []plan.Kind{plan.Pilot, plan.GoLive, plan.Evaluation} {
		p.Phases[i].Name, p.Phases[i].Kind = p.Phases[i].Code, kind
	}
	p.Phases[0].Tasks[0].Title = "Train the north"
	p.Phases[2].Tasks = []plan.Task{{Code: "look-back", Title: "Look back", Role: plan.KeyUser}}
	return p
}

func (w *world) made(p plan.Plan) rollout.Rollout {
	w.t.Helper()
	made, err := w.all.Make(w.ctx, rollout.Outline{Name: "CRM for the north", Plan: p})
	require.NoError(w.t, err)
	return made
}

// events counts those that wait to be published.
func (w *world) events() (n int) {
	w.t.Helper()
	require.NoError(w.t, w.ops.Pool().QueryRow(w.t.Context(), `SELECT coalesce(sum(seq), 0)::int FROM outbox_seq`).Scan(&n))
	return n
}

func code(t *testing.T, err error) string {
	t.Helper()
	var p *problem.Error
	require.True(t, errors.As(err, &p), "%v", err)
	return p.Code
}

func TestARolloutIsKeptAsItGoesOn(t *testing.T) {
	t.Parallel()
	w := open(t)
	made := w.made(planned())
	kept, err := w.all.Get(w.ctx, made.ID)
	require.NoError(t, err)
	made.Steps = nil
	require.Equal(t, made, kept)
	_, err = w.all.Get(w.away, made.ID)
	require.Equal(t, "rollout_not_found", code(t, err))

	started, err := w.all.Start(w.ctx, made.ID)
	require.NoError(t, err)
	require.Equal(t, 2, w.events())
	_, err = w.all.Start(w.ctx, made.ID)
	require.Equal(t, "rollout_started", code(t, err))

	pass := rollout.Decision{
		ID: uuid.Must(uuid.NewV7()), RolloutID: made.ID, Action: rollout.SkipGate, Phase: "pilot", Gate: "means", Reason: "agreed_before",
		By: flow.Actor{Subject: "wang", Roles: []string{auth.RoleManager}}, Hash: []byte{1}, Attempt: "a",
	}
	for range 2 { // the second time it stands already
		decided, err := w.all.Decide(w.ctx, pass)
		require.NoError(t, err)
		require.Equal(t, started.Version+1, decided.Standing.Version)
	}
	pass.Hash = []byte{2}
	_, err = w.all.Decide(w.ctx, pass)
	require.Error(t, err, "another decision with the same id")
	require.Equal(t, 3, w.events())

	for range 2 { // an activity may be repeated
		_, err = w.all.Enter(w.ctx, made.ID, "pilot", 1)
		require.NoError(t, err)
	}
	standing, err := w.all.Measure(w.ctx, made.ID, "pilot", 1, "data", gate.Measurement{Value: 0.5, Sample: 100, Known: true})
	require.NoError(t, err)
	require.Equal(t, 5, w.events())
	kept, err = w.all.Get(w.ctx, made.ID)
	require.NoError(t, err)
	require.Equal(t, standing, kept.Standing())
	require.Equal(t, gate.BelowThreshold, kept.PhaseOf("pilot").GateOf("data").Reason)
	require.Len(t, kept.Open, 2)
	var steps int
	require.NoError(t, w.ops.Pool().QueryRow(t.Context(), `SELECT count(*) FROM rollout_step WHERE rollout_id = $1`, made.ID).Scan(&steps))
	require.Equal(t, 5, steps, "made, started, gate passed, entered, gate held")
	all, err := w.all.List(w.ctx, rollout.Filter{}, 10)
	require.NoError(t, err)
	require.Len(t, all, 1)
	none, err := w.all.List(w.away, rollout.Filter{}, 10)
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestAPlanThatIsWrongIsNoRollout(t *testing.T) {
	t.Parallel()
	w := open(t)
	p := planned()
	p.Phases[0].Units = []string{"south"}
	_, err := w.all.Make(w.ctx, rollout.Outline{Name: " ", Plan: p})
	var wrong *problem.Error
	require.True(t, errors.As(err, &wrong))
	require.Equal(t, "rollout_invalid", wrong.Code)
	var places []string
	for _, f := range wrong.Fields {
		places = append(places, f.Location+" "+f.Code)
	}
	require.ElementsMatch(t, []string{"body.plan.phases[0].units[0] unit_unknown", "body.name name_length"}, places)
}

func TestOneCapabilityOfAUnitIsGovernedByOneRollout(t *testing.T) {
	t.Parallel()
	w := open(t)
	first, second := w.made(planned()), w.made(planned())
	other := planned()
	for i := range other.Phases {
		if other.Phases[i].Capabilities != nil {
			other.Phases[i].Capabilities = []string{"loyalty"}
		}
	}
	third := w.made(other)
	_, err := w.all.Start(w.ctx, first.ID)
	require.NoError(t, err)
	_, err = w.all.Start(w.ctx, second.ID)
	require.Equal(t, "already_governed", code(t, err))
	_, err = w.all.Start(w.ctx, third.ID)
	require.NoError(t, err, "other capabilities")
	_, err = w.all.Decide(w.ctx, rollout.Decision{
		ID: uuid.Must(uuid.NewV7()), RolloutID: first.ID, Action: rollout.Cancel, Reason: "no_means", By: flow.Actor{Subject: "ops", Roles: []string{auth.RoleOperations}}, Hash: []byte{1},
	})
	require.NoError(t, err)
	_, err = w.all.Start(w.ctx, second.ID)
	require.NoError(t, err, "the first one is over")
}

func TestWhatHasNotBegunIsPlannedAnew(t *testing.T) {
	t.Parallel()
	w := open(t)
	made := w.made(planned())
	as := func(want int64) func(int64) error {
		return func(version int64) error {
			if version != want {
				return problem.New(problem.PreconditionFailed, "version_mismatch", "The rollout has changed.")
			}
			return nil
		}
	}
	_, err := w.all.Plan(w.ctx, made.ID, planned(), "", as(7))
	require.Equal(t, "version_mismatch", code(t, err))
	_, err = w.all.Start(w.ctx, made.ID)
	require.NoError(t, err)
	skip := rollout.Decision{ID: uuid.Must(uuid.NewV7()), RolloutID: made.ID, Action: rollout.SkipGate, Phase: "pilot", Gate: "means", Reason: "x", By: flow.Actor{Subject: "wang", Roles: []string{auth.RoleManager}}, Hash: []byte{1}}
	_, err = w.all.Decide(w.ctx, skip)
	require.NoError(t, err)
	_, err = w.all.Enter(w.ctx, made.ID, "pilot", 1)
	require.NoError(t, err)

	changed := planned()
	changed.Phases[0].Units = []string{"east"}
	_, err = w.all.Plan(w.ctx, made.ID, changed, "", as(1))
	require.Equal(t, "phase_begun", code(t, err))
	_, err = w.all.Plan(w.ctx, made.ID, plan.Plan{Team: changed.Team, Phases: planned().Phases[1:2:2]}, "", as(1))
	require.Error(t, err, "the pilot has begun, and what comes after it")

	changed = planned()
	changed.Phases[1].Capabilities = []string{"sales", "service", "loyalty"}
	changed.Phases = append(changed.Phases, plan.Phase{
		Code: "party", Name: "Party", Kind: plan.Other, After: []string{"review"}, Tasks: []plan.Task{{Code: "invite", Title: "Invite", Owner: "li"}},
	})
	now, err := w.all.Plan(w.ctx, made.ID, changed, "", as(1))
	require.NoError(t, err)
	require.Equal(t, 2, now.PlanVersion)
	require.Equal(t, rollout.Working, now.PhaseOf("pilot").State, "it goes on")
	require.Len(t, now.Open, 3, "what is new is withheld")
	kept, err := w.all.Get(w.ctx, made.ID)
	require.NoError(t, err)
	require.Equal(t, changed, kept.Plan)
}
