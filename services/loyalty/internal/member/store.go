package member

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/guanxi-crm/guanxi/platform/alias"
	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// errNotFound is the same for a member who is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "member_not_found", "There is no such member.")

// cardConstraint is what gives a card to one member only.
const cardConstraint = "member_card"

const columns = `m.id, m.customer_id, m.card_number, m.source, m.enrolled_at, m.programme, m.state, m.state_reason, m.state_at, m.active_at, m.booked_at,
	m.available, m.pending, m.debt, m.entries`

// scan reads the columns, and what comes after them into more.
func scan(row pgx.Row, more ...any) (m Member, err error) {
	var since, active, booked *time.Time
	err = row.Scan(append([]any{&m.ID, &m.CustomerID, &m.CardNumber, &m.Source, &m.EnrolledAt, &m.Programme, &m.State, &m.Reason, &since,
		&active, &booked, &m.Available, &m.Pending, &m.Debt, &m.Entries}, more...)...)
	if errors.Is(err, pgx.ErrNoRows) {
		return Member{}, errNotFound
	}
	m.EnrolledAt, m.StateAt, m.ActiveAt, m.BookedAt = m.EnrolledAt.UTC(), orZero(since), orZero(active), orZero(booked)
	if strings.HasPrefix(m.CardNumber, erased) {
		m.CardNumber = ""
	}
	return m, err
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// Find gives a member, or the problem member_not_found.
func Find(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Member, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM member m WHERE m.tenant_id = $1 AND m.id = $2`, tx.Tenant(), id))
}

// Lock is Find that also keeps everybody else from booking for the member until the transaction ends.
//
// Everybody who locks more than one member does so in the order of their customers' ids, and then of their programmes, so that nobody waits in a circle.
func Lock(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Member, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM member m WHERE m.tenant_id = $1 AND m.id = $2 FOR UPDATE`, tx.Tenant(), id))
}

// LockAll queues the locking of members, in the order of their customers' ids; read them afterwards.
func LockAll(tx *pg.Tx, ids []uuid.UUID) {
	tx.Queue(`SELECT 1 FROM member m WHERE m.tenant_id = $1 AND m.id = ANY($2::uuid[]) ORDER BY m.customer_id, m.programme FOR UPDATE`,
		tx.Tenant(), ids)
}

// FindAll gives those of the members who are there.
func FindAll(ctx context.Context, tx *pg.Tx, ids []uuid.UUID) ([]Member, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM unnest($2::uuid[]) AS n(id)
		JOIN LATERAL (SELECT * FROM member k WHERE k.tenant_id = $1 AND k.id = n.id LIMIT 1) m ON true`, tx.Tenant(), ids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Member, error) { return scan(row) })
}

// Ensure makes the drafts members, as far as their customers are none of the programme yet, and locks and gives all of them;
// made are the new ones, in the order of their customers' ids. Each key comes once. One round trip, with what the caller had
// queued before.
func Ensure(ctx context.Context, tx *pg.Tx, drafts ...Member) (all map[Key]Member, made []Member, err error) {
	slices.SortFunc(drafts, byCustomer)
	fresh := queueEnsure(tx, drafts)
	customers, programmes := make([]uuid.UUID, len(drafts)), make([]string, len(drafts))
	for i := range drafts {
		customers[i], programmes[i] = drafts[i].CustomerID, drafts[i].Programme
	}
	// Each by its whole key: a plain join that was planned while the table was new would read all members of the tenant.
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM unnest($2::uuid[], $3::text[]) AS n(customer_id, programme)
		JOIN LATERAL (SELECT * FROM member k WHERE k.tenant_id = $1 AND k.customer_id = n.customer_id AND k.programme || '' = n.programme LIMIT 1) m
			ON true`, tx.Tenant(), customers, programmes)
	if err != nil {
		return nil, nil, err
	}
	members, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Member, error) { return scan(row) })
	if err != nil {
		return nil, nil, err
	}
	all = make(map[Key]Member, len(members))
	for _, m := range members {
		all[m.Key()] = m
		if fresh[m.ID] {
			made = append(made, m)
		}
	}
	slices.SortFunc(made, byCustomer)
	return all, made, nil
}

