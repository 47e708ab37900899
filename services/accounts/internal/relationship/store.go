package relationship

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/customer"
)

// errNotFound is the same for a relationship that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "relationship_not_found", "There is no such relationship.")

// Each end is looked up by its whole key: what it means now stands with the customer.
const (
	columns = `r.id, r.kind, r.customer_id, f.root, r.related_id, t.root, r.started_at, r.ended_at`
	ends    = `JOIN LATERAL (SELECT coalesce(root_id, id) AS root FROM customer WHERE tenant_id = r.tenant_id AND id = r.customer_id LIMIT 1) f ON true
		JOIN LATERAL (SELECT coalesce(root_id, id) AS root FROM customer WHERE tenant_id = r.tenant_id AND id = r.related_id LIMIT 1) t ON true`
)

// lockKinds queues the locking of all relations of the kinds, until the transaction ends: whoever is about to change
// them or, by a merge, what they mean, sees what the one before left. Lock customers before, never after.
func lockKinds(tx *pg.Tx, kinds ...Kind) {
	for _, kind := range kinds {
		tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('relationship' || chr(31) || $1::text || chr(31) || $2::text, 0))`, tx.Tenant(), kind)
	}
}

func insert(tx *pg.Tx, r Relationship) {
	tx.Queue(`INSERT INTO relationship (tenant_id, id, kind, customer_id, related_id, started_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		tx.Tenant(), r.ID, r.Kind, r.From.ID, r.To.ID, r.StartedAt)
}

func end(tx *pg.Tx, r Relationship) {
	tx.Queue(`UPDATE relationship SET ended_at = $3 WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), r.ID, r.EndedAt)
}

func get(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Relationship, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM relationship r `+ends+` WHERE r.tenant_id = $1 AND r.id = $2`, tx.Tenant(), id))
}

// lock queues the locking of a relation; what get reads afterwards is what the last change left.
func lock(tx *pg.Tx, id uuid.UUID) {
	tx.Queue(`SELECT 1 FROM relationship WHERE tenant_id = $1 AND id = $2 FOR UPDATE`, tx.Tenant(), id)
}

// situation is what a new relation of a kind meets.
type situation struct {
	from, to customer.Kind // what sorts of parties its ends are
	current  uuid.UUID     // the same relation, which stands already; uuid.Nil: none
	upwards  []Edge        // from the related customer
}

// look reads the situation under the lock of the kind, all in one round trip.
func look(ctx context.Context, tx *pg.Tx, kind Kind, from, to customer.Ref) (s situation, err error) {
	lockKinds(tx, kind)
	tx.Queue(`SELECT (SELECT kind FROM customer WHERE tenant_id = $1 AND id = $2), (SELECT kind FROM customer WHERE tenant_id = $1 AND id = $3)`,
		tx.Tenant(), from.Root, to.Root).QueryRow(func(row pgx.Row) error { return row.Scan(&s.from, &s.to) })
	tx.Queue(`SELECT r.id FROM unnest($3::uuid[]) g(id) JOIN LATERAL (SELECT id, related_id FROM relationship
			WHERE tenant_id = $1 AND kind = $2 AND customer_id = g.id AND ended_at IS NULL) r ON true
		WHERE r.related_id = ANY($4) LIMIT 1`, tx.Tenant(), kind, from.Group(), to.Group()).QueryRow(func(row pgx.Row) error {
		if err := row.Scan(&s.current); !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		return nil
	})
	s.upwards, err = upwards(ctx, tx, kind, to.Group())
	return s, err
}

// upwards gives every current relation of the kind that can be walked from the customers of the group, who count as one:
// in the edges they all are the group's first. The union keeps each edge once, so that it ends whatever the relations
// are; the walk does not go on from the group when it comes back to it.
func upwards(ctx context.Context, tx *pg.Tx, kind Kind, group []uuid.UUID) ([]Edge, error) {
	rows, err := tx.Query(ctx, `WITH RECURSIVE up(child, parent) AS (
			SELECT $4::uuid, CASE WHEN e.related_id = ANY($3) THEN $4 ELSE c.root END
			FROM unnest($3::uuid[]) g(id)
			JOIN LATERAL (SELECT related_id FROM relationship
				WHERE tenant_id = $1 AND kind = $2 AND customer_id = g.id AND ended_at IS NULL) e ON true
			JOIN LATERAL (SELECT coalesce(root_id, id) AS root FROM customer WHERE tenant_id = $1 AND id = e.related_id LIMIT 1) c ON true
		UNION
			SELECT up.parent, CASE WHEN e.related_id = ANY($3) THEN $4 ELSE c.root END
			FROM up
			JOIN LATERAL (SELECT id || aliases AS ids FROM customer WHERE tenant_id = $1 AND id = up.parent LIMIT 1) p ON true
			CROSS JOIN LATERAL unnest(p.ids) g(id)
			JOIN LATERAL (SELECT related_id FROM relationship
				WHERE tenant_id = $1 AND kind = $2 AND customer_id = g.id AND ended_at IS NULL) e ON true
			JOIN LATERAL (SELECT coalesce(root_id, id) AS root FROM customer WHERE tenant_id = $1 AND id = e.related_id LIMIT 1) c ON true
			WHERE up.parent <> $4
		)
		SELECT child, parent FROM up`, tx.Tenant(), kind, group, group[0])
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (e Edge, err error) {
		err = row.Scan(&e.From, &e.To)
		return e, err
	})
}

