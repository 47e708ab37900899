package survey

import (
	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	ticketsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/tickets/events/v1"
)

const aggregate = "invitation"

// idText is an id as events have it: empty for none.
func idText(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

// sentEvent tells that an invitation is ready. In anonymous mode it names neither the customer nor the occasion.
func sentEvent(i Invited) outbox.Event {
	m := &ticketsv1.SurveySent{
		InvitationId: i.ID.String(), SurveyId: i.SurveyID.String(), SurveyVersion: i.SurveyVersion, Kind: string(i.Kind),
		ContactId: idText(i.ContactID), Channel: i.Channel, Touchpoint: i.Touchpoint,
		LocksAt: timestamppb.New(i.LocksAt), SentAt: timestamppb.New(i.SentAt),
	}
	if !i.Anonymous {
		m.CustomerId, m.TicketId, m.ComplaintId = idText(i.CustomerID), idText(i.TicketID), idText(i.ComplaintID)
	}
	return outbox.Event{Aggregate: aggregate, ID: i.ID, Time: i.SentAt, Message: m}
}

// answeredEvent tells of an answer. In anonymous mode it stands on a stream of the answer's own, and tells the day only:
// nothing in it leads to the invitation.
func answeredEvent(k Kind, g given) outbox.Event {
	id := g.invitation
	if id == uuid.Nil {
		id = g.id
	}
	m := &ticketsv1.SurveyAnswered{
		InvitationId: id.String(), CustomerId: idText(g.customer), SurveyId: g.survey.String(), SurveyVersion: g.version, Kind: string(k),
		TicketId: idText(g.ticket), ComplaintId: idText(g.complaint), Touchpoint: g.touchpoint, AnsweredAt: timestamppb.New(g.at),
	}
	if score := g.content.Score; score != nil {
		m.Scored, m.Score = true, int32(*score)
	}
	m.Channel, m.Ratings = g.channel, ratings(g.content.Values)
	return outbox.Event{Aggregate: aggregate, ID: id, Time: g.at, Message: m}
}

// ratings are what was answered in numbers. What follows from other values is left out, and choices are: nothing says that they
// are in an order, and together they could tell who somebody is.
func ratings(values []value) (all []*ticketsv1.Rating) {
	for _, v := range values {
		if v.Number == nil || v.Part == partGap || v.Part == partChosen {
			continue
		}
		question := v.Question
		if v.Part != "" {
			question += "." + v.Part
		}
		all = append(all, &ticketsv1.Rating{Question: question, Value: int32(*v.Number)})
	}
	return all
}
