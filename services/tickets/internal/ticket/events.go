package ticket

import (
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	ticketsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/tickets/events/v1"
)

// events puts messages on the ticket's stream.
func events(t Ticket, at time.Time, messages ...proto.Message) []outbox.Event {
	all := make([]outbox.Event, len(messages))
	for i, m := range messages {
		all[i] = outbox.Event{Aggregate: "ticket", ID: t.ID, Time: at, Message: m}
	}
	return all
}

func opened(t Ticket) proto.Message {
	return &ticketsv1.TicketOpened{
		TicketId: t.ID.String(), Number: Number(t.Number), CustomerId: text(t.CustomerID), Kind: string(t.Kind), Channel: t.Channel,
		Priority: int32(t.Priority), OpenedAt: timestamppb.New(t.OpenedAt),
	}
}

func assigned(was, now Ticket, a Assignment) proto.Message {
	return &ticketsv1.TicketAssigned{
		TicketId: now.ID.String(), Number: Number(now.Number), CustomerId: text(now.CustomerID), Queue: now.Queue, Agent: now.Agent,
		AgentBefore: was.Agent, Reason: a.Reason, AssignedAt: timestamppb.New(a.At),
	}
}

func replied(t Ticket, r Reply) proto.Message {
	return &ticketsv1.TicketReplied{
		TicketId: t.ID.String(), Number: Number(t.Number), CustomerId: text(t.CustomerID), ReplyId: r.ID.String(), Author: string(r.Author),
		Channel: r.Channel, RepliedAt: timestamppb.New(r.At),
	}
}

func moved(was, now Ticket) proto.Message {
	return &ticketsv1.TicketStatusChanged{
		TicketId: now.ID.String(), Number: Number(now.Number), CustomerId: text(now.CustomerID),
		StatusBefore: string(was.Status), Status: string(now.Status), ChangedAt: timestamppb.New(now.ChangedAt),
	}
}

func resolved(t Ticket, firstContact bool) proto.Message {
	return &ticketsv1.TicketResolved{
		TicketId: t.ID.String(), Number: Number(t.Number), CustomerId: text(t.CustomerID), Resolution: t.Resolution, FirstContact: firstContact,
		ResolvedAt: timestamppb.New(t.ResolvedAt),
	}
}

func reopened(t Ticket, reason string) proto.Message {
	if reason != customerReplied {
		reason = "agent"
	}
	return &ticketsv1.TicketReopened{
		TicketId: t.ID.String(), Number: Number(t.Number), CustomerId: text(t.CustomerID), Reopened: int32(t.Reopened), Reason: reason,
		ReopenedAt: timestamppb.New(t.ChangedAt),
	}
}

func closed(t Ticket) proto.Message {
	return &ticketsv1.TicketClosed{
		TicketId: t.ID.String(), Number: Number(t.Number), CustomerId: text(t.CustomerID), Resolution: t.Resolution,
		ClosedAt: timestamppb.New(t.ClosedAt),
	}
}

func merged(t, into Ticket, at time.Time) proto.Message {
	return &ticketsv1.TicketsMerged{
		TicketId: t.ID.String(), Number: Number(t.Number), CustomerId: text(t.CustomerID), IntoTicketId: into.ID.String(),
		IntoNumber: Number(into.Number), MergedAt: timestamppb.New(at),
	}
}

func text(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}
