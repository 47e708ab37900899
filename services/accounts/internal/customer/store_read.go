package customer

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
)

// Read gives the customer whom the id means, whole, with As set to id. An id that nobody ever had is NotFound, one of an
// erased customer Gone.
func Read(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Customer, error) {
	c, err := get(ctx, tx, id)
	if err == nil && c.State == Erased {
		return Customer{}, errErased
	}
	return c, err
}

var allSQL = `SELECT ` + columns + ` FROM (
			SELECT coalesce(k.root_id, k.id) AS id, min(n.place) AS place FROM unnest($2::uuid[]) WITH ORDINALITY AS n(id, place)
			JOIN LATERAL (SELECT id, root_id FROM customer WHERE tenant_id = $1 AND id = n.id LIMIT 1) k ON true GROUP BY 1
		) n JOIN LATERAL (SELECT * FROM customer WHERE tenant_id = $1 AND id = n.id AND state <> 'erased' LIMIT 1) c ON true ` +
	hanging(`c.id || c.aliases`) + ` ORDER BY n.place`

// ReadAll gives the customers whom the ids mean, whole, each once, in the order in which the ids first mean them. Ids of
// nobody and of erased customers are left out.
func ReadAll(ctx context.Context, tx *pg.Tx, ids ...uuid.UUID) ([]Customer, error) {
	rows, err := tx.Query(ctx, allSQL, tx.Tenant(), ids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, collect)
}

var ownSQL = `SELECT ` + columns + ` FROM unnest($2::uuid[]) AS n(id)
	JOIN LATERAL (SELECT * FROM customer WHERE tenant_id = $1 AND id = n.id LIMIT 1) c ON true ` + hanging(`ARRAY[c.id]`)

// Own gives, by id, what stands in the row of each id itself and hangs on that id alone, whatever its state: of an absorbed
// customer what it was, and of one who absorbed others what it is without them. Unknown ids are left out.
func Own(ctx context.Context, tx *pg.Tx, ids ...uuid.UUID) (map[uuid.UUID]Customer, error) {
	rows, err := tx.Query(ctx, ownSQL, tx.Tenant(), ids)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, collect)
	own := make(map[uuid.UUID]Customer, len(all))
	for _, c := range all {
		own[c.ID] = c
	}
	return own, err
}

// listSQL says the state in so many words, so that the few who are archived are read by an index of theirs.
func listSQL(state State) string {
	of := `c.state IN ('active', 'archived')`
	switch state {
	case Active:
		of = `c.state = 'active'`
	case Archived:
		of = `c.state = 'archived'`
	}
	return whole + `WHERE c.tenant_id = $1 AND c.id > $2 AND ` + of + ` ORDER BY c.id LIMIT $3`
}

// list gives up to limit customers after the given one, in the order of registration; of all states but those of nobody
// any more where state is empty.
func list(ctx context.Context, tx *pg.Tx, state State, after uuid.UUID, limit int) ([]Customer, error) {
	rows, err := tx.Query(ctx, listSQL(state), tx.Tenant(), after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, collect)
}

// history gives entries of the stages of a group's ids, the latest first.
func history(ctx context.Context, tx *pg.Tx, group []uuid.UUID, before time.Time, of uuid.UUID, limit int) ([]Move, error) {
	rows, err := tx.Query(ctx, `SELECT s.customer_id, s.stage, s.since, s.reason, s.by, s.manual_until FROM customer_stage s
		WHERE s.tenant_id = $1 AND s.customer_id = ANY($2::uuid[]) AND ($3::timestamptz IS NULL OR (s.since, s.customer_id) < ($3, $4))
		ORDER BY s.since DESC, s.customer_id DESC LIMIT $5`, tx.Tenant(), group, pg.OrNull(before), of, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (m Move, err error) {
		var until *time.Time
		err = row.Scan(&m.CustomerID, &m.Stage, &m.Since, &m.Reason, &m.By, &until)
		m.Since, m.ManualUntil = m.Since.UTC(), orZero(until)
		return m, err
	})
}

