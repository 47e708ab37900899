package customer

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/identity"
)

// errNotFound is the same for a customer that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "customer_not_found", "There is no such customer.")

// exclusiveIndex is the constraint that gives an exclusive identity to one customer only.
const exclusiveIndex = "customer_identity_exclusive"

const columns = `c.id, c.version, c.kind, c.display_name, c.given_name, c.family_name, c.legal_name, c.source, c.registered_at,
	c.changed_at, i.types, i.vals, i.added, i.verified`

// identities of a customer c, in the order of Customer.Identities, as arrays beside each other: one row a customer,
// however many identities.
const identities = `LEFT JOIN LATERAL (
		SELECT array_agg(k.type) AS types, array_agg(k.value) AS vals, array_agg(k.added_at) AS added, array_agg(k.verified_at) AS verified
		FROM (SELECT * FROM customer_identity WHERE tenant_id = c.tenant_id AND customer_id = c.id
			ORDER BY added_at, type COLLATE "C", value COLLATE "C") k
	) i ON true`

// Insert queues new customers with their identities, all in two statements. An exclusive identity that another customer
// has violates customer_identity_exclusive.
func Insert(tx *pg.Tx, customers ...Customer) {
	n := len(customers)
	ids, kinds, sources := make([]uuid.UUID, n), make([]Kind, n), make([]string, n)
	display, given, family, legal := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	versions, registered, changed := make([]int64, n), make([]time.Time, n), make([]time.Time, n)
	var known []holding
	for i, c := range customers {
		ids[i], kinds[i], sources[i], versions[i] = c.ID, c.Kind, c.Source, c.Version
		display[i], given[i], family[i], legal[i] = c.Display, c.Given, c.Family, c.Legal
		registered[i], changed[i] = c.RegisteredAt, c.ChangedAt
		for _, one := range c.Identities {
			known = append(known, holding{c.ID, one})
		}
	}
	tx.Queue(`INSERT INTO customer (tenant_id, id, version, kind, display_name, given_name, family_name, legal_name, source, registered_at, changed_at)
		SELECT $1, * FROM unnest($2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
			$10::timestamptz[], $11::timestamptz[])`,
		tx.Tenant(), ids, versions, kinds, display, given, family, legal, sources, registered, changed)
	insertIdentities(tx, known)
}

// Update queues the names, versions and times of customers that are locked, in one statement.
func Update(tx *pg.Tx, customers ...Customer) {
	n := len(customers)
	ids, versions, changed := make([]uuid.UUID, n), make([]int64, n), make([]time.Time, n)
	display, given, family, legal := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	for i, c := range customers {
		ids[i], versions[i], changed[i] = c.ID, c.Version, c.ChangedAt
		display[i], given[i], family[i], legal[i] = c.Display, c.Given, c.Family, c.Legal
	}
	tx.Queue(`UPDATE customer c SET version = n.version, display_name = n.display_name, given_name = n.given_name,
			family_name = n.family_name, legal_name = n.legal_name, changed_at = n.changed_at
		FROM unnest($2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[])
			AS n(id, version, display_name, given_name, family_name, legal_name, changed_at)
		WHERE c.tenant_id = $1 AND c.id = n.id AND c.id = ANY($2::uuid[])`, // said twice, so that only these are read
		tx.Tenant(), ids, versions, display, given, family, legal, changed)
}

// holding is an identity and who has it.
type holding struct {
	customer uuid.UUID
	Identity
}

// insertIdentities queues identities, in the order of their key so that two commands never wait for each other in a
// circle.
func insertIdentities(tx *pg.Tx, known []holding) {
	if len(known) == 0 {
		return
	}
	n := len(known)
	ids, types, values, added := make([]uuid.UUID, n), make([]identity.Type, n), make([]string, n), make([]time.Time, n)
	for i, k := range known {
		ids[i], types[i], values[i], added[i] = k.customer, k.Type, k.Value, k.AddedAt
	}
	tx.Queue(`INSERT INTO customer_identity (tenant_id, customer_id, type, value, added_at)
		SELECT $1, n.customer_id, n.type, n.value, n.added_at
		FROM unnest($2::uuid[], $3::text[], $4::text[], $5::timestamptz[]) AS n(customer_id, type, value, added_at)
		ORDER BY n.type, n.value, n.customer_id`,
		tx.Tenant(), ids, types, values, added)
}

