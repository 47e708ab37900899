package lead

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// errNoForm is the same for a form that is not there, another tenant's, and for those without a sign-in one that is closed.
var errNoForm = problem.New(problem.NotFound, "lead_form_not_found", "There is no such form.")

// formCode is the constraint that gives a code to one form only.
const formCode = "lead_form_code"

const formColumns = `f.id, f.code, f.key, f.name, f.state = 'open', f.origins, f.fields, f.trap, f.source, f.campaign, f.team, f.tags, f.per_minute,
	f.version, f.changed_at, f.changed_by`

func scanForm(row pgx.Row) (f Form, err error) {
	var fields []byte
	err = row.Scan(&f.ID, &f.Code, &f.Key, &f.Name, &f.Open, &f.Origins, &fields, &f.Trap, &f.Source, &f.Campaign, &f.Team, &f.Tags, &f.PerMinute,
		&f.Version, &f.ChangedAt, &f.By)
	if errors.Is(err, pgx.ErrNoRows) {
		return Form{}, errNoForm
	}
	if err != nil {
		return Form{}, err
	}
	f.ChangedAt = f.ChangedAt.UTC()
	return f, json.Unmarshal(fields, &f.Fields)
}

// getForm gives a form; with locking it is kept until the transaction ends.
func getForm(ctx context.Context, tx *pg.Tx, id uuid.UUID, locking string) (Form, error) {
	return scanForm(tx.QueryRow(ctx, `SELECT `+formColumns+` FROM lead_form f WHERE f.tenant_id = $1 AND f.id = $2 `+locking, tx.Tenant(), id))
}

func listForms(ctx context.Context, tx *pg.Tx, after uuid.UUID, limit int) ([]Form, error) {
	rows, err := tx.Query(ctx, `SELECT `+formColumns+` FROM lead_form f WHERE f.tenant_id = $1 AND f.id > $2 ORDER BY f.id LIMIT $3`, tx.Tenant(), after, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Form, error) { return scanForm(row) })
}

// saveForm queues a form, a new one or the new state of one that is locked. A code that another one has violates lead_form_code.
func saveForm(tx *pg.Tx, f Form) {
	state := "closed"
	if f.Open {
		state = "open"
	}
	tx.Queue(`INSERT INTO lead_form (tenant_id, id, code, key, name, state, origins, fields, trap, source, campaign, team, tags, per_minute, version,
			changed_at, changed_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
		ON CONFLICT (tenant_id, id) DO UPDATE SET key = excluded.key, name = excluded.name, state = excluded.state, origins = excluded.origins,
			fields = excluded.fields, trap = excluded.trap, source = excluded.source, campaign = excluded.campaign, team = excluded.team,
			tags = excluded.tags, per_minute = excluded.per_minute, version = excluded.version, changed_at = excluded.changed_at,
			changed_by = excluded.changed_by`,
		tx.Tenant(), f.ID, f.Code, f.Key, f.Name, state, f.Origins, quoted(f.Fields), f.Trap, f.Source, f.Campaign, f.Team, orEmpty(f.Tags), f.PerMinute,
		f.Version, f.ChangedAt, f.By)
}

// maxKey is longer than any key.
const maxKey = 64

// formByKey gives whose the form of a key is; ok is false where there is none. It looks over all tenants.
func formByKey(ctx context.Context, db *pg.DB, key string) (of pg.Of, ok bool, err error) {
	if len(key) > maxKey {
		return pg.Of{}, false, nil
	}
	found, err := db.Across(ctx, `SELECT tenant_id, id FROM lead_form_by_key($1)`, key)
	if err != nil || len(found) == 0 {
		return pg.Of{}, false, err
	}
	return found[0], true, nil
}

// kept is how long it is known how often a form was filled in.
const kept = 10 * time.Minute

// use counts that a form is filled in, and tells whether it may be: false where that is too often within the minute.
func use(ctx context.Context, tx *pg.Tx, f Form, at time.Time) (bool, error) {
	minute := at.Truncate(time.Minute)
	tx.Queue(`DELETE FROM lead_form_use WHERE tenant_id = $1 AND form_id = $2 AND minute < $3`, tx.Tenant(), f.ID, minute.Add(-kept))
	tag, err := tx.ExecNow(ctx, `INSERT INTO lead_form_use AS u (tenant_id, form_id, minute, used) VALUES ($1, $2, $3, 1)
		ON CONFLICT (tenant_id, form_id, minute) DO UPDATE SET used = u.used + 1 WHERE u.used < $4`, tx.Tenant(), f.ID, minute, f.PerMinute)
	return tag.RowsAffected() == 1, err
}
