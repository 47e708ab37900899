package grade

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Definitions that have versions.
const (
	schemeName    = "scheme"
	potentialName = "potential"
)

// definition is a version of something that a tenant sets.
type definition struct {
	version   int64
	content   []byte
	by        string
	changedAt time.Time
}

// loadDefinition gives a version; the present one for 0. ok is false where there is none.
func loadDefinition(ctx context.Context, tx *pg.Tx, name string, version int64) (d definition, ok bool, err error) {
	err = tx.QueryRow(ctx, `SELECT version, content, by_subject, changed_at FROM grade_definition
		WHERE tenant_id = $1 AND name = $2 AND ($3 = 0 OR version = $3) ORDER BY version DESC LIMIT 1`, tx.Tenant(), name, version).
		Scan(&d.version, &d.content, &d.by, &d.changedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return d, false, nil
	}
	d.changedAt = d.changedAt.UTC()
	return d, err == nil, err
}

// loadScheme gives a version of the scheme; the present one for a negative number, and the house's own for 0. ok is false where there is
// none.
func loadScheme(ctx context.Context, tx *pg.Tx, version int64) (Scheme, bool, error) {
	if version == 0 {
		return House(), true, nil
	}
	d, ok, err := loadDefinition(ctx, tx, schemeName, max(version, 0))
	if err != nil || !ok {
		return House(), version < 0, err
	}
	s := Scheme{Version: d.version, By: d.by, ChangedAt: d.changedAt}
	return s, true, json.Unmarshal(d.content, &s)
}

func loadPotential(ctx context.Context, tx *pg.Tx) (Potential, error) {
	d, ok, err := loadDefinition(ctx, tx, potentialName, 0)
	if err != nil || !ok {
		return HousePotential(), err
	}
	p := Potential{Version: d.version, By: d.by, ChangedAt: d.changedAt}
	return p, json.Unmarshal(d.content, &p)
}

