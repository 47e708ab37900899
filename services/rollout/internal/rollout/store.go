package rollout

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/rollout/internal/plan"
)

// errNotFound is the same for a rollout that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "rollout_not_found", "There is no such rollout.")

const columns = `r.id, r.name, r.state, r.version, r.template, r.plan_version, p.plan, r.progress, r.created_by, r.created_at, r.started_at, r.ended_at, r.managed_by, r.external_id`

const from = ` FROM rollout r JOIN rollout_plan p ON p.tenant_id = r.tenant_id AND p.rollout_id = r.id AND p.version = r.plan_version `

func scan(row pgx.CollectableRow) (r Rollout, err error) {
	var started, ended *time.Time
	err = row.Scan(&r.ID, &r.Name, &r.State, &r.Version, &r.Template, &r.PlanVersion, &r.Plan, &r.Progress, &r.CreatedBy, &r.CreatedAt, &started, &ended, &r.ManagedBy, &r.ExternalID)
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
	tx.Queue(`INSERT INTO rollout (tenant_id, id, name, state, version, template, plan_version, progress, created_by, created_at, managed_by, external_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		tx.Tenant(), r.ID, r.Name, r.State, r.Version, r.Template, r.PlanVersion, r.Progress, r.CreatedBy, r.CreatedAt, r.ManagedBy, r.ExternalID)
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
	tx.Queue(`UPDATE rollout SET state = $3, version = $4, plan_version = $5, progress = $6, started_at = $7, ended_at = $8, managed_by = $9 WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), r.ID, r.State, r.Version, r.PlanVersion, r.Progress, pg.OrNull(r.StartedAt), pg.OrNull(r.EndedAt), r.ManagedBy)
	insertSteps(tx, r)
}

// decided gives of which rollout a decision was made, and the hash of its request; found is false where it was not.
func decided(ctx context.Context, tx *pg.Tx, decision uuid.UUID) (of uuid.UUID, hash []byte, found bool, err error) {
	err = tx.QueryRow(ctx, `SELECT rollout_id, hash FROM rollout_step WHERE tenant_id = $1 AND decision_id = $2`, tx.Tenant(), decision).Scan(&of, &hash)
	if errors.Is(err, pgx.ErrNoRows) {
		return of, nil, false, nil
	}
	return of, hash, err == nil, err
}

// insertNote keeps what was said with a decision; a note that is there already stays as it is.
func insertNote(tx *pg.Tx, rollout, id uuid.UUID, words, by string, at time.Time) {
	tx.Queue(`INSERT INTO rollout_note (tenant_id, id, rollout_id, words, by_subject, at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
		tx.Tenant(), id, rollout, words, by, at)
}

// Kept is a version of a plan.
type Kept struct {
	Version int
	Plan    plan.Plan
	By      string // subject
	At      time.Time
}

// errNoPlan says that there is no such version.
var errNoPlan = problem.New(problem.NotFound, "plan_not_found", "The rollout has no such version of its plan.")

func planOf(ctx context.Context, tx *pg.Tx, id uuid.UUID, version int) (k Kept, err error) {
	err = tx.QueryRow(ctx, `SELECT version, plan, by_subject, at FROM rollout_plan WHERE tenant_id = $1 AND rollout_id = $2 AND version = $3`,
		tx.Tenant(), id, version).Scan(&k.Version, &k.Plan, &k.By, &k.At)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errNoPlan
	}
	k.At = k.At.UTC()
	return k, err
}

// Said is a step with what was said with it.
type Said struct {
	Step
	Note string
}

func history(ctx context.Context, tx *pg.Tx, id uuid.UUID, before, limit int) ([]Said, error) {
	rows, err := tx.Query(ctx, `SELECT s.no, s.action, s.decision_id, s.by_subject, s.at, s.note_id, s.detail, coalesce(n.words, '')
		FROM rollout_step s LEFT JOIN rollout_note n ON n.tenant_id = s.tenant_id AND n.id = s.note_id
		WHERE s.tenant_id = $1 AND s.rollout_id = $2 AND ($3 = 0 OR s.no < $3) ORDER BY s.no DESC LIMIT $4`, tx.Tenant(), id, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (s Said, err error) {
		var decision, note *uuid.UUID
		err = row.Scan(&s.No, &s.Action, &decision, &s.By, &s.At, &note, &s.Detail, &s.Note)
		if s.At = s.At.UTC(); decision != nil {
			s.DecisionID = *decision
		}
		if note != nil {
			s.NoteID = *note
		}
		return s, err
	})
}