// lookupSQL finds the rows of the identity by their key, makes one of those who were merged, and reads whom it leaves.
var lookupSQL = `SELECT ` + columns + `, m.valid, m.verified_at IS NOT NULL FROM (
			SELECT r.id, r.state, h.* FROM (
				SELECT DISTINCT ON (k.root) k.* FROM (
					SELECT coalesce(c.root_id, c.id) AS root, k.verified_at, k.valid_to IS NULL AS valid, coalesce(k.valid_from, k.added_at) AS began
					FROM customer_identity k
					JOIN LATERAL (SELECT id, root_id FROM customer WHERE tenant_id = $1 AND id = k.customer_id LIMIT 1) c ON true
					WHERE k.tenant_id = $1 AND k.type = $2 AND k.value = $3 AND (k.valid_to IS NULL OR NOT k.exclusive OR $4)
				) k ORDER BY k.root, k.valid DESC, k.verified_at DESC NULLS LAST, k.began DESC
			) h JOIN LATERAL (SELECT id, state FROM customer WHERE tenant_id = $1 AND id = h.root AND state IN ('active', 'archived') LIMIT 1) r ON true
			ORDER BY r.state = 'archived', h.valid DESC, h.verified_at DESC NULLS LAST, h.began DESC, r.id DESC LIMIT $5
		) m JOIN LATERAL (SELECT * FROM customer WHERE tenant_id = $1 AND id = m.id LIMIT 1) c ON true ` + hanging(`c.id || c.aliases`) + `
		ORDER BY m.state = 'archived', m.valid DESC, m.verified_at DESC NULLS LAST, m.began DESC, m.id DESC`

// queueLookup has the customers who have the identity read into found, as Customers.Lookup orders them.
func queueLookup(tx *pg.Tx, i identity.Identity, ended bool, limit int, found *[]Found) {
	tx.Queue(lookupSQL, tx.Tenant(), i.Type, i.Value, ended, limit).Query(func(rows pgx.Rows) (err error) {
		*found, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (f Found, err error) {
			var valid, verified bool
			f.Customer, err = scan(wider{row, []any{&valid, &verified}})
			f.Why = why(f.State, valid, verified)
			return f, err
		})
		return err
	})
}

// wider is a row with more columns than scan reads.
type wider struct {
	pgx.Row
	more []any
}

func (w wider) Scan(dest ...any) error { return w.Row.Scan(append(dest, w.more...)...) }

// held are the customers who have any of the exclusive identities of $2 and $3. Each by its whole key: plain joins that were planned while
// the tables were new would read all of the tenant's.
const held = `ARRAY(SELECT coalesce(r.root_id, r.id) FROM unnest($2::text[], $3::text[]) AS n(type, value)
	JOIN LATERAL (SELECT customer_id FROM customer_identity
		WHERE tenant_id = $1 AND type = n.type AND value = n.value AND exclusive AND valid_to IS NULL LIMIT 1) k ON true
	JOIN LATERAL (SELECT id, root_id FROM customer WHERE tenant_id = $1 AND id = k.customer_id LIMIT 1) r ON true)`

var holdersSQL = `SELECT ` + columns + ` FROM (SELECT DISTINCT unnest(` + held + `) AS id) n
	JOIN LATERAL (SELECT * FROM customer WHERE tenant_id = $1 AND id = n.id LIMIT 1) c ON true` + hanging(`c.id || c.aliases`)

// LockHolders locks the customers who have any of the exclusive identities, in the order of their ids, and gives each
// identity's customer as it is then. Identities that have ended are nobody's.
func LockHolders(ctx context.Context, tx *pg.Tx, exclusive []identity.Identity) (map[identity.Identity]Customer, error) {
	types, values := make([]identity.Type, len(exclusive)), make([]string, len(exclusive))
	for n, i := range exclusive {
		types[n], values[n] = i.Type, i.Value
	}
	for range maxHolds {
		locked := make(map[uuid.UUID]bool)
		tx.Queue(`SELECT id FROM customer WHERE tenant_id = $1 AND id = ANY(`+held+`) ORDER BY id FOR UPDATE`, tx.Tenant(), types, values).
			Query(func(rows pgx.Rows) error {
				var id uuid.UUID
				_, err := pgx.ForEachRow(rows, []any{&id}, func() error { locked[id] = true; return nil })
				return err
			})
		rows, err := tx.Query(ctx, holdersSQL, tx.Tenant(), types, values)
		if err != nil {
			return nil, err
		}
		customers, err := pgx.CollectRows(rows, collect)
		if err != nil {
			return nil, err
		}
		holders := make(map[identity.Identity]Customer, len(customers))
		firm := true
		for _, c := range customers {
			firm = firm && locked[c.ID]
			for _, i := range c.rows {
				if i.exclusive() && i.Valid() {
					c.As = i.CustomerID
					holders[i.Identity] = c
				}
			}
		}
		if firm { // otherwise somebody came to stand for a holder while this waited
			return holders, nil
		}
	}
	return nil, errBusy
}

