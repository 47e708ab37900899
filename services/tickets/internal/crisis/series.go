package crisis

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// countComplaints counts the customers of each series. A complaint belongs to its category and to each article of its order. Its
// block is 0 in the window; in the base it is the number of windows back: whole ones side by side where units are compared,
// moved back by whole weeks where weekdays are. What a past crisis of the series covers is left out of the base, and so is, of
// any series, what was linked to a crisis. $1 tenant, $2 now, $3 where the window begins, $4 where the base does, $5 days of the
// window, $6 of the base of units, $7 the step of weekdays, $8 how many of them, $9 and $10 the exposures of articles and
// categories, $11 the day since which complaints are complete.
const countComplaints = `
WITH past AS (
	SELECT dimension, value, (window_from AT TIME ZONE 'UTC')::date AS from_day, (coalesce(ended_at, $2) AT TIME ZONE 'UTC')::date AS to_day
	FROM crisis WHERE tenant_id = $1 AND stage IN ('declared', 'cleared', 'closed') AND coalesce(ended_at, $2) >= $4
), last AS (
	SELECT dimension, value, max(ended_at) AS at FROM crisis WHERE tenant_id = $1 AND ended_at >= $3 GROUP BY 1, 2
), c AS (
	SELECT c.id, c.order_id, c.category, coalesce(a.root_id, c.customer_id) AS customer, c.registered_at AS at,
		(c.registered_at AT TIME ZONE 'UTC')::date AS day
	FROM complaint c LEFT JOIN customer_aliases($1) a ON a.customer_id = c.customer_id
	WHERE c.tenant_id = $1 AND c.registered_at >= $4 AND c.registered_at < $2
), of AS (
	SELECT 'category' AS dimension, category AS value, $10::text AS exposure, id, customer, at, day FROM c
	UNION
	SELECT 'sku', l.sku, $9::text, c.id, c.customer, c.at, c.day
	FROM c JOIN purchase_line l ON l.tenant_id = $1 AND l.order_id = c.order_id AND l.sku <> ''
), placed AS (
	SELECT o.dimension, o.value, o.customer, o.at, CASE
		WHEN o.at >= $3 THEN 0
		WHEN o.day < $11::date THEN NULL
		WHEN o.exposure = 'units' THEN CASE WHEN b.back < $6::int THEN b.back / $5::int + 1 END
		WHEN b.step <= $8::int AND o.at + make_interval(days => b.step * $7::int) < $2 THEN b.step
		END AS block, o.at < $3 AND (
			EXISTS (SELECT FROM past p WHERE p.dimension = o.dimension AND p.value = o.value AND o.day BETWEEN p.from_day AND p.to_day)
			OR EXISTS (SELECT FROM crisis_complaint x WHERE x.tenant_id = $1 AND x.complaint_id = o.id AND x.linked)) AS left_out
	FROM of o CROSS JOIN LATERAL (SELECT ($3 AT TIME ZONE 'UTC')::date - o.day - 1 AS back,
		ceil(extract(epoch FROM $3 - o.at) / (86400 * $7::int))::int AS step) b
)
SELECT p.dimension, p.value, count(DISTINCT p.customer) FILTER (WHERE p.block = 0 AND (l.at IS NULL OR p.at > l.at)),
	count(DISTINCT (p.block, p.customer)) FILTER (WHERE p.block > 0 AND NOT p.left_out), l.at
FROM placed p LEFT JOIN last l ON l.dimension = p.dimension AND l.value = p.value
WHERE p.block IS NOT NULL
GROUP BY p.dimension, p.value, l.at`

