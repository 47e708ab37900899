package value

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
	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// Worth is what one customer was worth and will be, with its parts.
type Worth struct {
	Customer  uuid.UUID
	AsOf      time.Time
	Currency  string
	Settings  Settings
	Model     string // versions of the models in use
	Realised  Realised
	Predicted Predicted
}

// Customer reckons the values of the customer whom the id means, as of a day, by the models and settings of now: Gone
// customer_erased, NotFound customer_not_found.
func (v *Values) Customer(ctx context.Context, id uuid.UUID, asOf time.Time) (w Worth, err error) {
	err = v.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		s := story{}
		var registered *time.Time
		root := alias.Root(tx, id)
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, `SELECT customer_id, source, registered_at FROM portrait WHERE tenant_id = $1 AND customer_id = $2`, tx.Tenant(), *root).Scan(&s.customer, &s.source, &registered)
		if errors.Is(err, pgx.ErrNoRows) {
			return fact.Missing(ctx, tx, *root)
		}
		if err != nil {
			return err
		}
		if registered != nil {
			s.registered = registered.UTC()
		}
		w = Worth{Customer: s.customer, AsOf: asOf}
		if w.Settings, err = readSettings(ctx, tx, false); err != nil {
			return err
		}
		if w.Currency, err = portrait.Currency(ctx, tx); err != nil {
			return err
		}
		m, _, err := modelsInUse(ctx, tx, w.Settings)
		if err != nil {
			return err
		}
		w.Model = m.version
		if err := readStories(ctx, tx, []*story{&s}, asOf.AddDate(0, 0, 1), w.Settings, w.Currency); err != nil {
			return err
		}
		w.Realised = realise(s, w.Settings, w.Currency)
		w.Predicted = predict(s, w.Settings, m, w.Currency, asOf, make(map[History]foretold))
		return nil
	})
	return w, err
}

// Tenth is a tenth of the customers with a value, by it.
type Tenth struct {
	Tenth     int   `json:"tenth" doc:"1 holds the highest values."`
	Customers int64 `json:"customers"`
	FromMinor int64 `json:"from_minor"`
	ToMinor   int64 `json:"to_minor"`
	SumMinor  int64 `json:"sum_minor"`
}

// Spread is how a value is spread over customers.
type Spread struct {
	Without int64 // customers that have none
	Tenths  []Tenth
}

// Distribution gives how predicted or realised value is spread, as the last run left it.
func (v *Values) Distribution(ctx context.Context, predicted bool) (s Spread, currency string, err error) {
	column := "realised_value_minor"
	if predicted {
		column = "predicted_value_minor"
	}
	err = v.db.ReadWithin(ctx, auth.Tenant(ctx), 8*time.Second, func(tx *pg.Tx) error {
		s = Spread{Tenths: []Tenth{}}
		var err error
		if currency, err = portrait.Currency(ctx, tx); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT t, count(*), min(v), max(v), sum(v)::bigint FROM (
				SELECT `+column+` AS v, ntile(10) OVER (ORDER BY `+column+` DESC) AS t FROM portrait WHERE tenant_id = $1 AND `+column+` IS NOT NULL) p
			GROUP BY t ORDER BY t`, tx.Tenant())
		if err != nil {
			return err
		}
		if s.Tenths, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Tenth]); err != nil {
			return err
		}
		return tx.QueryRow(ctx, `SELECT count(*) FROM portrait WHERE tenant_id = $1 AND `+column+` IS NULL`, tx.Tenant()).Scan(&s.Without)
	})
	return s, currency, err
}

// maxEquity is how many days of customer equity are given at once.
const maxEquity = 4000

// Equity gives customer equity between two days, both included, by day, or the last of each month.
func (v *Values) Equity(ctx context.Context, from, to time.Time, months bool) (rows []Equity, err error) {
	err = v.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		rows, err = readEquity(ctx, tx, from, to, maxEquity)
		return err
	})
	if months {
		rows = monthly(rows)
	}
	return rows, err
}

// Settings gives the caller's settings.
func (v *Values) Settings(ctx context.Context) (s Settings, err error) {
	err = v.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		s, err = readSettings(ctx, tx, false)
		return err
	})
	return s, err
}

// Running is a run and how far it is.
type Running struct {
	run.Run
	progress
}

// Run gives a run.
func (v *Values) Run(ctx context.Context, id uuid.UUID) (r Running, err error) {
	err = v.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (err error) {
		if r.Run, err = run.Find(ctx, tx, Kind, id); err != nil {
			return err
		}
		r.progress, err = loadProgress(ctx, tx, id)
		return err
	})
	return r, err
}

// Runs gives up to limit runs before the given id, the newest first.
func (v *Values) Runs(ctx context.Context, before uuid.UUID, limit int) (all []Running, err error) {
	err = v.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		all = nil
		runs, err := run.List(ctx, tx, Kind, before, limit)
		if err != nil {
			return err
		}
		for _, one := range runs {
			p, err := loadProgress(ctx, tx, one.ID)
			if err != nil {
				return err
			}
			all = append(all, Running{one, p})
		}
		return nil
	})
	return all, err
}
