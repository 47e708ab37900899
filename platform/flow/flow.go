// Package flow is the platform's way to Temporal: a client that starts business processes, workers that run them, and
// the signed header by which tenant and actor reach the activities.
//
// Who started a process is signed over the process's id when it starts, kept by the workflow, and verified before each
// activity runs, so that an activity finds auth.From(ctx) as an HTTP handler does. An unsigned or forged header fails
// the activity for good.
package flow

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"
	tlog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"go.opentelemetry.io/otel"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// patience bounds one call to Temporal that a person may be waiting for.
const patience = 5 * time.Second

// MinKey is the least length of Config.Key in bytes.
const MinKey = 32

// Config says where Temporal is.
type Config struct {
	// Address is host:port of the frontend.
	Address string
	// Namespace is the one namespace of the installation.
	Namespace string
	// Key signs tenant and actor; at least MinKey bytes, the same for every service of the installation.
	Key []byte
	// TLS is how the frontend is spoken to; nil: without.
	TLS *tls.Config
}

// Client starts processes and runs workers. It is safe for concurrent use.
type Client struct {
	temporal  client.Client
	namespace string
	signer    *signer
	log       *slog.Logger
}

// NewClient makes a client without connecting: services start while Temporal is away, and what needs it answers
// problem.Unavailable until it is there.
func NewClient(cfg Config, log *slog.Logger) (*Client, error) {
	if cfg.Address == "" || cfg.Namespace == "" {
		return nil, errors.New("flow: address and namespace are required")
	}
	signer, err := newSigner(cfg.Key)
	if err != nil {
		return nil, err
	}
	tracing, err := opentelemetry.NewTracingInterceptor(opentelemetry.TracerOptions{
		Tracer:            otel.Tracer("go.temporal.io/sdk"),
		TextMapPropagator: otel.GetTextMapPropagator(),
		// A header that a caller of another make wrote costs the trace, not the process.
		AllowInvalidParentSpans: true,
	})
	if err != nil {
		return nil, fmt.Errorf("flow: tracing: %w", err)
	}
	t, err := client.NewLazyClient(client.Options{
		HostPort:           cfg.Address,
		Namespace:          cfg.Namespace,
		Logger:             tlog.NewStructuredLogger(log.With("part", "temporal")),
		MetricsHandler:     opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{}),
		Interceptors:       []interceptor.ClientInterceptor{tracing},
		ContextPropagators: Propagators(),
		ConnectionOptions:  client.ConnectionOptions{GetSystemInfoTimeout: patience, TLS: cfg.TLS},
	})
	if err != nil {
		return nil, fmt.Errorf("flow: %w", err)
	}
	return &Client{temporal: t, namespace: cfg.Namespace, signer: signer, log: log}, nil
}

// Temporal is the SDK's client beneath.
func (c *Client) Temporal() client.Client { return c.temporal }

// Log is the log that the client was made with, for what works beside it.
func (c *Client) Log() *slog.Logger { return c.log }

// Close closes the connection.
func (c *Client) Close() { c.temporal.Close() }

// Search is what people find and sort processes by. Zero fields are left out. No personal data.
type Search struct {
	Stage    string
	DueAt    time.Time
	Priority int // 1 is the most urgent
	Team     string
}

// Start describes a process to be started.
type Start struct {
	// ID is the business key, such as complaint/<tenant>/<id>.
	ID string
	// Queue is the task queue: the name of the service.
	Queue string
	// Workflow is the workflow function or its registered name.
	Workflow any
	// Args are ids, codes, amounts and times; never personal data.
	Args []any
	// Search are the first search attributes; guanxiTenant is always set.
	Search Search
	// Again allows an id to be started anew after its process closed. It is for processes whose database rows decide
	// what is left to do; everything else is started once and for all.
	Again bool
}

// Start starts a process on behalf of auth.From(ctx). A process that has the id already, running or closed, is left
// alone and its run id returned, so a redelivery cannot start it twice. While Temporal is away it fails with
// problem.Unavailable within 5 s.
func (c *Client) Start(ctx context.Context, s Start) (runID string, err error) {
	ctx, opts, err := c.prepare(ctx, s)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	run, err := c.temporal.ExecuteWorkflow(ctx, opts, s.Workflow, s.Args...)
	if err != nil {
		return "", fmt.Errorf("start %s: %w", s.ID, problemFrom(err))
	}
	return run.GetRunID(), nil
}

