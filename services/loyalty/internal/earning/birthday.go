package earning

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/member"
)

// The month of birth is kept here, since nothing that accounts tells has it: it is personal, so it goes into no event. A
// customer has one, in all programmes.

var errNoMonth = problem.New(problem.NotFound, "birthday_month_unknown", "The member's month of birth is not known.")

// setMonth keeps the month in which a member's customer was born. Gone where the customer was erased.
func (e *Earnings) setMonth(ctx context.Context, memberID uuid.UUID, month int) error {
	caller, _ := auth.From(ctx)
	return e.db.Tx(ctx, caller.Tenant, func(tx *pg.Tx) error {
		m, err := member.Find(ctx, tx, memberID)
		if err != nil {
			return err
		}
		erasure.Refuse(tx, m.CustomerID)
		tx.Queue(`INSERT INTO birthday_month (tenant_id, customer_id, month, by_subject, at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (tenant_id, customer_id) DO UPDATE SET month = excluded.month, by_subject = excluded.by_subject, at = excluded.at`,
			tx.Tenant(), m.CustomerID, month, caller.Subject, e.now())
		return tx.Flush(ctx)
	})
}

// forgetMonth takes it away.
func (e *Earnings) forgetMonth(ctx context.Context, memberID uuid.UUID) error {
	return e.db.Tx(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		m, err := member.Find(ctx, tx, memberID)
		if err != nil {
			return err
		}
		tx.Queue(`DELETE FROM birthday_month WHERE tenant_id = $1 AND customer_id = $2`, tx.Tenant(), m.CustomerID)
		return tx.Flush(ctx)
	})
}

// month gives it, of whoever is the customer since merges.
func (e *Earnings) month(ctx context.Context, memberID uuid.UUID) (month int, err error) {
	err = e.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		m, err := member.Find(ctx, tx, memberID)
		if err != nil {
			return err
		}
		err = tx.QueryRow(ctx, `SELECT month FROM (`+birthsOf+`) b`, tx.Tenant(), []uuid.UUID{m.CustomerID}).Scan(&month)
		if errors.Is(err, pgx.ErrNoRows) {
			return errNoMonth
		}
		return err
	})
	return month, err
}

// Erase forgets when the customers were born.
func Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]erasure.Erased, error) {
	done := erasure.Erased{What: "birthday_month"}
	tx.Queue(`DELETE FROM birthday_month WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[])`, tx.Tenant(), customers).
		Exec(func(tag pgconn.CommandTag) error { done.Count = tag.RowsAffected(); return nil })
	err := tx.QueryRow(ctx, `SELECT count(*) FROM birthday_month WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[])`, tx.Tenant(), customers).Scan(&done.Left)
	return []erasure.Erased{done}, err
}
