package audit

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// pageMembers is how many members are checked by one statement, which ought to take less than 5 s, also where each has a hundred
// entries.
const pageMembers = 1000

// last is where the last page ends.
var last = uuid.Max

// Auditor checks ledgers.
type Auditor struct {
	db    *pg.DB // bound to the tenant that asks
	ops   *pg.DB // looks over all tenants
	clock func() time.Time
}

// New makes the capability.
func New(db, ops *pg.DB, clock func() time.Time) *Auditor {
	return &Auditor{db: db, ops: ops, clock: clock}
}

// Check checks the ledger of the caller's tenant, page by page.
func (a *Auditor) Check(ctx context.Context) (Report, error) {
	report := Report{CheckedAt: a.clock().UTC().Truncate(time.Microsecond)}
	tenant := auth.Tenant(ctx)
	for after, more := uuid.Nil, true; more; {
		err := a.db.Read(ctx, tenant, func(tx *pg.Tx) error {
			part, to, err := page(ctx, tx, tenant, after)
			if err != nil {
				return err
			}
			report.add(part)
			after, more = to, to != last
			return nil
		})
		if err != nil {
			return Report{}, err
		}
	}
	return report, nil
}

// page checks the members after the given one, and all else of theirs, up to the one that it gives. What is compared is
// read by one statement, so that bookings that go on meanwhile make no difference.
func page(ctx context.Context, tx *pg.Tx, tenant string, after uuid.UUID) (part Report, to uuid.UUID, err error) {
	err = tx.QueryRow(ctx, `SELECT id FROM member WHERE tenant_id = $1 AND id > $2 ORDER BY id OFFSET $3 LIMIT 1`,
		tenant, after, pageMembers-1).Scan(&to)
	if errors.Is(err, pgx.ErrNoRows) {
		to, err = last, nil
	}
	if err != nil {
		return part, to, err
	}
	tx.Queue(programmesSQL, tenant, after, to, to == last).Query(func(rows pgx.Rows) error {
		var p Programme
		_, err := pgx.ForEachRow(rows, []any{&p.Code, &p.Members, &p.Owed, &p.Debt, &p.Entries, &p.Issued, &p.LedgerSum}, func() error {
			part.Members, part.Entries, part.LedgerSum = part.Members+p.Members, part.Entries+p.Entries, part.LedgerSum+p.LedgerSum
			part.addProgramme(p)
			return nil
		})
		return err
	})
	for _, sql := range []string{membersSQL, entriesSQL, lotsSQL} {
		tx.Queue(sql, tenant, after, to, maxDifferences).Query(func(rows pgx.Rows) error {
			var (
				d             Difference
				member, about *uuid.UUID
				total         int64
			)
			_, err := pgx.ForEachRow(rows, []any{&member, &about, &d.What, &d.Wanted, &d.Found, &total}, func() error {
				d.MemberID, d.About = orNil(member), orNil(about)
				part.Differences = append(part.Differences, d)
				return nil
			})
			part.Total += total
			return err
		})
	}
	return part, to, tx.Flush(ctx)
}

func orNil(id *uuid.UUID) uuid.UUID {
	if id == nil {
		return uuid.Nil
	}
	return *id
}