// countUnits sums the units of each article: in the window, and in the base without the days of past crises of the article.
const countUnits = `
WITH past AS (
	SELECT value, (window_from AT TIME ZONE 'UTC')::date AS from_day, (coalesce(ended_at, $2) AT TIME ZONE 'UTC')::date AS to_day
	FROM crisis WHERE tenant_id = $1 AND dimension = 'sku' AND stage IN ('declared', 'cleared', 'closed') AND coalesce(ended_at, $2) >= $4
)
SELECT u.sku, coalesce(sum(u.units) FILTER (WHERE u.day >= $3::date), 0)::float8, coalesce(sum(u.units) FILTER (WHERE u.day < $3::date
	AND u.day >= $5::date AND NOT EXISTS (SELECT FROM past p WHERE p.value = u.sku AND u.day BETWEEN p.from_day AND p.to_day)), 0)::float8
FROM purchase_unit u
WHERE u.tenant_id = $1 AND u.sku <> '' AND u.day >= $4::date AND u.day <= $2::date
GROUP BY u.sku`

// counted is what is known of a tenant at one moment.
type counted struct {
	setting  *Setting
	window   Window
	counts   map[seriesKey]tally
	units    map[string]exposed // by article
	totals   map[time.Time]float64
	past     map[seriesKey][][2]time.Time // first and last day
	first    time.Time                    // day of the first complaint ever
	salesAt  time.Time                    // as of
	standing map[seriesKey]standing
}

type seriesKey struct {
	dimension Dimension
	value     string
}

type tally struct {
	n, k0 int64
	since time.Time // the last crisis of the series ended then, within the window; zero for none
}

type exposed struct{ window, base float64 }

// standing is the crisis that a series has now.
type standing struct {
	id    uuid.UUID
	stage Stage
}

// read gives what is to be judged of the transaction's tenant: two round trips.
func read(ctx context.Context, tx *pg.Tx, now time.Time) (*counted, error) {
	k := &counted{
		setting: settingOf(tx), counts: map[seriesKey]tally{}, units: map[string]exposed{}, totals: map[time.Time]float64{},
		past: map[seriesKey][][2]time.Time{}, standing: map[seriesKey]standing{},
	}
	tx.Queue(`SELECT min(registered_at) FROM complaint WHERE tenant_id = $1`, tx.Tenant()).QueryRow(func(row pgx.Row) error {
		return scanDay(row, &k.first)
	})
	tx.Queue(`SELECT max(newest_at) FROM purchase_as_of WHERE tenant_id = $1`, tx.Tenant()).QueryRow(func(row pgx.Row) error {
		var at *time.Time
		err := row.Scan(&at)
		if at != nil {
			k.salesAt = at.UTC()
		}
		return err
	})
	if err := tx.Flush(ctx); err != nil {
		return nil, err
	}
	k.window = WindowAt(now, *k.setting)
	k.queueCounts(tx)
	k.queueUnits(tx)
	return k, tx.Flush(ctx)
}

func scanDay(row pgx.Row, to *time.Time) error {
	var at *time.Time
	if err := row.Scan(&at); err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if at != nil {
		*to = at.UTC().Truncate(day)
	}
	return nil
}

func (k *counted) queueCounts(tx *pg.Tx) {
	w, s := k.window, k.setting
	tx.Queue(countComplaints, tx.Tenant(), w.Now, w.From, w.Begins(), w.Days, w.Base, w.Step, w.Steps, s.SKUExposure, s.CategoryExposure,
		k.since(w.Begins())).Query(func(rows pgx.Rows) error {
		var key seriesKey
		var t tally
		var since *time.Time
		_, err := pgx.ForEachRow(rows, []any{&key.dimension, &key.value, &t.n, &t.k0, &since}, func() error {
			if t.since = (time.Time{}); since != nil {
				t.since = since.UTC()
			}
			k.counts[key] = t
			return nil
		})
		return err
	})
	tx.Queue(`SELECT dimension, value, window_from, coalesce(ended_at, $2) FROM crisis
		WHERE tenant_id = $1 AND stage IN ('declared', 'cleared', 'closed') AND coalesce(ended_at, $2) >= $3`, tx.Tenant(), w.Now, w.Begins()).
		Query(func(rows pgx.Rows) error {
			var key seriesKey
			var from, to time.Time
			_, err := pgx.ForEachRow(rows, []any{&key.dimension, &key.value, &from, &to}, func() error {
				k.past[key] = append(k.past[key], [2]time.Time{from.UTC().Truncate(day), to.UTC().Truncate(day)})
				return nil
			})
			return err
		})
	tx.Queue(`SELECT dimension, value, id, stage FROM crisis WHERE tenant_id = $1 AND stage IN ('proposed', 'declared')`, tx.Tenant()).
		Query(func(rows pgx.Rows) error {
			var key seriesKey
			var at standing
			_, err := pgx.ForEachRow(rows, []any{&key.dimension, &key.value, &at.id, &at.stage}, func() error { k.standing[key] = at; return nil })
			return err
		})
}