// queueEnsure queues the insertion; fresh has the ids of those who were inserted after the next round trip. The update
// that never happens is what locks the row of a member who was there without writing a new version of it.
func queueEnsure(tx *pg.Tx, drafts []Member) (fresh map[uuid.UUID]bool) {
	n := len(drafts)
	ids, customers, cards := make([]uuid.UUID, n), make([]uuid.UUID, n), make([]string, n)
	sources, at, programmes := make([]string, n), make([]time.Time, n), make([]string, n)
	for i, d := range drafts {
		ids[i], customers[i], cards[i], sources[i], at[i], programmes[i] = d.ID, d.CustomerID, d.CardNumber, d.Source, d.EnrolledAt, d.Programme
	}
	fresh = make(map[uuid.UUID]bool)
	tx.Queue(`INSERT INTO member AS m (tenant_id, id, customer_id, card_number, source, enrolled_at, programme)
		SELECT $1, n.* FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[], $7::text[])
			AS n(id, customer_id, card_number, source, enrolled_at, programme)
		ORDER BY n.customer_id, n.programme
		ON CONFLICT (tenant_id, customer_id, programme) DO UPDATE SET customer_id = m.customer_id WHERE false
		RETURNING m.id`, tx.Tenant(), ids, customers, cards, sources, at, programmes).Query(func(rows pgx.Rows) error {
		var id uuid.UUID
		_, err := pgx.ForEachRow(rows, []any{&id}, func() error { fresh[id] = true; return nil })
		return err
	})
	return fresh
}

// SaveState queues the state that a locked member is in now.
func SaveState(tx *pg.Tx, m Member) {
	tx.Queue(`UPDATE member SET state = $3, state_reason = $4, state_at = $5 WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), m.ID, m.State, m.Reason, m.StateAt)
}

// blockCard queues a new card's number for a locked member, whose present one is blocked from then on.
func blockCard(tx *pg.Tx, m Member, old BlockedCard, number string) {
	tx.Queue(`INSERT INTO member_card_blocked (tenant_id, card_number, member_id, reason, blocked_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (tenant_id, card_number) DO UPDATE SET member_id = excluded.member_id, reason = excluded.reason, blocked_at = excluded.blocked_at`,
		tx.Tenant(), old.Number, m.ID, old.Reason, old.At)
	tx.Queue(`UPDATE member SET card_number = $3 WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), m.ID, number)
}

// findBlocked gives a card that was replaced; ok is false where the number is of no such card.
func findBlocked(ctx context.Context, tx *pg.Tx, number string) (c BlockedCard, ok bool, err error) {
	err = tx.QueryRow(ctx, `SELECT card_number, reason, blocked_at FROM member_card_blocked WHERE tenant_id = $1 AND card_number = $2`,
		tx.Tenant(), number).Scan(&c.Number, &c.Reason, &c.At)
	if errors.Is(err, pgx.ErrNoRows) {
		return c, false, nil
	}
	c.At = c.At.UTC()
	return c, err == nil, err
}

// Save queues what locked members have now.
func Save(tx *pg.Tx, members ...Member) {
	if len(members) == 1 {
		m := members[0]
		tx.Queue(`UPDATE member SET available = $3, pending = $4, debt = $5, entries = $6, active_at = $7, booked_at = $8
			WHERE tenant_id = $1 AND id = $2`,
			tx.Tenant(), m.ID, m.Available, m.Pending, m.Debt, m.Entries, pg.OrNull(m.ActiveAt), pg.OrNull(m.BookedAt))
		return
	}
	slices.SortFunc(members, byCustomer)
	n := len(members)
	ids := make([]uuid.UUID, n)
	available, pending, debts, entries := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	active, booked := make([]*time.Time, n), make([]*time.Time, n)
	for i, m := range members {
		ids[i], available[i], pending[i], debts[i], entries[i] = m.ID, m.Available, m.Pending, m.Debt, m.Entries
		active[i], booked[i] = pg.OrNull(m.ActiveAt), pg.OrNull(m.BookedAt)
	}
	// The ids are said twice, so that only these members are read, also by a plan made while the table was new.
	tx.Queue(`UPDATE member m SET available = n.available, pending = n.pending, debt = n.debt, entries = n.entries,
			active_at = n.active_at, booked_at = n.booked_at
		FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::timestamptz[], $8::timestamptz[])
			AS n(id, available, pending, debt, entries, active_at, booked_at)
		WHERE m.tenant_id = $1 AND m.id = n.id AND m.id = ANY($2::uuid[])`, tx.Tenant(), ids, available, pending, debts, entries, active, booked)
}

