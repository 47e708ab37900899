package value

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
)

// readSettings gives the tenant's settings, or the defaults; locked they stay as they are until the transaction ends.
func readSettings(ctx context.Context, tx *pg.Tx, lock bool) (s Settings, err error) {
	sql := `SELECT version, currency, margin, tax, annual_rate, horizon_months, purchase_model, ticket_minor, touches, acquisition, acquisition_minor,
		changed_at, changed_by FROM value_settings WHERE tenant_id = $1`
	if lock {
		tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('value_settings/' || $1, 0))`, tx.Tenant())
	}
	err = tx.QueryRow(ctx, sql, tx.Tenant()).Scan(&s.Version, &s.Currency, &s.Margin, &s.Tax, &s.AnnualRate, &s.HorizonMonths, &s.PurchaseModel,
		&s.TicketMinor, &s.Touches, &s.Acquisition, &s.AcquisitionMinor, &s.ChangedAt, &s.ChangedBy)
	if errors.Is(err, pgx.ErrNoRows) {
		return Defaults(), nil
	}
	s.ChangedAt = s.ChangedAt.UTC()
	return s, err
}

func queueSettings(tx *pg.Tx, s Settings) {
	tx.Queue(`INSERT INTO value_settings (tenant_id, version, currency, margin, tax, annual_rate, horizon_months, purchase_model, ticket_minor, touches,
			acquisition, acquisition_minor, changed_at, changed_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
		ON CONFLICT (tenant_id) DO UPDATE SET version = excluded.version, currency = excluded.currency, margin = excluded.margin, tax = excluded.tax,
			annual_rate = excluded.annual_rate, horizon_months = excluded.horizon_months, purchase_model = excluded.purchase_model,
			ticket_minor = excluded.ticket_minor, touches = excluded.touches, acquisition = excluded.acquisition,
			acquisition_minor = excluded.acquisition_minor, changed_at = excluded.changed_at, changed_by = excluded.changed_by`,
		tx.Tenant(), s.Version, s.Currency, s.Margin, s.Tax, s.AnnualRate, s.HorizonMonths, s.PurchaseModel, s.TicketMinor, s.Touches, s.Acquisition,
		s.AcquisitionMinor, s.ChangedAt, s.ChangedBy)
}

// pinned names the models by which a run reckons; Nil where there is none.
type pinned struct{ purchases, spend uuid.UUID }

// modelsInUse gives the models to predict with.
func modelsInUse(ctx context.Context, tx *pg.Tx, set Settings) (m models, ids pinned, err error) {
	one, ok, err := model.InUse(ctx, tx, set.PurchaseModel)
	if err != nil {
		return m, ids, err
	}
	if ok {
		m.purchases, m.purchaseKind, m.purchaseCurrency, m.version = purchaseModelOf(one.Kind, one.Params), one.Kind, one.Currency, versionOf(one)
		ids.purchases = one.ID
	}
	two, ok, err := model.InUse(ctx, tx, KindGammaGamma)
	if err != nil {
		return m, ids, err
	}
	if ok {
		m.spend, m.spendCurrency = &GammaGamma{two.Params["p"], two.Params["q"], two.Params["gamma"]}, two.Currency
		ids.spend = two.ID
		m.version += "+" + versionOf(two)
	}
	return m, ids, nil
}

// storiesSQL reads what customers whose ids lie between $2 and $3 did up to the moment $4, merged ones together: rows of customer,
// kind of row, day, code, amount. %s is the reading of one table, by its alias t.
const (
	boughtSQL = `
WITH alias AS MATERIALIZED (SELECT customer_id, root_id FROM customer_aliases($1)),
mine AS (
	SELECT o.customer_id AS root_id, o.order_id, o.placed_at, o.currency, o.total_minor, o.units FROM fact_order o
	WHERE o.tenant_id = $1 AND o.customer_id BETWEEN $2 AND $3 AND o.placed_at < $4 AND NOT EXISTS (SELECT FROM alias a WHERE a.customer_id = o.customer_id)
	UNION ALL
	SELECT a.root_id, o.order_id, o.placed_at, o.currency, o.total_minor, o.units FROM alias a JOIN fact_order o ON o.tenant_id = $1 AND o.customer_id = a.customer_id
	WHERE a.root_id BETWEEN $2 AND $3 AND o.placed_at < $4
)
SELECT m.root_id, (m.placed_at AT TIME ZONE 'UTC')::date AS day, m.currency, sum(m.total_minor - coalesce(r.minor, 0))::bigint
FROM mine m LEFT JOIN LATERAL (SELECT sum(k.units) AS units, sum(k.amount_minor) AS minor FROM fact_return k
	WHERE k.tenant_id = $1 AND k.order_id = m.order_id AND k.returned_at < $4) r ON true
WHERE NOT (m.units > 0 AND coalesce(r.units, 0) >= m.units)
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`

	causedSQL = `
WITH alias AS MATERIALIZED (SELECT customer_id, root_id FROM customer_aliases($1)),
who AS (
	SELECT c.id, c.id AS root_id FROM unnest($2::uuid[]) AS c(id) UNION ALL SELECT a.customer_id, a.root_id FROM alias a WHERE a.root_id = ANY ($2)
)
SELECT w.root_id, (t.opened_at AT TIME ZONE 'UTC')::date, 'ticket', 0 FROM who w
	JOIN LATERAL (SELECT k.opened_at FROM fact_ticket k WHERE k.tenant_id = $1 AND k.customer_id = w.id AND k.opened_at < $3) t ON $5
UNION ALL
SELECT w.root_id, (t.registered_at AT TIME ZONE 'UTC')::date, 'complaint', t.cost_minor FROM who w
	JOIN LATERAL (SELECT k.registered_at, k.cost_minor FROM fact_complaint k
		WHERE k.tenant_id = $1 AND k.customer_id = w.id AND k.registered_at < $3 AND k.cost_minor > 0 AND k.currency = $4) t ON true
UNION ALL
SELECT w.root_id, (t.at AT TIME ZONE 'UTC')::date, t.origin, 0 FROM who w
	JOIN LATERAL (SELECT k.at, k.origin FROM fact_touch k WHERE k.tenant_id = $1 AND k.customer_id = w.id AND k.at < $3 AND k.origin = ANY ($6)) t ON true`
)

// readStories fills in what the customers, sorted by their ids, did before the moment.
func readStories(ctx context.Context, tx *pg.Tx, all []*story, before time.Time, set Settings, currency string) error {
	if len(all) == 0 {
		return nil
	}
	set = set.costsIn(currency)
	byID := make(map[uuid.UUID]*story, len(all))
	ids := make([]uuid.UUID, len(all))
	for i, s := range all {
		byID[s.customer], ids[i] = s, s.customer
	}
	var (
		id    uuid.UUID
		day   time.Time
		code  string
		minor int64
	)
	rows, err := tx.Query(ctx, boughtSQL, tx.Tenant(), ids[0], ids[len(ids)-1], before)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, []any{&id, &day, &code, &minor}, func() error {
		if s := byID[id]; s != nil {
			s.bought = append(s.bought, bought{day.UTC(), code, minor})
		}
		return nil
	})
	if err != nil {
		return err
	}
	origins := []string{}
	for origin, cost := range set.Touches {
		if cost != 0 {
			origins = append(origins, origin)
		}
	}
	rows, err = tx.Query(ctx, causedSQL, tx.Tenant(), ids, before, currency, set.TicketMinor != 0, origins)
	if err != nil {
		return err
	}
	_, err = pgx.ForEachRow(rows, []any{&id, &day, &code, &minor}, func() error {
		if s := byID[id]; s != nil {
			s.caused = append(s.caused, caused{day.UTC(), code, minor})
		}
		return nil
	})
	return err
}

func versionOf(m model.Model) string { return m.Kind + "/" + strconv.FormatInt(m.Version, 10) }
