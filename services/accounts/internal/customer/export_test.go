package customer

import (
	"context"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
)

// Plans gives how the server reads customers by ids and by an identity.
func Plans(ctx context.Context, tx *pg.Tx, id uuid.UUID, i identity.Identity) (plans map[string]string, err error) {
	get, args := getSQL(tx, id)
	plans = make(map[string]string)
	for name, q := range map[string]struct {
		sql  string
		args []any
	}{
		"get":          {get, args},
		"lookup":       {lookupSQL, []any{tx.Tenant(), i.Type, i.Value, false, maxFound}},
		"read all":     {allSQL, []any{tx.Tenant(), []uuid.UUID{id}}},
		"own":          {ownSQL, []any{tx.Tenant(), []uuid.UUID{id}}},
		"refer":        {refsSQL, []any{tx.Tenant(), []uuid.UUID{id}}},
		"hold":         {holdSQL + "SHARE", []any{tx.Tenant(), []uuid.UUID{id}}},
		"count orders": {dueSQL, []any{tx.Tenant(), []uuid.UUID{id}}},
		"archived":     {listSQL(Archived), []any{tx.Tenant(), uuid.Nil, 50}},
		"holders":      {holdersSQL, []any{tx.Tenant(), []string{string(i.Type)}, []string{i.Value}}},
	} {
		rows, err := tx.Query(ctx, `EXPLAIN (COSTS OFF) `+q.sql, q.args...)
		if err != nil {
			return nil, err
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return nil, err
		}
		plans[name] = strings.Join(lines, "\n")
	}
	return plans, nil
}