// saveDefinition queues the next version.
func saveDefinition(tx *pg.Tx, name string, version int64, content any, by string, at time.Time) error {
	raw, err := json.Marshal(content)
	if err != nil {
		return err
	}
	tx.Queue(`INSERT INTO grade_definition (tenant_id, name, version, content, by_subject, changed_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		tx.Tenant(), name, version, raw, by, at)
	return nil
}

// contributionsSQL stores what customers after $6 up to and including $7 brought and cost for the run $5: $1 tenant, $2 currency,
// $3 from (inclusive), $4 to (exclusive), $8 and $9 margins in thousandths by channel, $10 those of all other channels, $11 to $14 the
// cost of a ticket, a complaint, a touch and an interaction. What came back counts when it did so before $4, and an order that
// came back whole is no purchase. Who is merged counts as one, where @root and @join read aliases.
const contributionsSQL = `
WITH @alias net AS (
	SELECT @root(o) AS customer_id, o.channel, o.total_minor - coalesce(r.amount_minor, 0) AS net_minor
	FROM fact_order o
	LEFT JOIN (
		SELECT order_id, sum(units) AS units, sum(amount_minor) AS amount_minor
		FROM fact_return WHERE tenant_id = $1 AND returned_at < $4 GROUP BY order_id
	) r USING (order_id) @join(o)
	WHERE o.tenant_id = $1 AND o.currency = $2 AND o.placed_at >= $3 AND o.placed_at < $4 AND o.customer_id IS NOT NULL
		AND NOT (o.units > 0 AND coalesce(r.units, 0) >= o.units)
), bought AS (
	SELECT customer_id, sum(net_minor)::bigint AS net_minor, round(sum(net_minor * coalesce(c.margin, $10::bigint)) / 1000)::bigint AS margin_minor
	FROM net LEFT JOIN unnest($8::text[], $9::bigint[]) AS c(channel, margin) USING (channel)
	WHERE customer_id > $6 AND customer_id <= $7 GROUP BY customer_id
), ticket AS (
	SELECT @root(t) AS customer_id, count(*) * $11::bigint AS cost FROM fact_ticket t @join(t)
	WHERE t.tenant_id = $1 AND t.opened_at >= $3 AND t.opened_at < $4 AND t.customer_id IS NOT NULL GROUP BY 1
), complaint AS (
	SELECT @root(t) AS customer_id, (count(*) * $12::bigint + coalesce(sum(t.cost_minor) FILTER (WHERE t.currency = $2), 0))::bigint AS cost FROM fact_complaint t @join(t)
	WHERE t.tenant_id = $1 AND t.registered_at >= $3 AND t.registered_at < $4 AND t.customer_id IS NOT NULL GROUP BY 1
), touch AS (
	SELECT @root(t) AS customer_id, count(*) * $13::bigint AS cost FROM fact_touch t @join(t)
	WHERE t.tenant_id = $1 AND t.at >= $3 AND t.at < $4 AND t.customer_id IS NOT NULL GROUP BY 1
), interaction AS (
	SELECT @root(t) AS customer_id, count(*) * $14::bigint AS cost FROM fact_interaction t @join(t)
	WHERE t.tenant_id = $1 AND t.occurred_at >= $3 AND t.occurred_at < $4 GROUP BY 1
)
INSERT INTO grade_contribution (tenant_id, run_id, customer_id, net_minor, margin_minor, tickets_minor, complaints_minor, touches_minor, interactions_minor, contribution_minor)
SELECT $1, $5, customer_id, net_minor, margin_minor, coalesce(t.cost, 0), coalesce(c.cost, 0), coalesce(h.cost, 0), coalesce(i.cost, 0),
	margin_minor - coalesce(t.cost, 0) - coalesce(c.cost, 0) - coalesce(h.cost, 0) - coalesce(i.cost, 0)
FROM bought LEFT JOIN ticket t USING (customer_id) LEFT JOIN complaint c USING (customer_id) LEFT JOIN touch h USING (customer_id) LEFT JOIN interaction i USING (customer_id)`

// contributions is contributionsSQL, which reads aliases only where anybody is merged.
func contributions(merged bool) string {
	alias, root, join := "", "%s.customer_id", ""
	if merged {
		alias = `alias AS MATERIALIZED (SELECT customer_id, root_id FROM customer_aliases($1)), `
		root, join = "coalesce(a.root_id, %s.customer_id)", "LEFT JOIN alias a ON a.customer_id = %s.customer_id"
	}
	sql := strings.ReplaceAll(contributionsSQL, "@alias", alias)
	for _, table := range []string{"o", "t"} {
		sql = strings.ReplaceAll(sql, "@root("+table+")", fmt.Sprintf(root, table))
		if join == "" {
			sql = strings.ReplaceAll(sql, "@join("+table+")", "")
		} else {
			sql = strings.ReplaceAll(sql, "@join("+table+")", fmt.Sprintf(join, table))
		}
	}
	return sql
}

// reckoning is what a run has to remember.
type reckoning struct {
	ID        uuid.UUID
	AsOf      time.Time
	Currency  string
	Scheme    int64 // version
	Portraits bool
	Phase     string
	After     uuid.UUID
	Customers int64
	Changed   int64
	Least     []int64
	FactsAsOf time.Time
	Reckoned  time.Time // zero: not yet
	Kept      bool
}

const reckoningColumns = `run_id, as_of, currency, scheme_version, portraits, phase, coalesce(after_customer, '00000000-0000-0000-0000-000000000000'),
	customers, changed, least, facts_as_of, reckoned_at, kept`

func scanReckoning(row pgx.CollectableRow) (r reckoning, err error) {
	var facts, reckoned *time.Time
	err = row.Scan(&r.ID, &r.AsOf, &r.Currency, &r.Scheme, &r.Portraits, &r.Phase, &r.After, &r.Customers, &r.Changed, &r.Least, &facts, &reckoned, &r.Kept)
	if facts != nil {
		r.FactsAsOf = facts.UTC()
	}
	if reckoned != nil {
		r.Reckoned = reckoned.UTC()
	}
	return r, err
}

// loadReckoning gives the first row for which the condition holds, its arguments from $2 on; ok is false where there is none.
func loadReckoning(ctx context.Context, tx *pg.Tx, condition string, args ...any) (r reckoning, ok bool, err error) {
	rows, err := tx.Query(ctx, `SELECT `+reckoningColumns+` FROM grade_run WHERE tenant_id = $1 AND `+condition, append([]any{tx.Tenant()}, args...)...)
	if err != nil {
		return r, false, err
	}
	r, err = pgx.CollectExactlyOneRow(rows, scanReckoning)
	if errors.Is(err, pgx.ErrNoRows) {
		return r, false, nil
	}
	return r, err == nil, err
}

// last finds the run whose grades portraits have.
const last = `portraits AND reckoned_at IS NOT NULL ORDER BY as_of DESC, reckoned_at DESC LIMIT 1`

// bounds are the first moment of a run's window and the first after it.
func (r reckoning) bounds(s Scheme) (from, to time.Time) {
	to = r.AsOf.AddDate(0, 0, 1)
	return to.AddDate(0, 0, -s.WindowDays), to
}

// until is the end of the period whose margin decided: now, where the day is not over.
func (r reckoning) until() time.Time {
	if _, to := r.bounds(Scheme{}); r.Reckoned.After(to) {
		return to
	}
	return r.Reckoned
}
