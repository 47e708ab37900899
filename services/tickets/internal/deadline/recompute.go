package deadline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/sla"
)

// RecomputeEvery is the pause between two looks for deadlines that are to be reckoned anew.
const RecomputeEvery = time.Second

const (
	recomputeMost  = 50   // changes and recomputations that are taken up at once
	recomputeChunk = 1000 // tickets a transaction: short enough that agents do not wait for it
)

// Ask has deadlines reckoned anew: a process of its own does so, chunk by chunk, and says how far it came. Of closed
// tickets, verdicts change, and each that does is logged.
func (d *Deadlines) Ask(ctx context.Context, r Recomputation) (Recomputation, error) {
	if faults := r.check(); len(faults) > 0 {
		return Recomputation{}, problem.InvalidBody("recomputation_invalid", "The recomputation was not accepted: mend the fields named here.", faults)
	}
	var err error
	if r.ID, err = uuid.NewV7(); err != nil {
		return Recomputation{}, err
	}
	caller, _ := auth.From(ctx)
	r.Cause, r.By, r.AskedAt = Asked, caller.Subject, d.now()
	result, err := d.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		if err := known(ctx, tx, r); err != nil {
			return pg.Result{}, err
		}
		insertRecomputation(tx, r)
		return pg.Result{ID: r.ID, Status: http.StatusAccepted}, nil
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return d.Recomputation(ctx, result.ID)
	}
	return r, err
}

var reasonShape = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

func (r Recomputation) check() (faults []problem.Field) {
	fault := func(location, code, message string) {
		faults = append(faults, problem.Field{Location: location, Code: code, Message: message})
	}
	if r.Tickets != Open && r.Tickets != Closed {
		fault("tickets", "tickets_unknown", "must be open or closed")
	}
	if !reasonShape.MatchString(r.Reason) {
		fault("reason", "reason_malformed", "must be a code of 1 to 64 lower-case letters, digits, - and _")
	}
	if r.Tickets == Open && !(r.ClosedFrom.IsZero() && r.ClosedTo.IsZero()) {
		fault("closed_from", "closed_unfit", "closed_from and closed_to belong to closed tickets")
	}
	if !r.ClosedTo.IsZero() && !r.ClosedFrom.Before(r.ClosedTo) {
		fault("closed_to", "closed_to_early", "must be after closed_from")
	}
	return faults
}

// Recompute goes on with all that is to be reckoned anew, of all tenants, until nothing is left. It goes on where it, or
// another process, came to; it may be called in any number of processes.
func (d *Deadlines) Recompute(ctx context.Context) error {
	errs := []error{d.eachTenant(ctx, `SELECT tenant_id, id FROM calendar_change_pending($1)`, func(ctx context.Context, tenant string, id uuid.UUID) error {
		job, err := uuid.NewV7()
		if err != nil {
			return err
		}
		return d.db.Tx(ctx, tenant, func(tx *pg.Tx) error { return takeChange(ctx, tx, id, job, d.now()) })
	})}
	errs = append(errs, d.eachTenant(ctx, `SELECT tenant_id, id FROM sla_recomputation_due($1)`, func(ctx context.Context, tenant string, id uuid.UUID) error {
		for more := true; more && ctx.Err() == nil; {
			err := d.db.Tx(ctx, tenant, func(tx *pg.Tx) (err error) {
				more, err = d.chunk(ctx, tx, id)
				return err
			})
			if err != nil {
				return fmt.Errorf("recomputation %s: %w", id, err)
			}
		}
		return nil
	}))
	return errors.Join(errs...)
}

// chunk reckons the next tickets of a recomputation anew; more is false where it is finished, or another process is at it.
func (d *Deadlines) chunk(ctx context.Context, tx *pg.Tx, id uuid.UUID) (more bool, err error) {
	byKeys(tx)
	r, ok, err := holdRecomputation(ctx, tx, id)
	if err != nil || !ok {
		return false, err
	}
	by, err := measuredBy(ctx, tx, r)
	if err != nil {
		return false, err
	}
	b := batch{tickets: lockNext(tx, r, by, d.most)}
	if err := b.read(ctx, tx, false); err != nil {
		return false, err
	}
	changes, n, err := d.remeasure(ctx, tx, r, b)
	if err != nil {
		return false, err
	}
	if r.Tickets == Closed {
		logChanges(tx, r.ID, changes)
	}
	r.LookedAt, r.Changed = r.LookedAt+int64(len(*b.tickets)), r.Changed+int64(n)
	if more = len(*b.tickets) == d.most; !more {
		r.FinishedAt = d.now()
	}
	if len(*b.tickets) > 0 {
		r.After = (*b.tickets)[len(*b.tickets)-1].id
	}
	saveRecomputation(tx, r)
	return more, nil
}

// remeasure measures the tickets of a batch anew and queues what differs; n is how many tickets do.
func (d *Deadlines) remeasure(ctx context.Context, tx *pg.Tx, r Recomputation, b batch) (changes []change, n int, err error) {
	kept, err := keptVerdicts(ctx, tx, b)
	if err != nil {
		return nil, 0, err
	}
	now := d.now()
	var alarms, ended []sla.Measured
	var moved []row
	var events []outbox.Event
	for _, t := range *b.tickets {
		was := t
		p, c := b.policy(t)
		if p.ID == uuid.Nil {
			continue
		}
		all := sla.Measure(b.histories[t.id], p, c, now)
		due, clock, _ := sla.Next(all)
		t.dueAt, t.clock = pg.OrNull(due), string(clock)
		s := t.subject(p, c)
		is := verdicts(all, p.Version)
		if r.Tickets == Closed || !maps.Equal(kept[t.id], is) {
			ended = append(ended, sla.Measured{Subject: s, All: all})
		} else {
			alarms = append(alarms, sla.Measured{Subject: s, All: all})
		}
		differs := r.Correction || !same(was.dueAt, t.dueAt) || was.clock != t.clock
		if differs {
			moved = append(moved, t)
		}
		other := verdictChanges(t.id, kept[t.id], is)
		changes = append(changes, other...)
		for _, m := range retold(s, all, other) {
			events = append(events, outbox.Event{Aggregate: "ticket", ID: t.id, Time: now, Message: m})
		}
		if differs || len(other) > 0 {
			n++
		}
	}
	saveDeadlines(tx, moved)
	sla.KeepAlarms(tx, alarms)
	sla.KeepAll(tx, ended, r.Tickets == Closed)
	return changes, n, d.outbox.Append(ctx, tx, events...)
}

func same(a, b *time.Time) bool {
	return a == b || a != nil && b != nil && a.Equal(*b)
}

// verdictChanges gives the rounds that ended otherwise than it was kept.
func verdictChanges(ticket uuid.UUID, before, after map[round]verdict) (all []change) {
	for _, clock := range sla.Clocks() {
		for n := 1; ; n++ {
			r := round{clock, n}
			is, ok := after[r]
			was, known := before[r]
			if !ok {
				break
			}
			if known && (was.state != is.state || was.difference != is.difference) {
				all = append(all, change{ticket, r, was, is})
			}
		}
	}
	return all
}

// retold gives the SLAMet of each verdict that is another one now.
func retold(s sla.Subject, all []sla.Measurement, changes []change) []proto.Message {
	var before []sla.Measurement
	for _, m := range all {
		was := m
		for _, c := range changes {
			if c.round == (round{m.Clock, m.Round}) {
				was.State = c.before.state
			}
		}
		before = append(before, was)
	}
	return sla.Met(s, before, all)
}
