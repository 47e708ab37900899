package member

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// errNotFound is the same for a member who is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "member_not_found", "There is no such member.")

// cardConstraint is what gives a card to one member only.
const cardConstraint = "member_card"

const columns = `m.id, m.customer_id, m.card_number, m.source, m.enrolled_at, m.available, m.pending, m.debt, m.entries`

func scan(row pgx.Row) (m Member, err error) {
	err = row.Scan(&m.ID, &m.CustomerID, &m.CardNumber, &m.Source, &m.EnrolledAt, &m.Available, &m.Pending, &m.Debt, &m.Entries)
	if errors.Is(err, pgx.ErrNoRows) {
		return Member{}, errNotFound
	}
	m.EnrolledAt = m.EnrolledAt.UTC()
	return m, err
}

// Find gives a member, or the problem member_not_found.
func Find(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Member, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM member m WHERE m.tenant_id = $1 AND m.id = $2`, tx.Tenant(), id))
}

// Lock is Find that also keeps everybody else from booking for the member until the transaction ends.
//
// Everybody who locks more than one member does so in the order of their customers' ids, so that nobody waits in a circle.
func Lock(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Member, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM member m WHERE m.tenant_id = $1 AND m.id = $2 FOR UPDATE`, tx.Tenant(), id))
}

// LockAll queues the locking of members, in the order of their customers' ids; read them afterwards.
func LockAll(tx *pg.Tx, ids []uuid.UUID) {
	tx.Queue(`SELECT 1 FROM member m WHERE m.tenant_id = $1 AND m.id = ANY($2::uuid[]) ORDER BY m.customer_id FOR UPDATE`,
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

// Ensure makes the drafts members, as far as their customers are none yet, and locks and gives all of them by customer;
// made are the new ones, in the order of their customers' ids. Each customer comes once. One round trip, with what the
// caller had queued before.
func Ensure(ctx context.Context, tx *pg.Tx, drafts ...Member) (all map[uuid.UUID]Member, made []Member, err error) {
	slices.SortFunc(drafts, byCustomer)
	fresh := queueEnsure(tx, drafts)
	customers := make([]uuid.UUID, len(drafts))
	for i := range drafts {
		customers[i] = drafts[i].CustomerID
	}
	// Each by its whole key: a plain join that was planned while the table was new would read all members of the tenant.
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM unnest($2::uuid[]) AS n(customer_id)
		JOIN LATERAL (SELECT * FROM member k WHERE k.tenant_id = $1 AND k.customer_id = n.customer_id LIMIT 1) m ON true`,
		tx.Tenant(), customers)
	if err != nil {
		return nil, nil, err
	}
	members, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Member, error) { return scan(row) })
	if err != nil {
		return nil, nil, err
	}
	all = make(map[uuid.UUID]Member, len(members))
	for _, m := range members {
		all[m.CustomerID] = m
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
	sources, at := make([]string, n), make([]time.Time, n)
	for i, d := range drafts {
		ids[i], customers[i], cards[i], sources[i], at[i] = d.ID, d.CustomerID, d.CardNumber, d.Source, d.EnrolledAt
	}
	fresh = make(map[uuid.UUID]bool)
	tx.Queue(`INSERT INTO member AS m (tenant_id, id, customer_id, card_number, source, enrolled_at)
		SELECT $1, n.* FROM unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::timestamptz[])
			AS n(id, customer_id, card_number, source, enrolled_at)
		ORDER BY n.customer_id
		ON CONFLICT (tenant_id, customer_id) DO UPDATE SET customer_id = m.customer_id WHERE false
		RETURNING m.id`, tx.Tenant(), ids, customers, cards, sources, at).Query(func(rows pgx.Rows) error {
		var id uuid.UUID
		_, err := pgx.ForEachRow(rows, []any{&id}, func() error { fresh[id] = true; return nil })
		return err
	})
	return fresh
}

// Save queues what locked members have now.
func Save(tx *pg.Tx, members ...Member) {
	if len(members) == 1 {
		m := members[0]
		tx.Queue(`UPDATE member SET available = $3, pending = $4, debt = $5, entries = $6 WHERE tenant_id = $1 AND id = $2`,
			tx.Tenant(), m.ID, m.Available, m.Pending, m.Debt, m.Entries)
		return
	}
	slices.SortFunc(members, byCustomer)
	n := len(members)
	ids := make([]uuid.UUID, n)
	available, pending, debts, entries := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	for i, m := range members {
		ids[i], available[i], pending[i], debts[i], entries[i] = m.ID, m.Available, m.Pending, m.Debt, m.Entries
	}
	// The ids are said twice, so that only these members are read, also by a plan made while the table was new.
	tx.Queue(`UPDATE member m SET available = n.available, pending = n.pending, debt = n.debt, entries = n.entries
		FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[]) AS n(id, available, pending, debt, entries)
		WHERE m.tenant_id = $1 AND m.id = n.id AND m.id = ANY($2::uuid[])`, tx.Tenant(), ids, available, pending, debts, entries)
}

// list gives up to limit members, in the order of their ids; of one customer only where it is not Nil.
func list(ctx context.Context, tx *pg.Tx, customer, after uuid.UUID, limit int) ([]Member, error) {
	sql := `SELECT ` + columns + ` FROM member m WHERE m.tenant_id = $1 AND m.id > $2 ORDER BY m.id LIMIT $3`
	args := []any{tx.Tenant(), after, limit}
	if customer != uuid.Nil {
		sql = `SELECT ` + columns + ` FROM member m WHERE m.tenant_id = $1 AND m.customer_id = $4 AND m.id > $2 LIMIT $3`
		args = append(args, customer)
	}
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Member, error) { return scan(row) })
}

// byCustomer orders members as everybody locks them.
func byCustomer(a, b Member) int { return bytes.Compare(a.CustomerID[:], b.CustomerID[:]) }
