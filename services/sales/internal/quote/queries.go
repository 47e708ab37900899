package quote

import (
	"context"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Filter says which quotes are meant; the zero Filter means all.
type Filter struct {
	CustomerID    uuid.UUID // whose id may mean somebody who was merged
	OpportunityID uuid.UUID
	State         State     // of the latest version
	Before        uuid.UUID // only those of before this one
}

// Told is a quote with the lines of one of its versions and what people said about it, by the notes' ids.
type Told struct {
	Quote
	Shown int32 // the version whose lines are loaded
	notes map[uuid.UUID]string
}

// Get gives a quote of the caller's tenant with the lines of its latest version.
func (s *Quotes) Get(ctx context.Context, id uuid.UUID) (Told, error) { return s.get(ctx, id, 0) }

// Version gives a quote with the lines of a version.
func (s *Quotes) Version(ctx context.Context, id uuid.UUID, no int32) (Told, error) {
	return s.get(ctx, id, no)
}

// get gives a quote with the lines of a version; no 0 is the latest.
func (s *Quotes) get(ctx context.Context, id uuid.UUID, no int32, more ...int32) (told Told, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if told.Quote, err = load(ctx, tx, id, false); err != nil {
			return err
		}
		if told.Shown = no; no == 0 {
			told.Shown = told.Latest().No
		}
		for _, n := range append([]int32{told.Shown}, more...) {
			v, err := told.Quote.Version(n)
			if err != nil {
				return err
			}
			if v.Lines, err = linesOf(ctx, tx, id, n); err != nil {
				return err
			}
			told.Versions[n-1] = v
		}
		told.notes, err = notes(ctx, tx, id)
		return err
	})
	return told, err
}

// Paper gives a quote with the lines of a version, to be drawn. Of a customer who was erased nothing is left to be drawn: Gone.
func (s *Quotes) Paper(ctx context.Context, id uuid.UUID, no int32) (q Quote, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		customer, err := customerOf(ctx, tx, id)
		if err != nil {
			return err
		}
		erasure.Refuse(tx, customer)
		if q, err = load(ctx, tx, id, false); err != nil {
			return err
		}
		v, err := q.Version(no)
		if err != nil {
			return err
		}
		v.Lines, err = linesOf(ctx, tx, id, no)
		q.Versions[no-1] = v
		return err
	})
	return q, err
}

// List gives up to limit quotes that fit the filter, the latest first, without lines.
func (s *Quotes) List(ctx context.Context, f Filter, limit int) (found []Quote, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		sql, args := listSQL(f, limit)
		found, err = collect(ctx, tx, sql, args...)
		return err
	})
	return found, err
}

// Awaiting gives up to limit quotes on which the caller may decide, the latest first, without lines.
func (s *Quotes) Awaiting(ctx context.Context, before uuid.UUID, limit int) (found []Quote, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		found, err = awaiting(ctx, tx, flow.ActorOf(ctx), before, limit)
		return err
	})
	return found, err
}

// Compare tells what is different between two versions of a quote.
func (s *Quotes) Compare(ctx context.Context, id uuid.UUID, from, to int32) (Differences, error) {
	told, err := s.get(ctx, id, from, to)
	if err != nil {
		return Differences{}, err
	}
	return Compare(told.Versions[from-1], told.Versions[to-1]), nil
}

// Policy gives the policy of the caller's tenant.
func (s *Quotes) Policy(ctx context.Context) (Policy, error) {
	var found *Policy
	err := s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		found = policyOf(tx)
		return tx.Flush(ctx)
	})
	if err != nil {
		return Policy{}, err
	}
	return *found, nil
}
