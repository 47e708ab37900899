package recovery

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/survey"
)

// change is what a batch of events says of a complaint.
type change struct {
	complaint, customer uuid.UUID
	registered          time.Time // zero: not said
	ended               bool      // whether anything is said of its end
	closed              time.Time // zero: it is open again
	outcome, currency   string
	costMinor           int64
}

// apply queues changes, one a complaint: one statement for new rows, one for ends.
func apply(tx *pg.Tx, changes []*change) {
	var ids, customers, endedIDs []uuid.UUID
	var registered, closed []*time.Time
	var outcomes, currencies []string
	var amounts []int64
	for _, c := range changes {
		ids, customers, registered = append(ids, c.complaint), append(customers, c.customer), append(registered, pg.OrNull(c.registered))
		if c.ended {
			endedIDs, closed = append(endedIDs, c.complaint), append(closed, pg.OrNull(c.closed))
			outcomes, currencies, amounts = append(outcomes, c.outcome), append(currencies, c.currency), append(amounts, c.costMinor)
		}
	}
	tx.Queue(`INSERT INTO recovery_case AS r (tenant_id, complaint_id, customer_id, registered_at, outcome, cost_minor, currency)
		SELECT $1, n.*, '', 0, '' FROM unnest($2::uuid[], $3::uuid[], $4::timestamptz[]) AS n
		ON CONFLICT (tenant_id, complaint_id) DO UPDATE SET registered_at = coalesce(excluded.registered_at, r.registered_at)`,
		tx.Tenant(), ids, customers, registered)
	if len(endedIDs) > 0 {
		tx.Queue(`UPDATE recovery_case r SET closed_at = n.closed_at, outcome = CASE WHEN n.closed_at IS NULL THEN r.outcome ELSE n.outcome END,
				cost_minor = CASE WHEN n.closed_at IS NULL THEN r.cost_minor ELSE n.cost_minor END,
				currency = CASE WHEN n.closed_at IS NULL THEN r.currency ELSE n.currency END
			FROM unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::bigint[], $6::text[]) AS n (complaint_id, closed_at, outcome, cost_minor, currency)
			WHERE r.tenant_id = $1 AND r.complaint_id = n.complaint_id`,
			tx.Tenant(), endedIDs, closed, outcomes, amounts, currencies)
	}
}

// cases gives complaints that ended in a period with the outcome (empty: any), the latest of them.
func cases(ctx context.Context, tx *pg.Tx, period survey.Period, outcome string) ([]Case, error) {
	to := period.To
	if to.IsZero() {
		to = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	rows, err := tx.Query(ctx, `SELECT complaint_id, customer_root($1, customer_id), registered_at, closed_at, outcome, cost_minor, currency FROM (
			SELECT * FROM recovery_case WHERE tenant_id = $1 AND closed_at >= $2 AND closed_at < $3 AND registered_at IS NOT NULL
				AND ($4 = '' OR outcome = $4) ORDER BY closed_at DESC, complaint_id LIMIT $5) c`,
		tx.Tenant(), period.From, to, outcome, Most)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (c Case, err error) {
		err = row.Scan(&c.ID, &c.Customer, &c.RegisteredAt, &c.ClosedAt, &c.Outcome, &c.CostMinor, &c.Currency)
		c.RegisteredAt, c.ClosedAt = c.RegisteredAt.UTC(), c.ClosedAt.UTC()
		return c, err
	})
}

const (
	poolOrders = 200_000 // of how many orders a sample of customers is drawn from, about
	poolMost   = 5_000   // customers of a pool
	saidMost   = 200_000 // answers that are looked at
)

// complained are all customers who ever complained, as $1 is the tenant.
const complained = `SELECT coalesce(a.root_id, r.customer_id) FROM recovery_case r LEFT JOIN customer_aliases($1) a ON a.customer_id = r.customer_id
	WHERE r.tenant_id = $1`