// Each statement is about the members after $2 up to $3 of the tenant $1, those included that are not there any more, and
// gives up to $4 differences: member, entry or lot, what, wanted, found, and how many there are in all.
const (
	programmesSQL = `
SELECT programme, coalesce(m.members, 0), coalesce(m.owed, 0), coalesce(m.debt, 0), coalesce(e.entries, 0), coalesce(e.issued, 0), coalesce(e.total, 0)
FROM (
	SELECT programme, count(*) AS members, sum(available + pending)::bigint AS owed, sum(debt)::bigint AS debt
	FROM member WHERE tenant_id = $1 AND id > $2 AND id <= $3 GROUP BY programme
) m FULL JOIN (
	SELECT programme, count(*) AS entries, sum(issued + redeemed + expired + adjusted + settlement)::bigint AS issued,
		sum(pending + available + debt + issued + redeemed + expired + adjusted + settlement)::bigint AS total
	FROM (
		SELECT * FROM ledger_entry WHERE tenant_id = $1 AND member_id > $2 AND member_id <= $3
		UNION ALL
		SELECT * FROM ledger_entry WHERE tenant_id = $1 AND member_id IS NULL AND $4
	) k GROUP BY programme
) e USING (programme)`

	membersSQL = `
SELECT id, NULL::uuid, what, wanted, found, count(*) OVER () FROM (
	SELECT m.id AS member, coalesce(m.id, e.member_id, l.member_id) AS id, m.available, m.pending, m.debt, m.entries,
		coalesce(e.available, 0) AS e_available, coalesce(e.pending, 0) AS e_pending, coalesce(e.debt, 0) AS e_debt,
		coalesce(e.total, 0) AS e_total, coalesce(e.n, 0) AS e_n, coalesce(e.highest, 0) AS e_highest,
		coalesce(l.available, 0) AS l_available, coalesce(l.pending, 0) AS l_pending
	FROM (SELECT id, available, pending, debt, entries FROM member WHERE tenant_id = $1 AND id > $2 AND id <= $3) m
	FULL JOIN (
		SELECT member_id, sum(available)::bigint AS available, sum(pending)::bigint AS pending, -sum(debt)::bigint AS debt,
			sum(pending + available + debt + issued + redeemed + expired + adjusted + settlement)::bigint AS total,
			count(*) AS n, max(entry_no) AS highest
		FROM ledger_entry WHERE tenant_id = $1 AND member_id > $2 AND member_id <= $3 GROUP BY member_id
	) e ON e.member_id = m.id
	FULL JOIN (
		SELECT member_id, coalesce(sum(remaining) FILTER (WHERE released), 0)::bigint AS available,
			coalesce(sum(remaining) FILTER (WHERE NOT released), 0)::bigint AS pending
		FROM lot WHERE tenant_id = $1 AND member_id > $2 AND member_id <= $3 AND remaining > 0 GROUP BY member_id
	) l ON l.member_id = coalesce(m.id, e.member_id)
) x CROSS JOIN LATERAL (VALUES
	('member', 1, (x.member IS NOT NULL)::int::bigint),         -- whose entries or lots these are
	('entry_sum', 0, e_total),                                  -- of all postings of the member's entries
	('entry_count', e_highest, e_n),                            -- the entries are numbered without gaps
	('entries', e_n, coalesce(entries, 0)),                     -- the number of the latest entry, as the member has it
	('available', e_available, coalesce(available, 0)),         -- balances, as the member has them
	('pending', e_pending, coalesce(pending, 0)),
	('debt', e_debt, coalesce(debt, 0)),
	('lots_available', e_available, l_available),               -- what is left of the member's lots
	('lots_pending', e_pending, l_pending),
	('below_zero', 0, least(e_available, e_pending, e_debt, 0))
) v(what, wanted, found) WHERE wanted <> found
ORDER BY id, what LIMIT $4`

	// An entry's sum, the balance that it left, the lot that it made, the lots that it took from or gave back to, the spend that it
	// gave back, and the programme that it is about.
	entriesSQL = `
SELECT member_id, id, what, wanted, found, count(*) OVER () FROM (
	SELECT e.member_id, e.id, e.available_after,
		e.pending + e.available + e.debt + e.issued + e.redeemed + e.expired + e.adjusted + e.settlement AS total,
		(sum(e.available) OVER (PARTITION BY e.member_id ORDER BY e.entry_no))::bigint AS after,
		CASE WHEN e.kind IN ('earn', 'grant') OR e.kind = 'adjustment' AND e.adjusted < 0 THEN e.available + e.pending ELSE 0 END AS made,
		coalesce(l.points, 0) AS lot,
		CASE WHEN e.kind IN ('spend', 'reversal', 'restore', 'expiry') OR e.kind = 'adjustment' AND e.adjusted > 0
			THEN -e.available - e.pending ELSE 0 END AS taken,
		coalesce(u.points, 0) AS used,
		CASE WHEN e.kind = 'restore' THEN coalesce(s.redeemed, 0) ELSE 0 END AS spent,
		CASE WHEN e.kind = 'restore' THEN -e.redeemed ELSE 0 END AS restored,
		(m.programme IS DISTINCT FROM e.programme AND m.id IS NOT NULL)::int::bigint AS strange
	FROM ledger_entry e
	LEFT JOIN lot l ON l.tenant_id = e.tenant_id AND l.id = e.id
	LEFT JOIN member m ON m.tenant_id = e.tenant_id AND m.id = e.member_id
	LEFT JOIN LATERAL (SELECT sum(points)::bigint AS points FROM lot_use k WHERE k.tenant_id = e.tenant_id AND k.entry_id = e.id) u ON true
	LEFT JOIN LATERAL (SELECT redeemed FROM ledger_entry k WHERE e.kind = 'restore' AND k.tenant_id = e.tenant_id AND k.id = e.reverses
		AND k.kind = 'spend' AND k.member_id = e.member_id) s ON true
	WHERE e.tenant_id = $1 AND e.member_id > $2 AND e.member_id <= $3
) x CROSS JOIN LATERAL (VALUES
	('entry', 0, total), ('available_after', after, available_after), ('lot_points', made, lot), ('lots_taken', taken, used),
	('restored', spent, restored), ('programme', 0, strange)
) v(what, wanted, found) WHERE wanted <> found
ORDER BY member_id, id, what LIMIT $4`

	// What is left of a lot is what it had less what entries took and did not give back. What ran out of it is what entries say, and
	// so is what was asked back of that.
	lotsSQL = `
SELECT member_id, id, what, wanted, found, count(*) OVER () FROM (
	SELECT coalesce(l.member_id, u.member_id) AS member_id, coalesce(l.id, u.lot_id) AS id,
		coalesce(l.points, 0) - coalesce(u.points, 0) AS left_by_entries, coalesce(l.remaining, 0) AS remaining,
		coalesce(u.expired, 0) AS expired_by_entries, coalesce(l.expired, 0) AS expired,
		coalesce(u.waived, 0) AS waived_by_entries, coalesce(l.waived, 0) AS waived
	FROM (
		SELECT l.member_id, l.id, l.points, l.remaining, l.expired, l.waived
		FROM ledger_entry e JOIN lot l ON l.tenant_id = e.tenant_id AND l.id = e.id
		WHERE e.tenant_id = $1 AND e.member_id > $2 AND e.member_id <= $3
	) l FULL JOIN (
		SELECT member_id, lot_id, sum(points)::bigint AS points, sum(expired)::bigint AS expired, sum(waived)::bigint AS waived FROM (
			SELECT e.member_id, k.lot_id, k.points, CASE WHEN e.kind = 'expiry' THEN k.points ELSE 0 END AS expired, 0 AS waived
			FROM ledger_entry e JOIN lot_use k ON k.tenant_id = e.tenant_id AND k.entry_id = e.id
			WHERE e.tenant_id = $1 AND e.member_id > $2 AND e.member_id <= $3
			UNION ALL
			SELECT e.member_id, e.reverses, 0, 0, e.waived FROM ledger_entry e
			WHERE e.tenant_id = $1 AND e.member_id > $2 AND e.member_id <= $3 AND e.waived > 0
		) k GROUP BY member_id, lot_id
	) u ON u.lot_id = l.id AND u.member_id = l.member_id
) x CROSS JOIN LATERAL (VALUES
	('lot_remaining', left_by_entries, remaining), ('lot_expired', expired_by_entries, expired), ('lot_waived', waived_by_entries, waived)
) v(what, wanted, found) WHERE wanted <> found
ORDER BY member_id, id, what LIMIT $4`
)

// nextTenant gives the tenant after the given one, in the order of their ids; empty after the last.
func nextTenant(ctx context.Context, tx *pg.Tx, after string) (tenant string, err error) {
	err = tx.QueryRow(ctx, `SELECT coalesce(least((SELECT min(tenant_id) FROM member WHERE tenant_id > $1),
		(SELECT min(tenant_id) FROM ledger_entry WHERE tenant_id > $1), (SELECT min(tenant_id) FROM lot WHERE tenant_id > $1)), '')`,
		after).Scan(&tenant)
	return tenant, err
}
