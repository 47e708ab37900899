package orderimport

import (
	"fmt"
	"testing"
	"time"

	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/migrate"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/services/sales/migrations"
)

// batchOf makes rows of the music shop from a number on.
func batchOf(first, n int) []imports.Row {
	columns := []string{"external_id", "customer", "customer_system", "placed_at", "quantity", "amount", "currency"}
	rows := make([]imports.Row, n)
	for i := range rows {
		at := first + i
		rows[i] = imports.NewRow(int64(i+1), columns, []string{fmt.Sprint(at), fmt.Sprintf("%05d", at/3%23570), "cdnow", "19970101", "2", "11.77", "USD"})
	}
	return rows
}

// BenchmarkPrepare reads rows; one operation is one row.
func BenchmarkPrepare(b *testing.B) {
	rows := batchOf(0, 1000)
	b.ReportAllocs()
	for n := 0; n < b.N; n += len(rows) {
		prepare(rows, false, noon)
	}
}

// BenchmarkApply brings batches of 1,000 new orders of customers in who are known; one operation is one row. Nothing else is at work.
func BenchmarkApply(b *testing.B) {
	const size = 1000
	db := pgtest.Database(b, migrate.Source{Service: "sales", FS: migrations.FS, Aliases: true}).DB(pg.App)
	err := db.Tx(b.Context(), "music", func(tx *pg.Tx) error {
		tx.Queue(`INSERT INTO customer_ref SELECT 'music', 'cdnow', lpad(n::text, 5, '0'), gen_random_uuid() FROM generate_series(0, 23570) AS n`)
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	m := &importer{outbox: outbox.New("sales"), clock: time.Now}
	b.ResetTimer()
	for first := 0; first < b.N; first += size {
		b.StopTimer()
		rows := batchOf(first, min(size, b.N-first))
		prepare(rows, false, time.Now())
		b.StartTimer()
		err := db.Tx(b.Context(), "music", func(tx *pg.Tx) error {
			if first > 0 {
				tx.PlanForAny()
			}
			rejected, err := m.apply(b.Context(), tx, imports.Job{Tenant: "music"}, rows)
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