// steps gives up to limit current relations of the kind that lead from the customers upwards, or to them downwards, in
// the order of their making.
func steps(ctx context.Context, tx *pg.Tx, kind Kind, up bool, from []uuid.UUID, limit int) ([]Step, error) {
	near, far := "related_id", "customer_id"
	if up {
		near, far = far, near
	}
	rows, err := tx.Query(ctx, `SELECT c.id, f.root, e.id
		FROM unnest($3::uuid[]) n(id)
		JOIN LATERAL (SELECT id, id || aliases AS ids FROM customer WHERE tenant_id = $1 AND id = n.id LIMIT 1) c ON true
		CROSS JOIN LATERAL unnest(c.ids) g(id)
		JOIN LATERAL (SELECT id, `+far+` AS far FROM relationship
			WHERE tenant_id = $1 AND kind = $2 AND `+near+` = g.id AND ended_at IS NULL ORDER BY id LIMIT $4) e ON true
		JOIN LATERAL (SELECT coalesce(root_id, id) AS root FROM customer WHERE tenant_id = $1 AND id = e.far LIMIT 1) f ON true
		ORDER BY e.id LIMIT $4`, tx.Tenant(), kind, from, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (s Step, err error) {
		err = row.Scan(&s.From, &s.To, &s.Relationship)
		return s, err
	})
}

// list gives up to limit relations of the group, in both directions, the latest first.
func list(ctx context.Context, tx *pg.Tx, group []uuid.UUID, f Filter, limit int) ([]Relationship, error) {
	// Each id by its index and cut at the limit; a relation whose ends were merged since is found twice and shown once.
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM (
			SELECT o.* FROM unnest($2::uuid[]) g(id) JOIN LATERAL (SELECT * FROM relationship
				WHERE tenant_id = $1 AND customer_id = g.id AND id < $3 AND ($4 = '' OR kind = $4) AND ($5 OR ended_at IS NULL)
				ORDER BY id DESC LIMIT $6) o ON true
			UNION
			SELECT i.* FROM unnest($2::uuid[]) g(id) JOIN LATERAL (SELECT * FROM relationship
				WHERE tenant_id = $1 AND related_id = g.id AND id < $3 AND ($4 = '' OR kind = $4) AND ($5 OR ended_at IS NULL)
				ORDER BY id DESC LIMIT $6) i ON true
		) r `+ends+` ORDER BY r.id DESC LIMIT $6`, tx.Tenant(), group, f.Before, f.Kind, f.Ended, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Relationship, error) { return scan(row) })
}

func scan(row pgx.Row) (Relationship, error) {
	var (
		r     Relationship
		ended *time.Time
	)
	err := row.Scan(&r.ID, &r.Kind, &r.From.ID, &r.From.Root, &r.To.ID, &r.To.Root, &r.StartedAt, &ended)
	if errors.Is(err, pgx.ErrNoRows) {
		return Relationship{}, errNotFound
	}
	if ended != nil {
		r.EndedAt = *ended
	}
	return r, err
}

// Tangled gives a code for each sort of current relation that would make no sense once the two groups of ids mean one
// customer: relationship_self_<kind> where one leads to itself, relationship_cycle_<kind> where it closes a circle; none:
// they can be merged. Until the transaction ends nobody adds a relation. The customers are locked already.
func Tangled(ctx context.Context, tx *pg.Tx, survivor, absorbed []uuid.UUID) ([]string, error) {
	all := append(append([]uuid.UUID{}, survivor...), absorbed...)
	lockKinds(tx, Kinds()...)
	var codes []string
	for _, kind := range Kinds() {
		edges, err := upwards(ctx, tx, kind, all)
		if err != nil {
			return nil, err
		}
		switch path := Path(edges, all[0], all[0]); {
		case path == nil:
		case len(path) == 2:
			codes = append(codes, "relationship_self_"+string(kind))
		default:
			codes = append(codes, "relationship_cycle_"+string(kind))
		}
	}
	return codes, nil
}

// Erase removes all relations of the customers, past ones included, and says how many. It can be repeated.
func Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) (map[string]int64, error) {
	tag, err := tx.ExecNow(ctx, `DELETE FROM relationship WHERE tenant_id = $1 AND id = ANY(ARRAY(
			SELECT r.id FROM unnest($2::uuid[]) c(id) JOIN LATERAL (
				SELECT id FROM relationship WHERE tenant_id = $1 AND customer_id = c.id
				UNION ALL SELECT id FROM relationship WHERE tenant_id = $1 AND related_id = c.id) r ON true))`, tx.Tenant(), customers)
	if err != nil {
		return nil, err
	}
	return map[string]int64{"relationships": tag.RowsAffected()}, nil
}

// Portable gives whom the customer is related to, by all ids that mean the customer, for the customer to take along.
func Portable(ctx context.Context, tx *pg.Tx, group []uuid.UUID) (json.RawMessage, error) {
	return customer.Rows(ctx, tx, group, "relationship", "customer_id", "id")
}

// PortableOfOthers gives who is related to the customer, by all ids that mean the customer, for the customer to take along.
func PortableOfOthers(ctx context.Context, tx *pg.Tx, group []uuid.UUID) (json.RawMessage, error) {
	return customer.Rows(ctx, tx, group, "relationship", "related_id", "id")
}
