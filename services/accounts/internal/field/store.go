package field

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

const columns = `f.name, f.title, f.type, f.choices, f.class, f.archived, f.used, f.version, f.created_at, f.changed_at`

// errNotFound is the same for a field that is not there and for another tenant's.
var errNotFound = problem.New(problem.NotFound, "custom_field_not_found", "There is no such custom field.")

// Definitions gives the custom fields of the transaction's tenant, archived ones included.
func Definitions(ctx context.Context, tx *pg.Tx) (Set, error) {
	s := Queue(tx)
	return s, tx.Flush(ctx)
}

// Queue is Definitions that travels with the next statement of tx that needs an answer; the set is empty before.
func Queue(tx *pg.Tx) Set {
	s := make(Set)
	tx.Queue(`SELECT `+columns+` FROM custom_field f WHERE f.tenant_id = $1`, tx.Tenant()).Query(func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, collect)
		for _, d := range all {
			s[d.Name] = d
		}
		return err
	})
	return s
}

// Unused tells whether values are of a field of which customers had none when the set was read.
func (s Set) Unused(values map[string]any) bool {
	for name := range values {
		if d, defined := s[name]; defined && !d.Used {
			return true
		}
	}
	return false
}

// Use queues the mark that customers have values of the fields, for those that do not bear it yet. It fails with the
// Conflict custom_field_changed when one of those was changed since it was read.
func (s Set) Use(tx *pg.Tx, values map[string]any) {
	var names []string
	var versions []int64
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if d := s[name]; !d.Used {
			names, versions = append(names, name), append(versions, d.Version)
		}
	}
	if len(names) == 0 {
		return
	}
	tx.Queue(`UPDATE custom_field f SET used = true FROM unnest($2::text[], $3::bigint[]) AS n(name, version)
		WHERE f.tenant_id = $1 AND f.name = n.name AND f.version = n.version`, tx.Tenant(), names, versions).
		Exec(func(tag pgconn.CommandTag) error {
			if tag.RowsAffected() < int64(len(names)) {
				return problem.New(problem.Conflict, "custom_field_changed", "A custom field was changed just now. Try again.")
			}
			return nil
		})
}

// insert queues a new field. A name that is in use violates the constraint custom_field_pkey.
func insert(tx *pg.Tx, d Definition) {
	tx.Queue(`INSERT INTO custom_field (tenant_id, name, title, type, choices, class, version, created_at, changed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		tx.Tenant(), d.Name, d.Title, d.Type, orEmpty(d.Choices), d.Class, d.Version, d.CreatedAt, d.ChangedAt)
}

// update queues the new state of a field that is locked.
func update(tx *pg.Tx, d Definition) {
	tx.Queue(`UPDATE custom_field SET title = $3, type = $4, choices = $5, class = $6, archived = $7, version = $8, changed_at = $9
		WHERE tenant_id = $1 AND name = $2`,
		tx.Tenant(), d.Name, d.Title, d.Type, orEmpty(d.Choices), d.Class, d.Archived, d.Version, d.ChangedAt)
}

// get gives a field, or errNotFound; with locking it is kept until the transaction ends.
func get(ctx context.Context, tx *pg.Tx, name, locking string) (Definition, error) {
	return scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM custom_field f WHERE f.tenant_id = $1 AND f.name = $2 `+locking,
		tx.Tenant(), name))
}

// list gives up to limit fields after the one of the name, by name.
func list(ctx context.Context, tx *pg.Tx, after string, limit int) ([]Definition, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM custom_field f
		WHERE f.tenant_id = $1 AND f.name > $2 ORDER BY f.name LIMIT $3`, tx.Tenant(), after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, collect)
}

// room refuses another field where there are MaxFields. Two at once may pass it together: the bound is there for the size
// of answers, and one more does no harm.
func room(ctx context.Context, tx *pg.Tx) error {
	var n int
	err := tx.QueryRow(ctx, `SELECT count(*) FROM custom_field WHERE tenant_id = $1`, tx.Tenant()).Scan(&n)
	if err == nil && n >= MaxFields {
		return problem.New(problem.Unprocessable, "too_many_custom_fields",
			"A tenant has at most %d custom fields, archived ones included.", MaxFields)
	}
	return err
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func collect(row pgx.CollectableRow) (Definition, error) { return scan(row) }

func scan(row pgx.Row) (d Definition, err error) {
	err = row.Scan(&d.Name, &d.Title, &d.Type, &d.Choices, &d.Class, &d.Archived, &d.Used, &d.Version, &d.CreatedAt, &d.ChangedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		return Definition{}, errNotFound
	}
	d.CreatedAt, d.ChangedAt = d.CreatedAt.UTC(), d.ChangedAt.UTC()
	return d, err
}
