package matching

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/migrate"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/services/accounts/migrations"
)

// A registration asks who has its identities: by their whole keys, whatever the statistics say.
func TestWhoHasAnIdentityIsFoundByItsKey(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t, migrate.Source{Service: "accounts", FS: migrations.FS})
	err := db.Tx(t.Context(), "pizza", func(tx *pg.Tx) error {
		tx.PlanForAny()
		rows, err := tx.Query(t.Context(), "EXPLAIN "+holdersSQL, "pizza", []string{}, []string{}, 40)
		if err != nil {
			return err
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		plan := strings.Join(lines, "\n")
		if strings.Contains(plan, "Seq Scan") || !strings.Contains(plan, "(value = n.value) AND (type = n.type) AND (tenant_id = ") || !strings.Contains(plan, "AND (id = ") {
			t.Errorf("\n%s", plan)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
