package ticket

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	ticketsv1 "github.com/guanxi-crm/guanxi/proto/gen/go/guanxi/tickets/events/v1"
)

// Tickets is what can be done with tickets.
type Tickets struct {
	db     *pg.DB
	outbox *outbox.Outbox
	clock  func() time.Time
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, clock func() time.Time) *Tickets {
	return &Tickets{db: db, outbox: o, clock: clock}
}

// Open opens a ticket: two round trips, one for its number, one for all that is written.
func (t *Tickets) Open(ctx context.Context, d Draft) (Ticket, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Ticket{}, err
	}
	now := t.now()
	if _, faults := OpenTicket(id, 0, d, now); len(faults) > 0 { // before a number is drawn
		return Ticket{}, invalid(faults)
	}
	var made Ticket
	result, err := t.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		root := alias.Root(tx, d.CustomerID)
		if d.CustomerID != uuid.Nil {
			erasure.Refuse(tx, d.CustomerID)
		}
		number, err := NextNumber(ctx, tx)
		if err != nil {
			return pg.Result{}, err
		}
		made, _ = OpenTicket(id, number, d, now)
		made.Root = *root
		Insert(tx, made)
		return pg.Result{ID: id, Status: http.StatusCreated}, t.outbox.Append(ctx, tx, OpenedEvent(made))
	})
	return t.answer(ctx, made, result, err)
}

// Move gives a ticket another status, if it still is as the caller saw it: fresh is asked with the version. A complaint's
// ticket follows its complaint.
func (t *Tickets) Move(ctx context.Context, id uuid.UUID, to Status, fresh func(version int64) error) (Ticket, error) {
	var now Ticket
	result, err := t.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		was, err := lock(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		if err := fresh(was.Version); err != nil {
			return pg.Result{}, err
		}
		if was.Kind == ComplaintKind {
			return pg.Result{}, problem.New(problem.Conflict, "ticket_of_complaint",
				"The ticket of a complaint follows the complaint: decide on that instead.")
		}
		if now, err = was.Move(to, t.now()); err != nil {
			return pg.Result{}, err
		}
		save(tx, now)
		return pg.Result{ID: id, Status: http.StatusOK}, t.outbox.Append(ctx, tx, movedEvent(was, now))
	})
	return t.answer(ctx, now, result, err)
}

// Follow brings a ticket to the status that its complaint asks for; one that has it already stays as it is.
func Follow(ctx context.Context, tx *pg.Tx, o *outbox.Outbox, id uuid.UUID, to Status, at time.Time) error {
	was, err := lock(ctx, tx, id)
	if err != nil || was.Status == to {
		return err
	}
	now, err := was.Move(to, at)
	if err != nil {
		return err
	}
	save(tx, now)
	return o.Append(ctx, tx, movedEvent(was, now))
}

// answer gives the ticket of a command that succeeded, read anew when the command was a repetition.
func (t *Tickets) answer(ctx context.Context, made Ticket, result pg.Result, err error) (Ticket, error) {
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return t.Get(ctx, result.ID)
	}
	return made, err
}

// now is cut to what the database keeps, so that an answer reads the same at once and later.
func (t *Tickets) now() time.Time { return t.clock().UTC().Truncate(time.Microsecond) }

func invalid(faults []problem.Field) error {
	return problem.InvalidBody("ticket_invalid", "The ticket was not accepted: mend the fields named here.", faults)
}

const aggregate = "ticket"

// OpenedEvent tells of a new ticket, without what people said.
func OpenedEvent(t Ticket) outbox.Event {
	return outbox.Event{Aggregate: aggregate, ID: t.ID, Time: t.OpenedAt, Message: &ticketsv1.TicketOpened{
		TicketId: t.ID.String(), Number: Number(t.Number), CustomerId: text(t.CustomerID), Kind: string(t.Kind), Channel: t.Channel,
		Priority: int32(t.Priority), OpenedAt: timestamppb.New(t.OpenedAt),
	}}
}

func movedEvent(was, now Ticket) outbox.Event {
	return outbox.Event{Aggregate: aggregate, ID: now.ID, Time: now.ChangedAt, Message: &ticketsv1.TicketStatusChanged{
		TicketId: now.ID.String(), Number: Number(now.Number), CustomerId: text(now.CustomerID),
		StatusBefore: string(was.Status), Status: string(now.Status), ChangedAt: timestamppb.New(now.ChangedAt),
	}}
}

func text(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}
