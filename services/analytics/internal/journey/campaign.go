package journey

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/fact"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/portrait"
)

// Control is the touch of customers who are in a campaign's control group: they were drawn, and heard nothing.
const Control = "control"

// Span is the time that a question is about: from the first day, both included, as midnights UTC.
type Span struct {
	From, To time.Time
	Days     int // within which a purchase counts as a response
}

// end is the first moment that is not in the span any more.
func (s Span) end() time.Time { return s.To.AddDate(0, 0, 1) }

// By what touches are told apart.
var touchKeys = map[string]string{"campaign": "t.campaign", "channel": "t.channel", "origin": "t.origin", "touch": "t.campaign || '/' || t.touch"}

// whoseSQL begins statements with whom merged ids mean.
const whoseSQL = `WITH whose AS MATERIALIZED (SELECT customer_id, root_id FROM customer_aliases($1)),
`

// touchedSQL is touches t that somebody heard (no control group) with the customer who stands for all its ids. $2 and $3 bound them.
const touchedSQL = `touched AS MATERIALIZED (
	SELECT t.touch_id, coalesce(w.root_id, t.customer_id) AS who, %KEY% AS key, t.at
	FROM fact_touch t LEFT JOIN whose w ON w.customer_id = t.customer_id
	WHERE t.tenant_id = $1 AND t.at >= $2 AND t.at < $3 AND t.touch <> 'control' AND t.customer_id IS NOT NULL
)`

// keyed puts the column that touches are told apart by into a statement.
func keyed(sql, by string) string { return strings.ReplaceAll(sql, "%KEY%", touchKeys[by]) }

// Conversion is what became of touches.
type Conversion struct {
	Key string
	// Touches whose days are over, and those of them that a net purchase followed within the days.
	Touches, Converted int64
	// Customers who had one, and those who bought within the days of any of theirs.
	Customers, Buyers int64
	Open              int64 // touches whose days are not over: they do not count yet
}

// Conversions tells of the touches of a span how many led to a purchase within its days.
func (j *Journey) Conversions(ctx context.Context, by string, s Span) (all []Conversion, asOf time.Time, err error) {
	err = j.db.ReadWithin(ctx, auth.Tenant(ctx), liveTime, func(tx *pg.Tx) error {
		if asOf, err = fact.AsOf(ctx, tx); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, whoseSQL+keyed(touchedSQL, by)+`,
bought AS MATERIALIZED (
	SELECT coalesce(w.root_id, e.customer_id) AS who, e.placed_at FROM fact_order e LEFT JOIN whose w ON w.customer_id = e.customer_id
	WHERE e.tenant_id = $1 AND e.placed_at > $2 AND e.placed_at < $3 + $4 * interval '1 day' AND e.customer_id IS NOT NULL AND `+notWholeYet+`
)
SELECT x.key, count(*) FILTER (WHERE x.over), count(*) FILTER (WHERE x.over AND x.bought), count(DISTINCT x.who) FILTER (WHERE x.over),
	count(DISTINCT x.who) FILTER (WHERE x.over AND x.bought), count(*) FILTER (WHERE NOT x.over)
FROM (
	SELECT t.key, t.who, t.at + $4 * interval '1 day' <= $5 AS over, count(b.who) > 0 AS bought
	FROM touched t LEFT JOIN bought b ON b.who = t.who AND b.placed_at > t.at AND b.placed_at <= t.at + $4 * interval '1 day'
	GROUP BY t.touch_id, t.key, t.who, t.at
) x GROUP BY x.key ORDER BY x.key`, tx.Tenant(), s.From, s.end(), s.Days, j.now())
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Conversion])
		return err
	})
	return all, asOf, err
}

// notWholeYet is true of orders e that did not come back whole.
const notWholeYet = `(e.units = 0 OR e.units > coalesce((SELECT sum(b.units) FROM fact_return b WHERE b.tenant_id = $1 AND b.order_id = e.order_id), 0))`

// Attribution is the revenue that is put down to touches of one key, by three rules: all to the last touch before the purchase, all
// to the first, or the same to each. Each adds up to the attributed revenue exactly.
type Attribution struct {
	Key                                string
	Touches                            int64 // before purchases
	Orders                             int64 // with such a touch
	LastMinor, FirstMinor, LinearMinor int64
}

