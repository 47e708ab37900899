package report

import (
	"context"
	"time"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Reports is what can be asked.
type Reports struct {
	db    *pg.DB
	clock func() time.Time
}

// New makes the capability.
func New(db *pg.DB, clock func() time.Time) *Reports { return &Reports{db: db, clock: clock} }

// Levels tells how the clocks' promises were kept, by agent, queue or policy, or all together where by is empty; per day, week
// or month, or for the whole time where per is empty.
func (r *Reports) Levels(ctx context.Context, s Span, by, per string) (found []Level, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		found, err = levels(ctx, tx, s, by, per, r.clock())
		return err
	})
	return found, err
}

// Backlog tells what is open at this moment, the largest group first.
func (r *Reports) Backlog(ctx context.Context, by string) (found []Backlog, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		found, err = backlog(ctx, tx, by, r.clock())
		return err
	})
	return found, err
}

// Resolutions tells what was resolved for the first time in the span, how much of it at the first contact, and how much was
// reopened since.
func (r *Reports) Resolutions(ctx context.Context, s Span, by, per string) (found []Resolutions, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		found, err = resolutions(ctx, tx, s, by, per)
		return err
	})
	return found, err
}

// Causes gives the Pareto chart of complaints that were registered in the span, and how many have no cause yet.
func (r *Reports) Causes(ctx context.Context, s Span, by string) (found []Cause, unknown int64, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		found, unknown, err = causes(ctx, tx, s, by)
		return err
	})
	return Pareto(found), unknown, err
}
