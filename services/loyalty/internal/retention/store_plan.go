package retention

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

var errPlanNotFound = problem.New(problem.NotFound, "retention_plan_not_found", "There is no such plan.")

const planColumns = `p.code, v.version, p.salt, v.terms`

func scanPlan(row pgx.Row) (p Plan, err error) {
	var terms []byte
	err = row.Scan(&p.Code, &p.Version, &p.Salt, &terms)
	if errors.Is(err, pgx.ErrNoRows) {
		return Plan{}, errPlanNotFound
	}
	if err == nil {
		err = json.Unmarshal(terms, &p.Terms)
	}
	return p, err
}

// loadPlan gives a plan by a version of its terms, 0 for the present one; locked, if asked to.
func loadPlan(ctx context.Context, tx *pg.Tx, code string, version int64, locked bool) (Plan, error) {
	if locked {
		tx.Queue(`SELECT 1 FROM retention_plan WHERE tenant_id = $1 AND code = $2 FOR UPDATE`, tx.Tenant(), code)
	}
	return scanPlan(tx.QueryRow(ctx, `SELECT `+planColumns+` FROM retention_plan p
		JOIN retention_plan_version v ON v.tenant_id = p.tenant_id AND v.plan = p.code AND v.version = CASE WHEN $3 = 0 THEN p.version ELSE $3 END
		WHERE p.tenant_id = $1 AND p.code = $2`, tx.Tenant(), code, version))
}

// plansOf gives up to limit plans after a code by their present versions, in the order of their codes; the active ones only,
// if asked to.
func plansOf(ctx context.Context, tx *pg.Tx, after string, active bool, limit int) ([]Plan, error) {
	rows, err := tx.Query(ctx, `SELECT `+planColumns+` FROM retention_plan p
		JOIN retention_plan_version v ON v.tenant_id = p.tenant_id AND v.plan = p.code AND v.version = p.version
		WHERE p.tenant_id = $1 AND p.code > $2 AND (p.active OR NOT $3) ORDER BY p.code LIMIT $4`, tx.Tenant(), after, active, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Plan, error) { return scanPlan(row) })
}

// savePlan queues the plan's version as the present one.
func savePlan(tx *pg.Tx, p Plan, by string, at time.Time) error {
	terms, err := json.Marshal(p.Terms)
	if err != nil {
		return err
	}
	if p.Version == 1 {
		tx.Queue(`INSERT INTO retention_plan (tenant_id, code, version, salt, active, changed_at) VALUES ($1, $2, $3, $4, $5, $6)`,
			tx.Tenant(), p.Code, p.Version, p.Salt, p.Active, at)
	} else {
		tx.Queue(`UPDATE retention_plan SET version = $3, active = $4, changed_at = $5 WHERE tenant_id = $1 AND code = $2`,
			tx.Tenant(), p.Code, p.Version, p.Active, at)
	}
	tx.Queue(`INSERT INTO retention_plan_version (tenant_id, plan, version, terms, by_subject, at) VALUES ($1, $2, $3, $4, $5, $6)`,
		tx.Tenant(), p.Code, p.Version, terms, by, at)
	return nil
}
