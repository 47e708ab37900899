package ticket

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// errNotFound is the same for a ticket that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "ticket_not_found", "There is no such ticket.")

const columns = `id, version, number, kind, channel, customer_id, subject, description, impact, urgency, priority, status, opened_at, changed_at`

// read is columns, and whom the customer's id means.
const read = columns + `, customer_root(tenant_id, customer_id)`

// NextNumber draws the tenant's next number. Its counter is locked until the transaction ends, so that no number is left
// out: draw it late.
func NextNumber(ctx context.Context, tx *pg.Tx) (n int64, err error) {
	err = tx.QueryRow(ctx, `INSERT INTO ticket_counter AS c (tenant_id, last) VALUES ($1, 1)
		ON CONFLICT (tenant_id) DO UPDATE SET last = c.last + 1 RETURNING last`, tx.Tenant()).Scan(&n)
	return n, err
}

// Insert queues a new ticket.
func Insert(tx *pg.Tx, t Ticket) {
	tx.Queue(`INSERT INTO ticket (tenant_id, `+columns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		tx.Tenant(), t.ID, t.Version, t.Number, t.Kind, t.Channel, pg.OrNull(t.CustomerID), t.Subject, t.Description, t.Impact, t.Urgency,
		t.Priority, t.Status, t.OpenedAt, t.ChangedAt)
}

// save queues a ticket that is locked.
func save(tx *pg.Tx, t Ticket) {
	tx.Queue(`UPDATE ticket SET version = $3, status = $4, changed_at = $5 WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), t.ID, t.Version, t.Status, t.ChangedAt)
}

// lock gives a ticket that is locked until the transaction ends, or errNotFound.
func lock(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Ticket, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+read+` FROM ticket WHERE tenant_id = $1 AND id = $2 FOR UPDATE`, tx.Tenant(), id))
}

func get(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Ticket, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+read+` FROM ticket WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), id))
}

func byNumber(ctx context.Context, tx *pg.Tx, number int64) (Ticket, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+read+` FROM ticket WHERE tenant_id = $1 AND number = $2`, tx.Tenant(), number))
}

// list gives up to limit tickets that fit the filter, the latest first.
func list(ctx context.Context, tx *pg.Tx, f Filter, limit int) ([]Ticket, error) {
	where, args := []string{"tenant_id = $1"}, []any{tx.Tenant()}
	only := func(condition string, value any) {
		args = append(args, value)
		where = append(where, fmt.Sprintf("%s $%d", condition, len(args)))
	}
	if f.Status != "" {
		only("status =", f.Status)
	}
	if f.Before != uuid.Nil {
		only("id <", f.Before)
	}
	latest := fmt.Sprintf(`ORDER BY id DESC LIMIT %d`, limit)
	from := fmt.Sprintf(`(SELECT * FROM ticket WHERE %s %s) t`, strings.Join(where, " AND "), latest)
	if f.CustomerID != uuid.Nil { // of each id that means the customer the latest, by the index that has them in order
		where = append(where, "customer_id = g.id")
		args = append(args, f.CustomerID)
		from = fmt.Sprintf(`(SELECT t.* FROM unnest(customer_group($1, $%d)) AS g(id)
			CROSS JOIN LATERAL (SELECT * FROM ticket WHERE %s %s) t) t`, len(args), strings.Join(where, " AND "), latest)
	}
	rows, err := tx.Query(ctx, `SELECT `+read+` FROM `+from+` `+latest, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Ticket, error) { return scan(row) })
}

func scan(row pgx.Row) (Ticket, error) {
	var t Ticket
	var customer, root *uuid.UUID
	err := row.Scan(&t.ID, &t.Version, &t.Number, &t.Kind, &t.Channel, &customer, &t.Subject, &t.Description, &t.Impact, &t.Urgency,
		&t.Priority, &t.Status, &t.OpenedAt, &t.ChangedAt, &root)
	if errors.Is(err, pgx.ErrNoRows) {
		return Ticket{}, errNotFound
	}
	if customer != nil {
		t.CustomerID, t.Root = *customer, *root
	}
	return t, err
}

// Erase queues that the tickets of the customers lose their words, and counts those that had any, and those that still do,
// with the next round trip. Number, kind and times stay.
func Erase(tx *pg.Tx, customers []uuid.UUID) *erasure.Erased {
	done := &erasure.Erased{What: "ticket"}
	tx.Queue(`UPDATE ticket SET subject = '', description = '', version = version + 1
		WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[]) AND (subject <> '' OR description <> '')`, tx.Tenant(), customers).
		Exec(func(tag pgconn.CommandTag) error { done.Count = tag.RowsAffected(); return nil })
	tx.Queue(`SELECT count(*) FROM ticket WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[]) AND (subject <> '' OR description <> '')`,
		tx.Tenant(), customers).QueryRow(func(row pgx.Row) error { return row.Scan(&done.Left) })
	return done
}
