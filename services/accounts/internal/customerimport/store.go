package customerimport

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/imports"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
)

// maxSharing is how many may share a telephone, a mailbox or a browser for it to tell anything.
const maxSharing = 20

// taken gives those of the records' identities that somebody has now, of those that the policy asks for. Each is looked for
// by its whole key.
func taken(ctx context.Context, tx *pg.Tx, policy imports.Policy, records []*record) (map[identity.Identity]bool, error) {
	types, values := make([]string, 0, 4*len(records)), make([]string, 0, 4*len(records)) // few have more
	for _, r := range records {
		for _, i := range r.draft.Identities {
			if i.Type.Exclusive() || policy != imports.Create && r.made.Display != "" {
				types, values = append(types, string(i.Type)), append(values, i.Value)
			}
		}
	}
	if len(types) == 0 {
		return nil, nil
	}
	rows, err := tx.Query(ctx, `SELECT n.type, n.value FROM unnest($2::text[], $3::text[]) AS n(type, value)
		WHERE EXISTS (SELECT FROM customer_identity WHERE tenant_id = $1 AND type = n.type AND value = n.value AND valid_to IS NULL OFFSET 0)`,
		tx.Tenant(), types, values)
	if err != nil {
		return nil, err
	}
	held := make(map[identity.Identity]bool)
	var i identity.Identity
	_, err = pgx.ForEachRow(rows, []any{&i.Type, &i.Value}, func() error { held[i] = true; return nil })
	return held, err
}

// sharing gives the customers who share an identity with a record and have its name. identities and names are parallel.
func sharing(ctx context.Context, tx *pg.Tx, identities []identity.Identity, names []string) ([]uuid.UUID, error) {
	if len(identities) == 0 {
		return nil, nil
	}
	types, values := make([]identity.Type, len(identities)), make([]string, len(identities))
	for n, i := range identities {
		types[n], values[n] = i.Type, i.Value
	}
	rows, err := tx.Query(ctx, `SELECT n.place, c.id, c.display_name
		FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS n(type, value, place)
		CROSS JOIN LATERAL (SELECT array_agg(customer_id) AS ids FROM (SELECT customer_id FROM customer_identity
			WHERE tenant_id = $1 AND type = n.type AND value = n.value AND valid_to IS NULL LIMIT $4) h) k
		CROSS JOIN LATERAL unnest(k.ids) AS m(id)
		CROSS JOIN LATERAL (SELECT root_id FROM customer WHERE tenant_id = $1 AND id = m.id LIMIT 1) r
		CROSS JOIN LATERAL (SELECT id, display_name FROM customer
			WHERE tenant_id = $1 AND id = coalesce(r.root_id, m.id) AND state IN ('active', 'archived') LIMIT 1) c
		WHERE cardinality(k.ids) < $4`, tx.Tenant(), types, values, maxSharing+1)
	if err != nil {
		return nil, err
	}
	var ids []uuid.UUID
	var place int
	var id uuid.UUID
	var display string
	_, err = pgx.ForEachRow(rows, []any{&place, &id, &display}, func() error {
		if nameOf(display) == names[place-1] {
			ids = append(ids, id)
		}
		return nil
	})
	return ids, err
}

// lock locks the customers, in the order of their ids, and gives them as they are then.
func lock(ctx context.Context, tx *pg.Tx, ids []uuid.UUID) ([]customer.Customer, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	tx.Queue(`SELECT 1 FROM customer WHERE tenant_id = $1 AND id = ANY($2::uuid[]) ORDER BY id FOR UPDATE`, tx.Tenant(), ids)
	return customer.ReadAll(ctx, tx, ids...)
}