func (k *counted) queueUnits(tx *pg.Tx) {
	w := k.window
	begins := w.From.AddDate(0, 0, -w.Base)
	tx.Queue(countUnits, tx.Tenant(), w.Now, w.From, begins, k.since(begins)).Query(func(rows pgx.Rows) error {
		var sku string
		var e exposed
		_, err := pgx.ForEachRow(rows, []any{&sku, &e.window, &e.base}, func() error { k.units[sku] = e; return nil })
		return err
	})
	tx.Queue(`SELECT day, sum(units)::float8 FROM purchase_unit WHERE tenant_id = $1 AND sku = '' AND day >= $2::date AND day <= $3::date GROUP BY day`,
		tx.Tenant(), begins, w.Now).Query(func(rows pgx.Rows) error {
		var at time.Time
		var units float64
		_, err := pgx.ForEachRow(rows, []any{&at, &units}, func() error { k.totals[at.UTC()] = units; return nil })
		return err
	})
}

// since is the first day of which a base may make use.
func (k *counted) since(begins time.Time) time.Time {
	if k.setting.RecordedSince.After(begins) {
		return k.setting.RecordedSince
	}
	return begins
}

// series gives what is to be judged: every article that was sold or complained of, and every category that was complained of.
func (k *counted) series() []Series {
	keys := make(map[seriesKey]bool, len(k.counts)+len(k.units))
	for key := range k.counts {
		keys[key] = true
	}
	for sku := range k.units {
		keys[seriesKey{SKU, sku}] = true
	}
	all := make([]Series, 0, len(keys))
	for key := range keys {
		t := k.counts[key]
		s := Series{Dimension: key.dimension, Value: key.value, N: t.n, K0: t.k0, Exposure: k.setting.SKUExposure, From: k.window.From, Until: k.window.Now}
		if key.dimension == Category {
			s.Exposure = k.setting.CategoryExposure
		}
		if t.since.After(s.From) {
			s.From = t.since
		}
		switch {
		case s.Exposure == Weekdays:
			s.W, s.E0 = float64(k.window.Days), float64(k.window.comparable(k.leftOut(key)))
		case key.dimension == SKU:
			s.W, s.E0 = k.units[key.value].window, k.units[key.value].base
		default:
			s.W, s.E0 = k.unitsOfAll(k.leftOut(key))
		}
		all = append(all, s)
	}
	return all
}

// leftOut tells of a day that it is no part of the base of a series: a past crisis covers it, or complaints were not recorded
// yet. Where weekdays are compared, a day before the first complaint ever was is none on which somebody could have complained.
func (k *counted) leftOut(key seriesKey) func(time.Time) bool {
	past, since := k.past[key], k.setting.RecordedSince
	exposure := k.setting.SKUExposure
	if key.dimension == Category {
		exposure = k.setting.CategoryExposure
	}
	return func(at time.Time) bool {
		if at.Before(since) || exposure == Weekdays && at.Before(k.first) {
			return true
		}
		for _, p := range past {
			if !at.Before(p[0]) && !at.After(p[1]) {
				return true
			}
		}
		return false
	}
}

// unitsOfAll sums the units of all articles in the window and in the base.
func (k *counted) unitsOfAll(leftOut func(time.Time) bool) (window, base float64) {
	for at, units := range k.totals {
		switch {
		case !at.Before(k.window.From):
			window += units
		case !leftOut(at):
			base += units
		}
	}
	return window, base
}
