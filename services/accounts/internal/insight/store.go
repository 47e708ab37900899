package insight

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
)

const columns = `customer_id, name, kind, value_text, value_number, input_classes, about_customer_id, computed_at, valid_until, stated_by`

// put writes the insight in the place of the one of its name, unless that was computed later; written says whether.
func put(ctx context.Context, tx *pg.Tx, i Insight) (written bool, err error) {
	var number *float64
	if i.Kind == Score {
		number = &i.Number
	}
	tag, err := tx.ExecNow(ctx, `INSERT INTO insight AS i (tenant_id, `+columns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (tenant_id, customer_id, name) DO UPDATE SET kind = excluded.kind, value_text = excluded.value_text,
			value_number = excluded.value_number, input_classes = excluded.input_classes, about_customer_id = excluded.about_customer_id,
			computed_at = excluded.computed_at, valid_until = excluded.valid_until, stated_by = excluded.stated_by
		WHERE i.computed_at <= excluded.computed_at`,
		tx.Tenant(), i.Customer, i.Name, i.Kind, i.Text, number, i.Inputs, pg.OrNull(i.About), i.ComputedAt, pg.OrNull(i.ValidUntil), i.StatedBy)
	return tag.RowsAffected() == 1, err
}

// count gives how many names the customer's id has, that of name not among them.
func count(ctx context.Context, tx *pg.Tx, customer uuid.UUID, name string) (n int, err error) {
	err = tx.QueryRow(ctx, `SELECT count(*) FROM insight WHERE tenant_id = $1 AND customer_id = $2 AND name <> $3`,
		tx.Tenant(), customer, name).Scan(&n)
	return n, err
}

// of gives all insights of the customers.
func of(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]Insight, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM insight WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[])`, tx.Tenant(), customers)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (i Insight, err error) {
		var number *float64
		var about *uuid.UUID
		var until *time.Time
		err = row.Scan(&i.Customer, &i.Name, &i.Kind, &i.Text, &number, &i.Inputs, &about, &i.ComputedAt, &until, &i.StatedBy)
		i.Number, i.About, i.ValidUntil = orZero(number), orZero(about), orZero(until)
		return i, err
	})
}

func orZero[T any](v *T) (zero T) {
	if v != nil {
		return *v
	}
	return zero
}

// remove takes the insights of a name away from the customers and says whether there was one.
func remove(ctx context.Context, tx *pg.Tx, customers []uuid.UUID, name string) (bool, error) {
	tag, err := tx.ExecNow(ctx, `DELETE FROM insight WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[]) AND name = $3`, tx.Tenant(), customers, name)
	return tag.RowsAffected() > 0, err
}

// Erase takes away what is said of the customers, and what is said of others from the customers' data.
func Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) (map[string]int64, error) {
	tag, err := tx.ExecNow(ctx, `DELETE FROM insight WHERE tenant_id = $1 AND (customer_id = ANY($2::uuid[]) OR about_customer_id = ANY($2::uuid[]))`,
		tx.Tenant(), customers)
	return map[string]int64{"insights": tag.RowsAffected()}, err
}

// Portable gives what was concluded of the customer, known by the ids of the group, from nobody else's data, where all that it was
// concluded from is of the classes in sight. It is for the customer to take along.
func Portable(ctx context.Context, tx *pg.Tx, group []uuid.UUID, inSight []access.Class) (json.RawMessage, error) {
	var all string
	err := tx.QueryRow(ctx, `SELECT coalesce(jsonb_agg(to_jsonb(r) - 'tenant_id' ORDER BY r.name, r.customer_id), '[]')::text
		FROM unnest($2::uuid[]) AS g(member)
		CROSS JOIN LATERAL (SELECT * FROM insight WHERE tenant_id = $1 AND customer_id = g.member) r
		WHERE r.input_classes <@ $3::text[] AND coalesce(r.about_customer_id = ANY($2), true)`, tx.Tenant(), group, inSight).Scan(&all)
	return json.RawMessage(all), err
}