// seen are the columns of a member m with those of all who are the same customer, read in one statement so that they fit.
const (
	seen  = columns + `, customer_root(m.tenant_id, m.customer_id), p.members, p.available, p.pending, p.debt`
	pools = `CROSS JOIN LATERAL (SELECT customer_group(m.tenant_id, m.customer_id) AS ids OFFSET 0) g
		CROSS JOIN LATERAL (SELECT count(*) AS members, sum(k.available)::bigint AS available, sum(k.pending)::bigint AS pending,
			sum(k.debt)::bigint AS debt
		FROM member k WHERE k.tenant_id = m.tenant_id AND k.customer_id = ANY (g.ids) AND k.programme = m.programme) p`
)

func scanSeen(row pgx.Row) (s Seen, err error) {
	var available, pending, debt int64
	s.Member, err = scan(row, &s.Root, &s.Members, &available, &pending, &debt)
	s.Pool = Pooled(available, pending, debt)
	return s, err
}

// See gives a member with all who are the same customer, or the problem member_not_found.
func See(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Seen, error) {
	return scanSeen(tx.QueryRow(ctx, `SELECT `+seen+` FROM member m `+pools+` WHERE m.tenant_id = $1 AND m.id = $2`, tx.Tenant(), id))
}

// list gives up to limit members, in the order of their ids.
func list(ctx context.Context, tx *pg.Tx, f Filter, limit int) ([]Seen, error) {
	where, args := `k.tenant_id = $1 AND k.id > $2`, []any{tx.Tenant(), f.After}
	if f.CustomerID != uuid.Nil {
		args = append(args, f.CustomerID)
		where += fmt.Sprintf(` AND k.customer_id = ANY ((SELECT customer_group($1, $%d))::uuid[])`, len(args))
	}
	if f.CardNumber != "" {
		args = append(args, f.CardNumber)
		// Whoever has the card, otherwise whoever had it.
		where += fmt.Sprintf(` AND k.id = (SELECT coalesce((SELECT id FROM member WHERE tenant_id = $1 AND card_number = $%[1]d),
			(SELECT member_id FROM member_card_blocked WHERE tenant_id = $1 AND card_number = $%[1]d)))`, len(args))
	}
	if f.Programme != "" {
		args = append(args, f.Programme)
		where += fmt.Sprintf(` AND k.programme = $%d`, len(args))
	}
	switch f.State { // as constants, so that the index on those who are not active fits
	case Active:
		where += ` AND k.state = 'active'`
	case Suspended:
		where += ` AND k.state = 'suspended'`
	case Left:
		where += ` AND k.state = 'left'`
	}
	rows, err := tx.Query(ctx, fmt.Sprintf(`SELECT `+seen+` FROM (SELECT * FROM member k WHERE %s ORDER BY k.id LIMIT %d) m `+pools+`
		ORDER BY m.id`, where, limit), args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Seen, error) { return scanSeen(row) })
}

// others is what members have together who are the same customer as another one.
type others struct {
	root                              uuid.UUID
	members, available, pending, debt int64
}

// queueOthers queues the reading of those who are the same customer as the id means, but for the one who bears the id; they
// are filled in by the next round trip.
func queueOthers(tx *pg.Tx, customer uuid.UUID, programme string) *others {
	o := &others{}
	tx.Queue(`SELECT customer_root($1, $2), count(*), coalesce(sum(available), 0)::bigint, coalesce(sum(pending), 0)::bigint, coalesce(sum(debt), 0)::bigint
		FROM member WHERE tenant_id = $1 AND customer_id = ANY ((SELECT customer_group($1, $2))::uuid[]) AND customer_id <> $2 AND programme = $3`, tx.Tenant(), customer, programme).
		QueryRow(func(row pgx.Row) error { return row.Scan(&o.root, &o.members, &o.available, &o.pending, &o.debt) })
	return o
}

