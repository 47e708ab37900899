package programme

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// List gives the programmes of the caller's tenant by the terms that are in force at a time, the standard one first.
func (p *Programmes) List(ctx context.Context, at time.Time) (all []Programme, err error) {
	err = p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		book := BookOf(tx)
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		for _, code := range book.Codes() {
			if one, ok := book.At(code, at); ok {
				all = append(all, one)
			}
		}
		return nil
	})
	return all, err
}

// Get gives a programme by the terms that are in force at a time, with the number of its latest version; 0 where it goes by
// the terms of the code.
func (p *Programmes) Get(ctx context.Context, code string, at time.Time) (one Programme, latest int, err error) {
	err = p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		book := BookOf(tx)
		found, err := latestOf(ctx, tx, code)
		if err != nil {
			return err
		}
		latest = found
		var ok bool
		if one, ok = book.At(code, at); !ok {
			return errNotFound
		}
		return nil
	})
	return one, latest, err
}

// Version gives a version of a programme.
func (p *Programmes) Version(ctx context.Context, code string, no int) (s Stored, err error) {
	err = p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		s, err = findVersion(ctx, tx, code, no)
		return err
	})
	return s, err
}

// Versions gives up to limit versions of a programme before the one of a number, the latest first; 0: from the latest on.
func (p *Programmes) Versions(ctx context.Context, code string, before, limit int) (all []Stored, err error) {
	err = p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		all, err = listVersions(ctx, tx, code, before, limit)
		return err
	})
	return all, err
}

// byID gives the version that a request wrote.
func (p *Programmes) byID(ctx context.Context, id uuid.UUID) (s Stored, err error) {
	err = p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		s, err = findByID(ctx, tx, id)
		return err
	})
	return s, err
}
