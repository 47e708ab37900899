package assignment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
	"github.com/guanxi-crm/guanxi/services/sales/internal/scoring"
)

const (
	batch   = 100              // leads that are locked at a time
	recheck = 10 * time.Minute // scores move without the lead changing: what no rule fits is looked at again
	stale   = time.Hour        // what is remembered is looked through for leads that somebody has
)

// Pass gives the leads that nobody has to whoever can take them, once over all tenants. It may be called in any number of
// processes: one at a time works on a tenant. Wherever it is killed, the next one goes on.
func (s *Assignments) Pass(ctx context.Context) error {
	var tenants []string
	err := s.db.System(ctx, func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT tenant_id FROM assignment_tenants()`)
		if err != nil {
			return err
		}
		tenants, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return fmt.Errorf("tenants with leads that nobody has: %w", err)
	}
	var errs []error
	for _, tenant := range tenants {
		ctx := auth.With(ctx, auth.Principal{Subject: process, Tenant: tenant})
		// Who waits longest comes first.
		for _, step := range []func(context.Context, *pg.Tx) (int, error){s.place, s.look} {
			if err := s.repeat(ctx, tenant, step); err != nil {
				errs = append(errs, fmt.Errorf("tenant %s: %w", tenant, err))
			}
		}
	}
	return errors.Join(errs...)
}

// repeat takes a step in transactions of its own until it finds no full batch any more.
func (s *Assignments) repeat(ctx context.Context, tenant string, step func(context.Context, *pg.Tx) (int, error)) error {
	for {
		done := 0
		err := s.db.Tx(ctx, tenant, func(tx *pg.Tx) (err error) {
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

// place gives a batch of the leads that wait for teams to people, and gives how many.
func (s *Assignments) place(ctx context.Context, tx *pg.Tx) (int, error) {
	now := s.now()
	tidy(tx, now.Add(-stale), now, batch)
	found, err := classes(ctx, tx)
	if err != nil || len(found) == 0 {
		return 0, err
	}
	d, err := sit(ctx, tx, now)
	if err != nil {
		return 0, err
	}
	var wanted []class
	var most []int
	for _, c := range found {
		if free := d.room(c); free > 0 {
			wanted, most = append(wanted, c), append(most, min(free, batch))
		}
	}
	if len(wanted) == 0 {
		return 0, nil
	}
	waits, err := waitingOf(ctx, tx, wanted, most)
	if err != nil {
		return 0, err
	}
	slices.SortFunc(waits, byLead)
	g := giving{desk: d, routes: map[uuid.UUID]wait{}}
	var ids []uuid.UUID
	for _, w := range waits[:min(len(waits), batch)] {
		g.routes[w.lead] = w
		ids = append(ids, w.lead)
	}
	if err := s.give(ctx, tx, &g, ids); err != nil {
		return 0, err
	}
	// Where nobody was given anything there is nothing to repeat for.
	return len(g.given), nil
}

// look asks the rules about a batch of leads, gives them to people where that can be, and gives how many it asked about.
func (s *Assignments) look(ctx context.Context, tx *pg.Tx) (int, error) {
	now := s.now()
	d, err := sit(ctx, tx, now)
	if err != nil {
		return 0, err
	}
	if d.rules.Version == 0 && len(d.live()) == 0 { // the tenant gives its leads out otherwise
		return 0, nil
	}
	var before time.Time // looked at before, what no rule fits is looked at again
	if d.rules.asks("score") {
		before = now.Add(-recheck)
	}
	ids, err := fresh(ctx, tx, d.generation(), d.live(), before, batch)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	g := giving{desk: d, routes: map[uuid.UUID]wait{}, scores: scoring.Of(tx, ids), former: formerOwners(tx, ids)}
	if err := tx.Flush(ctx); err != nil {
		return 0, err
	}
	return len(ids), s.give(ctx, tx, &g, ids)
}

// live gives the codes of the teams that get new leads.
func (d *desk) live() []string {
	codes := []string{}
	for _, t := range d.book.Teams() {
		if !t.Archived {
			codes = append(codes, t.Code)
		}
	}
	return codes
}

// generation changes with the rules and with every change of a team: a lead that no rule fitted may fit one then.
func (d *desk) generation() int64 {
	sum := d.rules.Version << 32
	for _, t := range d.book.Teams() {
		sum += t.Version
	}
	return sum
}

// giving is a batch of leads that is being given.
type giving struct {
	*desk
	routes map[uuid.UUID]wait   // what is remembered of those that wait for a team
	scores *scoring.Scores      // of the others, of which the rules have to be asked
	former map[uuid.UUID]string // who had them last

	given    []uuid.UUID
	waits    []wait
	teams    []string // of turns, as are the next two
	subjects []string
	numbers  []int64
}

// give locks the leads, chooses who gets each as it is then, and keeps that with its events.
func (s *Assignments) give(ctx context.Context, tx *pg.Tx, g *giving, ids []uuid.UUID) error {
	events, err := s.leads.AssignAllIn(ctx, tx, ids, g.assign, g.now)
	if err != nil {
		return err
	}
	saveTurns(tx, g.teams, g.subjects, g.numbers)
	forget(tx, g.given)
	remember(tx, g.waits, g.now)
	return s.outbox.Append(ctx, tx, events...)
}

// assign says who gets a lead that is locked.
func (g *giving) assign(l lead.Lead) (lead.Assignment, bool) {
	if l.Owner != "" || l.State != lead.Open && l.State != lead.Qualified || !l.ErasedAt.IsZero() {
		g.given = append(g.given, l.ID) // somebody was quicker
		return lead.Assignment{}, false
	}
	w, routed := g.routes[l.ID]
	if routed && w.version != l.Version {
		return lead.Assignment{}, false // it was changed: the rules are asked again
	}
	if !routed {
		w = wait{lead: l.ID, since: waitsSince(l), version: l.Version, generation: g.generation()}
		w.Route = g.rules.route(factsOf(l, g.scores.Get(l.ID).Probability), l.Team, g.book)
		w.NotTo = g.former[l.ID]
	}
	c := Choice{Waits: WaitsNoRule}
	if w.Team != "" {
		c = g.choose(w.Team, w.Need)
	}
	a := lead.Assignment{Team: w.Team, Owner: c.Owner, Reason: c.Reason}
	if c.Owner != "" {
		g.teams, g.subjects, g.numbers = append(g.teams, w.Team), append(g.subjects, c.Owner), append(g.numbers, g.turns.Take(w.Team, c.Owner))
		g.given = append(g.given, l.ID)
		return a, true
	}
	if routed {
		return a, false // it goes on to wait
	}
	a.Reason = reasonRule
	moves := w.Team != "" && w.Team != l.Team
	if moves {
		w.version++ // what follows changes the lead
	}
	g.waits = append(g.waits, w)
	return a, moves
}

// waitsSince gives from when on nobody has a lead that nobody has.
func waitsSince(l lead.Lead) time.Time {
	if l.AssignedAt.After(l.RecordedAt) {
		return l.AssignedAt
	}
	return l.RecordedAt
}
