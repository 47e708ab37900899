package routing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/calendar"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/category"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/sla"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

const batch = 50 // tickets that are locked at a time

// Pass looks once over all tenants: tickets that are new or overdue in their queue are taken to one, and those that wait
// are given to agents. It may be called in any number of processes: one at a time works on a tenant. Wherever it is killed,
// the next one goes on.
func (r *Routing) Pass(ctx context.Context) error {
	tenants, err := r.tenants(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, tenant := range tenants {
		ctx := auth.With(ctx, auth.Principal{Subject: process, Tenant: tenant})
		for _, step := range []func(context.Context, *pg.Tx) (int, error){r.look, r.place} {
			if err := r.repeat(ctx, tenant, step); err != nil {
				errs = append(errs, fmt.Errorf("tenant %s: %w", tenant, err))
			}
		}
	}
	return errors.Join(errs...)
}

// tenants gives those that have tickets waiting.
func (r *Routing) tenants(ctx context.Context) (found []string, err error) {
	err = r.db.System(ctx, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT tenant_id FROM routing_tenants()`)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		err = fmt.Errorf("tenants with waiting tickets: %w", err)
	}
	return found, err
}

// repeat takes a step in transactions of its own until it finds no full batch any more.
func (r *Routing) repeat(ctx context.Context, tenant string, step func(context.Context, *pg.Tx) (int, error)) error {
	for {
		done := 0
		err := r.db.Tx(ctx, tenant, func(tx *pg.Tx) (err error) {
			var mine bool
			if err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock(`+lockKey+`)`, tenant).Scan(&mine); err != nil || !mine {
				return err
			}
			done, err = step(ctx, tx)
			return err
		})
		if err != nil || done < batch {
			return err
		}
	}
}

// Again has tickets in no queue looked at anew that were changed since: what they are about may fit a rule now.
func (r *Routing) Again(ctx context.Context) error {
	tenants, err := r.tenants(ctx)
	for _, tenant := range tenants {
		err = errors.Join(err, r.db.Tx(ctx, tenant, func(tx *pg.Tx) error {
			changed(tx, r.now())
			return nil
		}))
	}
	return err
}

// look takes a batch of tickets to the queues that are theirs now, and gives how many it looked at.
func (r *Routing) look(ctx context.Context, tx *pg.Tx) (int, error) {
	now := r.now()
	rules, queues := rulesOf(tx), allQueues(tx)
	waits, err := toLook(ctx, tx, now, batch)
	if err != nil || len(waits) == 0 {
		return 0, err
	}
	if rules.Version == 0 && len(queues) == 0 { // the tenant does not route: tickets are kept in mind until it does
		unlook(tx, now)
		return 0, nil
	}
	calendars := calendar.All(tx)
	tickets, places := make([]ticket.Ticket, len(waits)), make([]*category.Place, len(waits))
	var agents []string
	for i, w := range waits { // in the order of their ids
		if tickets[i], err = ticket.Lock(ctx, tx, w.TicketID); err != nil {
			return 0, err
		}
		places[i] = category.At(tx, tickets[i].Category)
		if tickets[i].Agent != "" {
			agents = append(agents, tickets[i].Agent)
		}
	}
	present := presentOf(tx, agents, now)
	if err := tx.Flush(ctx); err != nil {
		return 0, err
	}
	s := surroundings{rules: *rules, queues: queues, calendars: calendars, present: present, now: now}
	for i, w := range waits {
		o := w.look(tickets[i], facts(tickets[i], places[i].Path), s)
		if o.drop {
			dropWaits(tx, w.TicketID)
			continue
		}
		if o.assign != nil {
			if _, err := ticket.AssignLocked(ctx, tx, r.outbox, tickets[i], *o.assign); err != nil {
				return 0, err
			}
		}
		saveWait(tx, o.wait)
	}
	return len(waits), nil
}

// facts are what rules may ask of a ticket; its category is given by its path, as to the conditions of policies.
func facts(t ticket.Ticket, category string) sla.Facts {
	return sla.Facts{
		Kind: string(t.Kind), Channel: t.Channel, Category: category, Queue: t.Queue, Impact: t.Impact, Urgency: t.Urgency,
		Priority: t.Priority, Tags: t.Tags, Custom: t.Custom, Grade: t.Grade, Tier: t.Tier,
	}
}

// place gives a batch of waiting tickets to agents, and gives how many.
func (r *Routing) place(ctx context.Context, tx *pg.Tx) (int, error) {
	now := r.now()
	queues := allQueues(tx)
	agents, err := candidates(ctx, tx, now)
	if err != nil || len(agents) == 0 {
		return 0, err
	}
	found, err := classes(ctx, tx)
	if err != nil {
		return 0, err
	}
	wanted, most := room(queues, agents, found)
	if len(wanted) == 0 {
		return 0, nil
	}
	waiting, err := next(ctx, tx, wanted, most)
	if err != nil {
		return 0, err
	}
	plan := Plan(queues, agents, waiting)
	plan = plan[:min(len(plan), batch)]
	// Turns are taken in the order of the plan, tickets locked in the order of their ids.
	slices.SortFunc(plan, func(a, b Placement) int { return slices.Compare(a.TicketID[:], b.TicketID[:]) })
	for _, p := range plan {
		t, err := ticket.Lock(ctx, tx, p.TicketID)
		if err != nil {
			return 0, err
		}
		if t.Agent != "" || t.Queue != p.Queue || !t.Open() {
			continue // somebody was quicker
		}
		_, err = ticket.AssignLocked(ctx, tx, r.outbox, t, ticket.Assignment{Queue: t.Queue, Agent: p.Subject, Reason: reasonRouted, By: process, At: now})
		if err != nil {
			return 0, err
		}
		saveTurn(tx, p)
		dropWaits(tx, p.TicketID)
	}
	return len(plan), nil
}

// room gives the classes of which at least one agent could take a ticket, and how many tickets they could take of each.
func room(queues map[string]Queue, agents []Candidate, found []class) (wanted []class, most []int) {
	for _, c := range found {
		q, known := queues[c.Queue]
		if !known || q.Strategy == Pull {
			continue
		}
		need, free := slices.Concat(q.Skills, unspell(c.Need)), 0
		for _, a := range agents {
			if a.Subject != c.ReleasedBy && a.fits(q.Code, need) {
				free += max(0, a.Capacity-a.Load)
			}
		}
		if free > 0 {
			wanted, most = append(wanted, c), append(most, min(free, batch))
		}
	}
	return wanted, most
}

// now is cut to what the database keeps, so that an answer reads the same at once and later.
func (r *Routing) now() time.Time { return r.clock().UTC().Truncate(time.Microsecond) }
