package c139

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/sales/internal/opportunity"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
)

// View is a card with what it hangs on.
type View struct {
	Card      Card
	Of        opportunity.Opportunity // as it is now, as is the structure
	Structure Structure
	Past      bool // it is the card as it was
}

// Get gives the card of an opportunity as it was at a time; zero: as it is. What the decision structure said in the past is known as of
// the version that held then.
func (c *Cards) Get(ctx context.Context, id uuid.UUID, at time.Time) (View, error) {
	return read(ctx, c, func(tx *pg.Tx) (View, error) {
		past := !at.IsZero()
		if !past {
			at = theEnd
		}
		v, err := look(ctx, tx, id, at, opportunity.Get)
		v.Past = past
		if err == nil && past {
			err = computedThen(ctx, tx, &v.Card)
		}
		return v, err
	})
}

// Gaps gives what to find out next of an opportunity.
func (c *Cards) Gaps(ctx context.Context, id uuid.UUID) (View, []Gap, error) {
	var gaps []Gap
	v, err := read(ctx, c, func(tx *pg.Tx) (View, error) {
		v, err := look(ctx, tx, id, theEnd, opportunity.Get)
		if err != nil {
			return v, err
		}
		p, err := pipeline.Find(ctx, tx, v.Of.Pipeline)
		if err != nil {
			return v, err
		}
		reached := 100 // of a stage that the pipeline does not have any more
		if _, place, ok := p.Stage(v.Of.Stage); ok {
			reached = 100 * (place + 1) / len(p.Stages)
		}
		gaps = v.Card.Gaps(v.Structure, reached, v.Of.OpenedAt, c.now())
		return v, nil
	})
	return v, gaps, err
}

// Logged is one version of a card with what it changed.
type Logged struct {
	Version  int
	Cause    string // people or structure
	At       time.Time
	By       string // empty where the contacts changed
	Counts   Counts
	Computed Computed
	Changes  []Logentry
}

// Logentry is an item before and after a version. Before is the zero Entry where nothing was said until then.
type Logentry struct{ Before, After Entry }

// Log gives up to limit versions of the card of an opportunity that were written from a time until before another (zero: without a
// bound), the latest first: those before the number, where it is not 0.
func (c *Cards) Log(ctx context.Context, id uuid.UUID, from, until time.Time, before, limit int) ([]Logged, error) {
	if until.IsZero() {
		until = theEnd
	}
	return read(ctx, c, func(tx *pg.Tx) ([]Logged, error) {
		if _, err := opportunity.Get(ctx, tx, id); err != nil {
			return nil, err
		}
		return logged(ctx, tx, id, from, until, before, limit)
	})
}

// WinRates measures how many were won of closed opportunities, by what their cards counted.
func (c *Cards) WinRates(ctx context.Context, q Query) ([]Band, error) {
	return read(ctx, c, func(tx *pg.Tx) ([]Band, error) {
		all, err := closed(ctx, tx, q)
		return rates(all, q.Least), err
	})
}

// read gives what a reading transaction of the caller's tenant gives.
func read[T any](ctx context.Context, c *Cards, of func(tx *pg.Tx) (T, error)) (found T, err error) {
	err = c.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = of(tx)
		return err
	})
	return found, err
}
