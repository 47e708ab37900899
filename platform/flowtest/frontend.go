package flowtest

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/interceptor"
	tlog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"google.golang.org/grpc"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
)

// key signs in tests.
var key = []byte("a key for tests, thirty-two bytes")

// Environment gives a time-skipping environment in which the workflow that the test executes has the id and acts for
// the principal, as if flow.Client.Start had started it. Its activities are guarded as a worker's are.
func Environment(t testing.TB, p auth.Principal, workflowID string) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	header, err := flow.Signed(key, p, workflowID)
	if err != nil {
		t.Fatal(err)
	}
	return environment(header, workflowID)
}

func environment(header *commonpb.Header, workflowID string) *testsuite.TestWorkflowEnvironment {
	quiet := slog.New(slog.DiscardHandler)
	suite := &testsuite.WorkflowTestSuite{}
	suite.SetLogger(tlog.NewStructuredLogger(quiet))
	env := suite.NewTestWorkflowEnvironment()
	env.SetContextPropagators(flow.Propagators())
	// Activities run within the workflow's own time here, so a busy machine must not be taken for a deadlock.
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute, Interceptors: []interceptor.WorkerInterceptor{
		flow.Guard(key, quiet),
	}})
	env.SetHeader(header)
	env.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: workflowID})
	env.SetTestTimeout(2 * time.Minute)
	return env
}

// Frontend stands in for a Temporal server in tests of what starts processes: it takes starts over the wire, by the
// server's rules for workflow ids, and runs them in time-skipping environments once Work was called. It knows neither
// signals nor updates nor schedules; what needs those is tried end to end.
type Frontend struct {
	workflowservice.UnimplementedWorkflowServiceServer
	address string
	client  *flow.Client

	mu       sync.Mutex
	register func(worker.Registry)
	byID     map[string]*Started
	order    []*Started
	running  sync.WaitGroup
}

// Started is a process that was started.
type Started struct {
	ID, RunID, Type, Queue string
	request                *workflowservice.StartWorkflowExecutionRequest
	done                   chan struct{}
	err                    error
}

// NewFrontend listens on loopback until the test ends.
func NewFrontend(t testing.TB) *Frontend {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &Frontend{address: listener.Addr().String(), byID: map[string]*Started{}}
	server := grpc.NewServer()
	workflowservice.RegisterWorkflowServiceServer(server, f)
	go func() { _ = server.Serve(listener) }()
	f.client, err = flow.NewClient(flow.Config{Address: f.address, Namespace: "test", Key: key}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.client.Close()
		server.Stop()
		f.running.Wait()
	})
	return f
}

// Client is a client of the frontend.
func (f *Frontend) Client() *flow.Client { return f.client }

// Address is host:port, for a process that makes its own client; its flow key is Key.
func (f *Frontend) Address() string { return f.address }

// Key is what the frontend's clients sign with.
func (f *Frontend) Key() []byte { return key }

// Work runs every process that was and will be started.
func (f *Frontend) Work(register func(worker.Registry)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.register = register
	for _, s := range f.order {
		select {
		case <-s.done:
		default:
			f.run(s)
		}
	}
}

// Started lists what was started, in that order.
func (f *Frontend) Started() []Started {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]Started, len(f.order))
	for k, s := range f.order {
		all[k] = Started{ID: s.ID, RunID: s.RunID, Type: s.Type, Queue: s.Queue}
	}
	return all
}

// Wait waits until the process has ended and gives its error.
func (f *Frontend) Wait(ctx context.Context, id string) error {
	f.mu.Lock()
	s := f.byID[id]
	f.mu.Unlock()
	if s == nil {
		return serviceerror.NewNotFound("no process " + id)
	}
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run executes s in an environment of its own; f.mu is held.
func (f *Frontend) run(s *Started) {
	register := f.register
	f.running.Go(func() {
		env := environment(s.request.Header, s.ID)
		register(env)
		var args []any
		for _, p := range s.request.Input.GetPayloads() {
			args = append(args, converter.NewRawValue(p))
		}
		env.ExecuteWorkflow(s.Type, args...)
		s.err = env.GetWorkflowError()
		close(s.done)
	})
}

// GetSystemInfo is the first call of every client.
func (f *Frontend) GetSystemInfo(context.Context, *workflowservice.GetSystemInfoRequest) (*workflowservice.GetSystemInfoResponse, error) {
	return &workflowservice.GetSystemInfoResponse{Capabilities: &workflowservice.GetSystemInfoResponse_Capabilities{}}, nil
}

// StartWorkflowExecution takes a start.
func (f *Frontend) StartWorkflowExecution(_ context.Context, in *workflowservice.StartWorkflowExecutionRequest) (*workflowservice.StartWorkflowExecutionResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if before := f.byID[in.WorkflowId]; before != nil {
		select {
		case <-before.done:
			if in.WorkflowIdReusePolicy == enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE {
				return nil, serviceerror.ToStatus(serviceerror.NewWorkflowExecutionAlreadyStarted("ended", in.RequestId, before.RunID)).Err()
			}
		default:
			return &workflowservice.StartWorkflowExecutionResponse{RunId: before.RunID}, nil
		}
	}
	s := &Started{ID: in.WorkflowId, RunID: uuid.NewString(), Type: in.WorkflowType.Name, Queue: in.TaskQueue.Name,
		request: in, done: make(chan struct{})}
	f.byID[s.ID] = s
	f.order = append(f.order, s)
	if f.register != nil {
		f.run(s)
	}
	return &workflowservice.StartWorkflowExecutionResponse{RunId: s.RunID, Started: true}, nil
}
