package nurture

import (
	"context"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/flow"
)

// Input names a case to its process; the tenant is in the signed header.
type Input struct {
	ID uuid.UUID `json:"id"`
}

// Looked is where a case stands, once what is due has been done that needs nobody else.
type Looked struct {
	Case Case `json:"case"`
	Ask  *Ask `json:"ask,omitempty"` // accounts has to be asked this first; nil: nothing
}

// Ask is what accounts is to be asked for a touch.
type Ask struct {
	Next       int       `json:"next"` // place of the touch in the programme
	Round      int       `json:"round"`
	Touch      string    `json:"touch"`
	Channel    string    `json:"channel,omitempty"`
	CustomerID uuid.UUID `json:"customer_id"`
}

// touchedInput is what accounts said: a refusal, or how the customer is reached.
type touchedInput struct {
	ID         uuid.UUID `json:"id"`
	Next       int       `json:"next"`
	Round      int       `json:"round"`
	Refusal    string    `json:"refusal,omitempty"`
	ContactID  uuid.UUID `json:"contact_id,omitzero"`
	Channel    string    `json:"channel,omitempty"`
	ValidUntil time.Time `json:"valid_until,omitzero"`
}

// Decided is what a decision led to, and by which of the requests that brought it.
type Decided struct {
	Case    Case   `json:"case"`
	Attempt string `json:"attempt"`
}

// Names under which the activities are registered.
const (
	lookActivity    = "nurture.look"
	touchedActivity = "nurture.touched"
	decideActivity  = "nurture.decide"
)

// Worker registers the process and its activities.
func (n *Nurture) Worker(w worker.Registry) {
	w.RegisterWorkflowWithOptions(Handle, workflow.RegisterOptions{Name: WorkflowName})
	for name, do := range map[string]any{
		lookActivity:    func(ctx context.Context, in Input) (Looked, error) { return n.look(ctx, in.ID) },
		touchedActivity: n.touched, decideActivity: n.decide,
	} {
		w.RegisterActivityWithOptions(do, activity.RegisterOptions{Name: name})
	}
}

// decide carries a decision out on behalf of the person who made it: whom the header of the Update names, whatever its content
// says. A decision that stands in the case already is answered as it stands.
func (n *Nurture) decide(ctx context.Context, d Decision) (Decided, error) {
	d.By = flow.ActorOf(ctx)
	is, err := n.carryOut(ctx, d)
	return Decided{Case: is, Attempt: d.Attempt}, err
}
