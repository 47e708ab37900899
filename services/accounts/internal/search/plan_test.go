package search

import (
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/migrate"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/services/accounts/migrations"
)

// Whatever the statistics say, customers are loaded by their keys, under row level security, too.
func TestCustomersAreLoadedByTheirKeys(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t, migrate.Source{Service: "accounts", FS: migrations.FS})
	err := db.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		tx.PlanForAny()
		rows, err := tx.Query(t.Context(), "EXPLAIN "+loadSQL, "pizza", []uuid.UUID{})
		if err != nil {
			return err
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		plan := strings.Join(lines, "\n")
		keys := strings.Count(plan, "AND (id = ") + strings.Count(plan, "AND (customer_id = ")
		if strings.Contains(plan, "Seq Scan") || keys != 5 || strings.Contains(plan, "Index Cond: (tenant_id = 'pizza'::text)\n") {
			t.Errorf("%d of 5 tables are read by their keys\n%s", keys, plan)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
