// Package ticketstest begins the tests of the rooms of tickets: the service as it runs, and the road of a complaint. Only
// tests import it.
package ticketstest

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"

	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/apptest"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/platform/problem"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/activities/v1"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/activities/v1"
	"github.com/guanxi-crm/guanxi/services/tickets"
)

// Body is a JSON object.
type Body = map[string]any

// World is a running service.
type World struct {
	*apptest.Service
	Agent, Manager, Director string // tokens of the tenant pizza
	t                        *testing.T
}

// Start runs the service, without workers, until the test ends: what needs no decision.
func Start(t *testing.T) *World {
	t.Helper()
	return world(t, apptest.Start(t, tickets.Module()))
}

// StartWithoutTemporal is Start where nobody answers for the process engine.
func StartWithoutTemporal(t *testing.T) *World {
	t.Helper()
	m := tickets.Module()
	s := apptest.StartOn(t, m, pgtest.Database(t, m.Source()), func(cfg *app.Config) { cfg.Temporal.Address = "127.0.0.1:1" })
	s.StopAtEnd()
	return world(t, s)
}

// StartLive runs the service with workers on a real Temporal server, beside stand-ins of loyalty and sales; with all its
// roles, unless some are named.
func StartLive(t *testing.T, roles ...string) (*World, *flow.Client, *Neighbours) {
	t.Helper()
	s, client := apptest.StartLive(t, tickets.Module(), roles...)
	n := &Neighbours{Granted: map[string]int64{}, Reversed: map[string]bool{}, Refunded: map[string]int64{}}
	ctx, stop := context.WithCancel(context.Background())
	var done sync.WaitGroup
	for _, service := range []string{"loyalty", "sales"} {
		done.Go(func() {
			if err := client.RunWorker(ctx, service, n.Register); err != nil {
				t.Errorf("worker of %s: %v", service, err)
			}
		})
	}
	t.Cleanup(func() { stop(); done.Wait() })
	return world(t, s), client, n
}

func world(t *testing.T, s *apptest.Service) *World {
	t.Helper()
	return &World{
		Service: s, t: t, Agent: s.Token(auth.RoleAgent, "pizza"), Manager: s.Token(auth.RoleManager, "pizza"),
		Director: s.Token(auth.RoleAdmin, "pizza"),
	}
}

// Neighbours stand in for loyalty and sales: they keep the promises of the contracts of their activities.
type Neighbours struct {
	mu       sync.Mutex
	Granted  map[string]int64 // points by key
	Reversed map[string]bool  // by the grant's key
	Refunded map[string]int64 // amount by key
	Tenants  []string         // on whose behalf
	// RefuseRefund has every refund refused for good with this code; empty: none.
	RefuseRefund string
	// RefuseOrder has refunds of this order alone refused for good; empty: of none.
	RefuseOrder string
	// AwayFor is how many calls find the neighbours away.
	AwayFor int
}

// Register registers the stand-ins under the names of the contracts.
func (n *Neighbours) Register(r worker.Registry) {
	r.RegisterActivityWithOptions(n.grant, activity.RegisterOptions{Name: flow.ActivityName(&loyaltyv1.GrantPoints{})})
	r.RegisterActivityWithOptions(n.reverse, activity.RegisterOptions{Name: flow.ActivityName(&loyaltyv1.ReverseGrant{})})
	r.RegisterActivityWithOptions(n.refund, activity.RegisterOptions{Name: flow.ActivityName(&salesv1.RefundOrder{})})
}

// Look reads what happened.
func (n *Neighbours) Look(look func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	look()
}

func (n *Neighbours) away() error {
	if n.AwayFor > 0 {
		n.AwayFor--
		return errors.New("away")
	}
	return nil
}

func (n *Neighbours) grant(ctx context.Context, in *loyaltyv1.GrantPoints) (*loyaltyv1.GrantPointsResult, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.away(); err != nil {
		return nil, err
	}
	n.Tenants = append(n.Tenants, auth.Tenant(ctx))
	if n.Reversed[in.GetIdempotencyKey()] {
		return nil, problem.New(problem.Conflict, "grant_reversed", "The grant was reversed.")
	}
	n.Granted[in.GetIdempotencyKey()] = in.GetPoints()
	return &loyaltyv1.GrantPointsResult{EntryId: "entry of " + in.GetIdempotencyKey(), Points: in.GetPoints()}, nil
}

