package opportunity

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/guanxi-crm/guanxi/platform/erasure"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// wordy are opportunities o of the customers $2 that words are left in.
const wordy = `FROM opportunity o WHERE o.tenant_id = $1 AND o.customer_id = ANY ($2::uuid[]) AND (o.name <> '' OR o.next_step <> '' OR o.custom_fields <> '{}'
	OR EXISTS (SELECT FROM opportunity_competitor r WHERE r.tenant_id = o.tenant_id AND r.opportunity_id = o.id AND (r.strengths <> '' OR r.weaknesses <> '')))`

// Erase takes the words out of the opportunities of the customers, and takes the customers out of whatever they are contacts of.
// Stages, amounts, codes and what came of it stay.
func Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) ([]erasure.Erased, error) {
	var ids []uuid.UUID
	tx.Queue(`SELECT o.id `+wordy, tx.Tenant(), customers).Query(func(rows pgx.Rows) (err error) {
		ids, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		return err
	})
	if err := tx.Flush(ctx); err != nil {
		return nil, err
	}
	var left, contacts, contactsLeft int64
	tx.Queue(`SELECT 1 FROM opportunity WHERE tenant_id = $1 AND id = ANY ($2::uuid[]) ORDER BY id FOR UPDATE`, tx.Tenant(), ids)
	tx.Queue(`UPDATE opportunity SET name = '', next_step = '', next_step_on = NULL, custom_fields = '{}' WHERE tenant_id = $1 AND id = ANY ($2::uuid[])`,
		tx.Tenant(), ids)
	tx.Queue(`UPDATE opportunity_competitor SET strengths = '', weaknesses = '' WHERE tenant_id = $1 AND opportunity_id = ANY ($2::uuid[])`, tx.Tenant(), ids)
	tx.Queue(`DELETE FROM opportunity_contact WHERE tenant_id = $1 AND customer_id = ANY ($2::uuid[])`, tx.Tenant(), customers).
		Exec(func(tag pgconn.CommandTag) error { contacts = tag.RowsAffected(); return nil })
	count := func(sql string, into *int64) {
		tx.Queue(sql, tx.Tenant(), customers).QueryRow(func(row pgx.Row) error { return row.Scan(into) })
	}
	count(`SELECT count(*) `+wordy, &left)
	count(`SELECT count(*) FROM opportunity_contact WHERE tenant_id = $1 AND customer_id = ANY ($2::uuid[])`, &contactsLeft)
	err := tx.Flush(ctx)
	return []erasure.Erased{
		{What: "opportunity", Count: int64(len(ids)), Left: left}, {What: "opportunity_contact", Count: contacts, Left: contactsLeft},
	}, err
}
