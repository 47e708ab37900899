package scoring

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

const (
	// passChunk is how many cases are scored at once.
	passChunk = 5000
	// lease is how long a pass has a tenant to itself after its last chunk: when its process dies, another one goes on.
	lease = time.Minute
	// rest is how many times as long as the pass took a tenant is left alone after it, so that scoring takes a tenth of the time at most.
	rest = 10
)

// Background does what waits behind the scenes, of all tenants: rebuilds, then the scoring of open cases after counts moved. It
// may run in any number of processes.
func (s *Scoring) Background(ctx context.Context) error {
	due, err := s.db.Across(ctx, `SELECT tenant_id, id FROM scoring_due()`)
	if err != nil {
		return err
	}
	var failed error
	for _, one := range due {
		if one.ID != uuid.Nil {
			err = s.Rebuild(ctx, one.Tenant, one.ID)
		} else {
			_, err = s.Pass(ctx, one.Tenant)
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

// Pass scores the open cases of a tenant again where counts moved since it was done last, and tells how many scores changed.
// It does nothing while another one is at it, or right after.
func (s *Scoring) Pass(ctx context.Context, tenant string) (changed int64, err error) {
	began := s.now()
	var (
		marks []uuid.UUID
		m     *model
	)
	err = s.db.Tx(ctx, tenant, func(tx *pg.Tx) error {
		mine, err := takeLease(ctx, tx, began)
		if err != nil || !mine {
			return err
		}
		// Whoever marks has its counts committed together with the mark: the model, which is read after the marks, has them.
		rows, err := tx.Query(ctx, `SELECT id FROM scoring_mark WHERE tenant_id = $1`, tenant)
		if err != nil {
			return err
		}
		if marks, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID]); err != nil {
			return err
		}
		if len(marks) == 0 {
			tx.Queue(`UPDATE scoring_pass SET leased_until = $2 WHERE tenant_id = $1`, tenant, began)
			return nil
		}
		m, err = loadWhole(ctx, tx)
		return err
	})
	if err != nil || m == nil {
		return 0, err
	}
	for after, more := uuid.Nil, true; more; {
		var (
			last uuid.UUID
			n    int64
		)
		_, err = s.db.Command(ctx, tenant, func(tx *pg.Tx) (_ pg.Result, err error) {
			last, more, n, err = s.scoreChunk(ctx, tx, m, after)
			return pg.Result{}, err
		})
		if err != nil {
			return changed, err
		}
		after = last
		changed += n
	}
	return changed, s.db.Tx(ctx, tenant, func(tx *pg.Tx) error {
		tx.Queue(`DELETE FROM scoring_mark WHERE tenant_id = $1 AND id = ANY ($2)`, tenant, marks)
		now := s.now()
		tx.Queue(`UPDATE scoring_pass SET leased_until = $2, not_before = $3 WHERE tenant_id = $1`, tenant, now, now.Add(rest*now.Sub(began)))
		return nil
	})
}

// takeLease tells whether the pass of the tenant is the caller's, who has it for a minute.
func takeLease(ctx context.Context, tx *pg.Tx, now time.Time) (bool, error) {
	tag, err := tx.ExecNow(ctx, `INSERT INTO scoring_pass (tenant_id, leased_until, not_before) VALUES ($1, $3, $2)
		ON CONFLICT (tenant_id) DO UPDATE SET leased_until = excluded.leased_until
			WHERE scoring_pass.leased_until <= $2 AND scoring_pass.not_before <= $2`, tx.Tenant(), now, now.Add(lease))
	return tag.RowsAffected() == 1, err
}

// loadWhole reads the counts of all teams.
func loadWhole(ctx context.Context, tx *pg.Tx) (*model, error) {
	set := queueSetting(tx, lockNone)
	if err := tx.Flush(ctx); err != nil {
		return nil, err
	}
	m := &model{fields: set.Fields, teams: map[string]*table{}, all: newTable()}
	rows, err := tx.Query(ctx, `SELECT team, field, value, won, lost FROM scoring_count
		WHERE tenant_id = $1 AND generation = $2 AND field = ANY ($3)`, tx.Tenant(), set.Generation, set.needed())
	if err != nil {
		return nil, err
	}
	var (
		team string
		v    value
		c    = count{rows: 1}
	)
	_, err = pgx.ForEachRow(rows, []any{&team, &v.field, &v.code, &c.won, &c.lost}, func() error {
		if m.teams[team] == nil {
			m.teams[team] = newTable()
		}
		m.teams[team].add(v, c)
		m.all.add(v, c)
		return nil
	})
	return m, err
}

// scoreChunk scores the next open cases after one, and gives the last of them. Cases are not locked meanwhile: one that somebody saved in between
// keeps the score that it got then, and the chunk is to be done once more, since that may have been by older counts.
func (s *Scoring) scoreChunk(ctx context.Context, tx *pg.Tx, m *model, after uuid.UUID) (last uuid.UUID, more bool, changed int64, err error) {
	now := s.now()
	tx.PlanForAny()
	tx.Queue(`UPDATE scoring_pass SET leased_until = $2 WHERE tenant_id = $1`, tx.Tenant(), now.Add(lease))
	rows, err := tx.Query(ctx, `SELECT c.id, c.team, c.pipeline, c.stage, c.stages[1:1], c.fields, c.tags, coalesce(c.probability, 0), c.xmin::text::bigint
		FROM scoring_case c WHERE c.tenant_id = $1 AND c.state = 'open' AND c.id > $2 ORDER BY c.id LIMIT $3`, tx.Tenant(), after, passChunk)
	if err != nil {
		return after, false, 0, err
	}
	var (
		ids           []uuid.UUID
		versions      []int64
		probabilities []*int32
		read          int
		c             Case
		was           int32
		version       int64
	)
	_, err = pgx.ForEachRow(rows, []any{&c.ID, &c.Team, &c.Pipeline, &c.Stage, &c.Stages, &c.Fields, &c.Tags, &was, &version}, func() error {
		read++
		last = c.ID
		if is := m.reckon(c).Probability; is != was {
			ids, versions, probabilities = append(ids, c.ID), append(versions, version), append(probabilities, pg.OrNull(is))
		}
		c.Fields = nil // or the next one's would come on top of them
		return nil
	})
	if err != nil || len(ids) == 0 {
		return last, read == passChunk, 0, err
	}
	tag, err := tx.ExecNow(ctx, `UPDATE scoring_case c SET probability = n.probability, scored_at = $5
		FROM unnest($2::uuid[], $3::bigint[], $4::integer[]) AS n(id, version, probability)
		WHERE c.tenant_id = $1 AND c.id = n.id AND c.xmin::text::bigint = n.version`, tx.Tenant(), ids, versions, probabilities, now)
	if err == nil && tag.RowsAffected() < int64(len(ids)) {
		return after, true, tag.RowsAffected(), nil
	}
	return last, read == passChunk, tag.RowsAffected(), err
}