// Attributed is net revenue of the net purchases of a span.
type Attributed struct {
	Currency                              string
	Rows                                  []Attribution
	Orders, TouchedOrders                 int64
	TotalMinor, AttributedMinor, NotMinor int64
	AsOf                                  time.Time
}

// Attribute puts down the revenue of the purchases of a span to the touches within its days before each.
func (j *Journey) Attribute(ctx context.Context, currency, by string, s Span) (a Attributed, err error) {
	err = j.db.ReadWithin(ctx, auth.Tenant(ctx), liveTime, func(tx *pg.Tx) error {
		a = Attributed{Currency: currency}
		if a.AsOf, err = fact.AsOf(ctx, tx); err != nil {
			return err
		}
		if a.Currency == "" {
			if a.Currency, err = portrait.Currency(ctx, tx); err != nil {
				return err
			}
		}
		// The whole and what is attributed come from one statement, so that they are of one moment.
		rows, err := tx.Query(ctx, whoseSQL+keyed(touchedSQL, by)+`,
bought AS MATERIALIZED (
	SELECT e.order_id, coalesce(w.root_id, e.customer_id) AS who, e.placed_at, (e.total_minor - coalesce(r.amount, 0))::bigint AS net
	FROM fact_order e
	LEFT JOIN LATERAL (SELECT sum(b.units) AS units, sum(b.amount_minor) AS amount FROM fact_return b WHERE b.tenant_id = $1 AND b.order_id = e.order_id) r ON true
	LEFT JOIN whose w ON w.customer_id = e.customer_id
	WHERE e.tenant_id = $1 AND e.currency = $4 AND e.placed_at >= $5 AND e.placed_at < $3 AND (e.units = 0 OR e.units > coalesce(r.units, 0))
), led AS MATERIALIZED (
	SELECT b.order_id, b.net, t.key, row_number() OVER o AS no, count(*) OVER (PARTITION BY b.order_id) AS n
	FROM bought b JOIN touched t ON t.who = b.who AND t.at < b.placed_at AND t.at >= b.placed_at - $6 * interval '1 day'
	WINDOW o AS (PARTITION BY b.order_id ORDER BY t.at, t.touch_id)
)
SELECT true, '', count(*), (SELECT count(*) FROM led l WHERE l.no = 1), coalesce(sum(net), 0)::bigint,
	coalesce((SELECT sum(l.net) FROM led l WHERE l.no = 1), 0)::bigint, 0::bigint
FROM bought b
UNION ALL
SELECT false, key, count(*), count(DISTINCT order_id), coalesce(sum(net) FILTER (WHERE no = n), 0)::bigint, coalesce(sum(net) FILTER (WHERE no = 1), 0)::bigint,
	sum(net / n + CASE WHEN no <= abs(net % n) THEN sign(net)::bigint ELSE 0 END)::bigint
FROM led GROUP BY key
ORDER BY 1 DESC, 2`, tx.Tenant(), s.From.AddDate(0, 0, -s.Days), s.end(), a.Currency, s.From, s.Days)
		if err != nil {
			return err
		}
		var whole bool
		var one Attribution
		_, err = pgx.ForEachRow(rows, []any{&whole, &one.Key, &one.Touches, &one.Orders, &one.LastMinor, &one.FirstMinor, &one.LinearMinor}, func() error {
			if whole {
				a.Orders, a.TouchedOrders, a.TotalMinor, a.AttributedMinor = one.Touches, one.Orders, one.LastMinor, one.FirstMinor
				a.NotMinor = a.TotalMinor - a.AttributedMinor
			} else {
				a.Rows = append(a.Rows, one)
			}
			return nil
		})
		return err
	})
	return a, err
}

// Treatment is what customers may have been touched by: of a campaign, by a channel, or both.
type Treatment struct {
	Campaign, Channel string
}

// Effect is how the response of touched customers differs from that of others.
type Effect struct {
	Controlled bool // the others are a control group that was drawn; otherwise they are untouched ones who are comparable
	// Strata after the touch and before it: customers who are comparable. Of a control group there is one.
	After, Before []Stratum
	Open          int64 // touched whose days are not over
	Sampled       bool  // there were more customers than were looked at
	AsOf          time.Time
}

// effectMost is how many customers of each side are looked at: a random sample of more.
const effectMost = 20_000

