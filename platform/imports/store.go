package imports

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// chunkSize is the size in bytes of every chunk of a file but the last.
const chunkSize = 256 << 10

// stored is an import as its row has it.
type stored struct {
	Job
	Format          format
	Plan            plan
	Actor           auth.Principal
	Trace           map[string]string
	Bytes           int64 // of the file
	Position, Line  int64 // byte offset of the next record, physical lines before it
	Rejections      int64
	CancelRequested bool
	Failure         string
	Closed          bool
	UpdatedAt       time.Time
}

func (s *stored) ended() bool {
	return s.State == Finished || s.State == Cancelled || s.State == Failed
}

// progress is the share of the file that is done, from 0 to 1.
func (s *stored) progress() float64 {
	switch {
	case s.State == Finished:
		return 1
	case s.Bytes == 0:
		return 0
	default:
		return float64(s.Position) / float64(s.Bytes)
	}
}

const selectJob = `SELECT tenant_id, id, kind, state, subject, unit, roles, trace, format, plan, policy, dry_run, bytes,
	position, line, row_count, accepted, rejected, rejections, cancel_requested, coalesce(failure, ''), closed,
	created_at, updated_at, finished_at FROM import_job `

func scanJob(row pgx.Row) (stored, error) {
	var s stored
	var trace, plan []byte
	var finished *time.Time
	err := row.Scan(&s.Tenant, &s.ID, &s.Kind, &s.State, &s.Actor.Subject, &s.Actor.Unit, &s.Actor.Roles, &trace,
		&s.Format, &plan, &s.Policy, &s.DryRun, &s.Bytes, &s.Position, &s.Line, &s.Rows, &s.Accepted, &s.Rejected,
		&s.Rejections, &s.CancelRequested, &s.Failure, &s.Closed, &s.CreatedAt, &s.UpdatedAt, &finished)
	if err != nil {
		return stored{}, err
	}
	s.Actor.Tenant = s.Tenant
	if finished != nil {
		s.FinishedAt = finished.UTC()
	}
	s.CreatedAt = s.CreatedAt.UTC()
	if err := errors.Join(json.Unmarshal(trace, &s.Trace), json.Unmarshal(plan, &s.Plan)); err != nil {
		return stored{}, fmt.Errorf("import %s: %w", s.ID, err)
	}
	s.Columns = s.Plan.columns()
	return s, nil
}

// load reads an import of the kind within a transaction; lock keeps it until the end.
func (i *Imports) load(ctx context.Context, tx *pg.Tx, id uuid.UUID, lock bool) (stored, error) {
	sql := selectJob + `WHERE tenant_id = $1 AND id = $2 AND kind = $3`
	if lock {
		sql += ` FOR UPDATE`
	}
	s, err := scanJob(tx.QueryRow(ctx, sql, tx.Tenant(), id, i.kind.Name))
	if errors.Is(err, pgx.ErrNoRows) {
		return stored{}, notFound()
	}
	return s, err
}

// find reads an import of the kind whose upload is complete.
func (i *Imports) find(ctx context.Context, tenant string, id uuid.UUID) (s stored, err error) {
	err = i.db.Read(ctx, tenant, func(tx *pg.Tx) error {
		s, err = i.load(ctx, tx, id, false)
		return err
	})
	if err == nil && s.State == Uploading {
		return stored{}, notFound()
	}
	return s, err
}

func notFound() *problem.Error {
	return problem.New(problem.NotFound, "import_not_found", "There is no such import.")
}

// insert makes the row of an import whose upload begins.
func (s *stored) insert(tx *pg.Tx) error {
	trace, err := json.Marshal(s.Trace)
	if err != nil {
		return err
	}
	plan, err := json.Marshal(s.Plan)
	if err != nil {
		return err
	}
	tx.Queue(`INSERT INTO import_job (tenant_id, id, kind, state, subject, unit, roles, trace, format, plan, policy,
			dry_run, position, line, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, coalesce($7::text[], '{}'), $8, $9, $10, $11, $12, $13, $14, $15, $15)`,
		s.Tenant, s.ID, s.Kind, s.State, s.Actor.Subject, s.Actor.Unit, s.Actor.Roles, trace, s.Format, plan, s.Policy,
		s.DryRun, s.Position, s.Line, s.CreatedAt)
	return nil
}

// discard forgets an upload that came to nothing. An import that was accepted is left alone.
func (i *Imports) discard(ctx context.Context, tenant string, id uuid.UUID) error {
	return i.db.Tx(ctx, tenant, func(tx *pg.Tx) error {
		s, err := i.load(ctx, tx, id, true)
		switch {
		case err == nil && s.State != Uploading:
			return nil
		case err != nil && problem.KindOf(err) != problem.NotFound:
			return err
		}
		tx.Queue(`DELETE FROM import_chunk WHERE tenant_id = $1 AND import_id = $2`, tenant, id)
		tx.Queue(`DELETE FROM import_job WHERE tenant_id = $1 AND id = $2`, tenant, id)
		return nil
	})
}

// prune deletes the chunks of an import that has ended, a few at a time, and closes it.
func (i *Imports) prune(ctx context.Context, tenant string, id uuid.UUID) error {
	const atOnce = 64
	for {
		var deleted int64
		err := i.db.Tx(ctx, tenant, func(tx *pg.Tx) error {
			tag, err := tx.ExecNow(ctx, `DELETE FROM import_chunk WHERE tenant_id = $1 AND import_id = $2 AND n IN
				(SELECT n FROM import_chunk WHERE tenant_id = $1 AND import_id = $2 ORDER BY n LIMIT $3)`, tenant, id, atOnce)
			if err != nil {
				return err
			}
			if deleted = tag.RowsAffected(); deleted < atOnce {
				tx.Queue(`UPDATE import_job SET closed = true WHERE tenant_id = $1 AND id = $2
					AND state IN ('finished', 'cancelled', 'failed')`, tenant, id)
			}
			return nil
		})
		if err != nil || deleted < atOnce {
			return err
		}
	}
}

// chunkReader reads a stored file from an offset on.
type chunkReader struct {
	ctx    context.Context
	db     *pg.DB
	tenant string
	id     uuid.UUID
	size   int64 // of the file
	offset int64
	chunk  []byte // what is left of the chunk at hand
}

func (r *chunkReader) Read(p []byte) (int, error) {
	if len(r.chunk) == 0 {
		if r.offset >= r.size {
			return 0, io.EOF
		}
		if err := r.load(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.chunk)
	r.chunk = r.chunk[n:]
	r.offset += int64(n)
	return n, nil
}

func (r *chunkReader) load() error {
	n, skip := r.offset/chunkSize, r.offset%chunkSize
	err := r.db.Read(r.ctx, r.tenant, func(tx *pg.Tx) error {
		return tx.QueryRow(r.ctx, `SELECT bytes FROM import_chunk WHERE tenant_id = $1 AND import_id = $2 AND n = $3`,
			r.tenant, r.id, n).Scan(&r.chunk)
	})
	if errors.Is(err, pgx.ErrNoRows) || err == nil && int64(len(r.chunk)) <= skip {
		return problem.New(problem.Conflict, "import_chunk_missing", "A part of the uploaded file is no longer there.")
	}
	if err != nil {
		return err
	}
	r.chunk = r.chunk[skip:]
	return nil
}
