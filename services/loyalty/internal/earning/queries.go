package earning

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/loyalty/internal/programme"
)

// errNoOrder is the same for an order that was not heard of and for another tenant's.
var errNoOrder = problem.New(problem.NotFound, "order_not_found", "Loyalty has heard of no such order.")

// Earnings is what can be asked and tried about what orders earn.
type Earnings struct {
	db    *pg.DB
	ops   *pg.DB // looks over all tenants for what is to be done
	clock func() time.Time
}

// New makes the capability.
func New(db, ops *pg.DB, clock func() time.Time) *Earnings {
	return &Earnings{db: db, ops: ops, clock: clock}
}

func (e *Earnings) now() time.Time { return e.clock().UTC().Truncate(time.Microsecond) }

// explanation is an order with what it earned, and what came back.
type explanation struct {
	order
	root       uuid.UUID // whom its customer's id means
	programmes []programme.Programme
	returns    []goodsBack // as far as they are known
}

// Explain gives what an order earned and why.
func (e *Earnings) explain(ctx context.Context, id uuid.UUID) (x explanation, err error) {
	err = e.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		book := programme.BookOf(tx)
		orders := queueOrders(tx, []uuid.UUID{id})
		tx.Queue(`SELECT return_id, amount_minor, returned_at FROM earning_return WHERE tenant_id = $1 AND order_id = $2 ORDER BY no`, tx.Tenant(), id).
			Query(func(rows pgx.Rows) error {
				var b goodsBack
				_, err := pgx.ForEachRow(rows, []any{&b.ID, &b.AmountMinor, &b.ReturnedAt}, func() error {
					b.ReturnedAt = b.ReturnedAt.UTC()
					x.returns = append(x.returns, b)
					return nil
				})
				return err
			})
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		o, there := orders[id]
		if !there {
			return errNoOrder
		}
		x.order = o
		for _, s := range o.Shares {
			p, _ := book.At(s.Programme, o.PlacedAt)
			x.programmes = append(x.programmes, p)
		}
		if o.CustomerID == uuid.Nil {
			return nil
		}
		return tx.QueryRow(ctx, `SELECT customer_root($1, $2)`, tx.Tenant(), o.CustomerID).Scan(&x.root)
	})
	return x, err
}

// takenBack gives how many points of a share each return took back, by the same rule by which it did.
func (x explanation) takenBack(s share) (points []int64) {
	var returned, before int64
	for _, b := range x.returns {
		returned += b.AmountMinor
		owed := (programme.Terms{}).Owed(s.Points, returned, x.TotalMinor)
		points = append(points, owed-before)
		before = owed
	}
	return points
}

// termsOf gives a programme by the terms in force at a time.
func (e *Earnings) termsOf(ctx context.Context, code string, at time.Time) (p programme.Programme, err error) {
	err = e.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		book := programme.BookOf(tx)
		if err := tx.Flush(ctx); err != nil {
			return err
		}
		var ok bool
		if p, ok = book.At(code, at); !ok {
			return errNoProgramme
		}
		return nil
	})
	return p, err
}

var errNoProgramme = problem.New(problem.NotFound, "programme_not_found", "There is no such programme.")
