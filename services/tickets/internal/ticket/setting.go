package ticket

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Setting is how a tenant deals with its tickets.
type Setting struct {
	Version        int64 // 0 while the standard one holds
	CloseAfterDays int   // a resolved ticket is closed by itself after so many; 0: never
}

const (
	standardCloseDays = 7
	mostCloseDays     = 365
)

// Setting gives the setting of the caller's tenant.
func (t *Tickets) Setting(ctx context.Context) (found Setting, err error) {
	err = t.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		at := settingOf(tx)
		err := tx.Flush(ctx)
		found = *at
		return err
	})
	return found, err
}

// Set puts a setting in the place of the present one, if that still is as the caller saw it: fresh is asked with the
// version. Tickets that are resolved already are closed by it as well.
func (t *Tickets) Set(ctx context.Context, to Setting, fresh func(version int64) error) (Setting, error) {
	if to.CloseAfterDays < 0 || to.CloseAfterDays > mostCloseDays {
		return Setting{}, problem.InvalidBody("ticket_setting_invalid", "The setting was not accepted: mend the fields named here.", []problem.Field{
			fault("close_after_days", "out_of_range", "must be 0, for never, to 365")})
	}
	_, err := t.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('ticket_setting' || chr(31) || $1, 0))`, tx.Tenant())
		was := settingOf(tx)
		if err := tx.Flush(ctx); err != nil {
			return pg.Result{}, err
		}
		if err := fresh(was.Version); err != nil {
			return pg.Result{}, err
		}
		to.Version = was.Version + 1
		tx.Queue(`INSERT INTO ticket_setting (tenant_id, version, close_after_days) VALUES ($1, $2, $3)
			ON CONFLICT (tenant_id) DO UPDATE SET version = $2, close_after_days = $3`, tx.Tenant(), to.Version, to.CloseAfterDays)
		tx.Queue(`UPDATE ticket SET close_at = CASE WHEN $2::integer > 0 THEN resolved_at + make_interval(days => $2::integer) END
			WHERE tenant_id = $1 AND status = 'resolved' AND kind <> 'complaint'`, tx.Tenant(), to.CloseAfterDays)
		return pg.Result{}, nil
	})
	return to, err
}

// settingOf queues the search for the setting of the transaction's tenant; it is filled by the next round trip.
func settingOf(tx *pg.Tx) *Setting {
	s := &Setting{CloseAfterDays: standardCloseDays}
	tx.Queue(`SELECT version, close_after_days FROM ticket_setting WHERE tenant_id = $1`, tx.Tenant()).QueryRow(func(row pgx.Row) error {
		err := row.Scan(&s.Version, &s.CloseAfterDays)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		return err
	})
	return s
}
