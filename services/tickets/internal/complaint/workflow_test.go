package complaint_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flow/starts"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/services/tickets"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/complaint"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/policy"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticketstest"
)

func TestRecordedHistories(t *testing.T) {
	t.Parallel()
	flowtest.Replay(t, "testdata/*.history.json", func(r worker.WorkflowRegistry) {
		r.RegisterWorkflowWithOptions(complaint.Handle, workflow.RegisterOptions{Name: complaint.WorkflowName})
	}, "parts-are-kept")
}

// weeks is a complaint whose time passes as fast as nothing happens, on a real database.
type weeks struct {
	*testsuite.TestWorkflowEnvironment
	t          *testing.T
	db         *pg.DB
	of         complaint.Complaint
	complaints *complaint.Complaints
	neighbours *ticketstest.Neighbours
	answers    []error
}

var chief = auth.Principal{Subject: "chen", Tenant: "pizza", Roles: []string{auth.RoleAdmin}}

// open registers a complaint on a Monday, under the standard policy as it was changed.
func open(t *testing.T, changes ...func(*policy.Policy)) *weeks {
	t.Helper()
	c := &weeks{t: t, neighbours: &ticketstest.Neighbours{Granted: map[string]int64{}, Reversed: map[string]bool{}, Refunded: map[string]int64{}}}
	clock := func() time.Time {
		if c.TestWorkflowEnvironment == nil {
			return monday
		}
		return c.Now()
	}
	c.db = pgtest.Database(t, tickets.Module().Source()).DB(pg.App)
	ctx := auth.With(t.Context(), chief)
	if len(changes) > 0 {
		p := policy.Standard()
		for _, change := range changes {
			change(&p)
		}
		_, err := policy.New(c.db).Set(ctx, p, func(int64) error { return nil })
		require.NoError(t, err)
	}
	c.complaints = complaint.New(c.db, outbox.New("tickets"), nil, nil, "tickets", clock)
	told, err := c.complaints.Register(ctx, coldPizza())
	require.NoError(t, err)
	c.of = told.Complaint
	c.TestWorkflowEnvironment = c.process()
	return c
}

// process is an environment in which the process of the complaint runs.
func (c *weeks) process() *testsuite.TestWorkflowEnvironment {
	env := flowtest.Environment(c.t, chief, "complaint/pizza/"+c.of.ID.String())
	env.SetStartTime(monday)
	c.complaints.Worker(people{env})
	c.neighbours.Register(env)
	return env
}

// people has decisions made by whom they name: the environment's Updates have no header that would say.
type people struct{ worker.Registry }

func (p people) RegisterActivityWithOptions(do any, o activity.RegisterOptions) {
	if decide, ok := do.(func(context.Context, complaint.Decision) (complaint.Decided, error)); ok {
		do = func(ctx context.Context, d complaint.Decision) (complaint.Decided, error) {
			return decide(auth.With(ctx, auth.Principal{Subject: d.By.Subject, Tenant: "pizza", Roles: d.By.Roles}), d)
		}
	}
	p.Registry.RegisterActivityWithOptions(do, o)
}

// at makes decisions after so many days.
func (c *weeks) at(days float64, decisions ...complaint.Decision) {
	c.RegisterDelayedCallback(func() {
		for _, d := range decisions {
			d.ComplaintID = c.of.ID
			c.UpdateWorkflow(complaint.DecideUpdate, d.ID.String(), &testsuite.TestUpdateCallback{
				OnReject: func(err error) { c.answers = append(c.answers, err) }, OnAccept: func() {},
				OnComplete: func(_ any, err error) { c.answers = append(c.answers, err) },
			}, d)
		}
	}, time.Duration(days*24*float64(time.Hour)))
}

// run lets the process come to its end and gives the complaint as it is then.
func (c *weeks) run() complaint.Complaint {
	c.t.Helper()
	c.ExecuteWorkflow(complaint.WorkflowName, complaint.Input{ID: c.of.ID})
	require.NoError(c.t, c.GetWorkflowError())
	told, err := c.complaints.Get(auth.With(c.t.Context(), chief), c.of.ID)
	require.NoError(c.t, err)
	return told.Complaint
}

// days gives, for each step, what happened and after how many days.
func days(c complaint.Complaint) (list []string, at []float64) {
	for _, s := range c.Steps {
		list = append(list, string(s.Action))
		at = append(at, s.At.Sub(monday).Truncate(time.Minute).Hours()/24)
	}
	return list, at
}

