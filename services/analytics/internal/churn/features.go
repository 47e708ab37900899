package churn

import (
	"context"
	"math"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Features is what is known of a customer at the end of a day, from facts of that day and before alone: what came later, such as a
// return, an answer or the end of a contract, does not show.
type Features struct {
	History
	Net, Net90    int64 // minor units of the reporting currency: in all, and of the last 90 days
	Gross         int64
	Returned      int64
	Orders        int32
	Orders90      int32
	Complaints    int32
	Complaints180 int32
	Tickets180    int32
	Interactions  int32 // of the last 180 days
	Touches90     int32
	CSAT, NPS     *int32
	ContractDays  *int32 // since the first of those that run began
	Channel       string // of the last net purchase
	Kind          string
}

// featuresSQL reads features: $1 tenant, $2 customers that stand for all their ids, $3 the first moment after the day, $4 the
// reporting currency. What changes in a row later, such as when a contract ends, is only looked at by the time that it bears.
const featuresSQL = `
WITH who AS MATERIALIZED (
	SELECT id AS root, id AS customer_id FROM unnest($2::uuid[]) AS w (id)
	UNION ALL
	SELECT a.root_id, a.customer_id FROM customer_aliases($1) a WHERE a.root_id = ANY ($2::uuid[]) AND a.customer_id <> a.root_id
), bought AS (
	SELECT w.root, o.placed_at, o.order_id, o.channel, (o.placed_at AT TIME ZONE 'UTC')::date - DATE '1970-01-01' AS day,
		CASE WHEN o.currency = $4 THEN o.total_minor ELSE 0 END AS gross, CASE WHEN o.currency = $4 THEN coalesce(r.amount_minor, 0) ELSE 0 END AS returned,
		o.units = 0 OR coalesce(r.units, 0) < o.units AS kept
	FROM who w
	JOIN fact_order o ON o.tenant_id = $1 AND o.customer_id = w.customer_id AND o.placed_at < $3
	LEFT JOIN LATERAL (
		SELECT sum(units) AS units, sum(amount_minor) AS amount_minor FROM fact_return
		WHERE tenant_id = $1 AND order_id = o.order_id AND returned_at < $3
	) r ON true
), purchases AS (
	SELECT root, array_agg(DISTINCT day ORDER BY day) FILTER (WHERE kept) AS days, count(*) FILTER (WHERE kept) AS orders,
		count(*) FILTER (WHERE kept AND placed_at >= $3 - interval '90 days') AS orders_90,
		sum(gross)::bigint AS gross, sum(returned)::bigint AS returned,
		coalesce(sum(gross - returned) FILTER (WHERE placed_at >= $3 - interval '90 days'), 0)::bigint AS net_90,
		(array_agg(channel ORDER BY placed_at DESC, order_id DESC) FILTER (WHERE kept))[1] AS channel
	FROM bought GROUP BY root
), grumbled AS (
	SELECT w.root, count(*) AS complaints, count(*) FILTER (WHERE c.registered_at >= $3 - interval '180 days') AS complaints_180
	FROM who w JOIN fact_complaint c ON c.tenant_id = $1 AND c.customer_id = w.customer_id AND c.registered_at < $3 GROUP BY w.root
), asked AS (
	SELECT w.root, count(*) AS tickets FROM who w
	JOIN fact_ticket t ON t.tenant_id = $1 AND t.customer_id = w.customer_id AND t.opened_at < $3 AND t.opened_at >= $3 - interval '180 days' GROUP BY w.root
), met AS (
	SELECT w.root, count(*) AS interactions FROM who w
	JOIN fact_interaction i ON i.tenant_id = $1 AND i.customer_id = w.customer_id AND i.occurred_at < $3 AND i.occurred_at >= $3 - interval '180 days' GROUP BY w.root
), touched AS (
	SELECT w.root, count(*) AS touches FROM who w
	JOIN fact_touch t ON t.tenant_id = $1 AND t.customer_id = w.customer_id AND t.at < $3 AND t.at >= $3 - interval '90 days' GROUP BY w.root
), answered AS (
	SELECT w.root, (array_agg(a.score ORDER BY a.answered_at DESC, a.answer_id DESC) FILTER (WHERE a.kind = 'csat' AND a.score IS NOT NULL))[1] AS csat,
		(array_agg(a.score ORDER BY a.answered_at DESC, a.answer_id DESC) FILTER (WHERE a.kind = 'nps' AND a.score IS NOT NULL))[1] AS nps
	FROM who w JOIN fact_answer a ON a.tenant_id = $1 AND a.customer_id = w.customer_id AND a.answered_at < $3 AND a.kind IN ('csat', 'nps') GROUP BY w.root
), bound AS (
	SELECT w.root, count(*) AS contracts, $3::date - (min(m.started_at) AT TIME ZONE 'UTC')::date AS contract_days FROM who w
	JOIN fact_membership m ON m.tenant_id = $1 AND m.customer_id = w.customer_id AND m.started_at < $3 AND (m.ended_at IS NULL OR m.ended_at >= $3) GROUP BY w.root
), known AS (
	SELECT w.root, min(c.kind) AS kind FROM who w JOIN fact_customer c ON c.tenant_id = $1 AND c.customer_id = w.customer_id GROUP BY w.root
)
SELECT w.id, coalesce(p.days, '{}'), coalesce(p.orders, 0), coalesce(p.orders_90, 0), coalesce(p.gross, 0), coalesce(p.returned, 0), coalesce(p.net_90, 0),
	coalesce(p.channel, ''), coalesce(g.complaints, 0), coalesce(g.complaints_180, 0), coalesce(t.tickets, 0), coalesce(i.interactions, 0), coalesce(h.touches, 0),
	a.csat, a.nps, coalesce(b.contracts, 0), b.contract_days, coalesce(k.kind, '')
FROM unnest($2::uuid[]) AS w (id)
LEFT JOIN purchases p ON p.root = w.id LEFT JOIN grumbled g ON g.root = w.id LEFT JOIN asked t ON t.root = w.id LEFT JOIN met i ON i.root = w.id
LEFT JOIN touched h ON h.root = w.id LEFT JOIN answered a ON a.root = w.id LEFT JOIN bound b ON b.root = w.id LEFT JOIN known k ON k.root = w.id
ORDER BY w.id`

// featuresOf reads the features of customers at the end of the day, in the order of their ids.
func featuresOf(ctx context.Context, tx *pg.Tx, customers []uuid.UUID, day time.Time, currency string) ([]uuid.UUID, []Features, error) {
	rows, err := tx.Query(ctx, featuresSQL, tx.Tenant(), customers, day.AddDate(0, 0, 1), currency)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	ids, all := make([]uuid.UUID, 0, len(customers)), make([]Features, 0, len(customers))
	for rows.Next() {
		var (
			id uuid.UUID
			f  Features
		)
		if err := rows.Scan(&id, &f.Purchases, &f.Orders, &f.Orders90, &f.Gross, &f.Returned, &f.Net90, &f.Channel, &f.Complaints, &f.Complaints180,
			&f.Tickets180, &f.Interactions, &f.Touches90, &f.CSAT, &f.NPS, &f.Contracts, &f.ContractDays, &f.Kind); err != nil {
			return nil, nil, err
		}
		f.Net = f.Gross - f.Returned
		ids, all = append(ids, id), append(all, f)
	}
	return ids, all, rows.Err()
}

// afterSQL reads what customers did after a day: $1 tenant, $2 customers, $3 the first moment after the day, $4 that after the horizon.
const afterSQL = `
WITH who AS MATERIALIZED (
	SELECT id AS root, id AS customer_id FROM unnest($2::uuid[]) AS w (id)
	UNION ALL
	SELECT a.root_id, a.customer_id FROM customer_aliases($1) a WHERE a.root_id = ANY ($2::uuid[]) AND a.customer_id <> a.root_id
), purchases AS (
	SELECT w.root, array_agg(DISTINCT (o.placed_at AT TIME ZONE 'UTC')::date - DATE '1970-01-01' ORDER BY (o.placed_at AT TIME ZONE 'UTC')::date - DATE '1970-01-01') AS days
	FROM who w
	JOIN fact_order o ON o.tenant_id = $1 AND o.customer_id = w.customer_id AND o.placed_at >= $3 AND o.placed_at < $4
	LEFT JOIN LATERAL (SELECT sum(units) AS units FROM fact_return WHERE tenant_id = $1 AND order_id = o.order_id AND returned_at < $4) r ON true
	WHERE o.units = 0 OR coalesce(r.units, 0) < o.units
	GROUP BY w.root
), bound AS (
	SELECT w.root, count(*) AS contracts FROM who w
	JOIN fact_membership m ON m.tenant_id = $1 AND m.customer_id = w.customer_id AND m.started_at < $4 AND (m.ended_at IS NULL OR m.ended_at >= $4) GROUP BY w.root
)
SELECT coalesce(p.days, '{}'), coalesce(b.contracts, 0)
FROM unnest($2::uuid[]) AS w (id) LEFT JOIN purchases p ON p.root = w.id LEFT JOIN bound b ON b.root = w.id ORDER BY w.id`

// afterwards is what a customer did within the horizon.
type afterwards struct {
	purchases []int32
	contracts int
}

func afterOf(ctx context.Context, tx *pg.Tx, customers []uuid.UUID, cutoff time.Time, horizon int) ([]afterwards, error) {
	rows, err := tx.Query(ctx, afterSQL, tx.Tenant(), customers, cutoff.AddDate(0, 0, 1), cutoff.AddDate(0, 0, 1+horizon))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := make([]afterwards, 0, len(customers))
	for rows.Next() {
		var a afterwards
		if err := rows.Scan(&a.purchases, &a.contracts); err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, rows.Err()
}

// dayNumber counts days from 1970-01-01.
func dayNumber(day time.Time) int32 { return int32(day.Unix() / (24 * 3600)) }

// table makes rows of features. The names of its columns are the codes of reasons.
func table(d Definition, ids []uuid.UUID, all []Features, day int32) *Table {
	t := &Table{IDs: make([]string, len(ids))}
	for i, id := range ids {
		t.IDs[i] = id.String()
	}
	number := func(name string, of func(f *Features) float64) {
		c := Column{Name: name, Numeric: true, Numbers: make([]float64, len(all))}
		for i := range all {
			c.Numbers[i] = of(&all[i])
		}
		t.Columns = append(t.Columns, c)
	}
	word := func(name string, of func(f *Features) string) {
		cells := make([]string, len(all))
		for i := range all {
			cells[i] = of(&all[i])
		}
		c := Column{Name: name}
		c.sort(cells)
		t.Columns = append(t.Columns, c)
	}
	// Counts and amounts have long tails: the model takes their logarithm, reasons show them as they are.
	tailed := func(name string, of func(f *Features) float64) {
		number(name, of)
		c := &t.Columns[len(t.Columns)-1]
		c.Shown = c.Numbers
		c.Numbers = make([]float64, len(all))
		for i, v := range c.Shown {
			c.Numbers[i] = math.Log1p(math.Max(0, v))
		}
	}
	count := func(name string, of func(f *Features) int32) {
		tailed(name, func(f *Features) float64 { return float64(of(f)) })
	}
	perhaps := func(name string, of func(f *Features) *int32) {
		number(name, func(f *Features) float64 {
			if v := of(f); v != nil {
				return float64(*v)
			}
			return math.NaN()
		})
	}
	bought := func(of func(f *Features) float64) func(f *Features) float64 {
		return func(f *Features) float64 {
			if len(f.Purchases) == 0 {
				return math.NaN()
			}
			return of(f)
		}
	}
	number("recency_days", bought(func(f *Features) float64 { return float64(day - f.Purchases[len(f.Purchases)-1]) }))
	number("tenure_days", bought(func(f *Features) float64 { return float64(day - f.Purchases[0]) }))
	number("silence_against_rhythm", bought(func(f *Features) float64 {
		return float64(day-f.Purchases[len(f.Purchases)-1]) / float64(d.Limit(f.Purchases))
	}))
	number("rhythm_days", func(f *Features) float64 {
		if m, ok := Rhythm(f.Purchases); ok {
			return m
		}
		return math.NaN()
	})
	count("purchase_days", func(f *Features) int32 { return int32(len(f.Purchases)) })
	count("orders_90_days", func(f *Features) int32 { return f.Orders90 })
	tailed("spent_minor", func(f *Features) float64 { return float64(f.Net) })
	tailed("spent_90_days_minor", func(f *Features) float64 { return float64(f.Net90) })
	number("returned_share", func(f *Features) float64 {
		if f.Gross <= 0 {
			return math.NaN()
		}
		return float64(f.Returned) / float64(f.Gross)
	})
	count("complaints", func(f *Features) int32 { return f.Complaints })
	count("complaints_180_days", func(f *Features) int32 { return f.Complaints180 })
	count("tickets_180_days", func(f *Features) int32 { return f.Tickets180 })
	count("contacts_180_days", func(f *Features) int32 { return f.Interactions })
	count("touches_90_days", func(f *Features) int32 { return f.Touches90 })
	perhaps("satisfaction", func(f *Features) *int32 { return f.CSAT })
	perhaps("recommendation", func(f *Features) *int32 { return f.NPS })
	perhaps("contract_days", func(f *Features) *int32 { return f.ContractDays })
	word("channel", func(f *Features) string { return f.Channel })
	word("kind", func(f *Features) string { return f.Kind })
	return t
}