func (n *Neighbours) reverse(_ context.Context, in *loyaltyv1.ReverseGrant) (*loyaltyv1.ReverseGrantResult, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.Reversed[in.GetIdempotencyKey()] = true
	return &loyaltyv1.ReverseGrantResult{Points: n.Granted[in.GetIdempotencyKey()]}, nil
}

func (n *Neighbours) refund(_ context.Context, in *salesv1.RefundOrder) (*salesv1.RefundOrderResult, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.away(); err != nil {
		return nil, err
	}
	if n.RefuseRefund != "" {
		return nil, problem.New(problem.Unprocessable, n.RefuseRefund, "Nothing is left to take back.")
	}
	if n.RefuseOrder == in.GetOrderId() {
		return nil, problem.New(problem.Unprocessable, "return_invalid", "Nothing is left to take back.")
	}
	n.Refunded[in.GetIdempotencyKey()] = in.GetAtMostMinor()
	return &salesv1.RefundOrderResult{ReturnId: "return of " + in.GetOrderId(), AmountMinor: in.GetAtMostMinor()}, nil
}

// Complaint is a complaint as the API shows it, as far as tests look at it.
type Complaint struct {
	ID       string `json:"complaint_id"`
	TicketID string `json:"ticket_id"`
	Number   string
	Customer string `json:"customer_id"`
	Stage    string
	Outcome  string
	Severity int
	Version  int64
	Rounds   int
	Remind   int `json:"reminders"`
	Proposal struct {
		CostMinor int64 `json:"cost_minor"`
		Approval  string
		Parts     []struct{ Kind, State, Reference string }
	}
	Steps []struct{ Action, By, Reason string }
	Next  []struct{ Action, Permission string }
}

// Actions lists what happened.
func (c Complaint) Actions() (actions []string) {
	for _, s := range c.Steps {
		actions = append(actions, s.Action)
	}
	return actions
}

// Cold is the body that registers a complaint about a cold pizza.
func Cold(customer string) Body {
	return Body{"customer_id": customer, "category": "product", "channel": "phone", "description": "比萨是凉的。 The pizza was cold."}
}

// Register registers a complaint of the tenant pizza.
func (w *World) Register(customer string) Complaint {
	w.t.Helper()
	var c Complaint
	w.Want(http.StatusCreated, http.MethodPost, "/v1/complaints", w.Agent, Cold(customer), &c)
	return c
}

// Decide makes a decision, which must be taken.
func (w *World) Decide(c Complaint, action, token string, body Body, headers ...string) Complaint {
	w.t.Helper()
	var now Complaint
	w.Want(http.StatusOK, http.MethodPost, "/v1/complaints/"+c.ID+"/"+action, token, body, &now, headers...)
	return now
}

// Offer leads a new complaint to where the customer has to decide on the parts; a manager approves, if somebody has to.
func (w *World) Offer(customer string, parts ...Body) Complaint {
	w.t.Helper()
	c := w.Register(customer)
	w.Decide(c, "assess", w.Agent, Body{"admissible": true, "severity": 3})
	w.Decide(c, "assign", w.Agent, Body{"unit": "kitchen"})
	w.Decide(c, "find", w.Agent, Body{"finding": "founded", "cause": "product"})
	c = w.Decide(c, "propose", w.Agent, Body{"currency": "CNY", "parts": parts})
	if c.Stage == "proposed" {
		c = w.Decide(c, "approve", w.Manager, Body{})
	}
	return c
}

// Reach waits until a complaint has reached a stage.
func (w *World) Reach(c Complaint, stage string) Complaint {
	w.t.Helper()
	var now Complaint
	w.Eventually("the complaint is "+stage, func() bool {
		w.Want(http.StatusOK, http.MethodGet, "/v1/complaints/"+c.ID, w.Agent, nil, &now)
		return now.Stage == stage
	})
	return now
}
