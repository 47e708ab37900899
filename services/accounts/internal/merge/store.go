package merge

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

var (
	errNotFound = problem.New(problem.NotFound, "merge_not_found", "There is no such merge.")
)

const stageField = "stage"

// stage is the text form of a customer's stage.
type stage struct {
	Stage       string     `json:"stage"`
	Since       *time.Time `json:"since,omitempty"`
	ManualUntil *time.Time `json:"manual_until,omitempty"`
}

const recordColumns = `id, version, kind, state, root_id, aliases, source, registered_at, changed_at, display_name, given_name,
	family_name, legal_name, owner, tags, custom::text, stage, stage_since, stage_manual_until`

// records gives customers' own records by id; those that are not there are left out.
func records(ctx context.Context, tx *pg.Tx, ids ...uuid.UUID) (map[uuid.UUID]Record, error) {
	rows, err := tx.Query(ctx, `SELECT `+recordColumns+` FROM customer WHERE tenant_id = $1 AND id = ANY($2::uuid[])`, tx.Tenant(), ids)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, scanRecord)
	found := make(map[uuid.UUID]Record, len(all))
	for _, r := range all {
		found[r.ID] = r
	}
	return found, err
}

func scanRecord(row pgx.CollectableRow) (Record, error) {
	var (
		r                                    Record
		root                                 *uuid.UUID
		display, given, family, legal, owner string
		custom                               string
		s                                    stage
	)
	err := row.Scan(&r.ID, &r.Version, &r.Kind, &r.State, &root, &r.Aliases, &r.Source, &r.RegisteredAt, &r.ChangedAt, &display, &given,
		&family, &legal, &owner, &r.Tags, &custom, &s.Stage, &s.Since, &s.ManualUntil)
	if err != nil {
		return Record{}, err
	}
	if root != nil {
		r.Root = *root
	}
	r.Fields = Fields{}
	for name, value := range map[string]string{
		"display_name": display, "given_name": given, "family_name": family, "legal_name": legal, "owner": owner,
	} {
		if value != "" {
			r.Fields[name] = value
		}
	}
	values := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(custom), &values); err != nil {
		return Record{}, err
	}
	for name, value := range values {
		r.Fields[CustomPrefix+name] = string(value)
	}
	if s.Since != nil { // a stage that never changed is no value
		text, err := json.Marshal(s)
		if err != nil {
			return Record{}, err
		}
		r.Fields[stageField] = string(text)
	}
	return r, nil
}

// lock holds the customers as they are until the transaction ends. All that is locked at once is locked in the order of
// ids, here and by whoever refers to customers, so that nobody waits in a circle.
func lock(tx *pg.Tx, ids []uuid.UUID) {
	tx.Queue(`SELECT 1 FROM customer WHERE tenant_id = $1 AND id = ANY($2::uuid[]) ORDER BY id FOR UPDATE`, tx.Tenant(), ids)
}

// save queues the fields and tags of a locked survivor, its version and its aliases.
func save(tx *pg.Tx, r Record) error {
	custom := map[string]json.RawMessage{}
	for name, value := range r.Fields {
		if field, ok := strings.CutPrefix(name, CustomPrefix); ok {
			custom[field] = json.RawMessage(value)
		}
	}
	text, err := json.Marshal(custom)
	if err != nil {
		return err
	}
	s := stage{Stage: "awareness"}
	if value := r.Fields[stageField]; value != "" {
		if err := json.Unmarshal([]byte(value), &s); err != nil {
			return err
		}
	}
	tags, aliases := r.Tags, r.Aliases
	if tags == nil {
		tags = []string{}
	}
	if aliases == nil {
		aliases = []uuid.UUID{}
	}
	tx.Queue(`UPDATE customer SET version = $3, changed_at = $4, aliases = $5, display_name = $6, given_name = $7, family_name = $8,
			legal_name = $9, owner = $10, tags = $11, custom = $12::jsonb, stage = $13, stage_since = $14, stage_manual_until = $15
		WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), r.ID, r.Version, r.ChangedAt, aliases, r.Fields["display_name"],
		r.Fields["given_name"], r.Fields["family_name"], r.Fields["legal_name"], r.Fields["owner"], tags, string(text), s.Stage, s.Since, s.ManualUntil)
	return nil
}

// absorb queues that the ids mean the survivor from now on; the first of them is absorbed by this merge, the others were
// its aliases.
func absorb(tx *pg.Tx, survivor uuid.UUID, at time.Time, absorbed uuid.UUID, aliases []uuid.UUID) {
	tx.Queue(`UPDATE customer SET state = 'absorbed', root_id = $3, version = version + 1, changed_at = $4 WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), absorbed, survivor, at)
	tx.Queue(`UPDATE customer SET root_id = $3 WHERE tenant_id = $1 AND id = ANY($2::uuid[])`, tx.Tenant(), aliases, survivor)
}

