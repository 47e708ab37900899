package routing

import (
	"context"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/bus"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/inbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	ticketsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/tickets/events/v1"
)

// Consumer hears of tickets that somebody has to take, and of those that nobody has to any more. It only remembers what to
// look at: Pass looks at the tickets themselves, so that an event that comes late, twice or out of order does no harm.
func (r *Routing) Consumer() inbox.Consumer {
	return inbox.Consumer{
		Name:   "routing",
		Topics: []string{bus.TopicFor(r.service)},
		Handles: []proto.Message{
			&ticketsv1.TicketOpened{}, &ticketsv1.TicketReopened{}, &ticketsv1.TicketAssigned{},
			&ticketsv1.TicketResolved{}, &ticketsv1.TicketClosed{}, &ticketsv1.TicketsMerged{},
		},
		Apply: func(ctx context.Context, tx *pg.Tx, events []inbox.Event) error {
			var all, waiting []uuid.UUID
			var reopened []bool
			for _, e := range events {
				id, err := uuid.Parse(e.Message.(interface{ GetTicketId() string }).GetTicketId())
				if err != nil {
					return problem.New(problem.Unprocessable, "event_malformed", "ticket_id must be a UUID.").Because(err)
				}
				all = append(all, id)
				if again, waits := heard(e.Message); waits {
					waiting, reopened = append(waiting, id), append(reopened, again)
				}
			}
			remember(tx, all, waiting, reopened, r.now())
			return tx.Flush(ctx)
		},
	}
}

// heard tells whether an event says that a ticket has to be looked at, and whether it may have an agent who is away.
func heard(m proto.Message) (reopened, waits bool) {
	switch m := m.(type) {
	case *ticketsv1.TicketOpened:
		return false, true
	case *ticketsv1.TicketReopened:
		return true, true
	case *ticketsv1.TicketAssigned:
		// What routing itself did it remembers already.
		return false, m.GetAgent() == "" && m.GetReason() != reasonRouted && m.GetReason() != reasonOverflow
	default:
		return false, false
	}
}