// prepare signs the caller for the process and turns s into the SDK's options.
func (c *Client) prepare(ctx context.Context, s Start) (context.Context, client.StartWorkflowOptions, error) {
	if s.ID == "" || s.Queue == "" || s.Workflow == nil {
		return nil, client.StartWorkflowOptions{}, errors.New("flow: a start needs id, queue and workflow")
	}
	p, ok := auth.From(ctx)
	if !ok {
		return nil, client.StartWorkflowOptions{}, fmt.Errorf("flow: start %s: nobody in the context to act for", s.ID)
	}
	reuse := enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE
	if s.Again {
		reuse = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	}
	return withSigned(ctx, c.signer.sign(p, scope{kind: scopeWorkflow, id: s.ID})), client.StartWorkflowOptions{
		ID:                       s.ID,
		TaskQueue:                s.Queue,
		WorkflowIDReusePolicy:    reuse,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		TypedSearchAttributes:    s.Search.attributes(p.Tenant),
	}, nil
}

// Decision is what a person decided about a process.
type Decision struct {
	// Start describes the process, which is started when it is not there yet.
	Start Start
	// Name is the name of the Update.
	Name string
	// ID is the idempotency key: the same id decides once and gives the same answer again.
	ID   string
	Args []any
}

// Decide brings a decision to its process (an Update-with-start) and decodes the answer into result, which may be nil.
// It waits at most 5 s and then answers problem.Unavailable: the decision may still take effect, and asking again with
// the same id tells. What the process's validator refuses comes back as the problem it gave to Err; a process that is
// closed answers problem.Conflict.
func (c *Client) Decide(ctx context.Context, d Decision, result any) error {
	ctx, opts, err := c.prepare(ctx, d.Start)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	handle, err := c.temporal.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: c.temporal.NewWithStartWorkflowOperation(opts, d.Start.Workflow, d.Start.Args...),
		UpdateOptions: client.UpdateWorkflowOptions{
			WorkflowID: d.Start.ID, UpdateID: d.ID, UpdateName: d.Name, Args: d.Args,
			WaitForStage: client.WorkflowUpdateStageCompleted,
		},
	})
	if err != nil {
		var closed *serviceerror.WorkflowExecutionAlreadyStarted
		if errors.As(err, &closed) {
			return problem.New(problem.Conflict, "process_closed", "This process has ended; nothing can be decided any more.").Because(err)
		}
		return fmt.Errorf("decide %s: %w", d.Start.ID, problemFrom(err))
	}
	if err := handle.Get(ctx, result); err != nil {
		return fmt.Errorf("decide %s: %w", d.Start.ID, problemFrom(err))
	}
	return nil
}

// The search attributes of the installation's namespace.
var (
	tenantAttribute   = temporal.NewSearchAttributeKeyKeyword("guanxiTenant")
	stageAttribute    = temporal.NewSearchAttributeKeyKeyword("guanxiStage")
	dueAtAttribute    = temporal.NewSearchAttributeKeyTime("guanxiDueAt")
	priorityAttribute = temporal.NewSearchAttributeKeyInt64("guanxiPriority")
	teamAttribute     = temporal.NewSearchAttributeKeyKeyword("guanxiTeam")
)

func (s Search) updates() []temporal.SearchAttributeUpdate {
	var u []temporal.SearchAttributeUpdate
	if s.Stage != "" {
		u = append(u, stageAttribute.ValueSet(s.Stage))
	}
	if !s.DueAt.IsZero() {
		u = append(u, dueAtAttribute.ValueSet(s.DueAt.UTC()))
	}
	if s.Priority != 0 {
		u = append(u, priorityAttribute.ValueSet(int64(s.Priority)))
	}
	if s.Team != "" {
		u = append(u, teamAttribute.ValueSet(s.Team))
	}
	return u
}

func (s Search) attributes(tenant string) temporal.SearchAttributes {
	u := s.updates()
	if tenant != "" {
		u = append(u, tenantAttribute.ValueSet(tenant))
	}
	return temporal.NewSearchAttributes(u...)
}

// SetSearch changes the search attributes of a running workflow; zero fields stay as they are.
func SetSearch(ctx workflow.Context, s Search) error {
	u := s.updates()
	if len(u) == 0 {
		return nil
	}
	return workflow.UpsertTypedSearchAttributes(ctx, u...)
}
