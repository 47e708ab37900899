package tier_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/guanxi-crm/guanxi/services/loyalty/internal/tier"
)

// BenchmarkReview reviews 20,000 members with 20 days of qualifying points each, of whom half fall. It tells the time that a
// member takes, and the CPU of it that is this process's; the rest is PostgreSQL's.
func BenchmarkReview(b *testing.B) {
	const members = 20_000
	y := newYears(b, "2029-01-01 00:00", metals())
	ids := y.crowd("pizza", members, y.at("2026-05-01 00:00"))
	y.Admin(`INSERT INTO tier_version (tenant_id, programme, version, done_at) VALUES ('pizza', 'standard', 1, now())`)
	y.Admin(`INSERT INTO tier_day (tenant_id, member_id, day, points)
		SELECT 'pizza', n.id, date '2028-01-01' + d, CASE WHEN n.i % 2 = 0 THEN 30 ELSE 1 END
		FROM unnest($1::uuid[]) WITH ORDINALITY AS n(id, i), generate_series(0, 190, 10) AS d`, ids)
	y.Admin(`INSERT INTO tier_standing (tenant_id, member_id, programme, version, base, base_rank, level, since, review_at, due_at, decisions)
		SELECT 'pizza', id, 'standard', 1, 'silver', 1, 'silver', now(), $2, $2, 1 FROM unnest($1::uuid[]) AS n(id)`, ids, y.at("2029-01-01 00:00"))
	y.Admin(`ANALYZE`)
	r := y.reviewer()
	ctx := as(context.WithoutCancel(b.Context()), "")
	for b.Loop() {
		b.StopTimer()
		y.Admin(`UPDATE tier_standing SET base = 'silver', base_rank = 1, level = 'silver', review_at = $1, due_at = $1, decisions = 1`, y.at("2029-01-01 00:00"))
		y.Admin(`TRUNCATE tier_decision`)
		began, before := time.Now(), cpu(b)
		b.StartTimer()
		var s tier.Sweep
		for !s.Ended() {
			var err error
			if s, err = r.Step(ctx, s, ""); err != nil {
				b.Fatal(err)
			}
		}
		if s.Decided != members {
			b.Fatalf("%+v", s)
		}
		b.ReportMetric(float64(time.Since(began).Microseconds())/members, "µs/member")
		b.ReportMetric(float64((cpu(b)-before).Microseconds())/members, "own-µs/member")
	}
}

func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
