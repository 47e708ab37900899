package retention

import (
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	loyaltyv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/loyalty/events/v1"
)

const aggregate = "retention_case"

func (c Case) tell(at time.Time, m proto.Message) outbox.Event {
	return outbox.Event{Aggregate: aggregate, ID: c.ID, Time: at, Message: m}
}

func openedEvent(c Case) outbox.Event {
	return c.tell(c.OpenedAt, &loyaltyv1.RetentionCaseOpened{
		CaseId: c.ID.String(), CustomerId: c.CustomerID.String(), Kind: string(c.Kind), Trigger: string(c.Trigger), LossKind: string(c.LossKind),
		Reason: string(c.Reason), ValueBand: string(c.Band), Arm: string(c.Arm), OpenedAt: timestamppb.New(c.OpenedAt),
	})
}

// changeEvents tells what a rule changed. valid is until when the address of a contact can be fetched.
func changeEvents(was, now Case, valid, at time.Time) []outbox.Event {
	var events []outbox.Event
	for _, s := range now.Steps[len(was.Steps):] {
		switch s.Action {
		case ActionContact:
			events = append(events, now.tell(at, &loyaltyv1.RetentionContactDue{
				CaseId: now.ID.String(), CustomerId: now.CustomerID.String(), Step: string(s.Step), ContactId: idText(s.ContactID),
				Channel: s.Channel, ValidUntil: timestamppb.New(valid), DueAt: timestamppb.New(at),
			}))
		case ActionOffer:
			events = append(events, now.tell(at, &loyaltyv1.RetentionOfferMade{
				CaseId: now.ID.String(), CustomerId: now.CustomerID.String(), Offer: now.Offer.Offer, Points: now.Offer.Points, Currency: now.Currency,
				CostMinor: now.Offer.CostMinor, ExpiresAt: timestamppb.New(now.Offer.ExpiresAt), MadeAt: timestamppb.New(at),
			}))
		}
	}
	if !was.Over() && now.Over() {
		currency := ""
		if now.Revenue > 0 {
			currency = now.Currency
		}
		events = append(events, now.tell(at, &loyaltyv1.RetentionCaseClosed{
			CaseId: now.ID.String(), CustomerId: now.CustomerID.String(), Kind: string(now.Kind), Arm: string(now.Arm), Outcome: string(now.Stage),
			Currency: currency, RevenueMinor: now.Revenue, CostMinor: now.CostMinor, ClosedAt: timestamppb.New(at),
		}))
	}
	return events
}

func idText(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}
