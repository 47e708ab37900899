package portrait

import (
	"bytes"
	"context"
	"slices"
	"strconv"
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

// byKeys has what follows in tx planned for look-ups by key alone, until [byCost]: whatever statistics say or do not say yet, and
// whenever the plan was made, no plan reads a whole table or all rows of a tenant. A set of customers is small, always.
func byKeys(tx *pg.Tx) {
	tx.Queue(`SELECT set_config(s, 'off', true) FROM unnest(ARRAY['enable_seqscan', 'enable_bitmapscan', 'enable_sort', 'enable_hashjoin', 'enable_mergejoin', 'jit']) s`)
	tx.Queue(`SELECT set_config('plan_cache_mode', 'force_generic_plan', true)`)
}

// byCost leaves plans to the planner again.
func byCost(tx *pg.Tx) {
	tx.Queue(`SELECT set_config(s, 'on', true) FROM unnest(ARRAY['enable_seqscan', 'enable_bitmapscan', 'enable_sort', 'enable_hashjoin', 'enable_mergejoin', 'jit']) s`)
	tx.Queue(`SELECT set_config('plan_cache_mode', 'auto', true)`)
}

// of reads the columns of a table's rows of all ids of a customer. The order is that of the table's index by customer, and there
// for its sake: other indexes begin with the tenant too, and without statistics they look as good.
func of(table, columns, order string) string {
	return `unnest(one.ids) AS u(id) CROSS JOIN LATERAL (
		SELECT ` + columns + ` FROM ` + table + ` WHERE tenant_id = $1 AND customer_id = u.id ORDER BY ` + order + `) f`
}

// backSQL is what came back of the order f.
const backSQL = `(SELECT sum(b.units) AS units, sum(b.amount_minor) AS amount_minor FROM (
		SELECT units, amount_minor FROM fact_return WHERE tenant_id = $1 AND order_id = f.order_id ORDER BY returned_at) b) r`

// reckonSQL reckons customers' facts from the star: $1 tenant, $2 the customers who stand for all their ids, $3 the reporting
// currency. Everything is read by the customer's keys, for which each is asked once: hence OFFSET. An order that came back whole is no
// purchase.
var reckonSQL = `
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
FROM (SELECT r.id AS root, customer_group($1, r.id) AS ids FROM unnest($2::uuid[]) AS r(id) OFFSET 0) one
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
		FROM ` + of("fact_order", "order_id, channel, currency, placed_at, units, total_minor", "placed_at") + `
		CROSS JOIN LATERAL ` + backSQL + `) n) o
CROSS JOIN LATERAL (
	SELECT array_agg(d.sku ORDER BY d.sku) AS products FROM (
		SELECT DISTINCT l.sku FROM ` + of("fact_order", "order_id, units, skus", "placed_at") + `
		CROSS JOIN LATERAL ` + backSQL + ` CROSS JOIN LATERAL unnest(f.skus) AS l(sku)
		WHERE l.sku <> '' AND NOT (f.units > 0 AND f.units <= coalesce(r.units, 0))
		ORDER BY l.sku LIMIT 200) d) p
CROSS JOIN LATERAL (
	SELECT count(*) AS tickets, count(*) FILTER (WHERE f.status NOT IN ('resolved', 'closed')) AS tickets_open, max(f.opened_at) AS last_at
	FROM ` + of("fact_ticket", "status, opened_at", "opened_at") + `) t
CROSS JOIN LATERAL (
	SELECT count(*) AS complaints, count(*) FILTER (WHERE f.closed_at IS NULL) AS complaints_open, max(f.registered_at) AS last_complaint_at
	FROM ` + of("fact_complaint", "registered_at, closed_at", "registered_at") + `) k
CROSS JOIN LATERAL (
	SELECT count(*) AS interactions, max(f.occurred_at) AS last_at
	FROM ` + of("fact_interaction", "occurred_at", "occurred_at") + `) i
CROSS JOIN LATERAL (
	SELECT count(*) AS touches, max(f.at) AS last_touch_at FROM ` + of("fact_touch", "at", "at") + `) h
CROSS JOIN LATERAL (
	SELECT (array_agg(f.score ORDER BY f.answered_at DESC, f.answer_id DESC) FILTER (WHERE f.kind = 'csat'))[1] AS csat,
		max(f.answered_at) FILTER (WHERE f.kind = 'csat') AS csat_at,
		(array_agg(f.score ORDER BY f.answered_at DESC, f.answer_id DESC) FILTER (WHERE f.kind = 'nps'))[1] AS nps,
		max(f.answered_at) FILTER (WHERE f.kind = 'nps') AS nps_at
	FROM ` + of("fact_answer", "answer_id, kind, score, answered_at", "answered_at") + ` WHERE f.score IS NOT NULL) a
CROSS JOIN LATERAL (
	SELECT (array_agg(f.tier ORDER BY f.tier_rank DESC, f.tier))[1] AS tier, sum(f.points_available)::bigint AS points_available
	FROM ` + of("fact_member", "tier, tier_rank, points_available, left_at", "enrolled_at") + ` WHERE f.left_at IS NULL) m
CROSS JOIN LATERAL (
	SELECT max((coalesce(f.ended_at, f.ends_at) AT TIME ZONE 'UTC')::date) AS contract_ends_on
	FROM ` + of("fact_membership", "ends_at, ended_at", "started_at") + `) s
CROSS JOIN LATERAL (
	SELECT count(*) FILTER (WHERE f.state = 'open') AS leads_open FROM ` + of("fact_lead", "state", "captured_at") + `) l
CROSS JOIN LATERAL (
	SELECT count(*) FILTER (WHERE f.state = 'open') AS opportunities_open, count(*) FILTER (WHERE f.state = 'won') AS opportunities_won
	FROM ` + of("fact_opportunity", "state", "opened_at") + `) q
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

// takeDue takes up to most customers who are due out of what is, the first first; mine is false where somebody else is at work for
// the tenant: one at a time, so that what is older never writes over what is newer.
func takeDue(ctx context.Context, tx *pg.Tx, most int) (customers []uuid.UUID, mine bool, err error) {
	if err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock(hashtextextended('portraits' || chr(31) || $1, 0))`, tx.Tenant()).Scan(&mine); err != nil || !mine {
		return nil, false, err
	}
	customers, err = taken(ctx, tx, 1, most)
	return customers, true, err
}

