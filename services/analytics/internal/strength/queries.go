package strength

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/rating"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// Settings gives what the tenant has set, or what the house has.
func (t *Strengths) Settings(ctx context.Context) (s Settings, err error) {
	err = t.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		s, err = load(ctx, tx, -1)
		return err
	})
	return s, err
}

// Explained is what both figures of a customer are made of.
type Explained struct {
	CustomerID uuid.UUID      // who stands for the id that was asked for
	Settings   int64          // version
	Strength   StrengthFigure // as facts are now
	Loyalty    StrengthFigure
	Kept       [2]*float64 // strength and index that the portrait has, of the last run
	AsOf       time.Time
}

// Explain reckons both figures of a customer as facts are now: Gone customer_erased, NotFound customer_not_found.
func (t *Strengths) Explain(ctx context.Context, id uuid.UUID) (e Explained, err error) {
	err = t.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		root := alias.Root(tx, id)
		s, err := load(ctx, tx, -1)
		if err != nil {
			return err
		}
		e = Explained{CustomerID: *root, Settings: s.Version}
		if e.AsOf, err = fact.AsOf(ctx, tx); err != nil {
			return err
		}
		one, err := read(ctx, tx, s, []uuid.UUID{*root}, run.Today(t.clock))
		if err != nil {
			return err
		}
		if len(one) == 0 {
			return fact.Missing(ctx, tx, *root)
		}
		e.Strength, e.Loyalty = s.Reckon(one[0].Known)
		e.Kept = [2]*float64{one[0].Strength, one[0].Loyalty}
		return nil
	})
	return e, err
}

// Running is a run with how far it is.
type Running struct {
	run.Run
	reckoning
}

// Running gives how far a run is.
func (t *Strengths) Running(ctx context.Context, id uuid.UUID) (r Running, err error) {
	err = t.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if r.Run, err = run.Find(ctx, tx, Kind, id); err != nil {
			return err
		}
		all, err := reckonings(ctx, tx, []uuid.UUID{id})
		r.reckoning = all[id]
		return err
	})
	return r, err
}

// Runs gives runs, the newest first.
func (t *Strengths) Runs(ctx context.Context, before uuid.UUID, limit int) (all []Running, err error) {
	err = t.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		all, err = run.ListWith(ctx, tx, Kind, before, limit, reckonings, func(of run.Run, own reckoning) Running { return Running{of, own} })
		return err
	})
	return all, err
}

// Spread is how a figure is spread over customers.
type Spread struct {
	Customers int64 // with the figure
	Without   int64
	Mean      *rating.Interval
	Quartiles []float64 // three; none without customers
	Classes   []int64   // customers of eight classes of strength from -1 to 3, of ten of the index from 0 to 100
}

// Distribution is how both are spread, as portraits have them.
type Distribution struct {
	Strength, Loyalty Spread
	Run               *Running // the last that was done
	AsOf              time.Time
}

// Distribution gives how both figures are spread over customers.
func (t *Strengths) Distribution(ctx context.Context) (d Distribution, err error) {
	err = t.db.ReadWithin(ctx, auth.Tenant(ctx), rating.Patience, func(tx *pg.Tx) error {
		d = Distribution{}
		if d.AsOf, err = fact.AsOf(ctx, tx); err != nil {
			return err
		}
		var last uuid.UUID
		err := tx.QueryRow(ctx, `SELECT run_id FROM analytics_run WHERE tenant_id = $1 AND kind = $2 AND state = 'done' ORDER BY finished_at DESC, run_id DESC LIMIT 1`, tx.Tenant(), Kind).Scan(&last)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
		case err != nil:
			return err
		default:
			of, err := run.Find(ctx, tx, Kind, last)
			if err != nil {
				return err
			}
			own, err := reckonings(ctx, tx, []uuid.UUID{last})
			if err != nil {
				return err
			}
			d.Run = &Running{of, own[last]}
		}
		if d.Strength, err = spread(ctx, tx, "strength", -1, 3, 8); err != nil {
			return err
		}
		d.Loyalty, err = spread(ctx, tx, "loyalty_index", 0, 100, 10)
		return err
	})
	return d, err
}

// spread reads one column, whose name is this room's, in n classes from low to high; the last one holds high as well.
func spread(ctx context.Context, tx *pg.Tx, column string, low, high float64, n int) (s Spread, err error) {
	var mean, variance *float64
	err = tx.QueryRow(ctx, `SELECT count(v), count(*) - count(v), avg(v), var_samp(v), percentile_cont(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY v),
			(SELECT array_agg(coalesce(c.n, 0) ORDER BY k) FROM generate_series(1, $4::int) k LEFT JOIN (
				SELECT least(width_bucket(`+column+`::float8, $2::float8, $3::float8, $4::int), $4::int) AS k, count(*) AS n FROM portrait
				WHERE tenant_id = $1 AND `+column+` IS NOT NULL GROUP BY 1) c USING (k))
		FROM (SELECT `+column+`::float8 AS v FROM portrait WHERE tenant_id = $1) p`, tx.Tenant(), low, high, n).
		Scan(&s.Customers, &s.Without, &mean, &variance, &s.Quartiles, &s.Classes)
	if err == nil && mean != nil {
		i := rating.Interval{Value: *mean, Low: *mean, High: *mean}
		if variance != nil {
			i, _ = rating.Around(*mean, *variance/float64(s.Customers), int(s.Customers))
		}
		s.Mean = &i
	}
	return s, err
}
