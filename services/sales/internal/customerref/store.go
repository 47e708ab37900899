// Package customerref knows whom other systems mean by their ids. Accounts tells it in events; orders ask.
//
// An order may be heard of before its customer, and the two may arrive in the same moment. So that none stays without
// the other, both meet at the row of the name in customer_ref: an order that finds no customer makes or locks that row
// before it is written, and the news of a customer writes it. Whoever comes second waits for the first to commit, and
// then sees its work: the order finds the customer, or the news finds the order.
package customerref

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/externalref"
	"github.com/guanxi-crm/guanxi/platform/pg"
)

// Resolve gives the customers whom the names mean; a name that nobody is known by is left out, and its row is locked
// until the transaction ends, so that an order written in this transaction will be found when the customer comes. Names
// that are known are not locked. One round trip, however many names.
func Resolve(ctx context.Context, tx *pg.Tx, names []externalref.Ref) (map[externalref.Ref]uuid.UUID, error) {
	if len(names) == 0 {
		return nil, nil
	}
	systems, ids := split(names)
	// Rows are made and locked in the order of their key, here and in Learn, so that nobody waits in a circle. The
	// update that never happens is what locks a row without writing a new version of it. Each is looked for by its whole
	// key: a plain join that was planned while the table was new would read all names of the tenant.
	tx.Queue(`INSERT INTO customer_ref AS r (tenant_id, system, external_id)
		SELECT DISTINCT $1::text, n.system, n.external_id FROM unnest($2::text[], $3::text[]) AS n(system, external_id)
		WHERE (SELECT k.customer_id FROM customer_ref k WHERE k.tenant_id = $1 AND k.system = n.system
			AND k.external_id = n.external_id LIMIT 1) IS NULL
		ORDER BY n.system, n.external_id
		ON CONFLICT (tenant_id, system, external_id) DO UPDATE SET customer_id = r.customer_id WHERE false`, tx.Tenant(), systems, ids)
	rows, err := tx.Query(ctx, `SELECT n.system, n.external_id, r.customer_id
		FROM unnest($2::text[], $3::text[]) AS n(system, external_id)
		JOIN LATERAL (SELECT k.customer_id FROM customer_ref k
			WHERE k.tenant_id = $1 AND k.system = n.system AND k.external_id = n.external_id LIMIT 1) r ON true
		WHERE r.customer_id IS NOT NULL`, tx.Tenant(), systems, ids)
	if err != nil {
		return nil, err
	}
	known := make(map[externalref.Ref]uuid.UUID, len(names))
	var (
		ref      externalref.Ref
		customer uuid.UUID
	)
	_, err = pgx.ForEachRow(rows, []any{&ref.System, &ref.ID, &customer}, func() error {
		known[ref] = customer
		return nil
	})
	return known, err
}

// Root queues the question whom the name means, by the id that stands for that customer now; the answer is there after the
// next round trip, and Nil for a name that nobody is known by.
func Root(tx *pg.Tx, name externalref.Ref) *uuid.UUID {
	root := new(uuid.UUID)
	if name.IsZero() {
		return root
	}
	tx.Queue(`SELECT customer_root(tenant_id, customer_id) FROM customer_ref
		WHERE tenant_id = $1 AND system = $2 AND external_id = $3 AND customer_id IS NOT NULL`, tx.Tenant(), name.System, name.ID).
		QueryRow(func(row pgx.Row) error {
			err := row.Scan(root)
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			return err
		})
	return root
}

// Learn queues the news of whom the names mean. When it has been carried out, every order that uses one of them and was
// written without a customer is visible to the next statement, and every later one will find the customer.
func Learn(tx *pg.Tx, customers map[externalref.Ref]uuid.UUID) {
	names, ids := make([]externalref.Ref, 0, len(customers)), make([]uuid.UUID, 0, len(customers))
	for name, customer := range customers {
		names, ids = append(names, name), append(ids, customer)
	}
	systems, externalIDs := split(names)
	tx.Queue(`INSERT INTO customer_ref AS r (tenant_id, system, external_id, customer_id)
		SELECT $1, n.system, n.external_id, n.customer_id
		FROM unnest($2::text[], $3::text[], $4::uuid[]) AS n(system, external_id, customer_id)
		ORDER BY n.system, n.external_id
		ON CONFLICT (tenant_id, system, external_id) DO UPDATE SET customer_id = EXCLUDED.customer_id
		WHERE r.customer_id IS DISTINCT FROM EXCLUDED.customer_id`, tx.Tenant(), systems, externalIDs, ids)
}

func split(names []externalref.Ref) (systems, ids []string) {
	systems, ids = make([]string, len(names)), make([]string, len(names))
	for i, n := range names {
		systems[i], ids[i] = n.System, n.ID
	}
	return systems, ids
}

// Erase queues that the names of the customers are forgotten and gives them after the next round trip. A name that is used
// again after that is one of somebody who is not known.
func Erase(tx *pg.Tx, customers []uuid.UUID) (forgotten *[]string) {
	forgotten = new([]string)
	tx.Queue(`DELETE FROM customer_ref WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[]) RETURNING external_id`, tx.Tenant(), customers).
		Query(func(rows pgx.Rows) (err error) {
			*forgotten, err = pgx.CollectRows(rows, pgx.RowTo[string])
			return err
		})
	return forgotten
}
