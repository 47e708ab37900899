package reward

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Get gives a reward of the caller's tenant.
func (r *Rewards) Get(ctx context.Context, id uuid.UUID) (Reward, error) {
	return read(ctx, r, func(tx *pg.Tx) (Reward, error) { return find(ctx, tx, id, r.now()) })
}

// List gives up to limit rewards, in the order in which they were made.
func (r *Rewards) List(ctx context.Context, f Filter, limit int) ([]Reward, error) {
	return read(ctx, r, func(tx *pg.Tx) ([]Reward, error) { return list(ctx, tx, f, r.now(), limit) })
}

// Costs gives up to limit costs of a reward, the latest written first: those before the number, where it is not 0.
func (r *Rewards) Costs(ctx context.Context, id uuid.UUID, before int64, limit int) ([]Cost, error) {
	return ofReward(ctx, r, id, func(tx *pg.Tx) ([]Cost, error) { return costs(ctx, tx, id, before, limit) })
}

// Movements gives up to limit movements of a reward's stock, the latest first: those before the number, where it is not 0.
func (r *Rewards) Movements(ctx context.Context, id uuid.UUID, before int64, limit int) ([]Movement, error) {
	return ofReward(ctx, r, id, func(tx *pg.Tx) ([]Movement, error) { return movements(ctx, tx, id, before, limit) })
}

// Redemption gives a redemption of the caller's tenant.
func (r *Rewards) Redemption(ctx context.Context, id uuid.UUID) (Redemption, error) {
	return read(ctx, r, func(tx *pg.Tx) (Redemption, error) { return findRedemption(ctx, tx, id, false) })
}

// Redemptions gives up to limit redemptions, the latest first.
func (r *Rewards) Redemptions(ctx context.Context, f RedemptionFilter, limit int) ([]Redemption, error) {
	return read(ctx, r, func(tx *pg.Tx) ([]Redemption, error) { return listRedemptions(ctx, tx, f, limit) })
}

// Vouchers gives the codes of a redemption, to who redeemed it and nobody else: whoever has one can use it.
func (r *Rewards) Vouchers(ctx context.Context, id uuid.UUID) ([]string, error) {
	return read(ctx, r, func(tx *pg.Tx) ([]string, error) {
		of, err := findRedemption(ctx, tx, id, false)
		if err != nil {
			return nil, err
		}
		caller, _ := auth.From(ctx)
		switch {
		case of.By != caller.Subject:
			return nil, problem.New(problem.Forbidden, "voucher_of_another", "Only who redeemed a voucher is shown its code.")
		case of.Kind != Voucher:
			return nil, problem.New(problem.Conflict, "redemption_not_voucher", "This is no voucher: it has no code.")
		case of.State != Fulfilled:
			return nil, of.possible(Fulfilled)
		}
		codes, err := vouchers(ctx, tx, id)
		if err == nil && len(codes) == 0 {
			err = problem.New(problem.Gone, "customer_erased", "The customer was erased, and the code with them.")
		}
		return codes, err
	})
}

// Reported is a reward with what became of it.
type Reported struct {
	Reward
	Figures
}

// Report gives up to limit rewards with what became of what was redeemed from a time until before another (zero: without a bound).
func (r *Rewards) Report(ctx context.Context, f Filter, from, until time.Time, limit int) ([]Reported, error) {
	return read(ctx, r, func(tx *pg.Tx) ([]Reported, error) {
		found, err := list(ctx, tx, f, r.now(), limit)
		if err != nil {
			return nil, err
		}
		ids, all := make([]uuid.UUID, len(found)), make([]Reported, len(found))
		for i, one := range found {
			ids[i] = one.ID
		}
		of, err := figures(ctx, tx, ids, from, until)
		for i, one := range found {
			all[i] = Reported{one, of[one.ID]}
		}
		return all, err
	})
}

// read gives what a reading transaction of the caller's tenant gives.
func read[T any](ctx context.Context, r *Rewards, of func(tx *pg.Tx) (T, error)) (found T, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		found, err = of(tx)
		return err
	})
	return found, err
}

// ofReward is read for what belongs to a reward, which has to be there.
func ofReward[T any](ctx context.Context, r *Rewards, id uuid.UUID, of func(tx *pg.Tx) (T, error)) (T, error) {
	return read(ctx, r, func(tx *pg.Tx) (T, error) {
		if _, err := find(ctx, tx, id, r.now()); err != nil {
			var none T
			return none, err
		}
		return of(tx)
	})
}
