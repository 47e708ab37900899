package customerimport

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
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
	before := backends(b, db)
	b.ResetTimer()
	for first := 0; first < b.N; first += size {
		rows := make([]imports.Row, min(size, b.N-first))
		for n := range rows {
			at := first + n
			rows[n] = imports.NewRow(int64(n+1), columns, []string{fmt.Sprintf("S%07d", at), "Smith", fmt.Sprintf("Ann%d", at),
				fmt.Sprintf("+1617%07d", scattered(at)), fmt.Sprintf("ann%d@example.com", scattered(at)), fmt.Sprintf("VIP%07d", at)})
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
	b.StopTimer()
	b.ReportMetric(float64((backends(b, db)-before).Microseconds())/float64(b.N), "postgres-us/op")
}

// scattered gives telephones and mailboxes in no order, each once below ten million.
func scattered(n int) int { return n * 7_368_787 % 10_000_000 }

// backends gives how long the processors have worked for the open connections to the database: unlike the time that
// passes, it hardly depends on what else the machine does. Zero where there is no /proc.
func backends(b *testing.B, db *pg.DB) (worked time.Duration) {
	b.Helper()
	var pids []int
	err := db.Tx(b.Context(), "music", func(tx *pg.Tx) error {
		return tx.QueryRow(b.Context(), `SELECT array_agg(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user`).Scan(&pids)
	})
	if err != nil {
		b.Fatal(err)
	}
	const tick = 10 * time.Millisecond
	for _, pid := range pids {
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) > 12 {
			user, _ := strconv.Atoi(fields[11])
			system, _ := strconv.Atoi(fields[12])
			worked += time.Duration(user+system) * tick
		}
	}
	return worked
}
