package opportunity

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/sales/internal/pipeline"
)

// FollowUp is what the process asks for.
func (o *Opportunities) FollowUp(ctx context.Context, in Input) (Progress, error) {
	return o.followUp(ctx, in)
}

// ProcessOf is whom the process acts as.
func ProcessOf(tenant string) auth.Principal { return auth.Principal{Subject: process, Tenant: tenant} }

// Explain gives how the statements of a board of the standard pipeline are carried out.
func (v View) Explain(ctx context.Context, t testing.TB, db *pg.DB, tenant string) (sums, cards string) {
	t.Helper()
	explain := func(sql string, args []any) string {
		var lines []string
		err := db.Read(ctx, tenant, func(tx *pg.Tx) error {
			rows, err := tx.Query(ctx, `EXPLAIN (ANALYZE, COSTS OFF) `+sql, args...)
			if err != nil {
				return err
			}
			lines, err = pgx.CollectRows(rows, pgx.RowTo[string])
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(lines, "\n")
	}
	sql, args := v.sums(tenant, pipeline.Standard())
	sums = explain(sql, args)
	sql, args = v.cards(tenant, pipeline.Standard())
	return sums, explain(sql, args)
}
