package segment

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
	"github.com/guanxi-crm/guanxi/services/analytics/internal/filter"
)

// Definitions change under an exclusive lock of the tenant, and what follows them holds it together: whoever judges customers
// by a definition has committed before it changes, and the run that the change asks for sees all of that.
func lockDefinitions(tx *pg.Tx) {
	tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('segments/' || $1, 0))`, tx.Tenant())
}

func holdDefinitions(tx *pg.Tx) {
	tx.Queue(`SELECT pg_advisory_xact_lock_shared(hashtextextended('segments/' || $1, 0))`, tx.Tenant())
}

func unknown() error {
	return problem.New(problem.NotFound, "segment_unknown", "There is no segment of this id.")
}

// loadBook reads all active segments.
func loadBook(ctx context.Context, tx *pg.Tx) (book, error) {
	rows, err := tx.Query(ctx, `SELECT code, id, kind, filter FROM segment WHERE tenant_id = $1 AND state = 'active' ORDER BY code`, tx.Tenant())
	if err != nil {
		return nil, err
	}
	b := book{}
	var (
		c   string
		e   entry
		raw []byte
	)
	_, err = pgx.ForEachRow(rows, []any{&c, &e.id, &e.kind, &raw}, func() error {
		var err error
		e.filter, err = readFilter(raw)
		b[c] = e
		raw = nil
		return err
	})
	return b, err
}

func readFilter(raw []byte) (*filter.Node, error) {
	if raw == nil {
		return nil, nil //nolint:nilnil // a list has no filter
	}
	var n filter.Node
	return &n, json.Unmarshal(raw, &n)
}

func written(n *filter.Node) (any, error) {
	if n == nil {
		return nil, nil //nolint:nilnil // a list has no filter
	}
	return json.Marshal(n)
}

const columns = `s.id, s.code, s.name, s.description, s.owner, s.kind, s.filter, s.state, s.version, s.created_at, s.updated_at, s.updated_by,
	(SELECT coalesce(sum(f.entered - f.gone), 0)::bigint FROM segment_flow f WHERE f.tenant_id = s.tenant_id AND f.segment_id = s.id),
	r.id, coalesce(r.cause, ''), coalesce(r.state, ''), r.after_id, coalesce(r.customers, 0), coalesce(r.entered, 0), coalesce(r.gone, 0), r.asked_at, r.finished_at
	FROM segment s LEFT JOIN LATERAL (SELECT * FROM segment_run r WHERE r.tenant_id = s.tenant_id AND r.segment_id = s.id ORDER BY r.id DESC LIMIT 1) r ON true`

func scan(row pgx.CollectableRow) (Segment, error) {
	var (
		s               Segment
		r               Run
		run, after      *uuid.UUID
		asked, finished *time.Time
		raw             []byte
	)
	err := row.Scan(&s.ID, &s.Code, &s.Name, &s.Description, &s.Owner, &s.Kind, &raw, &s.State, &s.Version, &s.CreatedAt, &s.UpdatedAt, &s.UpdatedBy,
		&s.Members, &run, &r.Cause, &r.State, &after, &r.Customers, &r.Entered, &r.Left, &asked, &finished)
	if err != nil {
		return s, err
	}
	if run != nil {
		r.ID, r.Segment, r.AskedAt = *run, s.ID, *asked
		if finished != nil {
			r.FinishedAt = *finished
		}
		s.Run = &r
	}
	s.Filter, err = readFilter(raw)
	return s, err
}

func load(ctx context.Context, tx *pg.Tx, id uuid.UUID) (Segment, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` WHERE s.tenant_id = $1 AND s.id = $2`, tx.Tenant(), id)
	if err != nil {
		return Segment{}, err
	}
	s, err := pgx.CollectExactlyOneRow(rows, scan)
	if errors.Is(err, pgx.ErrNoRows) {
		err = unknown()
	}
	return s, err
}

// save writes the segment and notes the version. day is the one that all customers are judged for.
func save(tx *pg.Tx, s Segment, day time.Time) error {
	raw, err := written(s.Filter)
	if err != nil {
		return err
	}
	tx.Queue(`INSERT INTO segment (tenant_id, id, code, name, description, owner, kind, filter, state, version, day, created_at, updated_at, updated_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
		ON CONFLICT (tenant_id, id) DO UPDATE SET name = excluded.name, description = excluded.description, owner = excluded.owner,
			filter = excluded.filter, state = excluded.state, version = excluded.version, updated_at = excluded.updated_at, updated_by = excluded.updated_by`,
		tx.Tenant(), s.ID, s.Code, s.Name, s.Description, s.Owner, s.Kind, raw, s.State, s.Version, day, s.CreatedAt, s.UpdatedAt, s.UpdatedBy)
	tx.Queue(`INSERT INTO segment_version (tenant_id, segment_id, version, name, filter, state, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		tx.Tenant(), s.ID, s.Version, s.Name, raw, s.State, s.UpdatedAt, s.UpdatedBy)
	return nil
}

// ask queues a run of each segment. Those that were asked for before and have not ended are superseded when the run begins.
func ask(tx *pg.Tx, cause string, at time.Time, segments ...uuid.UUID) error {
	for _, segment := range segments {
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		tx.Queue(`INSERT INTO segment_run (tenant_id, id, segment_id, cause, asked_at) VALUES ($1, $2, $3, $4, $5)`, tx.Tenant(), id, segment, cause, at)
	}
	return nil
}

// count books how many came and went.
func count(tx *pg.Tx, at time.Time, in, out map[uuid.UUID]int64) {
	var (
		ids           []uuid.UUID
		entered, gone []int64
	)
	for id, n := range in {
		ids, entered, gone = append(ids, id), append(entered, n), append(gone, out[id])
	}
	for id, n := range out {
		if in[id] == 0 {
			ids, entered, gone = append(ids, id), append(entered, 0), append(gone, n)
		}
	}
	if len(ids) == 0 {
		return
	}
	tx.Queue(`INSERT INTO segment_flow (tenant_id, segment_id, day, slot, entered, gone)
		SELECT $1, m.id, $2, pg_backend_pid() % 32, m.entered, m.gone FROM unnest($3::uuid[], $4::bigint[], $5::bigint[]) AS m(id, entered, gone)
		WHERE m.entered + m.gone > 0 ORDER BY m.id
		ON CONFLICT (tenant_id, segment_id, day, slot) DO UPDATE SET entered = segment_flow.entered + excluded.entered, gone = segment_flow.gone + excluded.gone`,
		tx.Tenant(), at.UTC().Truncate(24*time.Hour), ids, entered, gone)
}
