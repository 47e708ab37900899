package customerimport

import (
	"fmt"
	"testing"
	"time"

	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/migrate"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/services/accounts/migrations"
	"github.com/guanxi-crm/guanxi/services/accounts/projection"
)

// BenchmarkApply brings batches of 1,000 new customers in; one operation is one row. Nothing else is at work.
func BenchmarkApply(b *testing.B) {
	const size = 1000
	db := pgtest.Database(b, migrate.Source{Service: "accounts", FS: migrations.FS, Projection: projection.FS}).DB(pg.App)
	err := db.Tx(b.Context(), "music", func(tx *pg.Tx) error {
		tx.Queue(`INSERT INTO tenant VALUES ('music', gen_random_uuid(), 1, 'Music', 'US', 'en', 'America/New_York', 'USD', 'active', now(), now())`)
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	m := &importer{db: db, outbox: outbox.New("accounts"), clock: time.Now}
	columns := []string{"external:shop", "family_name", "given_name", "phone", "email", "card"}
	job := imports.Job{Tenant: "music", Policy: imports.Skip, Columns: columns}
	b.ResetTimer()
	for first := 0; first < b.N; first += size {
		rows := make([]imports.Row, min(size, b.N-first))
		for n := range rows {
			at := first + n
			rows[n] = imports.NewRow(int64(n+1), columns, []string{fmt.Sprintf("S%07d", at), "Smith", fmt.Sprintf("Ann%d", at),
				fmt.Sprintf("+1617%07d", at%10_000_000), fmt.Sprintf("ann%d@example.com", at), fmt.Sprintf("VIP%07d", at)})
		}
		err := db.Tx(b.Context(), "music", func(tx *pg.Tx) error {
			if first > 0 {
				tx.PlanForAny()
			}
			rejected, err := m.apply(b.Context(), tx, job, rows)
			if err == nil && len(rejected) > 0 {
				b.Fatal(rejected)
			}
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
