package customfield

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

const columns = `f.name, f.title, f.type, f.choices, f.archived, f.used, f.version, f.changed_at`

// table is where the definitions stand. It is of the program's own words, so statements may be put together with it.
func (k Kind) table() string { return k.Of + "_field" }

// notFound is the same for a field that is not there and for another tenant's.
func (k Kind) notFound() error {
	return problem.New(problem.NotFound, k.table()+"_not_found", "There is no such field.")
}

// All queues the search for the fields of the transaction's tenant, archived ones included; the set is filled by the next
// round trip.
func (k Kind) All(tx *pg.Tx) Set {
	s := make(Set)
	tx.Queue(`SELECT `+columns+` FROM `+k.table()+` f WHERE f.tenant_id = $1`, tx.Tenant()).Query(func(rows pgx.Rows) error {
		all, err := pgx.CollectRows(rows, collect)
		for _, d := range all {
			s[d.Name] = d
		}
		return err
	})
	return s
}

// Use queues the mark that values were given of the fields of s, for those that do not bear it yet. It fails with the
// Conflict <of>_field_changed when one of those was changed since it was read.
func (k Kind) Use(tx *pg.Tx, s Set, values map[string]any) {
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
	tx.Queue(`UPDATE `+k.table()+` f SET used = true FROM unnest($2::text[], $3::bigint[]) AS n(name, version)
		WHERE f.tenant_id = $1 AND f.name = n.name AND f.version = n.version`, tx.Tenant(), names, versions).
		Exec(func(tag pgconn.CommandTag) error {
			if tag.RowsAffected() < int64(len(names)) {
				return problem.New(problem.Conflict, k.table()+"_changed", "A field was changed just now. Try again.")
			}
			return nil
		})
}

// insert queues a new field. A name that is in use violates the primary key.
func (k Kind) insert(tx *pg.Tx, d Definition) {
	tx.Queue(`INSERT INTO `+k.table()+` (tenant_id, name, title, type, choices, version, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		tx.Tenant(), d.Name, d.Title, d.Type, orEmpty(d.Choices), d.Version, d.ChangedAt)
}

// save queues the new state of a field that is locked.
func (k Kind) save(tx *pg.Tx, d Definition) {
	tx.Queue(`UPDATE `+k.table()+` SET title = $3, type = $4, choices = $5, archived = $6, version = $7, changed_at = $8
		WHERE tenant_id = $1 AND name = $2`,
		tx.Tenant(), d.Name, d.Title, d.Type, orEmpty(d.Choices), d.Archived, d.Version, d.ChangedAt)
}

// get gives a field, or notFound; with locking it is kept until the transaction ends.
func (k Kind) get(ctx context.Context, tx *pg.Tx, name, locking string) (Definition, error) {
	d, err := scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM `+k.table()+` f WHERE f.tenant_id = $1 AND f.name = $2 `+locking, tx.Tenant(), name))
	if errors.Is(err, pgx.ErrNoRows) {
		return Definition{}, k.notFound()
	}
	return d, err
}

// list gives up to limit fields after the one of the name, by name.
func (k Kind) list(ctx context.Context, tx *pg.Tx, after string, limit int) ([]Definition, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM `+k.table()+` f
		WHERE f.tenant_id = $1 AND f.name > $2 ORDER BY f.name LIMIT $3`, tx.Tenant(), after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, collect)
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func collect(row pgx.CollectableRow) (Definition, error) { return scan(row) }

func scan(row pgx.Row) (d Definition, err error) {
	err = row.Scan(&d.Name, &d.Title, &d.Type, &d.Choices, &d.Archived, &d.Used, &d.Version, &d.ChangedAt)
	d.ChangedAt = d.ChangedAt.UTC()
	return d, err
}
