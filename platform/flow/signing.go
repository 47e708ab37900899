package flow

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// headerField is the field of Temporal's header that carries the signed principal.
const headerField = "guanxi-principal"

// What a signature holds for: one process, or the processes that one schedule starts, whose ids are the schedule's
// followed by a time.
const (
	scopeWorkflow = "workflow"
	scopeSchedule = "schedule"
)

type scope struct{ kind, id string }

func (s scope) covers(workflowID string) bool {
	switch s.kind {
	case scopeWorkflow:
		return workflowID == s.id
	case scopeSchedule:
		return strings.HasPrefix(workflowID, s.id+"-")
	default:
		return false
	}
}

// signed is the header: who acts, for which process, and the proof. It has no time in it: a process may run for months
// and must be replayed to the same commands, and the id of the process already ties it down.
type signed struct {
	Tenant  string   `json:"tenant,omitempty"`
	Subject string   `json:"subject"`
	Unit    string   `json:"unit,omitempty"`
	Roles   []string `json:"roles,omitempty"`
	Kind    string   `json:"kind"`
	ID      string   `json:"id"`
	MAC     []byte   `json:"mac"`
}

func (s signed) principal() auth.Principal {
	return auth.Principal{Subject: s.Subject, Tenant: s.Tenant, Unit: s.Unit, Roles: s.Roles}
}

type signer struct{ key []byte }

func newSigner(key []byte) (*signer, error) {
	if len(key) < MinKey {
		return nil, fmt.Errorf("flow: the key has %d bytes, want at least %d", len(key), MinKey)
	}
	return &signer{key: key}, nil
}

func (g *signer) sign(p auth.Principal, sc scope) signed {
	s := signed{Tenant: p.Tenant, Subject: p.Subject, Unit: p.Unit, Roles: p.Roles, Kind: sc.kind, ID: sc.id}
	s.MAC = g.mac(s)
	return s
}

// mac is HMAC-SHA256 over the fields, each with its length before it so that none can run into the next.
func (g *signer) mac(s signed) []byte {
	h := hmac.New(sha256.New, g.key)
	for _, field := range append([]string{"guanxi principal 1", s.Kind, s.ID, s.Tenant, s.Subject, s.Unit}, s.Roles...) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(field)))
		h.Write(n[:])
		h.Write([]byte(field))
	}
	return h.Sum(nil)
}

// verify gives the principal of a payload that holds for the process.
func (g *signer) verify(payload *commonpb.Payload, workflowID string) (auth.Principal, error) {
	if payload == nil {
		return auth.Principal{}, problem.New(problem.Unauthenticated, "process_unsigned",
			"The process does not say for whom it acts. Start it through the platform, not by hand.")
	}
	var s signed
	if err := converter.GetDefaultDataConverter().FromPayload(payload, &s); err != nil {
		return auth.Principal{}, forged().Because(err)
	}
	if !hmac.Equal(s.MAC, g.mac(s)) || !(scope{kind: s.Kind, id: s.ID}).covers(workflowID) {
		return auth.Principal{}, forged()
	}
	return s.principal(), nil
}

func forged() *problem.Error {
	return problem.New(problem.Unauthenticated, "process_forged",
		"The signature of tenant and actor does not hold for this process. Do all services have the same flow key?")
}

// Signed gives the header that Start sends for a process, for test kits that run a workflow without a server.
func Signed(key []byte, p auth.Principal, workflowID string) (*commonpb.Header, error) {
	g, err := newSigner(key)
	if err != nil {
		return nil, err
	}
	payload, err := converter.GetDefaultDataConverter().ToPayload(g.sign(p, scope{kind: scopeWorkflow, id: workflowID}))
	if err != nil {
		return nil, err
	}
	return &commonpb.Header{Fields: map[string]*commonpb.Payload{headerField: payload}}, nil
}

type signedKey struct{}

func withSigned(ctx context.Context, s signed) context.Context {
	return context.WithValue(ctx, signedKey{}, s)
}

// propagator carries the signed header from the client into the workflow and from there to activities, continued runs
// and update handlers. It only carries: the activity interceptor verifies.
type propagator struct{}

var _ workflow.ContextPropagator = propagator{}

// Propagators are the context propagators of every client, worker and test environment.
func Propagators() []workflow.ContextPropagator { return []workflow.ContextPropagator{propagator{}} }

func (propagator) Inject(ctx context.Context, w workflow.HeaderWriter) error {
	s, ok := ctx.Value(signedKey{}).(signed)
	if !ok {
		return nil
	}
	payload, err := converter.GetDefaultDataConverter().ToPayload(s)
	if err != nil {
		return fmt.Errorf("flow: sign: %w", err)
	}
	w.Set(headerField, payload)
	return nil
}

func (propagator) InjectFromWorkflow(ctx workflow.Context, w workflow.HeaderWriter) error {
	if payload, ok := ctx.Value(signedKey{}).(*commonpb.Payload); ok {
		w.Set(headerField, payload)
	}
	return nil
}

func (propagator) Extract(ctx context.Context, _ workflow.HeaderReader) (context.Context, error) {
	return ctx, nil
}

func (propagator) ExtractToWorkflow(ctx workflow.Context, r workflow.HeaderReader) (workflow.Context, error) {
	if payload, ok := r.Get(headerField); ok {
		ctx = workflow.WithValue(ctx, signedKey{}, payload)
	}
	return ctx, nil
}

// signChild signs the workflow's principal for the child that the options of ctx name. The signature depends on the key
// alone, so a replay gives the same; a workflow whose own header does not hold hands on what it has, and the child's
// activities are refused.
func (g *guard) signChild(ctx workflow.Context) workflow.Context {
	payload, _ := ctx.Value(signedKey{}).(*commonpb.Payload)
	child := workflow.GetChildWorkflowOptions(ctx).WorkflowID
	p, err := g.signer.verify(payload, workflow.GetInfo(ctx).WorkflowExecution.ID)
	if err != nil || child == "" {
		return ctx
	}
	again, err := converter.GetDefaultDataConverter().ToPayload(g.signer.sign(p, scope{kind: scopeWorkflow, id: child}))
	if err != nil {
		return ctx
	}
	return workflow.WithValue(ctx, signedKey{}, again)
}
