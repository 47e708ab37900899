package routing

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/category"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/sla"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/ticket"
)

func (r *Routing) read(ctx context.Context, look func(tx *pg.Tx) error) error {
	return r.db.Read(ctx, auth.Tenant(ctx), look)
}

// Skill gives a skill of the caller's tenant.
func (r *Routing) Skill(ctx context.Context, code string) (s Skill, err error) {
	err = r.read(ctx, func(tx *pg.Tx) error { s, err = getSkill(ctx, tx, code); return err })
	return s, err
}

// Skills gives up to limit skills after a code, in the order of their codes; those in the archive are left out, unless they
// are asked for.
func (r *Routing) Skills(ctx context.Context, after string, archived bool, limit int) (page []Skill, err error) {
	err = r.read(ctx, func(tx *pg.Tx) error {
		page, err = listOf(ctx, tx, skillColumns, "routing_skill", "code", after, kept(archived), limit, scanSkill)
		return err
	})
	return page, err
}

func kept(archived bool) string {
	if archived {
		return "true"
	}
	return "NOT archived"
}

// Queued is a queue, and how many tickets wait in it.
type Queued struct {
	Queue
	Waiting int
}

// Queue gives a queue of the caller's tenant.
func (r *Routing) Queue(ctx context.Context, code string) (q Queued, err error) {
	err = r.read(ctx, func(tx *pg.Tx) error {
		waiting := waitingIn(tx, []string{code})
		q.Queue, err = getQueue(ctx, tx, code)
		q.Waiting = waiting[code]
		return err
	})
	return q, err
}

// Queues gives up to limit queues after a code, in the order of their codes; those in the archive are left out, unless they
// are asked for.
func (r *Routing) Queues(ctx context.Context, after string, archived bool, limit int) (page []Queued, err error) {
	err = r.read(ctx, func(tx *pg.Tx) error {
		found, err := listOf(ctx, tx, queueColumns, "routing_queue", "code", after, kept(archived), limit, scanQueue)
		if err != nil {
			return err
		}
		codes := make([]string, len(found))
		for i, q := range found {
			codes[i] = q.Code
		}
		waiting := waitingIn(tx, codes)
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		page = make([]Queued, len(found))
		for i, q := range found {
			page[i] = Queued{q, waiting[q.Code]}
		}
		return nil
	})
	return page, err
}

// Busy is an agent, and how many tickets they work on.
type Busy struct {
	Agent
	Load int
}

// Agent gives an agent of the caller's tenant.
func (r *Routing) Agent(ctx context.Context, subject string) (b Busy, err error) {
	err = r.read(ctx, func(tx *pg.Tx) error {
		load := loads(tx, []string{subject})
		b.Agent, err = getAgent(ctx, tx, subject)
		b.Load = load[subject]
		return err
	})
	return b, err
}

// Agents gives up to limit agents after a subject, in the order of their subjects.
func (r *Routing) Agents(ctx context.Context, after string, limit int) (page []Busy, err error) {
	err = r.read(ctx, func(tx *pg.Tx) error {
		found, err := listOf(ctx, tx, agentColumns, "routing_agent", "subject", after, "true", limit, scanAgent)
		if err != nil {
			return err
		}
		subjects := make([]string, len(found))
		for i, a := range found {
			subjects[i] = a.Subject
		}
		load := loads(tx, subjects)
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		page = make([]Busy, len(found))
		for i, a := range found {
			page[i] = Busy{a, load[a.Subject]}
		}
		return nil
	})
	return page, err
}

// Rules gives the rules of the caller's tenant.
func (r *Routing) Rules(ctx context.Context) (found Rules, err error) {
	err = r.read(ctx, func(tx *pg.Tx) error {
		queued := rulesOf(tx)
		err := tx.Flush(ctx)
		found = *queued
		return err
	})
	return found, err
}

// Explained says where a ticket stands on its way to somebody, and why.
type Explained struct {
	Ticket ticket.Ticket
	Wait   *Wait  // nil: routing has nothing to do with it now
	Rule   int    // the first rule that fits, from 1; 0: none does
	Sends  string // the queue of that rule
	Needs  []Level
	Agents []Judged // of the queue
}

// Judged is an agent of a queue, and what keeps them from getting the ticket; empty: nothing.
type Judged struct {
	Subject string
	Load    int
	Keeps   string // code: offline, away, full, skills, gave_back; the queue's own: pull
}

// Explain says why a ticket is where it is.
func (r *Routing) Explain(ctx context.Context, id uuid.UUID) (e Explained, err error) {
	now := r.now()
	if e.Ticket, err = r.tickets.Get(ctx, id); err != nil {
		return e, err
	}
	err = r.read(ctx, func(tx *pg.Tx) error {
		rules, queues := rulesOf(tx), allQueues(tx)
		wait, waits := waitOf(tx, id)
		place := category.At(tx, e.Ticket.Category)
		agents, err := agentsOf(ctx, tx, e.Ticket.Queue)
		if err != nil {
			return err
		}
		subjects := make([]string, len(agents))
		for i, a := range agents {
			subjects[i] = a.Subject
		}
		load := loads(tx, subjects)
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		f := facts(e.Ticket, place.Path)
		for i, rule := range rules.Rules {
			if sla.Fits(rule.Condition, f) {
				e.Rule, e.Sends = i+1, rule.Queue
				break
			}
		}
		q := queues[e.Ticket.Queue]
		e.Needs, e.Agents = slices.Clone(q.Skills), nil
		if *waits {
			e.Wait, e.Needs = wait, append(e.Needs, unspell(wait.Need)...)
		}
		for _, a := range agents {
			e.Agents = append(e.Agents, Judged{a.Subject, load[a.Subject], judge(a, load[a.Subject], q, e.Needs, wait.ReleasedBy, now)})
		}
		return nil
	})
	return e, err
}

func judge(a Agent, load int, q Queue, needs []Level, releasedBy string, now time.Time) string {
	switch {
	case q.Strategy == Pull:
		return "pull"
	case a.Present(now) != Available:
		return string(a.Present(now))
	case a.Subject == releasedBy:
		return "gave_back"
	case !a.fits(q.Code, needs):
		return "skills"
	case load >= a.Capacity:
		return "full"
	default:
		return ""
	}
}
