package customer

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Rows gives, as a JSON array, the rows of a room's own table that hang on a customer by any id that means them: all columns
// but the tenant, in the given order (column names with commas between). column holds the customer's id. It is for what
// customers take along.
func Rows(ctx context.Context, tx *pg.Tx, group []uuid.UUID, table, column, order string, without ...string) (json.RawMessage, error) {
	var all string
	err := tx.QueryRow(ctx, fmt.Sprintf(`SELECT coalesce(jsonb_agg(to_jsonb(r) - 'tenant_id' - $3::text[] ORDER BY %s), '[]')::text
		FROM unnest($2::uuid[]) AS g(member)
		CROSS JOIN LATERAL (SELECT * FROM %s t WHERE t.tenant_id = $1 AND t.%s = g.member) r`, order, table, column),
		tx.Tenant(), group, append([]string{}, without...)).Scan(&all)
	return json.RawMessage(all), err
}
