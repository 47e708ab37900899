package referral

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// errNotFound is the same for a referral that is not there and for another tenant's; so is errCodeUnknown.
var (
	errNotFound    = problem.New(problem.NotFound, "referral_not_found", "There is no such referral.")
	errCodeUnknown = problem.New(problem.NotFound, "referral_code_unknown", "Nobody has this code.")
)

// The constraints by which a member has one code, and a code one member.
const (
	codeConstraint       = "referral_code_pkey"
	codeMemberConstraint = "referral_code_member"
)

// lockGraph queues a lock by which nobody else of the tenant is named meanwhile: of two who would close a ring together the
// second one sees the first.
func lockGraph(tx *pg.Tx) {
	tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('referral ' || $1, 0))`, tx.Tenant())
}

func insertCode(tx *pg.Tx, c Code) {
	tx.Queue(`INSERT INTO referral_code (tenant_id, code, member_id, made_at) VALUES ($1, $2, $3, $4)`, tx.Tenant(), c.Code, c.MemberID, c.MadeAt)
}

func scanCode(row pgx.Row) (c Code, err error) {
	err = row.Scan(&c.Code, &c.MemberID, &c.MadeAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return Code{}, errCodeUnknown
	}
	c.MadeAt = c.MadeAt.UTC()
	return c, err
}

// codeOf gives the code of a member, or errCodeUnknown.
func codeOf(ctx context.Context, tx *pg.Tx, memberID uuid.UUID) (Code, error) {
	return scanCode(tx.QueryRow(ctx, `SELECT code, member_id, made_at FROM referral_code WHERE tenant_id = $1 AND member_id = $2`, tx.Tenant(), memberID))
}

// findCode gives a code, or errCodeUnknown.
func findCode(ctx context.Context, tx *pg.Tx, code string) (Code, error) {
	return scanCode(tx.QueryRow(ctx, `SELECT code, member_id, made_at FROM referral_code WHERE tenant_id = $1 AND code = $2`, tx.Tenant(), code))
}

// between is what is known of a referrer and of whom they would refer.
type between struct {
	same     bool      // both are one customer
	bought   bool      // the referred one has bought
	referred bool      // the referred one was referred already
	ring     bool      // the referrer was referred by the referred one, or by somebody whom that one referred, and so on
	groups   int       // customers that were looked at for that
	joined   time.Time // when the referred one became a member; zero: is none
	lately   int       // customers whom the referrer has referred since the time asked for
}

// maxChain bounds how many customers are looked at in search of a ring.
const maxChain = 1000

// counting is a condition on referrals r: that they count, also against the next one.
const counting = `r.state IN ('open', 'completed', 'taken_back')`

// look asks all that is between them, in one round trip. What has run out of time is written down as such first.
func look(ctx context.Context, tx *pg.Tx, programme string, referrer, referred uuid.UUID, now, since time.Time) (b between, err error) {
	const group = `customer_id = ANY ((SELECT customer_group($1, $2))::uuid[])`
	tx.Queue(`UPDATE referral SET state = 'expired', decided_at = expires_at
		WHERE tenant_id = $1 AND referred_customer = ANY ((SELECT customer_group($1, $2))::uuid[]) AND state = 'open' AND expires_at <= $3`,
		tx.Tenant(), referred, now)
	tx.Queue(`SELECT customer_root($1, $2) = customer_root($1, $3),
			EXISTS (SELECT FROM growth_order WHERE tenant_id = $1 AND `+group+`),
			EXISTS (SELECT FROM referral r WHERE r.tenant_id = $1 AND r.programme = $4 AND `+counting+`
				AND r.referred_customer = ANY ((SELECT customer_group($1, $2))::uuid[])),
			(SELECT min(enrolled_at) FROM member WHERE tenant_id = $1 AND programme = $4 AND `+group+`),
			(SELECT count(*) FROM referral r WHERE r.tenant_id = $1 AND r.programme = $4 AND `+counting+` AND r.named_at > $5
				AND r.referrer_customer = ANY ((SELECT customer_group($1, $3))::uuid[]))`,
		tx.Tenant(), referred, referrer, programme, since).QueryRow(func(row pgx.Row) error {
		var joined *time.Time
		if err := row.Scan(&b.same, &b.bought, &b.referred, &joined, &b.lately); err != nil {
			return err
		}
		if joined != nil {
			b.joined = joined.UTC()
		}
		return nil
	})
	// UNION leaves out who was met already, so the walk ends also where merges have made a ring of it.
	err = tx.QueryRow(ctx, `WITH RECURSIVE up(ids) AS (
			SELECT customer_group($1, $3)
			UNION
			SELECT customer_group($1, r.referrer_customer) FROM up JOIN referral r ON r.tenant_id = $1
				AND r.referred_customer = ANY (up.ids) AND r.programme = $4 AND `+counting+`
		)
		SELECT coalesce(bool_or($2 = ANY (w.ids)), false), count(*) FROM (SELECT ids FROM up LIMIT $5) w`,
		tx.Tenant(), referred, referrer, programme, maxChain+1).Scan(&b.ring, &b.groups)
	return b, err
}

func insertReferral(tx *pg.Tx, r Referral) {
	tx.Queue(`INSERT INTO referral (tenant_id, id, programme, code, referrer_id, referrer_customer, referred_customer, state, named_at, named_by, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		tx.Tenant(), r.ID, r.Programme, r.Code, r.ReferrerID, r.ReferrerCustomer, r.ReferredCustomer, r.State, r.NamedAt, r.NamedBy, pg.OrNull(r.ExpiresAt))
}

