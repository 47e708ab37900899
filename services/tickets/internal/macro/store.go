package macro

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/guanxi-crm/guanxi/platform/fold"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// errNotFound is the same for a macro that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "macro_not_found", "There is no such macro.")

var errTaken = problem.New(problem.Conflict, "macro_name_taken", "Another macro is named so: choose another name.")

const columns = `id, version, name, actions, archived, by_subject, changed_at`

func scan(row pgx.Row) (Macro, error) {
	var m Macro
	err := row.Scan(&m.ID, &m.Version, &m.Name, &m.Actions, &m.Archived, &m.By, &m.ChangedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errNotFound
	}
	return m, err
}

// get gives a macro, locked until the transaction ends if that is asked for.
func get(ctx context.Context, tx *pg.Tx, id uuid.UUID, lock bool) (Macro, error) {
	sql := `SELECT ` + columns + ` FROM macro WHERE tenant_id = $1 AND id = $2`
	if lock {
		sql += ` FOR UPDATE`
	}
	return scan(tx.QueryRow(ctx, sql, tx.Tenant(), id))
}

func list(ctx context.Context, tx *pg.Tx, archived bool, before uuid.UUID, limit int) ([]Macro, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM macro WHERE tenant_id = $1 AND archived = $2 AND ($3::uuid IS NULL OR id < $3)
		ORDER BY id DESC LIMIT $4`, tx.Tenant(), archived, pg.OrNull(before), limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Macro, error) { return scan(row) })
}

// checkName queues that the transaction fails where another macro that is offered bears the name.
func checkName(tx *pg.Tx, m Macro) {
	if m.Archived {
		return
	}
	tx.Queue(`SELECT EXISTS (SELECT FROM macro WHERE tenant_id = $1 AND name_key = $2 AND NOT archived AND id <> $3)`,
		tx.Tenant(), fold.Text(m.Name), m.ID).QueryRow(func(row pgx.Row) error {
		var there bool
		if err := row.Scan(&there); err != nil || !there {
			return err
		}
		return errTaken
	})
}

// taken gives errTaken for what the index says when two choose a name at once.
func taken(err error) error {
	var pe *pgconn.PgError
	if errors.As(err, &pe) && pe.ConstraintName == "macro_by_name" {
		return errTaken
	}
	return err
}

func insert(tx *pg.Tx, m Macro) {
	tx.Queue(`INSERT INTO macro (tenant_id, id, version, name, name_key, actions, archived, by_subject, changed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		tx.Tenant(), m.ID, m.Version, m.Name, fold.Text(m.Name), written(m.Actions), m.Archived, m.By, m.ChangedAt)
}

func save(tx *pg.Tx, m Macro) {
	tx.Queue(`UPDATE macro SET version = $3, name = $4, name_key = $5, actions = $6, archived = $7, by_subject = $8, changed_at = $9
		WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), m.ID, m.Version, m.Name, fold.Text(m.Name), written(m.Actions), m.Archived, m.By, m.ChangedAt)
}

func written(actions []MacroAction) json.RawMessage {
	raw, err := json.Marshal(actions)
	if err != nil {
		panic("macro: actions always have a JSON form: " + err.Error())
	}
	return raw
}
