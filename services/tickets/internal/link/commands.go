package link

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

// Links is what can be done with links.
type Links struct {
	db      *pg.DB
	outbox  *outbox.Outbox
	tickets *ticket.Tickets
	clock   func() time.Time
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, tickets *ticket.Tickets, clock func() time.Time) *Links {
	return &Links{db: db, outbox: o, tickets: tickets, clock: clock}
}

func (l *Links) now() time.Time { return l.clock().UTC().Truncate(time.Microsecond) }

// both locks two tickets, in the order of their ids.
func both(ctx context.Context, tx *pg.Tx, one, other uuid.UUID) (a, b ticket.Ticket, err error) {
	if one == other {
		return a, b, errItself
	}
	if bytes.Compare(one[:], other[:]) > 0 {
		b, a, err = both(ctx, tx, other, one)
		return a, b, err
	}
	if a, err = ticket.Lock(ctx, tx, one); err != nil {
		return a, b, err
	}
	b, err = ticket.Lock(ctx, tx, other)
	return a, b, err
}

// Add links a ticket to another one. A link that is there already stays as it is.
func (l *Links) Add(ctx context.Context, k Link) error {
	k.At = l.now()
	_, err := l.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		lock(tx) // two links made at once could close a circle between them
		from, to, err := both(ctx, tx, k.TicketID, k.OtherID)
		if err != nil {
			return pg.Result{}, err
		}
		was, err := look(ctx, tx, k)
		if err != nil || was.there {
			return pg.Result{ID: k.TicketID, Status: http.StatusNoContent}, err
		}
		if err := was.may(k.Kind); err != nil {
			return pg.Result{}, err
		}
		if from.Entries >= full || to.Entries >= full {
			return pg.Result{}, errFull
		}
		insert(tx, k)
		tell(tx, from, to, k, string(k.Kind), string(converse[k.Kind]))
		return pg.Result{ID: k.TicketID, Status: http.StatusNoContent}, nil
	})
	return err
}

// Remove takes a link away.
func (l *Links) Remove(ctx context.Context, k Link) error {
	k.At = l.now()
	_, err := l.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		from, to, err := both(ctx, tx, k.TicketID, k.OtherID)
		if err != nil {
			return pg.Result{}, err
		}
		if err := remove(ctx, tx, k); err != nil {
			return pg.Result{}, err
		}
		tell(tx, from, to, k, "unlinked", "unlinked")
		return pg.Result{ID: k.TicketID, Status: http.StatusNoContent}, nil
	})
	return err
}

// tell has both tickets' histories say what became of the link.
func tell(tx *pg.Tx, from, to ticket.Ticket, k Link, said, converse string) {
	ticket.Note(tx, from, ticket.Entry{At: k.At, What: ticket.Linked, By: k.By, Code: said, Ref: to.ID})
	ticket.Note(tx, to, ticket.Entry{At: k.At, What: ticket.Linked, By: k.By, Code: converse, Ref: from.ID})
}

// Merge closes a ticket, which goes on as another one; fresh is asked with the version of the one that is closed. It is
// not taken back: what was said stays where it was said, and is read through the other one.
func (l *Links) Merge(ctx context.Context, id, into uuid.UUID, across bool, by string, fresh func(version int64) error) (ticket.Ticket, error) {
	var merged ticket.Ticket
	at := l.now()
	result, err := l.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		was, survivor, err := both(ctx, tx, id, into)
		if err != nil {
			return pg.Result{}, err
		}
		if err := fresh(was.Version); err != nil {
			return pg.Result{}, err
		}
		if err := mayMerge(was, survivor, across); err != nil {
			return pg.Result{}, err
		}
		if merged, err = ticket.Merge(ctx, tx, l.outbox, id, survivor, by, at); err != nil {
			return pg.Result{}, err
		}
		ticket.Note(tx, survivor, ticket.Entry{At: at, What: ticket.Linked, By: by, Code: "took_in", Ref: id})
		return pg.Result{ID: id, Status: http.StatusOK}, nil
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return l.tickets.Get(ctx, result.ID)
	}
	return merged, err
}