// save queues what became of referrals that are locked.
func save(tx *pg.Tx, all []Referral) {
	n := len(all)
	if n == 0 {
		return
	}
	ids, states, reasons := make([]uuid.UUID, n), make([]string, n), make([]string, n)
	decided, back := make([]*time.Time, n), make([]*time.Time, n)
	referred, orders := make([]*uuid.UUID, n), make([]*uuid.UUID, n)
	points, given := make([]int64, n), make([]int64, n)
	entries, others := make([]*uuid.UUID, n), make([]*uuid.UUID, n)
	for i, r := range all {
		ids[i], states[i], reasons[i], decided[i], back[i] = r.ID, string(r.State), r.Reason, pg.OrNull(r.DecidedAt), pg.OrNull(r.TakenBackAt)
		referred[i], orders[i], points[i], given[i] = pg.OrNull(r.ReferredID), pg.OrNull(r.OrderID), r.ReferrerPoints, r.ReferredPoints
		entries[i], others[i] = pg.OrNull(r.ReferrerEntry), pg.OrNull(r.ReferredEntry)
	}
	// The ids are said twice, so that only these referrals are read, also by a plan made while the table was new.
	tx.Queue(`UPDATE referral r SET state = n.state, reason = n.reason, decided_at = n.decided_at, taken_back_at = n.back, referred_id = n.referred_id,
			order_id = n.order_id, referrer_points = n.points, referred_points = n.given, referrer_entry = n.entry, referred_entry = n.other
		FROM unnest($2::uuid[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::uuid[], $8::uuid[], $9::bigint[], $10::bigint[],
			$11::uuid[], $12::uuid[]) AS n(id, state, reason, decided_at, back, referred_id, order_id, points, given, entry, other)
		WHERE r.tenant_id = $1 AND r.id = n.id AND r.id = ANY($2::uuid[])`,
		tx.Tenant(), ids, states, reasons, decided, back, referred, orders, points, given, entries, others)
}

const columns = `r.id, r.programme, r.code, r.referrer_id, r.referrer_customer, r.referred_customer, r.state, r.reason, r.named_at, r.named_by, r.expires_at,
	r.decided_at, r.referred_id, r.order_id, r.referrer_points, r.referred_points, r.referrer_entry, r.referred_entry, r.taken_back_at,
	customer_root(r.tenant_id, r.referrer_customer) = customer_root(r.tenant_id, r.referred_customer)`

func scan(row pgx.Row) (r Referral, err error) {
	var (
		expires, decided, back        *time.Time
		referred, order, entry, other *uuid.UUID
	)
	err = row.Scan(&r.ID, &r.Programme, &r.Code, &r.ReferrerID, &r.ReferrerCustomer, &r.ReferredCustomer, &r.State, &r.Reason, &r.NamedAt, &r.NamedBy,
		&expires, &decided, &referred, &order, &r.ReferrerPoints, &r.ReferredPoints, &entry, &other, &back, &r.SameCustomer)
	if errors.Is(err, pgx.ErrNoRows) {
		return Referral{}, errNotFound
	}
	for _, t := range []struct {
		from *time.Time
		to   *time.Time
	}{{expires, &r.ExpiresAt}, {decided, &r.DecidedAt}, {back, &r.TakenBackAt}, {&r.NamedAt, &r.NamedAt}} {
		if t.from != nil {
			*t.to = t.from.UTC()
		}
	}
	for _, id := range []struct{ from, to *uuid.UUID }{{referred, &r.ReferredID}, {order, &r.OrderID}, {entry, &r.ReferrerEntry}, {other, &r.ReferredEntry}} {
		if id.from != nil {
			*id.to = *id.from
		}
	}
	return r, err
}

