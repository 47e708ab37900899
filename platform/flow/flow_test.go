package flow_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

var (
	key   = []byte("thirty-two bytes are the least..")
	other = []byte("another key of thirty-two bytes.")
	ann   = auth.Principal{Subject: "ann", Tenant: "music", Unit: "counter", Roles: []string{"agent", "sales"}}
	quiet = slog.New(slog.DiscardHandler)
)

// whoAmI is an activity that answers with the principal it acts for.
func whoAmI(ctx context.Context) (auth.Principal, error) {
	p, ok := auth.From(ctx)
	if !ok {
		return p, errors.New("nobody")
	}
	return p, nil
}

func asking(ctx workflow.Context) (p auth.Principal, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Second})
	err = workflow.ExecuteActivity(ctx, whoAmI).Get(ctx, &p)
	return p, err
}

// environment runs a workflow with the header and the id, its activities guarded with the key.
func environment(header *commonpb.Header, id string) *testsuite.TestWorkflowEnvironment {
	env := (&testsuite.WorkflowTestSuite{}).NewTestWorkflowEnvironment()
	env.SetContextPropagators(flow.Propagators())
	env.SetWorkerOptions(worker.Options{Interceptors: []interceptor.WorkerInterceptor{flow.Guard(key, quiet)}})
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: id})
	if header != nil {
		env.SetHeader(header)
	}
	env.RegisterActivity(whoAmI)
	return env
}

func signed(t *testing.T, key []byte, p auth.Principal, id string) *commonpb.Header {
	t.Helper()
	h, err := flow.Signed(key, p, id)
	require.NoError(t, err)
	return h
}

func TestActivityActsForWhoStartedTheProcess(t *testing.T) {
	t.Parallel()
	env := environment(signed(t, key, ann, "case/music/1"), "case/music/1")
	env.ExecuteWorkflow(asking)
	var p auth.Principal
	require.NoError(t, env.GetWorkflowResult(&p))
	require.Equal(t, ann, p)
}

func TestActivitiesRefuseWhatIsNotSigned(t *testing.T) {
	t.Parallel()
	tampered := func(change string) *commonpb.Header {
		h := signed(t, key, ann, "case/music/1")
		for name, payload := range h.Fields {
			h.Fields[name].Data = []byte(change)
			_ = payload
		}
		return h
	}
	cases := []struct {
		name   string
		header *commonpb.Header
		code   string
	}{
		{"no header", nil, "process_unsigned"},
		{"another key", signed(t, other, ann, "case/music/1"), "process_forged"},
		{"another process's header", signed(t, key, ann, "case/music/2"), "process_forged"},
		{"another tenant written over it", tampered(`{"tenant":"pizza","subject":"ann","kind":"workflow","id":"case/music/1","mac":"AAAA"}`), "process_forged"},
		{"not readable", tampered(`[`), "process_forged"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			env := environment(c.header, "case/music/1")
			env.ExecuteWorkflow(asking)
			var app *temporal.ApplicationError
			require.ErrorAs(t, env.GetWorkflowError(), &app)
			require.Equal(t, c.code, app.Type())
			require.True(t, app.NonRetryable())
		})
	}
}

func TestChildrenActForTheSamePrincipal(t *testing.T) {
	t.Parallel()
	parent := func(ctx workflow.Context) (p auth.Principal, err error) {
		ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{WorkflowID: "case/music/1/child"})
		err = workflow.ExecuteChildWorkflow(ctx, asking).Get(ctx, &p)
		return p, err
	}
	env := environment(signed(t, key, ann, "case/music/1"), "case/music/1")
	env.RegisterWorkflow(asking)
	env.RegisterWorkflowWithOptions(parent, workflow.RegisterOptions{Name: "parent"})
	env.ExecuteWorkflow("parent")
	var p auth.Principal
	require.NoError(t, env.GetWorkflowResult(&p))
	require.Equal(t, ann, p)
}

func TestErrorsOfActivities(t *testing.T) {
	t.Parallel()
	personal := errors.New("the phone 555-1234 is taken")
	cases := []struct {
		name    string
		err     error
		code    string
		retried bool
	}{
		{"a caller's fault", problem.New(problem.Conflict, "taken", "That is taken."), "taken", false},
		{"infrastructure", problem.New(problem.Unavailable, "database_unavailable", "Try again."), "database_unavailable", true},
		{"anything else", personal, "internal", true},
		{"wrapped", fmt.Errorf("saving: %w", problem.New(problem.Conflict, "taken", "That is taken.").Because(personal)), "taken", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tries := 0
			failing := func(context.Context) error { tries++; return c.err }
			run := func(ctx workflow.Context) error {
				ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Second,
					RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 3}})
				return workflow.ExecuteActivity(ctx, "failing").Get(ctx, nil)
			}
			env := flowtest.Environment(t, ann, "case/music/1")
			env.RegisterActivityWithOptions(failing, activityNamed("failing"))
			env.ExecuteWorkflow(run)
			var app *temporal.ApplicationError
			require.ErrorAs(t, env.GetWorkflowError(), &app)
			require.Equal(t, c.code, app.Type())
			require.Equal(t, map[bool]int{true: 3, false: 1}[c.retried], tries)
			require.NotContains(t, env.GetWorkflowError().Error(), "555", "histories carry no personal data")
		})
	}
}

