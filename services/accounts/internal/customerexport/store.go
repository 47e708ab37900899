package customerexport

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/accounts/internal/access"
)

// stored is an export as its row has it.
type stored struct {
	Export
	actor    auth.Principal
	trace    map[string]string
	position uuid.UUID // the last customer who was looked at
	chunks   int
}

var errNotFound = problem.New(problem.NotFound, "export_not_found", "There is no such export.")

const selectExport = `SELECT id, state, subject, unit, roles, trace, format, columns, classes, purpose, reason, filter, position,
	seen, total, row_count, chunks, bytes, cancel_requested, coalesce(failure, ''), created_at, finished_at FROM customer_export `

func scanExport(row pgx.Row) (s stored, err error) {
	var finished *time.Time
	var trace, filter []byte
	err = row.Scan(&s.ID, &s.State, &s.actor.Subject, &s.actor.Unit, &s.actor.Roles, &trace, &s.Format, &s.Columns, &s.Classes,
		&s.Purpose, &s.Reason, &filter, &s.position, &s.seen, &s.total, &s.Rows, &s.chunks, &s.Bytes, &s.CancelRequested, &s.Failure,
		&s.CreatedAt, &finished)
	if errors.Is(err, pgx.ErrNoRows) {
		return stored{}, errNotFound
	}
	if err != nil {
		return stored{}, err
	}
	s.CreatedAt = s.CreatedAt.UTC()
	if finished != nil {
		s.FinishedAt = finished.UTC()
	}
	return s, errors.Join(json.Unmarshal(trace, &s.trace), json.Unmarshal(filter, &s.Filter))
}

// load gives an export; lock keeps it as it is until the transaction ends.
func load(ctx context.Context, tx *pg.Tx, id uuid.UUID, lock bool) (stored, error) {
	sql := selectExport + `WHERE tenant_id = $1 AND id = $2`
	if lock {
		sql += ` FOR UPDATE`
	}
	s, err := scanExport(tx.QueryRow(ctx, sql, tx.Tenant(), id))
	s.actor.Tenant = tx.Tenant()
	return s, err
}

func insert(tx *pg.Tx, s stored) error {
	trace, err := json.Marshal(s.trace)
	if err != nil {
		return err
	}
	filter, err := json.Marshal(s.Filter)
	if err != nil {
		return err
	}
	tx.Queue(`INSERT INTO customer_export (tenant_id, id, state, subject, unit, roles, trace, format, columns, classes, purpose, reason,
			filter, position, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, coalesce($6::text[], '{}'), $7, $8, $9, coalesce($10::text[], '{}'), $11, $12, $13, $14, $15, $15)`,
		tx.Tenant(), s.ID, s.State, s.actor.Subject, s.actor.Unit, s.actor.Roles, trace, s.Format, s.Columns, s.Classes, s.Purpose,
		s.Reason, filter, s.position, s.CreatedAt)
	return nil
}