// with gives the member beside the others.
func (o *others) with(m Member) Seen {
	return Seen{Member: m, Root: o.root, Members: o.members + 1, Pool: Pooled(o.available+m.Available, o.pending+m.Pending, o.debt+m.Debt)}
}

// ofCustomer is a condition on members m: that they are of the same programme and the same customer as the member $2 of the
// tenant $1. The programme is not to be looked up by an index: a plan made while the table was new would read all its members.
const ofCustomer = `m.tenant_id = $1 AND m.customer_id = ANY ((SELECT customer_group($1, s.customer_id)
	FROM member s WHERE s.tenant_id = $1 AND s.id = $2)::uuid[])
	AND m.programme || '' = (SELECT s.programme FROM member s WHERE s.tenant_id = $1 AND s.id = $2)`

// LockPool queues the locking of all members who are the same customer as the given one, in the order of their customers'
// ids, and keeps them the same customer until the transaction ends. Who they were is known after the next round trip; nobody
// where there is no such member. Queue it before any other lock, and read them by FindPool afterwards.
func LockPool(tx *pg.Tx, id uuid.UUID) (locked map[uuid.UUID]bool) {
	alias.Hold(tx)
	locked = make(map[uuid.UUID]bool)
	tx.Queue(`SELECT m.id FROM member m WHERE `+ofCustomer+` ORDER BY m.customer_id, m.programme FOR UPDATE`, tx.Tenant(), id).Query(func(rows pgx.Rows) error {
		var one uuid.UUID
		_, err := pgx.ForEachRow(rows, []any{&one}, func() error { locked[one] = true; return nil })
		return err
	})
	return locked
}

// FindPool gives all members who are the same customer as the given one, or the problem member_not_found. One who was enrolled
// since they were locked is among them.
func FindPool(ctx context.Context, tx *pg.Tx, id uuid.UUID) ([]Member, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM member m WHERE `+ofCustomer+` ORDER BY m.customer_id`, tx.Tenant(), id)
	if err != nil {
		return nil, err
	}
	members, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Member, error) { return scan(row) })
	if err == nil && len(members) == 0 {
		err = errNotFound
	}
	return members, err
}

// OfPool is the query for the ids of the members who are the same customer as the member $2 of the tenant $1.
const OfPool = `SELECT m.id FROM member m WHERE ` + ofCustomer

// erased is what a card number begins with that was taken away; the member's id follows, so that it is nobody else's.
const erased = "erased:"

// Erase takes the cards from the customers' members, those that were replaced included. The members go on without a name, and
// with their points.
func Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]erasure.Erased, error) {
	done := []erasure.Erased{{What: "member_card"}, {What: "member_card_blocked"}}
	tx.Queue(`SELECT 1 FROM member WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[]) ORDER BY customer_id, programme FOR UPDATE`, tx.Tenant(), customers)
	tx.Queue(`UPDATE member SET card_number = $3 || id WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[]) AND card_number NOT LIKE $3 || '%'`,
		tx.Tenant(), customers, erased).Exec(func(tag pgconn.CommandTag) error { done[0].Count = tag.RowsAffected(); return nil })
	tx.Queue(`DELETE FROM member_card_blocked WHERE tenant_id = $1
		AND member_id = ANY (ARRAY(SELECT id FROM member WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[])))`,
		tx.Tenant(), customers).Exec(func(tag pgconn.CommandTag) error { done[1].Count = tag.RowsAffected(); return nil })
	err := tx.QueryRow(ctx, `SELECT count(*) FROM member WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[]) AND card_number NOT LIKE $3 || '%'`,
		tx.Tenant(), customers, erased).Scan(&done[0].Left)
	return done, err
}

// byCustomer orders members as everybody locks them.
func byCustomer(a, b Member) int {
	return cmp.Or(bytes.Compare(a.CustomerID[:], b.CustomerID[:]), cmp.Compare(a.Programme, b.Programme))
}