func offerBy(who flow.Actor) []complaint.Decision {
	return []complaint.Decision{decide(complaint.Assess, who), decide(complaint.Assign, who), decide(complaint.Find, who), decide(complaint.Propose, who)}
}

var chen2 = flow.Actor{Subject: chief.Subject, Roles: chief.Roles}

func TestWeeksOfSilence(t *testing.T) {
	t.Parallel()
	c := open(t)
	for i, d := range offerBy(chen2) {
		c.at(5+float64(i)/1440, d) // on Saturday morning, a minute apart
	}
	end := c.run()
	for _, err := range c.answers {
		require.NoError(t, err)
	}
	actions, at := days(end)
	require.Equal(t, []string{"register", "miss", "remind", "remind", "assess", "assign", "find", "propose", "remind", "remind", "silence", "execute"}, actions)
	sameDay := make([]float64, len(at))
	for i, d := range at {
		sameDay[i] = float64(int(d))
	}
	require.Equal(t, []float64{0, 1, 2, 4, 5, 5, 5, 5, 12, 19, 26, 26}, sameDay)
	require.Equal(t, complaint.Unanswered, end.Outcome)
	require.Len(t, c.neighbours.Granted, 1)
}

// TestAComplaintWhoseProcessIsGoneIsFound sweeps where no process runs, as after one was ended by hand or lost.
func TestAComplaintWhoseProcessIsGoneIsFound(t *testing.T) {
	t.Parallel()
	database := pgtest.Database(t, tickets.Module().Source())
	db, ops := database.DB(pg.App), database.DB(pg.Ops)
	now := monday
	starter := starts.New(db, nil)
	complaints := complaint.New(db, outbox.New("tickets"), nil, starter, "tickets", func() time.Time { return now })
	register := func(tenant string) string {
		told, err := complaints.Register(auth.With(t.Context(), auth.Principal{Subject: "mei", Tenant: tenant}), coldPizza())
		require.NoError(t, err)
		return "complaint/" + tenant + "/" + told.ID.String()
	}
	pizza, music := register("pizza"), register("music")
	now = monday.Add(time.Hour)
	register("pizza") // due an hour later than the others
	swept := func() (ids []string) {
		require.NoError(t, complaints.Sweep(t.Context()))
		require.NoError(t, ops.System(t.Context(), func(tx *pg.Tx) error {
			return tx.QueryRow(t.Context(), `SELECT coalesce(array_agg(workflow_id), '{}') FROM process_start`).Scan(&ids)
		}))
		return ids
	}
	now = monday.Add(policy.Standard().StepWithin + 9*time.Minute)
	require.Empty(t, swept(), "its process has time to remind")
	now = monday.Add(policy.Standard().StepWithin + 11*time.Minute)
	require.ElementsMatch(t, []string{pizza, music}, swept())
	require.ElementsMatch(t, []string{pizza, music}, swept(), "again changes nothing")
}

func TestHoursWithoutTheOtherServiceCostNothing(t *testing.T) {
	t.Parallel()
	c := open(t)
	c.neighbours.AwayFor = 2_000
	for i, d := range append(offerBy(chen2), decide(complaint.Accept, chen2)) {
		c.at(float64(i)/1440, d)
	}
	end := c.run()
	require.Equal(t, complaint.Settled, end.Outcome)
	require.Greater(t, end.ClosedAt.Sub(monday), 2*time.Hour)
	require.Len(t, c.neighbours.Granted, 1)
	require.Empty(t, c.neighbours.Reversed)
}

func TestACancelledProcessWithdrawsItsComplaint(t *testing.T) {
	t.Parallel()
	c := open(t)
	c.RegisterDelayedCallback(c.CancelWorkflow, time.Hour)
	end := c.run()
	require.Equal(t, complaint.Withdrawn, end.Outcome)
}

func TestADecisionThatTheRowRefusesIsAnswered(t *testing.T) {
	t.Parallel()
	c := open(t)
	c.at(0.1, decide(complaint.Assess, chen2, func(d *complaint.Decision) { d.Severity = 7 }))
	c.at(0.2, decide(complaint.Withdraw, chen2))
	require.Equal(t, complaint.Withdrawn, c.run().Outcome)
	require.Len(t, c.answers, 2)
	require.ErrorContains(t, c.answers[0], "decision_invalid")
	require.NoError(t, errors.Join(c.answers[1:]...))
}
