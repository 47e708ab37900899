package macro

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

// Macros is what can be done with macros.
type Macros struct {
	db      *pg.DB
	outbox  *outbox.Outbox
	tickets *ticket.Tickets
	clock   func() time.Time
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, tickets *ticket.Tickets, clock func() time.Time) *Macros {
	return &Macros{db: db, outbox: o, tickets: tickets, clock: clock}
}

func (m *Macros) now() time.Time { return m.clock().UTC().Truncate(time.Microsecond) }

func invalid(faults []problem.Field) error {
	return problem.InvalidBody("macro_invalid", "The macro was not accepted: mend the fields named here.", faults)
}

var errArchived = problem.New(problem.Conflict, "macro_archived", "The macro was archived: make another one.")

// Define makes a macro. Its name is not another's.
func (m *Macros) Define(ctx context.Context, name string, actions []MacroAction) (Macro, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Macro{}, err
	}
	name, faults := cleanName(name)
	if faults = append(faults, Check(actions)...); len(faults) > 0 {
		return Macro{}, invalid(faults)
	}
	made := Macro{ID: id, Version: 1, Name: name, Actions: actions, By: subject(ctx), ChangedAt: m.now()}
	result, err := m.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		checkName(tx, made)
		insert(tx, made)
		return pg.Result{ID: id, Status: http.StatusCreated}, nil
	})
	return m.answer(ctx, made, result, taken(err))
}

// Set gives a macro another name and other actions, if it still is as the caller saw it: fresh is asked with its version.
func (m *Macros) Set(ctx context.Context, id uuid.UUID, name string, actions []MacroAction, fresh func(version int64) error) (Macro, error) {
	name, faults := cleanName(name)
	if faults = append(faults, Check(actions)...); len(faults) > 0 {
		return Macro{}, invalid(faults)
	}
	return m.change(ctx, id, fresh, func(now *Macro) { now.Name, now.Actions = name, actions })
}

// Archive has a macro be offered no more; see Set for fresh.
func (m *Macros) Archive(ctx context.Context, id uuid.UUID, fresh func(version int64) error) (Macro, error) {
	return m.change(ctx, id, fresh, func(now *Macro) { now.Archived = true })
}

func (m *Macros) change(ctx context.Context, id uuid.UUID, fresh func(version int64) error, do func(*Macro)) (Macro, error) {
	var now Macro
	result, err := m.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		was, err := get(ctx, tx, id, true)
		if err != nil {
			return pg.Result{}, err
		}
		if err := fresh(was.Version); err != nil {
			return pg.Result{}, err
		}
		if was.Archived {
			return pg.Result{}, errArchived
		}
		now = was
		do(&now)
		now.Version, now.By, now.ChangedAt = was.Version+1, subject(ctx), m.now()
		checkName(tx, now)
		save(tx, now)
		return pg.Result{ID: id, Status: http.StatusOK}, nil
	})
	return m.answer(ctx, now, result, taken(err))
}

// answer gives the macro of a command that succeeded, read anew when the command was a repetition.
func (m *Macros) answer(ctx context.Context, made Macro, result pg.Result, err error) (Macro, error) {
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return m.Get(ctx, result.ID)
	}
	return made, err
}

// Apply takes the actions of a macro on a ticket, all or none, if the ticket still is as the caller saw it: fresh is asked with
// its version.
func (m *Macros) Apply(ctx context.Context, id, ticketID uuid.UUID, values Values, fresh func(version int64) error) (ticket.Ticket, error) {
	if faults := values.Check(); len(faults) > 0 {
		return ticket.Ticket{}, invalid(faults)
	}
	var now ticket.Ticket
	result, err := m.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		macro, err := get(ctx, tx, id, false)
		if err != nil {
			return pg.Result{}, err
		}
		if macro.Archived {
			return pg.Result{}, errArchived
		}
		now, err = m.Take(ctx, tx, ticketID, macro.Actions, values, fresh)
		return pg.Result{ID: ticketID, Status: http.StatusOK}, err
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return m.tickets.Get(ctx, result.ID)
	}
	return now, err
}

// Take takes actions on a ticket, in their order, in the caller's transaction; an error undoes it. fresh is asked with the
// ticket's version before the first. Two round trips and those of each action.
func (m *Macros) Take(ctx context.Context, tx *pg.Tx, ticketID uuid.UUID, actions []MacroAction, values Values, fresh func(version int64) error) (ticket.Ticket, error) {
	t, err := ticket.Lock(ctx, tx, ticketID)
	if err != nil {
		return t, err
	}
	if err := fresh(t.Version); err != nil {
		return t, err
	}
	at := m.now()
	for _, a := range actions {
		if t, err = m.take(ctx, tx, t, a, values, at); err != nil {
			return t, err
		}
	}
	return t, nil
}

func (m *Macros) take(ctx context.Context, tx *pg.Tx, t ticket.Ticket, a MacroAction, values Values, at time.Time) (ticket.Ticket, error) {
	by := subject(ctx)
	switch a.Do {
	case Reply, Note:
		words, err := fill(a.Words, t, by, values)
		if err != nil {
			return t, err
		}
		author := ticket.ByAgent
		if a.Do == Note {
			author = ticket.AsNote
		}
		return ticket.Say(ctx, tx, m.outbox, t.ID, ticket.Reply{Author: author, Channel: a.Channel, Words: words, By: by, At: at})
	case Status:
		if t.Status == a.Status {
			return t, nil
		}
		return ticket.Change(ctx, tx, m.outbox, t.ID, ticket.StatusChange{To: a.Status, Resolution: a.Resolution, Reason: "macro", By: by, At: at})
	case Assign:
		to := ticket.Assignment{Queue: t.Queue, Agent: t.Agent, Reason: "assigned", By: by, At: at}
		if a.Queue != nil {
			to.Queue = *a.Queue
		}
		if a.Agent != nil {
			if to.Agent = *a.Agent; to.Agent == Me {
				to.Agent = by
			}
		}
		return ticket.Assign(ctx, tx, m.outbox, t.ID, to)
	case Tag:
		tags := tagged(t.Tags, a.Add, a.Remove)
		return ticket.Reclassify(ctx, tx, m.outbox, t.ID, ticket.Reclassification{Tags: &tags, Reason: "macro", By: by, At: at})
	case Classify:
		return ticket.Reclassify(ctx, tx, m.outbox, t.ID, ticket.Reclassification{
			Category: a.Category, Impact: pg.OrNull(a.Impact), Urgency: pg.OrNull(a.Urgency), Reason: "macro", By: by, At: at,
		})
	default:
		return t, problem.New(problem.Internal, "macro_action_unknown", "The macro has an action that this version does not know.")
	}
}

func subject(ctx context.Context) string {
	p, _ := auth.From(ctx)
	return p.Subject
}
