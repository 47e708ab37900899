package mining

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/model"
)

// useRules puts the rules of a model in the place of those in use.
func (m *Mining) useRules(_ context.Context, tx *pg.Tx, of model.Model) error {
	var state rulesState
	if err := json.Unmarshal(of.State, &state); err != nil {
		return err
	}
	type written struct {
		No         int      `json:"no"`
		Conditions []string `json:"conditions"`
		Anchor     string   `json:"anchor"`
		Consequent string   `json:"consequent"`
		Baskets    int      `json:"baskets"`
		WithIf     int      `json:"with_if"`
		WithThen   int      `json:"with_then"`
		WithBoth   int      `json:"with_both"`
		Score      float64  `json:"score"`
	}
	rows := make([]written, len(state.Rules))
	for i, r := range state.Rules {
		rows[i] = written{i + 1, r.If, r.If[0], r.Then, r.N, r.Counts.If, r.Counts.Then, r.Both, r.Score()}
	}
	raw, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	tx.Queue(`DELETE FROM mining_rule WHERE tenant_id = $1`, tx.Tenant())
	tx.Queue(`INSERT INTO mining_rule (tenant_id, no, model_id, conditions, anchor, consequent, baskets, with_if, with_then, with_both, score)
		SELECT $1, r.no, $2, r.conditions, r.anchor, r.consequent, r.baskets, r.with_if, r.with_then, r.with_both, r.score
		FROM jsonb_to_recordset($3) AS r(no integer, conditions text[], anchor text, consequent text, baskets bigint, with_if bigint, with_then bigint,
			with_both bigint, score double precision)`, tx.Tenant(), of.ID, json.RawMessage(raw))
	return nil
}

// rulesOf gives the rules in use that have one of the articles as their anchor: those whose condition they meet are among them.
func rulesOf(ctx context.Context, tx *pg.Tx, skus []string, most int) ([]Rule, error) {
	rows, err := tx.Query(ctx, `SELECT conditions, consequent, baskets, with_if, with_then, with_both FROM mining_rule
		WHERE tenant_id = $1 AND anchor = ANY ($2) AND cardinality(conditions) <= $3`, tx.Tenant(), skus, most)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r Rule, err error) {
		err = row.Scan(&r.If, &r.Then, &r.N, &r.Counts.If, &r.Counts.Then, &r.Both)
		return r, err
	})
}

// purchases gives what the customer bought: held, what did not come back, and has, all of it. Gone customer_erased where the
// customer asked to be forgotten, NotFound customer_not_found where nothing was ever heard of it.
func purchases(ctx context.Context, tx *pg.Tx, id uuid.UUID) (root uuid.UUID, held, has []string, err error) {
	var known, erased bool
	err = tx.QueryRow(ctx, `
SELECT customer_root($1, $2), EXISTS (SELECT FROM fact_customer c WHERE c.tenant_id = $1 AND c.customer_id = ANY (g.ids))
		OR EXISTS (SELECT FROM fact_order o WHERE o.tenant_id = $1 AND o.customer_id = ANY (g.ids)),
	EXISTS (SELECT FROM fact_customer c WHERE c.tenant_id = $1 AND c.customer_id = ANY (g.ids) AND c.erased_at IS NOT NULL)
FROM (SELECT customer_group($1, $2) AS ids) g`, tx.Tenant(), id).Scan(&root, &known, &erased)
	switch {
	case err != nil:
		return root, nil, nil, err
	case erased:
		return root, nil, nil, problem.New(problem.Gone, "customer_erased", "The customer was erased: nothing is recommended to it.")
	case !known:
		return root, nil, nil, problem.New(problem.NotFound, "customer_not_found", "Analytics has heard nothing of this customer.")
	}
	rows, err := tx.Query(ctx, `
SELECT s.sku, bool_or(o.units = 0 OR coalesce(r.units, 0) < o.units)
FROM fact_order o
CROSS JOIN LATERAL unnest(o.skus) AS s(sku)
LEFT JOIN LATERAL (SELECT sum(units) AS units FROM fact_return WHERE tenant_id = $1 AND order_id = o.order_id) r ON true
WHERE o.tenant_id = $1 AND o.customer_id = ANY ((SELECT customer_group($1, $2))::uuid[]) AND s.sku <> ''
GROUP BY s.sku ORDER BY s.sku`, tx.Tenant(), id)
	if err != nil {
		return root, nil, nil, err
	}
	var sku string
	var kept bool
	_, err = pgx.ForEachRow(rows, []any{&sku, &kept}, func() error {
		if has = append(has, sku); kept {
			held = append(held, sku)
		}
		return nil
	})
	return root, held, has, err
}

// assignment is how far the writing of clusters is.
type assignment struct {
	ModelID    uuid.UUID
	Day        time.Time
	After      uuid.UUID
	Done       bool
	Customers  int64
	Changed    int64
	StartedAt  time.Time
	FinishedAt *time.Time
}

const assignmentColumns = `model_id, day, after_id, done, customers, changed, started_at, finished_at`

func scanAssignment(row pgx.Row) (a assignment, ok bool, err error) {
	err = row.Scan(&a.ModelID, &a.Day, &a.After, &a.Done, &a.Customers, &a.Changed, &a.StartedAt, &a.FinishedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return a, false, nil
	}
	return a, err == nil, err
}

// findAssignment reads how far it is; ok is false where no model was ever put to use.
func findAssignment(ctx context.Context, tx *pg.Tx) (assignment, bool, error) {
	return scanAssignment(tx.QueryRow(ctx, `SELECT `+assignmentColumns+` FROM mining_assignment WHERE tenant_id = $1`, tx.Tenant()))
}

// claimAssignment locks it; ok is false where another worker has it.
func claimAssignment(ctx context.Context, tx *pg.Tx) (assignment, bool, error) {
	return scanAssignment(tx.QueryRow(ctx, `SELECT `+assignmentColumns+` FROM mining_assignment WHERE tenant_id = $1 FOR UPDATE SKIP LOCKED`, tx.Tenant()))
}

func queueAssignment(tx *pg.Tx, a assignment) {
	tx.Queue(`INSERT INTO mining_assignment (tenant_id, `+assignmentColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (tenant_id) DO UPDATE SET model_id = excluded.model_id, day = excluded.day, after_id = excluded.after_id, done = excluded.done,
			customers = excluded.customers, changed = excluded.changed, started_at = excluded.started_at, finished_at = excluded.finished_at`,
		tx.Tenant(), a.ModelID, a.Day, a.After, a.Done, a.Customers, a.Changed, a.StartedAt, a.FinishedAt)
}

// writeClusters writes the clusters of portraits (an empty one: none) where they are other ones, in the order of the customers, and
// gives how many were.
func writeClusters(ctx context.Context, tx *pg.Tx, customers []uuid.UUID, clusters []string) (int64, error) {
	tag, err := tx.ExecNow(ctx, `
WITH news AS (SELECT * FROM unnest($2::uuid[], $3::text[]) AS n(customer_id, cluster)),
locked AS (
	SELECT p.customer_id, nullif(n.cluster, '') AS cluster FROM news n
	CROSS JOIN LATERAL (SELECT customer_id FROM portrait WHERE tenant_id = $1 AND customer_id = n.customer_id
		AND cluster IS DISTINCT FROM nullif(n.cluster, '') LIMIT 1) p
)
UPDATE portrait p SET cluster = l.cluster FROM locked l WHERE p.tenant_id = $1 AND p.customer_id = l.customer_id`, tx.Tenant(), customers, clusters)
	return tag.RowsAffected(), err
}
