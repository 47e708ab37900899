package scoring

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// States of a rebuild.
const (
	rebuildQueued  = "queued"
	rebuildRunning = "running"
	rebuildDone    = "done"
)

// Rebuilding is the making anew of a tenant's counts from what its cases counted.
type Rebuilding struct {
	ID         uuid.UUID
	Start      time.Time // outcomes before it are left out, now and later; zero: none is
	State      string
	Outcomes   int64 // counted so far
	By         string
	CreatedAt  time.Time
	FinishedAt time.Time // zero: not yet

	generation int
	afterCase  uuid.UUID
	afterNo    int
}

// AskRebuild has the counts of the tenant made anew, behind the scenes, of the outcomes since a time; all of them where it is
// zero. Conflict rebuild_running while another one is not done.
func (s *Scoring) AskRebuild(ctx context.Context, start time.Time) (Rebuilding, error) {
	caller, _ := auth.From(ctx)
	now := s.now()
	if start.After(now) {
		return Rebuilding{}, problem.InvalidBody("rebuild_invalid", "The counts are not made anew: mend the field named here.",
			[]problem.Field{{Location: "start_at", Code: "start_future", Message: "must not be in the future"}})
	}
	r := Rebuilding{ID: uuid.Must(uuid.NewV7()), Start: start.UTC().Truncate(time.Microsecond), State: rebuildQueued, By: caller.Subject, CreatedAt: now}
	result, err := s.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		tag, err := tx.ExecNow(ctx, `INSERT INTO scoring_rebuild (tenant_id, id, start_at, state, by_subject, created_at) VALUES ($1, $2, $3, 'queued', $4, $5)
			ON CONFLICT (tenant_id) WHERE state <> 'done' DO NOTHING`, tx.Tenant(), r.ID, pg.OrNull(r.Start), r.By, now)
		if err == nil && tag.RowsAffected() == 0 {
			err = problem.New(problem.Conflict, "rebuild_running", "The counts are being made anew already. Wait until that is done.")
		}
		return pg.Result{ID: r.ID}, err
	})
	if err != nil || !result.Replayed {
		return r, err
	}
	return s.Rebuilding(ctx, result.ID)
}

// Rebuilding gives how far a rebuild is.
func (s *Scoring) Rebuilding(ctx context.Context, id uuid.UUID) (r Rebuilding, err error) {
	err = s.db.Read(ctx, auth.Tenant(ctx), func(tx *pg.Tx) error {
		r, err = findRebuild(ctx, tx, id, false)
		return err
	})
	return r, err
}

func findRebuild(ctx context.Context, tx *pg.Tx, id uuid.UUID, lock bool) (Rebuilding, error) {
	sql := `SELECT id, start_at, state, outcomes, by_subject, created_at, finished_at, coalesce(generation, 0),
		coalesce(after_case, '00000000-0000-0000-0000-000000000000'), coalesce(after_no, 0) FROM scoring_rebuild WHERE tenant_id = $1 AND id = $2`
	if lock {
		sql += ` FOR UPDATE`
	}
	var (
		r               Rebuilding
		start, finished *time.Time
	)
	err := tx.QueryRow(ctx, sql, tx.Tenant(), id).Scan(&r.ID, &start, &r.State, &r.Outcomes, &r.By, &r.CreatedAt, &finished, &r.generation, &r.afterCase, &r.afterNo)
	if errors.Is(err, pgx.ErrNoRows) {
		return Rebuilding{}, problem.New(problem.NotFound, "rebuild_not_found", "There is no such rebuild.")
	}
	r.Start, r.CreatedAt, r.FinishedAt = orZero(start), r.CreatedAt.UTC(), orZero(finished)
	return r, err
}

// Rebuild goes on with a rebuild from where it stands until it is done. Cases are closed and reopened meanwhile: those move the counts that
// hold and those that are being made, until the latter take over.
func (s *Scoring) Rebuild(ctx context.Context, tenant string, id uuid.UUID) error {
	for {
		more := false
		_, err := s.db.Command(ctx, tenant, func(tx *pg.Tx) (_ pg.Result, err error) {
			more, err = s.rebuildStep(ctx, tx, id)
			return pg.Result{}, err
		})
		if err != nil || !more {
			return err
		}
	}
}

