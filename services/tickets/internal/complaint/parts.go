package complaint

import (
	"context"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

// lockPart gives a complaint that is locked until the transaction ends, and a part of its last proposal.
func lockPart(ctx context.Context, tx *pg.Tx, in ticketInput) (Complaint, Part, error) {
	of, err := load(ctx, tx, in.ID, true)
	if err != nil {
		return of, Part{}, err
	}
	if of.Proposal == nil || of.Proposal.No != in.Proposal || in.Part < 1 || in.Part > len(of.Proposal.Parts) {
		return of, Part{}, problem.New(problem.Conflict, "part_unknown", "The complaint's last proposal has no such part.")
	}
	return of, of.Proposal.Parts[in.Part-1], nil
}

// keepReference queues what is known of a part beside its proposal.
func keepReference(tx *pg.Tx, in ticketInput, state PartState, reference string) {
	tx.Queue(`UPDATE complaint_part SET state = $5, reference = $6 WHERE tenant_id = $1 AND complaint_id = $2 AND proposal = $3 AND no = $4`,
		tx.Tenant(), in.ID, in.Proposal, in.Part, state, reference)
}

// ticketOf opens the ticket of a part, for whoever repairs, exchanges or serves.
func ticketOf(ctx context.Context, tx *pg.Tx, c *Complaints, of Complaint, part Part) (uuid.UUID, error) {
	t, err := ticket.Open(ctx, tx, c.outbox, ticket.Draft{
		Kind: ticket.Incident, Channel: of.Channel, CustomerID: of.CustomerID, Subject: string(part.Kind) + " for complaint " + of.Number,
		Impact: 3, Urgency: urgency(of.Severity), By: process, At: c.now(),
	})
	return t.ID, err
}

// urgency is that of a ticket by the severity of its complaint: a grave one's is done at once.
func urgency(severity int) int { return max(1, min(3, severity)) }

// closeUnlessDone closes a ticket on which the work has not been done.
func closeUnlessDone(ctx context.Context, tx *pg.Tx, c *Complaints, id uuid.UUID) error {
	t, err := ticket.Lock(ctx, tx, id)
	if err != nil {
		return err
	}
	if t.Status == ticket.StatusResolved || t.Status == ticket.StatusClosed {
		return problem.New(problem.Conflict, "ticket_done", "The ticket is %s: what was done cannot be taken back.", t.Status)
	}
	return ticket.Follow(ctx, tx, c.outbox, id, ticket.StatusClosed, c.now())
}
