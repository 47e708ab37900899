package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/tools/guanxictl/client"
)

const (
	// lotsExpired is how many lots run out, and lotsEach how many of them each member has.
	lotsExpired, lotsEach = 1_000_000, 5
	// expiryWanted is in how many seconds.
	expiryWanted = 60
	// lotPoints is what each lot has.
	lotPoints = 10
	// expiryTenant is whose points run out by the platform, and expirySQLTenant whose by plain SQL.
	expiryTenant, expirySQLTenant = "bench-expiry", "bench-expiry-sql"
)

// measureExpiry has the points of many lots run out, as operators start it, while events wait as they do in an import: from the
// command to the last lot, beside plain SQL that does the same to the same tables in one statement, without pages, without
// members who can spend meanwhile, and without a word to anybody. The ledger has to be right afterwards.
func measureExpiry(ctx context.Context, b *bench) error {
	lots := length(b, lotsExpired, 20_000)
	if err := b.serve(ctx, "http,workers"); err != nil {
		return err
	}
	conn, err := b.database(ctx, "loyalty")
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for _, tenant := range []string{expirySQLTenant, expiryTenant} {
		if err := b.ensureTenant(ctx, tenant); err != nil {
			return err
		}
		if err := overdueLots(ctx, conn, tenant, lots); err != nil {
			return err
		}
	}
	began := time.Now()
	if err := expirePlainly(ctx, conn); err != nil {
		return err
	}
	plain := time.Since(began)
	took, program, database, err := b.expire(ctx, conn, lots)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%d lots of %d members run out", lots, lots/lotsEach)
	b.add(row{Name: name + ", events waiting", Unit: "s", Measured: took.Seconds()}.against("one SQL statement", plain.Seconds()).atMost(expiryWanted),
		row{Name: name + ": processors' time of the program, a lot", Unit: "µs", Measured: program / float64(lots) * 1e6},
		row{Name: name + ": processors' time of PostgreSQL, a lot", Unit: "µs", Measured: database / float64(lots) * 1e6})
	if err := b.serve(ctx, ""); err != nil {
		return err
	}
	began = time.Now()
	if err := b.settleWithin(ctx, time.Hour); err != nil {
		return err
	}
	b.add(row{Name: "their events, from the table to all services' projections", Unit: "/s", Measured: perSecond(lots/lotsEach, time.Since(began))})
	return b.expiredIs(ctx, lots)
}

// overdueLots makes members with lots whose day is long over, and the entries that they are from.
func overdueLots(ctx context.Context, conn *pgx.Conn, tenant string, lots int) error {
	members := lots / lotsEach
	_, err := conn.Exec(ctx, `INSERT INTO member (tenant_id, id, customer_id, card_number, source, enrolled_at, available, entries)
		SELECT $1, m, gen_random_uuid(), n::text, 'bench', now() - interval '2 years', $3::bigint * $4, $3
		FROM (SELECT n, ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid AS m FROM generate_series(1, $2::int) n) x`,
		tenant, members, lotsEach, lotPoints)
	if err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, `INSERT INTO ledger_entry (tenant_id, id, member_id, entry_no, kind, key, reason_type, reason_id, booked_by,
			effective_at, recorded_at, available, issued, available_after)
		SELECT m.tenant_id, gen_random_uuid(), m.id, k, 'earn', m.id || '/' || k, 'bench', '', 'bench', m.enrolled_at, m.enrolled_at, $2, -$2::bigint, k * $2::bigint
		FROM member m CROSS JOIN generate_series(1, m.entries) k WHERE m.tenant_id = $1`, tenant, lotPoints); err != nil {
		return err
	}
	// The lots of a member came in one after the other, with those of others in between.
	if _, err := conn.Exec(ctx, `INSERT INTO lot (tenant_id, id, member_id, points, remaining, available_at, released, earned_at, reason_type, reason_id, expires_at)
		SELECT tenant_id, id, member_id, $2, $2, effective_at, true, effective_at, 'bench', '', date_trunc('day', now()) - interval '1 day'
		FROM ledger_entry WHERE tenant_id = $1 ORDER BY entry_no, member_id`, tenant, lotPoints); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, `ANALYZE member, ledger_entry, lot, lot_use`)
	return err
}

// expirePlainly does it with one statement.
func expirePlainly(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `WITH gone AS (
			UPDATE lot SET remaining = 0, expired = points WHERE tenant_id = $1 AND remaining > 0 AND expires_at <= now() RETURNING id, member_id, points
		), each AS (
			SELECT member_id, sum(points)::bigint AS points, gen_random_uuid() AS entry FROM gone GROUP BY member_id
		), owner AS (
			UPDATE member m SET available = m.available - e.points, entries = m.entries + 1 FROM each e WHERE m.tenant_id = $1 AND m.id = e.member_id
			RETURNING m.id, m.entries, m.available
		), entry AS (
			INSERT INTO ledger_entry (tenant_id, id, member_id, entry_no, kind, key, reason_type, reason_id, booked_by, effective_at, recorded_at, available, expired, available_after)
			SELECT $1, e.entry, o.id, o.entries, 'expiry', 'expiry/' || e.entry, 'expiry', '', 'bench', now(), now(), -e.points, e.points, o.available
			FROM each e JOIN owner o ON o.id = e.member_id
		)
		INSERT INTO lot_use (tenant_id, entry_id, lot_id, points) SELECT $1, e.entry, g.id, g.points FROM gone g JOIN each e USING (member_id)`, expirySQLTenant)
	return err
}

// expire starts it and waits until no lot has anything left.
func (b *bench) expire(ctx context.Context, conn *pgx.Conn, lots int) (took time.Duration, program, database float64, err error) {
	api, err := b.client(expiryTenant, "operations")
	if err != nil {
		return 0, 0, 0, err
	}
	worked := b.watchProcessors()
	began := time.Now()
	if _, err := api.ExpirePoints(ctx); err != nil {
		return 0, 0, 0, err
	}
	for left := true; left; {
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return 0, 0, 0, err
		}
		if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM member WHERE tenant_id = $1 AND id > $2 AND available > 0)`, expiryTenant,
			fmt.Sprintf("00000000-0000-7000-8000-%012x", lots/lotsEach-100)).Scan(&left); err != nil {
			return 0, 0, 0, err
		}
		if time.Since(began) > time.Hour {
			return 0, 0, 0, errors.New("the points have not run out within an hour")
		}
	}
	var left int
	for { // the last members of the way are not always the last to be done
		if err := conn.QueryRow(ctx, `SELECT count(*) FROM lot WHERE tenant_id = $1 AND remaining > 0`, expiryTenant).Scan(&left); err != nil || left == 0 {
			break
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return 0, 0, 0, err
		}
	}
	took = time.Since(began)
	program, database = worked()
	return took, program, database, err
}

// expiredIs demands that all points of the tenant ran out, once each, and that the auditor's check is well.
func (b *bench) expiredIs(ctx context.Context, lots int) error {
	api, err := b.client(expiryTenant, "admin")
	if err != nil {
		return err
	}
	s, err := api.PointsSummary(ctx)
	if err != nil {
		return err
	}
	want := client.PointsSummary{
		Members: int64(lots / lotsEach), Entries: int64(lots + lots/lotsEach), Earned: int64(lots * lotPoints), Expired: int64(lots * lotPoints),
	}
	if s != want {
		return fmt.Errorf("the ledger has %+v, want %+v", s, want)
	}
	b.say("the ledger has what ran out, once each")
	return nil
}