// Effect looks at customers who were touched first within the span: whether they bought within its days after it and before it;
// and at a control group, or else at customers whom nothing of it touched, around the day by which half of the touched were.
func (j *Journey) Effect(ctx context.Context, by Treatment, s Span) (e Effect, err error) {
	err = j.db.ReadWithin(ctx, auth.Tenant(ctx), liveTime, func(tx *pg.Tx) error {
		e = Effect{}
		if e.AsOf, err = fact.AsOf(ctx, tx); err != nil {
			return err
		}
		middle, groups, err := j.groups(ctx, tx, by, s)
		if err != nil {
			return err
		}
		e.Open, e.Controlled = groups.open, groups.controls > 0
		e.Sampled = groups.touched > effectMost || groups.controls > effectMost
		if groups.touched == 0 {
			return nil
		}
		return e.read(ctx, tx, by, s, j.now(), middle)
	})
	return e, err
}

type groups struct{ touched, controls, open int64 }

// firstTouches is each customer's first touch by the treatment within the span: $2 to $3, $4 campaign, $5 channel (empty: any), $6
// days, $7 now. A customer who was drawn for the control group and heard of it all the same counts as touched.
const firstTouches = `first AS MATERIALIZED (
	SELECT coalesce(w.root_id, t.customer_id) AS who, min(t.at) FILTER (WHERE t.touch <> 'control') AS touched_at, min(t.at) AS control_at
	FROM fact_touch t LEFT JOIN whose w ON w.customer_id = t.customer_id
	WHERE t.tenant_id = $1 AND t.at >= $2 AND t.at < $3 AND ($4 = '' OR t.campaign = $4) AND ($5 = '' OR t.channel = $5 OR t.touch = 'control' AND $4 <> '')
		AND t.customer_id IS NOT NULL
	GROUP BY 1
), treated AS MATERIALIZED (
	SELECT who, touched_at IS NOT NULL AS touched, coalesce(touched_at, control_at) AS at, coalesce(touched_at, control_at) + $6 * interval '1 day' <= $7 AS over
	FROM first
)`

func (j *Journey) groups(ctx context.Context, tx *pg.Tx, by Treatment, s Span) (middle time.Time, g groups, err error) {
	var at *time.Time
	err = tx.QueryRow(ctx, whoseSQL+firstTouches+`
SELECT count(*) FILTER (WHERE touched AND over), count(*) FILTER (WHERE NOT touched AND over), count(*) FILTER (WHERE touched AND NOT over),
	percentile_disc(0.5) WITHIN GROUP (ORDER BY at) FILTER (WHERE touched AND over) FROM treated`,
		tx.Tenant(), s.From, s.end(), by.Campaign, by.Channel, s.Days, j.now()).Scan(&g.touched, &g.controls, &g.open, &at)
	if at != nil {
		middle = at.UTC()
	}
	return middle, g, err
}

