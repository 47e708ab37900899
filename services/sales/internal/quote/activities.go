package quote

import (
	"context"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/flow"
)

// Input names a version of a quote to its process; the tenant is in the signed header.
type Input struct {
	QuoteID uuid.UUID `json:"quote_id"`
	Version int32     `json:"version"`
}

// silentInput says that the level that was asked until then did not answer.
type silentInput struct {
	Input
	DueAt time.Time `json:"due_at"`
}

// Decided is what a decision led to, and by which of the requests that brought it.
type Decided struct {
	Standing Standing `json:"standing"`
	Attempt  string   `json:"attempt"`
}

// Names under which the activities are registered.
const (
	loadActivity   = "quote.load"
	decideActivity = "quote.decide"
	silentActivity = "quote.silent"
)

// Worker registers the process and its activities.
func (s *Quotes) Worker(r worker.Registry) {
	r.RegisterWorkflowWithOptions(Ask, workflow.RegisterOptions{Name: WorkflowName})
	for name, do := range map[string]any{loadActivity: s.standing, decideActivity: s.decide, silentActivity: s.silence} {
		r.RegisterActivityWithOptions(do, activity.RegisterOptions{Name: name})
	}
}

// decide carries a decision out on behalf of the person who made it: whom the header of the Update names, whatever its content
// says. A decision that stands in the quote already is answered as it stands.
func (s *Quotes) decide(ctx context.Context, d Decision) (Decided, error) {
	d.By = flow.ActorOf(ctx)
	now, err := s.carryOut(ctx, d)
	return Decided{Standing: now, Attempt: d.Attempt}, err
}