// rebuildStep begins a rebuild, counts its next outcomes, or ends it; who else is at it waits for its row.
func (s *Scoring) rebuildStep(ctx context.Context, tx *pg.Tx, id uuid.UUID) (more bool, err error) {
	r, err := findRebuild(ctx, tx, id, true)
	if err != nil {
		return false, err
	}
	switch r.State {
	case rebuildQueued:
		return true, s.beginRebuild(ctx, tx, r)
	case rebuildRunning:
		// It ends in a step that counted nothing: whoever has locked outcomes or counts must not wait for those who move counts.
		n, err := countChunk(ctx, tx, r, s.chunk)
		if err != nil || n > 0 {
			return true, err
		}
		return false, s.endRebuild(ctx, tx, r)
	default:
		return false, nil
	}
}

// beginRebuild has everybody who closes cases from now on count in the new generation as well.
func (s *Scoring) beginRebuild(ctx context.Context, tx *pg.Tx, r Rebuilding) error {
	set := queueSetting(tx, lockExclusive)
	if err := tx.Flush(ctx); err != nil {
		return err
	}
	next := set.Generation + 1
	tx.Queue(`INSERT INTO scoring_setting (tenant_id, fields, generation, next_generation, next_start_at, by_subject, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (tenant_id) DO UPDATE SET next_generation = excluded.next_generation, next_start_at = excluded.next_start_at`,
		tx.Tenant(), set.Fields, set.Generation, next, pg.OrNull(r.Start), r.By, s.now())
	tx.Queue(`UPDATE scoring_rebuild SET state = 'running', generation = $3 WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), r.ID, next)
	return nil
}

// countChunk counts the next outcomes that do not stand in the new generation yet. One that was taken back counts nothing, but its
// values were seen.
func countChunk(ctx context.Context, tx *pg.Tx, r Rebuilding, limit int) (n int, err error) {
	rows, err := tx.Query(ctx, `SELECT case_id, no, won, at, team, fields, values, generations, taken_back_at IS NOT NULL FROM scoring_outcome
		WHERE tenant_id = $1 AND (case_id, no) > ($2, $3) ORDER BY case_id, no LIMIT $4 FOR NO KEY UPDATE`, tx.Tenant(), r.afterCase, r.afterNo, limit)
	if err != nil {
		return 0, err
	}
	var (
		by    = moves{}
		ids   []uuid.UUID
		nos   []int
		taken bool
		at    time.Time
	)
	next := []int{r.generation}
	for rows.Next() {
		var (
			o              outcome
			fields, values []string
		)
		if err := rows.Scan(&r.afterCase, &r.afterNo, &o.won, &at, &o.team, &fields, &values, &o.generations, &taken); err != nil {
			return 0, err
		}
		n++
		if at.Before(r.Start) {
			continue
		}
		o.values = pairs(fields, values)
		switch {
		case taken:
			by.add(&o, next, 0)
		case !o.standsIn(r.generation):
			by.add(&o, next, 1)
			ids, nos = append(ids, r.afterCase), append(nos, r.afterNo)
		}
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	if len(ids) > 0 {
		tx.Queue(`UPDATE scoring_outcome o SET generations = array_append(array_remove(o.generations, $4::integer - 2), $4::integer)
			FROM unnest($2::uuid[], $3::integer[]) AS b(case_id, no) WHERE o.tenant_id = $1 AND o.case_id = b.case_id AND o.no = b.no`,
			tx.Tenant(), ids, nos, r.generation)
	}
	tx.Queue(`UPDATE scoring_rebuild SET after_case = $3, after_no = $4, outcomes = outcomes + $5 WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), r.ID, r.afterCase, r.afterNo, len(ids))
	by.queue(tx)
	return n, nil
}

// endRebuild has the new counts take over.
func (s *Scoring) endRebuild(ctx context.Context, tx *pg.Tx, r Rebuilding) error {
	queueSetting(tx, lockExclusive)
	if err := tx.Flush(ctx); err != nil {
		return err
	}
	tx.Queue(`UPDATE scoring_setting SET generation = $2, start_at = next_start_at, next_generation = NULL, next_start_at = NULL, version = version + 1
		WHERE tenant_id = $1`, tx.Tenant(), r.generation)
	tx.Queue(`DELETE FROM scoring_count WHERE tenant_id = $1 AND generation <> $2`, tx.Tenant(), r.generation)
	tx.Queue(`UPDATE scoring_rebuild SET state = 'done', finished_at = $3 WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), r.ID, s.now())
	queueMark(tx)
	return nil
}
