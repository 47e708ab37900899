package complaint

import (
	"context"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/policy"
)

// Input names a complaint to its process; the tenant is in the signed header.
type Input struct {
	ID uuid.UUID `json:"id"`
}

// overdueInput says which step was not taken in time.
type overdueInput struct {
	ID    uuid.UUID `json:"id"`
	DueAt time.Time `json:"due_at"`
}

// executedInput says what the parts of a proposal came to.
type executedInput struct {
	ID       uuid.UUID    `json:"id"`
	Proposal int          `json:"proposal"`
	Results  []PartResult `json:"results"`
}

// failedInput says which part of a proposal was refused for good.
type failedInput struct {
	ID uuid.UUID `json:"id"`
	Failure
}

// ticketInput names a part that is done by a ticket of its own.
type ticketInput struct {
	ID       uuid.UUID `json:"id"`
	Proposal int       `json:"proposal"`
	Part     int       `json:"part"`
}

// Decided is what a decision led to, and by which of the requests that brought it.
type Decided struct {
	Complaint Complaint `json:"complaint"`
	Attempt   string    `json:"attempt"`
}

// Names under which the activities are registered.
const (
	loadActivity     = "complaint.load"
	decideActivity   = "complaint.decide"
	overdueActivity  = "complaint.overdue"
	executedActivity = "complaint.executed"
	failedActivity   = "complaint.failed"
	endActivity      = "complaint.end"

	partActivity        = "complaint.part"
	openTicketActivity  = "complaint.open_ticket"
	closeTicketActivity = "complaint.close_ticket"
)

// Worker registers the process and its activities.
func (c *Complaints) Worker(r worker.Registry) {
	r.RegisterWorkflowWithOptions(Handle, workflow.RegisterOptions{Name: WorkflowName})
	for name, do := range map[string]any{
		loadActivity: c.load, decideActivity: c.decide, overdueActivity: c.overdue,
		executedActivity: c.executed, failedActivity: c.failed, endActivity: c.endByHand, partActivity: c.part,
		openTicketActivity: c.openTicket, closeTicketActivity: c.closeTicket,
	} {
		r.RegisterActivityWithOptions(do, activity.RegisterOptions{Name: name})
	}
}

func (c *Complaints) load(ctx context.Context, in Input) (Complaint, error) {
	found, err := c.Get(ctx, in.ID)
	return found.Complaint, err
}

// decide carries a decision out on behalf of the person who made it: whom the header of the Update names, whatever its
// content says. A decision that stands in the complaint already is answered as it stands.
func (c *Complaints) decide(ctx context.Context, d Decision) (Decided, error) {
	d.By = flow.ActorOf(ctx)
	now, err := c.change(ctx, d.ComplaintID, func(was Complaint, p policy.Policy, now time.Time) (Complaint, error) {
		if before, err := was.Decided(d); before || err != nil {
			return was, err
		}
		return was.Decide(d, p, now)
	})
	if name, _ := pg.Constraint(err); name == decisionIndex { // on another complaint, in the same moment
		err = flow.Same(nil, d.ID[:])
	}
	return Decided{Complaint: now, Attempt: d.Attempt}, err
}

func (c *Complaints) overdue(ctx context.Context, in overdueInput) (Complaint, error) {
	return c.change(ctx, in.ID, func(was Complaint, p policy.Policy, now time.Time) (Complaint, error) {
		return was.Overdue(in.DueAt, p, now), nil
	})
}

func (c *Complaints) executed(ctx context.Context, in executedInput) (Complaint, error) {
	return c.change(ctx, in.ID, func(was Complaint, p policy.Policy, now time.Time) (Complaint, error) {
		return was.Executed(in.Proposal, in.Results, p, now), nil
	})
}

func (c *Complaints) part(ctx context.Context, in executedInput) (Complaint, error) {
	return c.change(ctx, in.ID, func(was Complaint, _ policy.Policy, _ time.Time) (Complaint, error) {
		return was.PartDone(in.Proposal, in.Results), nil
	})
}

func (c *Complaints) failed(ctx context.Context, in failedInput) (Complaint, error) {
	return c.change(ctx, in.ID, func(was Complaint, p policy.Policy, now time.Time) (Complaint, error) {
		return was.CannotExecute(in.Failure, p, now), nil
	})
}

// endByHand withdraws a complaint whose process an operator cancelled.
func (c *Complaints) endByHand(ctx context.Context, in Input) (Complaint, error) {
	return c.change(ctx, in.ID, func(was Complaint, p policy.Policy, now time.Time) (Complaint, error) {
		return was.Cancelled(p, now), nil
	})
}

// openTicket opens the ticket by which a part of a remedy is done, once: its id is written down beside the part. It fails for
// good where the part is not being carried out.
func (c *Complaints) openTicket(ctx context.Context, in ticketInput) (PartResult, error) {
	result := PartResult{No: in.Part}
	err := c.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		of, part, err := lockPart(ctx, tx, in)
		if err != nil {
			return err
		}
		if result.Reference = part.Reference; result.Reference != "" {
			return nil
		}
		if !of.carryingOut(in.Proposal) {
			return problem.New(problem.Conflict, "complaint_stage", "This remedy is not being carried out.")
		}
		id, err := ticketOf(ctx, tx, c, of, part)
		if err != nil {
			return err
		}
		result.Reference = id.String()
		keepReference(tx, in, part.State, result.Reference)
		return nil
	})
	return result, err
}

// closeTicket closes the ticket of a part that is to be taken back, once. It fails for good where the work has been done.
func (c *Complaints) closeTicket(ctx context.Context, in ticketInput) error {
	return c.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		_, part, err := lockPart(ctx, tx, in)
		if err != nil || part.State == TakenBack || part.Reference == "" {
			return err
		}
		id, err := uuid.Parse(part.Reference)
		if err != nil {
			return err
		}
		if err := closeUnlessDone(ctx, tx, c, id); err != nil {
			return err
		}
		keepReference(tx, in, TakenBack, part.Reference)
		return nil
	})
}
