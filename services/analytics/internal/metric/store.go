package metric

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

var errNotFound = problem.New(problem.NotFound, "metric_not_found", "There is no such metric. GET /v1/metrics lists those that there are.")

const columns = `code, name, definition, formula, unit, owner, version, archived, changed_at`

// load gives the tenant's metrics by code, with what follows from their formulas.
func load(ctx context.Context, tx *pg.Tx) ([]Metric, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM metric WHERE tenant_id = $1 ORDER BY code`, tx.Tenant())
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Metric, error) { return scan(row) })
	if err != nil || len(all) == 0 {
		return all, err
	}
	catalogue := make(map[string]Metric, len(builtIn)+len(all))
	for _, m := range append(BuiltIn(), all...) {
		catalogue[m.Code] = m
	}
	f := newFormulas(catalogue)
	for i, m := range all {
		if parts, ok := f.ingredients(m); ok && len(parts) > 0 {
			all[i], _ = m.follow(parts, func(string, string, ...any) (Metric, []problem.Field) { return m, nil })
		}
	}
	return all, nil
}

// get gives one of the tenant's metrics.
func get(ctx context.Context, tx *pg.Tx, code string) (Metric, error) {
	all, err := load(ctx, tx)
	if err != nil {
		return Metric{}, err
	}
	for _, m := range all {
		if m.Code == code {
			return m, nil
		}
	}
	return Metric{}, errNotFound
}

func scan(row pgx.Row) (m Metric, err error) {
	err = row.Scan(&m.Code, &m.Name, &m.Definition, &m.Formula, &m.Unit, &m.Owner, &m.Version, &m.Archived, &m.ChangedAt)
	m.ChangedAt = m.ChangedAt.UTC()
	return m, err
}

// lockAll queues that nobody else changes the tenant's metrics until the transaction ends: formulas refer to each other.
func lockAll(tx *pg.Tx) {
	tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('metric' || chr(31) || $1, 0))`, tx.Tenant())
}

// save queues a metric as its version says, and what it was made by whom.
func save(tx *pg.Tx, m Metric, by string) {
	tx.Queue(`INSERT INTO metric (tenant_id, `+columns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (tenant_id, code) DO UPDATE SET name = excluded.name, definition = excluded.definition, formula = excluded.formula,
			unit = excluded.unit, owner = excluded.owner, version = excluded.version, archived = excluded.archived, changed_at = excluded.changed_at`,
		tx.Tenant(), m.Code, m.Name, m.Definition, m.Formula, m.Unit, m.Owner, m.Version, m.Archived, m.ChangedAt)
	tx.Queue(`INSERT INTO metric_version (tenant_id, code, version, name, definition, formula, unit, owner, archived, by_subject, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		tx.Tenant(), m.Code, m.Version, m.Name, m.Definition, m.Formula, m.Unit, m.Owner, m.Archived, by, m.ChangedAt)
}

// Version is what a metric was.
type Version struct {
	Metric
	By string // subject of whoever made it so
	At time.Time
}

// versions gives up to limit versions of a metric before the given one (0: from the latest), the latest first.
func versions(ctx context.Context, tx *pg.Tx, code string, before, limit int) ([]Version, error) {
	rows, err := tx.Query(ctx, `SELECT code, name, definition, formula, unit, owner, version, archived, by_subject, at FROM metric_version
		WHERE tenant_id = $1 AND code = $2 AND ($3 = 0 OR version < $3) ORDER BY version DESC LIMIT $4`, tx.Tenant(), code, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (v Version, err error) {
		err = row.Scan(&v.Code, &v.Name, &v.Definition, &v.Formula, &v.Unit, &v.Owner, &v.Version, &v.Archived, &v.By, &v.At)
		return v, err
	})
}
