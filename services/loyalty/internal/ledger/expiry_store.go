package ledger

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

// group is the lots of one member that run out at one time.
type group struct {
	At     time.Time
	Tenant string
	Member uuid.UUID
	Lots   int64
	Told   bool // the member was told that they will
}

// groupsAfter gives up to limit groups behind the place where the sweep stands whose time has come by until; of all tenants, or of
// one.
func groupsAfter(ctx context.Context, tx *pg.Tx, s Sweep, only string, until time.Time, limit int) ([]group, error) {
	rows, err := tx.Query(ctx, `SELECT g.expires_at, g.tenant_id, g.member_id, g.lots, $7 AND EXISTS (SELECT 1 FROM expiry_warning w
			WHERE w.tenant_id = g.tenant_id AND w.member_id = g.member_id AND w.expires_at = g.expires_at)
		FROM (SELECT expires_at, tenant_id, member_id, count(*) AS lots FROM lot
			WHERE remaining > 0 AND expires_at <= $1 AND (expires_at, tenant_id, member_id) > ($2, $3, $4) AND ($5 = '' OR tenant_id = $5)
			GROUP BY expires_at, tenant_id, member_id ORDER BY expires_at, tenant_id, member_id LIMIT $6) g
		ORDER BY g.expires_at, g.tenant_id, g.member_id`, until, s.At, s.Tenant, s.Member, only, limit, s.Part == sweepWarn)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[group])
}

// queueOverdue queues the reading of the members' lots that have run out by now.
func queueOverdue(tx *pg.Tx, members []uuid.UUID, now time.Time) (lots *Lots) {
	lots = &Lots{}
	of := func(state string) string {
		return `SELECT ` + lotColumns + ` FROM lot l WHERE l.tenant_id = $1 AND l.member_id = n.id AND ` + state + `
			AND l.remaining > 0 AND l.expires_at <= $3`
	}
	tx.Queue(`SELECT l.* FROM unnest($2::uuid[]) AS n(id) JOIN LATERAL (`+of("l.released")+` UNION ALL `+of("NOT l.released")+`) l ON true`,
		tx.Tenant(), members, now).Query(lots.add)
	return lots
}

// endingsOf reads what runs out of members, who are locked, at times.
func endingsOf(ctx context.Context, tx *pg.Tx, members []uuid.UUID, at []time.Time) ([]ending, error) {
	rows, err := tx.Query(ctx, `SELECT n.id, n.at, l.ending, l.lasting, EXISTS (SELECT 1 FROM expiry_warning w
			WHERE w.tenant_id = $1 AND w.member_id = n.id AND w.expires_at = n.at)
		FROM unnest($2::uuid[], $3::timestamptz[]) AS n(id, at) CROSS JOIN LATERAL (
			SELECT coalesce(sum(remaining) FILTER (WHERE expires_at = n.at), 0)::bigint AS ending,
				coalesce(sum(remaining) FILTER (WHERE expires_at IS NULL OR expires_at > n.at), 0)::bigint AS lasting
			FROM lot WHERE tenant_id = $1 AND member_id = n.id AND remaining > 0) l`, tx.Tenant(), members, at)
	if err != nil {
		return nil, err
	}
	endings, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ending])
	for i := range endings {
		endings[i].At = endings[i].At.UTC()
	}
	return endings, err
}

// insertWarnings queues the note that members were told.
func insertWarnings(tx *pg.Tx, told []ending, now time.Time) {
	n := len(told)
	ids, at, points := make([]uuid.UUID, n), make([]time.Time, n), make([]int64, n)
	for i, e := range told {
		ids[i], at[i], points[i] = e.MemberID, e.At, e.Points
	}
	tx.Queue(`INSERT INTO expiry_warning (tenant_id, member_id, expires_at, points, told_at)
		SELECT $1, n.*, $5 FROM unnest($2::uuid[], $3::timestamptz[], $4::bigint[]) n`, tx.Tenant(), ids, at, points, now)
}

// tenantByInactivity gives the next tenant, behind the given one, with a programme whose points run out by inactivity, or ever
// did or will; empty: there is none.
func tenantByInactivity(ctx context.Context, tx *pg.Tx, after, only string) (tenant string, err error) {
	err = tx.QueryRow(ctx, `SELECT tenant_id FROM programme_version
		WHERE tenant_id > $1 AND ($2 = '' OR tenant_id = $2) AND withdrawn_at IS NULL AND terms #>> '{expiry,kind}' = 'inactivity'
		ORDER BY tenant_id LIMIT 1`, after, only).Scan(&tenant)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return tenant, err
}

// idler is a member with points, and when it last did something.
type idler struct {
	ID        uuid.UUID
	Programme string
	ActiveAt  time.Time
}

// idlersAfter gives those who have points among the members of the tenant behind the given one, as far as they are of the programmes and did
// nothing since before; and the last member who was looked at, Nil where there was none.
func idlersAfter(ctx context.Context, tx *pg.Tx, after uuid.UUID, programmes []string, before []time.Time, look int) (idle []idler, last uuid.UUID, err error) {
	err = tx.QueryRow(ctx, `SELECT id FROM (SELECT id FROM member WHERE tenant_id = $1 AND id > $2 ORDER BY id LIMIT $3) m ORDER BY id DESC LIMIT 1`,
		tx.Tenant(), after, look).Scan(&last)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, uuid.Nil, nil
	}
	if err != nil {
		return nil, uuid.Nil, err
	}
	rows, err := tx.Query(ctx, `SELECT m.id, m.programme, coalesce(m.active_at, m.enrolled_at) FROM member m
		JOIN unnest($4::text[], $5::timestamptz[]) AS p(programme, before) ON p.programme = m.programme
		WHERE m.tenant_id = $1 AND m.id > $2 AND m.id <= $3 AND m.available + m.pending > 0 AND coalesce(m.active_at, m.enrolled_at) <= p.before
		ORDER BY m.id`, tx.Tenant(), after, last, programmes, before)
	if err != nil {
		return nil, uuid.Nil, err
	}
	idle, err = pgx.CollectRows(rows, pgx.RowToStructByPos[idler])
	return idle, last, err
}

// expiringOf reads what is left of the members' lots by when they run out, those included that never do: of these the time is zero.
func expiringOf(ctx context.Context, tx *pg.Tx, members []uuid.UUID) (of map[uuid.UUID][]Expiring, err error) {
	rows, err := tx.Query(ctx, `SELECT n.id, l.expires_at, l.points FROM unnest($2::uuid[]) AS n(id) CROSS JOIN LATERAL (
			SELECT expires_at, sum(remaining)::bigint AS points FROM lot
			WHERE tenant_id = $1 AND member_id = n.id AND remaining > 0 GROUP BY expires_at) l
		ORDER BY n.id, l.expires_at`, tx.Tenant(), members)
	if err != nil {
		return nil, err
	}
	of = make(map[uuid.UUID][]Expiring)
	var (
		id     uuid.UUID
		at     *time.Time
		points int64
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &at, &points}, func() error {
		of[id] = append(of[id], Expiring{Points: points, At: orZero(at)})
		return nil
	})
	return of, err
}
