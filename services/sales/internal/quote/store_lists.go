package quote

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/flow"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// listSQL lists the quotes that fit the filter, the latest first.
func listSQL(f Filter, limit int) (sql string, args []any) {
	where, from := []string{"q.tenant_id = $1"}, "quote q"
	only := func(condition string, value any) {
		args = append(args, value)
		where = append(where, strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)+1), 1))
	}
	if f.OpportunityID != uuid.Nil {
		only("q.opportunity_id = ?", f.OpportunityID)
	}
	if f.State != "" {
		only("q.state = ?", f.State)
	}
	if f.Before != uuid.Nil {
		only("q.id < ?", f.Before)
	}
	end := fmt.Sprintf(" ORDER BY q.id DESC LIMIT %d", limit)
	if f.CustomerID == uuid.Nil {
		return `SELECT q.* FROM ` + from + ` WHERE ` + strings.Join(where, " AND ") + end, args
	}
	args = append(args, f.CustomerID) // of each id that means the customer the latest, by the index that has them in order
	return fmt.Sprintf(`SELECT q.* FROM unnest(customer_group($1, $%d)) AS g(id)
		CROSS JOIN LATERAL (SELECT * FROM quote q WHERE q.customer_id = g.id AND %s%s) q%s`, len(args)+1, strings.Join(where, " AND "), end, end), args
}

// awaiting lists the quotes that wait for the person's approval. It says by columns what Quote.Check says of rows.
func awaiting(ctx context.Context, tx *pg.Tx, who flow.Actor, before uuid.UUID, limit int) ([]Quote, error) {
	return collect(ctx, tx, fmt.Sprintf(`SELECT q.* FROM quote_version v JOIN quote q ON q.tenant_id = v.tenant_id AND q.id = v.quote_id
		CROSS JOIN LATERAL (SELECT v.policy->'levels'->v.level_at->'approvers' AS approvers) l
		WHERE v.tenant_id = $1 AND v.state = 'in_approval' AND ($3::uuid IS NULL OR v.quote_id < $3) AND NOT $2::text = ANY (v.authors)
			AND (jsonb_array_length(coalesce(l.approvers, '[]')) = 0 OR l.approvers @> to_jsonb($2::text))
			AND (coalesce((v.policy->>'twice')::boolean, false) OR NOT v.given @> jsonb_build_array(jsonb_build_object('by', $2::text)))
		ORDER BY q.id DESC LIMIT %d`, limit), who.Subject, pg.OrNull(before))
}
