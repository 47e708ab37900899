package process_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/migrate"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/gate"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/plan"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/process"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/rollout"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/unit"
	"github.com/guanxi-crm/guanxi/services/rollout/migrations"
)

// wang is of the team, and may decide everything.
var wang = auth.Principal{Subject: "wang", Tenant: "pizza", Roles: []string{auth.RoleAdmin}}

// planned has a pilot in the north with a task, a gate of people to enter and one of a number to leave, and then the east, with a
// task as well.
func planned() plan.Plan {
	return plan.Plan{
		Goals: []plan.Goal{{Code: "use", Name: "Everybody works with it", Metric: gate.ActiveUsers, Direction: plan.Up, Target: 0.8}},
		Team:  []plan.Member{{Subject: "wang", Role: plan.Sponsor}, {Subject: "zhao", Role: plan.Sponsor}},
		Phases: []plan.Phase{
			{
				Code: "pilot", Name: "Pilot", Kind: plan.Pilot, Units: []string{"north"}, Capabilities: []string{"sales"},
				Tasks: []plan.Task{{Code: "train", Title: "Train the north", Owner: "wang", DueDays: 3}},
				Enter: []gate.Gate{{Code: "means", Kind: gate.Person}},
				Leave: []gate.Gate{{Code: "data", Kind: gate.Number, Metric: gate.ImportQuality, Threshold: 0.95, MinSample: 10}},
			},
			{
				Code: "rest", Name: "The rest", Kind: plan.GoLive, Units: []string{"east"}, Capabilities: []string{"sales"}, After: []string{"pilot"},
				Tasks: []plan.Task{{Code: "train", Title: "Train the east", Role: plan.Sponsor}},
			},
		},
		Risks: []plan.Risk{{
			Code: "poor-service", Name: "Service gets worse", Likelihood: 3, Impact: 4, Pauses: true,
			Trigger: &plan.Trigger{Metric: gate.SLAAttainment, Operator: "<=", Threshold: 0.5, MinSample: 10},
		}},
	}
}

// world has rollouts on a real database, and numbers as the test says them.
type world struct {
	t   *testing.T
	db  *pg.DB
	all *rollout.Rollouts
	of  *process.Process
	ctx context.Context // of wang

	mu      sync.Mutex
	asked   []process.Question
	numbers map[string]func() (gate.Measurement, error) // by metric; others are good
}

func open(t *testing.T, clock func() time.Time) *world {
	t.Helper()
	db := pgtest.Database(t, migrate.Source{Service: "rollout", FS: migrations.FS}).DB(pg.App)
	w := &world{t: t, db: db, ctx: auth.With(t.Context(), wang), numbers: map[string]func() (gate.Measurement, error){}}
	w.all = rollout.New(db, outbox.New("rollout"), clock)
	w.of = process.New(w.all, w.measure, db)
	units := unit.New(db, clock)
	for code, users := range map[string]int{"north": 10, "north/branch-3": 5, "east": 20} {
		_, _, err := units.Put(w.ctx, unit.Unit{Code: code, Name: code, Headcount: users}, func(int64) error { return nil })
		require.NoError(t, err)
	}
	return w
}

func (w *world) measure(_ context.Context, q process.Question) (gate.Measurement, error) {
	w.mu.Lock()
	w.asked = append(w.asked, q)
	says := w.numbers[q.Metric]
	w.mu.Unlock()
	if says == nil {
		return share(1)
	}
	return says()
}

// share is one of a hundred cases.
func share(value float64) (gate.Measurement, error) {
	return gate.Measurement{Value: value, Sample: 100, Known: true}, nil
}

// metrics counts what was asked, by metric.
func (w *world) metrics() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := map[string]int{}
	for _, q := range w.asked {
		n[q.Metric]++
	}
	return n
}

// started gives a rollout by the plan, which was started.
func (w *world) started(p plan.Plan) uuid.UUID {
	w.t.Helper()
	made, err := w.all.Make(w.ctx, rollout.Outline{Name: "CRM for all", Plan: p})
	require.NoError(w.t, err)
	_, err = w.all.Start(w.ctx, made.ID)
	require.NoError(w.t, err)
	return made.ID
}

