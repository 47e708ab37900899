package pg_test

import (
	"context"
	"testing"
	"testing/fstest"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/guanxi-crm/guanxi/platform/pg"
	"github.com/guanxi-crm/guanxi/platform/pg/migrate"
	"github.com/guanxi-crm/guanxi/platform/pgtest"
)

const (
	pizza = "pizza"
	music = "music"
)

// shop is a service with one tenant's table and one that belongs to none.
func shop() migrate.Source {
	return migrate.Source{Service: "shop", FS: fstest.MapFS{"00001_item.sql": {Data: []byte(`
-- +goose Up
CREATE TABLE item (
    tenant_id text NOT NULL,
    id        uuid NOT NULL DEFAULT gen_random_uuid(),
    name      text NOT NULL,
    stock     integer NOT NULL DEFAULT 0 CONSTRAINT item_stock_not_negative CHECK (stock >= 0),
    parent    uuid,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT item_name_unique UNIQUE (tenant_id, name),
    CONSTRAINT item_parent_exists FOREIGN KEY (tenant_id, parent) REFERENCES item DEFERRABLE INITIALLY DEFERRED
);
SELECT guanxi_tenant_table('item');
CREATE TABLE setting (name text PRIMARY KEY, value text NOT NULL);
SELECT guanxi_plain_table('setting');
`)}}}
}

const addItem = "INSERT INTO item (tenant_id, name) VALUES ($1, $2)"

// names gives the names of all items whatever their tenant, sorted.
func names(t *testing.T, d *pgtest.TestDatabase) []string {
	t.Helper()
	return column[string](t, d, "SELECT name FROM item ORDER BY name")
}

// column gives the single column of a query by the owner, whom row level security does not bind.
func column[T any](t *testing.T, d *pgtest.TestDatabase, sql string) []T {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), d.URL(pg.Owner))
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	rows, err := conn.Query(context.Background(), sql)
	require.NoError(t, err)
	values, err := pgx.CollectRows(rows, pgx.RowTo[T])
	require.NoError(t, err)
	return values
}

// create is the usual command: one row, one answer.
func create(ctx context.Context, db *pg.DB, tenant, name string) (pg.Result, error) {
	return db.Command(ctx, tenant, func(tx *pg.Tx) (pg.Result, error) {
		id, err := uuid.NewV7()
		if err != nil {
			return pg.Result{}, err
		}
		tx.Queue("INSERT INTO item (tenant_id, id, name) VALUES ($1, $2, $3)", tenant, id, name)
		return pg.Result{ID: id, Status: 201}, nil
	})
}
