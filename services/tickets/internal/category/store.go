package category

import (
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// errNotFound is the same for a category that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "category_not_found", "There is no such category.")

// All queues the search for the tree of the transaction's tenant; it is filled by the next round trip.
func All(tx *pg.Tx) Tree {
	t := make(Tree)
	tx.Queue(`SELECT code, coalesce(parent, ''), title, archived, used, version, changed_at FROM ticket_category WHERE tenant_id = $1`, tx.Tenant()).
		Query(func(rows pgx.Rows) error {
			var c Category
			_, err := pgx.ForEachRow(rows, []any{&c.Code, &c.Parent, &c.Title, &c.Archived, &c.Used, &c.Version, &c.ChangedAt}, func() error {
				c.ChangedAt = c.ChangedAt.UTC()
				t[c.Code] = c
				return nil
			})
			t.paths()
			return err
		})
	return t
}

// Place is where a category stands, for a ticket that is to bear it.
type Place struct {
	Known    bool // and takes new tickets, unless Archived
	Archived bool
	Used     bool
	Path     string // the codes from the root, such as hardware/printer; empty for none
}

// At queues the search for a category; it is filled by the next round trip. The empty code is none.
func At(tx *pg.Tx, code string) *Place {
	p := new(Place)
	if code == "" {
		return p
	}
	tx.Queue(`WITH RECURSIVE up AS (
			SELECT code, parent, archived, used, 0 AS level FROM ticket_category WHERE tenant_id = $1 AND code = $2
			UNION ALL
			SELECT c.code, c.parent, u.archived, u.used, u.level + 1 FROM up u JOIN ticket_category c ON c.tenant_id = $1 AND c.code = u.parent
		)
		SELECT string_agg(code, '/' ORDER BY level DESC), bool_or(archived), bool_or(used) FROM up HAVING count(*) > 0`, tx.Tenant(), code).
		QueryRow(func(row pgx.Row) error {
			err := row.Scan(&p.Path, &p.Archived, &p.Used)
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			p.Known = err == nil
			return err
		})
	return p
}

// Fault names what keeps new tickets from bearing the category of the code; nil for nothing.
func (p *Place) Fault(code string) []problem.Field {
	switch {
	case code == "" || p.Known && !p.Archived:
		return nil
	case p.Archived:
		return []problem.Field{fault("category", "category_archived", "takes no new tickets")}
	default:
		return []problem.Field{fault("category", "category_unknown", "is no category of this tenant")}
	}
}

// Use queues the mark that a ticket bears the category, if it is the first. It fails with the Conflict category_changed
// when the category was taken away since it was read.
func (p *Place) Use(tx *pg.Tx, code string) {
	if code == "" || p.Used {
		return
	}
	tx.Queue(`UPDATE ticket_category SET used = true WHERE tenant_id = $1 AND code = $2`, tx.Tenant(), code).
		Exec(func(tag pgconn.CommandTag) error {
			if tag.RowsAffected() == 0 {
				return problem.New(problem.Conflict, "category_changed", "The category was taken away just now. Try again.")
			}
			return nil
		})
}

// lock queues a lock against others who change the tree, which lasts until the transaction ends.
func lock(tx *pg.Tx) {
	tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('ticket_category' || chr(31) || $1, 0))`, tx.Tenant())
}

func insert(tx *pg.Tx, c Category) {
	tx.Queue(`INSERT INTO ticket_category (tenant_id, code, parent, title, version, changed_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		tx.Tenant(), c.Code, pg.OrNull(c.Parent), c.Title, c.Version, c.ChangedAt)
}

func save(tx *pg.Tx, c Category) {
	tx.Queue(`UPDATE ticket_category SET parent = $3, title = $4, archived = $5, version = $6, changed_at = $7 WHERE tenant_id = $1 AND code = $2`,
		tx.Tenant(), c.Code, pg.OrNull(c.Parent), c.Title, c.Archived, c.Version, c.ChangedAt)
}

// remove queues that a category which was never used goes.
func remove(tx *pg.Tx, code string) {
	tx.Queue(`DELETE FROM ticket_category WHERE tenant_id = $1 AND code = $2 AND NOT used`, tx.Tenant(), code).
		Exec(func(tag pgconn.CommandTag) error {
			if tag.RowsAffected() == 0 {
				return errInUse
			}
			return nil
		})
}
