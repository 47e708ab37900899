package reward

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/flow"
)

// The names by which the process is started and asked.
const (
	WorkflowName = "redemption"
	StateQuery   = "state" // answers with a Progress
)

// Input names a redemption to its process; the tenant is in the signed header.
type Input struct {
	ID uuid.UUID `json:"id"`
}

// Progress is what the process knows of a redemption, and its answer to the query "state". It travels in histories, so no code of
// a voucher is in it, and nothing of the customer.
type Progress struct {
	Version  int64     `json:"version"`
	State    State     `json:"state"`
	Kind     Kind      `json:"kind"`
	Reward   string    `json:"reward"`
	Quantity int       `json:"quantity"`
	Points   int64     `json:"points"`
	DueAt    time.Time `json:"due_at,omitzero"`
	Reason   string    `json:"reason,omitempty"`
	Failure  string    `json:"failure,omitempty"`
}

// progress is what the process is told.
func (r Redemption) progress() Progress {
	return Progress{
		Version: r.Version, State: r.State, Kind: r.Kind, Reward: r.Reward, Quantity: r.Quantity, Points: r.Points, DueAt: r.DueAt,
		Reason: r.Reason, Failure: r.Failure,
	}
}

func (p Progress) open() bool { return p.State == Reserved || p.State == HandedOver }

// Handle leads a redemption to its end: it issues vouchers, and cancels what is not handed over in time, or takes as arrived what
// nobody confirmed. People decide on the row, and poke it. All that it knows is in the row, so it can be killed anywhere, and
// started anew where it was ended by hand. To cancel it is to cancel the redemption, with everything given back.
func Handle(ctx workflow.Context, in Input) error {
	p := &handling{in: in, pokes: flow.ListenForPokes(ctx)}
	if err := workflow.SetQueryHandler(ctx, StateQuery, func() (Progress, error) { return p.now, nil }); err != nil {
		return err
	}
	if err := p.ask(ctx, loadActivity, in); err != nil {
		return err
	}
	for p.now.open() && p.early < patience {
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			return workflow.NewContinueAsNewError(ctx, WorkflowName, in)
		}
		if err := p.step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// patience is how often the process finds its time over where the service's clock does not. Clocks differ by moments; where it is
// more than that, the process ends, and is started anew when the redemption is late by the service's clock.
const patience = 12

// handling is one run of the process.
type handling struct {
	in    Input
	now   Progress // as last heard
	pokes *flow.Poked
	early int // times in a row that something was asked for too early
}

// step issues a voucher, or waits until somebody does something or the time is over.
func (p *handling) step(ctx workflow.Context) error {
	left := p.now.DueAt.Sub(workflow.Now(ctx))
	if p.now.Kind == Voucher && left > 0 {
		err := p.ask(ctx, issueActivity, p.in)
		if code, final := flow.Refused(err); final {
			return p.ask(ctx, failedActivity, failedInput{ID: p.in.ID, Code: code})
		}
		return err
	}
	if p.early > 0 {
		left = max(left, time.Second<<p.early)
	}
	poked, err := p.pokes.Wait(ctx, left)
	switch {
	case temporal.IsCanceledError(err): // by an operator
		return p.ask(ctx, cancelActivity, p.in)
	case err != nil:
		return err
	case poked:
		return p.ask(ctx, loadActivity, p.in)
	}
	version := p.now.Version
	if err := p.ask(ctx, overdueActivity, overdueInput{ID: p.in.ID, DueAt: p.now.DueAt}); err != nil {
		return err
	}
	if p.now.Version == version {
		p.early++
	} else {
		p.early = 0
	}
	return nil
}

// ask has an activity change or read the redemption. It is not broken off: whatever becomes of the process meanwhile, stock and
// points are where the row says.
func (p *handling) ask(ctx workflow.Context, activity string, in any) error {
	var now Progress
	disconnected, _ := workflow.NewDisconnectedContext(ctx)
	if err := flow.Insist(flow.Patiently(disconnected, "", attempt), activity, &now, in); err != nil {
		return err
	}
	p.now = now
	workflow.SetCurrentDetails(ctx, now.describe())
	return flow.SetSearch(ctx, flow.Search{Stage: string(now.State), DueAt: now.DueAt})
}

// attempt is how long one attempt at an activity may take.
const attempt = 10 * time.Second

// describe is what Temporal's page shows.
func (p Progress) describe() string {
	text := fmt.Sprintf("**%s** %d × %s (%s) for %d points", p.State, p.Quantity, p.Reward, p.Kind, p.Points)
	switch {
	case p.State == Cancelled && p.Failure != "":
		return text + "; " + p.Reason + ": " + p.Failure
	case p.State == Cancelled:
		return text + "; " + p.Reason
	case p.State == Reserved:
		return text + "; cancelled by itself at " + p.DueAt.UTC().Format(time.RFC3339)
	case p.State == HandedOver:
		return text + "; taken as arrived at " + p.DueAt.UTC().Format(time.RFC3339)
	default:
		return text
	}
}
