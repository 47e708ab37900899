package portrait

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
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// Currency is the tenant's reporting currency: the one that was set, else that with the most orders, else empty.
func Currency(ctx context.Context, tx *pg.Tx) (currency string, err error) {
	err = tx.QueryRow(ctx, `SELECT coalesce((SELECT currency FROM analytics_settings WHERE tenant_id = $1),
		(SELECT currency FROM sales_day WHERE tenant_id = $1 GROUP BY currency ORDER BY sum(orders) DESC, currency LIMIT 1), '')`,
		tx.Tenant()).Scan(&currency)
	return currency, err
}

// Settings is what a tenant has set for all its figures.
type Settings struct {
	Currency string // the reporting currency; empty where nothing was sold yet
	Set      bool   // it was set, and does not follow from what was sold
	Version  int64  // 0: nothing was set yet
}

// Settings gives what is set.
func (p *Portraits) Settings(ctx context.Context) (s Settings, err error) {
	err = p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		s, err = readSettings(ctx, tx)
		return err
	})
	return s, err
}

func readSettings(ctx context.Context, tx *pg.Tx) (s Settings, err error) {
	err = tx.QueryRow(ctx, `SELECT currency, true, version FROM analytics_settings WHERE tenant_id = $1`, tx.Tenant()).Scan(&s.Currency, &s.Set, &s.Version)
	if errors.Is(err, pgx.ErrNoRows) {
		s.Currency, err = Currency(ctx, tx)
	}
	return s, err
}

// Portrait is what is known of a customer.
type Portrait struct {
	CustomerID uuid.UUID // who stands for the id that was asked for
	Currency   string    // of amounts
	Values     map[string]any
	AsOf       time.Time // of the newest event that facts have
}

// Get gives the portrait of the customer whom the id means: Gone customer_erased, NotFound customer_not_found.
func (p *Portraits) Get(ctx context.Context, id uuid.UUID) (got Portrait, err error) {
	var columns string
	for i, f := range fields {
		if i > 0 {
			columns += ", "
		}
		columns += f.SQL("$3::date")
	}
	err = p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		got = Portrait{Values: make(map[string]any, len(fields))}
		root := alias.Root(tx, id)
		if got.Currency, err = Currency(ctx, tx); err != nil {
			return err
		}
		if got.AsOf, err = fact.AsOf(ctx, tx); err != nil {
			return err
		}
		got.CustomerID = *root
		rows, err := tx.Query(ctx, `SELECT `+columns+` FROM portrait WHERE tenant_id = $1 AND customer_id = $2`, tx.Tenant(), got.CustomerID, run.Today(p.clock))
		if err != nil {
			return err
		}
		defer rows.Close()
		if !rows.Next() {
			if err := rows.Err(); err != nil {
				return err
			}
			rows.Close()
			return fact.Missing(ctx, tx, got.CustomerID)
		}
		values, err := rows.Values()
		if err != nil {
			return err
		}
		for i, f := range fields {
			got.Values[f.Name] = shown(f, values[i])
		}
		return nil
	})
	return got, err
}

// shown is a value as the API shows it: days and moments in UTC.
func shown(f Field, v any) any {
	at, ok := v.(time.Time)
	switch {
	case !ok:
		return v
	case f.Type == Day:
		return at.Format(time.DateOnly)
	default:
		return at.UTC()
	}
}

// Rebuilding gives a run that makes portraits anew; NotFound run_not_found.
func (p *Portraits) Rebuilding(ctx context.Context, id uuid.UUID) (r run.Run, err error) {
	err = p.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		r, err = run.Find(ctx, tx, Kind, id)
		return err
	})
	return r, err
}
