package nurture

import (
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	salesv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/sales/events/v1"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
)

// touchEvents tells of the touches that came to a case. valid is until when the address can be fetched at accounts.
func touchEvents(was, now Case, l lead.Lead, valid time.Time) []outbox.Event {
	var events []outbox.Event
	for _, s := range now.Steps[len(was.Steps):] {
		if s.Action != ActionTouch {
			continue
		}
		m := &salesv1.LeadTouchDue{
			LeadId: l.ID.String(), CustomerId: text(l.CustomerID), NurturingId: now.ID.String(), Programme: now.Programme, Touch: s.Touch,
			ContactId: text(s.ContactID), Channel: s.Channel, DueAt: timestamppb.New(s.At),
		}
		if s.ContactID != uuid.Nil {
			m.ValidUntil = timestamppb.New(valid)
		}
		events = append(events, outbox.Event{Aggregate: lead.Aggregate, ID: l.ID, Time: s.At, Message: m})
	}
	return events
}

func text(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}