// taken takes away up to most marks of lanes up to lane, the first first, and gives their customers in the order of ids. The
// caller has byKeys in force, and whoever else writes the tenant's portraits locked out.
func taken(ctx context.Context, tx *pg.Tx, lane, most int) (customers []uuid.UUID, err error) {
	rows, err := tx.Query(ctx, `SELECT lane, id, customer_id FROM portrait_due WHERE tenant_id = $1 AND lane <= $2 ORDER BY lane, id LIMIT $3`, tx.Tenant(), lane, most)
	if err != nil {
		return nil, err
	}
	var in int
	var id int64
	var customer uuid.UUID
	marks := make(map[int][]int64)
	_, err = pgx.ForEachRow(rows, []any{&in, &id, &customer}, func() error {
		marks[in] = append(marks[in], id)
		customers = append(customers, customer)
		return nil
	})
	for in, ids := range marks {
		tx.Queue(`DELETE FROM portrait_due WHERE tenant_id = $1 AND lane = $2 AND id = ANY ($3::bigint[])`, tx.Tenant(), in, ids)
	}
	return inOrder(customers), err
}

// inOrder sorts ids and leaves each in once.
func inOrder(ids []uuid.UUID) []uuid.UUID {
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(ids)
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

// nextSQL gives the next eachStep ids of whom there is any fact, or a portrait, after $2. The number is no parameter: a plan for any
// number would gather all ids first.
var nextSQL = func() string {
	most := strconv.Itoa(eachStep)
	var each []string
	for _, table := range []string{
		"portrait", "fact_customer", "fact_order", "fact_ticket", "fact_complaint", "fact_interaction", "fact_member", "fact_membership", "fact_answer",
		"fact_touch", "fact_lead", "fact_opportunity",
	} {
		each = append(each, `(SELECT DISTINCT customer_id FROM `+table+` WHERE tenant_id = $1 AND customer_id > $2 ORDER BY customer_id LIMIT `+most+`)`)
	}
	return strings.Join(each, " UNION ") + ` ORDER BY customer_id LIMIT ` + most
}()
