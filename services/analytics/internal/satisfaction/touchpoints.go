package satisfaction

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/proportion"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/rating"
)

// Moment is a touchpoint on the way of customers.
type Moment struct {
	Touchpoint string
	Counts     Counts  // of satisfaction there
	Answerers  int64   // known customers who gave them
	Passed     int64   // customers who were there: by an interaction, by being asked about it, or by an answer
	Place      float64 // of the customers who passed, the mean place of it among their touchpoints, by when they came there first; 0 where nobody is known
}

// Way is the touchpoints of customers.
type Way struct {
	Moments   []Moment
	More      int   // touchpoints that are left out
	Customers int64 // who passed any of them
	AsOf      time.Time
}

// Harm is what a touchpoint takes off satisfaction: how much less satisfied answers are there than elsewhere and there together, times the
// share of customers who pass it. Below 0 it adds to it. ok is false for fewer than two answers on either side, of whose
// uncertainty nothing is known. The interval is normal, with the variance of the product by the delta method. The difference of a
// part from the whole is that of the part from the rest, as far as the rest weighs.
func Harm(here, all Counts, passed, customers int64) (difference, harm rating.Interval, ok bool) {
	rest := all
	for score, n := range here {
		rest[score] -= n
	}
	if here.N() < 2 || rest.N() < 2 || customers == 0 {
		return difference, harm, false
	}
	mean, variance := here.moments()
	elsewhere, spread := rest.moments()
	weight := float64(rest.N()) / float64(all.N())
	d := weight * (elsewhere - mean)
	vd := square(weight) * (variance/float64(here.N()) + spread/float64(rest.N()))
	share := float64(passed) / float64(customers)
	vs := share * (1 - share) / float64(customers)
	around := func(value, variance float64) rating.Interval {
		half := proportion.Z * math.Sqrt(variance)
		return rating.Interval{Value: value, Low: value - half, High: value + half}
	}
	return around(d, vd), around(share*d, square(share)*vd+square(d)*vs), true
}

// Sort puts touchpoints in the order that was asked for; those that it does not name come after, in the order in which customers
// come to them.
func (w *Way) Sort(order []string) {
	slices.SortStableFunc(w.Moments, func(a, b Moment) int {
		i, j := slices.Index(order, a.Touchpoint), slices.Index(order, b.Touchpoint)
		if i < 0 {
			i = len(order)
		}
		if j < 0 {
			j = len(order)
		}
		unknown := func(m Moment) int {
			if m.Passed == 0 {
				return 1
			}
			return 0
		}
		return cmp.Or(i-j, unknown(a)-unknown(b), cmp.Compare(a.Place, b.Place), strings.Compare(a.Touchpoint, b.Touchpoint))
	})
}

// waySQL counts answers on satisfaction by touchpoint and score, and customers by touchpoint. The touchpoint of the last row is null: it
// has the customers who passed any.
const waySQL = whoseSQL + `event AS MATERIALIZED (
	SELECT e.touchpoint, e.at, e.score, %WHO% AS who
	FROM (
		SELECT customer_id, touchpoint, occurred_at AS at, NULL::integer AS score FROM fact_interaction
		WHERE tenant_id = $1 AND touchpoint <> '' AND occurred_at >= $2 AND occurred_at < $3
		UNION ALL
		SELECT customer_id, touch, at, NULL FROM fact_touch WHERE tenant_id = $1 AND origin = 'survey' AND touch <> '' AND at >= $2 AND at < $3
		UNION ALL
		SELECT customer_id, touchpoint, answered_at, CASE WHEN kind = 'csat' THEN score END FROM fact_answer
		WHERE tenant_id = $1 AND touchpoint <> '' AND answered_at >= $2 AND answered_at < $3
	) e LEFT JOIN whose w ON w.customer_id = e.customer_id
), first AS (
	SELECT who, touchpoint, rank() OVER (PARTITION BY who ORDER BY min(at)) AS place, count(score) > 0 AS answered
	FROM event WHERE who IS NOT NULL GROUP BY who, touchpoint
), passed AS (
	SELECT touchpoint, count(*) AS passed, count(*) FILTER (WHERE answered) AS answerers, avg(place)::float8 AS place FROM first GROUP BY touchpoint
), scored AS (
	SELECT touchpoint, ARRAY[0, count(*) FILTER (WHERE score = 1), count(*) FILTER (WHERE score = 2), count(*) FILTER (WHERE score = 3),
		count(*) FILTER (WHERE score = 4), count(*) FILTER (WHERE score = 5)] AS counts
	FROM event GROUP BY touchpoint
)
SELECT s.touchpoint, s.counts, coalesce(p.answerers, 0), coalesce(p.passed, 0), coalesce(p.place, 0) FROM scored s LEFT JOIN passed p USING (touchpoint)
UNION ALL
SELECT NULL, NULL, 0, count(DISTINCT who), 0 FROM first
ORDER BY 4 DESC, 1`

// Walk gives the touchpoints of a time.
func (q *Queries) Walk(ctx context.Context, s Span) (way Way, err error) {
	err = q.db.ReadWithin(ctx, auth.Tenant(ctx), patience, func(tx *pg.Tx) error {
		way = Way{}
		if way.AsOf, err = fact.AsOf(ctx, tx); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, strings.Replace(waySQL, "%WHO%", who("e"), 1), tx.Tenant(), s.From, s.end())
		if err != nil {
			return err
		}
		var (
			touchpoint *string
			counts     []int64
			m          Moment
		)
		_, err = pgx.ForEachRow(rows, []any{&touchpoint, &counts, &m.Answerers, &m.Passed, &m.Place}, func() error {
			if touchpoint == nil {
				way.Customers = m.Passed
				return nil
			}
			m.Touchpoint, m.Counts = *touchpoint, Counts{}
			copy(m.Counts[:], counts)
			way.Moments = append(way.Moments, m)
			return nil
		})
		if way.More = max(0, len(way.Moments)-mostGroups); way.More > 0 {
			way.Moments = way.Moments[:mostGroups]
		}
		return err
	})
	return way, err
}
