package deadline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/sla"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

// ScanEvery is the pause between two scans.
const ScanEvery = 250 * time.Millisecond

const (
	scanMost  = 500         // tickets a round of the scan
	scanBatch = 100         // tickets a transaction
	putOff    = time.Minute // what fails is tried again after this, so that it does not keep others from their turn
)

func sorted(found []reached) []reached {
	slices.SortStableFunc(found, func(a, b reached) int { return a.At.Compare(b.At) })
	return found
}

// Scan tells of every step of all tenants that was reached, and carries it out: each once, whatever ends the process
// meanwhile. It may be called in any number of processes.
func (d *Deadlines) Scan(ctx context.Context) error {
	var errs []error
	for ctx.Err() == nil {
		found, err := d.alarms(ctx)
		if err != nil {
			return err
		}
		handled := 0
		for tenant, ids := range found.byTenant {
			ctx := auth.With(ctx, auth.Principal{Subject: actor, Tenant: tenant})
			for batch := range slices.Chunk(ids, scanBatch) {
				n, err := d.tell(ctx, tenant, batch)
				handled += n
				errs = append(errs, err)
			}
		}
		if found.n < scanMost || handled == 0 {
			break
		}
	}
	return errors.Join(errs...)
}

// tell tells of what was reached of tickets of one tenant. Where that fails it tells of one ticket after the other, and puts
// off those which fail; handled are the tickets that have no step due any more.
func (d *Deadlines) tell(ctx context.Context, tenant string, ids []uuid.UUID) (handled int, err error) {
	try := func(ids []uuid.UUID) error {
		return d.db.Tx(ctx, tenant, func(tx *pg.Tx) error {
			var err error
			handled, err = d.tellIn(ctx, tx, ids)
			return err
		})
	}
	if err = try(ids); err == nil || pg.Transient(err) || ctx.Err() != nil {
		return handled, err
	}
	var errs []error
	all := 0
	for _, id := range ids {
		err := try([]uuid.UUID{id})
		if err == nil {
			all += handled
			continue
		}
		errs = append(errs, fmt.Errorf("deadlines of ticket %s: %w", id, err))
		if pg.Transient(err) {
			break
		}
		err = d.db.Tx(ctx, tenant, func(tx *pg.Tx) error {
			delay(tx, id, d.now().Add(putOff))
			return nil
		})
		errs = append(errs, err)
		all++
	}
	return all, errors.Join(errs...)
}

// tellIn is tell in a transaction.
func (d *Deadlines) tellIn(ctx context.Context, tx *pg.Tx, ids []uuid.UUID) (handled int, err error) {
	byKeys(tx)
	b := batch{tickets: lockTickets(tx, ids)}
	if err := b.read(ctx, tx, true); err != nil {
		return 0, err
	}
	now := d.now()
	var measured []sla.Measured
	var events []outbox.Event
	var steps []escalation
	told := map[uuid.UUID]map[round]int{}
	for _, t := range *b.tickets {
		p, c := b.policy(t)
		all := sla.Measure(b.histories[t.id], p, c, now)
		s := t.subject(p, c)
		measured = append(measured, sla.Measured{Subject: s, All: all})
		for _, r := range due(all, b.told[t.id], now) {
			events = append(events, outbox.Event{Aggregate: "ticket", ID: t.id, Time: now, Message: sla.Warning(s, r.Measurement, r.Reach)})
			if told[t.id] == nil {
				told[t.id] = map[round]int{}
			}
			told[t.id][round{r.Clock, r.Round}] = r.Percent
			if r.Ended.IsZero() && !t.settled() {
				steps = append(steps, t.escalations(p, r)...)
			}
		}
	}
	keepTold(tx, told)
	sla.KeepAll(tx, measured, false)
	if err := d.outbox.Append(ctx, tx, events...); err != nil {
		return 0, err
	}
	return len(*b.tickets), d.escalate(ctx, tx, steps, now)
}

// escalation is what a step of a policy has done to a ticket.
type escalation struct {
	ticket uuid.UUID
	action sla.Action
	queue  string
}

// escalations gives what the policy has done at a step that was reached.
func (t row) escalations(p sla.Policy, r reached) (all []escalation) {
	for _, s := range p.Steps {
		if s.Percent == r.Percent && (s.Clock == "" || s.Clock == r.Clock) && s.Action != sla.Warn {
			all = append(all, escalation{t.id, s.Action, s.Queue})
		}
	}
	return all
}

// escalate carries out what the steps ask for, in order. Raising the priority does not pick other targets: it is said to
// people, not to the clock.
func (d *Deadlines) escalate(ctx context.Context, tx *pg.Tx, steps []escalation, now time.Time) error {
	for _, s := range steps {
		switch s.action {
		case sla.RaisePriority:
			raise(tx, s.ticket, now)
		case sla.AssignQueue:
			t, err := ticket.Lock(ctx, tx, s.ticket)
			if err != nil {
				return err
			}
			if t.Queue == s.queue { // whoever has it there keeps it
				continue
			}
			_, err = ticket.AssignLocked(ctx, tx, d.outbox, t, ticket.Assignment{Queue: s.queue, Reason: "escalated", By: actor, At: now})
			if err != nil {
				return err
			}
		}
	}
	return nil
}
