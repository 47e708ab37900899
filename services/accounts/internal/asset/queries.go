package asset

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/tenant"
)

// Get gives an asset of the caller's tenant.
func (s *Assets) Get(ctx context.Context, id uuid.UUID) (found Asset, err error) {
	err = s.read(ctx, func(tx *pg.Tx) (_ []*Asset, err error) {
		found, err = get(ctx, tx, id)
		return []*Asset{&found}, err
	})
	return found, err
}

// BySerial gives the asset in use that has the serial; the product is looked at where the type is not vehicle.
func (s *Assets) BySerial(ctx context.Context, t Type, product, serial string) (found Asset, err error) {
	serial, fault := NormaliseSerial(t, serial)
	if fault != nil || serial == "" {
		return found, errNotFound
	}
	err = s.read(ctx, func(tx *pg.Tx) ([]*Asset, error) {
		id, err := withSerial(ctx, tx, t, product, serial)
		if err != nil {
			return nil, err
		}
		found, err = get(ctx, tx, id)
		return []*Asset{&found}, err
	})
	return found, err
}

// List gives whom the id means, and up to limit times of that customer with assets, begun before the given one (nil UUID:
// from the last); those that are over only if all are asked for.
func (s *Assets) List(ctx context.Context, id uuid.UUID, all bool, before uuid.UUID, limit int) (ref customer.Ref, page []Held, err error) {
	if before == uuid.Nil {
		before = uuid.Max
	}
	err = s.read(ctx, func(tx *pg.Tx) (assets []*Asset, err error) {
		if ref, err = customer.Resolve(ctx, tx, id); err != nil {
			return nil, err
		}
		page, err = held(ctx, tx, ref.Group(), all, before, limit)
		for _, h := range page {
			if h.Asset != nil {
				assets = append(assets, h.Asset)
			}
		}
		return assets, err
	})
	return ref, page, err
}

// DueBefore gives up to limit assets whose service is due before the day, after the one that was due on the other day and
// has the id, the first due first.
func (s *Assets) DueBefore(ctx context.Context, before, afterOn time.Time, after uuid.UUID, limit int) (page []Asset, err error) {
	err = s.read(ctx, func(tx *pg.Tx) (assets []*Asset, err error) {
		page, err = dueBefore(ctx, tx, before, afterOn, after, limit)
		for n := range page {
			assets = append(assets, &page[n])
		}
		return assets, err
	})
	return page, err
}

// Readings gives up to limit readings of an asset's meter, before the place, the latest first.
func (s *Assets) Readings(ctx context.Context, id uuid.UUID, before Place, limit int) ([]Reading, error) {
	return history(ctx, s, id, func(tx *pg.Tx) ([]Reading, error) { return readings(ctx, tx, id, before, limit) })
}

// Services gives up to limit services of an asset, before the place, the latest first.
func (s *Assets) Services(ctx context.Context, id uuid.UUID, before Place, limit int) ([]Service, error) {
	return history(ctx, s, id, func(tx *pg.Tx) ([]Service, error) { return services(ctx, tx, id, before, limit) })
}

// history gives what look finds of an asset that is there.
func history[T any](ctx context.Context, s *Assets, id uuid.UUID, look func(tx *pg.Tx) ([]T, error)) (page []T, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if _, err := get(ctx, tx, id); err != nil {
			return err
		}
		page, err = look(tx)
		return err
	})
	return page, err
}

// read reads assets and says of each whether it is due today.
func (s *Assets) read(ctx context.Context, look func(tx *pg.Tx) ([]*Asset, error)) error {
	return s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		assets, err := look(tx)
		if err != nil || len(assets) == 0 {
			return err
		}
		today, err := tenant.Today(ctx, tx, s.now())
		for _, a := range assets {
			a.DueNow = a.Due.Over(today)
		}
		return err
	})
}
