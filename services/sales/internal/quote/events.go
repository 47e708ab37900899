package quote

import (
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
)

const aggregate = "quote"

func text(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

// events tells what a rule changed of a quote: of each step that came to it.
func events(was, now Quote) (told []outbox.Event) {
	for _, s := range now.Steps[len(was.Steps):] {
		for _, m := range messages(now, s) {
			told = append(told, outbox.Event{Aggregate: aggregate, ID: now.ID, Time: s.At, Message: m})
		}
	}
	return told
}

// messages gives the events of a step; none for what nobody but us has to know.
func messages(q Quote, s Step) []proto.Message {
	v := q.Versions[s.Version-1]
	id, customer, opportunity, at := q.ID.String(), q.CustomerID.String(), text(q.OpportunityID), timestamppb.New(s.At)
	switch s.Action {
	case ActionSubmit, ActionApprove, ActionEscalate:
		if v.State == InApproval {
			return []proto.Message{requested(q, v, s.At)}
		}
		m := &salesv1.QuoteApproved{QuoteId: id, CustomerId: customer, OpportunityId: opportunity, Version: v.No, ApprovedAt: at}
		if s.Action == ActionApprove {
			m.Level, m.By = s.Level, s.By
		}
		return []proto.Message{m}
	case ActionReject:
		m := &salesv1.QuoteRejected{QuoteId: id, CustomerId: customer, OpportunityId: opportunity, Version: v.No, Level: s.Level, Reason: s.Code, RejectedAt: at}
		if s.By != process {
			m.By = s.By
		}
		return []proto.Message{m}
	case ActionSend:
		return []proto.Message{&salesv1.QuoteSent{QuoteId: id, CustomerId: customer, OpportunityId: opportunity, Version: v.No,
			Currency: v.Content.Currency, TotalMinor: v.Totals.TotalMinor, ValidUntil: v.Content.ValidUntil, SentAt: at}}
	case ActionAccept:
		return []proto.Message{&salesv1.QuoteAccepted{QuoteId: id, CustomerId: customer, OpportunityId: opportunity, Version: v.No,
			Currency: v.Content.Currency, TotalMinor: v.Totals.TotalMinor, OrderId: v.OrderID.String(), AcceptedAt: at}}
	case ActionDecline:
		return []proto.Message{&salesv1.QuoteDeclined{QuoteId: id, CustomerId: customer, OpportunityId: opportunity, Version: v.No, Reason: s.Code, DeclinedAt: at}}
	case ActionExpire:
		return []proto.Message{&salesv1.QuoteExpired{QuoteId: id, CustomerId: customer, OpportunityId: opportunity, Version: v.No,
			ValidUntil: v.Content.ValidUntil, ExpiredAt: at}}
	default:
		return nil
	}
}

func requested(q Quote, v Version, at time.Time) *salesv1.QuoteApprovalRequested {
	a := v.Approval
	return &salesv1.QuoteApprovalRequested{
		QuoteId: q.ID.String(), CustomerId: q.CustomerID.String(), OpportunityId: text(q.OpportunityID), Version: v.No, Level: a.Level().Code,
		RequestedBy: a.Requested, Escalated: a.Escalated, Currency: v.Content.Currency, TotalMinor: v.Totals.TotalMinor, Discount: v.Totals.DiscountRate(),
		DueAt: timestamppb.New(a.DueAt), RequestedAt: timestamppb.New(at),
	}
}