// save queues where an export stands.
func save(tx *pg.Tx, s stored, at time.Time) {
	tx.Queue(`UPDATE customer_export SET state = $3, position = $4, seen = $5, total = $6, row_count = $7, chunks = $8, bytes = $9,
			cancel_requested = $10, failure = nullif($11, ''), updated_at = $12, finished_at = $13
		WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), s.ID, s.State, s.position, s.seen, s.total, s.Rows, s.chunks, s.Bytes, s.CancelRequested, s.Failure, at,
		pg.OrNull(s.FinishedAt))
}

func insertChunk(tx *pg.Tx, export uuid.UUID, n int, content []byte) {
	tx.Queue(`INSERT INTO customer_export_chunk (tenant_id, export_id, n, bytes) VALUES ($1, $2, $3, $4)`, tx.Tenant(), export, n, content)
}

func deleteChunks(tx *pg.Tx, export uuid.UUID) {
	tx.Queue(`DELETE FROM customer_export_chunk WHERE tenant_id = $1 AND export_id = $2`, tx.Tenant(), export)
}

func chunk(ctx context.Context, tx *pg.Tx, export uuid.UUID, n int) (content []byte, err error) {
	err = tx.QueryRow(ctx, `SELECT bytes FROM customer_export_chunk WHERE tenant_id = $1 AND export_id = $2 AND n = $3`,
		tx.Tenant(), export, n).Scan(&content)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errGone
	}
	return content, err
}

// countUntil counts the customers, whatever their state, whose ids come before the given one.
func countUntil(ctx context.Context, tx *pg.Tx, until uuid.UUID) (n int64, err error) {
	err = tx.QueryRow(ctx, `SELECT count(*) FROM customer WHERE tenant_id = $1 AND id < $2`, tx.Tenant(), until).Scan(&n)
	return n, err
}

// offered gives what the tenant has that an export can have a column for.
func offered(ctx context.Context, tx *pg.Tx) (o offer, err error) {
	// From system to system by two indexes, of ids that have no end and of those that have one, whatever number of ids each has.
	rows, err := tx.Query(ctx, `WITH RECURSIVE s AS (
			SELECT 'external:' AS type
			UNION ALL
			SELECT (SELECT min(n.type) FROM (
				(SELECT type FROM customer_identity WHERE tenant_id = $1 AND exclusive AND valid_to IS NULL
					AND type > s.type AND type < 'external;' ORDER BY type LIMIT 1)
				UNION ALL
				(SELECT type FROM customer_identity WHERE tenant_id = $1 AND valid_to IS NOT NULL
					AND type > s.type AND type < 'external;' ORDER BY type LIMIT 1)) n)
			FROM s WHERE s.type IS NOT NULL)
		SELECT type FROM s WHERE type > 'external:' ORDER BY type`, tx.Tenant())
	if err != nil {
		return offer{}, err
	}
	if o.systems, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		return offer{}, err
	}
	rows, err = tx.Query(ctx, `SELECT name, class FROM custom_field WHERE tenant_id = $1 AND NOT archived ORDER BY name`, tx.Tenant())
	if err != nil {
		return offer{}, err
	}
	o.fields, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (f customField, err error) {
		return f, row.Scan(&f.name, &f.class)
	})
	return o, err
}

// subjectsAfter gives up to limit customers whose ids come after one and before another, in that order, whatever their
// state.
func subjectsAfter(ctx context.Context, tx *pg.Tx, after, until uuid.UUID, limit int) ([]subject, error) {
	rows, err := tx.Query(ctx, `SELECT id, aliases, state, kind, stage, display_name, given_name, family_name, legal_name, source, owner,
			tags, custom, registered_at, changed_at
		FROM customer WHERE tenant_id = $1 AND id > $2 AND id < $3 ORDER BY id LIMIT $4`, tx.Tenant(), after, until, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanSubject)
}

func scanSubject(row pgx.CollectableRow) (s subject, err error) {
	var custom []byte
	err = row.Scan(&s.ID, &s.Aliases, &s.State, &s.Kind, &s.Stage, &s.Display, &s.Given, &s.Family, &s.Legal, &s.Source, &s.Owner,
		&s.Tags, &custom, &s.RegisteredAt, &s.ChangedAt)
	if err != nil {
		return subject{}, err
	}
	if err := json.Unmarshal(custom, &s.Custom); err != nil {
		return subject{}, fmt.Errorf("custom fields of %s: %w", s.ID, err)
	}
	return s, nil
}

// complete reads the identities that are valid at the time, and the addresses, of customers and of those who were merged
// into them.
func complete(ctx context.Context, tx *pg.Tx, subjects []subject, at time.Time) error {
	of := map[uuid.UUID]*subject{}
	var members []uuid.UUID
	for n := range subjects {
		s := &subjects[n]
		s.identities = map[string][]string{}
		for _, id := range append([]uuid.UUID{s.ID}, s.Aliases...) {
			of[id], members = s, append(members, id)
		}
	}
	if err := identitiesOf(ctx, tx, of, members, at); err != nil {
		return err
	}
	rows, err := tx.Query(ctx, `SELECT a.customer_id, a.kind, a.lines, a.city, a.region, a.postal_code, a.country
		FROM unnest($2::uuid[]) WITH ORDINALITY AS m(id, n)
		CROSS JOIN LATERAL (SELECT * FROM customer_address WHERE tenant_id = $1 AND customer_id = m.id ORDER BY id LIMIT 1000) a
		ORDER BY m.n, a.id`, tx.Tenant(), members)
	if err != nil {
		return err
	}
	var owner uuid.UUID
	var a address
	_, err = pgx.ForEachRow(rows, []any{&owner, &a.Kind, &a.Lines, &a.City, &a.Region, &a.PostalCode, &a.Country}, func() error {
		of[owner].addresses = append(of[owner].addresses, a)
		a.Lines = nil
		return nil
	})
	return err
}

func identitiesOf(ctx context.Context, tx *pg.Tx, of map[uuid.UUID]*subject, members []uuid.UUID, at time.Time) error {
	rows, err := tx.Query(ctx, `SELECT k.customer_id, k.type, k.value FROM unnest($2::uuid[]) AS m(id)
		CROSS JOIN LATERAL (SELECT * FROM customer_identity WHERE tenant_id = $1 AND customer_id = m.id
			AND coalesce(valid_from, $3) <= $3 AND coalesce(valid_to, 'infinity') > $3 LIMIT 1000) k
		ORDER BY k.added_at, k.type COLLATE "C", k.value COLLATE "C"`, tx.Tenant(), members, at)
	if err != nil {
		return err
	}
	type held struct {
		of          *subject
		kind, value string
	}
	known := map[held]bool{} // two who were merged may have had the same telephone
	var owner uuid.UUID
	var kind, value string
	_, err = pgx.ForEachRow(rows, []any{&owner, &kind, &value}, func() error {
		one := held{of[owner], kind, value}
		if !known[one] {
			known[one] = true
			one.of.identities[kind] = append(one.of.identities[kind], value)
		}
		return nil
	})
	return err
}

// due names an export of some tenant.
type due struct {
	tenant string
	id     uuid.UUID
}

// findDue lists exports of all tenants that were left behind or whose file is no longer to be kept. db is of the ops role.
func findDue(ctx context.Context, db *pg.DB, now time.Time) (all []due, err error) {
	err = db.Read(ctx, "", func(tx *pg.Tx) error {
		rows, err := tx.Query(ctx, `SELECT tenant_id, id FROM customer_export
			WHERE state = 'accepted' AND updated_at < $1 OR state = 'running' AND updated_at < $2
				OR chunks > 0 AND state = 'finished' AND finished_at < $3
				OR chunks > 0 AND state IN ('cancelled', 'failed', 'expired', 'withdrawn')
			ORDER BY updated_at LIMIT $4`, now.Add(-acceptSilence), now.Add(-runningSilence), now.Add(-keep), sweepAtOnce)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (d due, err error) {
			return d, row.Scan(&d.tenant, &d.id)
		})
		return err
	})
	return all, err
}

// withdrawable locks and gives the exports of which something was written, the oldest first.
func withdrawable(ctx context.Context, tx *pg.Tx) ([]stored, error) {
	rows, err := tx.Query(ctx, selectExport+`WHERE tenant_id = $1 AND (state IN ('accepted', 'running') OR chunks > 0)
		ORDER BY id FOR UPDATE`, tx.Tenant())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (stored, error) { return scanExport(row) })
}

// listBefore gives up to limit exports that are older than the one of the id, the newest first.
func listBefore(ctx context.Context, tx *pg.Tx, before uuid.UUID, limit int) ([]stored, error) {
	rows, err := tx.Query(ctx, selectExport+`WHERE tenant_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3`, tx.Tenant(), before, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (stored, error) { return scanExport(row) })
}

// classesOf gives the class of each custom column.
func classesOf(fields []customField) map[string]access.Class {
	out := make(map[string]access.Class, len(fields))
	for _, f := range fields {
		out[customPrefix+f.name] = f.class
	}
	return out
}