// read reads the strata: customers by how lately and on how many days they bought before.
func (e *Effect) read(ctx context.Context, tx *pg.Tx, by Treatment, s Span, now, middle time.Time) error {
	others := `SELECT who, false AS touched, at FROM treated WHERE NOT touched AND over ORDER BY hashtextextended(who::text, 7) LIMIT $8`
	args := []any{tx.Tenant(), s.From, s.end(), by.Campaign, by.Channel, s.Days, now, effectMost}
	if !e.Controlled {
		others = `SELECT c.customer_id, false, $9::timestamptz FROM fact_customer c
			WHERE c.tenant_id = $1 AND c.registered_at < $9 AND c.erased_at IS NULL AND NOT EXISTS (SELECT FROM treated t WHERE t.who = c.customer_id)
				AND NOT EXISTS (SELECT FROM whose w WHERE w.customer_id = c.customer_id)
			ORDER BY hashtextextended(c.customer_id::text, 7) LIMIT $8`
		args = append(args, middle)
	}
	rows, err := tx.Query(ctx, whoseSQL+firstTouches+`,
looked AS MATERIALIZED (
	(SELECT who, true AS touched, at FROM treated WHERE touched AND over ORDER BY hashtextextended(who::text, 7) LIMIT $8)
	UNION ALL
	(`+others+`)
)
SELECT CASE WHEN b.last IS NULL THEN 0 WHEN b.last > l.at - interval '30 days' THEN 1 WHEN b.last > l.at - interval '90 days' THEN 2
		WHEN b.last > l.at - interval '365 days' THEN 3 ELSE 4 END AS recency,
	CASE WHEN b.days < 2 THEN b.days WHEN b.days < 5 THEN 2 ELSE 5 END AS frequency,
	l.touched, count(*), count(*) FILTER (WHERE b.after), count(*) FILTER (WHERE b.before)
FROM looked l JOIN (
	SELECT x.who, x.at, max(o.placed_at) FILTER (WHERE o.placed_at < x.at - $6 * interval '1 day') AS last,
		count(DISTINCT (o.placed_at AT TIME ZONE 'UTC')::date) FILTER (WHERE o.placed_at < x.at - $6 * interval '1 day') AS days,
		coalesce(bool_or(o.placed_at > x.at), false) AS after,
		coalesce(bool_or(o.placed_at >= x.at - $6 * interval '1 day' AND o.placed_at < x.at), false) AS before
	FROM (SELECT who, at, who AS id FROM looked UNION ALL SELECT n.who, n.at, w.customer_id FROM looked n JOIN whose w ON w.root_id = n.who) x
	LEFT JOIN LATERAL (
		SELECT e.placed_at FROM fact_order e WHERE e.tenant_id = $1 AND e.customer_id = x.id AND e.placed_at <= x.at + $6 * interval '1 day' AND `+notWholeYet+` OFFSET 0
	) o ON true
	GROUP BY x.who, x.at
) b ON b.who = l.who GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`, args...)
	if err != nil {
		return err
	}
	type cell struct{ recency, frequency int }
	places := map[cell]int{}
	var of cell
	var touched bool
	var n, after, before int64
	_, err = pgx.ForEachRow(rows, []any{&of.recency, &of.frequency, &touched, &n, &after, &before}, func() error {
		key := of
		if e.Controlled { // drawn by chance: all are comparable
			key = cell{}
		}
		at, there := places[key]
		if !there {
			at = len(e.After)
			places[key] = at
			e.After, e.Before = append(e.After, Stratum{}), append(e.Before, Stratum{})
		}
		e.After[at].add(touched, n, after)
		e.Before[at].add(touched, n, before)
		return nil
	})
	return err
}

func (s *Stratum) add(touched bool, customers, responded int64) {
	to := &s.Untouched
	if touched {
		to = &s.Touched
	}
	to.Customers += customers
	to.Responded += responded
}

// SourceCount is what became of the opportunities of one source.
type SourceCount struct {
	Source               string
	Opened, Open         int64
	Won, Lost, Withdrawn int64
	WonMinor             int64    // in the currency that was asked for
	WonOther             int64    // won in other currencies
	MedianDays           *float64 // from opening to winning
}

// Sources tells what became of opportunities that were opened within the span, by source.
func (j *Journey) Sources(ctx context.Context, currency string, s Span) (all []SourceCount, in string, asOf time.Time, err error) {
	err = j.db.ReadWithin(ctx, auth.Tenant(ctx), liveTime, func(tx *pg.Tx) error {
		in = currency
		if asOf, err = fact.AsOf(ctx, tx); err != nil {
			return err
		}
		if in == "" {
			if in, err = portrait.Currency(ctx, tx); err != nil {
				return err
			}
		}
		rows, err := tx.Query(ctx, `
SELECT source, count(*), count(*) FILTER (WHERE state NOT IN ('won', 'lost', 'withdrawn')), count(*) FILTER (WHERE state = 'won'), count(*) FILTER (WHERE state = 'lost'),
	count(*) FILTER (WHERE state = 'withdrawn'), coalesce(sum(amount_minor) FILTER (WHERE state = 'won' AND currency = $4), 0)::bigint,
	count(*) FILTER (WHERE state = 'won' AND currency <> $4),
	percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM closed_at - opened_at) / 86400) FILTER (WHERE state = 'won' AND closed_at IS NOT NULL)
FROM fact_opportunity WHERE tenant_id = $1 AND opened_at >= $2 AND opened_at < $3 GROUP BY source ORDER BY source`, tx.Tenant(), s.From, s.end(), in)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[SourceCount])
		return err
	})
	return all, in, asOf, err
}
