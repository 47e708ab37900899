package rollout

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// errNotFound is the same for a rollout that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "rollout_not_found", "There is no such rollout.")

const columns = `r.id, r.name, r.state, r.version, r.template, r.plan_version, p.plan, r.progress, r.created_by, r.created_at, r.started_at, r.ended_at`

const from = ` FROM rollout r JOIN rollout_plan p ON p.tenant_id = r.tenant_id AND p.rollout_id = r.id AND p.version = r.plan_version `

func scan(row pgx.CollectableRow) (r Rollout, err error) {
	var started, ended *time.Time
	err = row.Scan(&r.ID, &r.Name, &r.State, &r.Version, &r.Template, &r.PlanVersion, &r.Plan, &r.Progress, &r.CreatedBy, &r.CreatedAt, &started, &ended)
	r.CreatedAt, r.StartedAt, r.EndedAt = r.CreatedAt.UTC(), orZero(started), orZero(ended)
	return r, err
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

func load(ctx context.Context, tx *pg.Tx, id uuid.UUID, locked bool) (Rollout, error) {
	sql := `SELECT ` + columns + from + `WHERE r.tenant_id = $1 AND r.id = $2`
	if locked {
		sql += ` FOR UPDATE OF r`
	}
	rows, err := tx.Query(ctx, sql, tx.Tenant(), id)
	if err != nil {
		return Rollout{}, err
	}
	found, err := pgx.CollectExactlyOneRow(rows, scan)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errNotFound
	}
	return found, err
}

// governing gives the rollouts that govern capabilities, all but one, and keeps others from starting until the transaction ends.
func governing(ctx context.Context, tx *pg.Tx, but uuid.UUID) ([]Rollout, error) {
	tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('rollouts/' || $1, 0))`, tx.Tenant())
	rows, err := tx.Query(ctx, `SELECT `+columns+from+`WHERE r.tenant_id = $1 AND r.state IN ('running', 'paused') AND r.id <> $2 ORDER BY r.id`, tx.Tenant(), but)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

func insert(tx *pg.Tx, r Rollout) {
	tx.Queue(`INSERT INTO rollout (tenant_id, id, name, state, version, template, plan_version, progress, created_by, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		tx.Tenant(), r.ID, r.Name, r.State, r.Version, r.Template, r.PlanVersion, r.Progress, r.CreatedBy, r.CreatedAt)
	insertPlan(tx, r, r.CreatedBy, r.CreatedAt)
	insertSteps(tx, r)
}

func insertPlan(tx *pg.Tx, r Rollout, by string, at time.Time) {
	tx.Queue(`INSERT INTO rollout_plan (tenant_id, rollout_id, version, plan, by_subject, at) VALUES ($1, $2, $3, $4, $5, $6)`,
		tx.Tenant(), r.ID, r.PlanVersion, r.Plan, by, at)
}

// insertSteps adds the steps of a change behind those that there are; whoever does has locked the rollout.
func insertSteps(tx *pg.Tx, r Rollout) {
	for _, s := range r.Steps {
		tx.Queue(`INSERT INTO rollout_step (tenant_id, rollout_id, no, action, decision_id, hash, by_subject, at, note_id, detail)
			SELECT $1, $2, 1 + coalesce((SELECT max(no) FROM rollout_step WHERE tenant_id = $1 AND rollout_id = $2), 0), $3, $4, $5, $6, $7, $8, $9`,
			tx.Tenant(), r.ID, s.Action, pg.OrNull(s.DecisionID), s.Hash, s.By, s.At, pg.OrNull(s.NoteID), s.Detail)
	}
}

func save(tx *pg.Tx, r Rollout) {
	tx.Queue(`UPDATE rollout SET state = $3, version = $4, plan_version = $5, progress = $6, started_at = $7, ended_at = $8 WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), r.ID, r.State, r.Version, r.PlanVersion, r.Progress, pg.OrNull(r.StartedAt), pg.OrNull(r.EndedAt))
	insertSteps(tx, r)
}

// decided gives the hash of the request by which a decision was made; nil where it was not.
func decided(ctx context.Context, tx *pg.Tx, rollout, decision uuid.UUID) (hash []byte, err error) {
	err = tx.QueryRow(ctx, `SELECT hash FROM rollout_step WHERE tenant_id = $1 AND rollout_id = $2 AND decision_id = $3 LIMIT 1`,
		tx.Tenant(), rollout, decision).Scan(&hash)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return hash, err
}
