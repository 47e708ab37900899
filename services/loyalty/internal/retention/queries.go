package retention

import (
	"context"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Filter says which cases are meant; the zero Filter means all.
type Filter struct {
	Stage      Stage
	Kind       Kind
	Arm        Arm
	Trigger    Trigger
	Band       Band
	Plan       string
	CustomerID uuid.UUID // whoever this id means since merges
	Before     uuid.UUID // only those of before this one
}

// Told is a case with what people said about it, by the notes' ids.
type Told struct {
	Case
	notes map[uuid.UUID]string
}

// Get gives a case of the caller's tenant.
func (r *Retention) Get(ctx context.Context, id uuid.UUID) (told Told, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		if told.Case, err = load(ctx, tx, id, false); err == nil {
			told.notes, err = notes(ctx, tx, id)
		}
		return err
	})
	return told, err
}

// List gives up to limit cases, the latest first.
func (r *Retention) List(ctx context.Context, f Filter, limit int) (page []Told, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		found, err := list(ctx, tx, f, limit)
		if err != nil {
			return err
		}
		ids := make([]uuid.UUID, len(found))
		for i, one := range found {
			ids[i] = one.ID
		}
		said, err := notes(ctx, tx, ids...)
		page = make([]Told, len(found))
		for i, one := range found {
			page[i] = Told{Case: one, notes: said}
		}
		return err
	})
	return page, err
}

// Plan gives a plan of the caller's tenant by a version of its terms, 0 for the present one.
func (r *Retention) Plan(ctx context.Context, code string, version int64) (p Plan, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		p, err = loadPlan(ctx, tx, code, version, false)
		return err
	})
	return p, err
}

// Plans gives up to limit plans after a code, in the order of their codes.
func (r *Retention) Plans(ctx context.Context, after string, limit int) (page []Plan, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		page, err = plansOf(ctx, tx, after, false, limit)
		return err
	})
	return page, err
}

// Report says what came of the cases of a plan so far.
func (r *Retention) Report(ctx context.Context, code string) (Report, error) {
	now := r.now()
	p, err := r.Plan(ctx, code, 0)
	if err != nil {
		return Report{}, err
	}
	report := Report{Plan: p.Code, Currency: p.Currency}
	for last := uuid.Nil; ; {
		err := r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
			last, err = report.reckon(ctx, tx, last, now)
			return err
		})
		if err != nil {
			return Report{}, err
		}
		if last == uuid.Nil {
			return report.Judge(), nil
		}
	}
}
