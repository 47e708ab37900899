package touchpoint

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// errNotFound is the same for a touchpoint that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "touchpoint_not_found", "There is no such touchpoint in the catalogue.")

// key is the constraint that keeps a code to one touchpoint.
const key = "touchpoint_pkey"

const columns = `code, version, title, stage, channel, archived, created_at, changed_at`

func insert(tx *pg.Tx, t Touchpoint) {
	tx.Queue(`INSERT INTO touchpoint (tenant_id, `+columns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		tx.Tenant(), t.Code, t.Version, t.Title, t.Stage, t.Channel, t.Archived, t.CreatedAt, t.ChangedAt)
}

// save queues a touchpoint that is locked.
func save(tx *pg.Tx, t Touchpoint) {
	tx.Queue(`UPDATE touchpoint SET version = $3, title = $4, stage = $5, channel = $6, archived = $7, changed_at = $8
		WHERE tenant_id = $1 AND code = $2`, tx.Tenant(), t.Code, t.Version, t.Title, t.Stage, t.Channel, t.Archived, t.ChangedAt)
}

func get(ctx context.Context, tx *pg.Tx, code string) (Touchpoint, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM touchpoint WHERE tenant_id = $1 AND code = $2`, tx.Tenant(), code))
}

// lock is get, and holds the row until the transaction ends.
func lock(ctx context.Context, tx *pg.Tx, code string) (Touchpoint, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM touchpoint WHERE tenant_id = $1 AND code = $2 FOR UPDATE`, tx.Tenant(), code))
}

// Hold gives the touchpoint of the code to a command that is about to name it, and keeps it as it is until the transaction
// ends: it is neither changed nor archived meanwhile. One that is not in the catalogue is NotFound.
func Hold(ctx context.Context, tx *pg.Tx, code string) (Touchpoint, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM touchpoint WHERE tenant_id = $1 AND code = $2 FOR SHARE`, tx.Tenant(), code))
}

// list gives up to limit touchpoints after the given code, by code.
func list(ctx context.Context, tx *pg.Tx, f Filter, limit int) ([]Touchpoint, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM touchpoint
		WHERE tenant_id = $1 AND code COLLATE "C" > $2 AND ($3 = '' OR stage = $3) AND ($4 OR NOT archived)
		ORDER BY code COLLATE "C" LIMIT $5`, tx.Tenant(), f.After, f.Stage, f.Archived, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Touchpoint, error) { return scan(row) })
}

func scan(row pgx.Row) (t Touchpoint, err error) {
	err = row.Scan(&t.Code, &t.Version, &t.Title, &t.Stage, &t.Channel, &t.Archived, &t.CreatedAt, &t.ChangedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errNotFound
	}
	return t, err
}