// get gives a customer, or errNotFound.
func get(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Customer, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM customer c `+identities+` WHERE c.tenant_id = $1 AND c.id = $2`,
		tx.Tenant(), id))
}

// lock queues the locking of a customer until the transaction ends. What is read afterwards is what the last change
// left, identities included: a subselect beside FOR UPDATE would still see what was there before the wait.
func lock(tx *pg.Tx, id uuid.UUID) {
	tx.Queue(`SELECT 1 FROM customer WHERE tenant_id = $1 AND id = $2 FOR UPDATE`, tx.Tenant(), id)
}

// list gives up to limit customers after the given one, in the order of registration.
func list(ctx context.Context, tx *pg.Tx, after uuid.UUID, limit int) ([]Customer, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM customer c `+identities+`
		WHERE c.tenant_id = $1 AND c.id > $2 ORDER BY c.id LIMIT $3`, tx.Tenant(), after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, collect)
}

// lookup gives the customers who have the identity: those for whom it is verified first, the latest verification before
// older ones, then those to whom it was added last, since operators give numbers to new people.
func lookup(ctx context.Context, tx *pg.Tx, i identity.Identity, limit int) ([]Customer, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+`
		FROM customer_identity k JOIN customer c ON c.tenant_id = k.tenant_id AND c.id = k.customer_id `+identities+`
		WHERE k.tenant_id = $1 AND k.type = $2 AND k.value = $3
		ORDER BY k.verified_at DESC NULLS LAST, k.added_at DESC, c.id DESC LIMIT $4`, tx.Tenant(), i.Type, i.Value, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, collect)
}

// LockHolders locks the customers who have any of the exclusive identities, in the order of their ids, and gives each
// identity's customer as it is then.
func LockHolders(ctx context.Context, tx *pg.Tx, exclusive []identity.Identity) (map[identity.Identity]Customer, error) {
	types, values := make([]identity.Type, len(exclusive)), make([]string, len(exclusive))
	for n, i := range exclusive {
		types[n], values[n] = i.Type, i.Value
	}
	// Each by its whole key: plain joins that were planned while the tables were new would read all of the tenant's.
	const held = `ARRAY(SELECT k.customer_id FROM unnest($2::text[], $3::text[]) AS n(type, value)
		JOIN LATERAL (SELECT customer_id FROM customer_identity
			WHERE tenant_id = $1 AND type = n.type AND value = n.value AND exclusive LIMIT 1) k ON true)`
	tx.Queue(`SELECT 1 FROM customer WHERE tenant_id = $1 AND id = ANY(`+held+`) ORDER BY id FOR UPDATE`, tx.Tenant(), types, values)
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM customer c `+identities+`
		WHERE c.tenant_id = $1 AND c.id = ANY(`+held+`)`, tx.Tenant(), types, values)
	if err != nil {
		return nil, err
	}
	customers, err := pgx.CollectRows(rows, collect)
	holders := make(map[identity.Identity]Customer, len(customers))
	for _, c := range customers {
		for _, i := range c.Identities {
			if i.exclusive() {
				holders[i.Identity] = c
			}
		}
	}
	return holders, err
}

func collect(row pgx.CollectableRow) (Customer, error) { return scan(row) }

func scan(row pgx.Row) (Customer, error) {
	var (
		c             Customer
		types, values []string
		added         []time.Time
		verified      []*time.Time
	)
	err := row.Scan(&c.ID, &c.Version, &c.Kind, &c.Display, &c.Given, &c.Family, &c.Legal, &c.Source, &c.RegisteredAt,
		&c.ChangedAt, &types, &values, &added, &verified)
	if errors.Is(err, pgx.ErrNoRows) {
		return Customer{}, errNotFound
	}
	if err != nil {
		return Customer{}, err
	}
	c.Identities = make([]Identity, len(types))
	for n := range types {
		c.Identities[n] = Identity{Identity: identity.Identity{Type: identity.Type(types[n]), Value: values[n]}, AddedAt: added[n]}
		if verified[n] != nil {
			c.Identities[n].VerifiedAt = *verified[n]
		}
	}
	return c, nil
}
