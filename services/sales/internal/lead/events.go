package lead

import (
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
)

// Aggregate is the type of leads in events.
const Aggregate = "lead"

func tell(l Lead, at time.Time, m proto.Message) outbox.Event {
	return outbox.Event{Aggregate: Aggregate, ID: l.ID, Time: at, Message: m}
}

func text(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

func capturedEvent(l Lead) outbox.Event {
	return tell(l, l.RecordedAt, &salesv1.LeadCaptured{
		LeadId: l.ID.String(), CustomerId: text(l.CustomerID), Capture: string(l.Capture), Source: l.Source, Campaign: l.Campaign,
		Country: l.Country, Team: l.Team, CapturedAt: timestamppb.New(l.CapturedAt),
	})
}

func enquiredEvent(l Lead, e Enquiry, at time.Time) outbox.Event {
	return tell(l, at, &salesv1.LeadEnquired{
		LeadId: l.ID.String(), CustomerId: text(l.CustomerID), Capture: string(e.Capture), Source: e.Source, Campaign: e.Campaign,
		EnquiredAt: timestamppb.New(e.At),
	})
}

func assignedEvent(was, now Lead, reason string) outbox.Event {
	return tell(now, now.ChangedAt, &salesv1.LeadAssigned{
		LeadId: now.ID.String(), CustomerId: text(now.CustomerID), Team: now.Team, Owner: now.Owner, OwnerBefore: was.Owner, Reason: reason,
		AssignedAt: timestamppb.New(now.AssignedAt),
	})
}

func qualifiedEvent(l Lead, score int32) outbox.Event {
	return tell(l, l.ChangedAt, &salesv1.LeadQualified{
		LeadId: l.ID.String(), CustomerId: text(l.CustomerID), By: l.QualifiedBy, Score: score, QualifiedAt: timestamppb.New(l.QualifiedAt),
	})
}

func lostEvent(l Lead, at time.Time) outbox.Event {
	return tell(l, at, &salesv1.LeadLost{
		LeadId: l.ID.String(), CustomerId: text(l.CustomerID), Reason: l.LostReason, State: string(Lost), LostAt: timestamppb.New(l.LostAt),
	})
}

func reopenedEvent(l Lead) outbox.Event {
	return tell(l, l.ChangedAt, &salesv1.LeadReopened{
		LeadId: l.ID.String(), CustomerId: text(l.CustomerID), State: string(Open), ReopenedAt: timestamppb.New(l.ChangedAt),
	})
}

func handedOverEvent(l Lead, nurturing bool, reason string, score int32) outbox.Event {
	to := "sales"
	if nurturing {
		to = string(Nurturing)
	}
	return tell(l, l.ChangedAt, &salesv1.LeadHandedOver{
		LeadId: l.ID.String(), CustomerId: text(l.CustomerID), To: to, Reason: reason, Score: score, HandedOverAt: timestamppb.New(l.ChangedAt),
	})
}

// wonBeforeEvent tells of a lead that came in as won: with no opportunity, and a customer only where one was named.
func wonBeforeEvent(l Lead, at time.Time) outbox.Event {
	return tell(l, at, &salesv1.LeadConverted{
		LeadId: l.ID.String(), CustomerId: text(l.CustomerID), State: string(Converted), ConvertedAt: timestamppb.New(l.ConvertedAt),
	})
}
