package tag

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/filter"
)

// Definitions change under an exclusive lock of the tenant, and whoever tags customers holds them: it has committed before they
// change, and the run that the change asks for sees all of that.
func lockDefinitions(tx *pg.Tx) {
	tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('tags/' || $1, 0))`, tx.Tenant())
}

func holdDefinitions(tx *pg.Tx) {
	tx.Queue(`SELECT pg_advisory_xact_lock_shared(hashtextextended('tags/' || $1, 0))`, tx.Tenant())
}

const columns = `id, code, kind, parent, name, description, owner, field, bands, filter, valid_days, archived, version, created_at, updated_at, updated_by`

func scan(row pgx.CollectableRow) (t Tag, err error) {
	var bands, raw []byte
	err = row.Scan(&t.ID, &t.Code, &t.Kind, &t.Parent, &t.Name, &t.Description, &t.Owner, &t.Field, &bands, &raw, &t.ValidDays, &t.Archived,
		&t.Version, &t.CreatedAt, &t.UpdatedAt, &t.UpdatedBy)
	if err != nil {
		return t, err
	}
	t.CreatedAt, t.UpdatedAt = t.CreatedAt.UTC(), t.UpdatedAt.UTC()
	if err := json.Unmarshal(bands, &t.Bands); err != nil || raw == nil {
		return t, err
	}
	t.Filter = new(filter.Node)
	return t, json.Unmarshal(raw, t.Filter)
}

// load reads the tree.
func load(ctx context.Context, tx *pg.Tx) (tree, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM tag WHERE tenant_id = $1`, tx.Tenant())
	if err != nil {
		return nil, err
	}
	tags, err := pgx.CollectRows(rows, scan)
	all := make(tree, len(tags))
	for _, t := range tags {
		all[t.Code] = t
	}
	return all, err
}

// save writes the tag, and notes the version.
func save(tx *pg.Tx, t Tag) error {
	bands, err := json.Marshal(append([]Band{}, t.Bands...))
	if err != nil {
		return err
	}
	var raw []byte
	if t.Filter != nil {
		if raw, err = json.Marshal(t.Filter); err != nil {
			return err
		}
	}
	tx.Queue(`INSERT INTO tag (tenant_id, `+columns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
		ON CONFLICT (tenant_id, id) DO UPDATE SET parent = excluded.parent, name = excluded.name, description = excluded.description, owner = excluded.owner,
			field = excluded.field, bands = excluded.bands, filter = excluded.filter, valid_days = excluded.valid_days, archived = excluded.archived,
			version = excluded.version, updated_at = excluded.updated_at, updated_by = excluded.updated_by`,
		tx.Tenant(), t.ID, t.Code, t.Kind, t.Parent, t.Name, t.Description, t.Owner, t.Field, bands, raw, t.ValidDays, t.Archived,
		t.Version, t.CreatedAt, t.UpdatedAt, t.UpdatedBy)
	tx.Queue(`INSERT INTO tag_version (tenant_id, code, version, of) SELECT tenant_id, code, version, to_jsonb(tag) FROM tag WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), t.ID)
	return nil
}
