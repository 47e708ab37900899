package customerimport

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
)

// BenchmarkWork reads batches of 1,000 rows and works them, without a database; one operation is one row.
func BenchmarkWork(b *testing.B) {
	const size = 1000
	columns := []string{"external:shop", "family_name", "given_name", "phone", "email", "card", "tags"}
	rows := make([]imports.Row, size)
	for n := range rows {
		rows[n] = imports.NewRow(int64(n+1), columns, []string{fmt.Sprintf("S%07d", n), "Smith", fmt.Sprintf("Ann%d", n),
			fmt.Sprintf("+1617%07d", scattered(n)), fmt.Sprintf("ann%d@example.com", scattered(n)), fmt.Sprintf("VIP%07d", n), "vip"})
	}
	m := &importer{outbox: outbox.New("accounts"), clock: time.Now}
	job := imports.Job{Tenant: "music", Policy: imports.Skip, Columns: columns}
	rd := m.reading(job, "US", nil)
	before, working := &unwritten{}, newBatch(job.Policy, rd.at, uuid.New, 0, nil, others{})
	b.ReportAllocs()
	b.ResetTimer()
	for first := 0; first < b.N; first += size {
		records := make([]*record, 0, size)
		for _, row := range rows {
			r, faults := rd.read(row.Line, row.Get, row.More()...)
			if len(faults) > 0 {
				b.Fatal(faults)
			}
			records = append(records, r)
		}
		before.strangers(records)
		out := m.work(b.Context(), "music", working.begin(rd.at), records)
		if out.err != nil || len(out.added) != size {
			b.Fatal(out.err, len(out.added))
		}
	}
}