// find gives a referral, or errNotFound; locked until the transaction ends, if asked to.
func find(ctx context.Context, tx *pg.Tx, id uuid.UUID, locked bool) (Referral, error) {
	if locked {
		tx.Queue(`SELECT 1 FROM referral WHERE tenant_id = $1 AND id = $2 FOR UPDATE`, tx.Tenant(), id)
	}
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM referral r WHERE r.tenant_id = $1 AND r.id = $2`, tx.Tenant(), id))
}

// concerned gives the referrals that orders may decide: those of their customers that are open, and those that were completed by
// an order of which everything has come back.
func concerned(ctx context.Context, tx *pg.Tx, orders []uuid.UUID) ([]uuid.UUID, error) {
	rows, err := tx.Query(ctx, `WITH touched AS MATERIALIZED (
			SELECT o.* FROM unnest($2::uuid[]) AS n(id)
			JOIN LATERAL (SELECT * FROM growth_order k WHERE k.tenant_id = $1 AND k.order_id = n.id LIMIT 1) o ON true
		)
		SELECT r.id FROM (SELECT DISTINCT customer_id FROM touched WHERE customer_id IS NOT NULL) t
			CROSS JOIN LATERAL (SELECT customer_group($1, t.customer_id) AS ids OFFSET 0) g
			CROSS JOIN LATERAL unnest(g.ids) AS c(id)
			CROSS JOIN LATERAL (SELECT k.id FROM referral k WHERE k.tenant_id = $1 AND k.referred_customer = c.id AND k.state = 'open' OFFSET 0) r
		UNION
		SELECT r.id FROM touched t
			CROSS JOIN LATERAL (SELECT k.id FROM referral k WHERE k.tenant_id = $1 AND k.order_id = t.order_id AND k.state = 'completed' OFFSET 0) r
			WHERE t.returned_minor = t.total_minor
		ORDER BY 1`, tx.Tenant(), orders)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
}

// matter is a referral with what is known of its customers.
type matter struct {
	Referral
	purchases []purchase
	member    uuid.UUID // the referred member; Nil where there is none yet
	placedAt  time.Time // of the purchase by which it is completed
	buyer     uuid.UUID // the customer of that
}

// lockAll locks referrals, in the order of their ids, and gives them with what is known of their customers. Two round trips.
func lockAll(ctx context.Context, tx *pg.Tx, ids []uuid.UUID) ([]*matter, error) {
	tx.Queue(`SELECT 1 FROM referral WHERE tenant_id = $1 AND id = ANY($2::uuid[]) ORDER BY id FOR UPDATE`, tx.Tenant(), ids)
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM referral r WHERE r.tenant_id = $1 AND r.id = ANY($2::uuid[]) ORDER BY r.id`, tx.Tenant(), ids)
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Referral, error) { return scan(row) })
	if err != nil {
		return nil, err
	}
	all := make([]*matter, len(found))
	byID := make(map[uuid.UUID]*matter, len(found))
	for i, r := range found {
		all[i] = &matter{Referral: r}
		byID[r.ID] = all[i]
	}
	const asked = `unnest($2::uuid[]) AS n(id)
		JOIN LATERAL (SELECT * FROM referral k WHERE k.tenant_id = $1 AND k.id = n.id LIMIT 1) r ON true
		CROSS JOIN LATERAL (SELECT customer_group($1, r.referred_customer) AS ids OFFSET 0) g CROSS JOIN LATERAL unnest(g.ids) AS c(id)`
	tx.Queue(`SELECT n.id, o.order_id, o.customer_id, o.currency, o.total_minor, o.total_minor - o.returned_minor, o.placed_at FROM `+asked+`
		CROSS JOIN LATERAL (SELECT * FROM growth_order k WHERE k.tenant_id = $1 AND k.customer_id = c.id ORDER BY k.placed_at LIMIT 1000) o
		ORDER BY o.placed_at`, tx.Tenant(), ids).Query(func(rows pgx.Rows) error {
		var (
			id uuid.UUID
			p  purchase
		)
		_, err := pgx.ForEachRow(rows, []any{&id, &p.orderID, &p.customer, &p.currency, &p.total, &p.left, &p.placedAt}, func() error {
			m := byID[id]
			p.placedAt = p.placedAt.UTC()
			m.purchases = append(m.purchases, p)
			if p.orderID == m.OrderID {
				m.placedAt = p.placedAt
			}
			return nil
		})
		return err
	})
	tx.Queue(`SELECT n.id, (array_agg(m.id ORDER BY m.enrolled_at, m.id))[1] FROM `+asked+`
		CROSS JOIN LATERAL (SELECT k.id, k.enrolled_at FROM member k WHERE k.tenant_id = $1 AND k.customer_id = c.id AND k.programme = r.programme
			AND k.state <> 'left' OFFSET 0) m
		GROUP BY 1`, tx.Tenant(), ids).Query(func(rows pgx.Rows) error {
		var id, memberID uuid.UUID
		_, err := pgx.ForEachRow(rows, []any{&id, &memberID}, func() error { byID[id].member = memberID; return nil })
		return err
	})
	return all, tx.Flush(ctx)
}
