package c139

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/sales/internal/opportunity"
)

// Cards is what can be done with C139 cards.
type Cards struct {
	db    *pg.DB
	clock func() time.Time
}

// New makes the capability.
func New(db *pg.DB, clock func() time.Time) *Cards { return &Cards{db: db, clock: clock} }

func (c *Cards) now() time.Time { return c.clock().UTC().Truncate(time.Microsecond) }

// errClosed refuses changes that would rewrite what is learned from a card.
var errClosed = problem.New(problem.Conflict, "opportunity_closed", "The opportunity is closed. Its card stays as it was, so that win rates are measured of what was known then: reopen it first.")

// Write changes items of the card of an opportunity, if the card still is as the caller saw it: fresh is asked with its edition,
// which is 0 before anybody wrote. What was so already makes no version.
func (c *Cards) Write(ctx context.Context, id uuid.UUID, change Change, fresh func(edition int) error) (View, error) {
	caller, _ := auth.From(ctx)
	now := c.now()
	_, err := c.db.Command(ctx, caller.Tenant, func(tx *pg.Tx) (pg.Result, error) {
		seen, err := opportunity.Get(ctx, tx, id)
		if err != nil {
			return pg.Result{}, err
		}
		erasure.Refuse(tx, seen.CustomerID) // before the row is locked, as those who erase do it
		of, err := look(ctx, tx, id, theEnd, opportunity.Lock)
		if err != nil {
			return pg.Result{}, err
		}
		if of.Of.State != opportunity.Open {
			return pg.Result{}, errClosed
		}
		if err := fresh(of.Card.Edition); err != nil {
			return pg.Result{}, err
		}
		if err := confirmers(ctx, tx, change); err != nil {
			return pg.Result{}, err
		}
		if faults := change.faults(of.Structure, tomorrow(now)); len(faults) > 0 {
			return pg.Result{}, problem.InvalidBody("c139_invalid", "Nothing was changed: mend the entries named here.", faults)
		}
		card, changed := of.Card.Apply(change, of.Of.OpenedAt, caller.Subject, later(now, of.Card.At))
		if len(changed) > 0 {
			save(tx, card, byPeople, changed)
			opportunity.Follow(tx, id)
		}
		return pg.Result{ID: id, Status: http.StatusOK}, nil
	})
	if err != nil {
		return View{}, err
	}
	return c.Get(ctx, id, time.Time{})
}

// tomorrow is the first day that has begun nowhere on earth at an instant.
func tomorrow(now time.Time) time.Time {
	return now.Add(14*time.Hour).UTC().Truncate(24*time.Hour).AddDate(0, 0, 1)
}

// later keeps versions in the order of their times, whatever clocks do.
func later(now, last time.Time) time.Time {
	if now.Before(last) {
		return last
	}
	return now
}
