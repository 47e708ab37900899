//go:build temporal

// Tests against a real Temporal server, which GUANXI_TEST_TEMPORAL names: go test -tags temporal ./flow

package flow_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/flowtest"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// deciding waits for a decision and answers with the principal who made it.
func deciding(ctx workflow.Context) error {
	decided := false
	err := workflow.SetUpdateHandlerWithOptions(ctx, "accept",
		func(ctx workflow.Context, _ int) (p auth.Principal, err error) {
			ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
			err = workflow.ExecuteActivity(ctx, whoAmI).Get(ctx, &p)
			decided = err == nil
			return p, err
		},
		workflow.UpdateHandlerOptions{Validator: func(_ workflow.Context, amount int) error {
			if amount > 100 {
				return flow.Err(problem.New(problem.Conflict, "over_limit", "That is over the limit.").WithField("amount", "max", "at most 100"))
			}
			return nil
		}})
	if err != nil {
		return err
	}
	if err := workflow.Await(ctx, func() bool { return decided }); err != nil {
		return err
	}
	return flow.SetSearch(ctx, flow.Search{Stage: "decided"})
}

// runWorker runs a worker until the test ends.
func runWorker(t *testing.T, c *flow.Client, register func(worker.Registry)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { require.NoError(t, c.RunWorker(ctx, "cases", register)) })
	t.Cleanup(func() { cancel(); done.Wait() })
}

func TestLiveDecisions(t *testing.T) {
	t.Parallel()
	c := flowtest.Live(t)
	require.NoError(t, c.EnsureNamespace(t.Context()), "again changes nothing")
	runWorker(t, c, func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(deciding, workflow.RegisterOptions{Name: "deciding"})
		r.RegisterActivity(whoAmI)
	})
	start := flow.Start{ID: "case/music/1", Queue: "cases", Workflow: "deciding",
		Search: flow.Search{Stage: "open", DueAt: time.Now().Add(time.Hour), Priority: 2, Team: "desk"}}
	run, err := c.Start(auth.With(t.Context(), auth.Principal{Subject: "till", Tenant: "music"}), start)
	require.NoError(t, err)

	asAnn := auth.With(t.Context(), ann)
	var p auth.Principal
	err = c.Decide(asAnn, flow.Decision{Start: start, Name: "accept", ID: "d0", Args: []any{101}}, &p)
	require.Equal(t, problem.Conflict, problem.KindOf(err), "%v", err)
	require.Equal(t, "over_limit", problem.From(err).Code)
	require.Len(t, problem.From(err).Fields, 1)

	require.NoError(t, c.Decide(asAnn, flow.Decision{Start: start, Name: "accept", ID: "d1", Args: []any{7}}, &p))
	require.Equal(t, ann, p, "activities of a decision act for the one who decided")
	require.NoError(t, c.Temporal().GetWorkflow(t.Context(), start.ID, run).Get(t.Context(), nil))

	var again auth.Principal
	err = c.Decide(asAnn, flow.Decision{Start: start, Name: "accept", ID: "d2", Args: []any{7}}, &again)
	require.Equal(t, "process_closed", problem.From(err).Code, "%v", err)
	same, err := c.Start(asAnn, start)
	require.NoError(t, err)
	require.Equal(t, run, same)

	require.Eventually(t, func() bool {
		n, err := c.Temporal().CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
			Query: "guanxiTenant = 'music' AND guanxiStage = 'decided' AND guanxiTeam = 'desk' AND guanxiPriority = 2"})
		return err == nil && n.Count == 1
	}, 10*time.Second, 50*time.Millisecond)
}

// TestLiveADecisionAfterItsWorkerWasKilled has the process in the memory of a worker that is cut off from the server before it ends,
// so that it cannot say that it goes.
func TestLiveADecisionAfterItsWorkerWasKilled(t *testing.T) {
	t.Parallel()
	c, cfg := flowtest.LiveAt(t)
	register := func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(deciding, workflow.RegisterOptions{Name: "deciding"})
		r.RegisterActivity(whoAmI)
	}
	start := flow.Start{ID: "case/music/1", Queue: "cases", Workflow: "deciding"}
	asAnn := auth.With(t.Context(), ann)
	killed, err := flow.NewClient(cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() { require.NoError(t, killed.RunWorker(ctx, "cases", register)) })
	err = c.Decide(asAnn, flow.Decision{Start: start, Name: "accept", ID: "d0", Args: []any{101}}, nil)
	require.Equal(t, "over_limit", problem.From(err).Code, "%v", err)
	_, err = c.Start(asAnn, start)
	require.NoError(t, err)
	_, err = c.Temporal().QueryWorkflow(t.Context(), start.ID, "", "__stack_trace")
	require.NoError(t, err, "the worker holds the process")
	killed.Close()
	cancel()
	ended.Wait()

	runWorker(t, c, register)
	require.NoError(t, c.Decide(asAnn, flow.Decision{Start: start, Name: "accept", ID: "d1", Args: []any{7}}, nil))
}

func TestLiveSchedules(t *testing.T) {
	t.Parallel()
	c := flowtest.Live(t)
	var mu sync.Mutex
	var seen []auth.Principal
	runWorker(t, c, func(r worker.Registry) {
		r.RegisterWorkflowWithOptions(func(ctx workflow.Context) error {
			p, err := asking(ctx)
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, p)
			return err
		}, workflow.RegisterOptions{Name: "tick"})
		r.RegisterActivity(whoAmI)
	})
	s := flow.Schedule{ID: "cases-tick", Every: time.Hour, Workflow: "tick"}
	require.NoError(t, c.EnsureSchedules(t.Context(), "cases", s))
	s.Every = time.Second
	require.NoError(t, c.EnsureSchedules(t.Context(), "cases", s), "what is there is changed")
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(seen) > 0 && seen[0].Subject == "schedule:cases-tick" && seen[0].Tenant == ""
	}, 20*time.Second, 50*time.Millisecond)
	s.Every, s.Cron = 0, "not a cron"
	require.Error(t, c.EnsureSchedules(t.Context(), "cases", s))
}

func TestLiveRecordAGate(t *testing.T) {
	t.Parallel()
	c := flowtest.Live(t)
	runWorker(t, c, func(r worker.Registry) { r.RegisterWorkflowWithOptions(gated, workflow.RegisterOptions{Name: "gated"}) })
	ctx := auth.With(t.Context(), ann)
	run, err := c.Start(ctx, flow.Start{ID: "case/music/1", Queue: "cases", Workflow: "gated"})
	require.NoError(t, err)
	require.NoError(t, c.Temporal().GetWorkflow(ctx, "case/music/1", run).Get(ctx, nil))
	flowtest.Record(ctx, t, c, "case/music/1", "testdata/gated.json")
}

func TestLiveManyProcessesStartAtOnce(t *testing.T) {
	t.Parallel()
	c := flowtest.Live(t)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 5 { // each is killed and starts again
				if err := c.EnsureNamespace(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
