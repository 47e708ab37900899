package churn

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/run"
)

// settings reads the tenant's settings, the standard where there are none.
func settings(ctx context.Context, tx *pg.Tx) (Settings, error) {
	s := Standard()
	err := tx.QueryRow(ctx, `SELECT kind, factor, min_days, newcomer_days, horizon_days, threshold_permille, jump_permille, version, changed_by, changed_at
		FROM churn_setting WHERE tenant_id = $1`, tx.Tenant()).
		Scan(&s.Kind, &s.Factor, &s.MinDays, &s.NewcomerDays, &s.HorizonDays, &s.ThresholdPermille, &s.JumpPermille, &s.Version, &s.ChangedBy, &s.ChangedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return Standard(), nil
	}
	s.ChangedAt = s.ChangedAt.UTC()
	return s, err
}

func queueSettings(tx *pg.Tx, s Settings) {
	tx.Queue(`INSERT INTO churn_setting (tenant_id, kind, factor, min_days, newcomer_days, horizon_days, threshold_permille, jump_permille, version, changed_by, changed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (tenant_id) DO UPDATE SET kind = excluded.kind, factor = excluded.factor, min_days = excluded.min_days, newcomer_days = excluded.newcomer_days,
			horizon_days = excluded.horizon_days, threshold_permille = excluded.threshold_permille, jump_permille = excluded.jump_permille, version = excluded.version,
			changed_by = excluded.changed_by, changed_at = excluded.changed_at`,
		tx.Tenant(), s.Kind, s.Factor, s.MinDays, s.NewcomerDays, s.HorizonDays, s.ThresholdPermille, s.JumpPermille, s.Version, s.ChangedBy, s.ChangedAt)
}

// shuffled gives customers in the order of a hash of their ids: any beginning of it is a sample.
func shuffled(ctx context.Context, tx *pg.Tx) ([]uuid.UUID, error) {
	rows, err := tx.Query(ctx, `SELECT customer_id FROM portrait WHERE tenant_id = $1 ORDER BY hashtextextended(customer_id::text, 0), customer_id`, tx.Tenant())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// progressOf reads how far a run is. One that began by another model begins anew; what it told of stays told.
func progressOf(ctx context.Context, tx *pg.Tx, of run.Run, model uuid.UUID) (p Progress, err error) {
	p = Progress{Run: of, Model: model}
	err = tx.QueryRow(ctx, `INSERT INTO churn_run AS r (tenant_id, run_id, model_id) VALUES ($1, $2, $3)
		ON CONFLICT (tenant_id, run_id) DO UPDATE SET model_id = excluded.model_id,
			after_id = CASE WHEN r.model_id = excluded.model_id THEN r.after_id ELSE '00000000-0000-0000-0000-000000000000' END,
			scored = CASE WHEN r.model_id = excluded.model_id THEN r.scored ELSE 0 END, gone = CASE WHEN r.model_id = excluded.model_id THEN r.gone ELSE 0 END
		RETURNING after_id, scored, changed, gone, raised`, tx.Tenant(), of.ID, model).Scan(&p.after, &p.Scored, &p.Changed, &p.Gone, &p.Raised)
	return p, err
}

func queueProgress(tx *pg.Tx, p Progress) {
	tx.Queue(`UPDATE churn_run SET after_id = $3, scored = $4, changed = $5, gone = $6, raised = $7 WHERE tenant_id = $1 AND run_id = $2`,
		tx.Tenant(), p.ID, p.after, p.Scored, p.Changed, p.Gone, p.Raised)
}

// progresses adds to runs how far they are.
func progresses(ctx context.Context, tx *pg.Tx, runs []run.Run) ([]Progress, error) {
	ids, place := make([]uuid.UUID, len(runs)), map[uuid.UUID]*Progress{}
	all := make([]Progress, len(runs))
	for i, r := range runs {
		ids[i], all[i].Run, place[r.ID] = r.ID, r, &all[i]
	}
	rows, err := tx.Query(ctx, `SELECT run_id, model_id, scored, changed, gone, raised FROM churn_run WHERE tenant_id = $1 AND run_id = ANY ($2)`, tx.Tenant(), ids)
	if err != nil {
		return nil, err
	}
	var (
		id uuid.UUID
		p  Progress
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &p.Model, &p.Scored, &p.Changed, &p.Gone, &p.Raised}, func() error {
		at := place[id]
		at.Model, at.Scored, at.Changed, at.Gone, at.Raised = p.Model, p.Scored, p.Changed, p.Gone, p.Raised
		return nil
	})
	return all, err
}

