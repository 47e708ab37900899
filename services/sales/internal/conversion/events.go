package conversion

import (
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
)

func convertedEvent(c Conversion, l lead.Lead) outbox.Event {
	m := &salesv1.LeadConverted{
		LeadId: l.ID.String(), CustomerId: l.CustomerID.String(), OpportunityId: l.OpportunityID.String(), CustomerCreated: c.Customer.Created,
		ContactCreated: c.Contact.Created, State: string(Converted), ConvertedAt: timestamppb.New(l.ConvertedAt),
	}
	if l.ContactID != uuid.Nil {
		m.ContactId = l.ContactID.String()
	}
	return outbox.Event{Aggregate: "lead", ID: l.ID, Time: l.ConvertedAt, Message: m}
}

// undoneEvent tells of the lead as it was: whose it was held to be is whose timeline it stands on.
func undoneEvent(c Conversion, was lead.Lead, at time.Time) outbox.Event {
	return outbox.Event{Aggregate: "lead", ID: was.ID, Time: at, Message: &salesv1.LeadConversionUndone{
		LeadId: was.ID.String(), CustomerId: was.CustomerID.String(), OpportunityId: c.OpportunityID.String(), By: c.UndoneBy,
		State: string(lead.Open), UndoneAt: timestamppb.New(at),
	}}
}