// restore queues the opposite of absorb.
func restore(tx *pg.Tx, at time.Time, restored uuid.UUID, aliases []uuid.UUID) {
	tx.Queue(`UPDATE customer SET state = 'active', root_id = NULL, version = version + 1, changed_at = $3 WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), restored, at)
	tx.Queue(`UPDATE customer SET root_id = $3 WHERE tenant_id = $1 AND id = ANY($2::uuid[])`, tx.Tenant(), aliases, restored)
}

const columns = `m.id, m.survivor_id, m.absorbed_id, m.reason, m.merged_at, m.merged_by, m.undone_at, coalesce(m.undone_by, '')`

// row is a merge with what it did to the survivor's record.
type row struct {
	Merge
	Layer
}

func insert(tx *pg.Tx, m Merge, l Layer) error {
	before, after, err := l.text()
	if err != nil {
		return err
	}
	tx.Queue(`INSERT INTO customer_merge (tenant_id, id, survivor_id, absorbed_id, reason, before, after, merged_at, merged_by)
		VALUES ($1, $2, $3, $4, $5, $6::jsonb, $7::jsonb, $8, $9)`,
		tx.Tenant(), m.ID, m.SurvivorID, m.AbsorbedID, m.Reason, before, after, m.MergedAt, m.MergedBy)
	return nil
}

func (l Layer) text() (before, after string, err error) {
	b, err := json.Marshal(l.Before)
	if err != nil {
		return "", "", err
	}
	a, err := json.Marshal(l.After)
	return string(b), string(a), err
}

// rebase queues what a merge did as if an earlier one had never been.
func rebase(tx *pg.Tx, layers []Layer) error {
	for _, l := range layers {
		before, after, err := l.text()
		if err != nil {
			return err
		}
		tx.Queue(`UPDATE customer_merge SET before = $3::jsonb, after = $4::jsonb WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), l.ID, before, after)
	}
	return nil
}

// markUndone queues the end of a merge. What it did is not needed any more, and personal.
func markUndone(tx *pg.Tx, m Merge) {
	tx.Queue(`UPDATE customer_merge SET undone_at = $3, undone_by = $4, before = '{}', after = '{}' WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), m.ID, m.UndoneAt, m.UndoneBy)
}

// get gives a merge, or errNotFound.
func get(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Merge, error) {
	m, err := scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM customer_merge m WHERE m.tenant_id = $1 AND m.id = $2`, tx.Tenant(), id))
	if errors.Is(err, pgx.ErrNoRows) {
		return Merge{}, errNotFound
	}
	return m, err
}

// standing gives the survivor's merges that stand, in order, with what each did.
func standing(ctx context.Context, tx *pg.Tx, survivor uuid.UUID) ([]row, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+`, m.before::text, m.after::text, a.tags
		FROM customer_merge m JOIN customer a ON a.tenant_id = m.tenant_id AND a.id = m.absorbed_id
		WHERE m.tenant_id = $1 AND m.survivor_id = $2 AND m.undone_at IS NULL ORDER BY m.merged_at, m.id`, tx.Tenant(), survivor)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (one row, err error) {
		var before, after string
		var undone *time.Time
		m := &one.Merge
		err = r.Scan(&m.ID, &m.SurvivorID, &m.AbsorbedID, &m.Reason, &m.MergedAt, &m.MergedBy, &undone, &m.UndoneBy, &before, &after, &one.AbsorbedTags)
		if err != nil {
			return row{}, err
		}
		one.Layer.ID = m.ID
		return one, errors.Join(json.Unmarshal([]byte(before), &one.Before), json.Unmarshal([]byte(after), &one.After))
	})
}

// list gives up to limit merges of any of the customers that come before the one of the given id, the latest first.
func list(ctx context.Context, tx *pg.Tx, group []uuid.UUID, before uuid.UUID, limit int) ([]Merge, error) {
	if before == uuid.Nil {
		before = uuid.Max
	}
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM customer_merge m WHERE m.tenant_id = $1
		AND (m.survivor_id = ANY($2::uuid[]) OR m.absorbed_id = ANY($2::uuid[])) AND m.id < $3 ORDER BY m.id DESC LIMIT $4`,
		tx.Tenant(), group, before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (Merge, error) { return scan(r) })
}

func scan(r pgx.Row) (m Merge, err error) {
	var undone *time.Time
	err = r.Scan(&m.ID, &m.SurvivorID, &m.AbsorbedID, &m.Reason, &m.MergedAt, &m.MergedBy, &undone, &m.UndoneBy)
	if undone != nil {
		m.UndoneAt = undone.UTC()
	}
	m.MergedAt = m.MergedAt.UTC()
	return m, err
}

// Erase empties what merges kept of the customers' records and tells how many merges that were. It may be repeated.
func Erase(ctx context.Context, tx *pg.Tx, customers []uuid.UUID) (map[string]int64, error) {
	tag, err := tx.ExecNow(ctx, `UPDATE customer_merge SET before = '{}', after = '{}' WHERE tenant_id = $1
		AND (survivor_id = ANY($2::uuid[]) OR absorbed_id = ANY($2::uuid[])) AND (before <> '{}' OR after <> '{}')`, tx.Tenant(), customers)
	return map[string]int64{"merge": tag.RowsAffected()}, err
}

// deleteFrom gives ids without those that go.
func deleteFrom(ids []uuid.UUID, gone ...uuid.UUID) []uuid.UUID {
	return slices.DeleteFunc(slices.Clone(ids), func(id uuid.UUID) bool { return slices.Contains(gone, id) })
}
