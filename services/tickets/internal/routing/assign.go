package routing

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

// assigned is a ticket in somebody's hands, or out of them, at the time of the command. What asks for it locks the ticket.
type assigned = ticket.Ticket

// PullTicket gives a ticket that nobody has to the caller. One that is the caller's already stays so; another's is the
// Conflict ticket_taken.
func (r *Routing) PullTicket(ctx context.Context, id uuid.UUID) (assigned, error) {
	return r.command(ctx, func(tx *pg.Tx) (assigned, error) {
		t, err := ticket.Lock(ctx, tx, id)
		if err != nil {
			return t, err
		}
		return r.pull(ctx, tx, t)
	})
}

func (r *Routing) pull(ctx context.Context, tx *pg.Tx, t ticket.Ticket) (assigned, error) {
	me := caller(ctx).Subject
	switch {
	case t.Agent != "" && t.Agent != me:
		return t, problem.New(problem.Conflict, "ticket_taken", "Somebody else has this ticket: ask them for it, or have it assigned to you.")
	case t.Status == ticket.StatusResolved:
		return t, problem.New(problem.Conflict, "ticket_resolved", "The ticket is resolved: reopen it before you take it.")
	}
	dropWaits(tx, t.ID)
	return ticket.AssignLocked(ctx, tx, r.outbox, t, ticket.Assignment{Queue: t.Queue, Agent: me, Reason: reasonPulled, By: me, At: r.now()})
}

// PullNext gives the most urgent ticket that waits in a queue to the caller; none is the Conflict queue_empty. Any number
// of people who pull at once get different tickets. What the caller gave back does not come again.
func (r *Routing) PullNext(ctx context.Context, queue string) (assigned, error) {
	return r.command(ctx, func(tx *pg.Tx) (assigned, error) {
		if _, err := getQueue(ctx, tx, queue); err != nil {
			return assigned{}, err
		}
		id, err := first(ctx, tx, queue, caller(ctx).Subject)
		if err != nil {
			return assigned{}, err
		}
		t, err := ticket.Lock(ctx, tx, id)
		if err != nil {
			return t, err
		}
		return r.pull(ctx, tx, t)
	})
}

// first gives the most urgent ticket that waits in a queue, and locks it; those that somebody else is taking are passed
// over, as are those that the subject gave back.
func first(ctx context.Context, tx *pg.Tx, queue, subject string) (id uuid.UUID, err error) {
	err = tx.QueryRow(ctx, `SELECT t.id FROM ticket t
		WHERE t.tenant_id = $1 AND t.queue = $2 AND t.agent = '' AND t.status IN ('new', 'open')
			AND NOT EXISTS (SELECT FROM routing_wait w WHERE w.tenant_id = $1 AND w.ticket_id = t.id AND w.released_by = $3)
		ORDER BY t.next_due_at, t.id LIMIT 1 FOR UPDATE OF t SKIP LOCKED`, tx.Tenant(), queue, subject).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		err = problem.New(problem.Conflict, "queue_empty", "Nothing waits in this queue.")
	}
	return id, err
}

// Release takes a ticket out of the caller's hands, or out of anybody's for whoever configures the tenant: it waits in its
// queue again, and is not given to the same agent unasked.
func (r *Routing) Release(ctx context.Context, id uuid.UUID) (assigned, error) {
	return r.command(ctx, func(tx *pg.Tx) (assigned, error) {
		t, err := ticket.Lock(ctx, tx, id)
		me := caller(ctx)
		switch {
		case err != nil:
			return t, err
		case t.Agent == "":
			return t, nil
		case t.Agent != me.Subject && !me.Can(auth.TicketsConfigure):
			return t, problem.New(problem.Forbidden, "ticket_of_another", "Only the agent who has the ticket can give it back.")
		}
		now := r.now()
		if t.Open() {
			saveWait(tx, Wait{TicketID: id, ReleasedBy: t.Agent, Since: now, LookedAt: now, LookAt: now})
		}
		return ticket.AssignLocked(ctx, tx, r.outbox, t, ticket.Assignment{Queue: t.Queue, Reason: reasonReleased, By: me.Subject, At: now})
	})
}

// Handover is where somebody sends a ticket; what is nil stays as it is.
type Handover struct {
	Queue *string // code; empty for none
	Agent *string // subject; empty for nobody: it waits
}

// Assign sends a ticket to a queue, to an agent or both, if it still is as the caller saw it: fresh is asked with the
// version. Whoever sends one to a person has looked at who that is: capacity and skills are not asked for.
func (r *Routing) Assign(ctx context.Context, id uuid.UUID, to Handover, fresh func(version int64) error) (assigned, error) {
	return r.command(ctx, func(tx *pg.Tx) (assigned, error) {
		queues := allQueues(tx)
		t, err := ticket.Lock(ctx, tx, id)
		if err != nil {
			return t, err
		}
		if err := fresh(t.Version); err != nil {
			return t, err
		}
		now, a := r.now(), ticket.Assignment{Queue: t.Queue, Agent: t.Agent, Reason: reasonAssigned, By: caller(ctx).Subject, At: r.now()}
		var f faults
		if to.Queue != nil && *to.Queue != t.Queue {
			if a.Queue = *to.Queue; a.Queue != "" {
				f.queue("queue", a.Queue, queues)
			}
			a.Agent = "" // whoever had it in the other queue has done their part
		}
		if to.Agent != nil {
			if a.Agent = *to.Agent; a.Agent != "" {
				if _, err := getAgent(ctx, tx, a.Agent); problem.KindOf(err) == problem.NotFound {
					f.add("agent", "agent_unknown", "is no agent of the tenant")
				} else if err != nil {
					return t, err
				}
			}
		}
		if len(f) > 0 {
			return t, invalid("assignment_invalid", "The ticket was not handed on: mend the fields named here.", f)
		}
		switch {
		case a.Agent != "":
			dropWaits(tx, id)
		case t.Open() && (a.Queue != t.Queue || t.Agent != ""):
			saveWait(tx, Wait{TicketID: id, Since: now, LookedAt: now, LookAt: now})
		}
		return ticket.AssignLocked(ctx, tx, r.outbox, t, a)
	})
}

// command runs what ends with a ticket in other hands.
func (r *Routing) command(ctx context.Context, do func(tx *pg.Tx) (assigned, error)) (t assigned, err error) {
	result, err := r.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		t, err = do(tx)
		return pg.Result{ID: t.ID, Status: http.StatusOK}, err
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return r.tickets.Get(ctx, result.ID)
	}
	return t, err
}
