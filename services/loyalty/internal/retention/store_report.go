package retention

import (
	"context"
	"time"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// reckon counts what came of a plan's cases. What was bought is taken from the orders of the whole time of each case, whenever
// the case was closed and why: both arms are measured alike, and nobody drops out of the measurement by what was done.
func reckon(ctx context.Context, tx *pg.Tx, p Plan, now time.Time) (Report, error) {
	report := Report{Plan: p.Code, Currency: p.Currency}
	rows, err := tx.Query(ctx, `WITH `+inMerge+`,
		cases AS (
			SELECT c.arm, c.ends_at <= $3 AS measured, c.stage = 'cancelled' AS cancelled, c.contacts > 0 AS reached, c.offer <> '' AS offered,
				c.offer_state = 'taken' AS taken, c.cost_minor, o.net, o.bought, o.others
			FROM retention_case c
			CROSS JOIN LATERAL (SELECT CASE WHEN c.customer_id IN (SELECT m.id FROM in_merge m)
				THEN customer_group($1, c.customer_id) ELSE ARRAY[c.customer_id] END AS ids OFFSET 0) g
			CROSS JOIN LATERAL (SELECT coalesce(sum(k.total_minor - k.returned_minor) FILTER (WHERE k.currency = c.currency), 0)::double precision AS net,
					coalesce(bool_or(k.total_minor > k.returned_minor), false) AS bought, count(*) FILTER (WHERE k.currency <> c.currency) AS others
				FROM retention_order k WHERE k.tenant_id = $1 AND k.customer_id = ANY (g.ids) AND k.placed_at > c.opened_at AND k.placed_at <= c.ends_at) o
			WHERE c.tenant_id = $1 AND c.plan = $2)
		SELECT arm, count(*), count(*) FILTER (WHERE NOT measured), count(*) FILTER (WHERE measured), count(*) FILTER (WHERE measured AND cancelled),
			count(*) FILTER (WHERE measured AND reached), count(*) FILTER (WHERE measured AND offered), count(*) FILTER (WHERE measured AND taken),
			count(*) FILTER (WHERE measured AND bought), coalesce(sum(cost_minor) FILTER (WHERE measured), 0)::bigint,
			coalesce(avg(net) FILTER (WHERE measured), 0), coalesce(var_samp(net) FILTER (WHERE measured), 0),
			coalesce(sum(others) FILTER (WHERE measured), 0)::bigint
		FROM cases GROUP BY arm`, tx.Tenant(), p.Code, now)
	if err != nil {
		return report, err
	}
	defer rows.Close()
	for rows.Next() {
		var arm Arm
		var o Outcome
		var others int64
		if err := rows.Scan(&arm, &o.Assigned, &o.Running, &o.Measured, &o.Cancelled, &o.Reached, &o.Offered, &o.Taken, &o.Retained, &o.CostMinor,
			&o.Revenue.Mean, &o.Revenue.Variance, &others); err != nil {
			return report, err
		}
		o.Revenue.N = o.Measured
		report.OtherCurrencies += others
		if arm == HeldOut {
			report.HeldOut = o
		} else {
			report.Treated = o
		}
	}
	return report, rows.Err()
}
