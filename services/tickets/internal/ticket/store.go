package ticket

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// errNotFound is the same for a ticket that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "ticket_not_found", "There is no such ticket.")

const columns = `id, version, number, kind, channel, customer_id, subject, description, impact, urgency, priority, status, opened_at, changed_at`

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
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM ticket WHERE tenant_id = $1 AND id = $2 FOR UPDATE`, tx.Tenant(), id))
}

func get(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Ticket, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM ticket WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), id))
}

func byNumber(ctx context.Context, tx *pg.Tx, number int64) (Ticket, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM ticket WHERE tenant_id = $1 AND number = $2`, tx.Tenant(), number))
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
	if f.CustomerID != uuid.Nil {
		only("customer_id =", f.CustomerID)
	}
	if f.Before != uuid.Nil {
		only("id <", f.Before)
	}
	rows, err := tx.Query(ctx, fmt.Sprintf(`SELECT `+columns+` FROM ticket WHERE %s ORDER BY id DESC LIMIT %d`,
		strings.Join(where, " AND "), limit), args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Ticket, error) { return scan(row) })
}

func scan(row pgx.Row) (Ticket, error) {
	var t Ticket
	var customer *uuid.UUID
	err := row.Scan(&t.ID, &t.Version, &t.Number, &t.Kind, &t.Channel, &customer, &t.Subject, &t.Description, &t.Impact, &t.Urgency,
		&t.Priority, &t.Status, &t.OpenedAt, &t.ChangedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return Ticket{}, errNotFound
	}
	if customer != nil {
		t.CustomerID = *customer
	}
	return t, err
}
