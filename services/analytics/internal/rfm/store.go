package rfm

import (
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// rankedSQL rates everybody with a purchase in the window: $1 tenant, $2 currency, $3 from (inclusive), $4 to
// (exclusive). Returns count when they came back before $4, so that a rating at a past date does not know the future.
// rank() - 1 is the number of customers strictly worse.
const rankedSQL = `
WITH %snet AS (
	SELECT %s AS customer_id, (o.placed_at AT TIME ZONE 'UTC')::date AS day, o.units > 0 AND coalesce(r.units, 0) >= o.units AS whole_back,
		o.total_minor - coalesce(r.amount_minor, 0) AS net_minor
	FROM fact_order o
	LEFT JOIN (
		SELECT order_id, sum(units) AS units, sum(amount_minor) AS amount_minor
		FROM fact_return WHERE tenant_id = $1 AND returned_at < $4 GROUP BY order_id
	) r USING (order_id) %s
	WHERE o.tenant_id = $1 AND o.currency = $2 AND o.placed_at >= $3 AND o.placed_at < $4 AND o.customer_id IS NOT NULL
), customer AS (
	SELECT customer_id, max(day) AS last_day, count(DISTINCT day) AS days, sum(net_minor)::bigint AS net_minor
	FROM net WHERE NOT whole_back GROUP BY customer_id
), ranked AS (
	SELECT *, rank() OVER (ORDER BY last_day) - 1 AS worse_r, rank() OVER (ORDER BY days) - 1 AS worse_f,
		rank() OVER (ORDER BY net_minor) - 1 AS worse_m, count(*) OVER () AS n
	FROM customer
)`

var (
	// apart rates each id.
	apart = fmt.Sprintf(rankedSQL, "", "o.customer_id", "")
	// together rates what customers bought who were merged as one customer's. The few aliases are read once and joined.
	together = fmt.Sprintf(rankedSQL, `alias AS MATERIALIZED (SELECT customer_id, root_id FROM customer_aliases($1)), `,
		"coalesce(a.root_id, o.customer_id)", "LEFT JOIN alias a ON a.customer_id = o.customer_id")
)

// ranked queues the question whether anybody is merged, and gives after the next round trip the beginning of the statement
// that rates everybody: one that reads no aliases where there are none, as in most tenants.
func ranked(tx *pg.Tx) (sql *string) {
	sql = new(string)
	tx.Queue(`SELECT EXISTS (SELECT FROM customer_alias WHERE tenant_id = $1 AND survivor_id IS NOT NULL)`, tx.Tenant()).
		QueryRow(func(row pgx.Row) error {
			var merged bool
			if err := row.Scan(&merged); err != nil {
				return err
			}
			if *sql = apart; merged {
				*sql = together
			}
			return nil
		})
	return sql
}
