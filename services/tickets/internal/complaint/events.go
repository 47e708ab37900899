package complaint

import (
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	ticketsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/tickets/events/v1"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/policy"
)

const aggregate = "complaint"

func registeredEvent(c Complaint) outbox.Event {
	order := ""
	if c.OrderID != uuid.Nil {
		order = c.OrderID.String()
	}
	return outbox.Event{Aggregate: aggregate, ID: c.ID, Time: c.RegisteredAt, Message: &ticketsv1.ComplaintRegistered{
		ComplaintId: c.ID.String(), CustomerId: c.CustomerID.String(), Number: c.Number, TicketId: c.TicketID.String(),
		Category: c.Category, Channel: c.Channel, OrderId: order, RegisteredAt: timestamppb.New(c.RegisteredAt),
	}}
}

// changeEvents tells what a rule changed: an event for each step that is new, and one for the end.
func changeEvents(was, now Complaint, p policy.Policy, at time.Time) []outbox.Event {
	var events []outbox.Event
	tell := func(m proto.Message) {
		events = append(events, outbox.Event{Aggregate: aggregate, ID: now.ID, Time: at, Message: m})
	}
	for _, s := range now.Steps[len(was.Steps):] {
		if m := now.event(s, p, timestamppb.New(at)); m != nil {
			tell(m)
		}
	}
	if now.Stage == Closed && was.Stage != Closed {
		closed := &ticketsv1.ComplaintClosed{
			ComplaintId: now.ID.String(), CustomerId: now.CustomerID.String(), Number: now.Number, Outcome: string(now.Outcome),
			ClosedAt: timestamppb.New(at),
		}
		if now.Proposal != nil && now.Proposal.spent() > 0 {
			closed.CostMinor, closed.Currency = now.Proposal.spent(), now.Proposal.Currency
		}
		tell(closed)
	}
	return events
}

// spent is what the parts that were carried out cost.
func (p Proposal) spent() (minor int64) {
	for _, part := range p.Parts {
		if part.State == Done {
			minor += part.CostMinor
		}
	}
	return minor
}

// event tells of one step; nil where the step has no event of its own.
func (c Complaint) event(s Step, limits policy.Policy, at *timestamppb.Timestamp) proto.Message {
	id, customer, number := c.ID.String(), c.CustomerID.String(), c.Number
	switch s.Action {
	case Assess:
		return &ticketsv1.ComplaintAssessed{ComplaintId: id, CustomerId: customer, Number: number,
			Admissible: c.Outcome != Inadmissible, Severity: int32(c.Severity), AssessedAt: at}
	case Assign:
		return &ticketsv1.ComplaintAssigned{ComplaintId: id, CustomerId: customer, Number: number, Unit: c.Unit, AssignedAt: at}
	case Find:
		return &ticketsv1.ComplaintInvestigated{ComplaintId: id, CustomerId: customer, Number: number, Finding: c.Finding, Cause: c.Cause, FoundAt: at}
	case Remind:
		return &ticketsv1.ComplaintReminded{ComplaintId: id, CustomerId: customer, Number: number, Stage: string(c.Stage),
			Reminders: int32(c.Reminders), RemindedAt: at}
	default:
		return c.remedyEvent(s, limits, at)
	}
}

func (c Complaint) remedyEvent(s Step, limits policy.Policy, at *timestamppb.Timestamp) proto.Message {
	id, customer, number, p := c.ID.String(), c.CustomerID.String(), c.Number, c.Proposal
	switch s.Action {
	case Propose:
		return &ticketsv1.RemedyProposed{ComplaintId: id, CustomerId: customer, Number: number, Proposal: int32(p.No), CostMinor: p.CostMinor,
			Currency: p.Currency, Points: p.points(), Approval: string(p.Approval), ProposedAt: at}
	case Approve:
		return &ticketsv1.RemedyApproved{ComplaintId: id, CustomerId: customer, Number: number, Proposal: int32(p.No), ApprovedAt: at}
	case Refuse:
		return &ticketsv1.RemedyRefused{ComplaintId: id, CustomerId: customer, Number: number, Proposal: int32(p.No), RefusedAt: at}
	case Accept:
		return &ticketsv1.RemedyAccepted{ComplaintId: id, CustomerId: customer, Number: number, Proposal: int32(p.No), AcceptedAt: at}
	case Reject:
		return &ticketsv1.RemedyRejected{ComplaintId: id, CustomerId: customer, Number: number, Proposal: int32(p.No),
			RoundsLeft: int32(max(0, limits.Rounds-c.Rounds)), RejectedAt: at}
	case Execute:
		return &ticketsv1.RemedyExecuted{ComplaintId: id, CustomerId: customer, Number: number, Proposal: int32(p.No), Points: p.granted(), ExecutedAt: at}
	case Fail:
		failed := &ticketsv1.RemedyFailed{ComplaintId: id, CustomerId: customer, Number: number, Proposal: int32(p.No), FailedAt: at}
		for _, part := range p.Parts {
			if part.State == Failed {
				failed.Part, failed.Code = string(part.Kind), part.Reference
			}
		}
		return failed
	default:
		return nil
	}
}
