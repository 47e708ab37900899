package rfm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// customersSQL adds up what everybody bought in a window, net: $1 tenant, $2 currency, $3 from (inclusive), $4 to
// (exclusive). Returns count when they came back before $4, so that a rating at a past date does not know the future. Orders
// are read once, in any order.
const customersSQL = `
WITH %s net AS (
	SELECT %s AS customer_id, (o.placed_at AT TIME ZONE 'UTC')::date AS day, o.total_minor - coalesce(r.amount_minor, 0) AS net_minor
	FROM fact_order o
	LEFT JOIN (
		SELECT order_id, sum(units) AS units, sum(amount_minor) AS amount_minor
		FROM fact_return WHERE tenant_id = $1 AND returned_at < $4 GROUP BY order_id
	) r USING (order_id) %s
	WHERE o.tenant_id = $1 AND o.currency = $2 AND o.placed_at >= $3 AND o.placed_at < $4 AND o.customer_id IS NOT NULL
		AND NOT (o.units > 0 AND coalesce(r.units, 0) >= o.units)
), customer AS MATERIALIZED (
	SELECT customer_id, max(day) AS last_day, count(DISTINCT day) AS days, sum(net_minor)::bigint AS net_minor
	FROM net %s GROUP BY customer_id
)`

// beginning is the beginning of a statement that reads customers: which is a condition on customer_id that says of whom, with its WHERE, or empty for all.
func beginning(merged bool, which string) string {
	if merged { // the few aliases are read once and joined
		return fmt.Sprintf(customersSQL, `alias AS MATERIALIZED (SELECT customer_id, root_id FROM customer_aliases($1)), `,
			"coalesce(a.root_id, o.customer_id)", "LEFT JOIN alias a ON a.customer_id = o.customer_id", which)
	}
	return fmt.Sprintf(customersSQL, "", "o.customer_id", "", which)
}

// cutSQL goes on with a statement that has customer, and finds where the scores begin: the parameters from first on are the fixed
// cuts of each measure, null where it is relative. The k-th value from the worst comes from how many have each value, which
// takes no sorting of all customers.
func cutSQL(first int) string {
	return fmt.Sprintf(`, population AS (SELECT count(*) AS n FROM customer), cut AS MATERIALIZED (
	SELECT n, coalesce($%d::date[], %s) AS r, coalesce($%d::bigint[], %s) AS f, coalesce($%d::bigint[], %s) AS m FROM population
)`, first, relativeSQL("last_day"), first+1, relativeSQL("days"), first+2, relativeSQL("net_minor"))
}

// relativeSQL is Cuts of the values of a column v, of which upto customers are no better (see Fewest); null where there is nobody.
func relativeSQL(column string) string {
	return `CASE WHEN n > 0 THEN (
		SELECT ARRAY[min(v) FILTER (WHERE upto >= (n + 4) / 5) + 1, min(v) FILTER (WHERE upto >= (2 * n + 4) / 5) + 1,
			min(v) FILTER (WHERE upto >= (3 * n + 4) / 5) + 1, min(v) FILTER (WHERE upto >= (4 * n + 4) / 5) + 1]
		FROM (SELECT ` + column + ` AS v, sum(count(*)) OVER (ORDER BY ` + column + `) AS upto FROM customer GROUP BY ` + column + `) d) END`
}

// anybodyMerged queues the question whether anybody is merged: a statement that reads no aliases is faster where there are
// none, as in most tenants.
func anybodyMerged(tx *pg.Tx) *bool {
	merged := new(bool)
	tx.Queue(`SELECT EXISTS (SELECT FROM customer_alias WHERE tenant_id = $1 AND survivor_id IS NOT NULL)`, tx.Tenant()).
		QueryRow(func(row pgx.Row) error { return row.Scan(merged) })
	return merged
}

const schemeColumns = `currency, version, window_days, r_bounds, f_bounds, m_bounds, by_subject, changed_at`

