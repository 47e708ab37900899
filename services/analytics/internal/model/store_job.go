package model

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

const jobColumns = `id, kind, state, source, options, attempts, asked_at, asked_by, started_at, finished_at, model_id, code, reason`

func scanJob(row pgx.Row) (j Job, err error) {
	var started, finished *time.Time
	var modelID *uuid.UUID
	err = row.Scan(&j.ID, &j.Kind, &j.State, &j.Source, &j.Options, &j.Attempts, &j.AskedAt, &j.AskedBy, &started, &finished, &modelID, &j.Code, &j.Reason)
	j.AskedAt = j.AskedAt.UTC()
	if started != nil {
		j.StartedAt = started.UTC()
	}
	if finished != nil {
		j.FinishedAt = finished.UTC()
	}
	if modelID != nil {
		j.ModelID = *modelID
	}
	return j, err
}

// queueJob queues a new job, with its table as it was uploaded.
func queueJob(ctx context.Context, tx *pg.Tx, j Job, upload []byte) error {
	tx.Queue(`INSERT INTO model_job (tenant_id, id, kind, state, source, options, due_at, asked_at, asked_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)`,
		tx.Tenant(), j.ID, j.Kind, j.State, j.Source, j.Options, j.AskedAt, j.AskedBy)
	for chunk := 0; chunk*chunkBytes < len(upload); chunk++ {
		tx.Queue(`INSERT INTO model_upload (tenant_id, job_id, chunk, content) VALUES ($1, $2, $3, $4)`,
			tx.Tenant(), j.ID, chunk, upload[chunk*chunkBytes:min((chunk+1)*chunkBytes, len(upload))])
		if err := tx.Flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

func findJob(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Job, error) {
	j, err := scanJob(tx.QueryRow(ctx, `SELECT `+jobColumns+` FROM model_job WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), id))
	if errors.Is(err, pgx.ErrNoRows) {
		return Job{}, problem.New(problem.NotFound, "job_not_found", "There is no job with this id.")
	}
	return j, err
}

func listJobs(ctx context.Context, tx *pg.Tx, before uuid.UUID, limit int) ([]Job, error) {
	if before == uuid.Nil {
		before = uuid.Max
	}
	rows, err := tx.Query(ctx, `SELECT `+jobColumns+` FROM model_job WHERE tenant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`, tx.Tenant(), before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Job, error) { return scanJob(row) })
}

// claim makes the job one that runs, if it may begin now; ok is false where somebody else has it.
func claim(ctx context.Context, tx *pg.Tx, id uuid.UUID, now, until time.Time) (j Job, ok bool, err error) {
	j, err = scanJob(tx.QueryRow(ctx, `UPDATE model_job SET state = 'running', attempts = attempts + 1, started_at = coalesce(started_at, $3), due_at = $4
		WHERE tenant_id = $1 AND id = (SELECT id FROM model_job WHERE tenant_id = $1 AND id = $2 AND state IN ('queued', 'running') AND due_at <= $3
			FOR UPDATE SKIP LOCKED) RETURNING `+jobColumns, tx.Tenant(), id, now, until))
	if errors.Is(err, pgx.ErrNoRows) {
		return Job{}, false, nil
	}
	return j, err == nil, err
}

// renew gives a sign of life; ok is false where the job is not this worker's any more.
func renew(ctx context.Context, tx *pg.Tx, j Job, until time.Time) (ok bool, err error) {
	tag, err := tx.ExecNow(ctx, `UPDATE model_job SET due_at = $4 WHERE tenant_id = $1 AND id = $2 AND state = 'running' AND attempts = $3`,
		tx.Tenant(), j.ID, j.Attempts, until)
	return tag.RowsAffected() == 1, err
}

// end ends the attempt: done, failed or, until due, queued again. ok is false where the job is not this worker's any more. What
// was uploaded is deleted with the end of the job.
func end(ctx context.Context, tx *pg.Tx, j Job, due, now time.Time) (ok bool, err error) {
	finished := pg.OrNull(now)
	if j.State == Queued {
		finished = nil
	}
	tag, err := tx.ExecNow(ctx, `UPDATE model_job SET state = $4, due_at = $5, finished_at = $6, model_id = $7, code = $8, reason = $9
		WHERE tenant_id = $1 AND id = $2 AND state = 'running' AND attempts = $3`,
		tx.Tenant(), j.ID, j.Attempts, j.State, due, finished, pg.OrNull(j.ModelID), j.Code, j.Reason)
	if err != nil || tag.RowsAffected() == 0 {
		return false, err
	}
	if j.State != Queued {
		tx.Queue(`DELETE FROM model_upload WHERE tenant_id = $1 AND job_id = $2`, tx.Tenant(), j.ID)
	}
	return true, nil
}

// readUpload gives what was uploaded for the job.
func readUpload(ctx context.Context, tx *pg.Tx, id uuid.UUID) ([]byte, error) {
	rows, err := tx.Query(ctx, `SELECT content FROM model_upload WHERE tenant_id = $1 AND job_id = $2 ORDER BY chunk`, tx.Tenant(), id)
	if err != nil {
		return nil, err
	}
	var all bytes.Buffer
	var chunk []byte
	_, err = pgx.ForEachRow(rows, []any{&chunk}, func() error {
		_, err := all.Write(chunk)
		return err
	})
	return all.Bytes(), err
}
