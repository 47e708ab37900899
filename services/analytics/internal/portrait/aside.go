package portrait

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/guanxi-crm/guanxi/platform/app"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// againAtOnce is how many customers who were set aside one pass tries again.
const againAtOnce = 20

// backOff is how long a customer is set aside after its n-th failure: a minute, two and so on up to about an hour.
func backOff(n int) time.Duration { return time.Minute << (min(n, 7) - 1) }

// each reckons customers and sets those aside whose portraits cannot be made or followed, found by halves: the others go on. aside
// says of each of them what is wrong. What is wrong with the database is err, and holds up all.
func (p *Portraits) each(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) (aside []error, err error) {
	if len(customers) == 0 {
		return nil, nil
	}
	err = tx.Savepoint(ctx, func() error { return p.reckon(ctx, tx, customers) })
	if err == nil || ctx.Err() != nil || pg.Transient(err) {
		return nil, err
	}
	if len(customers) == 1 {
		first, saved := p.setAside(ctx, tx, customers[0], err)
		if !first || saved != nil {
			return nil, saved
		}
		return []error{fmt.Errorf("the portrait of customer %s is set aside and tried again by itself; mend what failed, see docs/runbooks/analytics.md: %w", customers[0], err)}, nil
	}
	half := len(customers) / 2
	for _, some := range [][]uuid.UUID{customers[:half], customers[half:]} {
		more, err := p.each(ctx, tx, some)
		if err != nil {
			return nil, err
		}
		aside = append(aside, more...)
	}
	return aside, nil
}

// setAside keeps that a customer failed; first tells whether it is the first time.
func (p *Portraits) setAside(ctx context.Context, tx *pg.Tx, customer uuid.UUID, cause error) (first bool, err error) {
	code := "internal"
	var known *problem.Error
	var sql *pgconn.PgError
	if errors.As(cause, &sql) {
		code = "sqlstate_" + sql.Code
	} else if errors.As(cause, &known) {
		code = known.Code
	}
	now := p.now()
	var attempts int
	err = tx.QueryRow(ctx, `INSERT INTO portrait_aside AS a (tenant_id, customer_id, attempts, failure, since, again_at) VALUES ($1, $2, 1, $3, $4, $5)
		ON CONFLICT (tenant_id, customer_id) DO UPDATE SET attempts = a.attempts + 1, failure = excluded.failure RETURNING attempts`,
		tx.Tenant(), customer, code, now, now.Add(backOff(1))).Scan(&attempts)
	if err == nil && attempts > 1 {
		tx.Queue(`UPDATE portrait_aside SET again_at = $3 WHERE tenant_id = $1 AND customer_id = $2`, tx.Tenant(), customer, now.Add(backOff(attempts)))
	}
	return attempts == 1, err
}

// tryAgain reckons a customer who was set aside.
func (p *Portraits) tryAgain(ctx context.Context, tx *pg.Tx, customer uuid.UUID) error {
	err := tx.Savepoint(ctx, func() error { return p.reckon(ctx, tx, []uuid.UUID{customer}) })
	switch {
	case err == nil:
		tx.Queue(`DELETE FROM portrait_aside WHERE tenant_id = $1 AND customer_id = $2`, tx.Tenant(), customer)
		return nil
	case ctx.Err() != nil || pg.Transient(err):
		return err
	}
	_, err = p.setAside(ctx, tx, customer, err)
	return err
}

// apart leaves out of due who is set aside: that is tried again by itself. again are those whose time has come.
func (p *Portraits) apart(ctx context.Context, tx *pg.Tx, due []uuid.UUID) (others, again []uuid.UUID, err error) {
	rows, err := tx.Query(ctx, `SELECT customer_id FROM portrait_aside WHERE tenant_id = $1 AND customer_id = ANY ($2::uuid[])`, tx.Tenant(), due)
	if err != nil {
		return nil, nil, err
	}
	aside, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, nil, err
	}
	rows, err = tx.Query(ctx, `SELECT customer_id FROM portrait_aside WHERE tenant_id = $1 AND again_at <= $2 ORDER BY again_at LIMIT $3`, tx.Tenant(), p.now(), againAtOnce)
	if err != nil {
		return nil, nil, err
	}
	again, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	others = slices.DeleteFunc(due, func(id uuid.UUID) bool { return slices.Contains(aside, id) })
	return others, again, err
}

// Waiting says how many portraits are due, and how many customers are set aside; it is for the status of the service.
func (p *Portraits) Waiting(ctx context.Context) (all []app.WaitingStatus, err error) {
	due, aside := app.WaitingStatus{Name: "portraits"}, app.WaitingStatus{Name: "portraits_set_aside"}
	err = p.ops.System(ctx, func(tx *pg.Tx) error {
		var oldestDue, oldestAside *time.Time
		err := tx.QueryRow(ctx, `SELECT d.n, d.at, a.n, a.at FROM (SELECT count(*) AS n, min(at) AS at FROM portrait_due) d, (SELECT count(*) AS n, min(since) AS at FROM portrait_aside) a`).
			Scan(&due.Count, &oldestDue, &aside.Count, &oldestAside)
		if oldestDue != nil {
			due.OldestSeconds = max(0, p.now().Sub(*oldestDue).Seconds())
		}
		if oldestAside != nil {
			aside.OldestSeconds = max(0, p.now().Sub(*oldestAside).Seconds())
		}
		return err
	})
	return []app.WaitingStatus{due, aside}, err
}
