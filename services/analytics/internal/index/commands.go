package index

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/guanxi-crm/guanxi/platform/auth"
	"github.com/guanxi-crm/guanxi/platform/httpx"
	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/problem"
)

// Indexes is what can be done with indices.
type Indexes struct {
	db    *pg.DB
	clock func() time.Time
}

// New makes the capability.
func New(db *pg.DB, clock func() time.Time) *Indexes { return &Indexes{db, clock} }

// Create defines a system by its root, whose code is the system's. A code that is taken is the Conflict index_exists.
func (x *Indexes) Create(ctx context.Context, root Node) (System, error) {
	if err := root.normal(); err != nil {
		return System{}, err
	}
	return x.change(ctx, root.Code, http.StatusCreated, func(ctx context.Context, tx *pg.Tx, was *System) (System, error) {
		if was != nil {
			return System{}, problem.New(problem.Conflict, "index_exists", "There is an index with this code, be it in the archive. Choose another code, or change that one.")
		}
		var n int
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM index_system WHERE tenant_id = $1`, tx.Tenant()).Scan(&n); err != nil {
			return System{}, err
		}
		if n >= maxSystem {
			return System{}, problem.New(problem.Conflict, "index_limit", "There are %d indices already: change one of them.", maxSystem)
		}
		return System{Code: root.Code, Root: root}, nil
	})
}

// Replace gives a system another tree, where ifMatch is its version.
func (x *Indexes) Replace(ctx context.Context, code string, root Node, ifMatch string) (System, error) {
	root.Code = code
	if err := root.normal(); err != nil {
		return System{}, err
	}
	return x.change(ctx, code, http.StatusOK, func(_ context.Context, _ *pg.Tx, was *System) (System, error) {
		if was == nil {
			return System{}, notFound()
		}
		if err := httpx.IfMatch(ifMatch, was.Version); err != nil {
			return System{}, err
		}
		now := *was
		now.Root = root
		return now, nil
	})
}

// Archive puts a system into the archive, or takes it out. One in the archive can be read and evaluated.
func (x *Indexes) Archive(ctx context.Context, code string, archived bool) (System, error) {
	return x.change(ctx, code, http.StatusOK, func(_ context.Context, _ *pg.Tx, was *System) (System, error) {
		if was == nil {
			return System{}, notFound()
		}
		now := *was
		now.Archived = archived
		return now, nil
	})
}

// change saves what a rule makes of a system as its next version; was is nil where there is none yet.
func (x *Indexes) change(ctx context.Context, code string, status int, rule func(ctx context.Context, tx *pg.Tx, was *System) (System, error)) (now System, err error) {
	caller, _ := auth.From(ctx)
	result, err := x.db.Command(ctx, auth.Tenant(ctx), func(tx *pg.Tx) (pg.Result, error) {
		tx.Queue(`SELECT pg_advisory_xact_lock(hashtextextended('index ' || $1, 0))`, tx.Tenant())
		var there *System
		switch was, err := load(ctx, tx, code, 0); {
		case problem.KindOf(err) == problem.NotFound:
		case err != nil:
			return pg.Result{}, err
		default:
			there = &was
		}
		if now, err = rule(ctx, tx, there); err != nil {
			return pg.Result{}, err
		}
		if there != nil && there.Archived && now.Archived {
			return pg.Result{}, problem.New(problem.Conflict, "index_archived", "The index is in the archive. Restore it first.")
		}
		now.Version++
		now.By, now.ChangedAt = caller.Subject, x.clock().UTC().Truncate(time.Microsecond)
		return pg.Result{Status: status}, save(tx, now)
	})
	if err == nil && result.Replayed {
		httpx.MarkReplayed(ctx)
		return x.Get(ctx, code, 0)
	}
	return now, err
}

func save(tx *pg.Tx, s System) error {
	content, err := json.Marshal(s.Root)
	if err != nil {
		return err
	}
	tx.Queue(`INSERT INTO index_system (tenant_id, code, version, archived) VALUES ($1, $2, $3, $4)
		ON CONFLICT (tenant_id, code) DO UPDATE SET version = excluded.version, archived = excluded.archived`, tx.Tenant(), s.Code, s.Version, s.Archived)
	tx.Queue(`INSERT INTO index_version (tenant_id, code, version, content, archived, by_subject, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		tx.Tenant(), s.Code, s.Version, content, s.Archived, s.By, s.ChangedAt)
	return nil
}

const columns = `v.code, v.version, v.content, v.archived, v.by_subject, v.changed_at`

func scan(row pgx.CollectableRow) (s System, err error) {
	var content []byte
	if err := row.Scan(&s.Code, &s.Version, &content, &s.Archived, &s.By, &s.ChangedAt); err != nil {
		return s, err
	}
	s.ChangedAt = s.ChangedAt.UTC()
	return s, json.Unmarshal(content, &s.Root)
}

// load gives a version of a system, 0 for the present one.
func load(ctx context.Context, tx *pg.Tx, code string, version int64) (System, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM index_system s JOIN index_version v USING (tenant_id, code)
		WHERE s.tenant_id = $1 AND s.code = $2 AND v.version = CASE WHEN $3::bigint = 0 THEN s.version ELSE $3 END`, tx.Tenant(), code, version)
	if err != nil {
		return System{}, err
	}
	s, err := pgx.CollectExactlyOneRow(rows, scan)
	if errors.Is(err, pgx.ErrNoRows) {
		return s, notFound()
	}
	return s, err
}

func notFound() error {
	return problem.New(problem.NotFound, "index_not_found", "There is no such index, or no such version of it.")
}
