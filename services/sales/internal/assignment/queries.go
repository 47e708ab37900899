package assignment

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
	"github.com/guanxi-crm/guanxi/services/sales/internal/scoring"
	"github.com/guanxi-crm/guanxi/services/sales/internal/team"
)

// Rules gives the rules of the caller's tenant.
func (s *Assignments) Rules(ctx context.Context) (found Rules, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		queued := rulesOf(tx)
		err := tx.Flush(ctx)
		found = *queued
		return err
	})
	return found, err
}

// Explained says where a lead stands on its way to somebody, and why.
type Explained struct {
	Lead   lead.Lead
	Waits  bool      // nobody has it, and somebody should
	Since  time.Time // of a lead that waits
	Rules  []Verdict // what each rule says of it
	Route  Route     // what the rules come to
	Choice Choice    // who would get it now, or why nobody would
	People []Judged  // of the team, and whom the rule names
}

// Verdict is what one rule says of a lead.
type Verdict struct {
	Rule  int    // from 1
	Says  string // code: fits, does_not_fit, cannot_answer or team_archived
	Words string // why it cannot answer
}

// Judged is somebody who might get a lead, and what keeps them from it.
type Judged struct {
	Subject  string
	Load     int    // leads that they can work on
	Capacity int    // the most that they get unasked
	Keeps    string // code: left, gave_back, language, skills, full, away or outside_hours; empty: nothing
	Next     time.Time
}

// Explain says who gets a lead, or why nobody does, by the rules as they are or, where draft is given, by those. Nothing is
// kept.
func (s *Assignments) Explain(ctx context.Context, id uuid.UUID, draft *Rules) (e Explained, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if e.Lead, err = lead.Get(ctx, tx, id); err != nil {
			return err
		}
		scores, former := scoring.Of(tx, []uuid.UUID{id}), formerOwners(tx, []uuid.UUID{id})
		kept, found := waitOf(tx, id)
		d, err := sit(ctx, tx, s.now())
		if err != nil {
			return err
		}
		if draft != nil {
			d.rules = *draft
		}
		if draft != nil && draft.Version == 0 { // those that are kept were checked when they were set
			checked, f := draft.check(d.book)
			if len(f) > 0 {
				return problem.InvalidBody("assignment_rules_invalid", "The rules were not tried: mend the fields named here.", f)
			}
			d.rules = checked
		}
		e.judge(d, scores.Get(id).Probability, former[id], draft != nil)
		if e.Waits = e.Lead.Owner == "" && (e.Lead.State == lead.Open || e.Lead.State == lead.Qualified) && e.Lead.ErasedAt.IsZero(); e.Waits {
			e.Since = waitsSince(e.Lead)
			if *found && kept.NotTo == former[id] {
				e.Since = kept.since
			}
		}
		return nil
	})
	return e, err
}

// judge fills in what the rules and the team's strategy say of the lead. In a trial the rules choose the team anew.
func (e *Explained) judge(d *desk, score int32, former string, trial bool) {
	f, has := factsOf(e.Lead, score), e.Lead.Team
	if trial {
		has = ""
	}
	for i, rule := range d.rules.Rules {
		v := Verdict{Rule: i + 1, Says: "does_not_fit"}
		yes, why := fits(rule.Condition, f)
		switch t, known := d.book.Team(rule.Team); {
		case !known || t.Archived:
			v.Says = "team_archived"
		case why != nil:
			v.Says, v.Words = "cannot_answer", why.Error()
		case yes:
			v.Says = "fits"
		}
		e.Rules = append(e.Rules, v)
	}
	e.Route = d.rules.route(f, has, d.book)
	if e.Lead.Owner == "" {
		e.Route.NotTo = former
	}
	e.Choice = Choice{Waits: WaitsNoRule}
	if e.Route.Team == "" {
		return
	}
	e.Choice = d.choose(e.Route.Team, e.Route.Need)
	t, _ := d.book.Team(e.Route.Team)
	people := d.book.Members(t.Code)
	if p, ok := d.book.Person(e.Route.Person); ok && !slices.Contains(p.Teams, t.Code) {
		people = append(people, p)
	}
	for _, p := range people {
		e.People = append(e.People, d.judged(t, p, e.Route.Need))
	}
}

func (d *desk) judged(t team.Team, p team.Person, n Need) Judged {
	if p.Subject == n.Person {
		n = Need{NotTo: n.NotTo}
	}
	at := d.turns.Place(t.Code, p.Subject)
	return Judged{Subject: p.Subject, Load: at.Load, Capacity: at.Capacity, Keeps: d.keeps(t, p, n), Next: orUnknown(d.nextWork(p))}
}

// Waiting is a lead that waits for somebody, and what for.
type Waiting struct {
	LeadID uuid.UUID
	Since  time.Time
	Route  Route
	Choice Choice
}

// Waiting gives up to limit leads after the given one that wait for somebody, of a team or, where it is empty, of all, the
// oldest first. Those that came in within the last moment are not among them yet.
func (s *Assignments) Waiting(ctx context.Context, code string, after uuid.UUID, limit int) (page []Waiting, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		d, err := sit(ctx, tx, s.now())
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT `+waitColumns+` FROM lead l
			CROSS JOIN LATERAL (SELECT * FROM assignment_wait k WHERE k.tenant_id = $1 AND k.lead_id = l.id LIMIT 1) w
			WHERE l.tenant_id = $1 AND l.owner = '' AND l.state IN ('open', 'qualified') AND l.erased_at IS NULL AND l.id > $2 AND ($3 = '' OR w.team = $3)
			ORDER BY l.id LIMIT $4`, tx.Tenant(), after, code, limit)
		if err != nil {
			return err
		}
		waits, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (wait, error) { return scanWait(row) })
		for _, w := range waits {
			one := Waiting{LeadID: w.lead, Since: w.since, Route: w.Route, Choice: Choice{Waits: WaitsNoRule}}
			if w.Team != "" {
				one.Choice = d.choose(w.Team, w.Need)
			}
			page = append(page, one)
		}
		return err
	})
	return page, err
}
