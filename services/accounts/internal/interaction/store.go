package interaction

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
)

// errNotFound is the same for an interaction that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "interaction_not_found", "There is no such interaction.")

const columns = `i.id, i.customer_id, i.channel, i.direction, i.touchpoint, i.outcome, i.occurred_at, i.duration_seconds, i.summary,
	i.identity_type, i.identity_value, i.recorded_by, i.recorded_at`

// insert queues a new interaction.
func insert(tx *pg.Tx, i Interaction) {
	tx.Queue(`INSERT INTO interaction (tenant_id, id, customer_id, channel, direction, touchpoint, outcome, occurred_at, duration_seconds,
			summary, identity_type, identity_value, recorded_by, recorded_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		tx.Tenant(), i.ID, i.Customer, i.Channel, i.Direction, pg.OrNull(i.Touchpoint), i.Outcome, i.OccurredAt, int64(i.Duration/time.Second),
		i.Summary, i.Identity.Type, i.Identity.Value, i.RecordedBy, i.RecordedAt)
}

func get(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Interaction, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM interaction i WHERE i.tenant_id = $1 AND i.id = $2`, tx.Tenant(), id))
}

// list gives up to limit interactions of the group that fit the filter, the latest first. Each id of the group is read by
// its index as far as the page goes.
func list(ctx context.Context, tx *pg.Tx, group []uuid.UUID, f Filter, limit int) ([]Interaction, error) {
	where, args := []string{"tenant_id = $1", "customer_id = g.id"}, []any{tx.Tenant(), group, limit}
	only := func(condition string, values ...any) {
		places := make([]any, len(values))
		for n, v := range values {
			args = append(args, v)
			places[n] = len(args)
		}
		where = append(where, fmt.Sprintf(condition, places...))
	}
	if f.Channel != "" {
		only("channel = $%d", f.Channel)
	}
	if f.Direction != "" {
		only("direction = $%d", f.Direction)
	}
	if f.Touchpoint != "" {
		only("touchpoint = $%d", f.Touchpoint)
	}
	if f.Outcome != "" {
		only("outcome = $%d", f.Outcome)
	}
	if !f.From.IsZero() {
		only("occurred_at >= $%d", f.From)
	}
	if !f.Until.IsZero() {
		only("occurred_at < $%d", f.Until)
	}
	if f.Before != uuid.Nil {
		only("(occurred_at, id) < ($%d, $%d)", f.BeforeAt, f.Before)
	}
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM unnest($2::uuid[]) g(id) JOIN LATERAL (SELECT * FROM interaction
			WHERE `+strings.Join(where, " AND ")+` ORDER BY occurred_at DESC, id DESC LIMIT $3) i ON true
		ORDER BY i.occurred_at DESC, i.id DESC LIMIT $3`, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Interaction, error) { return scan(row) })
}

func scan(row pgx.Row) (i Interaction, err error) {
	var (
		touchpoint *string
		seconds    int64
	)
	err = row.Scan(&i.ID, &i.Customer, &i.Channel, &i.Direction, &touchpoint, &i.Outcome, &i.OccurredAt, &seconds, &i.Summary,
		&i.Identity.Type, &i.Identity.Value, &i.RecordedBy, &i.RecordedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errNotFound
	}
	if touchpoint != nil {
		i.Touchpoint = *touchpoint
	}
	i.Duration = time.Duration(seconds) * time.Second
	return i, err
}

// Erase takes the words and the identities out of the customers' interactions and says of how many; that there were
// interactions stays, as it stands in the events. It can be repeated.
func Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) (map[string]int64, error) {
	tag, err := tx.ExecNow(ctx, `UPDATE interaction SET summary = '', identity_type = '', identity_value = ''
		WHERE tenant_id = $1 AND customer_id = ANY($2) AND (summary <> '' OR identity_type <> '')`, tx.Tenant(), customers)
	if err != nil {
		return nil, err
	}
	return map[string]int64{"interactions": tag.RowsAffected()}, nil
}

// Portable gives when the customer was met, by all ids that mean the customer, for the customer to take along.
func Portable(ctx context.Context, tx *pg.Tx, group []uuid.UUID) (json.RawMessage, error) {
	return customer.Rows(ctx, tx, group, "interaction", "customer_id", "occurred_at, id")
}