// following gives the next customers by their ids, and what was said of them before.
func following(ctx context.Context, tx *pg.Tx, after uuid.UUID, limit int) (ids []uuid.UUID, was map[uuid.UUID]*Watch, err error) {
	rows, err := tx.Query(ctx, `SELECT p.customer_id, r.model_id, r.permille, r.above, r.base FROM portrait p
		LEFT JOIN churn_risk r ON r.tenant_id = $1 AND r.customer_id = p.customer_id AND r.state = 'scored'
		WHERE p.tenant_id = $1 AND p.customer_id > $2 ORDER BY p.customer_id LIMIT $3`, tx.Tenant(), after, limit)
	if err != nil {
		return nil, nil, err
	}
	was = map[uuid.UUID]*Watch{}
	var (
		id             uuid.UUID
		model          *uuid.UUID
		permille, base *int
		above          *bool
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &model, &permille, &above, &base}, func() error {
		ids = append(ids, id)
		if model != nil {
			was[id] = &Watch{Model: *model, Permille: *permille, Above: *above, Base: *base}
		}
		return nil
	})
	return ids, was, err
}

// risk is what a run says of a customer.
type risk struct {
	id      uuid.UUID
	state   string
	is      Watch
	reasons []Reason
	raised  bool
}

// queueRisks writes what a run says of the customers after one and up to another, all of them, in the order of their ids; what stood
// there of others goes. The portraits that differ are brought up to it; counted is told how many those were.
func queueRisks(tx *pg.Tx, all []risk, after, last uuid.UUID, r Progress, version int64, now time.Time, counted func(n int64)) error {
	n := len(all)
	ids, states, permille, aboves, bases := make([]uuid.UUID, n), make([]string, n), make([]int16, n), make([]bool, n), make([]int16, n)
	reasons, raised := make([]string, n), make([]bool, n)
	for i, one := range all {
		raw, err := json.Marshal(one.reasons)
		if err != nil {
			return err
		}
		if one.reasons == nil {
			raw = []byte(`[]`)
		}
		ids[i], states[i], permille[i], aboves[i], bases[i] = one.id, one.state, int16(one.is.Permille), one.is.Above, int16(one.is.Base)
		reasons[i], raised[i] = string(raw), one.raised
	}
	tx.Queue(`DELETE FROM churn_risk WHERE tenant_id = $1 AND customer_id > $2 AND customer_id <= $3 AND customer_id <> ALL ($4::uuid[])`, tx.Tenant(), after, last, ids)
	tx.Queue(`INSERT INTO churn_risk AS c (tenant_id, customer_id, state, permille, reasons, model_id, model_version, above, base, as_of, told_at)
		SELECT $1, n.id, n.state, n.permille, n.reasons::jsonb, $8, $9, n.above, n.base, $10, CASE WHEN n.raised THEN $12::timestamptz END
		FROM unnest($2::uuid[], $3::text[], $4::smallint[], $5::text[], $6::boolean[], $7::smallint[], $11::boolean[])
			AS n (id, state, permille, reasons, above, base, raised) ORDER BY n.id
		ON CONFLICT (tenant_id, customer_id) DO UPDATE SET state = excluded.state, permille = excluded.permille, reasons = excluded.reasons, model_id = excluded.model_id,
			model_version = excluded.model_version, above = excluded.above, base = excluded.base, as_of = excluded.as_of, told_at = coalesce(excluded.told_at, c.told_at)`,
		tx.Tenant(), ids, states, permille, reasons, aboves, bases, r.Model, version, r.AsOf, raised, now)
	tx.Queue(`WITH mine AS (
			SELECT p.customer_id, CASE WHEN n.state = 'scored' THEN n.permille END AS permille
			FROM portrait p JOIN unnest($2::uuid[], $3::text[], $4::smallint[]) AS n (id, state, permille) ON n.id = p.customer_id
			WHERE p.tenant_id = $1 AND p.customer_id = ANY ($2::uuid[])
				AND p.churn_permille IS DISTINCT FROM CASE WHEN n.state = 'scored' THEN n.permille END
			ORDER BY p.customer_id FOR NO KEY UPDATE OF p
		)
		UPDATE portrait p SET churn_permille = mine.permille FROM mine WHERE p.tenant_id = $1 AND p.customer_id = mine.customer_id`,
		tx.Tenant(), ids, states, permille).Exec(func(tag pgconn.CommandTag) error {
		counted(tag.RowsAffected())
		return nil
	})
	return nil
}
