package fact

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Queries reads facts.
type Queries struct{ db *pg.DB }

// NewQueries makes Queries on the service's database.
func NewQueries(db *pg.DB) *Queries { return &Queries{db: db} }

// AsOf is the time of the newest event that the tenant's facts contain; zero when there was none.
func AsOf(ctx context.Context, tx *pg.Tx) (time.Time, error) {
	var at *time.Time
	err := tx.QueryRow(ctx, `SELECT max(newest_at) FROM fact_as_of WHERE tenant_id = $1`, tx.Tenant()).Scan(&at)
	if err != nil || at == nil {
		return time.Time{}, err
	}
	return at.UTC(), nil
}

// customersSQL counts customers, all ids of a merged one as one: aliases are not counted, but for one of each customer whose
// own id has not been heard of yet.
const customersSQL = `
SELECT (SELECT count(*) FROM fact_customer WHERE tenant_id = $1) - count(*) + count(DISTINCT a.root_id) FILTER (
	WHERE NOT EXISTS (SELECT FROM fact_customer c WHERE c.tenant_id = $1 AND c.customer_id = a.root_id))
FROM customer_aliases($1) a
WHERE EXISTS (SELECT FROM fact_customer c WHERE c.tenant_id = $1 AND c.customer_id = a.customer_id)`

// Summary adds up everything that the tenant has.
func (q *Queries) Summary(ctx context.Context, tenant string) (Summary, error) {
	var s Summary
	err := q.db.Read(ctx, tenant, func(tx *pg.Tx) error {
		s = Summary{}
		var err error
		if s.AsOf, err = AsOf(ctx, tx); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, customersSQL, tenant).Scan(&s.Customers); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
SELECT currency, sum(orders)::bigint, (sum(units) - sum(returned_units))::bigint, sum(gross_minor)::bigint, sum(returned_minor)::bigint
FROM sales_day WHERE tenant_id = $1 GROUP BY currency ORDER BY currency`, tenant)
		if err != nil {
			return err
		}
		s.Revenue, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Revenue])
		return err
	})
	return s, err
}

// CustomerFacts is what one customer did, as far as it has been heard of.
type CustomerFacts struct {
	CustomerID uuid.UUID // whom the id that was asked for means
	// Known tells that accounts has spoken of the customer; orders may have come before.
	Known   bool
	Revenue []CustomerRevenue
	AsOf    time.Time
}

// CustomerRevenue is a customer's business in one currency.
type CustomerRevenue struct {
	Currency      string
	Orders        int64
	Units         int64
	GrossMinor    int64
	ReturnedMinor int64
	FirstPlacedAt time.Time
	LastPlacedAt  time.Time
}

// Customer gives the facts of the customer whom the id means, those of all its other ids included; a problem of the kind NotFound when nothing was ever heard of it.
func (q *Queries) Customer(ctx context.Context, tenant string, id uuid.UUID) (CustomerFacts, error) {
	var c CustomerFacts
	err := q.db.Read(ctx, tenant, func(tx *pg.Tx) error {
		c = CustomerFacts{}
		var err error
		root := alias.Root(tx, id)
		if c.AsOf, err = AsOf(ctx, tx); err != nil {
			return err
		}
		c.CustomerID = *root
		if err := Gone(ctx, tx, *root); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM fact_customer WHERE tenant_id = $1 AND customer_id = ANY ((SELECT customer_group($1, $2))::uuid[]))`,
			tenant, id).Scan(&c.Known); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
SELECT o.currency, count(*), (sum(o.units) - coalesce(sum(r.units), 0))::bigint, sum(o.total_minor)::bigint,
	coalesce(sum(r.amount_minor), 0)::bigint, min(o.placed_at), max(o.placed_at)
FROM fact_order o
LEFT JOIN LATERAL (
	SELECT sum(units) AS units, sum(amount_minor) AS amount_minor
	FROM fact_return WHERE tenant_id = o.tenant_id AND order_id = o.order_id
) r ON true
WHERE o.tenant_id = $1 AND o.customer_id = ANY ((SELECT customer_group($1, $2))::uuid[])
GROUP BY o.currency ORDER BY o.currency`, tenant, id)
		if err != nil {
			return err
		}
		c.Revenue, err = pgx.CollectRows(rows, pgx.RowToStructByPos[CustomerRevenue])
		return err
	})
	if err == nil && !c.Known && len(c.Revenue) == 0 {
		return CustomerFacts{}, problem.New(problem.NotFound, "customer_not_found", "Analytics has heard nothing of this customer.")
	}
	return c, err
}

// Gone is a problem of the kind Gone, customer_erased, where the customer who stands for all its ids was erased: nothing is told of it
// any more, not even that it was a customer with so many orders.
func Gone(ctx context.Context, tx *pg.Tx, id uuid.UUID) error {
	var erased bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM fact_customer WHERE tenant_id = $1 AND customer_id = $2 AND erased_at IS NOT NULL)`, tx.Tenant(), id).Scan(&erased)
	if err == nil && erased {
		err = problem.New(problem.Gone, "customer_erased", "The customer was erased: there is nothing to tell.")
	}
	return err
}

// Missing says why there is nothing to tell of a customer who stands for all its ids: Gone customer_erased, NotFound
// customer_not_found.
func Missing(ctx context.Context, tx *pg.Tx, id uuid.UUID) error {
	if err := Gone(ctx, tx, id); err != nil {
		return err
	}
	return problem.New(problem.NotFound, "customer_not_found", "Analytics has heard nothing of this customer.")
}
