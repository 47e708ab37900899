package run

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

const columns = `run_id, kind, as_of, cause, asked_by, asked_at, state, started_at, finished_at, failure, settling`

// Find gives a run of the kind; NotFound run_not_found.
func Find(ctx context.Context, tx *pg.Tx, kind string, id uuid.UUID) (Run, error) {
	run, err := find(ctx, tx, id, false)
	if err == nil && run.Kind != kind {
		return Run{}, notFound()
	}
	return run, err
}

func notFound() error {
	return problem.New(problem.NotFound, "run_not_found", "There is no such run.")
}

func find(ctx context.Context, tx *pg.Tx, id uuid.UUID, lock bool) (Run, error) {
	sql := `SELECT ` + columns + ` FROM analytics_run WHERE tenant_id = $1 AND run_id = $2`
	if lock {
		sql += ` FOR UPDATE`
	}
	rows, err := tx.Query(ctx, sql, tx.Tenant(), id)
	if err != nil {
		return Run{}, err
	}
	run, err := pgx.CollectExactlyOneRow(rows, scan)
	if errors.Is(err, pgx.ErrNoRows) {
		return Run{}, notFound()
	}
	return run, err
}

// List gives runs of the kind, the newest first, at most limit before the id before (uuid.Nil: from the newest on).
func List(ctx context.Context, tx *pg.Tx, kind string, before uuid.UUID, limit int) ([]Run, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM analytics_run
		WHERE tenant_id = $1 AND kind = $2 AND ($3::uuid IS NULL OR run_id < $3) ORDER BY run_id DESC LIMIT $4`, tx.Tenant(), kind, pg.OrNull(before), limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

func scan(row pgx.CollectableRow) (Run, error) {
	var (
		run               Run
		started, finished *time.Time
	)
	err := row.Scan(&run.ID, &run.Kind, &run.AsOf, &run.Cause, &run.AskedBy, &run.AskedAt, &run.State, &started, &finished, &run.Failure, &run.settling)
	run.AskedAt = run.AskedAt.UTC()
	if started != nil {
		run.StartedAt = started.UTC()
	}
	if finished != nil {
		run.FinishedAt = finished.UTC()
	}
	return run, err
}

// ListWith is List with what a room keeps of its runs: own reads that by the runs' ids, and show puts both together.
func ListWith[T, R any](ctx context.Context, tx *pg.Tx, kind string, before uuid.UUID, limit int,
	own func(ctx context.Context, tx *pg.Tx, ids []uuid.UUID) (map[uuid.UUID]T, error), show func(Run, T) R,
) ([]R, error) {
	runs, err := List(ctx, tx, kind, before, limit)
	if err != nil {
		return nil, err
	}
	ids := make([]uuid.UUID, len(runs))
	for i, one := range runs {
		ids[i] = one.ID
	}
	kept, err := own(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	all := make([]R, len(runs))
	for i, one := range runs {
		all[i] = show(one, kept[one.ID])
	}
	return all, nil
}
