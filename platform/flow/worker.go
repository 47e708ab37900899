package flow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Bounds of one worker. Activities hold a database connection each, so there are few; workflow tasks only compute.
const (
	stopTimeout   = 20 * time.Second // for activities in flight; an orchestrator kills after 30 s
	maxActivities = 16
	maxWorkflows  = 64
	deadlockAfter = 5 * time.Second // the default of 1 s cries wolf on a busy small machine
	// After a worker was killed, its processes' next tasks are kept for it that long before another worker gets them. It is well
	// below patience, or whoever decides in such a process would be told that the engine does not answer.
	stickyFor      = 2 * time.Second
	firstPause     = 250 * time.Millisecond
	longestPause   = 5 * time.Second
	complainPeriod = 30 * time.Second
)

// RunWorker runs a worker on the queue until ctx ends, then lets what it holds finish for up to 20 s. While Temporal is
// away, or the namespace not there yet, it tries again and says so now and then. register is called anew for each try.
func (c *Client) RunWorker(ctx context.Context, queue string, register func(worker.Registry)) error {
	return c.insist(ctx, "worker of "+queue, func() error {
		return c.work(ctx, queue, register)
	})
}

// work runs one worker until ctx ends (nil) or the worker gives up.
func (c *Client) work(ctx context.Context, queue string, register func(worker.Registry)) error {
	fatal := make(chan error, 1)
	w := worker.New(c.temporal, queue, worker.Options{
		WorkerStopTimeout:                      stopTimeout,
		MaxConcurrentActivityExecutionSize:     maxActivities,
		MaxConcurrentWorkflowTaskExecutionSize: maxWorkflows,
		DeadlockDetectionTimeout:               deadlockAfter,
		StickyScheduleToStartTimeout:           stickyFor,
		Interceptors:                           []interceptor.WorkerInterceptor{Guard(c.signer.key, c.log)},
		OnFatalError: func(err error) {
			select {
			case fatal <- err:
			default:
			}
		},
	})
	register(w)
	if err := w.Start(); err != nil {
		return err
	}
	c.log.Info("worker runs", "queue", queue)
	select {
	case <-ctx.Done():
		w.Stop()
		return nil
	case err := <-fatal:
		w.Stop()
		return err
	}
}

// insist tries until it works or ctx ends, with a growing pause. A client that was closed is not tried again.
func (c *Client) insist(ctx context.Context, what string, try func() error) error {
	pause, said := firstPause, time.Time{}
	for {
		err := try()
		if err == nil || ctx.Err() != nil {
			return nil //nolint:nilerr // to end when told is no failure
		}
		if now := time.Now(); now.Sub(said) > complainPeriod {
			c.log.Warn("waiting for the process engine", "for", what, "error", err)
			said = now
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
			pause = min(2*pause, longestPause)
		}
	}
}

// Guard is the worker's interceptor: it verifies the signed header and puts the principal into the activity's context,
// logs an activity's error once, and turns it and any panic into Temporal's error by Err. RunWorker installs it; tests
// that drive a TestWorkflowEnvironment get it from flowtest.
func Guard(key []byte, log *slog.Logger) interceptor.WorkerInterceptor {
	return &guard{signer: &signer{key: key}, log: log}
}

type guard struct {
	interceptor.WorkerInterceptorBase
	signer *signer
	log    *slog.Logger
}

func (g *guard) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	in := &guardedActivity{guard: g}
	in.Next = next
	return in
}

func (g *guard) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	in := &guardedWorkflow{guard: g}
	in.Next = next
	return in
}

type guardedActivity struct {
	interceptor.ActivityInboundInterceptorBase
	guard *guard
}

func (a *guardedActivity) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (result any, err error) {
	info := activity.GetInfo(ctx)
	log := a.guard.log.With("activity", info.ActivityType.Name, "workflow", info.WorkflowExecution.ID, "attempt", info.Attempt)
	principal, err := a.guard.signer.verify(interceptor.Header(ctx)[headerField], info.WorkflowExecution.ID)
	if err != nil {
		log.ErrorContext(ctx, "activity refused", "error", err)
		return nil, Err(err)
	}
	defer func() {
		if r := recover(); r != nil {
			log.ErrorContext(ctx, "activity panicked", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
			result, err = nil, Err(errors.New("panic in an activity"))
		}
	}()
	result, err = a.Next.ExecuteActivity(auth.With(ctx, principal), in)
	switch {
	case err == nil, errors.Is(err, activity.ErrResultPending):
		return result, err
	case temporal.IsCanceledError(context.Cause(ctx)) && !problem.CallersFault(err):
		// Asked to stop by the workflow. A context that ends with its worker is another matter: that attempt failed.
		return nil, temporal.NewCanceledError()
	default:
		log.WarnContext(ctx, "activity failed", "error", err, "final", problem.CallersFault(err))
		return nil, Err(err)
	}
}

// guardedWorkflow signs anew what leaves a workflow for another one.
type guardedWorkflow struct {
	interceptor.WorkflowInboundInterceptorBase
	guard *guard
}

func (w *guardedWorkflow) Init(next interceptor.WorkflowOutboundInterceptor) error {
	out := &guardedOutbound{guard: w.guard}
	out.Next = next
	return w.Next.Init(out)
}

type guardedOutbound struct {
	interceptor.WorkflowOutboundInterceptorBase
	guard *guard
}

// ExecuteChildWorkflow hands the principal on to a child, whose id the new signature is for; so a child needs an id of
// its own in the options. A child of an unsigned workflow stays unsigned.
func (o *guardedOutbound) ExecuteChildWorkflow(ctx workflow.Context, childType string, args ...any) workflow.ChildWorkflowFuture {
	return o.Next.ExecuteChildWorkflow(o.guard.signChild(ctx), childType, args...)
}
