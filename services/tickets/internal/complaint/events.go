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

// text gives an id as events carry it; empty where there is none.
func text(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

func registeredEvent(c Complaint) outbox.Event {
	return outbox.Event{Aggregate: aggregate, ID: c.ID, Time: c.RegisteredAt, Message: &ticketsv1.ComplaintRegistered{
		ComplaintId: c.ID.String(), CustomerId: c.CustomerID.String(), Number: c.Number, TicketId: c.TicketID.String(),
		Category: c.Category, Channel: c.Channel, OrderId: text(c.OrderID), RegisteredAt: timestamppb.New(c.RegisteredAt),
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
		if cost := now.cost(); cost > 0 {
			closed.CostMinor, closed.Currency = cost, now.Proposal.Currency
		}
		tell(closed)
	}
	return events
}

// cost is what was spent on a complaint since it was registered or, if it had been closed before, since it was taken up again.
func (c Complaint) cost() int64 {
	if c.Proposal == nil {
		return 0
	}
	return c.CarriedMinor + c.Proposal.spent()
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
			Admissible: c.Outcome != Inadmissible, Severity: int32(c.Severity), Safety: c.Safety, Containment: c.Containment, AssessedAt: at}
	case Assign, Rule:
		return &ticketsv1.ComplaintAssigned{ComplaintId: id, CustomerId: customer, Number: number, Unit: c.Unit, AssignedAt: at}
	case Find:
		return &ticketsv1.ComplaintInvestigated{ComplaintId: id, CustomerId: customer, Number: number, Finding: c.Finding, Cause: c.Cause, FoundAt: at}
	case Remind:
		return &ticketsv1.ComplaintReminded{ComplaintId: id, CustomerId: customer, Number: number, Stage: string(c.Stage),
			Reminders: int32(c.Reminders), RemindedAt: at}
	case Acknowledge:
		return &ticketsv1.ComplaintAcknowledged{ComplaintId: id, CustomerId: customer, Number: number, Channel: s.Detail.Channel,
			DueAt: stamp(c.AcknowledgeBy), AcknowledgedAt: at}
	case Warn, Miss:
		return &ticketsv1.ComplaintWarned{ComplaintId: id, CustomerId: customer, Number: number, Deadline: string(s.Detail.Deadline),
			DueAt: stamp(s.Detail.DueAt), Passed: s.Action == Miss, DaysLeft: int32(s.Detail.DaysLeft), WarnedAt: at}
	case Reopen:
		return &ticketsv1.ComplaintReopened{ComplaintId: id, CustomerId: customer, Number: number, Reason: s.Detail.Why,
			Level: int32(s.Detail.Level), OutcomeBefore: string(s.Detail.Before), ReopenedAt: at}
	case Answer:
		return &ticketsv1.ComplaintAnswered{ComplaintId: id, CustomerId: customer, Number: number, Medium: s.Detail.Medium,
			OutsideBodies: s.Detail.Bodies, DueAt: stamp(c.LegalDueAt), AnsweredAt: at}
	case Escalate:
		return &ticketsv1.ComplaintEscalated{ComplaintId: id, CustomerId: customer, Number: number, Category: c.Category, EscalatedAt: at,
			CrisisId: text(s.Detail.CrisisID)}
	default:
		return c.remedyEvent(s, limits, at)
	}
}

// stamp gives a time as events carry it; absent where there is none.
func stamp(at time.Time) *timestamppb.Timestamp {
	if at.IsZero() {
		return nil
	}
	return timestamppb.New(at)
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
		failed := &ticketsv1.RemedyFailed{ComplaintId: id, CustomerId: customer, Number: number, Proposal: int32(p.No), FailedAt: at,
			Stuck: c.Stage == Stuck}
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
