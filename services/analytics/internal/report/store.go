package report

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

var (
	errNotFound   = problem.New(problem.NotFound, "report_not_found", "There is no such report.")
	errRunUnknown = problem.New(problem.NotFound, "report_run_not_found", "This report has no such run.")
)

const columns = `code, content, version, next_at, archived, changed_at`

func get(ctx context.Context, tx *pg.Tx, code, lock string) (Report, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM report WHERE tenant_id = $1 AND code = $2 `+lock, tx.Tenant(), code))
}

func scan(row pgx.Row) (r Report, err error) {
	var content []byte
	err = row.Scan(&r.Code, &content, &r.Version, &r.NextAt, &r.Archived, &r.ChangedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return r, errNotFound
	}
	if err == nil {
		err = json.Unmarshal(content, &r.Content)
	}
	return r, err
}

// save keeps a report, and what it is now as a version.
func save(tx *pg.Tx, r Report, subject string) {
	content := encode(r.Content)
	tx.Queue(`INSERT INTO report (tenant_id, `+columns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (tenant_id, code) DO UPDATE SET content = excluded.content, version = excluded.version, next_at = excluded.next_at,
			archived = excluded.archived, changed_at = excluded.changed_at`,
		tx.Tenant(), r.Code, content, r.Version, r.NextAt, r.Archived, r.ChangedAt)
	tx.Queue(`INSERT INTO report_version (tenant_id, code, version, content, archived, by_subject, at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		tx.Tenant(), r.Code, r.Version, content, r.Archived, subject, r.ChangedAt)
}

// Versions gives up to limit versions of a report before the given one (0: the latest), the latest first.
func (r *Reports) Versions(ctx context.Context, code string, before, limit int) (all []Version, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if _, err := get(ctx, tx, code, ""); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT version, content, archived, by_subject, at FROM report_version
			WHERE tenant_id = $1 AND code = $2 AND ($3 = 0 OR version < $3) ORDER BY version DESC LIMIT $4`, tx.Tenant(), code, before, limit)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (v Version, err error) {
			var content []byte
			if err = row.Scan(&v.Version, &content, &v.Archived, &v.By, &v.At); err == nil {
				err = json.Unmarshal(content, &v.Content)
			}
			return v, err
		})
		return err
	})
	return all, err
}

func keep(tx *pg.Tx, r Run) {
	tx.Queue(`INSERT INTO report_run (tenant_id, id, code, due_at, version, ran_at, result) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		tx.Tenant(), r.ID, r.Code, r.DueAt, r.Version, r.RanAt, encode(r.Result))
}

const runColumns = `id, code, due_at, version, ran_at, result`

func scanRun(row pgx.Row) (r Run, err error) {
	var result []byte
	err = row.Scan(&r.ID, &r.Code, &r.DueAt, &r.Version, &r.RanAt, &result)
	if errors.Is(err, pgx.ErrNoRows) {
		return r, errRunUnknown
	}
	if err == nil {
		err = json.Unmarshal(result, &r.Result)
	}
	return r, err
}

// Run gives one run of a report.
func (r *Reports) Run(ctx context.Context, code string, id uuid.UUID) (found Run, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		found, err = scanRun(tx.QueryRow(ctx, `SELECT `+runColumns+` FROM report_run WHERE tenant_id = $1 AND code = $2 AND id = $3`, tx.Tenant(), code, id))
		return err
	})
	return found, err
}

// Runs gives up to limit runs of a report after the given one (Nil: the first), by their ids, which rise with time.
func (r *Reports) Runs(ctx context.Context, code string, after uuid.UUID, limit int) (all []Run, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		if _, err := get(ctx, tx, code, ""); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT `+runColumns+` FROM report_run WHERE tenant_id = $1 AND code = $2 AND id > $3 ORDER BY id LIMIT $4`, tx.Tenant(), code, after, limit)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Run, error) { return scanRun(row) })
		return err
	})
	return all, err
}

// List gives up to limit reports after the given code, those in the archive only where they are asked for.
func (r *Reports) List(ctx context.Context, after string, archived bool, limit int) (all []Report, err error) {
	err = r.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+columns+` FROM report WHERE tenant_id = $1 AND code > $2 AND ($3 OR NOT archived) ORDER BY code LIMIT $4`, tx.Tenant(), after, archived, limit)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Report, error) { return scan(row) })
		return err
	})
	return all, err
}
