package retention

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// casesOfChunk is how many cases are reckoned by one statement: a large plan is no reason to hold a snapshot for long.
const casesOfChunk = 500

// reckon counts what came of the next chunk of a plan's cases, after one, into the report; it gives the last of them, Nil where
// there was none. What was bought is taken from the orders of the whole time of each case, whenever the case was closed and why:
// both arms are measured alike, and nobody drops out of the measurement by what was done.
func (r *Report) reckon(ctx context.Context, tx *pg.Tx, after uuid.UUID, now time.Time) (last uuid.UUID, err error) {
	rows, err := tx.Query(ctx, `WITH chunk AS MATERIALIZED (SELECT * FROM retention_case k WHERE k.tenant_id = $1 AND k.plan = $2 AND k.id > $4 ORDER BY k.id LIMIT $5),
		cases AS MATERIALIZED (
			SELECT c.id, c.arm, c.ends_at <= $3 AS measured, c.stage = 'cancelled' AS cancelled, c.contacts > 0 AS reached, c.offer <> '' AS offered,
				c.offer_state = 'taken' AS taken, c.cost_minor, o.net, o.bought, o.others
			FROM chunk c
			CROSS JOIN LATERAL (SELECT CASE WHEN `+inMerge("c.customer_id")+`
				THEN customer_group($1, c.customer_id) ELSE ARRAY[c.customer_id] END AS ids OFFSET 0) g
			CROSS JOIN LATERAL (SELECT coalesce(sum(k.total_minor - k.returned_minor) FILTER (WHERE k.currency = c.currency), 0)::double precision AS net,
					coalesce(bool_or(k.total_minor > k.returned_minor), false) AS bought, count(*) FILTER (WHERE k.currency <> c.currency) AS others
				FROM `+ordersOf("o.placed_at > c.opened_at AND o.placed_at <= c.ends_at")+`) o)
		SELECT arm, (SELECT id FROM chunk ORDER BY id DESC LIMIT 1), count(*), count(*) FILTER (WHERE NOT measured), count(*) FILTER (WHERE measured),
			count(*) FILTER (WHERE measured AND cancelled), count(*) FILTER (WHERE measured AND reached), count(*) FILTER (WHERE measured AND offered),
			count(*) FILTER (WHERE measured AND taken), count(*) FILTER (WHERE measured AND bought),
			coalesce(sum(cost_minor) FILTER (WHERE measured), 0)::bigint, coalesce(avg(net) FILTER (WHERE measured), 0),
			coalesce(var_samp(net) FILTER (WHERE measured), 0), coalesce(sum(others) FILTER (WHERE measured), 0)::bigint
		FROM cases GROUP BY arm`, tx.Tenant(), r.Plan, now, after, casesOfChunk)
	if err != nil {
		return uuid.Nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var arm Arm
		var o Outcome
		var others int64
		if err := rows.Scan(&arm, &last, &o.Assigned, &o.Running, &o.Measured, &o.Cancelled, &o.Reached, &o.Offered, &o.Taken, &o.Retained, &o.CostMinor,
			&o.Revenue.Mean, &o.Revenue.Variance, &others); err != nil {
			return uuid.Nil, err
		}
		o.Revenue.N = o.Measured
		r.OtherCurrencies += others
		if arm == HeldOut {
			r.HeldOut = r.HeldOut.plus(o)
		} else {
			r.Treated = r.Treated.plus(o)
		}
	}
	return last, rows.Err()
}
