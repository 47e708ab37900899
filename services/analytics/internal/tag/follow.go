package tag

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
)

// Follow gives customers their tags, in the transaction in which their portraits were reckoned; see [portrait.Follow]. It comes
// after all that scores customers, and before segments, which may be chosen by tags.
func (t *Tags) Follow(ctx context.Context, tx *pg.Tx, customers []uuid.UUID, at time.Time) ([]outbox.Event, error) {
	if len(customers) == 0 {
		return nil, nil
	}
	holdDefinitions(tx)
	// What follows at once is not to be looked for again.
	tx.Queue(`DELETE FROM tag_due WHERE tenant_id = $1 AND tx = txid_current()`, tx.Tenant())
	all, err := load(ctx, tx)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	_, err = give(ctx, tx, all, customers, at)
	return nil, err
}

var _ portrait.Follow = (*Tags)(nil).Follow

// giving is the statement that gives customers their tags. $1 is the tenant, $2 today, $3 the customers, $4 the moment, $5 the values
// that there are, $6 the number of the tag of each, $7 for how long it stays; $verdicts are a row a value: the number of its tag,
// the value, and whether a portrait is meant.
//
// A value that is there and does not hold any more stays for its days, but not beside another band of its tag, and not with
// somebody who was merged or erased. Every table is read by the keys of the customers, whatever the planner thinks of its size.
const giving = `WITH wanted AS MATERIALIZED (
		SELECT portrait.customer_id, v.tag, v.value FROM portrait CROSS JOIN LATERAL (VALUES (0, '', false)$verdicts) AS v(tag, value, holds)
		WHERE portrait.tenant_id = $1 AND portrait.customer_id = ANY ($3::uuid[]) AND v.holds),
	defined AS MATERIALIZED (SELECT * FROM unnest($5::text[], $6::int[], $7::int[]) AS d(value, tag, days)),
	present AS MATERIALIZED (SELECT customer_id FROM portrait WHERE tenant_id = $1 AND customer_id = ANY ($3::uuid[])),
	before AS MATERIALIZED (SELECT customer_id, value, until FROM tag_holder WHERE tenant_id = $1 AND customer_id = ANY ($3::uuid[])),
	ending AS MATERIALIZED (
		SELECT h.customer_id, h.value, h.until, CASE
			WHEN d.days > 0 AND p.customer_id IS NOT NULL AND coalesce(h.until, $2::date) >= $2::date
				AND NOT EXISTS (SELECT FROM wanted w WHERE w.customer_id = h.customer_id AND w.tag = d.tag)
			THEN least(h.until, $2::date + d.days) END AS stays
		FROM before h LEFT JOIN defined d ON d.value = h.value LEFT JOIN present p ON p.customer_id = h.customer_id
		WHERE NOT EXISTS (SELECT FROM wanted w WHERE w.customer_id = h.customer_id AND w.value = h.value)),
	gone AS (
		DELETE FROM tag_holder h USING ending e
		WHERE h.tenant_id = $1 AND h.customer_id = ANY ($3::uuid[]) AND h.customer_id = e.customer_id AND h.value = e.value AND e.stays IS NULL),
	fading AS (
		UPDATE tag_holder h SET until = e.stays FROM ending e
		WHERE h.tenant_id = $1 AND h.customer_id = ANY ($3::uuid[]) AND h.customer_id = e.customer_id AND h.value = e.value AND e.stays IS NOT NULL AND e.until IS DISTINCT FROM e.stays),
	come AS (
		INSERT INTO tag_holder AS h (tenant_id, customer_id, value, since)
		SELECT $1, w.customer_id, w.value, $4 FROM wanted w
		WHERE NOT EXISTS (SELECT FROM before b WHERE b.customer_id = w.customer_id AND b.value = w.value AND b.until IS NULL)
		ORDER BY w.customer_id, w.value
		ON CONFLICT (tenant_id, customer_id, value) DO UPDATE SET until = NULL WHERE h.until IS NOT NULL),
	worn AS MATERIALIZED (
		SELECT customer_id, array_agg(value ORDER BY value COLLATE "C") AS tags FROM (
			SELECT customer_id, value FROM wanted UNION ALL SELECT customer_id, value FROM ending WHERE stays IS NOT NULL) n
		GROUP BY customer_id)
	UPDATE portrait p SET tags = coalesce(n.tags, '{}')
	FROM unnest($3::uuid[]) AS c(id) LEFT JOIN worn n ON n.customer_id = c.id
	WHERE p.tenant_id = $1 AND p.customer_id = ANY ($3::uuid[]) AND p.customer_id = c.id AND p.tags IS DISTINCT FROM coalesce(n.tags, '{}')`

// give gives customers their tags, and tells how many portraits that changed. Whoever does has their portraits locked, in the order of
// their ids, and so sees all that was given before.
func give(ctx context.Context, tx *pg.Tx, all tree, customers []uuid.UUID, at time.Time) (changed int64, err error) {
	tx.Queue(`SELECT FROM portrait WHERE tenant_id = $1 AND customer_id = ANY ($2::uuid[]) ORDER BY customer_id FOR UPDATE`, tx.Tenant(), customers)
	var (
		values   []string
		tags     []int32
		days     []int32
		verdicts strings.Builder
	)
	args := []any{tx.Tenant(), at.UTC().Truncate(24 * time.Hour), customers, at, nil, nil, nil}
	for i, one := range all.ordered(func(t Tag) bool { return !t.Archived }) {
		for _, v := range one.Values() {
			args = append(args, v.Code)
			verdicts.WriteString(", (" + strconv.Itoa(i+1) + ", $" + strconv.Itoa(len(args)) + "::text, ")
			condition, err := v.Filter.SQL(&args, "$2::date")
			if err != nil {
				return 0, err
			}
			verdicts.WriteString(condition + ")")
			values, tags, days = append(values, v.Code), append(tags, int32(i+1)), append(days, int32(one.ValidDays))
		}
	}
	args[4], args[5], args[6] = values, tags, days
	result, err := tx.ExecNow(ctx, strings.Replace(giving, "$verdicts", verdicts.String(), 1), args...)
	return result.RowsAffected(), err
}
