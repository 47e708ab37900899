package assignment

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/lead"
	"github.com/guanxi-crm/guanxi/services/sales/internal/team"
)

// Assignments is what can be done with rules, and with the leads that wait for somebody.
type Assignments struct {
	db     *pg.DB
	outbox *outbox.Outbox
	leads  *lead.Leads
	clock  func() time.Time
}

// New makes the capability.
func New(db *pg.DB, o *outbox.Outbox, leads *lead.Leads, clock func() time.Time) *Assignments {
	return &Assignments{db: db, outbox: o, leads: leads, clock: clock}
}

// SetRules puts rules in the place of the present ones, if those still are as the caller saw them: fresh is asked with the
// version. Leads that no rule fitted are looked at by them; those that wait for a team stay in it.
func (s *Assignments) SetRules(ctx context.Context, to Rules, fresh func(version int64) error) (Rules, error) {
	err := s.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		lock(tx)
		was, book := rulesOf(tx), team.All(tx, s.now())
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		if err := fresh(was.Version); err != nil {
			return err
		}
		checked, f := to.check(book)
		if len(f) > 0 {
			return problem.InvalidBody("assignment_rules_invalid", "The rules were not accepted: mend the fields named here.", f)
		}
		to = checked
		to.Version, to.ChangedAt, to.By = was.Version+1, s.now(), subject(ctx)
		saveRules(tx, to)
		return nil
	})
	return to, err
}

// maxHandover is how many leads one command hands over.
const maxHandover = 1000

// HandOver gives the leads of a person, of which something may still come, to somebody else or, where to is empty, has them
// given by the rules again, though not to the same person. One command hands over 1000 leads; what is left over is said.
func (s *Assignments) HandOver(ctx context.Context, from, to string) (Handover, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Handover{}, err
	}
	h := Handover{ID: id, Subject: from, To: to, By: subject(ctx), At: s.now()}
	result, err := s.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		if _, err := team.Answerable(ctx, tx, from, h.At); err != nil {
			return pg.Result{}, err
		}
		if err := receives(ctx, tx, from, to, h.At); err != nil {
			return pg.Result{}, err
		}
		ids, all, err := heldBy(ctx, tx, from, maxHandover)
		if err != nil {
			return pg.Result{}, err
		}
		events, err := s.leads.AssignAllIn(ctx, tx, ids, func(l lead.Lead) (lead.Assignment, bool) {
			a := lead.Assignment{Team: l.Team, Owner: to, Reason: reasonHand}
			if to == "" {
				a.Reason = reasonReleased
			}
			return a, l.Owner == from && l.State.Working()
		}, h.At)
		if err != nil {
			return pg.Result{}, err
		}
		h.Handed, h.Left = len(events), max(0, all-len(events))
		saveHandover(tx, h)
		return pg.Result{ID: id, Status: http.StatusCreated}, s.outbox.Append(ctx, tx, events...)
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) { h, err = getHandover(ctx, tx, result.ID); return err })
	}
	return h, err
}

// receives refuses a hand-over to nobody who could have it.
func receives(ctx context.Context, tx *pg.Tx, from, to string, now time.Time) error {
	if to == "" {
		return nil
	}
	p, err := team.FindPerson(ctx, tx, to, now)
	var f faults
	switch {
	case problem.KindOf(err) == problem.NotFound:
		f.add("to", "seller_unknown", "is nobody who sells: make them known first")
	case err != nil:
		return err
	case p.Archived:
		f.add("to", "seller_archived", "has left, and gets no new leads")
	case from == to:
		f.add("to", "seller_same", "must be somebody else")
	default:
		return nil
	}
	return problem.InvalidBody("handover_invalid", fmt.Sprintf("The leads stay with %s: mend the field named here.", from), f)
}

func subject(ctx context.Context) string {
	p, _ := auth.From(ctx)
	return p.Subject
}

// now is cut to what the database keeps, so that an answer reads the same at once and later.
func (s *Assignments) now() time.Time { return s.clock().UTC().Truncate(time.Microsecond) }