func TestPanicOfAnActivityIsAnErrorThatIsTriedAgain(t *testing.T) {
	t.Parallel()
	tries := 0
	env := flowtest.Environment(t, ann, "case/music/1")
	env.RegisterActivityWithOptions(func(context.Context) error {
		if tries++; tries == 1 {
			panic("555-1234")
		}
		return nil
	}, activityNamed("panics"))
	env.ExecuteWorkflow(func(ctx workflow.Context) error {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Second})
		return workflow.ExecuteActivity(ctx, "panics").Get(ctx, nil)
	})
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, 2, tries)
}

func TestStartIsDoneOnce(t *testing.T) {
	t.Parallel()
	front := flowtest.NewFrontend(t)
	ctx := auth.With(t.Context(), ann)
	start := flow.Start{ID: "case/music/1", Queue: "cases", Workflow: "case"}
	first, err := front.Client().Start(ctx, start)
	require.NoError(t, err)
	again, err := front.Client().Start(ctx, start)
	require.NoError(t, err)
	require.Equal(t, first, again, "while it runs")

	front.Work(func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(asking, workflow.RegisterOptions{Name: "case"})
		r.RegisterActivity(whoAmI)
	})
	require.NoError(t, front.Wait(ctx, start.ID))
	closed, err := front.Client().Start(ctx, start)
	require.NoError(t, err)
	require.Equal(t, first, closed, "after it ended")

	start.Again = true
	anew, err := front.Client().Start(ctx, start)
	require.NoError(t, err)
	require.NotEqual(t, first, anew)
	require.Len(t, front.Started(), 2)
}

func TestStartNeedsSomebodyToActFor(t *testing.T) {
	t.Parallel()
	front := flowtest.NewFrontend(t)
	_, err := front.Client().Start(t.Context(), flow.Start{ID: "case/music/1", Queue: "cases", Workflow: "case"})
	require.ErrorContains(t, err, "nobody")
}

func TestTemporalAwayIsUnavailable(t *testing.T) {
	t.Parallel()
	c, err := flow.NewClient(flow.Config{Address: "127.0.0.1:1", Namespace: "test", Key: key}, quiet)
	require.NoError(t, err, "services start all the same")
	t.Cleanup(c.Close)
	ctx := auth.With(t.Context(), ann)
	_, err = c.Start(ctx, flow.Start{ID: "case/music/1", Queue: "cases", Workflow: "case"})
	require.Equal(t, problem.Unavailable, problem.KindOf(err), "%v", err)
	err = c.Decide(ctx, flow.Decision{Start: flow.Start{ID: "case/music/1", Queue: "cases", Workflow: "case"}, Name: "accept", ID: "1"}, nil)
	require.Equal(t, problem.Unavailable, problem.KindOf(err), "%v", err)
}

func TestWorkerWaitsForTemporalUntilItIsToldToStop(t *testing.T) {
	t.Parallel()
	c, err := flow.NewClient(flow.Config{Address: "127.0.0.1:1", Namespace: "test", Key: key}, quiet)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.RunWorker(ctx, "cases", func(worker.Registry) {}) }()
	select {
	case err := <-ended:
		t.Fatalf("gave up: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	cancel()
	require.NoError(t, <-ended)
}

func TestClientsNeedAKey(t *testing.T) {
	t.Parallel()
	_, err := flow.NewClient(flow.Config{Address: "127.0.0.1:1", Namespace: "test", Key: []byte("short")}, quiet)
	require.ErrorContains(t, err, "32")
}

func TestSchedulesAreChecked(t *testing.T) {
	t.Parallel()
	front := flowtest.NewFrontend(t)
	for _, s := range []flow.Schedule{
		{ID: "x", Workflow: "w"},
		{ID: "x", Workflow: "w", Every: time.Hour, Cron: "@daily"},
		{ID: "", Workflow: "w", Every: time.Hour},
	} {
		require.Error(t, front.Client().EnsureSchedules(t.Context(), "cases", s))
	}
}

func activityNamed(name string) activity.RegisterOptions { return activity.RegisterOptions{Name: name} }

// gateSleep is a version gate, as a versions.go names them.
const gateSleep = "sleep-before-the-end"

func gated(ctx workflow.Context) error {
	if workflow.GetVersion(ctx, gateSleep, workflow.DefaultVersion, 1) == 1 {
		return workflow.Sleep(ctx, time.Millisecond)
	}
	return nil
}

func TestReplayFindsTheGate(t *testing.T) {
	t.Parallel()
	flowtest.Replay(t, "testdata/gated.json", func(r worker.WorkflowRegistry) {
		r.RegisterWorkflowWithOptions(gated, workflow.RegisterOptions{Name: "gated"})
	}, gateSleep)
}
