package portrait

import (
	"context"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// factColumns are the columns that are reckoned from facts, in the order of reckonSQL.
var factColumns = func() (columns []string) {
	for _, f := range fields {
		if f.Column != "" && !f.Score {
			columns = append(columns, f.Column)
		}
	}
	return columns
}()

// reckonSQL reckons customers' facts from the star: $1 tenant, $2 the customers who stand for all their ids, $3 the reporting
// currency. Everything is read by the customer's keys. An order that came back whole is no purchase.
const reckonSQL = `
SELECT $1, one.root,
	coalesce(c.kind, 'unknown') AS kind, coalesce(c.source, '') AS source, c.registered_at,
	coalesce(o.orders, 0) AS orders, coalesce(o.purchase_days, 0) AS purchase_days, o.first_purchase_on, o.last_purchase_on,
	coalesce(o.units, 0) AS units, coalesce(o.gross_minor, 0) AS gross_minor, coalesce(o.returned_minor, 0) AS returned_minor,
	coalesce(o.gross_minor - o.returned_minor, 0) AS net_minor, coalesce(o.last_channel, '') AS last_channel,
	coalesce(o.channels, '{}') AS channels, coalesce(p.products, '{}') AS products,
	t.tickets, t.tickets_open, k.complaints, k.complaints_open, k.last_complaint_at, i.interactions,
	greatest(i.last_at, t.last_at, k.last_complaint_at) AS last_contact_at, h.touches, h.last_touch_at,
	a.csat, a.csat_at, a.nps, a.nps_at, coalesce(m.tier, '') AS tier, coalesce(m.points_available, 0) AS points_available, s.contract_ends_on,
	l.leads_open, q.opportunities_open, q.opportunities_won
FROM (SELECT r.id AS root, customer_group($1, r.id) AS ids FROM unnest($2::uuid[]) AS r(id)) one
CROSS JOIN LATERAL (
	SELECT (array_agg(f.kind ORDER BY f.customer_id = one.root DESC, f.registered_at, f.customer_id))[1] AS kind,
		(array_agg(f.source ORDER BY f.customer_id = one.root DESC, f.registered_at, f.customer_id))[1] AS source, min(f.registered_at) AS registered_at
	FROM fact_customer f WHERE f.tenant_id = $1 AND f.customer_id = ANY (one.ids)) c
CROSS JOIN LATERAL (
	SELECT count(*) FILTER (WHERE n.net) AS orders, count(DISTINCT n.day) FILTER (WHERE n.net) AS purchase_days,
		min(n.day) FILTER (WHERE n.net) AS first_purchase_on, max(n.day) FILTER (WHERE n.net) AS last_purchase_on,
		sum(n.units - n.back)::bigint AS units, sum(n.total_minor) FILTER (WHERE n.currency = $3)::bigint AS gross_minor,
		coalesce(sum(n.back_minor) FILTER (WHERE n.currency = $3), 0)::bigint AS returned_minor,
		(array_agg(n.channel ORDER BY n.placed_at DESC, n.order_id DESC) FILTER (WHERE n.net))[1] AS last_channel,
		array_agg(DISTINCT n.channel) FILTER (WHERE n.net AND n.channel <> '') AS channels
	FROM (
		SELECT f.order_id, f.channel, f.currency, f.placed_at, (f.placed_at AT TIME ZONE 'UTC')::date AS day, f.units, f.total_minor,
			coalesce(r.units, 0) AS back, coalesce(r.amount_minor, 0) AS back_minor, NOT (f.units > 0 AND coalesce(r.units, 0) >= f.units) AS net
		FROM fact_order f
		CROSS JOIN LATERAL (SELECT sum(b.units) AS units, sum(b.amount_minor) AS amount_minor FROM fact_return b
			WHERE b.tenant_id = $1 AND b.order_id = f.order_id) r
		WHERE f.tenant_id = $1 AND f.customer_id = ANY (one.ids)) n) o
CROSS JOIN LATERAL (
	SELECT array_agg(d.sku ORDER BY d.sku) AS products FROM (
		SELECT DISTINCT u.sku FROM fact_order f CROSS JOIN LATERAL unnest(f.skus) AS u(sku)
		WHERE f.tenant_id = $1 AND f.customer_id = ANY (one.ids) AND u.sku <> '' AND NOT (f.units > 0 AND f.units <= coalesce((
			SELECT sum(b.units) FROM fact_return b WHERE b.tenant_id = $1 AND b.order_id = f.order_id), 0))
		ORDER BY u.sku LIMIT 200) d) p
CROSS JOIN LATERAL (
	SELECT count(*) AS tickets, count(*) FILTER (WHERE f.status NOT IN ('resolved', 'closed')) AS tickets_open, max(f.opened_at) AS last_at
	FROM fact_ticket f WHERE f.tenant_id = $1 AND f.customer_id = ANY (one.ids)) t
CROSS JOIN LATERAL (
	SELECT count(*) AS complaints, count(*) FILTER (WHERE f.closed_at IS NULL) AS complaints_open, max(f.registered_at) AS last_complaint_at
	FROM fact_complaint f WHERE f.tenant_id = $1 AND f.customer_id = ANY (one.ids)) k
CROSS JOIN LATERAL (
	SELECT count(*) AS interactions, max(f.occurred_at) AS last_at
	FROM fact_interaction f WHERE f.tenant_id = $1 AND f.customer_id = ANY (one.ids)) i
CROSS JOIN LATERAL (
	SELECT count(*) AS touches, max(f.at) AS last_touch_at FROM fact_touch f WHERE f.tenant_id = $1 AND f.customer_id = ANY (one.ids)) h
CROSS JOIN LATERAL (
	SELECT (array_agg(f.score ORDER BY f.answered_at DESC, f.answer_id DESC) FILTER (WHERE f.kind = 'csat'))[1] AS csat,
		max(f.answered_at) FILTER (WHERE f.kind = 'csat') AS csat_at,
		(array_agg(f.score ORDER BY f.answered_at DESC, f.answer_id DESC) FILTER (WHERE f.kind = 'nps'))[1] AS nps,
		max(f.answered_at) FILTER (WHERE f.kind = 'nps') AS nps_at
	FROM fact_answer f WHERE f.tenant_id = $1 AND f.customer_id = ANY (one.ids) AND f.score IS NOT NULL) a
CROSS JOIN LATERAL (
	SELECT (array_agg(f.tier ORDER BY f.tier_rank DESC, f.tier))[1] AS tier, sum(f.points_available)::bigint AS points_available
	FROM fact_member f WHERE f.tenant_id = $1 AND f.customer_id = ANY (one.ids) AND f.left_at IS NULL) m
CROSS JOIN LATERAL (
	SELECT max((coalesce(f.ended_at, f.ends_at) AT TIME ZONE 'UTC')::date) AS contract_ends_on
	FROM fact_membership f WHERE f.tenant_id = $1 AND f.customer_id = ANY (one.ids)) s
CROSS JOIN LATERAL (
	SELECT count(*) FILTER (WHERE f.state = 'open') AS leads_open FROM fact_lead f WHERE f.tenant_id = $1 AND f.customer_id = ANY (one.ids)) l
CROSS JOIN LATERAL (
	SELECT count(*) FILTER (WHERE f.state = 'open') AS opportunities_open, count(*) FILTER (WHERE f.state = 'won') AS opportunities_won
	FROM fact_opportunity f WHERE f.tenant_id = $1 AND f.customer_id = ANY (one.ids)) q
ORDER BY one.root`

// saveSQL writes what was reckoned; a portrait that is so already is not written again. $4 is now.
var saveSQL = func() string {
	list := strings.Join(factColumns, ", ")
	var set []string
	for _, c := range factColumns {
		set = append(set, c+" = excluded."+c)
	}
	return `INSERT INTO portrait AS p (tenant_id, customer_id, ` + list + `, updated_at) SELECT n.*, $4 FROM (` + reckonSQL + `) n
ON CONFLICT (tenant_id, customer_id) DO UPDATE SET ` + strings.Join(set, ", ") + `, updated_at = excluded.updated_at
WHERE (p.` + strings.Join(factColumns, ", p.") + `) IS DISTINCT FROM (excluded.` + strings.Join(factColumns, ", excluded.") + `)`
}()

// takeDue takes up to most customers who are due out of what is, the first first; ok is false where somebody else is at work for
// the tenant: one at a time, so that what is older never writes over what is newer.
func takeDue(ctx context.Context, tx *pg.Tx, most int) (customers []uuid.UUID, err error) {
	var mine bool
	if err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock(hashtextextended('portraits' || chr(31) || $1, 0))`, tx.Tenant()).Scan(&mine); err != nil || !mine {
		return nil, err
	}
	rows, err := tx.Query(ctx, `WITH due AS (
			DELETE FROM portrait_due WHERE (tenant_id, lane, id) IN (
				SELECT tenant_id, lane, id FROM portrait_due WHERE tenant_id = $1 ORDER BY lane, id LIMIT $2) RETURNING customer_id)
		SELECT DISTINCT customer_id FROM due ORDER BY customer_id`, tx.Tenant(), most)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// standing tells of ids which customers stand for them, which of those are to have a portrait, and which of all are to have none: who was
// merged into another, and who was erased. All are in the order of ids.
func standing(ctx context.Context, tx *pg.Tx, ids []uuid.UUID) (with, without []uuid.UUID, err error) {
	rows, err := tx.Query(ctx, `WITH one AS MATERIALIZED (SELECT n.id, customer_root($1, n.id) AS root FROM unnest($2::uuid[]) AS n(id)),
		every AS (SELECT root AS id, true AS stands FROM one UNION SELECT id, false FROM one WHERE id <> root)
		SELECT id, bool_or(stands) AND NOT EXISTS (SELECT FROM fact_customer f WHERE f.tenant_id = $1 AND f.customer_id = every.id AND f.erased_at IS NOT NULL)
		FROM every GROUP BY id ORDER BY id`, tx.Tenant(), ids)
	if err != nil {
		return nil, nil, err
	}
	var id uuid.UUID
	var stands bool
	_, err = pgx.ForEachRow(rows, []any{&id, &stands}, func() error {
		if stands {
			with = append(with, id)
		} else {
			without = append(without, id)
		}
		return nil
	})
	return with, without, err
}

// nextSQL gives the next ids of whom there is any fact, or a portrait, after $2.
var nextSQL = func() string {
	var each []string
	for _, table := range []string{
		"portrait", "fact_customer", "fact_order", "fact_ticket", "fact_complaint", "fact_interaction", "fact_member", "fact_membership", "fact_answer",
		"fact_touch", "fact_lead", "fact_opportunity",
	} {
		each = append(each, `(SELECT DISTINCT customer_id FROM `+table+` WHERE tenant_id = $1 AND customer_id > $2 ORDER BY customer_id LIMIT $3)`)
	}
	return strings.Join(each, " UNION ") + ` ORDER BY customer_id LIMIT $3`
}()
