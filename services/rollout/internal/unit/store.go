package unit

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// errNotFound is the same for a unit that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "unit_not_found", "There is no such unit.")

const columns = `id, code, name, headcount, version, archived_at`

func scan(row pgx.CollectableRow) (u Unit, err error) {
	var archived *time.Time
	err = row.Scan(&u.ID, &u.Code, &u.Name, &u.Headcount, &u.Version, &archived)
	if archived != nil {
		u.ArchivedAt = archived.UTC()
	}
	return u, err
}

// lock keeps everybody else from making units until the transaction ends, and gives the unit of a code, of version 0 where there
// is none, and how many there are.
func lock(ctx context.Context, tx *pg.Tx, code string) (found Unit, n int, err error) {
	tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('units/' || $1, 0))`, tx.Tenant())
	tx.Queue(`SELECT count(*) FROM unit WHERE tenant_id = $1`, tx.Tenant()).QueryRow(func(row pgx.Row) error { return row.Scan(&n) })
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM unit WHERE tenant_id = $1 AND code = $2 FOR UPDATE`, tx.Tenant(), code)
	if err != nil {
		return found, n, err
	}
	found, err = pgx.CollectExactlyOneRow(rows, scan)
	if errors.Is(err, pgx.ErrNoRows) {
		return Unit{}, n, nil
	}
	return found, n, err
}

func find(ctx context.Context, tx *pg.Tx, id uuid.UUID, locked bool) (Unit, error) {
	sql := `SELECT ` + columns + ` FROM unit WHERE tenant_id = $1 AND id = $2`
	if locked {
		sql += ` FOR UPDATE`
	}
	rows, err := tx.Query(ctx, sql, tx.Tenant(), id)
	if err != nil {
		return Unit{}, err
	}
	found, err := pgx.CollectExactlyOneRow(rows, scan)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errNotFound
	}
	return found, err
}

func list(ctx context.Context, tx *pg.Tx, f Filter, limit int) ([]Unit, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM unit
		WHERE tenant_id = $1 AND ($2 = '' OR code = $2 OR starts_with(code, $2 || '/')) AND ($3 = '' OR code = $3)
			AND ($4 OR archived_at IS NULL) AND code > $5
		ORDER BY code LIMIT $6`, tx.Tenant(), f.Under, f.Code, f.Archived, f.After, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

func known(ctx context.Context, tx *pg.Tx, codes []string) (map[string]bool, error) {
	rows, err := tx.Query(ctx, `SELECT code FROM unit WHERE tenant_id = $1 AND code = ANY($2) AND archived_at IS NULL`, tx.Tenant(), codes)
	if err != nil {
		return nil, err
	}
	found := make(map[string]bool)
	var code string
	_, err = pgx.ForEachRow(rows, []any{&code}, func() error { found[code] = true; return nil })
	return found, err
}

func insert(tx *pg.Tx, u Unit) {
	tx.Queue(`INSERT INTO unit (tenant_id, id, code, name, headcount, version) VALUES ($1, $2, $3, $4, $5, $6)`,
		tx.Tenant(), u.ID, u.Code, u.Name, u.Headcount, u.Version)
}

func save(tx *pg.Tx, u Unit) {
	tx.Queue(`UPDATE unit SET name = $3, headcount = $4, version = $5, archived_at = $6 WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), u.ID, u.Name, u.Headcount, u.Version, pg.OrNull(u.ArchivedAt))
}
