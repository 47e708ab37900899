package temporald

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/tools/common/schema"
	"go.temporal.io/server/tools/sql"
)

const (
	storeDatabase      = "temporal"
	visibilityDatabase = "temporal_visibility"
)

// setUpSchema creates Temporal's two databases where they are missing and brings both to the version of this server.
// It may be interrupted and run again: Temporal's own update tool skips what is there already.
func setUpSchema(ctx context.Context, adminURL string, base config.SQL, logger log.Logger) error {
	for database, name := range map[string]string{
		storeDatabase:      "postgresql/v12/temporal",
		visibilityDatabase: "postgresql/v12/visibility",
	} {
		if err := createDatabase(ctx, adminURL, database); err != nil {
			return err
		}
		cfg := base
		cfg.DatabaseName = database
		if err := updateSchema(&cfg, name, logger); err != nil {
			return fmt.Errorf("temporald: schema of %s: %w", database, err)
		}
	}
	return nil
}

func createDatabase(ctx context.Context, adminURL, name string) error {
	conn, err := pgx.Connect(ctx, adminURL)
	if err != nil {
		return fmt.Errorf("temporald: PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var exists bool
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).Scan(&exists)
	if err != nil {
		return fmt.Errorf("temporald: look for database %s: %w", name, err)
	}
	if exists {
		return nil
	}
	if _, err := conn.Exec(ctx, `CREATE DATABASE `+pgx.Identifier{name}.Sanitize()); err != nil {
		return fmt.Errorf("temporald: create database %s: %w", name, err)
	}
	return nil
}

func updateSchema(cfg *config.SQL, name string, logger log.Logger) error {
	conn, err := sql.NewConnection(cfg, logger)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.ReadSchemaVersion(); err != nil {
		setup := schema.SetupConfig{InitialVersion: "0.0"}
		if err := schema.NewSetupSchemaTask(conn, &setup, logger).Run(); err != nil {
			return err
		}
	}
	return schema.NewUpdateSchemaTask(conn, &schema.UpdateConfig{SchemaName: name}, logger).Run()
}
