// Package migrate makes a service's database and brings it up to date. The platform's own tables come first (core, inbox,
// imports, flow, erasure, entitlement, traffic, alias), then the service's, then its projection, each with a goose version table of its own.
package migrate

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/guanxi-crm/guanxi/platform/pg"
)

//go:embed sql
var platformSQL embed.FS

// Source is the SQL of one service: files NNNNN_name.sql for goose at the root of each file system.
type Source struct {
	Service string
	// FS makes the service's tables in the schema public; nil for none.
	FS fs.FS
	// Projection makes the tables that are rebuilt from topics; nil for none. It runs twice, in the schemas live and
	// shadow, so it names no schema.
	Projection fs.FS
	// Aliases asks for the table of whom the ids of merged customers mean. Where there is a projection, it is a part of that.
	Aliases bool
}

// step is one set of migrations in one schema.
type step struct {
	name, schema string
	fs           fs.FS
}

// steps gives the sets in the order in which they run.
func (s Source) steps() ([]step, error) {
	var all []step
	for _, name := range []string{"core", "inbox", "imports", "flow", "erasure", "entitlement", "traffic"} {
		sub, err := fs.Sub(platformSQL, "sql/"+name)
		if err != nil {
			return nil, err
		}
		all = append(all, step{name, "public", sub})
	}
	inbox := all[1].fs
	alias, err := fs.Sub(platformSQL, "sql/alias")
	if err != nil {
		return nil, err
	}
	if s.Aliases && s.Projection == nil {
		all = append(all, step{"alias", "public", alias})
	}
	if s.FS != nil {
		all = append(all, step{"service", "public", s.FS})
	}
	if s.Projection != nil {
		for _, schema := range []string{"live", "shadow"} {
			all = append(all, step{"inbox", schema, inbox})
			if s.Aliases {
				all = append(all, step{"alias", schema, alias})
			}
			all = append(all, step{"projection", schema, s.Projection})
		}
	}
	return all, nil
}

// Up migrates the service's database as its owner. Processes that do so at once wait for each other; ctx bounds the wait.
func Up(ctx context.Context, cfg pg.Config, src Source) error {
	steps, err := src.steps()
	if err != nil {
		return err
	}
	url := cfg.For(src.Service, pg.Owner)
	unlock, err := lock(ctx, url, "guanxi migrate")
	if err != nil {
		return fmt.Errorf("migrate %s: %w", src.Service, err)
	}
	defer unlock()
	for _, s := range steps {
		if err := s.up(ctx, url); err != nil {
			return fmt.Errorf("migrate %s, %s in schema %s: %w", src.Service, s.name, s.schema, err)
		}
	}
	return nil
}

// Pending tells which sets of migrations have not all been run, as "name in schema: n to run"; none when the database is
// up to date. It changes nothing, and needs the owner's URL.
func Pending(ctx context.Context, cfg pg.Config, src Source) ([]string, error) {
	steps, err := src.steps()
	if err != nil {
		return nil, err
	}
	var pending []string
	for _, s := range steps {
		n, err := s.pending(ctx, cfg.For(src.Service, pg.Owner))
		if err != nil {
			return nil, fmt.Errorf("migrations of %s, %s in schema %s: %w", src.Service, s.name, s.schema, err)
		}
		if n > 0 {
			pending = append(pending, fmt.Sprintf("%s in schema %s: %d to run", s.name, s.schema, n))
		}
	}
	return pending, nil
}

func (s step) up(ctx context.Context, url string) error {
	db, provider, err := s.open(url)
	if err != nil || provider == nil {
		return err
	}
	defer func() { _ = db.Close() }()
	if s.schema != "public" {
		if err := s.makeSchema(ctx, db); err != nil {
			return err
		}
	}
	_, err = provider.Up(ctx)
	return err
}

func (s step) pending(ctx context.Context, url string) (int, error) {
	db, provider, err := s.open(url)
	if err != nil || provider == nil {
		return 0, err
	}
	defer func() { _ = db.Close() }()
	var exists bool
	err = db.QueryRowContext(ctx, "SELECT to_regclass($1) IS NOT NULL", s.schema+".goose_"+s.name).Scan(&exists)
	if err != nil {
		return 0, err
	}
	if !exists {
		return len(provider.ListSources()), nil
	}
	status, err := provider.Status(ctx)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, m := range status {
		if m.State == goose.StatePending {
			n++
		}
	}
	return n, nil
}

// open gives a nil provider when the set has no migrations.
func (s step) open(url string) (*sql.DB, *goose.Provider, error) {
	cc, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, nil, err
	}
	cc.RuntimeParams["search_path"] = s.schema
	if s.schema != "public" {
		cc.RuntimeParams["search_path"] += ", public"
	}
	cc.RuntimeParams["timezone"] = "UTC"
	cc.RuntimeParams["application_name"] = "guanxi-migrate"
	// Tables change under the connection; a cached plan or description would be stale.
	cc.DefaultQueryExecMode = pgx.QueryExecModeExec
	db := stdlib.OpenDB(*cc)
	provider, err := goose.NewProvider(goose.DialectPostgres, db, s.fs, goose.WithTableName("goose_"+s.name))
	if errors.Is(err, goose.ErrNoMigrations) {
		return nil, nil, db.Close()
	}
	if err != nil {
		_ = db.Close()
		return nil, nil, err
	}
	return db, provider, nil
}

func (s step) makeSchema(ctx context.Context, db *sql.DB) error {
	schema := pgx.Identifier{s.schema}.Sanitize()
	_, err := db.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+schema+`;
		DO $$ BEGIN EXECUTE format('GRANT USAGE ON SCHEMA `+schema+` TO %I, %I', guanxi_role('app'), guanxi_role('ops')); END $$`)
	return err
}

// lock takes an advisory lock by trying: a session that waits inside pg_advisory_lock would hold a snapshot, for which
// CREATE INDEX CONCURRENTLY waits in turn.
func lock(ctx context.Context, url, name string) (unlock func(), err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	unlock = func() {
		cctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = conn.Close(cctx) // ends the session and with it the lock
	}
	for {
		var got bool
		err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock(hashtextextended($1, 0))", name).Scan(&got)
		if err != nil {
			unlock()
			return nil, err
		}
		if got {
			return unlock, nil
		}
		select {
		case <-ctx.Done():
			unlock()
			return nil, fmt.Errorf("somebody else holds the lock %q: %w", name, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