// Erase takes out everything personal of the customers: names, owner, tags, custom fields, identities and addresses. What
// remains is a row of nobody, and the history of its stages, which has codes and times only. It gives how many rows of
// what were erased: none, where that was done before.
func Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) (map[string]int64, error) {
	erased := make(map[string]int64)
	for _, step := range []struct{ what, sql string }{
		{"identities", `DELETE FROM customer_identity WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[])`},
		{"addresses", `DELETE FROM customer_address WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[])`},
		{"purchases", `DELETE FROM customer_purchase WHERE tenant_id = $1 AND customer_id = ANY($2::uuid[])`},
		{"customers", `UPDATE customer SET version = version + 1, state = 'erased', root_id = NULL, aliases = '{}', display_name = '',
			given_name = '', family_name = '', legal_name = '', tags = '{}', owner = '', custom = '{}'
			WHERE tenant_id = $1 AND id = ANY($2::uuid[]) AND state <> 'erased'`},
	} {
		tx.Queue(step.sql, tx.Tenant(), customers).Exec(func(tag pgconn.CommandTag) error {
			erased[step.what] = tag.RowsAffected()
			return nil
		})
	}
	return erased, tx.Flush(ctx)
}

// addPurchases queues the counting of orders by the ids that they bear, in the order of their key.
func addPurchases(tx *pg.Tx, orders map[uuid.UUID]int64) {
	ids, counts := make([]uuid.UUID, 0, len(orders)), make([]int64, 0, len(orders))
	for id, n := range orders {
		ids, counts = append(ids, id), append(counts, n)
	}
	tx.Queue(`INSERT INTO customer_purchase AS p (tenant_id, customer_id, orders)
		SELECT $1, n.id, n.orders FROM unnest($2::uuid[], $3::bigint[]) AS n(id, orders) ORDER BY n.id
		ON CONFLICT (tenant_id, customer_id) DO UPDATE SET orders = p.orders + excluded.orders`, tx.Tenant(), ids, counts)
}

const dueSQL = `SELECT n.id, r.stage, p.orders FROM unnest($2::uuid[]) AS n(id)
		JOIN LATERAL (SELECT coalesce(root_id, id) AS root FROM customer WHERE tenant_id = $1 AND id = n.id LIMIT 1) c ON true
		JOIN LATERAL (SELECT id, aliases, stage FROM customer WHERE tenant_id = $1 AND id = c.root AND state = 'active'
			AND stage IN ('awareness', 'exploration') LIMIT 1) r ON true
		JOIN LATERAL (SELECT sum(k.orders)::bigint AS orders FROM unnest(r.id || r.aliases) AS g(id)
			JOIN LATERAL (SELECT orders FROM customer_purchase WHERE tenant_id = $1 AND customer_id = g.id LIMIT 1) k ON true) p ON true`

// dueStages gives those of the ids whose customers may have to move on, with the orders of the customer's whole group. It
// reads keys only, since most customers stay where they are.
func dueStages(ctx context.Context, tx *pg.Tx, ids []uuid.UUID) (map[uuid.UUID]int64, error) {
	rows, err := tx.Query(ctx, dueSQL, tx.Tenant(), ids)
	if err != nil {
		return nil, err
	}
	due := make(map[uuid.UUID]int64)
	var (
		id     uuid.UUID
		stage  Stage
		orders int64
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &stage, &orders}, func() error {
		if _, _, moves := StageAfter(stage, orders); moves {
			due[id] = orders
		}
		return nil
	})
	return due, err
}
