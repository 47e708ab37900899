package crisis

import (
	"context"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

// Input names a crisis to its process; the tenant is in the signed header.
type Input struct {
	ID uuid.UUID `json:"id"`
}

// overdueInput says what was not done in time.
type overdueInput struct {
	ID    uuid.UUID `json:"id"`
	DueAt time.Time `json:"due_at"`
}

// Decided is what a decision led to, and by which of the requests that brought it.
type Decided struct {
	Crisis  Crisis `json:"crisis"`
	Attempt string `json:"attempt"`
}

// Names under which the activities are registered.
const (
	loadActivity    = "crisis.load"
	decideActivity  = "crisis.decide"
	overdueActivity = "crisis.overdue"
	answerActivity  = "crisis.answer"
)

// answersAtOnce are given in one transaction, so that each ticket is locked for a short while only.
const answersAtOnce = 20

// Worker registers the process and its activities.
func (c *Crises) Worker(r worker.Registry) {
	r.RegisterWorkflowWithOptions(Handle, workflow.RegisterOptions{Name: WorkflowName})
	for name, do := range map[string]any{
		loadActivity: c.load, decideActivity: c.decide, overdueActivity: c.overdue, answerActivity: c.answer,
	} {
		r.RegisterActivityWithOptions(do, activity.RegisterOptions{Name: name})
	}
}

func (c *Crises) load(ctx context.Context, in Input) (Crisis, error) {
	found, err := c.Get(ctx, in.ID)
	return found.Crisis, err
}

// decide carries a decision out on behalf of the person who made it: whom the header of the Update names, whatever its content
// says. A decision that stands in the crisis already is answered as it stands.
func (c *Crises) decide(ctx context.Context, d Decision) (Decided, error) {
	d.By = flow.ActorOf(ctx)
	now, err := c.carryOut(ctx, d)
	return Decided{Crisis: now, Attempt: d.Attempt}, err
}

func (c *Crises) overdue(ctx context.Context, in overdueInput) (Crisis, error) {
	return c.change(ctx, in.ID, func(was Crisis, s Setting, now time.Time) (Crisis, error) {
		return was.Overdue(in.DueAt, s, now), nil
	}, nil)
}

func (c *Crises) answer(ctx context.Context, in Input) (Crisis, error) {
	return c.answerSome(ctx, in.ID, answersAtOnce)
}

// reply gives an answer as a public reply on the ticket of its complaint; code tells why the ticket does not take it.
func (c *Crises) reply(ctx context.Context, tx *pg.Tx, p planned, at time.Time) (code string, err error) {
	err = tx.Savepoint(ctx, func() error {
		_, err := ticket.Say(ctx, tx, c.outbox, p.ticket, ticket.Reply{Author: ticket.ByAgent, Words: p.words, By: p.by, At: at})
		return err
	})
	if code, ok := refused(err); ok {
		return code, nil
	}
	return "", err
}