func (w *world) kept(id uuid.UUID) rollout.Rollout {
	w.t.Helper()
	r, err := w.all.Get(w.ctx, id)
	require.NoError(w.t, err)
	return r
}

// calendar is a rollout whose time passes as fast as nothing happens.
type calendar struct {
	*testsuite.TestWorkflowEnvironment
	*world
	t       *testing.T
	id      uuid.UUID
	answers []string
}

// begun is a rollout by the plan that has a process, from now on.
func begun(t *testing.T, p plan.Plan) *calendar {
	t.Helper()
	c := &calendar{t: t}
	c.world = open(t, func() time.Time {
		if c.TestWorkflowEnvironment == nil {
			return now
		}
		return c.Now()
	})
	c.id = c.started(p)
	c.enact()
	return c
}

// enact prepares a run of the process.
func (c *calendar) enact() {
	start := now
	if c.TestWorkflowEnvironment != nil {
		start = c.Now()
	}
	env := flowtest.Environment(c.t, wang, process.WorkflowID("pizza", c.id))
	env.SetStartTime(start)
	c.of.Worker(env)
	c.TestWorkflowEnvironment = env
}

// at makes decisions after so much time, and keeps what each led to: a code, or where the rollout stands.
func (c *calendar) at(after time.Duration, decisions ...rollout.Decision) {
	c.RegisterDelayedCallback(func() {
		for _, d := range decisions {
			c.decide(d, func() {})
		}
	}, after)
}

func (c *calendar) decide(d rollout.Decision, then func()) {
	d.RolloutID, d.Hash, d.By = c.id, []byte{1}, flow.Actor{Subject: wang.Subject, Roles: wang.Roles}
	if d.ID == uuid.Nil {
		d.ID = uuid.Must(uuid.NewV7())
	}
	keep := func(prefix string, is any, err error) {
		if err != nil {
			c.answers = append(c.answers, fmt.Sprint(prefix, d.Action, ": ", code(err)))
		} else {
			c.answers = append(c.answers, fmt.Sprint(d.Action, ": ", is != nil))
		}
		then()
	}
	c.UpdateWorkflow(process.DecideUpdate, uuid.NewString(), &testsuite.TestUpdateCallback{
		OnReject: func(err error) { keep("refused ", nil, err) }, OnAccept: func() {}, OnComplete: func(is any, err error) { keep("", is, err) },
	}, d)
}

// code is that of a problem, also where it came through the process.
func code(err error) string {
	var app interface{ Type() string }
	var ours *problem.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &app):
		return app.Type()
	case errors.As(err, &ours):
		return ours.Code
	default:
		return err.Error()
	}
}

// board asks the process after so much time.
func (c *calendar) board(after time.Duration, look func(process.Board)) {
	c.RegisterDelayedCallback(func() {
		value, err := c.QueryWorkflow(process.BoardQuery)
		require.NoError(c.t, err)
		var b process.Board
		require.NoError(c.t, value.Get(&b))
		look(b)
	}, after)
}

// run lets the process come to its end and gives the rollout as it is then.
func (c *calendar) run() rollout.Rollout {
	c.t.Helper()
	c.ExecuteWorkflow(process.WorkflowName, process.Input{ID: c.id})
	require.True(c.t, c.IsWorkflowCompleted())
	require.NoError(c.t, c.GetWorkflowError())
	return c.kept(c.id)
}

// phases tells where the phases stand, with their rounds.
func phases(r rollout.Rollout) (list []string) {
	for _, p := range r.Phases {
		list = append(list, fmt.Sprint(p.Code, " ", p.State, " ", p.Round))
	}
	return list
}

// what people decide in these tests
var (
	approve = rollout.Decision{Action: rollout.Approve, Phase: "pilot", Gate: "means"}
	trained = rollout.Decision{Action: rollout.Complete, Phase: "pilot", Task: "train"}
	rest    = rollout.Decision{Action: rollout.Complete, Phase: "rest", Task: "train"}
	pause   = rollout.Decision{Action: rollout.PauseIt, Reason: "holidays"}
	resume  = rollout.Decision{Action: rollout.Resume}
	cancel  = rollout.Decision{Action: rollout.Cancel, Reason: "no_means"}
)
