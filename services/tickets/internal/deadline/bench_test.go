package deadline_test

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/businesstime"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/outbox"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
	"github.com/guanxi-crm/guanxi/services/tickets"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/calendar"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/deadline"
	"github.com/guanxi-crm/guanxi/services/tickets/internal/sla"
)

// BenchmarkRecompute has GUANXI_BENCH_TICKETS open tickets (100,000 where it is not set) of five entries each, adds a
// holiday, and reports how long it takes until every deadline is reckoned anew.
func BenchmarkRecompute(b *testing.B) {
	n, err := strconv.Atoi(os.Getenv("GUANXI_BENCH_TICKETS"))
	if err != nil {
		n = 100_000
	}
	database := pgtest.Database(b, tickets.Module().Source())
	db := database.DB(pg.App)
	ctx := auth.With(b.Context(), auth.Principal{Subject: "bench", Tenant: "pizza"})
	calendars, policies := calendar.New(db, time.Now), sla.New(db, time.Now)
	day := []businesstime.Interval{{From: 9 * 60, To: 12 * 60}, {From: 13 * 60, To: 18 * 60}}
	draft := calendar.Draft{Name: "Office", Zone: "Asia/Shanghai", Hours: businesstime.Hours{Week: businesstime.Week{
		Monday: day, Tuesday: day, Wednesday: day, Thursday: day, Friday: day}}}
	c, err := calendars.Create(ctx, draft)
	if err != nil {
		b.Fatal(err)
	}
	p := sla.Policy{Name: "Standard", CalendarID: c.ID}
	for i := range p.Targets {
		p.Targets[i] = sla.Targets{FirstResponse: time.Hour, NextResponse: 48 * time.Hour, Resolution: 80 * time.Hour}
	}
	made, err := policies.Create(ctx, p, sla.Managed{})
	if err != nil {
		b.Fatal(err)
	}
	fill(b, database.AdminURL(), n, made)
	watch := deadline.New(db, outbox.New("tickets"), func() time.Time { return shanghai("2026-03-05 12:00") })
	// What the commands that change a ticket would have kept.
	if _, err := watch.Ask(ctx, deadline.Recomputation{Tickets: deadline.Open, Reason: "begin"}); err != nil {
		b.Fatal(err)
	}
	if err := watch.Recompute(ctx); err != nil {
		b.Fatal(err)
	}
	var holidays []businesstime.Holiday
	for i := 0; b.Loop(); i++ {
		date, _ := businesstime.ParseDate(shanghai("2026-03-09 00:00").AddDate(0, 0, i/5*7+i%5).Format(time.DateOnly))
		holidays = append(holidays, businesstime.Holiday{Date: date})
		draft.Hours.Years = []businesstime.Year{{Year: 2026, Holidays: holidays}}
		if _, err := calendars.Replace(ctx, c.ID, draft, func(int64) error { return nil }); err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		if err := watch.Recompute(ctx); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(began).Seconds(), "s/holiday")
	}
	all, err := watch.Recomputations(ctx, [16]byte{}, 1)
	if err != nil || all[0].LookedAt != int64(n) {
		b.Fatalf("%+v, %v", all, err)
	}
}

// fill writes n tickets of the policy, opened in the days before 5 March 2026, answered, and asked again.
func fill(b *testing.B, url string, n int, p sla.Stored) {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(b.Context())) }()
	for _, sql := range []string{
		`INSERT INTO ticket (tenant_id, id, version, number, kind, channel, subject, description, impact, urgency, priority, status, entries, opened_at,
			changed_at, policy_id, policy_version, agent, queue)
		SELECT 'pizza', (lpad(to_hex(n), 8, '0') || '-0000-7000-8000-000000000001')::uuid, 1, n, 'incident', 'email', 'x', '', 2, 2, 3,
			'open', 5, timestamptz '2026-03-02 01:00Z' + n % 100 * interval '1 minute', '2026-03-04', $2, $3, 'a' || n % 50, 'q' || n % 20
		FROM generate_series(1, $1::integer) n`,
		`INSERT INTO ticket_history (tenant_id, ticket_id, no, at, what, status, priority, by_subject)
		SELECT 'pizza', t.id, e.no, t.opened_at + e.after, e.what, e.status, 3, 'x' FROM ticket t, (VALUES
			(1, interval '0', 'opened', 'new'), (2, interval '30 minutes', 'public_reply', 'new'), (3, interval '30 minutes', 'status', 'open'),
			(4, interval '2 hours', 'customer_contact', 'open'), (5, interval '3 hours', 'note', 'open')) AS e(no, after, what, status)
		WHERE $1::integer > 0 AND $2::uuid IS NOT NULL AND $3::bigint > 0 ORDER BY t.id, e.no`,
		`VACUUM ANALYZE ticket, ticket_history`,
	} {
		args := []any{n, p.ID, p.Version}
		if sql[0] == 'V' {
			args = nil
		}
		if _, err := conn.Exec(b.Context(), sql, args...); err != nil {
			b.Fatal(err)
		}
	}
}