// loadScheme gives a version of the scheme of a currency; the present one for 0. ok is false where there is no such version; a
// currency for which nothing was set has the version 0.
func loadScheme(ctx context.Context, tx *pg.Tx, currency string, version int64) (Scheme, bool, error) {
	rows, err := tx.Query(ctx, `SELECT `+schemeColumns+` FROM rfm_scheme
		WHERE tenant_id = $1 AND currency = $2 AND ($3 = 0 OR version = $3) ORDER BY version DESC LIMIT 1`, tx.Tenant(), currency, version)
	if err != nil {
		return Scheme{}, false, err
	}
	s, err := pgx.CollectExactlyOneRow(rows, scanScheme)
	if errors.Is(err, pgx.ErrNoRows) {
		return Scheme{Currency: currency}, version == 0, nil
	}
	return s, err == nil, err
}

func scanScheme(row pgx.CollectableRow) (s Scheme, err error) {
	err = row.Scan(&s.Currency, &s.Version, &s.WindowDays, &s.R, &s.F, &s.M, &s.By, &s.ChangedAt)
	s.ChangedAt = s.ChangedAt.UTC()
	return s, err
}

// loadCells gives a version of the map of cells; the present one for 0. ok is false where there is no such version.
func loadCells(ctx context.Context, tx *pg.Tx, version int64) (CellMap, bool, error) {
	if version == 1 {
		return HouseCells(), true, nil
	}
	rows, err := tx.Query(ctx, `SELECT version, cells, by_subject, changed_at FROM rfm_cell_map
		WHERE tenant_id = $1 AND ($2 = 0 OR version = $2) ORDER BY version DESC LIMIT 1`, tx.Tenant(), version)
	if err != nil {
		return CellMap{}, false, err
	}
	m, err := pgx.CollectExactlyOneRow(rows, scanCells)
	if errors.Is(err, pgx.ErrNoRows) {
		return HouseCells(), version == 0, nil
	}
	return m, err == nil, err
}

func scanCells(row pgx.CollectableRow) (m CellMap, err error) {
	var names []string
	err = row.Scan(&m.Version, &names, &m.By, &m.ChangedAt)
	copy(m.Names[:], names)
	m.ChangedAt = m.ChangedAt.UTC()
	return m, err
}

// reckoning is what a run has to remember.
type reckoning struct {
	ID        uuid.UUID
	Currency  string
	Window    Window
	Scheme    int64 // version
	Map       int64 // version
	Portraits bool
	Phase     string
	After     uuid.UUID
	Customers int64
	Changed   int64
	Cuts      Cuts
	FactsAsOf time.Time
	Reckoned  time.Time // zero: not yet
	Kept      bool
}

const reckoningColumns = `run_id, currency, as_of, window_days, scheme_version, cell_map, portraits, phase,
	coalesce(after_customer, '00000000-0000-0000-0000-000000000000'), customers, changed, r_cuts, f_cuts, m_cuts, facts_as_of, reckoned_at, kept`

func scanReckoning(row pgx.CollectableRow) (r reckoning, err error) {
	var facts, reckoned *time.Time
	err = row.Scan(&r.ID, &r.Currency, &r.Window.AsOf, &r.Window.Days, &r.Scheme, &r.Map, &r.Portraits, &r.Phase, &r.After,
		&r.Customers, &r.Changed, &r.Cuts.R, &r.Cuts.F, &r.Cuts.M, &facts, &reckoned, &r.Kept)
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
	rows, err := tx.Query(ctx, `SELECT `+reckoningColumns+` FROM rfm_run WHERE tenant_id = $1 AND `+condition, append([]any{tx.Tenant()}, args...)...)
	if err != nil {
		return r, false, err
	}
	r, err = pgx.CollectExactlyOneRow(rows, scanReckoning)
	if errors.Is(err, pgx.ErrNoRows) {
		return r, false, nil
	}
	return r, err == nil, err
}

// current finds the run whose cuts portraits are rated by.
const current = `portraits AND reckoned_at IS NOT NULL ORDER BY reckoned_at DESC, run_id DESC LIMIT 1`