// buyers gives customers who bought in the time and never complained: a sample by a hash of their ids, which is the same each
// time, where there are many.
func buyers(ctx context.Context, tx *pg.Tx, from, to time.Time) ([]Person, error) {
	var orders int64
	err := tx.QueryRow(ctx, `SELECT count(*) FROM purchase WHERE tenant_id = $1 AND customer_id IS NOT NULL AND placed_at > $2 AND placed_at <= $3`,
		tx.Tenant(), from, to).Scan(&orders)
	if err != nil {
		return nil, err
	}
	share := int64(1024) // of 1024
	if orders > poolOrders {
		share = max(1, 1024*poolOrders/orders)
	}
	rows, err := tx.Query(ctx, `SELECT root, array_agg(placed_at ORDER BY placed_at) FROM (
			SELECT coalesce(a.root_id, p.customer_id) AS root, p.placed_at FROM purchase p
			  LEFT JOIN customer_aliases($1) a ON a.customer_id = p.customer_id
			 WHERE p.tenant_id = $1 AND p.customer_id IS NOT NULL AND p.placed_at > $2 AND p.placed_at <= $3) o
		 WHERE hashtextextended(root::text, 0) & 1023 < $4 AND root NOT IN (`+complained+`)
		 GROUP BY root ORDER BY hashtextextended(root::text, 1), root LIMIT $5`, tx.Tenant(), from, to, share, poolMost)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (p Person, err error) { return p, row.Scan(&p.ID, &p.Bought) })
}

// speakers gives what customers said in the time of how satisfied they are, other than about a complaint, by customer.
func speakers(ctx context.Context, tx *pg.Tx, from, to time.Time) (said map[uuid.UUID][]Said, complainers map[uuid.UUID]bool, err error) {
	complainers = map[uuid.UUID]bool{}
	tx.Queue(complained, tx.Tenant()).Query(func(rows pgx.Rows) error {
		var id uuid.UUID
		_, err := pgx.ForEachRow(rows, []any{&id}, func() error { complainers[id] = true; return nil })
		return err
	})
	rows, err := tx.Query(ctx, `SELECT coalesce(l.root_id, a.customer_id), a.answered_at, a.score FROM survey_answer a
		  JOIN survey s ON s.tenant_id = a.tenant_id AND s.id = a.survey_id AND s.kind = 'csat'
		  LEFT JOIN customer_aliases($1) l ON l.customer_id = a.customer_id
		 WHERE a.tenant_id = $1 AND a.customer_id IS NOT NULL AND a.complaint_id IS NULL AND a.score IS NOT NULL
			AND a.answered_at > $2 AND a.answered_at <= $3 ORDER BY a.answered_at, a.id LIMIT $4`, tx.Tenant(), from, to, saidMost)
	if err != nil {
		return nil, nil, err
	}
	said = map[uuid.UUID][]Said{}
	var id uuid.UUID
	var one Said
	_, err = pgx.ForEachRow(rows, []any{&id, &one.At, &one.Score}, func() error { said[id] = append(said[id], one); return nil })
	return said, complainers, err
}

// bought gives when customers bought in the time.
func bought(ctx context.Context, tx *pg.Tx, customers []uuid.UUID, from, to time.Time) (map[uuid.UUID][]time.Time, error) {
	rows, err := tx.Query(ctx, `WITH member AS (
			SELECT r.id AS root, r.id FROM unnest($2::uuid[]) AS r(id)
			UNION ALL
			SELECT a.root_id, a.customer_id FROM customer_aliases($1) a WHERE a.root_id = ANY ($2::uuid[]))
		SELECT m.root, p.placed_at FROM member m JOIN purchase p ON p.tenant_id = $1 AND p.customer_id = m.id
		 WHERE p.placed_at > $3 AND p.placed_at <= $4 ORDER BY p.placed_at`, tx.Tenant(), customers, from, to)
	if err != nil {
		return nil, err
	}
	all := map[uuid.UUID][]time.Time{}
	var id uuid.UUID
	var at time.Time
	_, err = pgx.ForEachRow(rows, []any{&id, &at}, func() error { all[id] = append(all[id], at); return nil })
	return all, err
}
