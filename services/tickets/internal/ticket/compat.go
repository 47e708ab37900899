package ticket

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/sla"
)

// NextNumber draws the tenant's next number.
//
// Deprecated: use Open, which measures the ticket as well; so are OpenTicket, Insert and OpenedEvent.
func NextNumber(ctx context.Context, tx *pg.Tx) (int64, error) { return nextNumber(ctx, tx) }

// OpenTicket makes a ticket of the draft.
func OpenTicket(id uuid.UUID, number int64, d Draft, now time.Time) (Ticket, []problem.Field) {
	d.ID, d.At = id, now
	return d.opened(number)
}

// Insert queues a new ticket.
func Insert(tx *pg.Tx, t Ticket) {
	t.Entries = 1
	insert(tx, t)
	insertHistory(tx, t.ID, []Entry{{No: 1, At: t.OpenedAt, What: sla.Opened, Status: t.Status, Priority: t.Priority}})
}

// OpenedEvent tells of a new ticket.
func OpenedEvent(t Ticket) outbox.Event { return events(t, t.OpenedAt, opened(t))[0] }
