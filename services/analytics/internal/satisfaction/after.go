package satisfaction

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
)

// Zone is what satisfaction does to loyalty.
type Zone string

// The zones of J. Heskett, T. Jones, G. Loveman, W. E. Sasser, L. Schlesinger, Putting the service-profit chain to work, Harvard
// Business Review 72 (1994): loyalty hardly rises with satisfaction below and in the middle, and steeply above.
const (
	Defection    Zone = "defection"
	Indifference Zone = "indifference"
	Affection    Zone = "affection"
)

// Bounds are the scores from which the upper two zones begin.
type Bounds struct{ Indifference, Affection int }

// Zone is that of a score.
func (b Bounds) Zone(score int) Zone {
	switch {
	case score >= b.Affection:
		return Affection
	case score >= b.Indifference:
		return Indifference
	}
	return Defection
}

// Band is the customers whose latest answer on satisfaction was one score.
type Band struct{ Customers, Bought int64 }

// Repurchase is who bought again by how satisfied it was.
type Repurchase struct {
	Bands [5]Band // of 1 to 5
	Open  int64   // customers none of whose answers is old enough yet
	AsOf  time.Time
}

// boughtSQL is net purchases of somebody who is known, from $2 on: those that did not come back whole.
const boughtSQL = `bought AS MATERIALIZED (
	SELECT * FROM (
		SELECT %WHO% AS who, e.placed_at AS at FROM fact_order e LEFT JOIN whose w ON w.customer_id = e.customer_id
		WHERE e.tenant_id = $1 AND e.customer_id IS NOT NULL AND e.placed_at >= $2
			AND (e.units = 0 OR e.units > coalesce((SELECT sum(b.units) FROM fact_return b WHERE b.tenant_id = $1 AND b.order_id = e.order_id), 0))
	) o WHERE who IS NOT NULL
)`

// repurchaseSQL takes of each customer the latest answer of which it is known by $5 who bought in the $4 days after it.
const repurchaseSQL = `answer AS (
	SELECT %ANSWERER% AS who, a.score, a.answered_at AS at, a.answer_id, a.answered_at + $4 * interval '1 day' <= $5 AS over
	FROM fact_answer a LEFT JOIN whose w ON w.customer_id = a.customer_id
	WHERE a.tenant_id = $1 AND a.kind = 'csat' AND a.score BETWEEN 1 AND 5 AND a.customer_id IS NOT NULL AND a.answered_at >= $2 AND a.answered_at < $3
), latest AS (
	SELECT DISTINCT ON (who) who, score, at, over FROM answer WHERE who IS NOT NULL ORDER BY who, over DESC, at DESC, answer_id DESC
), outcome AS (
	SELECT l.who, l.score, l.over, count(b.who) > 0 AS again
	FROM latest l LEFT JOIN bought b ON b.who = l.who AND b.at > l.at AND b.at <= l.at + $4 * interval '1 day'
	GROUP BY l.who, l.score, l.over
)
SELECT score, over, count(*), count(*) FILTER (WHERE again) FROM outcome GROUP BY 1, 2`

// Repurchases says who bought within days of its latest answer.
func (q *Queries) Repurchases(ctx context.Context, s Span, days int) (r Repurchase, err error) {
	err = q.db.ReadWithin(ctx, auth.Tenant(ctx), patience, func(tx *pg.Tx) error {
		r = Repurchase{}
		if r.AsOf, err = fact.AsOf(ctx, tx); err != nil {
			return err
		}
		sql := strings.NewReplacer("%WHO%", who("e"), "%ANSWERER%", who("a")).Replace(whoseSQL + boughtSQL + ",\n" + repurchaseSQL)
		rows, err := tx.Query(ctx, sql, tx.Tenant(), s.From, s.end(), days, q.now())
		if err != nil {
			return err
		}
		var (
			score     int
			over      bool
			n, bought int64
		)
		_, err = pgx.ForEachRow(rows, []any{&score, &over, &n, &bought}, func() error {
			if over {
				r.Bands[score-1] = Band{n, bought}
			} else {
				r.Open += n
			}
			return nil
		})
		return err
	})
	return r, err
}

// Group is customers by what became of their latest complaint of the time.
type Group string

// The groups. Whether a complaint was recovered is what its customer answered when asked about it, so that it is not the
// satisfaction that is compared afterwards.
const (
	Recovered Group = "recovered"        // closed as settled or answered, and the answer about it was 4 or 5
	Failed    Group = "not_recovered"    // still open, not agreed, not taken up, or the answer about it was 1 to 3
	Unjudged  Group = "not_judged"       // anything else: it ended, and the customer was silent about it
	Never     Group = "never_complained" // customers who bought in the time and never complained, at any time
)

// Groups in the order in which they are shown.
var Groups = []Group{Recovered, Failed, Unjudged, Never}

