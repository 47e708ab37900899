package tag

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// Kind is the kind of runs of this room.
const Kind = "tags"

// Daily asks for the run of the day of every tenant.
func (t *Tags) Daily(ctx context.Context) error { return t.runs.EachDay(ctx, Kind, nil) }

// Background does what waits, of all tenants: runs after scores were written, runs, and what has expired.
func (t *Tags) Background(ctx context.Context) error {
	return errors.Join(t.afterScores(ctx), t.runs.Work(ctx, Kind, t.step), t.Expire(ctx))
}

// dueSQL lists the tenants whose scores were written by runs that are done, and who are not tagged at the moment.
const dueSQL = `SELECT DISTINCT d.tenant_id, '00000000-0000-0000-0000-000000000000'::uuid FROM tag_due d
	WHERE NOT EXISTS (SELECT FROM analytics_run a WHERE a.tenant_id = d.tenant_id AND a.state IN ('queued', 'running'))`

// afterScores asks for runs where scores were written. It waits until all runs of the tenant are done, so that everybody is looked at
// once and not after each of their steps.
func (t *Tags) afterScores(ctx context.Context) error {
	tenants, err := t.ops.Across(ctx, dueSQL)
	if err != nil {
		return err
	}
	var failed error
	for _, one := range tenants {
		failed = errors.Join(failed, t.db.Tx(ctx, one.Tenant, func(tx *pg.Tx) error {
			all, err := load(ctx, tx)
			if err == nil && len(all) > 0 {
				_, err = t.runs.Ask(ctx, tx, Kind, run.Today(t.clock))
			}
			if problem.KindOf(err) == problem.Conflict { // somebody asked for one just now, which may be past some: the next one
				return nil
			}
			tx.Queue(`DELETE FROM tag_due WHERE tenant_id = $1`, tx.Tenant())
			return err
		}))
	}
	return failed
}

// step tags the next customers of a run, and after the last of them counts who has what.
func (t *Tags) step(ctx context.Context, tx *pg.Tx, of run.Run) (done bool, err error) {
	p, err := progressOf(ctx, tx, of)
	if err != nil {
		return false, err
	}
	rows, err := tx.Query(ctx, `SELECT customer_id FROM portrait WHERE tenant_id = $1 AND customer_id > $2 ORDER BY customer_id LIMIT $3 FOR UPDATE`,
		tx.Tenant(), p.after, t.chunk)
	if err != nil {
		return false, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return false, err
	}
	holdDefinitions(tx) // after portraits, as whoever follows does
	all, err := load(ctx, tx)
	if err != nil || len(all) == 0 {
		return err == nil, err
	}
	if revision := all.revision(); p.revision != revision {
		if begun := p.revision != 0; begun { // by other definitions everybody is looked at once more
			queueProgress(tx, Progress{Run: of, revision: revision})
			return false, nil
		}
		p.revision = revision
	}
	now := t.now()
	if len(ids) > 0 {
		changed, err := give(ctx, tx, all, ids, now)
		if err != nil {
			return false, err
		}
		p.after, p.Customers, p.Changed = ids[len(ids)-1], p.Customers+int64(len(ids)), p.Changed+changed
	}
	if done = len(ids) < t.chunk; done {
		queueCoverage(tx, now)
	}
	queueProgress(tx, p)
	return done, nil
}

func queueProgress(tx *pg.Tx, p Progress) {
	tx.Queue(`INSERT INTO tag_run AS r (tenant_id, run_id, revision, after_id, customers, changed) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (tenant_id, run_id) DO UPDATE SET revision = excluded.revision, after_id = excluded.after_id, customers = excluded.customers, changed = excluded.changed`,
		tx.Tenant(), p.ID, p.revision, p.after, p.Customers, p.Changed)
}

// queueCoverage counts who has what.
func queueCoverage(tx *pg.Tx, at time.Time) {
	tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('tags covered/' || $1, 0))`, tx.Tenant())
	tx.Queue(`DELETE FROM tag_coverage WHERE tenant_id = $1`, tx.Tenant())
	tx.Queue(`WITH every AS MATERIALIZED (SELECT count(*) AS n FROM portrait WHERE tenant_id = $1),
			have AS (SELECT value, count(*) AS n FROM tag_holder WHERE tenant_id = $1 GROUP BY value UNION ALL SELECT '', n FROM every)
		INSERT INTO tag_coverage (tenant_id, value, customers, of, reckoned_at) SELECT $1, have.value, have.n, every.n, $2 FROM have, every`, tx.Tenant(), at)
}

// expireChunk is how many customers' expired tags are taken away at once.
const expireChunk = 5000

// Expire takes away tags whose last day is over.
func (t *Tags) Expire(ctx context.Context) error {
	today := run.Today(t.clock)
	tenants, err := t.ops.Across(ctx, `SELECT DISTINCT tenant_id, '00000000-0000-0000-0000-000000000000'::uuid FROM tag_holder WHERE until < $1`, today)
	if err != nil {
		return err
	}
	var failed error
	for _, one := range tenants {
		for more := true; more; {
			err := t.db.Tx(ctx, one.Tenant, func(tx *pg.Tx) (err error) {
				more, err = expire(ctx, tx, today)
				return err
			})
			if err != nil {
				failed, more = errors.Join(failed, err), false
			}
		}
	}
	return failed
}

// expire takes away what expired of the next customers. It only takes: definitions are not needed.
func expire(ctx context.Context, tx *pg.Tx, today time.Time) (more bool, err error) {
	rows, err := tx.Query(ctx, `SELECT DISTINCT customer_id FROM tag_holder WHERE tenant_id = $1 AND until < $2 ORDER BY customer_id LIMIT $3`, tx.Tenant(), today, expireChunk)
	if err != nil {
		return false, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return false, err
	}
	tx.Queue(`SELECT FROM portrait WHERE tenant_id = $1 AND customer_id = ANY ($2::uuid[]) ORDER BY customer_id FOR UPDATE`, tx.Tenant(), ids)
	tx.Queue(`WITH gone AS (DELETE FROM tag_holder WHERE tenant_id = $1 AND customer_id = ANY ($2::uuid[]) AND until < $3 RETURNING customer_id, value),
			each AS (SELECT customer_id, array_agg(value) AS tags FROM gone GROUP BY customer_id)
		UPDATE portrait p SET tags = ARRAY (SELECT v FROM unnest(p.tags) AS v WHERE v <> ALL (e.tags) ORDER BY v COLLATE "C")
		FROM each e WHERE p.tenant_id = $1 AND p.customer_id = e.customer_id`, tx.Tenant(), ids, today)
	return len(ids) == expireChunk, nil
}

// Progress is how far a run is.
type Progress struct {
	run.Run
	Customers int64 // looked at so far
	Changed   int64 // portraits that were

	after    uuid.UUID
	revision int64
}

func progressOf(ctx context.Context, tx *pg.Tx, of run.Run) (Progress, error) {
	p := Progress{Run: of}
	err := tx.QueryRow(ctx, `SELECT revision, after_id, customers, changed FROM tag_run WHERE tenant_id = $1 AND run_id = $2`, tx.Tenant(), of.ID).
		Scan(&p.revision, &p.after, &p.Customers, &p.Changed)
	if errors.Is(err, pgx.ErrNoRows) {
		return p, nil
	}
	return p, err
}
