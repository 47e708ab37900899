package routing

import (
	"context"
	"reflect"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/calendar"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

// Routing is what can be done with queues, skills, agents and rules, and with the tickets that wait.
type Routing struct {
	db      *pg.DB
	outbox  *outbox.Outbox
	tickets *ticket.Tickets
	service string // whose topic tells of tickets
	clock   func() time.Time
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, service string, clock func() time.Time) *Routing {
	return &Routing{db: db, outbox: o, tickets: ticket.New(db, o, clock), service: service, clock: clock}
}

// change is a transaction on what is configured, of which there is one at a time in a tenant.
func (r *Routing) change(ctx context.Context, do func(tx *pg.Tx) error) error {
	return r.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		lock(tx)
		return do(tx)
	})
}

// PutSkill makes a skill, or changes it, if it still is as the caller saw it: fresh is asked with the version, which is 0
// where there is none yet.
func (r *Routing) PutSkill(ctx context.Context, s Skill, fresh func(version int64) error) (Skill, error) {
	s, f := s.check()
	if len(f) > 0 {
		return Skill{}, invalid("skill_invalid", "The skill was not accepted: mend the fields named here.", f)
	}
	err := r.change(ctx, func(tx *pg.Tx) error {
		was, err := getSkill(ctx, tx, s.Code)
		if err := since(err, was.Version, fresh); err != nil {
			return err
		}
		s.Version, s.ChangedAt = was.Version, was.ChangedAt
		if s == was {
			return nil
		}
		s.Version, s.ChangedAt = was.Version+1, r.now()
		saveSkill(tx, s)
		return nil
	})
	return s, err
}

// since asks whether something still is as the caller saw it; what was not found is of version 0.
func since(err error, version int64, fresh func(version int64) error) error {
	if err != nil && problem.KindOf(err) != problem.NotFound {
		return err
	}
	return fresh(version)
}

// PutQueue makes a queue, or changes it, if it still is as the caller saw it. Tickets that wait in it go on by what it is
// then. One to which rules or other queues send tickets does not go into the archive.
func (r *Routing) PutQueue(ctx context.Context, q Queue, fresh func(version int64) error) (Queue, error) {
	err := r.change(ctx, func(tx *pg.Tx) error {
		skills, queues, rules := allSkills(tx), allQueues(tx), rulesOf(tx)
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		was := queues[q.Code]
		if err := fresh(was.Version); err != nil {
			return err
		}
		checked, f := q.check(skills, queues)
		if q.CalendarID != uuid.Nil && q.CalendarID != was.CalendarID {
			if _, err := calendar.Hold(ctx, tx, q.CalendarID); problem.KindOf(err) == problem.NotFound {
				f.add("calendar_id", "calendar_not_found", "is no calendar")
			} else if err != nil {
				return err
			}
		}
		if len(f) > 0 {
			return invalid("queue_invalid", "The queue was not accepted: mend the fields named here.", f)
		}
		if q = checked; q.Archived && named(q.Code, queues, *rules) {
			return problem.New(problem.Conflict, "queue_in_use", "Rules or other queues send tickets here: send them elsewhere first.")
		}
		q.Version, q.ChangedAt, q.Skills = was.Version, was.ChangedAt, list(q.Skills)
		if reflect.DeepEqual(q, was) {
			return nil
		}
		q.Version, q.ChangedAt = was.Version+1, r.now()
		saveQueue(tx, q)
		return nil
	})
	return q, err
}

// named tells whether tickets are sent to a queue.
func named(code string, queues map[string]Queue, rules Rules) bool {
	for _, q := range queues {
		if q.OverflowTo == code && !q.Archived {
			return true
		}
	}
	return slices.ContainsFunc(rules.Rules, func(rule Rule) bool { return rule.Queue == code })
}

// PutAgent makes an agent, or changes what is configured of one, if that still is as the caller saw it.
func (r *Routing) PutAgent(ctx context.Context, a Agent, fresh func(version int64) error) (Agent, error) {
	err := r.change(ctx, func(tx *pg.Tx) error {
		skills, queues := allSkills(tx), allQueues(tx)
		was, err := getAgent(ctx, tx, a.Subject)
		if err := since(err, was.Version, fresh); err != nil {
			return err
		}
		checked, f := a.check(skills, queues)
		if len(f) > 0 {
			return invalid("agent_invalid", "The agent was not accepted: mend the fields named here.", f)
		}
		a = checked
		a.Version, a.ChangedAt, a.Presence, a.PresentUntil = was.Version, was.ChangedAt, was.Presence, was.PresentUntil
		a.Queues, a.Skills = list(a.Queues), list(a.Skills)
		if reflect.DeepEqual(a, was) {
			return nil
		}
		a.Version, a.ChangedAt = was.Version+1, r.now()
		saveAgent(tx, a)
		return nil
	})
	return a, err
}

// SetPresence says whether an agent takes tickets now, and for how long that holds.
func (r *Routing) SetPresence(ctx context.Context, subject string, p Presence, holds time.Duration) (a Agent, err error) {
	if holds < time.Second || holds > longest {
		return Agent{}, invalid("presence_invalid", "The presence was not accepted.", faults{{Location: "seconds", Code: "out_of_range", Message: "must be 1 second to 24 hours"}})
	}
	err = r.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		a, err = setPresence(ctx, tx, subject, p, r.now().Add(holds))
		return err
	})
	return a, err
}

// SetRules puts rules in the place of the present ones, if those still are as the caller saw them. Tickets that are in no
// queue are looked at by them.
func (r *Routing) SetRules(ctx context.Context, to Rules, fresh func(version int64) error) (Rules, error) {
	err := r.change(ctx, func(tx *pg.Tx) error {
		skills, queues, was := allSkills(tx), allQueues(tx), rulesOf(tx)
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		if err := fresh(was.Version); err != nil {
			return err
		}
		checked, f := to.check(skills, queues)
		if len(f) > 0 {
			return invalid("routing_rules_invalid", "The rules were not accepted: mend the fields named here.", f)
		}
		to = checked
		to.Version, to.ChangedAt = was.Version+1, r.now()
		saveRules(tx, to)
		return nil
	})
	return to, err
}

func invalid(code, detail string, f faults) error { return problem.InvalidBody(code, detail, f) }

func caller(ctx context.Context) auth.Principal {
	p, _ := auth.From(ctx)
	return p
}