// After is what a group did in the days after: after its complaint was closed (registered, of one that is open), or after its first
// purchase of the time.
type After struct {
	Customers int64 // whose days are over
	Answered  int64 // of them, those who were asked about anything but a complaint and answered
	Satisfied int64 // of these, those whose latest answer was 4 or 5
	Bought    int64 // of Customers, those with a net purchase
	Open      int64 // customers whose days are not over; they are in no other number
}

// Recovery is what became of customers after complaints.
type Recovery struct {
	Groups map[Group]After
	AsOf   time.Time
}

// recoverySQL: $1 tenant, $2 and $3 the time, $4 days, $5 now.
const recoverySQL = `complained AS MATERIALIZED (
	SELECT * FROM (
		SELECT %COMPLAINER% AS who, c.complaint_id, c.registered_at, c.closed_at, c.outcome
		FROM fact_complaint c LEFT JOIN whose w ON w.customer_id = c.customer_id WHERE c.tenant_id = $1 AND c.customer_id IS NOT NULL
	) x WHERE who IS NOT NULL
), complaint AS (
	SELECT DISTINCT ON (who) * FROM complained WHERE registered_at >= $2 AND registered_at < $3 ORDER BY who, registered_at DESC, complaint_id DESC
), said AS MATERIALIZED (
	SELECT * FROM (
		SELECT %ANSWERER% AS who, a.complaint_id, a.score, a.answered_at AS at, a.answer_id
		FROM fact_answer a LEFT JOIN whose w ON w.customer_id = a.customer_id
		WHERE a.tenant_id = $1 AND a.kind = 'csat' AND a.score IS NOT NULL AND a.customer_id IS NOT NULL AND a.answered_at >= $2
	) x WHERE who IS NOT NULL
), verdict AS (
	SELECT DISTINCT ON (complaint_id) complaint_id, score FROM said WHERE complaint_id IS NOT NULL ORDER BY complaint_id, at DESC, answer_id DESC
), member AS MATERIALIZED (
	SELECT c.who, coalesce(c.closed_at, c.registered_at) AS since, CASE
		WHEN c.closed_at IS NULL OR c.outcome IN ('not_agreed', 'inadmissible') OR v.score < 4 THEN 'not_recovered'
		WHEN c.outcome IN ('settled', 'answered') AND v.score >= 4 THEN 'recovered' ELSE 'not_judged' END AS part
	FROM complaint c LEFT JOIN verdict v ON v.complaint_id = c.complaint_id
	UNION ALL
	SELECT b.who, min(b.at), 'never_complained' FROM bought b
	WHERE b.at < $3 AND NOT EXISTS (SELECT FROM complained c WHERE c.who = b.who) GROUP BY b.who
), answered AS (
	SELECT DISTINCT ON (m.who) m.who, s.score >= 4 AS satisfied
	FROM member m JOIN said s ON s.who = m.who AND s.complaint_id IS NULL AND s.at > m.since AND s.at <= m.since + $4 * interval '1 day'
	ORDER BY m.who, s.at DESC, s.answer_id DESC
), again AS (
	SELECT DISTINCT m.who FROM member m JOIN bought b ON b.who = m.who AND b.at > m.since AND b.at <= m.since + $4 * interval '1 day'
)
SELECT m.part, m.since + $4 * interval '1 day' <= $5, count(*), count(a.who), count(*) FILTER (WHERE a.satisfied), count(g.who)
FROM member m LEFT JOIN answered a ON a.who = m.who LEFT JOIN again g ON g.who = m.who GROUP BY 1, 2`

// Recover says what customers did in the days after complaints of a time.
func (q *Queries) Recover(ctx context.Context, s Span, days int) (r Recovery, err error) {
	err = q.db.ReadWithin(ctx, auth.Tenant(ctx), patience, func(tx *pg.Tx) error {
		r = Recovery{Groups: map[Group]After{}}
		if r.AsOf, err = fact.AsOf(ctx, tx); err != nil {
			return err
		}
		sql := strings.NewReplacer("%WHO%", who("e"), "%ANSWERER%", who("a"), "%COMPLAINER%", who("c")).Replace(whoseSQL + boughtSQL + ",\n" + recoverySQL)
		rows, err := tx.Query(ctx, sql, tx.Tenant(), s.From, s.end(), days, q.now())
		if err != nil {
			return err
		}
		var (
			group Group
			over  bool
			a     After
		)
		_, err = pgx.ForEachRow(rows, []any{&group, &over, &a.Customers, &a.Answered, &a.Satisfied, &a.Bought}, func() error {
			found := r.Groups[group]
			if over {
				open := found.Open
				found = a
				found.Open = open
			} else {
				found.Open = a.Customers
			}
			r.Groups[group] = found
			return nil
		})
		return err
	})
	return r, err
}
